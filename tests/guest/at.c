/* AT S1E1R, S1E1W, S1E0R, S1E0W: PAR_EL1 for success and for each way to fail, compared with what
 * real accesses do. Arm ARM C5.5, D17.2.111 (PAR_EL1). */
#include "mmu.h"
#include "trap.h"

#define BASE 0x80000000ull
enum page {
    UNMAPPED,
    EL1_RW,
    EL1_RO,
    EL0_RW,
    EL0_RO,
    NO_AF,
    DEVICE,
    NONCACHED,
    TOO_BIG,
    PAGE_COUNT
};

static struct tables tables;

TRAP_CODE(at_s1e1r, "at s1e1r, x0\nisb\nmrs x0, par_el1");
TRAP_CODE(at_s1e1w, "at s1e1w, x0\nisb\nmrs x0, par_el1");
TRAP_CODE(at_s1e0r, "at s1e0r, x0\nisb\nmrs x0, par_el1");
TRAP_CODE(at_s1e0w, "at s1e0w, x0\nisb\nmrs x0, par_el1");
TRAP_CODE(load, "ldr x1, [x0]");
TRAP_CODE(store, "str x1, [x0]");
EL0_CODE(load_el0, "ldr x1, [x0]");
EL0_CODE(store_el0, "str x1, [x0]");

static const struct {
    const char *name;
    const uint32_t *at, *access;
    bool el0;
} kinds[] = {
    {"S1E1R", at_s1e1r, load, false},
    {"S1E1W", at_s1e1w, store, false},
    {"S1E0R", at_s1e0r, load_el0, true},
    {"S1E0W", at_s1e0w, store_el0, true},
};

#define PAR_F        1u
#define PAR_FST(par) ((par) >> 1 & 0x3f)
#define PAR_PTW_S    (1u << 8 | 1u << 9)
#define PAR_RES1     (1u << 11)
#define PAR_PA(par)  ((par)&0xfffffffff000ull)
#define PAR_SH(par)  ((par) >> 7 & 3)

static uint64_t translate(unsigned kind, uint64_t address)
{
    struct trap t = trap_el1(kinds[kind].at, address, 0, 0);
    CHECK_NO_TRAP("AT", t);
    return t.x[0];
}

/* 0: reads and writes pass; else the fault status code of a real access. */
static unsigned real_access(unsigned kind, uint64_t address)
{
    struct trap t = (kinds[kind].el0 ? trap_el0 : trap_el1)(kinds[kind].access, address, 0, 0);
    return t.taken ? (unsigned)(t.esr & 0x3f) : 0;
}

static void check_same(uint64_t address, uint64_t pa, unsigned attribute, unsigned sh)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        check_context(kinds[kind].name, address);
        uint64_t par = translate(kind, address);
        unsigned fault = real_access(kind, address & ~7ull);
        CHECK_EQ("F", par & PAR_F, fault != 0);
        CHECK_EQ("bit 11", par & PAR_RES1, PAR_RES1);
        if (fault) {
            CHECK_EQ("FST", PAR_FST(par), fault);
            CHECK_EQ("PTW and S", par & PAR_PTW_S, 0);
        } else {
            CHECK_EQ("PA", PAR_PA(par), pa & ~0xfffull);
            CHECK_EQ("ATTR", par >> 56, attribute);
            known_begin("it returns the descriptor's SH for Device and Non-cacheable memory");
            CHECK_EQ("SH", PAR_SH(par), sh);
            known_end();
        }
    }
    check_context(NULL, 0);
}

/* What a real access says is not trusted for what can be said here. */
static void check_fault(unsigned kind, uint64_t address, unsigned fault)
{
    check_context(kinds[kind].name, address);
    uint64_t par = translate(kind, address);
    CHECK_EQ("F", par & PAR_F, fault != 0);
    if (fault)
        CHECK_EQ("FST", PAR_FST(par), fault);
    check_context(NULL, 0);
}

static void faults(void)
{
    /* Per page: S1E1R, S1E1W, S1E0R, S1E0W. */
    enum {
        P = FSC_PERMISSION + 3,
        T = FSC_TRANSLATION + 3,
        A = FSC_ACCESS_FLAG + 3,
        Z = FSC_ADDRESS_SIZE + 3
    };
    static const uint8_t expected[PAGE_COUNT][4] = {
        [UNMAPPED] = {T, T, T, T}, [EL1_RW] = {0, 0, P, P},    [EL1_RO] = {0, P, P, P},
        [EL0_RW] = {0, 0, 0, 0},   [EL0_RO] = {0, P, 0, P},    [NO_AF] = {A, A, A, A},
        [DEVICE] = {0, 0, P, P},   [NONCACHED] = {0, 0, P, P}, [TOO_BIG] = {Z, Z, Z, Z},
    };
    for (unsigned page = 0; page < PAGE_COUNT; page++)
        for (unsigned kind = 0; kind < 4; kind++)
            check_fault(kind, BASE + 0x1000 * page + 0x123, expected[page][kind]);
    for (unsigned kind = 0; kind < 4; kind++) {
        check_fault(kind, BASE + 0x200000, FSC_TRANSLATION + 2);
        check_fault(kind, BASE + 0x40000000, FSC_TRANSLATION + 1);
        check_fault(kind, 0x0000800000000000, FSC_TRANSLATION);
        check_fault(kind, 0xffffffff00000000, FSC_TRANSLATION);
    }
}

static void map(void)
{
    uint64_t rw = PTE_MEMORY | PTE_PXN | PTE_UXN, normal = PTE_ATTR(ATTR_NORMAL);
    const uint64_t attributes[PAGE_COUNT] = {
        [EL1_RW] = rw,
        [EL1_RO] = rw | PTE_READONLY,
        [EL0_RW] = rw | PTE_EL0,
        [EL0_RO] = rw | PTE_EL0 | PTE_READONLY,
        [NO_AF] = (rw & ~PTE_AF) | PTE_EL0,
        [DEVICE] = PTE_DEVICE,
        [NONCACHED] = (rw & ~normal) | PTE_ATTR(ATTR_NONCACHED),
        [TOO_BIG] = rw | 1ull << 44,
    };
    for (unsigned p = 0; p < PAGE_COUNT; p++)
        if (attributes[p])
            tables_map(&tables, BASE + 0x1000 * p, SCRATCH + 0x3000 * p, 0x1000, attributes[p], 3);
    tlb_flush();
}

int main(void)
{
    /* With stage 1 off, everything is where it is, Device-nGnRnE (D8.2.10). */
    struct trap t = trap_el1(at_s1e1w, SCRATCH + 0x5678, 0, 0);
    CHECK_EQ("off: F", t.x[0] & PAR_F, 0);
    CHECK_EQ("off: PA", PAR_PA(t.x[0]), SCRATCH + 0x5000);
    CHECK_EQ("off: ATTR", t.x[0] >> 56, 0);
    known_begin("it returns the descriptor's SH for Device and Non-cacheable memory");
    CHECK_EQ("off: SH", PAR_SH(t.x[0]), 2);
    known_end();

    mmu_start(&tables);
    map();
    for (unsigned page = 0; page < PAGE_COUNT; page++) {
        unsigned attribute = page == DEVICE ? 0x04 : page == NONCACHED ? 0x44 : 0xff;
        /* Device and Non-cacheable memory are always outer shareable. */
        unsigned sh = attribute == 0xff ? 3 : 2;
        for (uint64_t offset = 0; offset < 0x1000; offset += 0x7f8)
            check_same(BASE + 0x1000 * page + offset, SCRATCH + 0x3000 * page, attribute, sh);
    }
    faults();
    /* In a block, PA has the page. */
    check_same(SCRATCH + 0x123450, SCRATCH + 0x123000, 0xff, 3);
    /* AT leaves the registers of exceptions alone. */
    WRITE(far_el1, 0x1234);
    WRITE(esr_el1, 0x5678);
    __asm__ volatile("at s1e1r, %0\nisb" ::"r"(BASE) : "memory");
    CHECK_EQ("FAR", READ(far_el1), 0x1234);
    CHECK_EQ("ESR", READ(esr_el1), 0x5678);
    finish();
}
