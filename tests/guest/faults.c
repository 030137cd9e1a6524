/* A corpus of faults for tests/faults.sh, which exports them from a recording of this program,
 * imports them again and compares: every kind of stage 1 fault, alignment, accesses that stage 2
 * refuses, devices, hypercalls and system registers. Each exception that EL1 takes is printed at
 * the end, in order, so that the comparison has the guest's own word. */
#include "gic.h"
#include "mmu.h"
#include "trap.h"

#define ROM     0x60000000ull
#define TAKEN   512
#define UART_FR 0x18u

static struct {
    uint64_t esr, far, elr, vector;
} taken[TAKEN];
static unsigned count;

static void note(const struct trap *t)
{
    if (!t->taken || count == TAKEN)
        return;
    taken[count].esr = t->esr;
    taken[count].far = t->far;
    taken[count].elr = t->elr;
    taken[count++].vector = t->vector;
}

static void at_el1(const uint32_t *code, uint64_t address)
{
    struct trap t = trap_el1(code, address, 0x1122334455667788, 0);
    note(&t);
}

static void at_el0(const uint32_t *code, uint64_t address)
{
    struct trap t = trap_el0(code, address, 0x1122334455667788, 0);
    note(&t);
}

/* Instructions ---------------------------------------------------------------------------------*/

#define DATA(X)                                                                                    \
    X(ldrb_, "ldrb w1, [x0]")                                                                      \
    X(ldrsh_, "ldrsh x1, [x0]")                                                                    \
    X(ldr_w, "ldr w1, [x0]")                                                                       \
    X(ldr_x, "ldr x1, [x0]")                                                                       \
    X(strb_, "strb w1, [x0]")                                                                      \
    X(strh_, "strh w1, [x0]")                                                                      \
    X(str_w, "str w1, [x0]")                                                                       \
    X(str_x, "str x1, [x0]")
#define DEFINE_EL1(name, text) TRAP_CODE(name, text);
#define DEFINE_EL0(name, text) EL0_CODE(name##_el0, text);
DATA(DEFINE_EL1)
DATA(DEFINE_EL0)
TRAP_CODE(fetch, "br x0");
EL0_CODE(fetch_el0, "br x0");
TRAP_CODE(ldp_, "ldp x1, x2, [x0]");
TRAP_CODE(ldtr_, "ldtr x1, [x0]");
TRAP_CODE(ldxr_, "ldxr x1, [x0]");
TRAP_CODE(ldaxr_, "ldaxr w1, [x0]");
TRAP_CODE(stxr_, "stxr w2, x1, [x0]");
TRAP_CODE(ldxp_, "ldxp x1, x2, [x0]");
EL0_CODE(ldxr_el0, "ldxr x1, [x0]");
TRAP_CODE(zva, "dc zva, x0");

#define NAME_EL1(name, text) name,
#define NAME_EL0(name, text) name##_el0,
static const uint32_t *const data_el1[] = {DATA(NAME_EL1)};
static const uint32_t *const data_el0[] = {DATA(NAME_EL0)};
enum { DATA_COUNT = sizeof data_el1 / sizeof *data_el1, FIRST_STORE = 4 };

static void data_faults(uint64_t address, bool el1, bool el0, bool stores_only)
{
    for (unsigned i = stores_only ? FIRST_STORE : 0; i < DATA_COUNT; i++) {
        uint64_t at = address + 8 * i;
        if (el1)
            at_el1(data_el1[i], at);
        if (el0)
            at_el0(data_el0[i], at);
    }
}

/* Stage 1 --------------------------------------------------------------------------------------*/

/* Under one level 2 entry a page of each kind; blocks and broken tables under entries of their own.
 * Virtual addresses count from BASE. */
#define BASE  0x80000000ull
#define MIB   0x100000ull
#define GIB   0x40000000ull
#define WRONG (1ull << 44) /* TCR_EL1.IPS says 40 bits */
enum { UNMAPPED, READ_ONLY, NO_AF, EL1_ONLY, EL0_READ, TOO_BIG, NO_EXEC, PAGES };
#define PAGE(p) (BASE + 0x1000ull * (p))

static struct tables tables;
static uint8_t pages[PAGES * 0x1000] __attribute__((section(".noinit"), aligned(65536)));

static void map_pages(void)
{
    uint64_t rw = PTE_MEMORY | PTE_PXN | PTE_UXN;
    const uint64_t attributes[PAGES] = {
        [READ_ONLY] = rw | PTE_READONLY,
        [NO_AF] = (PTE_MEMORY & ~PTE_AF) | PTE_EL0,
        [EL1_ONLY] = rw,
        [EL0_READ] = rw | PTE_EL0 | PTE_READONLY,
        [TOO_BIG] = rw | PTE_EL0 | WRONG,
        [NO_EXEC] = rw | PTE_EL0,
    };
    for (unsigned p = 0; p < PAGES; p++)
        if (attributes[p])
            tables_map(&tables, PAGE(p), (uint64_t)pages + 0x1000ull * p, 0x1000, attributes[p], 3);
}

/* Blocks of level 2 and 1, and tables that are out of reach. */
static void map_blocks(void)
{
    uint64_t rw = PTE_MEMORY | PTE_PXN | PTE_UXN;
    tables_map(&tables, BASE + 2 * MIB, RAM, 2 * MIB, rw | PTE_READONLY, 2);
    tables_map(&tables, BASE + 4 * MIB, RAM, 2 * MIB, rw & ~PTE_AF, 2);
    tables_map(&tables, BASE + 6 * MIB, RAM | WRONG, 2 * MIB, rw, 2);
    tables_map(&tables, BASE + GIB, RAM, GIB, rw | PTE_READONLY, 1);
    tables_map(&tables, BASE + 2 * GIB, RAM, GIB, rw & ~PTE_AF, 1);
    *tables_entry(&tables, BASE + 3 * GIB, 1) = WRONG | PTE_TABLE;
    tlb_flush();
}

static void fetches(uint64_t address)
{
    at_el1(fetch, address);
    at_el0(fetch_el0, address + 8);
}

static void stage1(void)
{
    data_faults(PAGE(UNMAPPED), true, true, false);
    data_faults(PAGE(READ_ONLY), true, true, true);
    data_faults(PAGE(NO_AF), true, true, false);
    data_faults(PAGE(EL1_ONLY), false, true, false);
    data_faults(PAGE(EL0_READ), false, true, true);
    data_faults(PAGE(TOO_BIG), true, true, false);
    data_faults(BASE + 2 * MIB, true, false, true);
    data_faults(BASE + 4 * MIB, true, false, false);
    data_faults(BASE + 6 * MIB, true, false, false);
    data_faults(BASE + 8 * MIB, true, true, false); /* level 2 translation */
    data_faults(BASE + GIB, true, false, true);
    data_faults(BASE + 2 * GIB, true, false, false);
    data_faults(BASE + 3 * GIB, true, false, false);
    data_faults(BASE + 4 * GIB, true, true, false);      /* level 1 translation */
    data_faults(0x0000800000000000, true, true, false);  /* beyond T0SZ */
    data_faults(0xffffff8000000000, true, false, false); /* EPD1 */
    at_el1(ldp_, PAGE(UNMAPPED) + 16);
    at_el1(ldtr_, PAGE(EL1_ONLY) + 24);
    at_el1(ldxr_, PAGE(UNMAPPED) + 32);
    fetches(PAGE(UNMAPPED));
    fetches(PAGE(NO_EXEC));
    fetches(PAGE(NO_AF));
    fetches(PAGE(TOO_BIG));
    fetches(BASE + 2 * MIB);
    fetches(BASE + 4 * MIB);
    fetches(BASE + 8 * MIB);
    fetches(BASE + GIB);
    fetches(BASE + 2 * GIB);
    fetches(BASE + 3 * GIB);
    fetches(BASE + 4 * GIB);
    fetches(0x0000800000000000);
}

/* Alignment ------------------------------------------------------------------------------------*/

static void alignment(void)
{
    for (unsigned i = 1; i < 8; i++)
        at_el1(ldxr_, PAGE(EL1_ONLY) + i);
    for (unsigned i = 1; i < 4; i++)
        at_el1(ldaxr_, PAGE(EL1_ONLY) + 4 + i);
    at_el1(ldxp_, PAGE(EL1_ONLY) + 8);
    at_el0(ldxr_el0, PAGE(NO_EXEC) + 4);
    for (unsigned i = 1; i < 4; i++) {
        at_el1(fetch, (uint64_t)ldr_x + i);
        at_el0(fetch_el0, (uint64_t)ldr_x_el0 + i);
    }
    /* To a device, where an access would exit. */
    at_el1(ldr_w, PL011 + UART_FR + 1);
    at_el1(ldr_x, PL011 + UART_FR + 4);
    at_el1(ldrsh_, PL011 + UART_FR + 3);
    at_el1(str_w, PL031 + 2);
    at_el1(strh_, PL031 + 1);
}

/* Guest exits ----------------------------------------------------------------------------------*/

static void all_sizes(uint64_t address)
{
    for (unsigned i = 0; i < DATA_COUNT; i++)
        at_el1(data_el1[i], address);
}

static void stage2(void)
{
    static const uint64_t nowhere[] = {
        NOTHING,    0x0c000000,     0x50000000,      0x60010000,      0x7ffffff8,
        0xa0000000, 0x100000000ull, 0x1ffffff000ull, 0x7fffffff00ull, 0x00fffffffff8ull};
    for (unsigned i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
        all_sizes(nowhere[i]);
    for (unsigned i = FIRST_STORE; i < DATA_COUNT; i++) {
        at_el1(data_el1[i], ROM);
        at_el1(data_el1[i], ROM + 0x1000);
        at_el1(data_el1[i], ROM + 0xfff8);
    }
    for (unsigned i = 0; i < 5; i++)
        at_el1(fetch, nowhere[i]);
    at_el1(fetch, PL011);
    at_el1(ldp_, NOTHING);
    at_el1(ldxr_, NOTHING);
    at_el1(stxr_, NOTHING);
    at_el1(zva, NOTHING);
}

static void devices(void)
{
    static const uint32_t uart[] = {0x18, 0x24, 0x28, 0x2c, 0x30, 0x34, 0x38, 0x3c, 0x40, 0xfe0};
    all_sizes(PL011 + 0xff0); /* no such register of every size */
    for (unsigned i = 0; i < sizeof uart / sizeof *uart; i++) {
        at_el1(ldr_w, PL011 + uart[i]);
        at_el1(ldrb_, PL011 + uart[i]);
    }
    at_el1(str_w, PL011 + 0x38);
    for (unsigned i = 0; i < 8; i++)
        at_el1(ldr_w, PL031 + 4 * i);
    for (unsigned i = 0; i < 8; i++)
        at_el1(ldr_w, GICD + 4 * i);
    at_el1(ldr_x, GICD + 0x6100);
    at_el1(ldrb_, GICD + 0x420);
    at_el1(strb_, GICD + 0x420);
    at_el1(ldr_x, GICR + 8);
    at_el1(ldr_w, GICR + 0x14);
    at_el1(ldxr_, PL011 + UART_FR);
}

#define HVC(name, immediate) TRAP_CODE(name, "hvc #" #immediate);
#define SMC(name, immediate) TRAP_CODE(name, "smc #" #immediate);
HVC(hvc_0, 0)
HVC(hvc_1, 1)
HVC(hvc_1234, 0x1234)
HVC(hvc_ffff, 0xffff)
SMC(smc_0, 0)
SMC(smc_7, 7)
SMC(smc_ffff, 0xffff)

static void calls(void)
{
    static const uint64_t functions[] = {
        PSCI_VERSION, PSCI_FEATURES,     0x84000006,         0x80000000, 0x80000001,
        0x84000003,   PSCI_CPU_ON,       PSCI_AFFINITY_INFO, 0x84000004, 0x8400ffff,
        0xc6000001,   0xc4000000,        0x84000005,         0,          0x95000000,
        0xffffffff,   0xffffffff84000000};
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        at_el1(hvc_0, functions[i]);
        at_el1(smc_0, functions[i]);
    }
    at_el1(hvc_1, PSCI_VERSION);
    at_el1(hvc_1234, PSCI_VERSION);
    at_el1(hvc_ffff, 0);
    at_el1(smc_7, PSCI_VERSION);
    at_el1(smc_ffff, 0);
}

TRAP_CODE(mrs_unknown, "mrs x1, s3_1_c15_c9_7");
TRAP_CODE(msr_unknown, "msr s3_1_c15_c9_7, x1");

static void registers(void)
{
    gic_start_distributor();
    gic_start_cpu();
    READ(s3_0_c12_c12_2);
    READ(s3_0_c12_c11_3);
    READ(s3_0_c4_c6_0);
    at_el1(mrs_unknown, 0);
    at_el1(msr_unknown, 0);
    /* The timer ends a WFI, masked as it is. */
    gic_enable(27, 0x80);
    WRITE(cntv_tval_el0, 1000);
    WRITE(cntv_ctl_el0, 1);
    ASM("wfi");
    WRITE(cntv_ctl_el0, 0);
}

int main(void)
{
    mmu_start(&tables);
    map_pages();
    map_blocks();
    stage1();
    alignment();
    mmu_off();
    stage2();
    devices();
    calls();
    registers();
    print("vectors %x\n", (uint64_t)vectors);
    for (unsigned i = 0; i < count; i++)
        print("taken %x %x %x %x\n", taken[i].esr, taken[i].far, taken[i].elr, taken[i].vector);
    CHECK("faults were taken", count > 200 && count < TAKEN);
    finish();
}
