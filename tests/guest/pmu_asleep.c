/* The monitors' event comes while nobody runs: a counter overflows with the very instruction that
 * waits, or would overflow soon but stands still meanwhile. The first interrupts; the second ends a
 * WFE, as any event may (Arm ARM D1.16.1). Without either the timer ends the wait. */
#include "gic.h"
#include "mmu.h"
#include "trap.h"

#define PMCR_E  (1u << 0)
#define PMCR_LC (1u << 6)
#define CYCLES  (1u << 31)
#define PMU_PPI 23
#define TIMER   30
#define LONGEST 20u

TRAP_CODE(wait_for_interrupt, "msr pmccntr_el0, x0\nisb\nwfi\nmsr pmcntenclr_el0, x1");
TRAP_CODE(wait_for_event, "msr pmccntr_el0, x0\nisb\nsevl\nwfe\nwfe\nmsr pmcntenclr_el0, x1");

/* What woke it. */
static unsigned acknowledge(void)
{
    unsigned intid = (unsigned)GIC_READ(ICC_IAR1);
    WRITE(pmovsclr_el0, ~0u);
    WRITE(cntp_ctl_el0, 0);
    ISB();
    if (intid != GIC_NONE)
        GIC_WRITE(ICC_EOIR1, intid);
    return intid;
}

/* How many instructions before the overflow it begins to count. */
static void waits(const char *what, const void *code)
{
    unsigned overflows = 0;
    for (unsigned before = 1; before <= LONGEST; before++) {
        check_context(what, before);
        WRITE(pmcntenset_el0, CYCLES);
        WRITE(cntp_tval_el0, 1000);
        WRITE(cntp_ctl_el0, 1);
        struct trap t = trap_el1(code, 0 - (uint64_t)before, CYCLES, 0);
        CHECK_NO_TRAP("waits", t);
        unsigned intid = acknowledge();
        CHECK("ends by something", intid == PMU_PPI || intid == TIMER || intid == GIC_NONE);
        overflows += intid == PMU_PPI;
    }
    check_context(NULL, 0);
    CHECK("overflows among the first", overflows >= 3);
    CHECK("none where it stands still", overflows < LONGEST);
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    gic_start_distributor();
    gic_start_cpu();
    gic_enable(PMU_PPI, 0x80);
    gic_enable(TIMER, 0x90);
    WRITE(pmintenset_el1, CYCLES);
    WRITE(pmcr_el0, PMCR_E | PMCR_LC);
    ISB();
    waits("WFI", wait_for_interrupt);
    waits("WFE", wait_for_event);
    return 0;
}
