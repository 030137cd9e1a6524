/* What a real-time guest does: a little work every millisecond, by the virtual timer. Prints how
 * late it was at worst, and powers off after 20 of them. */
#include "gic.h"
#include "trap.h"

enum { TIMER = 27, PERIODS = 20, WORK = 2000, ENABLE = 1 };

static uint64_t period, due, latest;
static volatile unsigned served;

static void on_irq(struct frame *f)
{
    (void)f;
    uint64_t id = GIC_READ(ICC_IAR1), now = READ(cntvct_el0);
    if (now - due > latest)
        latest = now - due;
    due += period;
    WRITE(cntv_cval_el0, due);
    ISB();
    for (volatile unsigned k = 0; k < WORK; k++)
        ;
    if (++served == PERIODS)
        WRITE(cntv_ctl_el0, 0);
    GIC_WRITE(ICC_EOIR1, id);
}

int main(void)
{
    uint64_t hz = READ(cntfrq_el0);
    period = hz / 1000;
    gic_start_distributor();
    gic_start_cpu();
    this_cpu()->irq = on_irq;
    gic_enable(TIMER, 0x80);
    due = READ(cntvct_el0) + period;
    WRITE(cntv_cval_el0, due);
    WRITE(cntv_ctl_el0, ENABLE);
    ISB();
    ASM("msr daifclr, #2\nisb");
    while (served < PERIODS)
        ASM("wfi");
    print("%u periods of 1 ms, at worst %u ns late\n", PERIODS, latest * (1000000000 / hz));
    hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    return 1;
}
