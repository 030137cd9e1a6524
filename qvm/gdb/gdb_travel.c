#include "qvm/gdb/gdb_travel.h"

#define STOPS_MAX 64 /* so many stops cost about as much as running a stretch */

void gdb_travel_use(struct gdb_board *g, struct points *points)
{
    for (size_t i = 0; i < g->board->vm_count; i++) {
        struct vm *vm = g->board->vms[i];
        vm->world.points = points;
        for (unsigned k = 0; k < vm->vcpu_count; k++)
            vcpu_points_changed(vm->vcpus[k]);
    }
    engine_flush_tlb(g->board->engine);
}

void gdb_travel_to(struct gdb_board *g, uint64_t instructions)
{
    gdb_travel_use(g, NULL);
    timeline_seek(g->timeline, instructions);
    gdb_travel_use(g, &g->points);
}

void gdb_travel_towards(struct gdb_board *g, uint64_t instructions)
{
    g->may_pause = true;
    gdb_travel_to(g, instructions);
    g->may_pause = false;
}

unsigned gdb_travel_current_thread(const struct gdb_board *g)
{
    uint32_t current = g->board->schedule.current;
    return current == SCHEDULE_NONE ? 1 : current + 1;
}

unsigned gdb_travel_thread_of(const struct gdb_board *g, const struct vcpu *v)
{
    unsigned i = 0;
    while (g->board->schedule.turns[i].vcpu != v)
        i++;
    return i + 1;
}

/* Places ------------------------------------------------------------------------------------------
 */

struct gdb_place gdb_travel_place(const struct gdb_board *g)
{
    const struct board *b = g->board;
    struct gdb_place place = {.instructions = b->vtime.instructions,
                              .idle_ticks = b->vtime.idle_ticks,
                              .pc = b->current ? engine_pc(b->engine) : 0,
                              .turn = b->schedule.current};
    for (size_t i = 0; i < b->vm_count; i++)
        place.ended += b->vms[i]->ended;
    return place;
}

static bool is_same(const struct gdb_place *a, const struct gdb_place *b)
{
    return a->instructions == b->instructions && a->idle_ticks == b->idle_ticks && a->pc == b->pc &&
           a->turn == b->turn && a->ended == b->ended;
}

/* Behind the start of what this count stands for, either a point stopped or the run ended. */
void gdb_travel_return(struct gdb_board *g, const struct gdb_place *place)
{
    struct points here = {.resume_at = UINT64_MAX};
    gdb_travel_to(g, place->instructions);
    struct gdb_place now = gdb_travel_place(g);
    if (is_same(&now, place))
        return;
    points_add(&here, (struct point){.kind = POINT_EXECUTE, .address = place->pc, .size = 4});
    gdb_travel_use(g, &here);
    timeline_run_to(g->timeline, place->instructions + 1);
    gdb_travel_use(g, &g->points);
}

/* Running -----------------------------------------------------------------------------------------
 */

static struct gdb_stop stopped(struct gdb_board *g, enum gdb_stop_reason reason)
{
    return (struct gdb_stop){
        .reason = reason, .thread = gdb_travel_current_thread(g), .exit_status = g->exit_status};
}

static struct gdb_stop stop_at(struct gdb_board *g, const struct point *point, const struct vcpu *v,
                               uint64_t address)
{
    static const enum gdb_point kinds[] = {[POINT_EXECUTE] = GDB_BREAK_HARDWARE,
                                           [POINT_WRITE] = GDB_WATCH_WRITE,
                                           [POINT_READ] = GDB_WATCH_READ,
                                           [POINT_ACCESS] = GDB_WATCH_ACCESS};
    return (struct gdb_stop){
        .reason = point->kind == POINT_EXECUTE ? GDB_STOP_BREAK : GDB_STOP_WATCH,
        .thread = gdb_travel_thread_of(g, v),
        .watch = kinds[point->kind],
        .address = address,
    };
}

/* Stops at a point, and where the user interrupts. True: the instruction was reached. */
static bool run_to(struct gdb_board *g, uint64_t instructions)
{
    struct board *b = g->board;
    points_clear_hit(&g->points);
    g->may_pause = true;
    bool ended = false, reached = g->timeline ? timeline_run_to(g->timeline, instructions)
                                              : !(ended = board_run_to(b, instructions)) &&
                                                    b->vtime.instructions >= instructions;
    g->may_pause = false;
    for (size_t i = 0; ended && i < b->vm_count; i++)
        if (b->vms[i]->exit_status > g->exit_status)
            g->exit_status = b->vms[i]->exit_status;
    return reached;
}

static struct gdb_stop why_it_stopped(struct gdb_board *g)
{
    if (g->points.is_hit)
        return stop_at(g, &g->points.hit, g->points.vcpu, g->points.address);
    if (g->is_interrupted)
        return stopped(g, GDB_STOP_INTERRUPT);
    return stopped(g, g->timeline ? GDB_STOP_LOG_END : GDB_STOP_EXITED);
}

/* Was the user told of such a stop right here? */
static bool is_reported(const struct gdb_board *g, enum gdb_stop_reason reason, bool backwards)
{
    struct gdb_place now = gdb_travel_place(g);
    return g->reported.reason == reason && is_same(&now, &g->reported.place) &&
           (reason == GDB_STOP_BREAK || g->reported.backwards == backwards);
}

static struct gdb_stop go_on(struct gdb_board *g)
{
    bool at_watch = is_reported(g, GDB_STOP_WATCH, false);
    bool at_stop = at_watch || is_reported(g, GDB_STOP_BREAK, false);
    g->points.resume_at = at_stop ? g->board->vtime.instructions : UINT64_MAX;
    g->points.resume_accesses_wait = !at_watch;
    run_to(g, UINT64_MAX);
    return why_it_stopped(g);
}

/* While it waits or is off others run. False: something else stopped the board. */
static bool await_turn(struct gdb_board *g, const struct sched_entity *t)
{
    g->board->pause_before = t;
    run_to(g, UINT64_MAX);
    g->board->pause_before = NULL;
    return !g->points.is_hit && !g->is_interrupted &&
           schedule_choose(&g->board->schedule).turn == t;
}

/* One instruction of the thread. An interrupt that it takes first is none. */
static struct gdb_stop step(struct gdb_board *g, unsigned thread)
{
    const struct sched_entity *t = &g->board->schedule.turns[thread - 1];
    uint64_t before = t->executed;
    g->points.resume_at = g->board->vtime.instructions;
    g->points.resume_accesses_wait = !is_reported(g, GDB_STOP_WATCH, false);
    while (t->executed == before)
        if (!await_turn(g, t) || !run_to(g, g->board->vtime.instructions + 1))
            return why_it_stopped(g);
    struct gdb_stop stop = stopped(g, GDB_STOP_STEP);
    stop.thread = thread;
    return stop;
}

/* Does the instruction that is the next to be undone access what is watched? */
static bool undoes_access(struct gdb_board *g)
{
    uint64_t before = g->board->vtime.instructions - 1;
    if (!points_have_watched(&g->points))
        return false;
    gdb_travel_to(g, before);
    points_clear_hit(&g->points);
    g->points.resume_at = before;
    g->points.resume_accesses_wait = true;
    timeline_run_to(g->timeline, before + 1);
    return g->points.is_hit;
}

static struct gdb_stop step_back(struct gdb_board *g)
{
    struct gdb_place now = gdb_travel_place(g);
    if (now.instructions == timeline_start(g->timeline))
        return stopped(g, GDB_STOP_LOG_BEGIN);
    if (!is_reported(g, GDB_STOP_WATCH, true) && undoes_access(g)) {
        struct gdb_stop stop = why_it_stopped(g);
        gdb_travel_return(g, &now);
        return stop;
    }
    gdb_travel_to(g, now.instructions - 1);
    return stopped(g, GDB_STOP_STEP);
}

/* The last stop of a stretch of the run that is gone through forwards. A breakpoint stops before
 * its instruction; going backwards a watchpoint stops where its instruction is the next to be
 * undone. */
struct last_stop {
    bool found;
    struct gdb_place place;
    struct point point;
    const struct vcpu *vcpu;
    uint64_t address;
};

/* Notes each stop from the present on, but no more than so many, and none at an access of the
 * instruction at `passed`. True: there are no more, or the user interrupted. */
static bool note_stops(struct gdb_board *g, uint64_t until, uint64_t passed, unsigned count,
                       struct last_stop *last)
{
    for (unsigned i = 0; i < count; i++) {
        if (run_to(g, until) || !g->points.is_hit)
            return true;
        struct gdb_place place = gdb_travel_place(g);
        g->points.resume_at = place.instructions;
        g->points.resume_accesses_wait = g->points.hit.kind == POINT_EXECUTE;
        if (place.instructions == passed && g->points.hit.kind != POINT_EXECUTE)
            continue;
        *last = (struct last_stop){.found = true,
                                   .place = place,
                                   .point = g->points.hit,
                                   .vcpu = g->points.vcpu,
                                   .address = g->points.address};
    }
    return false;
}

/* A stretch of many stops is cut in two, and the later half looked at first. */
static struct last_stop search(struct gdb_board *g, uint64_t from, uint64_t until, uint64_t passed)
{
    struct last_stop last = {0};
    /* A breakpoint right at the start of the stretch counts. */
    uint64_t resume_at = UINT64_MAX;
    for (;;) {
        gdb_travel_to(g, from);
        g->points.resume_at = resume_at;
        g->points.resume_accesses_wait = last.found && last.point.kind == POINT_EXECUTE;
        if (note_stops(g, until, passed, STOPS_MAX, &last))
            return last;
        from = resume_at = last.place.instructions;
        uint64_t middle = from + (until - from) / 2;
        struct last_stop later = search(g, middle, until, passed);
        if (later.found || g->is_interrupted)
            return later;
        until = middle;
    }
}

/* Where the user interrupts, what was searched up to then lies ahead. */
static struct gdb_stop go_back(struct gdb_board *g)
{
    uint64_t start = timeline_start(g->timeline), until = g->board->vtime.instructions;
    uint64_t passed = is_reported(g, GDB_STOP_WATCH, true) ? until - 1 : UINT64_MAX;
    while (until > start) {
        uint64_t from = timeline_checkpoint_before(g->timeline, until);
        if (!points_may_meet(&g->points, timeline_footprint(g->timeline, from))) {
            until = from;
            continue;
        }
        struct last_stop last = search(g, from, until, passed);
        if (g->is_interrupted) {
            gdb_travel_to(g, until);
            return stopped(g, GDB_STOP_INTERRUPT);
        }
        if (last.found) {
            if (last.point.kind == POINT_EXECUTE)
                gdb_travel_return(g, &last.place);
            else
                gdb_travel_to(g, last.place.instructions + 1);
            return stop_at(g, &last.point, last.vcpu, last.address);
        }
        until = from;
    }
    gdb_travel_to(g, start);
    return stopped(g, GDB_STOP_LOG_BEGIN);
}

static struct gdb_stop resume(struct gdb_board *g, enum gdb_resume how, unsigned thread)
{
    switch (how) {
    case GDB_STEP:
        return step(g, thread);
    case GDB_REVERSE_STEP:
        return step_back(g);
    case GDB_REVERSE_CONTINUE:
        return go_back(g);
    default:
        return go_on(g);
    }
}

struct gdb_stop gdb_travel_resume(struct gdb_board *g, enum gdb_resume how, unsigned thread)
{
    struct gdb_stop stop = resume(g, how, thread);
    g->reported = (struct gdb_reported){
        .reason = stop.reason,
        .backwards = how == GDB_REVERSE_STEP || how == GDB_REVERSE_CONTINUE,
        .place = gdb_travel_place(g),
    };
    return stop;
}
