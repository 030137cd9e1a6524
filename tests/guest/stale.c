/* Code of EL0 that changed without cache maintenance: the old or the new instruction runs, with
 * EL0's rights. Which of them, the manual leaves open (Arm ARM B2.4.4), and with `set icache exact`
 * it depends on where runs stop: so this program is not one whose end is compared between ways to
 * run it. */
#include "mmu.h"
#include "trap.h"

#define WINDOW   0x80000000ull
#define ALIAS    0x80001000ull
#define KERNEL   0x80020000ull /* the PL011, not for EL0 */
#define CODE     (SCRATCH + 0x10000)
#define UARTIBRD 0x24

enum { NOP = 0xd503201f, SVC = 0xd4000001 };

static struct tables tables;

/* EL0's own MRS TPIDRRO_EL0, changed without maintenance: no hypercall comes of it. */
static void stale_at_el0(void)
{
    volatile uint32_t *code = (uint32_t *)ALIAS;
    tables_map(&tables, ALIAS, CODE, 0x1000, PTE_MEMORY | PTE_EL0 | PTE_UXN | PTE_PXN, 3);
    pte_set(tables_entry(&tables, WINDOW, 3),
            CODE | PTE_MEMORY | PTE_EL0 | PTE_READONLY | PTE_PXN | PTE_TABLE);
    static const uint32_t changed[] = {0xd4000002, 0xd5384241, 0xb9400041}; /* hvc, mrs, ldr */
    for (unsigned i = 0; i < 3; i++) {
        code[0] = NOP;
        code[1] = 0xd53bd060; /* mrs x0, tpidrro_el0 */
        code[2] = 0x14000001; /* b .+4 */
        code[3] = SVC;
        code_sync((const void *)WINDOW, 16);
        for (unsigned n = 0; n < 2; n++) {
            trap_el0((const uint32_t *)WINDOW, 0, 0, 0);
            code[3] = SVC; /* the page is written to before the code is used again */
        }
        trap_el0((const uint32_t *)WINDOW, 0, 0, 0);
        code[1] = changed[i];
        struct trap t = trap_el0((const uint32_t *)WINDOW, PSCI_VERSION, 0, KERNEL + UARTIBRD);
        CHECK("no answer to a hypercall", t.x[0] != 0x10001);
        CHECK("not EL1", t.taken ? (t.spsr & 0xc) == 0 : t.x[1] != 4);
    }
}

int main(void)
{
    mmu_start(&tables);
    WRITE(cpacr_el1, 3u << 20); /* FPEN: as a kernel has it */
    ISB();
    tables_map(&tables, KERNEL, PL011, 0x1000, PTE_DEVICE, 3);
    stale_at_el0();
    finish();
}
