/* The board's run loop. One vCPU runs at a time; what happens next is a function of configuration
 * and virtual time alone:
 *
 *   1. inputs due at this tick, then events due at or before it, in their fixed order
 *   2. the schedule (schedule.h); a turn ends when its quantum is over (at the next taken branch),
 *      when the vCPU halts or waits; under chaos otherwise (chaos.h)
 *   3. the vCPU runs, at most until the next input, event, digest or limit
 *
 * With every vCPU halted, waiting, or taking the same exception for ever (hang.c), time moves to
 * the next event at once. */
#include <inttypes.h>

#include "emu/machine.h"
#include "hv/hv_internal.h"
#include "hv/exitlog/exit_log.h"

#define POLL_TICKS 1000000 /* how often a live host is asked for input */
#define LOOK_TICKS 50000   /* how often whoever may want a pause is asked at least */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Event registers -------------------------------------------------------------------------------
 */

/* To every vCPU but that one. Whatever may have changed memory or the state of another vCPU counts
 * as what clears an exclusive monitor or as a SEV: that is a wake-up too many at times (D1.16.1
 * allows any), never one too few. */
static void send_events(struct board *b, const struct vcpu *but)
{
    for (size_t i = 0; i < b->schedule.turn_count; i++)
        if (b->schedule.turns[i].vcpu != but)
            vcpu_send_event(b->schedule.turns[i].vcpu);
}

/* Behind events and inputs: whoever waits for an event, or takes the same exception for ever. */
static void wake_all(struct board *b)
{
    send_events(b, NULL);
    hang_try_again(b);
}

/* Inputs ------------------------------------------------------------------------------------------
 */

/* Everything the journal has for this tick; true if there was anything. */
static bool poll_inputs(struct board *b)
{
    uint64_t now = vtime_ticks(&b->vtime);
    bool any = false;
    struct push p;
    b->next_poll = now + POLL_TICKS;
    while (journal_push(b->journal, now, &p)) {
        input_deliver(b, &p);
        any = true;
    }
    if (any)
        wake_all(b);
    return any;
}

static void deliver_inputs(struct board *b)
{
    uint64_t now = vtime_ticks(&b->vtime);
    bool is_live = journal_can_wait(b->journal);
    if (!is_live || now >= b->next_poll || now >= journal_next_tick(b->journal))
        poll_inputs(b);
}

/* Running -----------------------------------------------------------------------------------------
 */

static void fire_events(struct board *b)
{
    uint64_t now = vtime_ticks(&b->vtime);
    if (event_next(&b->events) > now)
        return;
    event_fire_due(&b->events, now);
    wake_all(b);
}

uint64_t run_next_due(const struct board *b)
{
    return least(event_next(&b->events), journal_next_tick(b->journal));
}

/* Older machines went on where the next fetch fails, unless the user alone wants to stop there. */
static enum engine_fetch fetch_for(const struct board *b, bool is_users)
{
    if (!(b->options.quirks & QUIRK_FETCHES_FIRST))
        return ENGINE_FETCH_LAST;
    return is_users ? ENGINE_FETCH_IF_ALONE : ENGINE_FETCH_FIRST;
}

static struct engine_budget budget_for(struct board *b, const struct choice *c)
{
    uint64_t now = vtime_ticks(&b->vtime);
    b->run_until = least(run_next_due(b), least(b->options.limit_ticks, b->next_snapshot_ticks));
    uint64_t exact = b->run_until > now ? b->run_until - now : 0;
    uint64_t instructions = b->vtime.instructions;
    exact = least(exact, schedule_budget(&b->schedule, c->turn));
    exact = least(exact, least(b->next_digest, b->next_injection) - instructions);
    exact = least(exact, b->options.limit_instructions - instructions);
    uint64_t turn =
        b->schedule.quantum_end > instructions ? b->schedule.quantum_end - instructions : 0;
    if (b->options.chaos.on)
        exact = least(exact, turn);
    uint64_t users = least(b->next_snapshot, b->pause_at) - instructions;
    return (struct engine_budget){
        .exact = least(exact, users),
        .fetch = fetch_for(b, users < exact),
        .soft = b->wants_pause                 ? LOOK_TICKS
                : journal_can_wait(b->journal) ? POLL_TICKS
                                               : UINT64_MAX,
        .turn = c->others_wait && !b->options.chaos.on ? turn : UINT64_MAX,
    };
}

static void take_digest_if_due(struct board *b)
{
    if (b->vtime.instructions < b->next_digest)
        return;
    b->next_digest += b->options.digest_every;
    if (b->sinks.digest)
        b->sinks.digest(b->sinks.context, b->vtime.instructions, board_digest(b));
}

static void take_snapshot_if_due(struct board *b)
{
    bool by_time = vtime_ticks(&b->vtime) >= b->next_snapshot_ticks;
    if (b->vtime.instructions < b->next_snapshot && !by_time && !b->snapshot_wanted)
        return;
    b->save_wanted |= by_time || b->vtime.instructions == b->options.snapshot_at;
    b->snapshot_wanted = false;
    if (b->sinks.snapshot)
        b->sinks.snapshot(b->sinks.context, b);
    b->save_wanted = false;
    snapshot_plan(b);
}

/* The event stream is asked when nobody runs. While somebody does, waits end with turns, which are
 * shorter than its usual period, and stops for it in the midst of a turn would cost more than they
 * are worth. */
static uint64_t next_stream_event(const struct board *b)
{
    uint64_t next = EVENT_NEVER;
    for (size_t i = 0; i < b->schedule.turn_count; i++) {
        const struct sched_entity *t = &b->schedule.turns[i];
        if (t->vcpu->on && t->vcpu->wait.is_on && !t->vm->ended)
            next = least(next, t->vcpu->wait.until_ticks);
    }
    return next;
}

static void send_stream_events(struct board *b)
{
    for (size_t i = 0; i < b->schedule.turn_count; i++) {
        struct vcpu *v = b->schedule.turns[i].vcpu;
        if (v->wait.is_on && v->wait.until_ticks <= vtime_ticks(&b->vtime))
            vcpu_send_event(v);
    }
}

/* Only an input can end the wait. Time passes with it, and only then: a replay goes straight to the
 * tick of the input. Without one nothing has happened. */
static bool wait_for_ever(struct board *b, uint64_t passed_ns)
{
    uint64_t ticks = vtime_scale(passed_ns, b->vtime.rate_hz, 1000000000) + 1;
    b->vtime.idle_ticks += ticks;
    if (!poll_inputs(b)) {
        b->vtime.idle_ticks -= ticks;
        journal_ask_again(b->journal);
    }
    return true;
}

/* Nothing will happen but that input is offered again to devices that have no room for it: since
 * nobody runs who could make some, that is nothing. */
static bool is_stuck_with_input(const struct board *b)
{
    return !(b->options.quirks & QUIRK_INPUT_WAITS) && input_is_all_that_waits(b) &&
           next_stream_event(b) == EVENT_NEVER;
}

/* Everybody is halted: to the next thing that happens. False: nothing ever will. A live host may
 * say that only part of the time has passed (it has input to offer), or let the wait take none at
 * all: then one tick goes by, because inputs are asked for once per tick. */
static bool idle(struct board *b)
{
    bool is_stuck = is_stuck_with_input(b);
    if (is_stuck && input_offer_again(b)) {
        wake_all(b);
        return true;
    }
    uint64_t now = vtime_ticks(&b->vtime);
    uint64_t next = is_stuck ? journal_next_tick(b->journal) : run_next_due(b);
    next = least(next, least(b->options.limit_ticks, b->next_snapshot_ticks));
    next = least(next, next_stream_event(b));
    uint64_t reached = least(next, b->end_ticks);
    uint64_t ticks = reached > now ? reached - now : 0;
    if (journal_can_wait(b->journal)) {
        uint64_t ns =
            next == EVENT_NEVER ? UINT64_MAX : vtime_scale(ticks, 1000000000, b->vtime.rate_hz);
        uint64_t passed_ns = 0;
        if (!b->sinks.idle(b->sinks.context, ns, &passed_ns))
            return false;
        b->next_poll = 0;
        if (next == EVENT_NEVER)
            return wait_for_ever(b, passed_ns);
        if (passed_ns < ns)
            ticks = least(ticks, vtime_scale(passed_ns, b->vtime.rate_hz, 1000000000) + 1);
    } else if (next == EVENT_NEVER) {
        return false;
    }
    b->vtime.idle_ticks += ticks;
    send_stream_events(b);
    return true;
}

static void end_all(struct board *b, int status, const char *why)
{
    for (size_t i = 0; i < b->vm_count; i++) {
        vm_end(b->vms[i], status, "%s", why);
        b->vms[i]->may_restart = false;
    }
}

/* Dumps that are due. Whoever has ended lets go of what others hold; then the user's policy. A VM
 * that powered itself off is not started again. */
static void finish_ended(struct board *b)
{
    for (size_t i = 0; i < b->vm_count; i++) {
        struct vm *vm = b->vms[i];
        if (vm->dump_why[0]) {
            dump_write(vm, vm->dump_why);
            vm->dump_why[0] = 0;
        }
        if (!vm->ended || vm->finished)
            continue;
        vm_finish(vm);
        if (b->options.on_exit == ON_EXIT_RESTART && vm->may_restart)
            restart_vm(vm);
        else if (b->options.on_exit == ON_EXIT_STOP)
            end_all(b, STATUS_OK, "stopped, as another VM has ended");
    }
}

static bool all_ended(const struct board *b)
{
    for (size_t i = 0; i < b->vm_count; i++)
        if (!b->vms[i]->ended)
            return false;
    return true;
}

static bool limit_is_reached(struct board *b)
{
    if (b->memory.is_damaged) {
        end_all(b, STATUS_NOT_STARTED, "the snapshot's memory is damaged");
        return true;
    }
    bool insns = b->vtime.instructions >= b->options.limit_instructions;
    bool is_end = vtime_ticks(&b->vtime) >= b->end_ticks;
    if (!insns && !is_end && vtime_ticks(&b->vtime) < b->options.limit_ticks)
        return false;
    hang_end_by_limit(b, insns    ? "instruction limit reached"
                         : is_end ? "virtual time is at its end"
                                  : "time limit reached");
    return true;
}

/* Interrupts and the like are taken without time passing, but not for ever: were the CPU and the
 * engine to disagree about who acts next, they would wait for each other. */
#define STUCK_TURNS 10000

static bool is_stuck(struct board *b)
{
    uint64_t now = vtime_ticks(&b->vtime);
    b->turns_at_tick = now == b->last_tick ? b->turns_at_tick + 1 : 0;
    b->last_tick = now;
    return b->turns_at_tick >= STUCK_TURNS;
}

/* What no architecture defines, confined to the VM that runs. */
static void check_vm(struct board *b, struct vm *vm, struct vcpu *v, enum engine_stop why)
{
    uint64_t pc = engine_pc(b->engine);
    if (is_stuck(b)) {
        b->turns_at_tick = 0;
        vm_safe_state(vm, "vCPU %u does not get on at PC %#" PRIx64, v->index, pc);
    } else if (why == ENGINE_EXCEPTION) {
        vm_safe_state(vm, "vCPU %u: an exception without a name at PC %#" PRIx64, v->index, pc);
    } else if (why == ENGINE_FAILED) {
        vm_safe_state(vm, "vCPU %u: the engine cannot go on at PC %#" PRIx64, v->index, pc);
    } else if (v->repeats) {
        hang_note_repetition(vm, v);
    }
}

static uint64_t quantum_for(const struct board *b, const struct choice *c)
{
    const struct chaos *chaos = &b->options.chaos;
    uint32_t turn = (uint32_t)(c->turn - b->schedule.turns);
    return chaos->on ? chaos_quantum(chaos, turn, c->others_wait, vtime_ticks(&b->vtime))
                     : b->options.quantum;
}

/* Under chaos whether others wait or not: who waits may change where nobody looks. Who takes the
 * same exception for ever has nothing to do with the rest of its turn. */
static bool turn_is_over(const struct board *b, const struct vcpu *v, enum engine_stop why)
{
    return why == ENGINE_TURN || v->repeats ||
           (b->options.chaos.on && b->vtime.instructions >= b->schedule.quantum_end);
}

/* Of a vCPU that woke up, found nothing and waits again nobody wants to know: two of them would
 * wake each other for ever. Nor of the same exception once more. */
static bool others_may_go_on(const struct vcpu *v, bool is_over, bool repeated)
{
    if (v->wait.is_on)
        return !v->wait.is_quiet;
    return (is_over && !(repeated && v->repeats)) || !vcpu_is_runnable(v);
}

static void run_turn(struct board *b, const struct choice *c)
{
    struct vcpu *v = c->turn->vcpu;
    if (b->current && v != b->current)
        event_preempted(b, &b->schedule.turns[b->schedule.current]);
    schedule_begin(&b->schedule, c->turn, quantum_for(b, c));
    if (v != b->current || v->reset_pending)
        vcpu_load(v, b->current);
    b->current = v;
    b->where.instructions = b->vtime.instructions;
    b->where.pc = engine_pc(b->engine);
    event_entry(b, c->turn, b->where.pc);
    enum engine_stop why = ENGINE_SOFT;
    bool repeated = v->repeats;
    vcpu_run(v, budget_for(b, c), &why);
    uint64_t before = b->where.instructions;
    b->vtime.instructions = engine_executed(b->engine);
    bool is_over = turn_is_over(b, v, why);
    schedule_account(&b->schedule, c->turn, b->vtime.instructions - before, is_over);
    if (v->repeats)
        exit_log_loop(b, c->turn);
    else if (why == ENGINE_TURN)
        exit_log_turn(b, c->turn);
    if (v->wait.is_on) {
        exit_log_wait(b, c->turn);
        event_preempted(b, c->turn);
    }
    if (others_may_go_on(v, is_over, repeated))
        send_events(b, v);
    b->pause_wanted |= v->world->points && v->world->points->is_hit;
    check_vm(b, c->turn->vm, v, why);
}

static int worst_status(const struct board *b)
{
    int status = STATUS_OK;
    for (size_t i = 0; i < b->vm_count; i++)
        if (b->vms[i]->exit_status > status)
            status = b->vms[i]->exit_status;
    return status;
}

static bool is_pause_asked(const struct board *b)
{
    return b->wants_pause && b->wants_pause(b->wants_pause_context);
}

bool board_run_to(struct board *b, uint64_t instructions)
{
    b->pause_at = instructions;
    b->pause_wanted = false;
    if (b->options.exit_log)
        exit_log_arm(b->options.exit_log);
    while (!all_ended(b)) {
        deliver_inputs(b);
        fire_events(b);
        finish_ended(b);
        take_digest_if_due(b);
        take_snapshot_if_due(b);
        if (all_ended(b) || limit_is_reached(b))
            break;
        if (b->vtime.instructions >= b->pause_at || b->pause_wanted || is_pause_asked(b))
            return false;
        struct choice next = schedule_choose(&b->schedule);
        if (next.turn && next.turn == b->pause_before)
            return false;
        if (next.turn && !(next.turn->vcpu->repeats && hang_nobody_gets_on(b))) {
            run_turn(b, &next);
            inject_due(b);
        } else if (!idle(b)) {
            hang_end_waiting(b);
        }
        finish_ended(b);
    }
    finish_ended(b);
    return true;
}

int board_run(struct board *b)
{
    board_run_to(b, UINT64_MAX);
    return worst_status(b);
}
