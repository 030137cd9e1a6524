/* WFE waits: for SEV, SEVL, an exception return, a store to the monitored address, the event stream
 * or an interrupt (Arm ARM D1.16.1, D11.2.5). Nothing else is here that could end a wait: a wake-up
 * that is missed ends the run. The cycle counter counts instructions, so it tells waiting from
 * running. */
#include "gic.h"
#include "mmu.h"
#include "smp.h"

#define TIMER_PPI 27
#define EVNTEN    (1u << 2)
#define EVNTDIR   (1u << 3)

enum { ROUNDS = 200, DELAYS = 20 };

static struct tables tables;
static struct {
    _Alignas(64) volatile uint32_t ball;
    _Alignas(64) volatile uint32_t ready, timers;
    volatile uint64_t delayed[2];
} shared;

static uint64_t count(void)
{
    ISB();
    return READ(cntvct_el0);
}

static uint64_t instructions(void)
{
    return READ(pmccntr_el0);
}

static void start_instructions(void)
{
    WRITE(pmcr_el0, 1u << 6 | 1); /* LC, E */
    WRITE(pmcntenset_el0, 1u << 31);
    ISB();
}

/* 0: off. */
static void set_stream(uint64_t bits)
{
    WRITE(cntkctl_el1, bits);
    ISB();
}

static void events_of_its_own(void)
{
    uint64_t from = instructions();
    for (unsigned i = 0; i < 100; i++)
        ASM("sevl\nwfe\nsev\nwfe\nsevl\nsevl\nwfe"); /* none waits */
    ASM("sevl\nwfe\nsvc #0\nwfe");                   /* an exception's return sets it */
    CHECK("WFE goes on", instructions() - from < 2000);
}

/* Each event is where the bit changes in the right direction. */
static void stream_has_period(unsigned bit, uint64_t direction)
{
    uint64_t period = 2ull << bit, phase = direction ? 0 : period / 2, wrong = 0;
    set_stream((uint64_t)bit << 4 | direction | EVNTEN);
    ASM("sevl\nwfe\nwfe");
    uint64_t before = count(), from = instructions();
    for (unsigned i = 0; i < 50; i++) {
        ASM("wfe");
        uint64_t now = count();
        wrong += ((now - phase) & (period - 1)) > 4 || now - before > period + 4;
        before = now;
    }
    check_context("bit", bit);
    CHECK_EQ("events at the wrong time", wrong, 0);
    CHECK("the CPU waits", instructions() - from < 50 * 40);
    check_context(NULL, 0);
    set_stream(0);
}

/* One that came since the last WFE counts. */
static void stream_does_not_wait_for_us(void)
{
    set_stream(8u << 4 | EVNTEN); /* 512 counts are 8192 instructions */
    ASM("sevl\nwfe\nwfe");
    uint64_t event = count();
    ASM("wfe");
    for (unsigned i = 0; i < 80; i++) /* up to right behind the next but one */
        ASM("nop");
    while (count() - event < 1025)
        ;
    ASM("sevl\nwfe");
    CHECK("near an event", count() - event < 1100);
    set_stream(0);
}

static void on_irq(struct frame *f)
{
    (void)f;
    uint64_t intid = GIC_READ(ICC_IAR1);
    if (intid == TIMER_PPI) {
        shared.timers++;
        WRITE(cntv_ctl_el0, 0);
        ISB();
    }
    GIC_WRITE(ICC_EOIR1, intid);
}

/* An interrupt ends a wait, unless PSTATE masks it. */
static void interrupts(void)
{
    this_cpu()->irq = on_irq;
    gic_enable(TIMER_PPI, 0x80);
    uint64_t from = count(), executed = instructions();
    WRITE(cntv_cval_el0, from + 100000);
    WRITE(cntv_ctl_el0, 1);
    ASM("msr daifclr, #2");
    while (!shared.timers)
        ASM("wfe");
    ASM("msr daifset, #2");
    CHECK_EQ("the timer's interrupt", shared.timers, 1);
    CHECK("not before", count() - from >= 100000);
    CHECK("the CPU waited", instructions() - executed < 500);

    WRITE(cntv_cval_el0, 0);
    WRITE(cntv_ctl_el0, 1); /* is pending, and masked */
    ISB();
    set_stream(12u << 4 | EVNTEN);
    ASM("sevl\nwfe\nwfe");
    from = count();
    for (unsigned i = 0; i < 10; i++)
        ASM("wfe");
    CHECK("a masked one does not end it", count() - from > 8 * 8192);
    CHECK_EQ("and is not taken", shared.timers, 1);
    set_stream(0);
    ASM("msr daifclr, #2\nisb\nmsr daifset, #2");
    CHECK_EQ("until it is unmasked", shared.timers, 2);
}

/* Waits until the ball is here, and passes it on. */
static void play_with_sev(uint32_t here, uint32_t there)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        while (shared.ball != here)
            ASM("wfe");
        signal_set(&shared.ball, there);
    }
}

static void play_with_monitor(uint32_t here, uint32_t there)
{
    uint32_t value;
    for (unsigned i = 0; i < ROUNDS; i++)
        __asm__ volatile("sevl\n1: wfe\nldaxr %w0, [%1]\ncmp %w0, %w2\nb.ne 1b\nstlr %w3, [%1]"
                         : "=&r"(value)
                         : "r"(&shared.ball), "r"(here), "r"(there)
                         : "memory", "cc");
}

/* As Linux' __delay. */
static void delay(unsigned cpu)
{
    uint64_t from = count();
    set_stream(12u << 4 | EVNTEN);
    while (count() - from < 200000)
        ASM("wfe");
    set_stream(0);
    shared.delayed[cpu] += count() - from;
}

static void delays(unsigned cpu)
{
    for (unsigned i = 0; i < DELAYS; i++)
        delay(cpu);
}

static void other(void *unused)
{
    (void)unused;
    signal_set(&shared.ready, 1);
    play_with_sev(1, 0);
    play_with_monitor(1, 0);
    delays(1);
    signal_set(&shared.ready, 2);
}

static void two_cpus(void)
{
    CHECK_EQ("CPU_ON", cpu_start(1, other, NULL), 0);
    while (shared.ready != 1)
        ASM("wfe");
    uint64_t from = instructions();
    play_with_sev(0, 1);
    play_with_monitor(0, 1);
    CHECK("CPUs wait for each other", instructions() - from < 2 * ROUNDS * 200);
    from = instructions();
    delays(0);
    while (shared.ready != 2)
        ASM("wfe");
    CHECK("both wait for time", instructions() - from < DELAYS * 200 * 60);
    CHECK("it passes for one", shared.delayed[0] - DELAYS * 200000 < DELAYS * 20000);
    CHECK("and for the other", shared.delayed[1] - DELAYS * 200000 < DELAYS * 20000);
}

static bool on_sync(struct frame *f)
{
    return ESR_EC(f->esr) == EC_SVC;
}

int main(void)
{
    mmu_start(&tables);
    gic_start_distributor();
    gic_start_cpu();
    this_cpu()->sync = on_sync;
    start_instructions();
    known_begin("WFE does not wait");
    events_of_its_own();
    for (unsigned bit = 4; bit <= 15; bit += bit == 12 ? 3 : 4) {
        stream_has_period(bit, 0);
        stream_has_period(bit, EVNTDIR);
    }
    stream_does_not_wait_for_us();
    interrupts();
    two_cpus();
    known_end();
    finish();
}
