#include "qvm/gdb_board.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/inspect.h"
#include "qvm/gdb_monitor.h"

#define CHUNK 2000000 /* instructions between two looks at the user */

static struct turn *turn_of(struct gdb_board *g, unsigned thread)
{
    return &g->board->schedule.turns[thread - 1];
}

/* Points ------------------------------------------------------------------------------------------
 */

/* Of all vCPUs, or of none while the board only travels. */
static void use_points(struct gdb_board *g, bool on)
{
    for (size_t i = 0; i < g->board->vm_count; i++) {
        struct vm *vm = g->board->vms[i];
        vm->world.points = on ? &g->points : NULL;
        for (unsigned k = 0; k < vm->vcpu_count; k++)
            vcpu_points_changed(vm->vcpus[k]);
    }
    engine_flush_tlb(g->board->engine);
}

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
    use_points(g, true);
    return ok;
}

static void remove_point(void *context, enum gdb_point point, uint64_t address, uint64_t size)
{
    struct gdb_board *g = context;
    points_drop(&g->points, point_of(point, address, size));
    use_points(g, true);
}

/* Threads and registers ---------------------------------------------------------------------------
 */

static unsigned thread_count(void *context)
{
    return (unsigned)((struct gdb_board *)context)->board->schedule.turn_count;
}

static void thread_text(void *context, unsigned thread, char *text, size_t size)
{
    const struct turn *t = turn_of(context, thread);
    snprintf(text, size, "VM %s, vCPU %u: %s", t->vm->name, t->vcpu->index,
             t->vm->ended      ? "the VM has ended"
             : !t->vcpu->on    ? "off"
             : t->vcpu->halted ? "waits"
                               : "runs");
}

static unsigned current_thread(void *context)
{
    const struct schedule *s = &((struct gdb_board *)context)->board->schedule;
    return s->current == SCHEDULE_NONE ? 1 : s->current + 1;
}

static void read_registers(void *context, unsigned thread, struct vcpu_registers *r)
{
    struct gdb_board *g = context;
    vcpu_read_registers(turn_of(g, thread)->vcpu, g->board->current, r);
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
    if (v->reset_pending || !v->on)
        return false;
    vcpu_write_registers(v, g->board->current, r);
    fork_run(g);
    return true;
}

static const char *sysreg_name(void *context, unsigned index)
{
    (void)context;
    return vcpu_sysreg_name(index);
}

static uint64_t read_sysreg(void *context, unsigned thread, unsigned index)
{
    struct gdb_board *g = context;
    return vcpu_read_sysreg(turn_of(g, thread)->vcpu, g->board->current, index);
}

/* Memory ------------------------------------------------------------------------------------------
 */

/* Where a byte is on the board, looked up without any effect. A vCPU that has not begun to run
 * translates nothing. */
static bool locate(struct gdb_board *g, const struct turn *t, enum gdb_space space,
                   uint64_t address, hpa_t *at)
{
    struct stage2_leaf leaf;
    struct fault fault = {0};
    if (space == GDB_HOST_PHYSICAL) {
        *at = hpa(address);
        return true;
    }
    if (space == GDB_VIRTUAL && t->vcpu->on && !t->vcpu->reset_pending)
        return inspect_place(t->vm, t->vcpu, gva(address), at);
    if (!stage2_inspect(&t->vm->stage2, &g->board->memory, gpa(address & ~PAGE_MASK), NULL, &leaf,
                        &fault))
        return false;
    *at = hpa(leaf.page.v | (address & PAGE_MASK));
    return true;
}

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
        const void *from = locate(g, turn_of(g, thread), space, address + done, &at)
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
    for (size_t done = 0, part; done < size; done += part) {
        part = part_of_page(address + done, size - done);
        hpa_t at;
        void *to = locate(g, turn_of(g, thread), space, address + done, &at)
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

static struct gdb_stop stopped(struct gdb_board *g, enum gdb_stop_reason reason)
{
    return (struct gdb_stop){
        .reason = reason, .thread = current_thread(g), .exit_status = g->exit_status};
}

static unsigned thread_of(struct gdb_board *g, const struct vcpu *v)
{
    unsigned i = 0;
    while (g->board->schedule.turns[i].vcpu != v)
        i++;
    return i + 1;
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
        .thread = thread_of(g, v),
        .watch = kinds[point->kind],
        .address = address,
    };
}

/* True: the instruction was reached. */
static bool run_to(struct gdb_board *g, uint64_t instructions)
{
    struct board *b = g->board;
    points_clear_hit(&g->points);
    if (g->timeline)
        return timeline_run_to(g->timeline, instructions);
    if (board_run_to(b, instructions)) {
        for (size_t i = 0; i < b->vm_count; i++)
            if (b->vms[i]->exit_status > g->exit_status)
                g->exit_status = b->vms[i]->exit_status;
        return false;
    }
    return b->vtime.instructions >= instructions;
}

static struct gdb_stop why_it_stopped(struct gdb_board *g)
{
    if (g->points.is_hit)
        return stop_at(g, &g->points.hit, g->points.vcpu, g->points.address);
    return stopped(g, g->timeline ? GDB_STOP_LOG_END : GDB_STOP_EXITED);
}

static struct gdb_stop go_on(struct gdb_board *g, bool (*interrupted)(void *), void *context)
{
    g->points.resume_at = UINT64_MAX;
    while (run_to(g, g->board->vtime.instructions + CHUNK))
        if (interrupted(context))
            return stopped(g, GDB_STOP_INTERRUPT);
    return why_it_stopped(g);
}

/* One instruction of the thread; if it waits, others run meanwhile. */
static struct gdb_stop step(struct gdb_board *g, unsigned thread, bool (*interrupted)(void *),
                            void *context)
{
    const struct turn *t = turn_of(g, thread);
    uint64_t before = t->executed;
    g->points.resume_at = g->board->vtime.instructions;
    for (unsigned i = 1; t->executed == before; i++) {
        if (!run_to(g, g->board->vtime.instructions + 1))
            return why_it_stopped(g);
        if (i % 10000 == 0 && interrupted(context))
            return stopped(g, GDB_STOP_INTERRUPT);
    }
    struct gdb_stop stop = stopped(g, GDB_STOP_STEP);
    stop.thread = thread;
    return stop;
}

static void travel(struct gdb_board *g, uint64_t instructions)
{
    use_points(g, false);
    timeline_seek(g->timeline, instructions);
    use_points(g, true);
}

static struct gdb_stop step_back(struct gdb_board *g)
{
    uint64_t now = g->board->vtime.instructions;
    if (now == timeline_start(g->timeline))
        return stopped(g, GDB_STOP_LOG_BEGIN);
    travel(g, now - 1);
    return stopped(g, GDB_STOP_STEP);
}

/* The last stop of a stretch of the run that is gone through forwards. A breakpoint stops before
 * its instruction; going backwards a watchpoint stops where its instruction is the next to be
 * undone. */
struct last_stop {
    bool found;
    uint64_t position;
    struct point point;
    const struct vcpu *vcpu;
    uint64_t address;
};

static struct last_stop search(struct gdb_board *g, uint64_t until)
{
    struct last_stop last = {0};
    struct board *b = g->board;
    /* A breakpoint right at the start of the stretch counts. */
    g->points.resume_at = UINT64_MAX;
    for (;;) {
        points_clear_hit(&g->points);
        bool reached = timeline_run_to(g->timeline, until);
        if (reached || !g->points.is_hit)
            return last;
        bool watch = g->points.hit.kind != POINT_EXECUTE;
        last = (struct last_stop){.found = true,
                                  .position = b->vtime.instructions + watch,
                                  .point = g->points.hit,
                                  .vcpu = g->points.vcpu,
                                  .address = g->points.address};
        g->points.resume_at = b->vtime.instructions;
    }
}

static struct gdb_stop go_back(struct gdb_board *g, bool (*interrupted)(void *), void *context)
{
    uint64_t start = timeline_start(g->timeline), until = g->board->vtime.instructions;
    while (until > start) {
        uint64_t from = timeline_moment_before(g->timeline, until);
        travel(g, from);
        struct last_stop last = search(g, until);
        if (last.found) {
            travel(g, last.position);
            return stop_at(g, &last.point, last.vcpu, last.address);
        }
        until = from;
        if (interrupted(context)) {
            travel(g, until);
            return stopped(g, GDB_STOP_INTERRUPT);
        }
    }
    travel(g, start);
    return stopped(g, GDB_STOP_LOG_BEGIN);
}

static struct gdb_stop resume(void *context, enum gdb_resume how, unsigned thread,
                              bool (*interrupted)(void *), void *interrupted_context)
{
    switch (how) {
    case GDB_STEP:
        return step(context, thread, interrupted, interrupted_context);
    case GDB_REVERSE_STEP:
        return step_back(context);
    case GDB_REVERSE_CONTINUE:
        return go_back(context, interrupted, interrupted_context);
    default:
        return go_on(context, interrupted, interrupted_context);
    }
}

static void monitor(void *context, const char *command, struct bytes *out)
{
    struct gdb_board *g = context;
    uint64_t instructions;
    if (!gdb_monitor(g, command, &instructions, out))
        return;
    if (!g->timeline || instructions < timeline_start(g->timeline)) {
        static const char text[] = "there is no way back to that instruction\n";
        bytes_put(out, text, sizeof text - 1);
        return;
    }
    travel(g, instructions);
    gdb_monitor(g, "when", &instructions, out);
    static const char hint[] = "gdb still shows the registers of before: maintenance flush "
                               "register-cache\n";
    bytes_put(out, hint, sizeof hint - 1);
}

struct gdb_target gdb_board_target(struct gdb_board *g, struct board *b, struct timeline *t)
{
    *g = (struct gdb_board){.board = b, .timeline = t};
    use_points(g, true);
    return (struct gdb_target){
        .thread_count = thread_count,
        .thread_text = thread_text,
        .current_thread = current_thread,
        .read_registers = read_registers,
        .write_registers = write_registers,
        .sysreg_name = sysreg_name,
        .read_sysreg = read_sysreg,
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
    use_points(g, false);
}
