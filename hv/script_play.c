/* A script as the guest: it says when the loaded vCPU does something, and this does it. */
#include "cpu/arm64.h"
#include "cpu/engine_script.h"
#include "hv/script.h"

static const struct turn *running(const struct script *s)
{
    return &s->board->schedule.turns[s->board->schedule.current];
}

static bool is_act(const struct script_entry *entry)
{
    return entry->kind == SCRIPT_EXIT || entry->kind == SCRIPT_TIMER ||
           entry->kind == SCRIPT_TURN || entry->kind == SCRIPT_LOOP || entry->kind == SCRIPT_WAIT ||
           entry->kind == SCRIPT_PMU;
}

static bool is_of_running(const struct script *s)
{
    const struct turn *t = running(s);
    return s->head.vm == t->vm->number && s->head.vcpu == t->vcpu->index;
}

/* What is no act was due before this run: it has not come. */
static void leave_out_missed(struct script *s)
{
    while (s->has_head && !is_act(&s->head) &&
           s->head.instructions <= engine_executed(s->board->engine))
        script_missed(s);
}

/* What happens in an instruction that is no exit, or between two, is told before the next one
 * counts; all else behind it. */
static bool is_before_it_counts(const struct script_entry *entry)
{
    return entry->kind == SCRIPT_TIMER || entry->kind == SCRIPT_PMU;
}

static uint64_t next(void *context)
{
    struct script *s = context;
    leave_out_missed(s);
    if (!s->has_head || s->is_lost)
        return UINT64_MAX;
    return s->head.instructions + is_before_it_counts(&s->head);
}

static void do_exits(struct script *s, struct vcpu *v)
{
    struct engine *e = s->board->engine;
    uint64_t instructions = s->head.instructions;
    do {
        struct script_entry entry = s->head;
        engine_set_pc(e, entry.exit.x.pc.v);
        for (unsigned i = 0; i < SCRIPT_CALL_REGISTERS; i++)
            engine_set_x(e, i, entry.exit.call[i]);
        v->world->exit(v->world->context, v, &entry.exit.x);
    } while (s->has_head && s->head.kind == SCRIPT_EXIT && s->head.instructions == instructions &&
             s->head.exit.x.reason != EXIT_WFI && is_of_running(s));
}

/* An exception that repeats may have come of the exit: its turn ended there, with it. */
static enum engine_stop end_exits(struct script *s, struct vcpu *v, uint64_t instructions)
{
    if (!s->has_head || s->head.kind != SCRIPT_LOOP || s->head.instructions != instructions ||
        !is_of_running(s))
        return ENGINE_SOFT;
    v->repeats = true;
    return ENGINE_TURN;
}

static enum engine_stop do_act(struct script *s, struct vcpu *v)
{
    struct engine *e = s->board->engine;
    uint64_t instructions = s->head.instructions;
    switch (s->head.kind) {
    case SCRIPT_EXIT:
        if (s->head.exit.x.reason == EXIT_WFI && !s->head.exit.x.value) {
            engine_set_pc(e, s->head.exit.x.pc.v + 4);
            return ENGINE_HALT;
        }
        do_exits(s, v);
        return end_exits(s, v, instructions);
    case SCRIPT_TIMER:
        engine_uncount_attempt(e);
        vcpu_write_timer(v, s->head.timer.physical, s->head.timer.op2, s->head.timer.value);
        engine_count_attempt(e);
        return ENGINE_SOFT;
    case SCRIPT_LOOP:
        v->repeats = true;
        return ENGINE_TURN;
    case SCRIPT_WAIT:
        vcpu_wait(v, &s->head.wait);
        return ENGINE_WAIT;
    default:
        return ENGINE_TURN;
    }
}

/* Of any vCPU: monitors may count what others execute. */
static enum engine_stop change_pmu_line(struct script *s)
{
    const struct board *b = s->board;
    if (s->head.vm >= b->vm_count || s->head.vcpu >= b->vms[s->head.vm]->vcpu_count) {
        script_lose(s);
        return ENGINE_SOFT;
    }
    const struct vcpu_world *world = &b->vms[s->head.vm]->world;
    engine_uncount_attempt(b->engine);
    world->ppi(world->context, s->head.vcpu, PPI_PMU, s->head.pmu);
    engine_count_attempt(b->engine);
    return ENGINE_SOFT;
}

static enum engine_stop act(void *context)
{
    struct script *s = context;
    if (!is_act(&s->head)) /* up to the board */
        return ENGINE_SOFT;
    if (s->head.kind == SCRIPT_PMU)
        return change_pmu_line(s);
    if (!is_of_running(s)) {
        script_lose(s);
        return ENGINE_SOFT;
    }
    return do_act(s, running(s)->vcpu);
}

struct engine *script_engine(struct script *s, struct board *b)
{
    struct engine_script script = {.next = next, .act = act, .context = s};
    s->board = b;
    return engine_script_new(&script);
}
