/* Interrupts between eight CPUs and little else, for measuring: an SGI goes round the ring of CPUs,
 * each of which waits for it in WFI. */
#include "gic.h"
#include "smp.h"

enum { CPUS = 8, SGI = 1, HOPS = 100000 };

static volatile uint32_t ready, hops;

static void pass_on(struct frame *f)
{
    (void)f;
    uint64_t intid = GIC_READ(ICC_IAR1);
    if (intid == GIC_NONE)
        return;
    if (hops < HOPS) {
        hops++;
        gic_send(SGI, 1u << (this_cpu()->number + 1) % CPUS);
    }
    GIC_WRITE(ICC_EOIR1, intid);
}

static void wait_for_all(void)
{
    while (hops < HOPS)
        ASM("wfi\nmsr daifclr, #2\nisb\nmsr daifset, #2");
    /* The others may wait for what does not come any more. */
    gic_send(SGI, (1u << CPUS) - 1);
}

static void start_cpu(void)
{
    this_cpu()->irq = pass_on;
    gic_start_cpu();
    gic_enable(SGI, 0x80);
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
}

static void secondary(void *argument)
{
    (void)argument;
    start_cpu();
    wait_for_all();
}

int main(void)
{
    WRITE(cpacr_el1, 3u << 20); /* as a kernel has it: no trap of floating point */
    ISB();
    gic_start_distributor();
    for (unsigned i = 1; i < CPUS; i++)
        cpu_start(i, secondary, NULL);
    start_cpu();
    while (ready < CPUS)
        ASM("yield");
    gic_send(SGI, 2);
    wait_for_all();
    print("done: %u hops\n", (uint64_t)hops);
    hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    return 1;
}
