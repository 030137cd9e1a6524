/* Self-hosted debug by the guest: breakpoint and watchpoint registers, at EL1 and at EL0. Arm ARM
 * chapter D2; ESR_EL1 for EC 0x30, 0x31, 0x34, 0x35. Software step: steps.c. */
#include "mmu.h"
#include "trap.h"

#define MDSCR_SS  (1u << 0)
#define MDSCR_KDE (1u << 13)
#define MDSCR_MDE (1u << 15)
/* DBGBCR and DBGWCR: enabled, for EL1 only or EL0 only or both (PMC/PAC with HMC = SSC = 0). */
#define FOR_EL1             (1u << 1)
#define FOR_EL0             (2u << 1)
#define FOR_BOTH            (3u << 1)
#define BCR(who)            (1u | (who) | 0xfu << 5)
#define WCR(who, what, bas) (1u | (who) | (what) << 3 | (uint32_t)(bas) << 5)
enum { LOADS = 1, STORES = 2, ALL = 3 };
#define DEBUG_FSC 0x22

#define MASK(n) ((uint32_t)(n) << 24) /* a block of so many bits */

static struct tables tables, high;

/* D is cleared around the code, so that debug exceptions may come from EL1. */
TRAP_CODE(straight, "msr daifclr, #8\nmov x0, #1\nmov x0, #2\nmov x0, #3\nmsr daifset, #8");
TRAP_CODE(masked, "mov x0, #1\nmov x0, #2");
EL0_CODE(straight_el0, "mov x0, #1\nmov x0, #2\nmov x0, #3");
TRAP_CODE(load, "msr daifclr, #8\nldr x1, [x0]\nmsr daifset, #8");
TRAP_CODE(load_byte, "msr daifclr, #8\nldrb w1, [x0]\nmsr daifset, #8");
TRAP_CODE(load_pair, "msr daifclr, #8\nldp x1, x2, [x0]\nmsr daifset, #8");
TRAP_CODE(store, "msr daifclr, #8\nstr x1, [x0]\nmsr daifset, #8");
TRAP_CODE(store_pair, "msr daifclr, #8\nstp x1, x2, [x0]\nmsr daifset, #8");
TRAP_CODE(store_byte, "msr daifclr, #8\nstrb w1, [x0]\nmsr daifset, #8");
#define LSE ".arch_extension lse\n.arch_extension rcpc\n"
TRAP_CODE(load_add, LSE "msr daifclr, #8\nldadd x1, x1, [x0]\nmsr daifset, #8");
TRAP_CODE(store_add, LSE "msr daifclr, #8\nstadd x1, [x0]\nmsr daifset, #8");
TRAP_CODE(swap, LSE "msr daifclr, #8\nswp x1, x2, [x0]\nmsr daifset, #8");
TRAP_CODE(compare, LSE "msr daifclr, #8\ncas x1, x2, [x0]\nmsr daifset, #8");
TRAP_CODE(compare_pair, LSE "msr daifclr, #8\ncasp x2, x3, x4, x5, [x0]\nmsr daifset, #8");
TRAP_CODE(load_acquire, LSE "msr daifclr, #8\nldapr x1, [x0]\nmsr daifset, #8");
EL0_CODE(load_el0, "ldr x1, [x0]");
EL0_CODE(store_el0, "str x1, [x0]");

static uint64_t el0_word[2] __attribute__((section(".el0.data"), aligned(16)));
static uint64_t words[4] __attribute__((aligned(64)));

static void mdscr(uint64_t value)
{
    WRITE(mdscr_el1, value);
    ISB();
}

static void breakpoint(uint64_t address, uint32_t control)
{
    WRITE(dbgbcr0_el1, 0);
    WRITE(dbgbvr0_el1, address);
    WRITE(dbgbcr0_el1, control);
    ISB();
}

static void watchpoint(uint64_t address, uint32_t control)
{
    WRITE(dbgwcr0_el1, 0);
    WRITE(dbgwvr0_el1, address);
    WRITE(dbgwcr0_el1, control);
    ISB();
}

static void check_result(const char *what, const uint32_t *code, bool el0, uint64_t result)
{
    struct trap t = (el0 ? trap_el0 : trap_el1)(code, 0, 0, 0);
    check_context(what, 0);
    CHECK_NO_TRAP("no debug exception", t);
    CHECK_EQ("runs through", t.x[0], result);
    check_context(NULL, 0);
}

static void registers(void)
{
    uint64_t dfr0 = READ(id_aa64dfr0_el1);
    CHECK("at least 2 breakpoints", field(dfr0, 12, 4) >= 1);
    CHECK("at least 2 watchpoints", field(dfr0, 20, 4) >= 1);
    CHECK_EQ("debug architecture", field(dfr0, 0, 4) >= 6, 1);
    WRITE(oslar_el1, 1);
    ISB();
    CHECK_EQ("OS Lock on", READ(oslsr_el1) >> 1 & 1, 1);
    WRITE(oslar_el1, 0);
    ISB();
    CHECK_EQ("OS Lock off", READ(oslsr_el1) >> 1 & 1, 0);
    breakpoint(0x123456789abc, 0);
    CHECK_EQ("DBGBVR0", READ(dbgbvr0_el1), 0x123456789abc);
    watchpoint(0x123456789ab8, 0);
    CHECK_EQ("DBGWVR0", READ(dbgwvr0_el1), 0x123456789ab8);
    WRITE(dbgbvr1_el1, 0x4000);
    CHECK_EQ("DBGBVR1", READ(dbgbvr1_el1), 0x4000);
    CHECK_EQ("DBGBVR0 is another", READ(dbgbvr0_el1), 0x123456789abc);
}

static void breakpoints(void)
{
    uint64_t at = (uint64_t)(straight + 2), at_el0 = (uint64_t)(straight_el0 + 1);
    mdscr(MDSCR_MDE | MDSCR_KDE);
    check_result("none yet", straight, false, 3);
    breakpoint(at, BCR(FOR_EL1));
    struct trap t = trap_el1(straight, 0, 0, 0);
    CHECK_TRAP("breakpoint", t, ESR(EC_BREAKPOINT_EL1, DEBUG_FSC), 0x200, at);
    CHECK_EQ("before the instruction", t.x[0], 1);
    breakpoint((uint64_t)(masked + 1), BCR(FOR_EL1));
    check_result("PSTATE.D masks", masked, false, 2);
    breakpoint(at, BCR(FOR_EL0));
    check_result("of EL0 only", straight, false, 3);
    breakpoint(at, BCR(FOR_EL1) & ~1u);
    check_result("disabled", straight, false, 3);
    breakpoint(at, BCR(FOR_EL1));
    mdscr(MDSCR_MDE);
    check_result("KDE = 0", straight, false, 3);
    mdscr(MDSCR_KDE);
    check_result("MDE = 0", straight, false, 3);
    mdscr(MDSCR_MDE | MDSCR_KDE);
    WRITE(oslar_el1, 1);
    ISB();
    known_begin("its breakpoints do not mind the OS Lock");
    check_result("OS Lock", straight, false, 3);
    known_end();
    WRITE(oslar_el1, 0);
    ISB();

    mdscr(MDSCR_MDE);
    breakpoint(at_el0, BCR(FOR_EL0));
    t = trap_el0(straight_el0, 0, 0, 0);
    CHECK_TRAP("breakpoint at EL0", t, ESR(EC_BREAKPOINT_EL0, DEBUG_FSC), 0x400, at_el0);
    CHECK_EQ("before the instruction", t.x[0], 1);
    breakpoint(at_el0, BCR(FOR_EL1));
    check_result("of EL1 only", straight_el0, true, 3);
    breakpoint(at_el0, BCR(FOR_BOTH));
    t = trap_el0(straight_el0, 0, 0, 0);
    CHECK_TRAP("of both, at EL0", t, ESR(EC_BREAKPOINT_EL0, DEBUG_FSC), 0x400, at_el0);
    breakpoint(0, 0);
    check_result("gone", straight_el0, true, 3);
}

/* BRK does not care about MDSCR. */
TRAP_CODE(brk, "brk #3");

static void check_watch(const char *what, const uint32_t *code, uint64_t address, bool hit,
                        bool write, uint64_t far)
{
    struct trap t = trap_el1(code, address, 0x77, 0);
    check_context(what, address);
    if (hit) {
        CHECK_TRAP("watchpoint", t, ESR(EC_WATCHPOINT_EL1, (write ? ESR_WNR : 0) | DEBUG_FSC),
                   0x200, (uint64_t)(code + 1));
        CHECK_EQ("FAR", t.far, far);
    } else {
        CHECK_NO_TRAP("no watchpoint", t);
    }
    check_context(NULL, 0);
}

static void watchpoints(void)
{
    uint64_t w = (uint64_t)words;
    mdscr(MDSCR_MDE | MDSCR_KDE);
    words[1] = 0x1111;
    watchpoint(w + 8, WCR(FOR_EL1, ALL, 0xff));
    check_watch("load", load, w + 8, true, false, w + 8);
    check_watch("store", store, w + 8, true, true, w + 8);
    CHECK_EQ("before the store", words[1], 0x1111);
    check_watch("next word", load, w + 16, false, false, 0);
    check_watch("word before", store, w, false, true, 0);
    check_watch("byte inside", load_byte, w + 11, true, false, w + 11);
    check_watch("byte behind", store_byte, w + 16, false, true, 0);
    watchpoint(w + 8, WCR(FOR_EL1, LOADS, 0xff));
    check_watch("loads only: load", load, w + 8, true, false, w + 8);
    check_watch("loads only: store", store, w + 8, false, true, 0);
    watchpoint(w + 8, WCR(FOR_EL1, STORES, 0xff));
    check_watch("stores only: load", load, w + 8, false, false, 0);
    check_watch("stores only: store", store, w + 8, true, true, w + 8);
    watchpoint(w + 8, WCR(FOR_EL1, ALL, 0x30)); /* bytes 4 and 5 */
    check_watch("bytes: inside", load_byte, w + 13, true, false, w + 13);
    check_watch("bytes: before", load_byte, w + 11, false, false, 0);
    check_watch("bytes: behind", store_byte, w + 14, false, true, 0);
    watchpoint(w + 8, WCR(FOR_EL1, ALL, 0xff));
    /* FAR may be any address from the access's lowest up to the watched one's highest byte
     * accessed (D2.10.5), so only the exception is checked. */
    struct trap t = trap_el1(load_pair, w, 0, 0);
    CHECK_TRAP("second of a pair", t, ESR(EC_WATCHPOINT_EL1, DEBUG_FSC), 0x200,
               (uint64_t)(load_pair + 1));
    watchpoint(w + 8, WCR(FOR_EL0, ALL, 0xff));
    check_watch("of EL0 only", load, w + 8, false, false, 0);
    uint64_t code = (uint64_t)load & ~7ull;
    watchpoint(code, WCR(FOR_EL1, LOADS, 0xff));
    check_watch("the code that runs", load, code, true, false, code);

    uint64_t e = (uint64_t)el0_word;
    mdscr(MDSCR_MDE);
    watchpoint(e, WCR(FOR_EL0, ALL, 0xff));
    t = trap_el0(load_el0, e, 0, 0);
    CHECK_TRAP("load at EL0", t, ESR(EC_WATCHPOINT_EL0, DEBUG_FSC), 0x400, (uint64_t)load_el0);
    CHECK_EQ("FAR", t.far, e);
    t = trap_el0(store_el0, e, 0, 0);
    CHECK_TRAP("store at EL0", t, ESR(EC_WATCHPOINT_EL0, ESR_WNR | DEBUG_FSC), 0x400,
               (uint64_t)store_el0);
    t = trap_el0(load_el0, e + 8, 0, 0);
    CHECK_NO_TRAP("next word at EL0", t);
    watchpoint(0, 0);
    t = trap_el0(load_el0, e, 0, 0);
    CHECK_NO_TRAP("gone", t);
    t = trap_el1(brk, 0, 0, 0);
    CHECK_TRAP("BRK", t, ESR(EC_BRK, 3), 0x200, (uint64_t)brk);
}

/* They read and write: either kind of watchpoint sees them. ESR_ELx, WnR: 0 if the read alone would
 * be seen. */
static void atomics(void)
{
    static const struct {
        const char *name;
        const uint32_t *code;
    } all[] = {{"LDADD", load_add},
               {"STADD", store_add},
               {"SWP", swap},
               {"CAS", compare},
               {"CASP", compare_pair}};
    uint64_t w = (uint64_t)words + 16;
    if (field(READ(id_aa64isar0_el1), 23, 20) == 0)
        return;
    mdscr(MDSCR_MDE | MDSCR_KDE);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        watchpoint(w, WCR(FOR_EL1, LOADS, 0xff));
        check_watch(all[i].name, all[i].code, w, true, false, w);
        watchpoint(w, WCR(FOR_EL1, STORES, 0xff));
        check_watch(all[i].name, all[i].code, w, true, true, w);
        watchpoint(w, WCR(FOR_EL1, ALL, 0xff));
        check_watch(all[i].name, all[i].code, w, true, false, w);
        watchpoint(w - 8, WCR(FOR_EL1, ALL, 0xff));
        check_watch(all[i].name, all[i].code, w, false, false, 0);
    }
    watchpoint(w, WCR(FOR_EL1, STORES, 0xff));
    check_watch("LDAPR is a load", load_acquire, w, false, false, 0);
    watchpoint(w, WCR(FOR_EL1, LOADS, 0xff));
    check_watch("LDAPR", load_acquire, w, true, false, w);
    watchpoint(0, 0);
}

#define CODE 0x90000000ull /* code, read-only */

/* To its own page, which is read-only, and of which something else is watched. */
static void atomic_to_code(void)
{
    const uint64_t page = (uint64_t)load_add & ~0xfffull, at = CODE + ((uint64_t)load_add & 0xfff);
    if (field(READ(id_aa64isar0_el1), 23, 20) == 0)
        return;
    tables_map(&tables, CODE, page, 0x1000, PTE_MEMORY | PTE_READONLY, 3);
    tlb_flush();
    mdscr(MDSCR_MDE | MDSCR_KDE);
    watchpoint((at ^ 0x800) & ~7ull, WCR(FOR_EL1, ALL, 0xff));
    struct trap t = trap_el1((const uint32_t *)at, at & ~7ull, 0, 0);
    CHECK_TRAP("LDADD to its page", t, ESR(EC_DABORT_EL1, ESR_WNR | FSC_PERMISSION | 3), 0x200,
               at + 4);
    CHECK_EQ("FAR", t.far, at & ~7ull);
    watchpoint(0, 0);
}

#define ACROSS 0x90010000ull /* two pages */

/* Stores over a page boundary, whose first page has code, or is Device memory. The first is for a
 * debugger (tests/gdb.sh). */
static void across_pages(void)
{
    const uint64_t boundary = ACROSS + 0x1000, at = boundary - 4;
    uint64_t *second = tables_entry(&tables, boundary, 3);
    const uint64_t memory = (SCRATCH + 0x1000) | PTE_MEMORY | PTE_TABLE;
    tables_map(&tables, ACROSS, SCRATCH, 0x2000, PTE_MEMORY, 3);
    tlb_flush();
    write32(ACROSS, 0xd65f03c0u); /* ret */
    code_sync((const void *)ACROSS, 4);
    mdscr(MDSCR_MDE | MDSCR_KDE);
    for (unsigned i = 0; i < 4; i++) {
        ((void (*)(void))ACROSS)();
        watchpoint(boundary, i ? WCR(FOR_EL1, STORES, 0xff) : 0);
        if (i == 2)
            pte_set(second, 0);
        if (i == 3)
            pte_set(second, (SCRATCH + 0x1000) | PTE_DEVICE | PTE_TABLE);
        struct trap t = trap_el1(store, at, 0x5566778811223344, 0);
        if (i == 0)
            CHECK_NO_TRAP("nothing is watched", t);
        else if (i == 1)
            CHECK_TRAP("from code", t, ESR(EC_WATCHPOINT_EL1, ESR_WNR | DEBUG_FSC), 0x200,
                       (uint64_t)(store + 1));
        else if (i == 2)
            CHECK_TRAP("no second page", t, ESR(EC_DABORT_EL1, ESR_WNR | FSC_TRANSLATION | 3),
                       0x200, (uint64_t)(store + 1));
        else
            CHECK_TRAP("from code to Device", t, ESR(EC_DABORT_EL1, ESR_WNR | FSC_ALIGNMENT), 0x200,
                       (uint64_t)(store + 1));
    }
    pte_set(second, memory);
    pte_set(second - 1, SCRATCH | PTE_DEVICE | PTE_TABLE);
    check_watch("from Device memory", store_pair, boundary - 8, true, true, boundary - 8);
    watchpoint(0, 0);
    check_watch("no longer", store_pair, boundary - 8, false, true, 0);
}

/* Blocks that are the last of the address space, and whose end is 0; blocks of up to 2 GiB. */
static void ends(void)
{
    uint64_t last = -4096ull, w = (uint64_t)words;
    uint64_t tcr = READ(tcr_el1);
    tables_new(&high, 12, 39);
    tables_map(&high, last & ((1ull << 39) - 1), w & ~4095ull, 4096, PTE_MEMORY | PTE_PXN | PTE_UXN,
               3);
    WRITE(ttbr1_el1, (uint64_t)high.root);
    /* T1SZ, write-back walks, 4 KiB; EPD1 off */
    WRITE(tcr_el1,
          (tcr & ~(1ull << 23)) | 25ull << 16 | 1ull << 24 | 1ull << 26 | 3ull << 28 | 2ull << 30);
    ISB();
    tlb_flush();
    mdscr(MDSCR_MDE | MDSCR_KDE);
    watchpoint(-8ull, WCR(FOR_EL1, ALL, 0xff));
    check_watch("last doubleword", load, -8ull, true, false, -8ull);
    check_watch("last doubleword, last byte", store_byte, -1ull, true, true, -1ull);
    check_watch("the one before", load, -16ull, false, false, 0);
    for (unsigned mask = 3; mask <= 31; mask++) {
        uint64_t size = 1ull << mask;
        check_context("mask", mask);
        watchpoint(-size, WCR(FOR_EL1, ALL, 0xff) | MASK(mask));
        check_watch("last block", load, -8ull, true, false, -8ull);
        if (mask < 12)
            check_watch("before the last block", load, -size - 8, false, false, 0);
        watchpoint(w & ~(size - 1), WCR(FOR_EL1, ALL, 0xff) | MASK(mask));
        check_watch("block", store, w, true, true, w);
        check_watch("another one", load, -8ull, false, false, 0);
    }
    watchpoint(0, 0);
    check_watch("no longer", load, -8ull, false, false, 0);
    WRITE(tcr_el1, tcr);
    ISB();
    tlb_flush();
}

int main(void)
{
    mmu_start(&tables);
    registers();
    breakpoints();
    watchpoints();
    atomics();
    atomic_to_code();
    across_pages();
    ends();
    finish();
}
