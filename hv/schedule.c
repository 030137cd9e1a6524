#include "hv/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "emu/check.h"
#include "hv/board.h"

static uint64_t all_pcpus(const struct schedule *s)
{
    return s->pcpu_count == 64 ? UINT64_MAX : ((uint64_t)1 << s->pcpu_count) - 1;
}

void schedule_init(struct schedule *s, size_t turns, unsigned pcpus, const struct vtime *vtime)
{
    *s = (struct schedule){.pcpu_count = pcpus, .vtime = vtime, .current = SCHEDULE_NONE};
    s->current_pcpu = pcpus - 1; /* the first is next */
    s->turns = calloc(turns, sizeof *s->turns);
    s->placed = calloc(turns, sizeof *s->placed);
    CHECK(pcpus <= SCHEDULE_PCPUS_MAX);
    CHECK_ROOM(s->turns && s->placed);
    for (unsigned i = 0; i < SCHEDULE_PCPUS_MAX; i++)
        s->on_pcpu[i] = SCHEDULE_NONE;
}

void schedule_free(struct schedule *s)
{
    free(s->turns);
    free(s->placed);
    *s = (struct schedule){0};
}

/* Sporadic vCPUs: POSIX.1-2017, 2.8.4, "SCHED_SPORADIC" -------------------------------------------
 */

static bool is_sporadic(const struct sched_entity *t)
{
    return t->config->policy == 's';
}

/* Or the last tick there is. */
static uint64_t ticks_of(const struct schedule *s, uint64_t ns)
{
    unsigned __int128 ticks = (unsigned __int128)ns * s->vtime->rate_hz / 1000000000;
    return ticks < UINT64_MAX ? (uint64_t)ticks : UINT64_MAX;
}

/* What was used is given back a period after its use began. With as many replenishments on their
 * way as there may be, it is given back with the last of them. */
static void promise(const struct schedule *s, struct sched_entity *t)
{
    struct sporadic *p = &t->sporadic;
    if (!p->used)
        return;
    uint64_t most = t->config->sporadic[1], period = ticks_of(s, t->config->sporadic[2]);
    if (most > SPORADIC_PENDING_MAX)
        most = SPORADIC_PENDING_MAX;
    uint64_t when = period < UINT64_MAX - p->active_from ? p->active_from + period : UINT64_MAX;
    if (p->pending_count < most)
        p->pending[p->pending_count++] = (struct replenishment){.when_ticks = when};
    p->pending[p->pending_count - 1].when_ticks = when;
    p->pending[p->pending_count - 1].amount += p->used;
    p->used = 0;
}

static void replenish(struct sporadic *p, uint64_t now)
{
    unsigned due = 0;
    while (due < p->pending_count && p->pending[due].when_ticks <= now)
        p->budget += p->pending[due++].amount;
    p->pending_count -= due;
    memmove(p->pending, p->pending + due, p->pending_count * sizeof p->pending[0]);
}

static void use_budget(struct schedule *s, struct sched_entity *t, uint64_t instructions)
{
    struct sporadic *p = &t->sporadic;
    if (!is_sporadic(t) || !p->budget || !instructions)
        return;
    uint64_t used = instructions < p->budget ? instructions : p->budget;
    if (!p->used)
        p->active_from = vtime_ticks(s->vtime) - instructions;
    p->used += used;
    p->budget -= used;
    if (!p->budget)
        promise(s, t);
}

static unsigned priority_of(const struct sched_entity *t)
{
    return is_sporadic(t) && !t->sporadic.budget ? (unsigned)t->config->sporadic[0]
                                                 : t->config->priority;
}

/* The choice --------------------------------------------------------------------------------------
 */

void schedule_add(struct schedule *s, struct vcpu *v, struct vm *vm,
                  const struct cpu_config *config, uint64_t allowed)
{
    uint64_t all = all_pcpus(s);
    struct sched_entity *t = &s->turns[s->turn_count++];
    *t = (struct sched_entity){.vcpu = v, .vm = vm, .config = config, .allowed = allowed & all};
    if (!t->allowed)
        t->allowed = all;
    s->has_bound |= t->allowed != all;
    if (is_sporadic(t))
        t->sporadic.budget = ticks_of(s, config->sporadic[3]);
}

static bool can_run(const struct sched_entity *t)
{
    return !t->vm->ended && vcpu_is_runnable(t->vcpu);
}

static unsigned pcpu_of(const struct schedule *s, uint32_t turn)
{
    unsigned i = 0;
    while (i < s->pcpu_count && s->on_pcpu[i] != turn)
        i++;
    return i;
}

/* Those that halted leave their CPU; a sporadic one is promised what it used. */
static void look_around(struct schedule *s)
{
    uint64_t now = vtime_ticks(s->vtime);
    for (size_t i = 0; i < s->turn_count; i++) {
        struct sched_entity *t = &s->turns[i];
        if (!is_sporadic(t))
            continue;
        if (!can_run(t))
            promise(s, t);
        replenish(&t->sporadic, now);
    }
    for (unsigned i = 0; i < s->pcpu_count; i++)
        if (s->on_pcpu[i] != SCHEDULE_NONE && !can_run(&s->turns[s->on_pcpu[i]]))
            s->on_pcpu[i] = SCHEDULE_NONE;
}

/* Among equals: who holds a CPU keeps it, unless its quantum is over and it is not FIFO. */
static bool keeps_its_pcpu(const struct schedule *s, uint32_t i)
{
    bool over = i == s->current && s->current_is_over && s->turns[i].config->policy != 'f';
    return !over && pcpu_of(s, i) < s->pcpu_count;
}

/* The most important that can run and has not been looked at; equals in turn from behind the
 * current one. */
static uint32_t most_important(const struct schedule *s)
{
    uint32_t best = SCHEDULE_NONE;
    bool best_keeps = false;
    size_t from = s->current == SCHEDULE_NONE ? 0 : s->current + 1;
    for (size_t k = 0; k < s->turn_count; k++) {
        uint32_t i = (uint32_t)((from + k) % s->turn_count);
        if (s->placed[i] || !can_run(&s->turns[i]))
            continue;
        bool keeps = keeps_its_pcpu(s, i);
        unsigned priority = priority_of(&s->turns[i]);
        unsigned best_priority = best == SCHEDULE_NONE ? 0 : priority_of(&s->turns[best]);
        if (best != SCHEDULE_NONE &&
            (priority < best_priority || (priority == best_priority && (best_keeps || !keeps))))
            continue;
        best = i;
        best_keeps = keeps;
    }
    return best;
}

/* How many others, bound to some CPUs, could run on this one and have none yet. */
static unsigned wanted_by(const struct schedule *s, uint32_t turn, unsigned pcpu)
{
    unsigned others = 0;
    uint64_t all = all_pcpus(s);
    for (uint32_t i = 0; s->has_bound && i < s->turn_count; i++) {
        const struct sched_entity *t = &s->turns[i];
        others +=
            i != turn && !s->placed[i] && t->allowed != all && t->allowed >> pcpu & 1 && can_run(t);
    }
    return others;
}

/* The CPU it holds, if that is free: the choice must be the same when it is asked again, which may
 * be at any time. Who holds none gets, of the free ones, the first that fewest others are bound to.
 */
static unsigned place(const struct schedule *s, uint32_t turn, uint64_t free_pcpus)
{
    uint64_t choice = s->turns[turn].allowed & free_pcpus;
    unsigned held = pcpu_of(s, turn), best = s->pcpu_count, best_wanted = UINT32_MAX;
    if (held < s->pcpu_count && choice >> held & 1)
        return held;
    for (unsigned i = 0; i < s->pcpu_count; i++) {
        unsigned wanted = choice >> i & 1 ? wanted_by(s, turn, i) : UINT32_MAX;
        if (wanted < best_wanted) {
            best = i;
            best_wanted = wanted;
        }
    }
    return best;
}

/* Gives the CPUs to the most important. Returns the highest priority that found none. */
static unsigned place_all(struct schedule *s)
{
    uint64_t free_pcpus = all_pcpus(s);
    uint32_t on_pcpu[SCHEDULE_PCPUS_MAX];
    unsigned left_out = 0;
    memset(s->placed, 0, s->turn_count * sizeof *s->placed);
    for (unsigned i = 0; i < s->pcpu_count; i++)
        on_pcpu[i] = SCHEDULE_NONE;
    for (uint32_t turn; (turn = most_important(s)) != SCHEDULE_NONE;) {
        unsigned pcpu = place(s, turn, free_pcpus);
        s->placed[turn] = true; /* looked at */
        if (pcpu < s->pcpu_count) {
            on_pcpu[pcpu] = turn;
            free_pcpus &= ~((uint64_t)1 << pcpu);
        } else if (priority_of(&s->turns[turn]) > left_out) {
            left_out = priority_of(&s->turns[turn]);
        }
        if (!free_pcpus && left_out)
            break;
    }
    memcpy(s->on_pcpu, on_pcpu, s->pcpu_count * sizeof on_pcpu[0]);
    return left_out;
}

/* The CPUs in turn from behind the one that was served last, which comes last, or first while its
 * vCPU has a quantum. */
static unsigned order_of(const struct schedule *s, unsigned pcpu)
{
    if (s->on_pcpu[pcpu] == s->current && !s->current_is_over)
        return 0;
    return (pcpu + s->pcpu_count - s->current_pcpu - 1) % s->pcpu_count + 1;
}

/* Does another one wait for an event, which only the end of this one's turn may send? */
static bool others_wait_for_event(const struct schedule *s, const struct sched_entity *turn)
{
    for (const struct sched_entity *t = s->turns; t < s->turns + s->turn_count; t++)
        if (t != turn && t->vcpu->on && t->vcpu->wait.is_on && !t->vm->ended)
            return true;
    return false;
}

struct choice schedule_choose(struct schedule *s)
{
    struct choice c = {0};
    /* One vCPU that has its CPU and goes on: most of all choices. */
    bool alone = s->turn_count == 1 && !is_sporadic(&s->turns[0]);
    if (alone && s->on_pcpu[s->current_pcpu] == 0 && can_run(&s->turns[0]))
        return (struct choice){.turn = &s->turns[0]};
    look_around(s);
    unsigned left_out = place_all(s), chosen = s->pcpu_count, busy = 0;
    for (unsigned i = 0; i < s->pcpu_count; i++) {
        if (s->on_pcpu[i] == SCHEDULE_NONE)
            continue;
        busy++;
        if (chosen == s->pcpu_count || order_of(s, i) < order_of(s, chosen))
            chosen = i;
    }
    if (!busy)
        return c;
    c.turn = &s->turns[s->on_pcpu[chosen]];
    c.others_wait = busy > 1 ||
                    (left_out == priority_of(c.turn) && c.turn->config->policy != 'f') ||
                    others_wait_for_event(s, c.turn);
    return c;
}

void schedule_begin(struct schedule *s, const struct sched_entity *turn, uint64_t quantum)
{
    uint32_t i = (uint32_t)(turn - s->turns);
    if (i != s->current || s->current_is_over)
        s->quantum_end = s->vtime->instructions + quantum;
    s->current = i;
    s->current_pcpu = pcpu_of(s, i);
    s->current_is_over = false;
}

void schedule_shorten(struct schedule *s, uint64_t end)
{
    if (end < s->quantum_end)
        s->quantum_end = end;
}

uint64_t schedule_budget(const struct schedule *s, const struct sched_entity *turn)
{
    uint64_t budget =
        is_sporadic(turn) && turn->sporadic.budget ? turn->sporadic.budget : UINT64_MAX;
    uint64_t now = vtime_ticks(s->vtime);
    for (size_t i = 0; i < s->turn_count; i++) {
        const struct sporadic *p = &s->turns[i].sporadic;
        if (p->pending_count && p->pending[0].when_ticks - now < budget)
            budget = p->pending[0].when_ticks - now;
    }
    return budget;
}

void schedule_account(struct schedule *s, struct sched_entity *turn, uint64_t instructions,
                      bool over)
{
    turn->executed += instructions;
    use_budget(s, turn, instructions);
    s->current_is_over = over;
}

/* State -------------------------------------------------------------------------------------------
 */

static void visit_sporadic(struct sporadic *p, struct state *s)
{
    p->budget = state_value(s, "budget", p->budget, 8);
    p->active_from = state_value(s, "since when it uses that", p->active_from, 8);
    p->used = state_value(s, "what it used since then", p->used, 8);
    p->pending_count = (uint32_t)state_count(s, "a sporadic budget's replenishments",
                                             p->pending_count, 1, SPORADIC_PENDING_MAX);
    for (unsigned i = 0; i < p->pending_count; i++) {
        struct replenishment *r = &p->pending[i];
        r->when_ticks = state_numbered(s, "when replenishment %u comes", i, r->when_ticks, 8);
        r->amount = state_numbered(s, "what replenishment %u gives", i, r->amount, 8);
    }
}

/* A turn, or SCHEDULE_NONE. */
static void check_turn(const struct schedule *schedule, struct state *s, uint32_t turn,
                       const char *name)
{
    if (turn != SCHEDULE_NONE && turn >= schedule->turn_count)
        state_refuse(s, name);
}

void schedule_visit(struct schedule *schedule, struct state *s)
{
    schedule->quantum_end = state_value(s, "end of the quantum", schedule->quantum_end, 8);
    schedule->current_is_over =
        state_bool(s, "whether the turn is over", schedule->current_is_over);
    schedule->current = (uint32_t)state_value(s, "whose turn it is", schedule->current, 4);
    check_turn(schedule, s, schedule->current, "whose turn it is");
    schedule->current_pcpu = (uint32_t)state_up_to(s, "on which CPU", schedule->current_pcpu, 4,
                                                   schedule->pcpu_count - 1);
    for (unsigned i = 0; i < schedule->pcpu_count; i++) {
        uint32_t *turn = &schedule->on_pcpu[i];
        *turn = (uint32_t)state_numbered(s, "who is on CPU %u", i, *turn, 4);
        check_turn(schedule, s, *turn, "who is on a CPU");
    }
    for (unsigned i = 0; i < schedule->turn_count; i++) {
        struct sched_entity *t = &schedule->turns[i];
        t->in_guest &= !state_restores(s);
        state_within(s, "turn %u: ", i);
        if (is_sporadic(t))
            visit_sporadic(&t->sporadic, s);
    }
    state_within(s, NULL, 0);
}
