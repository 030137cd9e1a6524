/* Acquires and releases must be aligned everywhere (Arm ARM B2.9.2; no model has FEAT_LSE2), and
 * exclusive stores also where the monitor does not hold their address; and SP
 * must be a multiple of 16 where an access is based on it, with SCTLR_EL1.SA at EL1 and SA0 at EL0:
 * an SP alignment fault at that instruction (D1.3.10.2), which leaves FAR. */
#include "forms.h"
#include "mmu.h"

static struct tables tables;

#define ORDERED(X)                                                                                 \
    X(ldar_x, "ldar x1, [x0]", 8, 0)                                                               \
    X(ldar_w, "ldar w1, [x0]", 4, 0)                                                               \
    X(ldarh, "ldarh w1, [x0]", 2, 0)                                                               \
    X(ldarb, "ldarb w1, [x0]", 1, 0)                                                               \
    X(stlr_x, "stlr x1, [x0]", 8, 1)                                                               \
    X(stlr_w, "stlr w1, [x0]", 4, 1)                                                               \
    X(stlrh, "stlrh w1, [x0]", 2, 1)                                                               \
    X(stlrb, "stlrb w1, [x0]", 1, 1)                                                               \
    X(stxr_x, "stxr w1, x2, [x0]", 8, 1)                                                           \
    X(stxr_w, "stxr w1, w2, [x0]", 4, 1)                                                           \
    X(stlxrh, "stlxrh w1, w2, [x0]", 2, 1)                                                         \
    X(stxrb, "stxrb w1, w2, [x0]", 1, 1)                                                           \
    X(stxp_x, "stxp w1, x2, x3, [x0]", 16, 1)                                                      \
    X(stlxp_w, "stlxp w1, w2, w3, [x0]", 8, 1)
ORDERED(FORM_CODE)
static const struct form ordered[] = {ORDERED(FORM_ENTRY)};

/* SP is moved down by x0; x1 is 8; which instruction is the access, and does it fault? */
#define DOWN "mov x9, sp\nsub sp, x9, x0\n"
#define BACK "\nmov sp, x9"
#define BASED(X)                                                                                   \
    X(at_sp, "ldr x10, [sp]", 2, 1)                                                                \
    X(at_8, "ldr x10, [sp, #8]", 2, 1)                                                             \
    X(at_16, "ldr x10, [sp, #16]", 2, 1)                                                           \
    X(byte, "ldrb w10, [sp, #3]", 2, 1)                                                            \
    X(half, "strh w10, [sp, #32]", 2, 1)                                                           \
    X(pair, "stp x10, x11, [sp, #-16]!", 2, 1)                                                     \
    X(pair_odd, "stp w10, w11, [sp, #-8]!", 2, 1)                                                  \
    X(pair_post, "ldp x10, x11, [sp], #16", 2, 1)                                                  \
    X(by_register, "ldr x10, [sp, x1]", 2, 1)                                                      \
    X(unscaled, "ldur x10, [sp, #-7]", 2, 1)                                                       \
    X(acquire, "ldarb w10, [sp]", 2, 1)                                                            \
    X(exclusive, "ldxrb w10, [sp]", 2, 1)                                                          \
    X(exclusive_store, "stxrb w10, w11, [sp]", 2, 1)                                               \
    X(quad, ".arch_extension simd\nstr q0, [sp, #16]", 2, 1)                                       \
    X(structure, ".arch_extension simd\nld1 {v0.8b}, [sp], x1", 2, 1)                              \
    X(prefetch, "prfm pldl1keep, [sp]", 2, 0)                                                      \
    X(by_other, "mov x10, sp\nldrb w10, [x10]", 2, 0)                                              \
    X(second, "add sp, sp, x0\nldr x10, [sp]\nsub sp, sp, x0\nldr x10, [sp, #8]", 5, 1)            \
    X(corrected, "add sp, sp, x0\nldr x10, [sp]\nsub sp, sp, #16\nldr x10, [sp, #8]", 2, 0)        \
    X(masked, "mov x10, sp\nand sp, x10, #~15\nldr x10, [sp]", 2, 0)                               \
    X(next_block, "b 1f\n1: ldr x10, [sp, #24]", 3, 1)
#define DEFINE_BASED(name, text, at, faults) TRAP_CODE(name, DOWN text BACK);
BASED(DEFINE_BASED)
#define ENTRY_BASED(name, text, at, faults) {#name, name, at, faults},
static const struct {
    const char *name;
    const uint32_t *code;
    unsigned at, faults;
} based[] = {BASED(ENTRY_BASED)};

static void check_based(bool checked)
{
    for (unsigned i = 0; i < sizeof based / sizeof *based; i++)
        for (unsigned down = 32; down <= 48; down++) {
            check_context(based[i].name, down);
            WRITE(far_el1, 0x5a5a);
            struct trap t = trap_el1(based[i].code, down, 8, 0);
            if (!checked || !based[i].faults || down % 16 == 0) {
                CHECK_NO_TRAP("SP aligned, or not checked", t);
                continue;
            }
            CHECK_TRAP("SP", t, ESR(EC_SP_ALIGNMENT, 0), 0x200,
                       (uint64_t)(based[i].code + based[i].at));
            CHECK_EQ("FAR stays", t.far, 0x5a5a);
        }
    check_context(NULL, 0);
}

/* Its own writebacks make SP odd. */
TRAP_CODE(walk_off, "mov x9, sp\nsub sp, sp, #64\nldr x10, [sp], #8\nldr x10, [sp]\nmov sp, x9");
TRAP_CODE(add_off, "mov x9, sp\nsub sp, sp, #64\nldr x10, [sp]\nadd sp, sp, #8\nldr x10, [sp, #8]\n"
                   "mov sp, x9");
/* Before translation: nothing is mapped there. */
TRAP_CODE(unmapped, "mov x9, sp\nmov sp, x0\nldr x10, [sp]\nmov sp, x9");
TRAP_CODE(el1t, "msr spsel, #0\nmov sp, x0\nldr x10, [sp]\nmsr spsel, #1");
EL0_CODE(at_el0, "mov x9, sp\nsub sp, sp, #24\nldr x10, [sp, #8]\nmov sp, x9");

static void check_others(unsigned sa)
{
    struct trap t = trap_el1(walk_off, 0, 0, 0);
    if (sa & SCTLR_SA)
        CHECK_TRAP("odd by writeback", t, ESR(EC_SP_ALIGNMENT, 0), 0x200, (uint64_t)(walk_off + 3));
    else
        CHECK_NO_TRAP("odd by writeback", t);
    t = trap_el1(add_off, 0, 0, 0);
    if (sa & SCTLR_SA)
        CHECK_TRAP("odd by ADD", t, ESR(EC_SP_ALIGNMENT, 0), 0x200, (uint64_t)(add_off + 4));
    else
        CHECK_NO_TRAP("odd by ADD", t);
    t = trap_el1(unmapped, 0x90000008, 0, 0);
    if (sa & SCTLR_SA)
        CHECK_TRAP("unmapped", t, ESR(EC_SP_ALIGNMENT, 0), 0x200, (uint64_t)(unmapped + 2));
    else
        CHECK_TRAP("unmapped", t, ESR(EC_DABORT_EL1, FSC_TRANSLATION + 1), 0x200,
                   (uint64_t)(unmapped + 2));
    t = trap_el1(el1t, SCRATCH + 8, 0, 0);
    if (sa & SCTLR_SA)
        CHECK_TRAP("SP_EL0 at EL1", t, ESR(EC_SP_ALIGNMENT, 0), 0, (uint64_t)(el1t + 2));
    else
        CHECK_NO_TRAP("SP_EL0 at EL1", t);
    t = trap_el0(at_el0, 0, 0, 0);
    if (sa & SCTLR_SA0)
        CHECK_TRAP("EL0", t, ESR(EC_SP_ALIGNMENT, 0), 0x400, (uint64_t)(at_el0 + 2));
    else
        CHECK_NO_TRAP("EL0", t);
}

/* FEAT_LSE, which max has; at EL1, with SP 8 too low. */
#define LSE ".arch_extension lse\n"
TRAP_CODE(atomic_add, LSE DOWN "ldaddb w1, w10, [sp]" BACK);
TRAP_CODE(atomic_swap, LSE DOWN "swp x1, x10, [sp]" BACK);
TRAP_CODE(atomic_compare, LSE DOWN "cas w1, w10, [sp]" BACK);

static void check_atomics(void)
{
    const uint32_t *const atomics[] = {atomic_add, atomic_swap, atomic_compare};
    if ((READ(id_aa64isar0_el1) >> 20 & 15) < 2)
        return;
    for (unsigned i = 0; i < sizeof atomics / sizeof *atomics; i++) {
        struct trap t = trap_el1(atomics[i], 32, 1, 0);
        CHECK_NO_TRAP("atomic", t);
        t = trap_el1(atomics[i], 40, 1, 0);
        CHECK_TRAP("atomic", t, ESR(EC_SP_ALIGNMENT, 0), 0x200, (uint64_t)(atomics[i] + 2));
    }
}

int main(void)
{
    static const unsigned modes[] = {0, SCTLR_SA, SCTLR_SA0, SCTLR_SA | SCTLR_SA0, 0};
    mmu_start(&tables);
    WRITE(cpacr_el1, 3u << 20);
    ISB();
    known_begin("QEMU checks neither acquires nor SP");
    check_forms(ordered, sizeof ordered / sizeof *ordered, SCRATCH + 0x100);
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
        sctlr_change(SCTLR_SA | SCTLR_SA0, modes[i]);
        check_based(modes[i] & SCTLR_SA);
        check_others(modes[i]);
        if (modes[i] & SCTLR_SA)
            check_atomics();
    }
    known_end();
    finish();
}
