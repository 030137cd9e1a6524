/* A race with an interrupt handler, for chaos (docs/chaos.md): both count, and the main program
 * does not mask the interrupt. If that comes between load and store, what the handler counted is
 * lost. The timer's interrupts come where the ordinary run has none of these places. Built with
 * MASKED (race_irq_masked.c) the program is right. */
#include "gic.h"
#include "trap.h"

enum { TIMER = 27, INTERRUPTS = 4, INTERVAL_NS = 6100 };

static volatile uint32_t count, interrupts;

/* 0: the timer signals at the very write. */
static void arm(uint64_t ns)
{
    WRITE(cntv_cval_el0, READ(cntvct_el0) + ns * READ(cntfrq_el0) / 1000000000);
    ISB();
}

static void on_irq(struct frame *f)
{
    (void)f;
    uint64_t intid = GIC_READ(ICC_IAR1);
    count++;
    if (++interrupts < INTERRUPTS)
        arm(INTERVAL_NS);
    else
        WRITE(cntv_ctl_el0, 0);
    GIC_WRITE(ICC_EOIR1, intid);
}

/* About 50 instructions of something else. */
static void pass_time(void)
{
    for (unsigned i = 0; i < 16; i++)
        ASM("nop");
}

static void count_once(void)
{
#ifdef MASKED
    ASM("msr daifset, #2");
#endif
    count++; /* LDR, ADD, STR */
#ifdef MASKED
    ASM("msr daifclr, #2");
#endif
}

int main(void)
{
    uint32_t counted = 0;
    this_cpu()->irq = on_irq;
    gic_start_distributor();
    gic_start_cpu();
    gic_enable(TIMER, 0x80);
    arm(0);
    WRITE(cntv_ctl_el0, 1);
    ASM("msr daifclr, #2");
    for (; interrupts < INTERRUPTS; counted++) {
        count_once();
        pass_time();
    }
    CHECK_EQ("count", count, counted + INTERRUPTS);
    finish();
}
