/* A guest that never writes GICR_WAKER: an EL1 guest of a machine with PSCI is entered behind
 * firmware, which has woken the redistributor of each CPU it starts. A CPU that puts its own to
 * sleep has it so until it is started again. */
#include "gic.h"
#include "smp.h"

#define TIMER 27
#define SGI   3

static volatile uint32_t got, other_waker, done;

static uint32_t waker(void)
{
    return read32(GICR + 0x20000 * this_cpu()->number + 0x14);
}

static void irq(struct frame *f)
{
    (void)f;
    uint64_t id = GIC_READ(ICC_IAR1);
    if (id < 1020)
        got |= 1u << id;
    if (id == TIMER)
        WRITE(cntv_ctl_el0, 0);
    GIC_WRITE(ICC_EOIR1, id);
}

static void interface_on(void)
{
    write32(GICR + 0x20000 * this_cpu()->number + 0x10080, ~0u); /* GICR_IGROUPR0 */
    GIC_WRITE(ICC_SRE, 1);
    GIC_WRITE(ICC_PMR, 0xf0);
    GIC_WRITE(ICC_IGRPEN1, 1);
    this_cpu()->irq = irq;
}

static void wait_for(uint32_t expected)
{
    ASM("msr daifclr, #2");
    for (unsigned i = 0; i < 10000 && got != expected; i++)
        ISB();
    ASM("msr daifset, #2");
}

static void first_cpu(void)
{
    interface_on();
    gic_enable(SGI, 0xa0);
    gic_enable(TIMER, 0xa0);
    gic_send(SGI, 1);
    WRITE(cntv_cval_el0, 0);
    WRITE(cntv_ctl_el0, 1);
    ISB();
    wait_for(1u << SGI | 1u << TIMER);
    CHECK_EQ("SGI and PPI arrived", got, 1u << SGI | 1u << TIMER);
}

/* Asleep, it gets nothing, and goes off so. */
static void falls_asleep(void *unused)
{
    (void)unused;
    other_waker = waker();
    interface_on();
    gic_enable(SGI, 0xa0);
    write32(GICR + 0x20000 + 0x14, 2);
    got = 0;
    gic_send(SGI, 2);
    wait_for(1u << SGI);
    signal_set(&done, 1);
}

static void is_awake(void *unused)
{
    (void)unused;
    other_waker = waker();
    interface_on();
    wait_for(1u << SGI);
    signal_set(&done, 2);
}

int main(void)
{
    CHECK_EQ("GICR_WAKER", waker(), 0);
    gic_start_distributor();
    first_cpu();
    CHECK_EQ("CPU_ON", cpu_start(1, falls_asleep, NULL), 0);
    CHECK("it runs", signal_wait(&done, 1));
    CHECK_EQ("GICR_WAKER of the other", other_waker, 0);
    CHECK_EQ("asleep, it gets nothing", got, 0);
    CHECK("CPU_OFF", cpu_wait_off(1));
    CHECK_EQ("CPU_ON again", cpu_start(1, is_awake, NULL), 0);
    CHECK("it runs again", signal_wait(&done, 2));
    known_begin("its firmware leaves the redistributor as it is");
    CHECK_EQ("GICR_WAKER, started again", other_waker, 0);
    CHECK_EQ("what came meanwhile arrives", got, 1u << SGI);
    known_end();
    finish();
}
