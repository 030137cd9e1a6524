/* What must not remain of before: translations under addresses with tags when the address space
 * changes, pages that are watched from now on, what was found out about an instruction at another
 * level or in another page at the same address; and what code that changed without cache
 * maintenance may do, which is what the old or the new one may. Arm ARM D8.13, D2.10, B2.4.4. */
#include "cycles.h"
#include "mmu.h"
#include "trap.h"

#define WINDOW   0x80000000ull
#define USER     0x80010000ull /* the PL011: for EL0, */
#define KERNEL   0x80020000ull /* and not */
#define CODE     (SCRATCH + 0x10000)
#define UARTIBRD 0x24

enum { OFTEN = 200, NOP = 0xd503201f, RET = 0xd65f03c0, SVC = 0xd4000001 };

static struct tables tables[2];

TRAP_CODE(load, "ldr x1, [x0]");
TRAP_CODE(call, "mov x9, x30\nblr x0\nmov x30, x9");

static void tags(void)
{
    uint64_t tcr = READ(tcr_el1);
    for (unsigned i = 0; i < 2; i++) {
        tables_map(&tables[i], WINDOW, SCRATCH + 0x4000 * i, 0x1000,
                   PTE_MEMORY | PTE_NG | PTE_PXN | PTE_UXN, 3);
        write64(SCRATCH + 0x4000 * i, 200 + i);
    }
    WRITE(tcr_el1, tcr | 1ull << 37); /* TBI0 */
    ISB();
    tlb_flush();
    for (unsigned n = 0; n < 6; n++) {
        unsigned i = n & 1;
        WRITE(ttbr0_el1, (uint64_t)tables[i].root | (uint64_t)(i + 1) << 48);
        ISB();
        CHECK_EQ("untagged", read64(WINDOW), 200 + i);
        CHECK_EQ("tagged", read64(WINDOW | 0x05ull << 56), 200 + i);
        CHECK_EQ("tagged, bit 63", read64(WINDOW | 0x85ull << 56), 200 + i);
    }
    WRITE(ttbr0_el1, (uint64_t)tables[0].root);
    WRITE(tcr_el1, tcr);
    ISB();
    tlb_flush();
}

static void watch_later(void)
{
    WRITE(oslar_el1, 0);
    ISB();
    WRITE(dbgwvr0_el1, SCRATCH);
    WRITE(dbgwcr0_el1, 0xffu << 5 | 3 << 3 | 3 << 1 | 1);
    ISB();
    ASM("msr daifclr, #8");
    struct trap t = trap_el1(load, SCRATCH, 0, 0);
    CHECK_EQ("MDE = 0", t.taken, 0);
    WRITE(mdscr_el1, 1u << 15 | 1u << 13);
    ISB();
    t = trap_el1(load, SCRATCH, 0, 0);
    CHECK_EQ("MDE = 1", t.taken, 1);
    WRITE(mdscr_el1, 0);
    WRITE(dbgwcr0_el1, 0);
    ISB();
    ASM("msr daifset, #8");
}

/* At one address EL0's page, then EL1's, then EL0's: what EL1 may is not EL0's. */
static void two_levels(void)
{
    uint32_t *user = (uint32_t *)CODE, *kernel = (uint32_t *)(CODE + 0x1000);
    uint64_t wrong = 0, *entry = tables_entry(&tables[0], WINDOW, 3);
    user[0] = kernel[0] = NOP;
    user[1] = kernel[1] = 0xb9400041; /* ldr w1, [x2] */
    user[2] = SVC;
    kernel[2] = RET;
    code_sync(user, 12);
    code_sync(kernel, 12);
    tables_map(&tables[0], USER, PL011, 0x1000, PTE_DEVICE | PTE_EL0, 3);
    tables_map(&tables[0], KERNEL, PL011, 0x1000, PTE_DEVICE, 3);
    write32(PL011 + UARTIBRD, 0x1234);
    for (unsigned round = 0; round < 3; round++) {
        pte_set(entry, CODE | PTE_MEMORY | PTE_EL0 | PTE_READONLY | PTE_PXN | PTE_TABLE);
        CHECK_EQ("EL0, what is EL1's",
                 trap_el0((const uint32_t *)WINDOW, 0, 0, KERNEL + UARTIBRD).taken, 1);
        for (unsigned i = 0; i < OFTEN; i++) {
            struct trap t = trap_el0((const uint32_t *)WINDOW, 0, 0, USER + UARTIBRD);
            wrong += t.taken || t.x[1] != 0x1234;
        }
        pte_set(entry, (CODE + 0x1000) | PTE_MEMORY | PTE_READONLY | PTE_UXN | PTE_TABLE);
        for (unsigned i = 0; i < OFTEN; i++) {
            struct trap t = trap_el1(call, WINDOW, 0, KERNEL + UARTIBRD);
            wrong += t.taken || t.x[1] != 0x1234;
        }
    }
    CHECK_EQ("loads", wrong, 0);
}

/* Blocks of every length near the longest: each round is the same number of instructions. */
static void long_blocks(void)
{
    uint32_t *code = (uint32_t *)CODE;
    uint64_t wrong = 0;
    for (unsigned n = 500; n < 530; n++) {
        for (unsigned i = 0; i < n + 20; i++)
            code[i] = NOP;
        code[n] = 0xb9400020; /* ldr w0, [x1] */
        code[n + 20] = RET;
        code_sync(code, 4 * (n + 21));
        wrong += calls_of_another_length(code, 0, PL011 + UARTIBRD, OFTEN);
    }
    CHECK_EQ("rounds of another length", wrong, 0);
}

int main(void)
{
    for (unsigned i = 0; i < 2; i++) {
        tables_new(&tables[i], 12, 39);
        tables_identity(&tables[i]);
    }
    mmu_on(&tables[0]);
    WRITE(cpacr_el1, 3u << 20); /* FPEN: as a kernel has it */
    ISB();
    tags();
    watch_later();
    two_levels();
    long_blocks();
    finish();
}
