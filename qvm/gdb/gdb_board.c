#include "qvm/gdb/gdb_board.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hv/explain/inspect.h"
#include "qvm/gdb/gdb_locate.h"
#include "qvm/gdb/gdb_monitor.h"
#include "qvm/gdb/gdb_travel.h"

static struct sched_entity *turn_of(struct gdb_board *g, unsigned thread)
{
    return &g->board->schedule.turns[thread - 1];
}

/* Points ------------------------------------------------------------------------------------------
 */

static struct point point_of(enum gdb_point point, uint64_t address, uint64_t size)
{
    static const enum point_kind kinds[] = {[GDB_BREAK_SOFTWARE] = POINT_EXECUTE,
                                            [GDB_BREAK_HARDWARE] = POINT_EXECUTE,
                                            [GDB_WATCH_WRITE] = POINT_WRITE,
                                            [GDB_WATCH_READ] = POINT_READ,
                                            [GDB_WATCH_ACCESS] = POINT_ACCESS};
    return (struct point){.kind = kinds[point], .address = address, .size = size};
}

static bool insert(void *context, enum gdb_point point, uint64_t address, uint64_t size)
{
    struct gdb_board *g = context;
    bool ok = points_add(&g->points, point_of(point, address, size));
    g->reported.reason = GDB_STOP_STEP; /* of this one nobody was told */
    gdb_travel_use(g, &g->points);
    return ok;
}

static void remove_point(void *context, enum gdb_point point, uint64_t address, uint64_t size)
{
    struct gdb_board *g = context;
    points_drop(&g->points, point_of(point, address, size));
    gdb_travel_use(g, &g->points);
}

/* Threads and registers ---------------------------------------------------------------------------
 */

static unsigned thread_count(void *context)
{
    return (unsigned)((struct gdb_board *)context)->board->schedule.turn_count;
}

static void thread_text(void *context, unsigned thread, char *text, size_t size)
{
    const struct sched_entity *t = turn_of(context, thread);
    snprintf(text, size, "VM %s, vCPU %u: %s", t->vm->name, t->vcpu->index,
             t->vm->ended ? "the VM has ended" : vcpu_activity(t->vcpu));
}

static unsigned current_thread(void *context)
{
    return gdb_travel_current_thread(context);
}

static void read_registers(void *context, unsigned thread, struct vcpu_registers *r)
{
    struct gdb_board *g = context;
    vcpu_read_registers(turn_of(g, thread)->vcpu, g->board->current, r);
}

static bool may_fork(const struct gdb_board *g)
{
    return !g->timeline || timeline_may_fork(g->timeline);
}

/* What was recorded is not what happens from now on. */
static void fork_run(struct gdb_board *g)
{
    if (g->timeline)
        timeline_fork(g->timeline);
    if (!g->forked)
        fprintf(stderr,
                "qvm: the debugger wrote: from instruction %" PRIu64 " on this is another run\n",
                g->board->vtime.instructions);
    g->forked = true;
}

static bool write_registers(void *context, unsigned thread, const struct vcpu_registers *r)
{
    struct gdb_board *g = context;
    struct vcpu *v = turn_of(g, thread)->vcpu;
    if (!v->on || !may_fork(g)) /* one that is off begins anew when it is powered on */
        return false;
    if (!vcpu_registers_are_possible(v, g->board->current, r))
        return false;
    vcpu_write_registers(v, g->board->current, r);
    fork_run(g);
    return true;
}

/* Memory ------------------------------------------------------------------------------------------
 */

static size_t part_of_page(uint64_t address, size_t size)
{
    uint64_t left = PAGE_SIZE - (address & PAGE_MASK);
    return size < left ? size : (size_t)left;
}

static size_t read_memory(void *context, unsigned thread, enum gdb_space space, uint64_t address,
                          void *to, size_t size)
{
    struct gdb_board *g = context;
    size_t done = 0;
    while (done < size) {
        size_t part = part_of_page(address + done, size - done);
        hpa_t at;
        const void *from = gdb_locate(g, thread, space, address + done, &at)
                               ? memory_at(&g->board->memory, at, part, MEMORY_READ)
                               : NULL;
        if (!from)
            break;
        memcpy((uint8_t *)to + done, from, part);
        done += part;
    }
    return done;
}

static bool write_memory(void *context, unsigned thread, enum gdb_space space, uint64_t address,
                         const void *from, size_t size)
{
    struct gdb_board *g = context;
    if (!may_fork(g))
        return false;
    for (size_t done = 0, part; done < size; done += part) {
        part = part_of_page(address + done, size - done);
        hpa_t at;
        void *to = gdb_locate(g, thread, space, address + done, &at)
                       ? memory_at(&g->board->memory, at, part, MEMORY_WRITE)
                       : NULL;
        if (!to)
            return false;
        memcpy(to, (const uint8_t *)from + done, part);
        engine_drop_code(g->board->engine, at, part);
    }
    fork_run(g);
    return true;
}

/* Running -----------------------------------------------------------------------------------------
 */

static bool can_reverse(void *context)
{
    return ((struct gdb_board *)context)->timeline != NULL;
}

/* Of type board.wants_pause. The user is asked also where he must wait: he is told then that the
 * work goes on. */
static bool wants_pause(void *context)
{
    struct gdb_board *g = context;
    if (g->user && g->user->interrupted(g->user->context, g->board->vtime.instructions))
        g->is_interrupted = true;
    return g->is_interrupted && g->may_pause;
}

static void work_for(struct gdb_board *g, const struct gdb_user *user)
{
    g->user = user;
    g->is_interrupted = false;
}

static struct gdb_stop resume(void *context, enum gdb_resume how, unsigned thread,
                              const struct gdb_user *user)
{
    work_for(context, user);
    struct gdb_stop stop = gdb_travel_resume(context, how, thread);
    work_for(context, NULL);
    return stop;
}

static void monitor(void *context, unsigned thread, enum gdb_space space, const char *command,
                    const struct gdb_user *user, struct bytes *out)
{
    work_for(context, user);
    gdb_monitor(context, thread, space, command, out);
    work_for(context, NULL);
}

struct gdb_target gdb_board_target(struct gdb_board *g, struct board *b, struct timeline *t,
                                   struct gdb_events *events)
{
    *g = (struct gdb_board){.board = b, .timeline = t, .events = events};
    events->on = t == NULL;
    b->wants_pause = wants_pause;
    b->wants_pause_context = g;
    gdb_travel_use(g, &g->points);
    return (struct gdb_target){
        .thread_count = thread_count,
        .thread_text = thread_text,
        .current_thread = current_thread,
        .read_registers = read_registers,
        .write_registers = write_registers,
        .arch = g->board->vms[0]->arch->cpu,
        .read_memory = read_memory,
        .write_memory = write_memory,
        .insert = insert,
        .remove = remove_point,
        .can_reverse = can_reverse,
        .resume = resume,
        .monitor = monitor,
        .context = g,
    };
}

void gdb_board_leave(struct gdb_board *g)
{
    gdb_travel_use(g, NULL);
    g->board->wants_pause = NULL;
    g->events->on = false;
}
