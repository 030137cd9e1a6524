/* Interrupts between four CPUs through the GICv3 system registers (IHI 0069H): SGIs, SPIs routed to
 * a CPU, wake-up from WFI, priorities, preemption, priority drop and deactivation; and PSCI's
 * CPU calls (DEN0022). */
#include "gic.h"
#include "mmu.h"
#include "smp.h"

enum { CPUS = 4, SGI_COUNT = 1, SGI_RING = 2, SGI_STOP = 3, HOPS = 1000, SPI = 63 };

static struct {
    volatile uint32_t counted[CPUS], ready, stop[CPUS], hops, spi_on;
    volatile uint64_t bad_vector, argument_sum;
} shared;

static void count(volatile uint32_t *word)
{
    __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
}

static void on_irq(struct frame *f)
{
    uint64_t intid = GIC_READ(ICC_IAR1), cpu = this_cpu()->number;
    if (f->vector != 0x280)
        shared.bad_vector = f->vector;
    switch (intid) {
    case SGI_COUNT:
        count(&shared.counted[cpu]);
        break;
    case SGI_RING:
        if (shared.hops < HOPS) {
            shared.hops++;
            gic_send(SGI_RING, 1u << (cpu + 1) % CPUS);
        }
        break;
    case SGI_STOP:
        shared.stop[cpu] = 1;
        break;
    case SPI:
        shared.spi_on |= 1u << cpu;
        break;
    case GIC_NONE:
        return;
    }
    GIC_WRITE(ICC_EOIR1, intid);
}

static void receive(void *argument)
{
    this_cpu()->irq = on_irq;
    gic_start_cpu();
    for (unsigned sgi = 0; sgi < 16; sgi++)
        gic_enable(sgi, 0x80);
    shared.stop[this_cpu()->number] = 0;
    __atomic_fetch_add(&shared.argument_sum, (uint64_t)argument, __ATOMIC_SEQ_CST);
    count(&shared.ready);
    /* WFI wakes with IRQs masked; so none slips between the look and the sleep. */
    while (!shared.stop[this_cpu()->number])
        ASM("wfi\nmsr daifclr, #2\nisb\nmsr daifset, #2");
}

static bool wait_at_least(volatile uint32_t *word, uint32_t value)
{
    for (unsigned i = 0; i < 100000000; i++) {
        if (*word >= value)
            return true;
        ASM("yield");
    }
    return false;
}

static void take_pending(void)
{
    ASM("msr daifclr, #2\nisb\nmsr daifset, #2");
}

static void start_others(uint64_t argument)
{
    shared.ready = 0;
    for (unsigned i = 1; i < CPUS; i++)
        CHECK_EQ("CPU_ON", cpu_start(i, receive, (void *)(argument << i)), 0);
    CHECK("CPUs start", wait_at_least(&shared.ready, CPUS - 1));
}

static void stop_others(void)
{
    gic_send(SGI_STOP, 0xe);
    for (unsigned i = 1; i < CPUS; i++)
        CHECK("CPU goes off", cpu_wait_off(i));
}

static void sgis(void)
{
    for (unsigned i = 1; i < CPUS; i++) {
        gic_send(SGI_COUNT, 1u << i);
        CHECK("SGI to one", wait_at_least(&shared.counted[i], 1));
    }
    for (unsigned i = 1; i < CPUS; i++)
        CHECK_EQ("no SGI to others", shared.counted[i], 1);
    gic_send(SGI_COUNT, 0xf);
    take_pending();
    CHECK_EQ("SGI to a list with itself", shared.counted[0], 1);
    for (unsigned i = 1; i < CPUS; i++)
        CHECK("SGI to a list", wait_at_least(&shared.counted[i], 2));
    /* IRM: all but itself. */
    GIC_WRITE(ICC_SGI1R, 1ull << 40 | (uint64_t)SGI_COUNT << 24 | 0xf);
    for (unsigned i = 1; i < CPUS; i++)
        CHECK("SGI to all others", wait_at_least(&shared.counted[i], 3));
    take_pending();
    CHECK_EQ("not to itself", shared.counted[0], 1);
    /* Around the ring, CPU 0 polling. */
    gic_send(SGI_RING, 2);
    for (unsigned i = 0; i < 10000000 && shared.hops < HOPS; i++)
        take_pending();
    CHECK_EQ("hops", shared.hops, HOPS);
    /* The last receiver did not pass it on; all are asleep again. */
    gic_send(SGI_COUNT, 0xe);
    for (unsigned i = 1; i < CPUS; i++)
        CHECK("SGI wakes from WFI", wait_at_least(&shared.counted[i], 4));
    CHECK_EQ("vector", shared.bad_vector, 0);
}

static void spis(void)
{
    gic_enable(SPI, 0x80);
    for (unsigned i = 0; i < CPUS; i++) {
        shared.spi_on = 0;
        write64(GICD + 0x6000 + 8 * SPI, i);       /* GICD_IROUTER */
        write32(GICD + 0x200 + 4, 1u << SPI % 32); /* GICD_ISPENDR1 */
        DSB();
        for (unsigned n = 0; n < 1000000 && !shared.spi_on; n++)
            take_pending();
        CHECK_EQ("SPI to the CPU of IROUTER", shared.spi_on, 1u << i);
    }
    gic_disable(SPI);
}

/* Priorities on one CPU -------------------------------------------------------------------------*/

enum { LOW = 5, HIGH = 6, MIDDLE = 7, NEAR = 8 };
static const uint8_t priority_of[16] = {
    [LOW] = 0xa0, [HIGH] = 0x40, [MIDDLE] = 0x80, [NEAR] = 0x90};

/* What happened: +INTID at the start of a handler, -INTID at its end. */
static int8_t history[16];
static unsigned history_length;
static unsigned send_inside;
static uint64_t rpr_seen;

static void note(int what)
{
    if (history_length < sizeof history)
        history[history_length++] = (int8_t)what;
}

static void on_nesting_irq(struct frame *f)
{
    (void)f;
    uint64_t intid = GIC_READ(ICC_IAR1);
    if (intid == GIC_NONE) {
        note(100);
        return;
    }
    note((int)intid);
    rpr_seen = GIC_READ(ICC_RPR);
    unsigned send = send_inside;
    send_inside = 0;
    if (send) {
        gic_send(send, 1);
        take_pending(); /* a nested one is taken here */
    }
    note(-(int)intid);
    GIC_WRITE(ICC_EOIR1, intid);
}

static bool history_is(const int8_t *expected)
{
    bool same = true;
    unsigned i = 0;
    for (; expected[i]; i++)
        same = same && i < history_length && history[i] == expected[i];
    same = same && i == history_length;
    history_length = 0;
    return same;
}
#define CHECK_HISTORY(what, ...) CHECK(what, history_is((const int8_t[]){__VA_ARGS__, 0}))

static void priorities(void)
{
    this_cpu()->irq = on_nesting_irq;
    for (unsigned i = LOW; i <= NEAR; i++)
        gic_enable(i, priority_of[i]);
    CHECK_EQ("IAR, nothing pending", GIC_READ(ICC_IAR1), GIC_NONE);
    CHECK_EQ("RPR, idle", GIC_READ(ICC_RPR), 0xff);

    gic_send(LOW, 1);
    gic_send(HIGH, 1);
    gic_send(MIDDLE, 1);
    CHECK_EQ("HPPIR", GIC_READ(ICC_HPPIR1), HIGH);
    CHECK_EQ("pending", gic_pending(LOW) && gic_pending(HIGH) && gic_pending(MIDDLE), 1);
    take_pending();
    CHECK_HISTORY("by priority", HIGH, -HIGH, MIDDLE, -MIDDLE, LOW, -LOW);
    CHECK_EQ("RPR in the last handler", rpr_seen, 0xa0);
    CHECK_EQ("not pending any more", gic_pending(LOW), 0);

    send_inside = HIGH;
    gic_send(LOW, 1);
    take_pending();
    CHECK_HISTORY("preemption", LOW, HIGH, -HIGH, -LOW);
    send_inside = LOW;
    gic_send(MIDDLE, 1);
    take_pending();
    CHECK_HISTORY("no preemption by a lower one", MIDDLE, -MIDDLE, LOW, -LOW);
    send_inside = NEAR;
    gic_send(LOW, 1);
    take_pending();
    CHECK_HISTORY("preemption by the next level", LOW, NEAR, -NEAR, -LOW);
    /* Binary point 6: 0x90 and 0xa0 are of one group. */
    GIC_WRITE(ICC_BPR1, 6);
    CHECK_EQ("BPR1", GIC_READ(ICC_BPR1), 6);
    send_inside = NEAR;
    gic_send(LOW, 1);
    take_pending();
    CHECK_HISTORY("no preemption within a group", LOW, -LOW, NEAR, -NEAR);
    send_inside = HIGH;
    gic_send(LOW, 1);
    take_pending();
    CHECK_HISTORY("preemption by another group", LOW, HIGH, -HIGH, -LOW);
    GIC_WRITE(ICC_BPR1, 0);
}

static void masks(void)
{
    GIC_WRITE(ICC_PMR, 0x80);
    gic_send(MIDDLE, 1);
    take_pending();
    CHECK_EQ("PMR equal to the priority masks", history_length, 0);
    CHECK_EQ("HPPIR, masked by PMR", GIC_READ(ICC_IAR1), GIC_NONE);
    GIC_WRITE(ICC_PMR, 0x88);
    take_pending();
    CHECK_HISTORY("PMR lower than the priority", MIDDLE, -MIDDLE);
    GIC_WRITE(ICC_PMR, 0xff);

    GIC_WRITE(ICC_IGRPEN1, 0);
    gic_send(MIDDLE, 1);
    take_pending();
    CHECK_EQ("group disabled", history_length, 0);
    GIC_WRITE(ICC_IGRPEN1, 1);
    take_pending();
    CHECK_HISTORY("group enabled", MIDDLE, -MIDDLE);

    gic_disable(MIDDLE);
    gic_send(MIDDLE, 1);
    take_pending();
    CHECK_EQ("interrupt disabled", history_length, 0);
    CHECK_EQ("pends", gic_pending(MIDDLE), 1);
    write32(GICR + 0x10000 + 0x280, 1u << MIDDLE); /* GICR_ICPENDR0 */
    CHECK_EQ("pending cleared", gic_pending(MIDDLE), 0);
    gic_enable(MIDDLE, priority_of[MIDDLE]);
    take_pending();
    CHECK_EQ("nothing left", history_length, 0);
    write32(GICR + 0x10000 + 0x200, 1u << MIDDLE); /* GICR_ISPENDR0 */
    DSB();
    take_pending();
    CHECK_HISTORY("pending set by register", MIDDLE, -MIDDLE);
}

static void deactivation(void)
{
    GIC_WRITE(ICC_CTLR, 2); /* EOImode: EOI drops the priority only */
    gic_send(MIDDLE, 1);
    take_pending();
    CHECK_HISTORY("EOImode 1", MIDDLE, -MIDDLE);
    CHECK_EQ("active after EOI", gic_active(MIDDLE), 1);
    CHECK_EQ("priority dropped", GIC_READ(ICC_RPR), 0xff);
    gic_send(LOW, 1);
    take_pending();
    CHECK_HISTORY("another one, lower", LOW, -LOW);
    GIC_WRITE(ICC_DIR, LOW);
    gic_send(MIDDLE, 1);
    take_pending();
    CHECK_EQ("not again while active", history_length, 0);
    CHECK_EQ("active and pending", gic_active(MIDDLE) && gic_pending(MIDDLE), 1);
    GIC_WRITE(ICC_DIR, MIDDLE);
    take_pending();
    CHECK_HISTORY("again after DIR", MIDDLE, -MIDDLE);
    GIC_WRITE(ICC_DIR, MIDDLE);
    CHECK_EQ("inactive after DIR", gic_active(MIDDLE), 0);
    GIC_WRITE(ICC_CTLR, 0);
}

/* PSCI ------------------------------------------------------------------------------------------*/

static void psci(void)
{
    CHECK("VERSION", hvc(PSCI_VERSION, 0, 0, 0) >= 0x10000);
    CHECK("FEATURES, CPU_SUSPEND", hvc(PSCI_FEATURES, PSCI_CPU_SUSPEND, 0, 0) >= 0);
    CHECK_EQ("FEATURES, unknown", hvc(PSCI_FEATURES, 0x8400ffff, 0, 0), -1);
    CHECK_EQ("AFFINITY_INFO, itself", hvc(PSCI_AFFINITY_INFO, 0, 0, 0), 0);
    for (unsigned i = 1; i < CPUS; i++)
        CHECK_EQ("AFFINITY_INFO, off", hvc(PSCI_AFFINITY_INFO, i, 0, 0), 1);
    CHECK_EQ("AFFINITY_INFO, nobody", hvc(PSCI_AFFINITY_INFO, 0x4321, 0, 0), -2);
    CHECK_EQ("CPU_ON, nobody", hvc(PSCI_CPU_ON, 0x4321, RAM, 0), -2);
    CHECK_EQ("CPU_ON, itself", hvc(PSCI_CPU_ON, 0, RAM, 0), -4);
    for (uint64_t round = 1; round <= 3; round++) {
        shared.argument_sum = 0;
        start_others(round);
        CHECK_EQ("context of CPU_ON", shared.argument_sum, round * 0xe);
        for (unsigned i = 1; i < CPUS; i++) {
            CHECK_EQ("AFFINITY_INFO, on", hvc(PSCI_AFFINITY_INFO, i, 0, 0), 0);
            CHECK_EQ("CPU_ON, already on", hvc(PSCI_CPU_ON, i, RAM, 0), -4);
        }
        stop_others();
    }
}

static void suspend(void)
{
    /* Standby until an interrupt is pending, also a masked one. */
    gic_send(MIDDLE, 1);
    CHECK_EQ("CPU_SUSPEND, pending", hvc(PSCI_CPU_SUSPEND, 0, 0, 0), 0);
    CHECK_EQ("not taken yet", history_length, 0);
    take_pending();
    CHECK_HISTORY("taken when unmasked", MIDDLE, -MIDDLE);
    /* Until a timer interrupt. */
    gic_enable(27, 0x80);
    uint64_t deadline = READ(cntvct_el0) + READ(cntfrq_el0) / 1000;
    WRITE(cntv_cval_el0, deadline);
    WRITE(cntv_ctl_el0, 1);
    ISB();
    CHECK_EQ("CPU_SUSPEND, timer", hvc(PSCI_CPU_SUSPEND, 0, 0, 0), 0);
    ISB();
    CHECK("woken by the timer", READ(cntvct_el0) >= deadline);
    CHECK_EQ("PPI pends", gic_pending(27), 1);
    WRITE(cntv_ctl_el0, 0);
    ISB();
    gic_disable(27);
    take_pending();
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    gic_start_distributor();
    gic_start_cpu();
    this_cpu()->irq = on_irq;
    for (unsigned sgi = 0; sgi < 4; sgi++)
        gic_enable(sgi, 0x80);
    psci();
    start_others(1);
    sgis();
    spis();
    stop_others();
    priorities();
    masks();
    deactivation();
    suspend();
    finish();
}
