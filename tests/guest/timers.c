/* The generic timer (Arm ARM D11): counters, the virtual and the physical EL1 timer, their
 * interrupts (PPI 27 and 30) and waking from WFI. Deadlines are fractions of a second by CNTFRQ. */
#include "gic.h"
#include "mmu.h"
#include "trap.h"

enum { ENABLE = 1, IMASK = 2, ISTATUS = 4 };

/* One of the two timers, to run each test on both. */
struct timer {
    const char *name;
    unsigned intid;
    uint64_t (*count)(void);
    uint64_t (*ctl)(void);
    void (*set_ctl)(uint64_t);
    uint64_t (*cval)(void);
    void (*set_cval)(uint64_t);
    uint64_t (*tval)(void);
    void (*set_tval)(uint64_t);
};

#define ACCESSORS(letter, counter)                                                                 \
    static uint64_t letter##_count(void)                                                           \
    {                                                                                              \
        ISB();                                                                                     \
        return READ(counter);                                                                      \
    }                                                                                              \
    static uint64_t letter##_ctl(void)                                                             \
    {                                                                                              \
        ISB();                                                                                     \
        return READ(cnt##letter##_ctl_el0);                                                        \
    }                                                                                              \
    static void letter##_set_ctl(uint64_t value)                                                   \
    {                                                                                              \
        WRITE(cnt##letter##_ctl_el0, value);                                                       \
        ISB();                                                                                     \
    }                                                                                              \
    static uint64_t letter##_cval(void)                                                            \
    {                                                                                              \
        return READ(cnt##letter##_cval_el0);                                                       \
    }                                                                                              \
    static void letter##_set_cval(uint64_t value)                                                  \
    {                                                                                              \
        WRITE(cnt##letter##_cval_el0, value);                                                      \
        ISB();                                                                                     \
    }                                                                                              \
    static uint64_t letter##_tval(void)                                                            \
    {                                                                                              \
        return READ(cnt##letter##_tval_el0);                                                       \
    }                                                                                              \
    static void letter##_set_tval(uint64_t value)                                                  \
    {                                                                                              \
        WRITE(cnt##letter##_tval_el0, value);                                                      \
        ISB();                                                                                     \
    }
ACCESSORS(v, cntvct_el0)
ACCESSORS(p, cntpct_el0)

#define TIMER(letter, intid)                                                                       \
    {                                                                                              \
#letter, intid, letter##_count, letter##_ctl, letter##_set_ctl, letter##_cval,             \
            letter##_set_cval, letter##_tval, letter##_set_tval                                    \
    }
static const struct timer timers[] = {TIMER(v, 27), TIMER(p, 30)};

static uint64_t frequency;

static void counters(void)
{
    frequency = READ(cntfrq_el0);
    CHECK("CNTFRQ", frequency >= 1000000 && frequency <= 1000000000);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t first = timers[i].count(), last = first;
        for (unsigned n = 0; n < 10000; n++) {
            uint64_t now = timers[i].count();
            if (!(now >= last))
                CHECK_EQ("counter goes back", now, last);
            last = now;
        }
        CHECK("counter moves", last > first);
    }
}

static void compare_registers(const struct timer *t)
{
    t->set_ctl(0);
    CHECK_EQ("CTL, disabled", t->ctl() & (ENABLE | IMASK), 0);
    t->set_cval(0x123456789abcdef0);
    CHECK_EQ("CVAL", t->cval(), 0x123456789abcdef0);
    /* Bits 31:0 of CVAL minus the count. */
    uint64_t before = t->count();
    uint64_t tval = t->tval();
    uint64_t after = t->count();
    CHECK_EQ("TVAL, upper half", tval >> 32, 0);
    CHECK("TVAL is what is left",
          (uint32_t)(0x9abcdef0u - before - tval) <= (uint32_t)(after - before));
    before = t->count();
    t->set_tval(0x7fffffff);
    after = t->count();
    CHECK("TVAL sets CVAL", t->cval() >= before + 0x7fffffff && t->cval() <= after + 0x7fffffff);
    before = t->count();
    t->set_tval(0xffffffff);
    after = t->count();
    CHECK("TVAL is signed", t->cval() + 1 >= before && t->cval() + 1 <= after);

    t->set_ctl(ENABLE | IMASK);
    CHECK_EQ("CTL, past", t->ctl(), ENABLE | IMASK | ISTATUS);
    t->set_cval(~0ull);
    CHECK_EQ("CTL, far (CVAL is unsigned)", t->ctl(), ENABLE | IMASK);
    t->set_cval(0);
    CHECK_EQ("CTL, CVAL 0", t->ctl(), ENABLE | IMASK | ISTATUS);
    t->set_ctl(~0ull & ~(uint64_t)ENABLE);
    CHECK_EQ("CTL, no other bits", t->ctl() & ~(uint64_t)ISTATUS, IMASK);
    /* The condition is met from the moment on when the count has reached CVAL. */
    t->set_cval(t->count() + frequency / 1000);
    t->set_ctl(ENABLE | IMASK);
    uint64_t status, early = 0, late = 0;
    do {
        before = t->count();
        status = t->ctl() & ISTATUS;
        after = t->count();
        early += status && after < t->cval();
        late += !status && before >= t->cval();
    } while (!status);
    CHECK_EQ("ISTATUS too early", early, 0);
    known_begin("its timer status is as late as its host");
    CHECK_EQ("ISTATUS too late", late, 0);
    known_end();
    t->set_ctl(0);
}

/* Interrupts ------------------------------------------------------------------------------------*/

static const struct timer *expected_timer;
static volatile uint64_t taken, stop_after, last_vector, last_intid, last_count;

static void on_irq(struct frame *f)
{
    last_intid = GIC_READ(ICC_IAR1);
    last_vector = f->vector;
    last_count = expected_timer->count();
    taken++;
    /* The line stays up until the condition or the mask changes. */
    if (taken >= stop_after)
        expected_timer->set_ctl(ENABLE | IMASK);
    GIC_WRITE(ICC_EOIR1, last_intid);
}

static void arm(const struct timer *t, uint64_t delay, uint64_t count)
{
    expected_timer = t;
    taken = 0;
    stop_after = count;
    t->set_cval(t->count() + delay);
    t->set_ctl(ENABLE);
}

static void check_taken(const struct timer *t, uint64_t vector, uint64_t count)
{
    CHECK_EQ("interrupts", taken, count);
    CHECK_EQ("INTID", last_intid, t->intid);
    CHECK_EQ("vector", last_vector, vector);
    CHECK("not before the deadline", last_count >= t->cval());
}

static void wait_for(uint64_t count)
{
    uint64_t until = expected_timer->count() + 5 * frequency;
    while (taken < count && expected_timer->count() < until)
        ;
}

EL0_CODE(spin, "1: ldr x1, [x0]\ncbz x1, 1b");
static uint64_t el0_flag __attribute__((section(".el0.data")));

static void on_irq_in_el0(struct frame *f)
{
    on_irq(f);
    el0_flag = 1;
}

static void from_el0(const struct timer *t)
{
    el0_flag = 0;
    this_cpu()->irq = on_irq_in_el0;
    arm(t, frequency / 1000, 1);
    struct trap r = {.x = {(uint64_t)&el0_flag}};
    trap_eret(&r, (uint64_t)spin, 0, (uint64_t)el0_stack_top);
    CHECK_NO_TRAP("EL0 spins until the interrupt", r);
    check_taken(t, 0x480, 1);
    this_cpu()->irq = on_irq;
}

TRAP_CODE(spin_el1t, "msr spsel, #0\nmsr daifclr, #2\n"
                     "1: ldr x1, [x0]\ncbz x1, 1b\n"
                     "msr daifset, #2\nmsr spsel, #1");

static void interrupts(const struct timer *t)
{
    this_cpu()->irq = on_irq;
    gic_enable(t->intid, 0x80);
    ASM("msr daifclr, #2");
    arm(t, frequency / 1000, 1);
    wait_for(1);
    check_taken(t, 0x280, 1);
    arm(t, frequency / 2000, 3);
    wait_for(3);
    check_taken(t, 0x280, 3);
    /* A deadline in the past. */
    arm(t, -100ull, 1);
    wait_for(1);
    check_taken(t, 0x280, 1);
    /* Masked in the timer. */
    arm(t, frequency / 1000, 1);
    t->set_ctl(ENABLE | IMASK);
    while (!(t->ctl() & ISTATUS))
        ;
    CHECK_EQ("none while IMASK", taken, 0);
    CHECK_EQ("not pending while IMASK", gic_pending(t->intid), 0);
    t->set_ctl(ENABLE);
    wait_for(1);
    check_taken(t, 0x280, 1);
    /* Not enabled in the redistributor. */
    gic_disable(t->intid);
    arm(t, 0, 1);
    while (!(t->ctl() & ISTATUS))
        ;
    CHECK_EQ("none while disabled", taken, 0);
    CHECK_EQ("pending while disabled", gic_pending(t->intid), 1);
    gic_enable(t->intid, 0x80);
    wait_for(1);
    check_taken(t, 0x280, 1);
    ASM("msr daifset, #2");
    arm(t, frequency / 1000, 1);
    struct trap r = trap_el1(spin_el1t, (uint64_t)&taken, 0, 0);
    CHECK_NO_TRAP("interrupt at EL1t", r);
    check_taken(t, 0x080, 1);
    from_el0(t);
}

static void wake_up(const struct timer *t)
{
    /* Masked: WFI completes, nothing is taken. */
    arm(t, frequency / 500, 1);
    while (t->count() < t->cval())
        ASM("wfi");
    CHECK_EQ("masked: none taken", taken, 0);
    CHECK_EQ("masked: ISR_EL1.I", READ(isr_el1), 1u << 7);
    ASM("wfi"); /* still pending: falls through */
    CHECK_EQ("masked: pending", gic_pending(t->intid), 1);
    ASM("msr daifclr, #2\nisb");
    CHECK_EQ("taken at once when unmasked", taken, 1);
    check_taken(t, 0x280, 1);
    /* Unmasked: the interrupt is taken and returns behind the WFI. */
    arm(t, frequency / 500, 1);
    while (taken == 0)
        ASM("wfi");
    check_taken(t, 0x280, 1);
    ASM("msr daifset, #2");
    t->set_ctl(0);
    gic_disable(t->intid);
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    gic_start_distributor();
    gic_start_cpu();
    counters();
    for (unsigned i = 0; i < 2; i++) {
        const struct timer *t = &timers[i];
        check_context("timer of INTID", t->intid);
        compare_registers(t);
        interrupts(t);
        wake_up(t);
        check_context(NULL, 0);
    }
    finish();
}
