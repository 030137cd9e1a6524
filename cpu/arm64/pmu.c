/* Performance monitors, PMUv3 as a Cortex-A57 has them (Arm ARM D13): a cycle counter and six event
 * counters, which may count SW_INCR, INST_RETIRED, CPU_CYCLES and CHAIN.
 *
 * A cycle is an instruction of the board, as everywhere here; a retired instruction is one of this
 * vCPU that was not abandoned for an exception. Counters are values at an instruction count,
 * brought up to date where something of theirs is written, and where the Exception level changes
 * while that matters: exceptions come by us, returns are seen as the first block at EL0 is watched.
 * The event is armed for the first overflow that interrupts; it is early when time passed
 * otherwise, and then looks again. Machines of the past have the cycle counter alone. */
#include "cpu/arm64/cpu_internal.h"

#include <string.h>

#include "emu/machine.h"

#define PMCR_E        1u
#define PMCR_P        (1u << 1)
#define PMCR_C        (1u << 2)
#define PMCR_D        (1u << 3)
#define PMCR_LC       (1u << 6)
#define CYCLES        (1u << 31) /* in PMCNTENSET and its like */
#define FILTER_EL1    (1u << 31) /* P of PMEVTYPER, PMCCFILTR: not at EL1 */
#define FILTER_EL0    (1u << 30) /* U */
#define FILTER_MASK   (FILTER_EL1 | FILTER_EL0)
#define SELECT_CYCLES 31u

enum event_number { SW_INCR = 0x00, INST_RETIRED = 0x08, CPU_CYCLES = 0x11, CHAIN = 0x1e };

/* What changes by itself. */
struct now {
    uint64_t cycles, overflow;
    uint32_t events[PMU_EVENT_COUNTERS];
    uint8_t prescale;
};

static bool is_old(const struct arm64_vcpu *v)
{
    return v->cpu.world->quirks & QUIRK_OLD_PMU;
}

static unsigned counters(const struct arm64_vcpu *v)
{
    return is_old(v) ? 0 : PMU_EVENT_COUNTERS;
}

static uint64_t implemented(const struct arm64_vcpu *v)
{
    return CYCLES | ((1u << counters(v)) - 1);
}

/* Instructions of this vCPU that were not abandoned. */
static uint64_t retired_now(const struct arm64_vcpu *v)
{
    return v->retired +
           (v->cpu.loaded ? engine_executed(v->cpu.world->engine) - v->retired_since : 0);
}

void pmu_load(struct arm64_vcpu *v)
{
    v->retired_since = engine_executed(v->cpu.world->engine);
    v->pmu_stale = true;
}

void pmu_unload(struct arm64_vcpu *v)
{
    v->retired = retired_now(v);
    v->retired_since = engine_executed(v->cpu.world->engine);
}

/* Of the cycle counter n is SELECT_CYCLES. */
static uint64_t filter_of(const struct arm64_vcpu *v, unsigned n)
{
    return n == SELECT_CYCLES ? v->pmccfiltr : v->pmevtyper[n];
}

static bool is_enabled(const struct arm64_vcpu *v, unsigned n)
{
    return (v->pmcr & PMCR_E) && (v->pmcntenset >> n & 1);
}

static bool counts(const struct arm64_vcpu *v, unsigned n)
{
    return is_enabled(v, n) &&
           (is_old(v) || !(filter_of(v, n) & (v->pmu_el0 ? FILTER_EL0 : FILTER_EL1)));
}

static void add_events(const struct arm64_vcpu *v, struct now *now, unsigned n, uint64_t count)
{
    uint64_t value = now->events[n] + count, wraps = value >> 32;
    now->events[n] = (uint32_t)value;
    if (!wraps)
        return;
    now->overflow |= (uint64_t)1 << n;
    if (n % 2 == 0 && counts(v, n + 1) && (v->pmevtyper[n + 1] & 0x3ff) == CHAIN)
        add_events(v, now, n + 1, wraps);
}

/* D13.4.4: the cycle counter passed the end of 32 bits, or of 64 with PMCR_EL0.LC. */
static void add_cycles(const struct arm64_vcpu *v, struct now *now, uint64_t passed)
{
    uint64_t before = now->cycles;
    if (v->pmcr & PMCR_D) {
        passed += now->prescale;
        now->prescale = is_old(v) ? 0 : passed % 64;
        passed /= 64;
    }
    now->cycles += passed;
    bool wrapped = v->pmcr & PMCR_LC ? now->cycles < before : now->cycles >> 32 != before >> 32;
    now->overflow |= wrapped ? CYCLES : 0;
}

static struct now counters_now(const struct arm64_vcpu *v)
{
    struct now now = {
        .cycles = v->pmccntr_base, .overflow = v->pmovsset, .prescale = v->pmu_prescale};
    uint64_t cycles = engine_executed(v->cpu.world->engine) - v->pmccntr_since;
    uint64_t retired = retired_now(v) - v->pmu_retired_since;
    for (unsigned n = 0; n < PMU_EVENT_COUNTERS; n++)
        now.events[n] = v->pmevcntr[n];
    for (unsigned n = 0; n < counters(v); n++) {
        unsigned event = v->pmevtyper[n] & 0x3ff;
        if (counts(v, n) && (event == INST_RETIRED || event == CPU_CYCLES))
            add_events(v, &now, n, event == CPU_CYCLES ? cycles : retired);
    }
    if (counts(v, SELECT_CYCLES))
        add_cycles(v, &now, cycles);
    return now;
}

static void bring_up_to_date(struct arm64_vcpu *v)
{
    struct now now = counters_now(v);
    v->pmccntr_base = now.cycles;
    v->pmovsset = now.overflow;
    v->pmu_prescale = now.prescale;
    for (unsigned n = 0; n < PMU_EVENT_COUNTERS; n++)
        v->pmevcntr[n] = now.events[n];
    v->pmccntr_since = engine_executed(v->cpu.world->engine);
    v->pmu_retired_since = retired_now(v);
}

/* Interrupts -----------------------------------------------------------------------------------
 */

/* Instructions until the counter overflows, if they go on counting. */
static uint64_t until_overflow(const struct arm64_vcpu *v, const struct now *now, unsigned n)
{
    if (n == SELECT_CYCLES) {
        uint64_t left =
            v->pmcr & PMCR_LC ? 0 - now->cycles : ((uint64_t)1 << 32) - (uint32_t)now->cycles;
        if (!counts(v, n))
            return UINT64_MAX;
        if (!(v->pmcr & PMCR_D))
            return left ? left : UINT64_MAX;
        return left - 1 < UINT64_MAX / 64 - 1 ? left * 64 - now->prescale : UINT64_MAX;
    }
    unsigned event = v->pmevtyper[n] & 0x3ff;
    if (event == CHAIN && n % 2 == 1 && counts(v, n))
        return until_overflow(v, now, n - 1);
    bool advances = event == CPU_CYCLES || (event == INST_RETIRED && v->cpu.loaded);
    return counts(v, n) && advances ? ((uint64_t)1 << 32) - now->events[n] : UINT64_MAX;
}

static void arm(struct arm64_vcpu *v, const struct now *now)
{
    uint64_t left = UINT64_MAX, when = EVENT_NEVER;
    for (unsigned n = 0; n < 32; n++) {
        if (!(v->pmintenset >> n & 1) || !is_enabled(v, n))
            continue;
        uint64_t of_this = until_overflow(v, now, n);
        left = of_this < left ? of_this : left;
    }
    struct vtime time = *v->cpu.world->vtime;
    time.instructions = v->pmu_armed_at = engine_executed(v->cpu.world->engine);
    if (left < UINT64_MAX - vtime_ticks(&time))
        when = vtime_ticks(&time) + left;
    v->pmu_due_ticks = when;
    if (when == v->pmu_event.when_ticks)
        return;
    event_at(v->cpu.world->events, &v->pmu_event, when);
    engine_stop_soon(v->cpu.world->engine);
}

static bool line_changes(const struct arm64_vcpu *v)
{
    bool line = (v->pmcr & PMCR_E) && (v->pmovsset & v->pmintenset);
    return line != v->pmu_line;
}

static void set_line(struct arm64_vcpu *v)
{
    if (!line_changes(v))
        return;
    v->pmu_line = !v->pmu_line;
    v->cpu.world->set_line(v->cpu.world->context, v->cpu.index, CPU_LINE_PMU, v->pmu_line);
}

static bool any_filters(const struct arm64_vcpu *v)
{
    bool any = false;
    for (unsigned n = 0; n < 32; n++) {
        uint64_t filter = is_enabled(v, n) ? filter_of(v, n) & FILTER_MASK : 0;
        any |= filter == FILTER_EL0 || filter == FILTER_EL1;
    }
    return any;
}

/* After anything was written, with the counters up to date. */
static void changed(struct arm64_vcpu *v)
{
    if (is_old(v) || v->cpu.world->plays_exit_log)
        return;
    v->pmu_filters = any_filters(v);
    v->pmu_stale = false;
    set_line(v);
    struct now now = counters_now(v);
    arm(v, &now);
    watch_changed(v);
}

/* Where no instruction passed, the board is idle: the vCPU looks again when it runs. With an exit
 * log nothing is counted; what comes of it, and when the next one is due, is there. */
static void fire(void *context, uint64_t due_ticks)
{
    struct arm64_vcpu *v = context;
    v->pmu_due_ticks = EVENT_NEVER;
    struct now now = counters_now(v);
    if (now.overflow != v->pmovsset && !v->cpu.world->plays_exit_log)
        bring_up_to_date(v);
    v->cpu.world->pmu_due(v->cpu.world->context, v->cpu.index, due_ticks, line_changes(v));
    if (v->cpu.world->plays_exit_log)
        return;
    set_line(v);
    if (engine_executed(v->cpu.world->engine) != v->pmu_armed_at)
        arm(v, &now);
    else
        v->pmu_stale = true;
}

void pmu_add(struct arm64_vcpu *v)
{
    v->pmu_event = (struct event){.name = "performance monitors", .fire = fire, .context = v};
    event_add(v->cpu.world->events, &v->pmu_event);
    v->pmu_due_ticks = EVENT_NEVER;
}

bool pmu_looks_again(struct arm64_vcpu *v)
{
    if (!v->pmu_stale || is_old(v))
        return false;
    uint64_t before = v->pmu_event.when_ticks;
    changed(v);
    return v->pmu_event.when_ticks != before;
}

/* Exception levels -------------------------------------------------------------------------------
 */

static void change_level(struct arm64_vcpu *v, bool el0)
{
    bring_up_to_date(v);
    v->pmu_el0 = el0;
    changed(v);
}

bool pmu_level_changed(struct arm64_vcpu *v, uint64_t pstate)
{
    if (!v->pmu_filters || at_el0(pstate) == v->pmu_el0)
        return false;
    change_level(v, at_el0(pstate));
    return true;
}

void pmu_exception(struct arm64_vcpu *v, bool abandoned)
{
    v->retired -= abandoned;
    if (v->pmu_filters && v->pmu_el0)
        change_level(v, false);
}

/* Registers --------------------------------------------------------------------------------------
 */

static uint64_t identification(const struct arm64_vcpu *v)
{
    return (uint64_t)0x41 << 24 | (is_old(v) ? 0 : 1u << 16) | counters(v) << 11;
}

static uint64_t common_events(const struct arm64_vcpu *v)
{
    return is_old(v) ? 0 : 1u << SW_INCR | 1u << INST_RETIRED | 1u << CPU_CYCLES | 1u << CHAIN;
}

uint64_t pmu_read(const struct arm64_vcpu *v, enum pmu_register r, unsigned n)
{
    struct now now = counters_now(v);
    if (r == PMU_SELECTED_TYPE || r == PMU_SELECTED_COUNTER)
        n = (unsigned)v->pmselr;
    bool is_event = n < counters(v);
    switch (r) {
    case PMU_CONTROL:
        return v->pmcr | identification(v);
    case PMU_ENABLE_SET:
    case PMU_ENABLE_CLEAR:
        return v->pmcntenset;
    case PMU_INTEN_SET:
    case PMU_INTEN_CLEAR:
        return v->pmintenset;
    case PMU_OVERFLOW_SET:
    case PMU_OVERFLOW_CLEAR:
        return now.overflow;
    case PMU_CYCLE_COUNTER:
        return now.cycles;
    case PMU_CYCLE_FILTER:
        return v->pmccfiltr;
    case PMU_EVENTS:
        return common_events(v);
    case PMU_SELECTED_TYPE:
    case PMU_TYPE:
        if (n == SELECT_CYCLES && !is_old(v))
            return v->pmccfiltr;
        return is_event ? v->pmevtyper[n] : 0;
    case PMU_SELECTED_COUNTER:
    case PMU_COUNTER:
        return is_event ? now.events[n] : 0;
    case PMU_SOFTWARE_INCREMENT:
        break;
    }
    return 0;
}

static void write_control(struct arm64_vcpu *v, uint64_t value)
{
    if (value & PMCR_C) {
        v->pmccntr_base = 0;
        v->pmu_prescale = 0;
    }
    if (value & PMCR_P)
        for (unsigned n = 0; n < PMU_EVENT_COUNTERS; n++)
            v->pmevcntr[n] = 0;
    v->pmcr = value & 0x79; /* E, D, X, DP, LC; C and P read as zero */
}

static void increment(struct arm64_vcpu *v, uint64_t which)
{
    struct now now = counters_now(v);
    for (unsigned n = 0; n < counters(v); n++)
        if ((which >> n & 1) && counts(v, n) && (v->pmevtyper[n] & 0x3ff) == SW_INCR)
            add_events(v, &now, n, 1);
    for (unsigned n = 0; n < PMU_EVENT_COUNTERS; n++)
        v->pmevcntr[n] = now.events[n];
    v->pmovsset = now.overflow;
}

static void write_type(struct arm64_vcpu *v, unsigned n, uint64_t value)
{
    if (n == SELECT_CYCLES && !is_old(v))
        v->pmccfiltr = value & FILTER_MASK;
    else if (n < counters(v))
        v->pmevtyper[n] = (uint32_t)value & (FILTER_MASK | 0x3ff);
}

/* Which writes brought the cycle counter up to date on machines of the past. */
static bool was_up_to_date(enum pmu_register r)
{
    return r == PMU_CONTROL || r == PMU_ENABLE_SET || r == PMU_ENABLE_CLEAR ||
           r == PMU_CYCLE_COUNTER || r == PMU_OVERFLOW_CLEAR;
}

void pmu_write(struct arm64_vcpu *v, enum pmu_register r, unsigned n, uint64_t value)
{
    if (!is_old(v) || was_up_to_date(r))
        bring_up_to_date(v);
    if (r == PMU_SELECTED_TYPE || r == PMU_SELECTED_COUNTER)
        n = (unsigned)v->pmselr;
    v->pmu_el0 = at_el0(engine_mode(v->cpu.world->engine));
    switch (r) {
    case PMU_CONTROL:
        write_control(v, value);
        break;
    case PMU_ENABLE_SET:
        v->pmcntenset |= value & implemented(v);
        break;
    case PMU_ENABLE_CLEAR:
        v->pmcntenset &= ~value;
        break;
    case PMU_INTEN_SET:
        v->pmintenset |= value & implemented(v);
        break;
    case PMU_INTEN_CLEAR:
        v->pmintenset &= ~value;
        break;
    case PMU_OVERFLOW_SET:
        v->pmovsset |= value & implemented(v);
        break;
    case PMU_OVERFLOW_CLEAR:
        v->pmovsset &= ~value;
        break;
    case PMU_CYCLE_COUNTER:
        v->pmccntr_base = value;
        v->pmu_prescale = 0;
        break;
    case PMU_CYCLE_FILTER:
        v->pmccfiltr = value & (is_old(v) ? 0xfc000000 : FILTER_MASK);
        break;
    case PMU_SELECTED_TYPE:
    case PMU_TYPE:
        write_type(v, n, value);
        break;
    case PMU_SELECTED_COUNTER:
    case PMU_COUNTER:
        if (n < counters(v))
            v->pmevcntr[n] = (uint32_t)value;
        break;
    case PMU_SOFTWARE_INCREMENT:
        increment(v, value);
        break;
    case PMU_EVENTS:
        break;
    }
    changed(v);
}

/* PMUSERENR_EL0: EN, SW, CR, ER. */
bool pmu_el0_may(const struct arm64_vcpu *v, enum pmu_register r, bool is_read)
{
    unsigned bits = 1;
    if (r == PMU_SOFTWARE_INCREMENT && !is_read)
        bits |= 2;
    if (r == PMU_CYCLE_COUNTER && is_read)
        bits |= 4;
    if ((r == PMU_COUNTER || r == PMU_SELECTED_COUNTER) && is_read && !is_old(v))
        bits |= 8;
    return v->pmuserenr & bits;
}

/* State ------------------------------------------------------------------------------------------
 */

/* When the event is due, too: one that is early wakes who waits in WFE, as all events do. */
static const struct field pmu_fields[] = {
    FIELD_ARRAY(struct arm64_vcpu, pmevcntr),
    FIELD_ARRAY(struct arm64_vcpu, pmevtyper),
    FIELD(struct arm64_vcpu, retired),
    FIELD(struct arm64_vcpu, pmu_retired_since),
    FIELD_UP_TO(struct arm64_vcpu, pmu_prescale, 63),
    FIELD(struct arm64_vcpu, pmu_line),
    FIELD(struct arm64_vcpu, pmu_el0),
    FIELD(struct arm64_vcpu, pmu_due_ticks),
    FIELD(struct arm64_vcpu, pmu_armed_at),
    FIELD(struct arm64_vcpu, pmu_stale),
    FIELD_END,
};

void pmu_visit(struct arm64_vcpu *v, struct state *s)
{
    if (is_old(v))
        return;
    if (!state_restores(s))
        pmu_unload(v); /* `retired` as of now */
    state_fields(s, pmu_fields, v);
}

void pmu_reset(struct arm64_vcpu *v)
{
    v->pmcr = v->pmcntenset = v->pmuserenr = v->pmintenset = v->pmovsset = 0;
    v->pmselr = v->pmccfiltr = 0;
    v->pmccntr_base = 0;
    v->pmu_prescale = 0;
    memset(v->pmevcntr, 0, sizeof v->pmevcntr);
    memset(v->pmevtyper, 0, sizeof v->pmevtyper);
    v->pmccntr_since = engine_executed(v->cpu.world->engine);
    v->pmu_retired_since = retired_now(v);
    changed(v);
}

void pmu_resume(struct arm64_vcpu *v)
{
    v->retired_since = engine_executed(v->cpu.world->engine);
    if (is_old(v) || v->cpu.world->plays_exit_log)
        return;
    v->pmu_filters = any_filters(v);
    event_at(v->cpu.world->events, &v->pmu_event, v->pmu_due_ticks);
}
