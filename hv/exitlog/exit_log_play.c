/* An exit log as the guest: it says when the loaded vCPU does something, and this does it. */
#include "cpu/exitlog/engine_exit_log.h"
#include "hv/exitlog/exit_log.h"

static const struct sched_entity *running(const struct exit_log *s)
{
    return &s->board->schedule.turns[s->board->schedule.current];
}

static bool is_act(const struct exit_log_entry *entry)
{
    return entry->kind == EXIT_LOG_EXIT || entry->kind == EXIT_LOG_TIMER ||
           entry->kind == EXIT_LOG_TURN || entry->kind == EXIT_LOG_LOOP ||
           entry->kind == EXIT_LOG_WAIT || entry->kind == EXIT_LOG_PMU;
}

static bool is_of_running(const struct exit_log *s)
{
    const struct sched_entity *t = running(s);
    return s->head.vm == t->vm->number && s->head.vcpu == t->vcpu->index;
}

/* What is no act was due before this run: it has not come. */
static void leave_out_missed(struct exit_log *s)
{
    while (s->has_head && !is_act(&s->head) &&
           s->head.instructions <= engine_executed(s->board->engine))
        exit_log_missed(s);
}

/* What happens in an instruction that is no exit, or between two, is told before the next one
 * counts; all else behind it. */
static bool is_before_it_counts(const struct exit_log_entry *entry)
{
    return entry->kind == EXIT_LOG_TIMER || entry->kind == EXIT_LOG_PMU;
}

static uint64_t next(void *context)
{
    struct exit_log *s = context;
    leave_out_missed(s);
    if (!s->has_head || s->is_lost)
        return UINT64_MAX;
    return s->head.instructions + is_before_it_counts(&s->head);
}

static void do_exits(struct exit_log *s, struct vcpu *v)
{
    struct engine *e = s->board->engine;
    uint64_t instructions = s->head.instructions;
    do {
        struct exit_log_entry entry = s->head;
        engine_set_pc(e, entry.exit.x.pc.v);
        const struct arch *arch = v->world->arch;
        for (unsigned i = 0; i < arch->argument_count; i++)
            engine_set(e, arch->argument_ids[i], entry.exit.call[i]);
        v->world->exit(v->world->context, v, &entry.exit.x);
    } while (s->has_head && s->head.kind == EXIT_LOG_EXIT && s->head.instructions == instructions &&
             s->head.exit.x.reason != EXIT_HALT && is_of_running(s));
}

/* An exception that repeats may have come of the exit: its turn ended there, with it. */
static enum engine_stop end_exits(struct exit_log *s, struct vcpu *v, uint64_t instructions)
{
    if (!s->has_head || s->head.kind != EXIT_LOG_LOOP || s->head.instructions != instructions ||
        !is_of_running(s))
        return ENGINE_SOFT;
    v->repeats = true;
    return ENGINE_TURN;
}

static enum engine_stop do_act(struct exit_log *s, struct vcpu *v)
{
    struct engine *e = s->board->engine;
    uint64_t instructions = s->head.instructions;
    switch (s->head.kind) {
    case EXIT_LOG_EXIT:
        if (s->head.exit.x.reason == EXIT_HALT && !s->head.exit.x.value) {
            engine_set_pc(e, s->head.exit.x.next_pc.v);
            return ENGINE_HALT;
        }
        do_exits(s, v);
        return end_exits(s, v, instructions);
    case EXIT_LOG_TIMER:
        engine_uncount_attempt(e);
        vcpu_write_timer(v, s->head.timer.number, s->head.timer.reg, s->head.timer.value);
        engine_count_attempt(e);
        return ENGINE_SOFT;
    case EXIT_LOG_LOOP:
        v->repeats = true;
        return ENGINE_TURN;
    case EXIT_LOG_WAIT:
        vcpu_wait(v, &s->head.wait);
        return ENGINE_WAIT;
    default:
        return ENGINE_TURN;
    }
}

/* Of any vCPU: monitors may count what others execute. */
static enum engine_stop change_pmu_line(struct exit_log *s)
{
    struct engine *e = s->board->engine;
    const struct vcpu *v = exit_log_vcpu(s);
    if (!v) {
        exit_log_lose(s);
        return ENGINE_SOFT;
    }
    engine_uncount_attempt(e);
    v->world->set_line(v->world->context, v->index, CPU_LINE_PMU, s->head.pmu);
    engine_count_attempt(e);
    return ENGINE_SOFT;
}

static enum engine_stop act(void *context)
{
    struct exit_log *s = context;
    if (!is_act(&s->head)) /* up to the board */
        return ENGINE_SOFT;
    if (s->head.kind == EXIT_LOG_PMU)
        return change_pmu_line(s);
    if (!is_of_running(s)) {
        exit_log_lose(s);
        return ENGINE_SOFT;
    }
    return do_act(s, running(s)->vcpu);
}

struct engine *exit_log_engine(struct exit_log *s, struct board *b)
{
    struct engine_exit_log exit_log = {.next = next, .act = act, .context = s};
    s->board = b;
    return engine_exit_log_new(&exit_log);
}
