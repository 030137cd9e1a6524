/* One check per exception class: vector, ESR, FAR, ELR and SPSR of exceptions taken from EL1 (with
 * SP_ELx and SP_EL0) and from EL0. Arm ARM (DDI 0487J.a) D1.3 (vectors, preferred return address),
 * D17.2.37 (ESR_EL1). An abort taken to EL1 never has ISV. */
#include "mmu.h"
#include "trap.h"

/* Pages for the test. */
enum { PAGES = 0x80000000 };
enum page { UNMAPPED, EL1_RW, EL1_RO, NO_AF, DEVICE, EL0_RW, EL0_RO, NO_EXEC, TOO_BIG, PAGE_COUNT };
#define PAGE(p)     (PAGES + 0x1000ull * (p))
#define EL1_VECTOR  0x200
#define EL1T_VECTOR 0x000
#define EL0_VECTOR  0x400
/* M, DAIF, IL and SS; the flags and what later extensions add are not compared. */
#define SPSR_COMPARED 0x3003dfu

static struct tables tables;

static void map_pages(void)
{
    uint64_t rw = PTE_MEMORY | PTE_PXN | PTE_UXN;
    const uint64_t attributes[PAGE_COUNT] = {
        [EL1_RW] = rw,
        [EL1_RO] = rw | PTE_READONLY,
        [NO_AF] = (PTE_MEMORY & ~PTE_AF) | PTE_EL0,
        [DEVICE] = PTE_DEVICE | PTE_EL0,
        [EL0_RW] = rw | PTE_EL0,
        [EL0_RO] = rw | PTE_EL0 | PTE_READONLY,
        [NO_EXEC] = rw,
        [TOO_BIG] = rw | 1ull << 44, /* TCR.IPS says 40 bits */
    };
    for (unsigned p = 0; p < PAGE_COUNT; p++)
        if (attributes[p])
            tables_map(&tables, PAGE(p), SCRATCH + 0x1000ull * p, 0x1000, attributes[p], 3);
    tlb_flush();
}

/* Calls -----------------------------------------------------------------------------------------*/

TRAP_CODE(svc_1234, "svc #0x1234");
TRAP_CODE(svc_el1t, "msr spsel, #0\nsvc #0xffff\nmsr spsel, #1");
EL0_CODE(svc_el0, "svc #1");
TRAP_CODE(brk_42, "brk #0x42");
EL0_CODE(brk_el0, "brk #0xffff");
TRAP_CODE(smc_version, "smc #0");
TRAP_CODE(with_flags, "cmp xzr, xzr\nsvc #5");
EL0_CODE(hvc_el0, "hvc #0");
EL0_CODE(smc_el0, "smc #0");

static void check_spsr(const struct trap *t, uint64_t expected)
{
    CHECK_EQ("SPSR", t->spsr & SPSR_COMPARED, expected);
}

static void calls(void)
{
    struct trap t = trap_el1(svc_1234, 0, 0, 0);
    CHECK_TRAP("SVC", t, ESR(EC_SVC, 0x1234), EL1_VECTOR, (uint64_t)(svc_1234 + 1));
    check_spsr(&t, SPSR_EL1H);
    t = trap_el1(svc_el1t, 0, 0, 0);
    CHECK_TRAP("SVC with SP_EL0", t, ESR(EC_SVC, 0xffff), EL1T_VECTOR, (uint64_t)(svc_el1t + 2));
    check_spsr(&t, SPSR_EL1T);
    t = trap_el0(svc_el0, 0, 0, 0);
    CHECK_TRAP("SVC from EL0", t, ESR(EC_SVC, 1), EL0_VECTOR, (uint64_t)(svc_el0 + 1));
    check_spsr(&t, SPSR_EL0T);
    t = trap_el1(with_flags, 0, 0, 0);
    CHECK_EQ("flags in SPSR", t.spsr >> 28, 6); /* Z and C */
    t = trap_el1(brk_42, 0, 0, 0);
    CHECK_TRAP("BRK", t, ESR(EC_BRK, 0x42), EL1_VECTOR, (uint64_t)brk_42);
    check_spsr(&t, SPSR_EL1H);
    t = trap_el0(brk_el0, 0, 0, 0);
    CHECK_TRAP("BRK from EL0", t, ESR(EC_BRK, 0xffff), EL0_VECTOR, (uint64_t)brk_el0);

    CHECK_EQ("HVC, unknown function", hvc(0x8400ffff, 0, 0, 0), -1);
    CHECK_EQ("HVC, unknown service", hvc(0xc6000001, 0, 0, 0), -1);
    CHECK("PSCI_VERSION by HVC", hvc(PSCI_VERSION, 0, 0, 0) >= 0x10000);
    /* SMC is UNDEFINED where there is no EL3, and the same PSCI where something emulates one. */
    t = trap_el1(smc_version, PSCI_VERSION, 0, 0);
    if (t.taken)
        CHECK_TRAP("SMC", t, ESR(EC_UNKNOWN, 0), EL1_VECTOR, (uint64_t)smc_version);
    else
        CHECK_EQ("PSCI_VERSION by SMC", t.x[0], hvc(PSCI_VERSION, 0, 0, 0));
    t = trap_el0(hvc_el0, 0, 0, 0);
    CHECK_TRAP("HVC from EL0", t, ESR(EC_UNKNOWN, 0), EL0_VECTOR, (uint64_t)hvc_el0);
    t = trap_el0(smc_el0, 0, 0, 0);
    CHECK_TRAP("SMC from EL0", t, ESR(EC_UNKNOWN, 0), EL0_VECTOR, (uint64_t)smc_el0);
}

/* Undefined -------------------------------------------------------------------------------------*/

#define UNDEFINED_LIST(X)                                                                          \
    X(udf, ".inst 0x00000000")                                                                     \
    X(udf_ffff, ".inst 0x0000ffff")                                                                \
    X(hlt_1, "hlt #0x1")                                                                           \
    X(unallocated, ".inst 0x02000000")                                                             \
    X(mrs_el2, "mrs x0, s3_4_c1_c1_0") /* HCR_EL2 */                                               \
    X(msr_el3, "msr s3_6_c1_c1_0, x0") /* SCR_EL3 */                                               \
    X(mrs_nowhere, "mrs x0, s3_1_c5_c9_7")                                                         \
    X(msr_nowhere, "msr s3_1_c5_c9_7, x0")                                                         \
    X(msr_read_only, "msr s3_0_c0_c0_0, x0")    /* MIDR_EL1 */                                     \
    X(mrs_write_only, "mrs x0, s3_0_c12_c12_1") /* ICC_EOIR1_EL1 */                                \
    X(dc_nowhere, "sys #6, c7, c15, #7, x0")
#define UNDEFINED_EL0_LIST(X)                                                                      \
    X(udf_el0, ".inst 0x00001234")                                                                 \
    X(hlt_el0, "hlt #0x1")                                                                         \
    X(mrs_sctlr_el0, "mrs x0, sctlr_el1")                                                          \
    X(msr_vbar_el0, "msr vbar_el1, x0")                                                            \
    X(mrs_el2_el0, "mrs x0, s3_4_c1_c1_0")                                                         \
    X(tlbi_el0, "tlbi vmalle1")                                                                    \
    X(dc_ivac_el0, "dc ivac, x0")                                                                  \
    X(ic_iallu_el0, "ic iallu")                                                                    \
    X(at_el0, "at s1e0r, x0")                                                                      \
    X(eret_el0, "eret")                                                                            \
    X(spsel_el0, "msr spsel, #0")                                                                  \
    X(tpidrro_el0_write, "msr tpidrro_el0, x0")

#define DEFINE_EL1(name, text) TRAP_CODE(name, text);
#define DEFINE_EL0(name, text) EL0_CODE(name, text);
UNDEFINED_LIST(DEFINE_EL1)
UNDEFINED_EL0_LIST(DEFINE_EL0)

#define TRY_EL1(name, text)                                                                        \
    t = trap_el1(name, PAGE(EL1_RW), 0, 0);                                                        \
    CHECK_TRAP(#name, t, ESR(EC_UNKNOWN, 0), EL1_VECTOR, (uint64_t)(name));
#define TRY_EL0(name, text)                                                                        \
    t = trap_el0(name, PAGE(EL0_RW), 0, 0);                                                        \
    CHECK_TRAP(#name, t, ESR(EC_UNKNOWN, 0), EL0_VECTOR, (uint64_t)(name));

static void undefined(void)
{
    struct trap t;
    UNDEFINED_LIST(TRY_EL1)
    UNDEFINED_EL0_LIST(TRY_EL0)
    check_spsr(&t, SPSR_EL0T);
}

/* Data aborts -----------------------------------------------------------------------------------*/

TRAP_CODE(load, "ldr x1, [x0]");
TRAP_CODE(store, "str x1, [x0]");
TRAP_CODE(load_el1t, "msr spsel, #0\nldr x1, [x0]\nmsr spsel, #1");
TRAP_CODE(load_byte, "ldrb w1, [x0]");
TRAP_CODE(load_pair_writeback, "ldp x1, x2, [x0, #-16]!");
TRAP_CODE(load_unprivileged, "ldtr x1, [x0]");
TRAP_CODE(clean, "dc cvac, x0");
TRAP_CODE(load_acquire, "ldar x1, [x0]");
TRAP_CODE(load_exclusive, "ldxr x1, [x0]");
EL0_CODE(load_el0, "ldr x1, [x0]");
EL0_CODE(store_el0, "str x1, [x0]");

struct abort_case {
    const char *what;
    const uint32_t *code;
    bool el0;
    uint64_t address;
    unsigned iss;
};

static void abort_checks(const struct abort_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct abort_case *c = &cases[i];
        struct trap t = (c->el0 ? trap_el0 : trap_el1)(c->code, c->address, 0, 0);
        check_context(c->what, c->address);
        CHECK_TRAP("data abort", t, ESR(c->el0 ? EC_DABORT_EL0 : EC_DABORT_EL1, c->iss),
                   c->el0 ? EL0_VECTOR : EL1_VECTOR, (uint64_t)c->code);
        if (t.taken) {
            CHECK_EQ("FAR", t.far, c->address);
            CHECK_EQ("base register", t.x[0], c->address);
            check_spsr(&t, c->el0 ? SPSR_EL0T : SPSR_EL1H);
        }
        check_context(NULL, 0);
    }
}
#define ABORT_CHECKS(cases) abort_checks(cases, sizeof(cases) / sizeof(cases)[0])

static void data_aborts(void)
{
    const struct abort_case cases[] = {
        {"load, level 3 translation", load, false, PAGE(UNMAPPED) + 8, FSC_TRANSLATION + 3},
        {"store, level 3 translation", store, false, PAGE(UNMAPPED),
         ESR_WNR | (FSC_TRANSLATION + 3)},
        {"load, level 2 translation", load, false, PAGES + 0x200000, FSC_TRANSLATION + 2},
        {"load, level 1 translation", load, false, PAGES + 0x40000000ull, FSC_TRANSLATION + 1},
        {"load, beyond T0SZ", load, false, 0x0000800000000000, FSC_TRANSLATION},
        {"store, between the halves", store, false, 0x0123456789abcde8, ESR_WNR | FSC_TRANSLATION},
        {"load, EPD1", load, false, 0xffffffff80000000, FSC_TRANSLATION},
        {"load, access flag", load, false, PAGE(NO_AF), FSC_ACCESS_FLAG + 3},
        {"store, access flag", store, false, PAGE(NO_AF) + 0x10, ESR_WNR | (FSC_ACCESS_FLAG + 3)},
        {"load, output too big", load, false, PAGE(TOO_BIG), FSC_ADDRESS_SIZE + 3},
        {"store, permission", store, false, PAGE(EL1_RO), ESR_WNR | (FSC_PERMISSION + 3)},
        {"byte, permission", load_unprivileged, false, PAGE(EL1_RW) + 0xff8, FSC_PERMISSION + 3},
        {"byte, translation", load_byte, false, PAGE(UNMAPPED) + 0xfff, FSC_TRANSLATION + 3},
        {"LDXR", load_exclusive, false, PAGE(UNMAPPED), FSC_TRANSLATION + 3},
        {"LDAR", load_acquire, false, PAGE(UNMAPPED), FSC_TRANSLATION + 3},
        {"EL0 load, translation", load_el0, true, PAGE(UNMAPPED), FSC_TRANSLATION + 3},
        {"EL0 load, permission", load_el0, true, PAGE(EL1_RW), FSC_PERMISSION + 3},
        {"EL0 store, permission", store_el0, true, PAGE(EL0_RO), ESR_WNR | (FSC_PERMISSION + 3)},
        {"EL0 load, access flag", load_el0, true, PAGE(NO_AF), FSC_ACCESS_FLAG + 3},
    };
    ABORT_CHECKS(cases);
    /* Cache maintenance by address translates like a load: CM and WnR. */
    const struct abort_case maintenance[] = {
        {"DC CVAC", clean, false, PAGE(UNMAPPED) + 0x40, ESR_CM | ESR_WNR | (FSC_TRANSLATION + 3)},
    };
    known_begin("QEMU's cache maintenance does nothing at all");
    gap_begin("cache maintenance by address does not translate");
    ABORT_CHECKS(maintenance);
    gap_end();
    known_end();

    struct trap t = trap_el1(load_el1t, PAGE(UNMAPPED), 0, 0);
    CHECK_TRAP("load with SP_EL0", t, ESR(EC_DABORT_EL1, FSC_TRANSLATION + 3), EL1T_VECTOR,
               (uint64_t)(load_el1t + 1));
    check_spsr(&t, SPSR_EL1T);
    t = trap_el1(load_pair_writeback, PAGE(EL1_RW), 1, 2);
    CHECK_TRAP("LDP into the page below", t, ESR(EC_DABORT_EL1, FSC_TRANSLATION + 3), EL1_VECTOR,
               (uint64_t)load_pair_writeback);
    CHECK_EQ("FAR", t.far, PAGE(EL1_RW) - 16);
    CHECK_EQ("no writeback", t.x[0], PAGE(EL1_RW));

    t = trap_el1(load, PAGE(EL1_RW), 0, 0);
    CHECK_NO_TRAP("load, permitted", t);
    t = trap_el0(store_el0, PAGE(EL0_RW), 0, 0);
    CHECK_NO_TRAP("EL0 store, permitted", t);
}

static void alignment(void)
{
    struct trap t = trap_el1(load, PAGE(EL1_RW) + 1, 0, 0);
    CHECK_NO_TRAP("unaligned load, SCTLR.A = 0", t);
    const struct abort_case always[] = {
        {"LDXR", load_exclusive, false, PAGE(EL1_RW) + 4, FSC_ALIGNMENT},
    };
    ABORT_CHECKS(always);
    const struct abort_case checked[] = {
        {"load", load, false, PAGE(EL1_RW) + 1, FSC_ALIGNMENT},
        {"store", store, false, PAGE(EL1_RW) + 4, ESR_WNR | FSC_ALIGNMENT},
        {"EL0 load", load_el0, true, PAGE(EL0_RW) + 7, FSC_ALIGNMENT},
        /* Alignment comes before translation (D8.15, R_XRPVM and the priority list). */
        {"load, also unmapped", load, false, PAGE(UNMAPPED) + 1, FSC_ALIGNMENT},
    };
    sctlr_change(0, SCTLR_A);
    ABORT_CHECKS(checked);
    t = trap_el1(load, PAGE(EL1_RW) + 8, 0, 0);
    CHECK_NO_TRAP("aligned load, SCTLR.A = 1", t);
    sctlr_change(SCTLR_A, 0);
    const struct abort_case device[] = {
        {"load, Device", load, false, PAGE(DEVICE) + 4, FSC_ALIGNMENT},
        {"store, Device", store, false, PAGE(DEVICE) + 1, ESR_WNR | FSC_ALIGNMENT},
        {"EL0 load, Device", load_el0, true, PAGE(DEVICE) + 4, FSC_ALIGNMENT},
    };
    known_begin("QEMU before 9.0 lets unaligned accesses to Device memory pass");
    ABORT_CHECKS(device);
    mmu_off();
    /* With stage 1 off, data accesses are Device-nGnRnE. */
    const struct abort_case off[] = {{"load, MMU off", load, false, SCRATCH + 4, FSC_ALIGNMENT}};
    ABORT_CHECKS(off);
    mmu_on(&tables);
    known_end();
}

/* Instruction aborts, PC alignment --------------------------------------------------------------*/

TRAP_CODE(branch, "br x0");
EL0_CODE(branch_el0, "br x0");

static void check_fetch(const char *what, bool el0, uint64_t target, unsigned iss)
{
    struct trap t = (el0 ? trap_el0 : trap_el1)(el0 ? branch_el0 : branch, target, 0, 0);
    check_context(what, target);
    CHECK_TRAP("instruction abort", t, ESR(el0 ? EC_IABORT_EL0 : EC_IABORT_EL1, iss),
               el0 ? EL0_VECTOR : EL1_VECTOR, target);
    CHECK_EQ("FAR", t.far, target);
    check_spsr(&t, el0 ? SPSR_EL0T : SPSR_EL1H);
    check_context(NULL, 0);
}

static void fetches(void)
{
    check_fetch("level 3 translation", false, PAGE(UNMAPPED) + 0x10, FSC_TRANSLATION + 3);
    check_fetch("level 2 translation", false, PAGES + 0x200000, FSC_TRANSLATION + 2);
    check_fetch("level 1 translation", false, PAGES + 0x40000000ull, FSC_TRANSLATION + 1);
    check_fetch("beyond T0SZ", false, 0x0000800000000000, FSC_TRANSLATION);
    check_fetch("PXN", false, PAGE(NO_EXEC), FSC_PERMISSION + 3);
    check_fetch("access flag", false, PAGE(NO_AF), FSC_ACCESS_FLAG + 3);
    check_fetch("EL0, translation", true, PAGE(UNMAPPED), FSC_TRANSLATION + 3);
    check_fetch("EL0, UXN", true, PAGE(EL0_RW) + 0x20, FSC_PERMISSION + 3);
    check_fetch("EL0, page of EL1", true, PAGE(EL1_RW), FSC_PERMISSION + 3);

    struct trap t = trap_el1(branch, (uint64_t)load + 2, 0, 0);
    CHECK_TRAP("PC alignment", t, ESR(EC_PC_ALIGNMENT, 0), EL1_VECTOR, (uint64_t)load + 2);
    CHECK_EQ("PC alignment: FAR", t.far, (uint64_t)load + 2);
    known_begin("QEMU translates first");
    t = trap_el1(branch, PAGE(UNMAPPED) + 1, 0, 0);
    CHECK_TRAP("PC alignment before translation", t, ESR(EC_PC_ALIGNMENT, 0), EL1_VECTOR,
               PAGE(UNMAPPED) + 1);
    known_end();
    t = trap_el0(branch_el0, (uint64_t)load_el0 + 3, 0, 0);
    CHECK_TRAP("PC alignment, EL0", t, ESR(EC_PC_ALIGNMENT, 0), EL0_VECTOR, (uint64_t)load_el0 + 3);
    t = trap_el0((const uint8_t *)load_el0 + 2, 0, 0, 0);
    CHECK_TRAP("PC alignment, by ERET", t, ESR(EC_PC_ALIGNMENT, 0), EL0_VECTOR,
               (uint64_t)load_el0 + 2);
}

/* Traps from EL0 --------------------------------------------------------------------------------*/

EL0_CODE(ctr, "mrs x3, ctr_el0");
EL0_CODE(dc_zva, "dc zva, x0");
EL0_CODE(dc_cvau, "dc cvau, x0");
EL0_CODE(dc_civac, "dc civac, x0");
EL0_CODE(ic_ivau, "ic ivau, x0");
EL0_CODE(mrs_daif, "mrs x7, daif");
EL0_CODE(msr_daif, "msr daif, x0");
EL0_CODE(daifset, "msr daifset, #2");
EL0_CODE(daifclr, "msr daifclr, #15");
EL0_CODE(wfi, "wfi");
EL0_CODE(wfe, "wfe");
EL0_CODE(wfe_twice, "wfe\nwfe");
EL0_CODE(cntvct, "mrs x1, cntvct_el0");
EL0_CODE(cntpct, "mrs x1, cntpct_el0");
EL0_CODE(cntv_ctl, "mrs x1, cntv_ctl_el0");
EL0_CODE(cntp_cval, "msr cntp_cval_el0, x1");
EL0_CODE(pmccntr, "mrs x2, pmccntr_el0");
EL0_CODE(pmcr, "msr pmcr_el0, x2");

static void check_el0_trap(const char *what, const uint32_t *code, unsigned iss)
{
    struct trap t = trap_el0(code, PAGE(EL0_RW), 0, 0);
    check_context(what, iss);
    CHECK_TRAP("trap", t, ESR(EC_SYSREG, iss), EL0_VECTOR, (uint64_t)code);
    check_context(NULL, 0);
}

static void check_el0_passes(const char *what, const uint32_t *code)
{
    struct trap t = trap_el0(code, PAGE(EL0_RW), 0, 0);
    check_context(what, 0);
    CHECK_NO_TRAP("allowed", t);
    check_context(NULL, 0);
}

static void traps_by_sctlr(void)
{
    sctlr_change(SCTLR_UCT | SCTLR_DZE | SCTLR_UCI | SCTLR_UMA, 0);
    check_el0_trap("CTR_EL0", ctr, SYSREG_ISS(3, 3, 0, 0, 1, 3, 1));
    check_el0_trap("DC ZVA", dc_zva, SYSREG_ISS(1, 3, 7, 4, 1, 0, 0));
    check_el0_trap("DC CVAU", dc_cvau, SYSREG_ISS(1, 3, 7, 11, 1, 0, 0));
    check_el0_trap("DC CIVAC", dc_civac, SYSREG_ISS(1, 3, 7, 14, 1, 0, 0));
    check_el0_trap("IC IVAU", ic_ivau, SYSREG_ISS(1, 3, 7, 5, 1, 0, 0));
    check_el0_trap("MRS DAIF", mrs_daif, SYSREG_ISS(3, 3, 4, 2, 1, 7, 1));
    check_el0_trap("MSR DAIF", msr_daif, SYSREG_ISS(3, 3, 4, 2, 1, 0, 0));
    known_begin("QEMU 7.2 swaps Op1 and Op2 here");
    check_el0_trap("MSR DAIFSet", daifset, SYSREG_ISS(0, 3, 4, 2, 6, 31, 0));
    check_el0_trap("MSR DAIFClr", daifclr, SYSREG_ISS(0, 3, 4, 15, 7, 31, 0));
    known_end();
    sctlr_change(0, SCTLR_UCT | SCTLR_DZE | SCTLR_UCI | SCTLR_UMA);
    check_el0_passes("CTR_EL0", ctr);
    check_el0_passes("DC ZVA", dc_zva);
    check_el0_passes("DC CVAU", dc_cvau);
    check_el0_passes("DC CIVAC", dc_civac);
    check_el0_passes("IC IVAU", ic_ivau);
    check_el0_passes("MRS DAIF", mrs_daif);
    check_el0_passes("MSR DAIFSet", daifset);
    sctlr_change(SCTLR_UCT | SCTLR_DZE | SCTLR_UCI | SCTLR_UMA, 0);
}

/* A WFI or WFE may complete instead of being trapped (D1.16.1: the traps are not guaranteed), but
 * neither may hang here without a wake-up event. */
static void traps_by_wfx(void)
{
    sctlr_change(SCTLR_NTWI | SCTLR_NTWE, 0);
    struct trap t = trap_el0(wfi, 0, 0, 0);
    CHECK_TRAP("WFI", t, ESR(EC_WFX, 1u << 24 | 0xeu << 20), EL0_VECTOR, (uint64_t)wfi);
    t = trap_el0(wfe, 0, 0, 0);
    if (t.taken)
        CHECK_TRAP("WFE", t, ESR(EC_WFX, 1u << 24 | 0xeu << 20 | 1), EL0_VECTOR, (uint64_t)wfe);
    t = trap_el0(wfe_twice, 0, 0, 0); /* the first takes the event of the return to EL0 */
    if (t.taken)
        CHECK_TRAP("WFE", t, ESR(EC_WFX, 1u << 24 | 0xeu << 20 | 1), EL0_VECTOR,
                   (uint64_t)wfe_twice + 4);
    sctlr_change(0, SCTLR_NTWI | SCTLR_NTWE);
    /* With a pending event register, WFE completes. */
    ASM("sevl");
    t = trap_el0(wfe, 0, 0, 0);
    CHECK_NO_TRAP("WFE, nTWE = 1", t);
}

static void traps_by_others(void)
{
    WRITE(cntkctl_el1, 0);
    ISB();
    check_el0_trap("CNTVCT", cntvct, SYSREG_ISS(3, 3, 14, 0, 2, 1, 1));
    check_el0_trap("CNTPCT", cntpct, SYSREG_ISS(3, 3, 14, 0, 1, 1, 1));
    check_el0_trap("CNTV_CTL", cntv_ctl, SYSREG_ISS(3, 3, 14, 3, 1, 1, 1));
    check_el0_trap("CNTP_CVAL", cntp_cval, SYSREG_ISS(3, 3, 14, 2, 2, 1, 0));
    WRITE(cntkctl_el1, 1u << 1 | 1u << 8); /* EL0VCTEN, EL0VTEN */
    ISB();
    check_el0_passes("CNTVCT", cntvct);
    check_el0_passes("CNTV_CTL", cntv_ctl);
    check_el0_trap("CNTPCT still", cntpct, SYSREG_ISS(3, 3, 14, 0, 1, 1, 1));
    WRITE(cntkctl_el1, 0);
    WRITE(pmuserenr_el0, 0);
    ISB();
    check_el0_trap("PMCCNTR", pmccntr, SYSREG_ISS(3, 3, 9, 13, 0, 2, 1));
    check_el0_trap("PMCR", pmcr, SYSREG_ISS(3, 3, 9, 12, 0, 2, 0));
    WRITE(pmuserenr_el0, 1);
    ISB();
    check_el0_passes("PMCCNTR", pmccntr);
    WRITE(pmuserenr_el0, 0);
}

/* Illegal execution state -----------------------------------------------------------------------*/

TRAP_CODE(after_return, "nop\nsvc #0x77");

static void illegal_state(void)
{
    /* To EL2, which is higher: PSTATE.IL is set, EL and SP stay, PC is ELR (D1.3.5). The NOP then
     * takes the Illegal Execution state exception. */
    struct trap t = {.x = {0}};
    trap_eret(&t, (uint64_t)after_return, 0x3c9, 0);
    CHECK_TRAP("ERET to EL2", t, ESR(EC_ILLEGAL, 0), EL1_VECTOR, (uint64_t)after_return);
    check_spsr(&t, SPSR_EL1H | SPSR_IL);
    /* M[1] = 1 is never legal. */
    t = (struct trap){.x = {0}};
    trap_eret(&t, (uint64_t)after_return, 0x3c6, 0);
    CHECK_TRAP("ERET, M[1]", t, ESR(EC_ILLEGAL, 0), EL1_VECTOR, (uint64_t)after_return);
    check_spsr(&t, SPSR_EL1H | SPSR_IL);
    /* EL0 with SP_ELx does not exist. */
    t = (struct trap){.x = {0}};
    trap_eret(&t, (uint64_t)after_return, 0x3c1, 0);
    CHECK_TRAP("ERET to EL0h", t, ESR(EC_ILLEGAL, 0), EL1_VECTOR, (uint64_t)after_return);
    check_spsr(&t, SPSR_EL1H | SPSR_IL);
    /* A legal return to EL0 with SPSR.IL set. */
    t = (struct trap){.x = {0}};
    trap_eret(&t, (uint64_t)el0_return, SPSR_EL0T | SPSR_IL, 0);
    CHECK_TRAP("EL0 with IL", t, ESR(EC_ILLEGAL, 0), EL0_VECTOR, (uint64_t)el0_return);
    check_spsr(&t, SPSR_EL0T | SPSR_IL);
    /* What is wrong with the PC, or with fetching there, comes before it (D1.3.5, priorities of
     * synchronous exceptions). */
    t = (struct trap){.x = {0}};
    trap_eret(&t, PAGE(UNMAPPED), 0x3c9, 0);
    CHECK_TRAP("IL where nothing is mapped", t, ESR(EC_IABORT_EL1, FSC_TRANSLATION + 3), EL1_VECTOR,
               PAGE(UNMAPPED));
    check_spsr(&t, SPSR_EL1H | SPSR_IL);
    t = (struct trap){.x = {0}};
    trap_eret(&t, (uint64_t)after_return + 2, 0x3c9, 0);
    CHECK_TRAP("IL at half an instruction", t, ESR(EC_PC_ALIGNMENT, 0), EL1_VECTOR,
               (uint64_t)after_return + 2);
    check_spsr(&t, SPSR_EL1H | SPSR_IL);
}

int main(void)
{
    mmu_start(&tables);
    map_pages();
    calls();
    undefined();
    data_aborts();
    alignment();
    fetches();
    traps_by_sctlr();
    traps_by_wfx();
    traps_by_others();
    illegal_state();
    finish();
}
