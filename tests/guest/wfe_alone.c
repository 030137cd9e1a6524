/* Both CPUs wait in WFE, and there is nothing that could have an event. */
#include "mmu.h"
#include "smp.h"

static void wait(void *unused)
{
    (void)unused;
    for (;;)
        ASM("wfe");
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    CHECK_EQ("CPU_ON", cpu_start(1, wait, NULL), 0);
    wait(NULL);
    return 0;
}
