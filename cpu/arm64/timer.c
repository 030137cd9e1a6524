/* The generic timer (Arm ARM D11): per vCPU the EL1 virtual and physical timers. Both count the
 * board's virtual time; the guest sees it from its counter offset on. */
#include "cpu/arm64/cpu_internal.h"

static uint64_t counter_at_zero(const struct arm64_vcpu *v)
{
    return v->cpu.world->counter_offset;
}

uint64_t timer_counter(const struct arm64_vcpu *v)
{
    struct vtime now = *v->cpu.world->vtime;
    now.instructions = engine_executed(v->cpu.world->engine);
    return vtime_count(&now, COUNTER_HZ) - counter_at_zero(v);
}

static bool condition_met(const struct vcpu_timer *t)
{
    return timer_counter(t->vcpu) >= t->cval;
}

/* Sets the interrupt line to ISTATUS & !IMASK & ENABLE and arms the event for the next change. */
static void update(struct vcpu_timer *t)
{
    struct arm64_vcpu *v = t->vcpu;
    bool met = condition_met(t);
    bool line = (t->ctl & TIMER_CTL_ENABLE) && !(t->ctl & TIMER_CTL_IMASK) && met;
    uint64_t when = EVENT_NEVER;
    if ((t->ctl & TIMER_CTL_ENABLE) && !met && t->cval + counter_at_zero(v) >= t->cval)
        when = vtime_ticks_at_count(v->cpu.world->vtime, t->cval + counter_at_zero(v), COUNTER_HZ);
    if (when != t->event.when_ticks) {
        event_at(v->cpu.world->events, &t->event, when);
        engine_stop_soon(v->cpu.world->engine);
    }
    if (line != t->line) {
        t->line = line;
        bool is_virtual = t == &v->timer_virtual;
        v->cpu.world->set_line(v->cpu.world->context, v->cpu.index,
                               is_virtual ? CPU_LINE_TIMER_VIRTUAL : CPU_LINE_TIMER_PHYSICAL, line);
    }
}

static void fire(void *context, uint64_t due_ticks)
{
    (void)due_ticks;
    update(context);
}

static void add(struct arm64_vcpu *v, struct vcpu_timer *t, const char *name)
{
    t->vcpu = v;
    t->event = (struct event){.name = name, .fire = fire, .context = t};
    event_add(v->cpu.world->events, &t->event);
}

/* The event stream (D11.2.5): events where a bit of the virtual counter changes. ----------------
 */

enum { CNTKCTL_EVNTEN = 1 << 2, CNTKCTL_EVNTDIR = 1 << 3 };

uint64_t timer_next_event(const struct arm64_vcpu *v, uint64_t after_ticks)
{
    const struct vtime after = {.rate_hz = v->cpu.world->vtime->rate_hz,
                                .instructions = after_ticks};
    uint64_t bit = (uint64_t)1 << (v->cntkctl >> 4 & 15), offset = counter_at_zero(v);
    uint64_t count = vtime_count(&after, COUNTER_HZ) - offset;
    uint64_t phase = v->cntkctl & CNTKCTL_EVNTDIR ? 0 : bit;
    uint64_t next = count + 2 * bit - ((count - phase) & (2 * bit - 1));
    if (!(v->cntkctl & CNTKCTL_EVNTEN) || next < count || next + offset < next)
        return EVENT_NEVER;
    return vtime_ticks_at_count(&after, next + offset, COUNTER_HZ);
}

void timers_add(struct arm64_vcpu *v)
{
    add(v, &v->timer_virtual, "virtual timer");
    add(v, &v->timer_physical, "physical timer");
}

void timers_reset(struct arm64_vcpu *v)
{
    v->timer_virtual.ctl = v->timer_physical.ctl = 0;
    v->timer_virtual.cval = v->timer_physical.cval = 0;
    update(&v->timer_virtual);
    update(&v->timer_physical);
}

void timers_restored(struct arm64_vcpu *v)
{
    update(&v->timer_virtual);
    update(&v->timer_physical);
}

/* op2 as in CNTV_TVAL_EL0 (0), CNTV_CTL_EL0 (1), CNTV_CVAL_EL0 (2). */
uint64_t timer_read(struct arm64_vcpu *v, struct vcpu_timer *t, unsigned op2)
{
    switch (op2) {
    case 0:
        return (uint32_t)(t->cval - timer_counter(v));
    case 1:
        return t->ctl |
               ((t->ctl & TIMER_CTL_ENABLE) && condition_met(t) ? (uint32_t)TIMER_CTL_ISTATUS : 0);
    default:
        return t->cval;
    }
}

void timer_write(struct arm64_vcpu *v, struct vcpu_timer *t, unsigned op2, uint64_t value)
{
    v->cpu.world->timer(v->cpu.world->context, v->cpu.index, t == &v->timer_physical, op2, value);
    switch (op2) {
    case 0:
        t->cval = timer_counter(v) + (uint64_t)(int64_t)(int32_t)(uint32_t)value;
        break;
    case 1:
        t->ctl = value & TIMER_CTL_MOST;
        break;
    default:
        t->cval = value;
        break;
    }
    update(t);
}
