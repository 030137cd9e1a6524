/* Every access must be aligned where stage 1 is off, as all data is Device-nGnRnE then, and with
 * SCTLR_EL1.A: single registers to their size, pairs to one register's, SIMD structures to an
 * element's (Arm ARM B2.9.2). DC ZVA faults with stage 1 off. FAR is the address, and nothing of
 * the instruction is visible. */
#include "mmu.h"
#include "trap.h"

static struct tables tables;

#define FP_ON ".arch_extension fp\n.arch_extension simd\n"
/* name, instruction, what the address must be a multiple of, store, address - x0 */
#define FORMS(X)                                                                                   \
    X(ldrb, "ldrb w1, [x0]", 1, 0, 0)                                                              \
    X(ldrsh, "ldrsh x1, [x0]", 2, 0, 0)                                                            \
    X(ldr_w, "ldr w1, [x0]", 4, 0, 0)                                                              \
    X(ldrsw_post, "ldrsw x1, [x0], #3", 4, 0, 0)                                                   \
    X(ldr_x, "ldr x1, [x0]", 8, 0, 0)                                                              \
    X(ldr_pre, "ldr x1, [x0, #5]!", 8, 0, 5)                                                       \
    X(ldr_register, "ldr x1, [x0, x2]", 8, 0, 3)                                                   \
    X(ldr_scaled, "ldr w1, [x0, w2, uxtw #2]", 4, 0, 12)                                           \
    X(ldur, "ldur w1, [x0, #-5]", 4, 0, -5)                                                        \
    X(ldp_w, "ldp w1, w3, [x0]", 4, 0, 0)                                                          \
    X(ldp_x, "ldp x1, x3, [x0], #16", 8, 0, 0)                                                     \
    X(ldpsw, "ldpsw x1, x3, [x0, #4]", 4, 0, 4)                                                    \
    X(ldnp, "ldnp x1, x3, [x0]", 8, 0, 0)                                                          \
    X(ldxr, "ldxr w1, [x0]\nclrex", 4, 0, 0)                                                       \
    X(ldxp, "ldxp x1, x3, [x0]\nclrex", 16, 0, 0)                                                  \
    X(ldr_h, FP_ON "ldr h0, [x0]", 2, 0, 0)                                                        \
    X(ldr_d, FP_ON "ldr d0, [x0]", 8, 0, 0)                                                        \
    X(ldr_q, FP_ON "ldr q0, [x0]", 16, 0, 0)                                                       \
    X(ldp_q, FP_ON "ldp q0, q1, [x0]", 16, 0, 0)                                                   \
    X(ld1_b, FP_ON "ld1 {v0.16b}, [x0]", 1, 0, 0)                                                  \
    X(ld1_h, FP_ON "ld1 {v0.8h, v1.8h}, [x0]", 2, 0, 0)                                            \
    X(ld1_s, FP_ON "ld1 {v0.4s}, [x0], #16", 4, 0, 0)                                              \
    X(ld1_d, FP_ON "ld1 {v0.2d}, [x0]", 8, 0, 0)                                                   \
    X(ld2_h, FP_ON "ld2 {v0.8h, v1.8h}, [x0]", 2, 0, 0)                                            \
    X(ld3_lane, FP_ON "ld3 {v0.s, v1.s, v2.s}[1], [x0]", 4, 0, 0)                                  \
    X(ld1r, FP_ON "ld1r {v0.2d}, [x0]", 8, 0, 0)                                                   \
    X(strb, "strb w1, [x0]", 1, 1, 0)                                                              \
    X(strh, "strh w1, [x0]", 2, 1, 0)                                                              \
    X(str_w, "str w1, [x0], #4", 4, 1, 0)                                                          \
    X(str_x, "str x1, [x0]", 8, 1, 0)                                                              \
    X(stp_x, "stp x1, x3, [x0, #-16]!", 8, 1, -16)                                                 \
    X(str_d, FP_ON "str d0, [x0]", 8, 1, 0)                                                        \
    X(str_q, FP_ON "str q0, [x0]", 16, 1, 0)                                                       \
    X(stp_q, FP_ON "stp q0, q1, [x0]", 16, 1, 0)                                                   \
    X(st1_s, FP_ON "st1 {v0.4s}, [x0]", 4, 1, 0)                                                   \
    X(st4_b, FP_ON "st4 {v0.8b-v3.8b}, [x0]", 1, 1, 0)

#define DEFINE(name, text, alignment, store, offset) TRAP_CODE(name, text);
FORMS(DEFINE)
#define ENTRY(name, text, alignment, store, offset) {#name, name, alignment, store, offset},
static const struct {
    const char *name;
    const uint32_t *code;
    unsigned alignment, store;
    int offset;
} forms[] = {FORMS(ENTRY)};

static void check_forms(bool all)
{
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++)
        for (unsigned offset = 0; offset <= 16; offset++) {
            bool always = forms[i].code == ldxr || forms[i].code == ldxp;
            uint64_t address = SCRATCH + 0x100 + offset, x0 = address - (uint64_t)forms[i].offset;
            check_context(forms[i].name, offset);
            struct trap t = trap_el1(forms[i].code, x0, 0x1234, 3);
            if (offset % forms[i].alignment == 0 || (!all && !always)) {
                CHECK_NO_TRAP("aligned, or not checked", t);
                continue;
            }
            unsigned iss = (forms[i].store ? ESR_WNR : 0) | FSC_ALIGNMENT;
            CHECK_TRAP("unaligned", t, ESR(EC_DABORT_EL1, iss), 0x200, (uint64_t)forms[i].code);
            CHECK_EQ("FAR", t.far, address);
            CHECK_EQ("base", t.x[0], x0);
            CHECK_EQ("register", t.x[1], 0x1234);
        }
    check_context(NULL, 0);
}

TRAP_CODE(zero, "dc zva, x0");

static void check_zero(bool faults)
{
    struct trap t = trap_el1(zero, SCRATCH + 0x148, 0, 0);
    if (faults) {
        CHECK_TRAP("DC ZVA", t, ESR(EC_DABORT_EL1, ESR_WNR | FSC_ALIGNMENT), 0x200, (uint64_t)zero);
        CHECK_EQ("FAR of DC ZVA", t.far, SCRATCH + 0x148);
    } else {
        CHECK_NO_TRAP("DC ZVA", t);
    }
}

/* Where no table says what memory is, what is no address at all comes first; but not before what is
 * checked for the instruction's sake. */
static void check_too_large(void)
{
    const uint64_t large = (uint64_t)1 << 50 | 4;
    struct trap t = trap_el1(ldr_x, large, 0, 0);
    CHECK_TRAP("unaligned", t, ESR(EC_DABORT_EL1, FSC_ADDRESS_SIZE), 0x200, (uint64_t)ldr_x);
    CHECK_EQ("FAR", t.far, large);
    t = trap_el1(zero, large, 0, 0);
    CHECK_TRAP("DC ZVA", t, ESR(EC_DABORT_EL1, ESR_WNR | FSC_ADDRESS_SIZE), 0x200, (uint64_t)zero);
    t = trap_el1(ldxp, large, 0, 0);
    CHECK_TRAP("exclusive", t, ESR(EC_DABORT_EL1, FSC_ALIGNMENT), 0x200, (uint64_t)ldxp);
    sctlr_change(0, SCTLR_A);
    t = trap_el1(ldr_x, large, 0, 0);
    CHECK_TRAP("with A", t, ESR(EC_DABORT_EL1, FSC_ALIGNMENT), 0x200, (uint64_t)ldr_x);
    sctlr_change(SCTLR_A, 0);
}

/* To memory that holds code, too. */
TRAP_CODE(release, "stlr x1, [x0]");
TRAP_CODE(on_stack, "mov x9, sp\nmov sp, x0\nstr x1, [sp]\nmov sp, x9");
TRAP_CODE(call, "mov x9, x30\nblr x0\nmov x30, x9");

static void check_code(const char *what, const uint32_t *stores)
{
    const uint64_t data = SCRATCH + 0x10000, code = SCRATCH + 0x11000;
    write32(code, 0xd65f03c0u); /* ret */
    code_sync((const void *)code, 4);
    struct trap t = trap_el1(call, code, 0, 0);
    CHECK_NO_TRAP("call", t);
    CHECK_EQ(what, trap_el1(stores, data + 0x104, 0, 0).taken, 1);
    CHECK_EQ(what, trap_el1(stores, code + 0x104, 0, 0).taken, 1);
}

/* The same code, back and forth between the modes. */
TRAP_CODE(many, "mov x3, #200\n1: ldr x1, [x0]\nadd x1, x1, #1\nstr x1, [x0]\nldrb w2, [x0, #9]\n"
                "add w2, w2, #1\nstrb w2, [x0, #9]\nsubs x3, x3, #1\nb.ne 1b");

/* Elements smaller than what is moved at once, over two pages; and the page that runs. */
TRAP_CODE(store_h, FP_ON "st1 {v0.8h}, [x0]");
TRAP_CODE(store_s, FP_ON "st1 {v0.4s, v1.4s}, [x0]");
TRAP_CODE(load_q, FP_ON "ldr q0, [x0]");

static void check_places(bool all)
{
    uint64_t end = SCRATCH + 0x1000;
    CHECK_NO_TRAP("elements of 2, over two pages", trap_el1(store_h, end - 6, 0, 0));
    CHECK_NO_TRAP("elements of 4, over two pages", trap_el1(store_s, end - 12, 0, 0));
    struct trap t = trap_el1(store_h, end - 5, 0, 0);
    CHECK_EQ("elements of 2, odd", t.esr != 0, all);
    t = trap_el1(store_s, end - 6, 0, 0);
    CHECK_EQ("elements of 4, even", t.esr != 0, all);
    t = trap_el1(load_q, (uint64_t)load_q | 8, 0, 0);
    CHECK_EQ("of the page that runs", t.esr != 0, all);
}

static void check_many(bool all, unsigned offset)
{
    write64(SCRATCH + 0x200, 0);
    write64(SCRATCH + 0x208, 0);
    struct trap t = trap_el1(many, SCRATCH + 0x200 + offset, 0, 0);
    if (all && offset) {
        CHECK_TRAP("loop", t, ESR(EC_DABORT_EL1, FSC_ALIGNMENT), 0x200, (uint64_t)(many + 1));
        return;
    }
    CHECK_NO_TRAP("loop", t);
    CHECK_EQ("counted", t.x[1], 200);
}

static void check_mode(bool all, bool stage1)
{
    check_forms(all);
    check_zero(!stage1);
    check_places(all);
    for (unsigned i = 0; i < 4; i++)
        check_many(all, i & 1);
}

int main(void)
{
    WRITE(cpacr_el1, 3u << 20);
    ISB();
    known_begin("QEMU before 9.0 checks exclusives only");
    check_mode(true, false);
    check_too_large();
    mmu_start(&tables);
    check_mode(false, true);
    sctlr_change(0, SCTLR_SA);
    check_code("release", release);
    check_code("SP", on_stack);
    sctlr_change(SCTLR_SA, 0);
    sctlr_change(0, SCTLR_A);
    check_mode(true, true);
    sctlr_change(SCTLR_A, 0);
    check_mode(false, true);
    mmu_off();
    check_mode(true, false);
    known_end();
    finish();
}
