/* CPU 1 takes the same exception for ever: its vector is where nothing is, and every attempt to
 * fetch from there leaves to the hypervisor. CPU 0 goes on beside it, and ends the run. */
#include "mmu.h"
#include "smp.h"

static void strand(void *unused)
{
    (void)unused;
    sctlr_change(SCTLR_M, 0);
    WRITE(vbar_el1, NOTHING);
    ISB();
    ASM("brk #0");
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    CHECK_EQ("CPU_ON", cpu_start(1, strand, NULL), 0);
    for (unsigned i = 0; i < 50000; i++)
        ASM("yield");
    return 0;
}
