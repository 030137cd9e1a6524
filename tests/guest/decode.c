/* What an abort says about the instruction: FAR_EL1 and WnR, CM of ESR_EL1 for every kind of load
 * and store, and that those with a full syndrome reach a device. Arm ARM D19.2.37, D19.2.40. */
#include "mmu.h"
#include "trap.h"

#define HOLE     0x90000000ull /* not mapped */
#define READONLY 0x80000000ull
#define UART_CR  (PL011 + 0x30)
#define UART_PER (PL011 + 0xfe0)

static struct tables tables;

#define STORE 1
#define BOTH  2 /* reads, and then writes */
#define LSE   4
#define RCPC  8

/* x0 is the address + 64, x1 and x2 are 8. */
#define BASIC(X)                                                                                   \
    X(ldrb_imm, "ldrb w3, [x0, #5]", 69, 0)                                                        \
    X(ldrsw_imm, "ldrsw x3, [x0, #4]", 68, 0)                                                      \
    X(str_imm, "str x1, [x0, #8]", 72, STORE)                                                      \
    X(ldur_imm, "ldur x3, [x0, #-3]", 61, 0)                                                       \
    X(sturh_imm, "sturh w1, [x0, #-1]", 63, STORE)                                                 \
    X(ldr_reg, "ldr x3, [x0, x1, lsl #3]", 128, 0)                                                 \
    X(str_sxtw, "str w1, [x0, w2, sxtw #2]", 96, STORE)                                            \
    X(ldr_pre, "ldr x3, [x0, #16]!", 80, 0)                                                        \
    X(str_post, "str x1, [x0], #16", 64, STORE)                                                    \
    X(ldtr_, "ldtr x3, [x0, #8]", 72, 0)                                                           \
    X(sttr_, "sttrb w1, [x0, #7]", 71, STORE)                                                      \
    X(ldp_, "ldp x3, x4, [x0, #-16]", 48, 0)                                                       \
    X(stp_pre, "stp x1, x2, [x0, #-32]!", 32, STORE)                                               \
    X(ldpsw_, "ldpsw x3, x4, [x0, #4]", 68, 0)                                                     \
    X(stnp_, "stnp w1, w2, [x0, #4]", 68, STORE)                                                   \
    X(ldxr_, "ldxr x3, [x0]", 64, 0)                                                               \
    X(ldaxp_, "ldaxp x3, x4, [x0]", 64, 0)                                                         \
    X(ldar_, "ldar w3, [x0]", 64, 0)                                                               \
    X(stlr_, "stlrb w1, [x0]", 64, STORE)                                                          \
    X(ldr_q, "ldr q0, [x0, #16]", 80, 0)                                                           \
    X(str_s, "str s0, [x0, #4]", 68, STORE)                                                        \
    X(stp_d, "stp d0, d1, [x0], #16", 64, STORE)                                                   \
    X(ld1_4, "ld1 {v0.16b-v3.16b}, [x0], #64", 64, 0)                                              \
    X(st3_, "st3 {v0.8h-v2.8h}, [x0], x1", 64, STORE)                                              \
    X(st2_lane, "st2 {v0.s, v1.s}[3], [x0]", 64, STORE)                                            \
    X(ld4r_, "ld4r {v0.2d-v3.2d}, [x0]", 64, 0)
#define NEWER(X)                                                                                   \
    X(ldadd_, "ldaddal x1, x3, [x0]", 64, STORE | BOTH | LSE)                                      \
    X(stset_, "stset w1, [x0]", 64, STORE | BOTH | LSE)                                            \
    X(swp_, "swpb w1, w3, [x0]", 64, STORE | BOTH | LSE)                                           \
    X(cas_, "casa x1, x2, [x0]", 64, STORE | BOTH | LSE)                                           \
    X(casp_, "casp w2, w3, w4, w5, [x0]", 64, STORE | BOTH | LSE)                                  \
    X(ldapr_, "ldapr x3, [x0]", 64, RCPC)                                                          \
    X(ldapur_, "ldapur x3, [x0, #8]", 72, RCPC)                                                    \
    X(ldapursb_, "ldapursb w3, [x0, #-1]", 63, RCPC)                                               \
    X(stlur_, "stlur x1, [x0, #-8]", 56, STORE | RCPC)                                             \
    X(stlurh_, "stlurh w1, [x0, #2]", 66, STORE | RCPC)

#define NEW_CODE(name, text)            TRAP_CODE(name, ".arch armv8.4-a+simd\n" text)
#define CODE(name, text, offset, flags) NEW_CODE(name, text);
BASIC(CODE)
NEWER(CODE)
TRAP_CODE(zva, "dc zva, x0");
TRAP_CODE(prefetches, "prfm pldl1keep, [x0]\nprfum pstl1keep, [x0, #-3]\n"
                      "prfm pldl1keep, [x0, x1, lsl #3]");

static bool has(unsigned flags)
{
    uint64_t isar0 = READ(id_aa64isar0_el1), isar1 = READ(id_aa64isar1_el1);
    return !((flags & LSE) && field(isar0, 20, 4) < 2) &&
           !((flags & RCPC) && field(isar1, 20, 4) < 2);
}

static struct trap call(const uint32_t *code, uint64_t address)
{
    return trap_el1(code, address, 8, 8);
}

static void check(const char *what, const uint32_t *code, uint64_t offset, unsigned flags)
{
    if (!has(flags))
        return;
    check_context(what, 0);
    uint64_t wnr = flags & STORE ? ESR_WNR : 0;
    struct trap t = call(code, HOLE + 64);
    /* A read of it would fail, too. */
    CHECK_EQ("not mapped: ESR", t.esr,
             ESR(EC_DABORT_EL1, (flags & BOTH ? 0 : wnr) | (FSC_TRANSLATION + 2)));
    CHECK_EQ("not mapped: FAR", t.far, HOLE + offset);
    t = call(code, READONLY + 64);
    CHECK_EQ("read-only: exception", t.taken, (flags & STORE) != 0);
    if (t.taken) {
        CHECK_EQ("read-only: ESR", t.esr, ESR(EC_DABORT_EL1, wnr | (FSC_PERMISSION + 3)));
        CHECK_EQ("read-only: FAR", t.far, READONLY + offset);
    }
    check_context(NULL, 0);
}

/* D19.2.40: of DC, what the register has. */
static void zeroing(void)
{
    struct trap t = call(zva, HOLE + 0x77);
    CHECK_EQ("DC ZVA: ESR", t.esr, ESR(EC_DABORT_EL1, ESR_WNR | (FSC_TRANSLATION + 2)));
    CHECK_EQ("DC ZVA: FAR", t.far, HOLE + 0x77);
}

/* Devices -------------------------------------------------------------------------------------- */

NEW_CODE(d_ldapr, "ldaprb w3, [x0]");
NEW_CODE(d_stlur, "mov w3, #0x301\nstlur w3, [x0, #-4]\nldapur w4, [x0, #-4]");

static void devices(void)
{
    struct trap t;
    if (!has(RCPC))
        return;
    t = call(d_ldapr, UART_PER);
    CHECK_NO_TRAP("LDAPRB of a device", t);
    CHECK_EQ("LDAPRB of a device", t.x[3], read32(UART_PER));
    t = call(d_stlur, UART_CR + 4);
    CHECK_NO_TRAP("STLUR to a device", t);
    CHECK_EQ("STLUR to a device", read32(UART_CR), 0x301);
    CHECK_EQ("LDAPUR of a device", t.x[4], 0x301);
}

int main(void)
{
    mmu_start(&tables);
    tables_map(&tables, READONLY, SCRATCH, 0x1000,
               PTE_MEMORY | PTE_EL0 | PTE_PXN | PTE_UXN | PTE_READONLY, 3);
    tlb_flush();
    WRITE(cpacr_el1, 3u << 20);
    ISB();
#define RUN(name, text, offset, flags) check(text, name, offset, flags);
    BASIC(RUN)
    NEWER(RUN)
    zeroing();
    CHECK_NO_TRAP("prefetches", call(prefetches, HOLE + 64));
    devices();
    finish();
}
