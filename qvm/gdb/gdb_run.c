/* The gdb server's packets that let the target run, and its stop replies. */
#include <inttypes.h>

#include "emu/text.h"
#include "qvm/gdb/gdb_hex.h"
#include "qvm/gdb/gdb_server_internal.h"

/* "Stop Reply Packets" --------------------------------------------------------------------------*/

static void put_field(struct gdb_server *s, const char *name, uint64_t value)
{
    text_put(&s->answer, "%s%" PRIx64 ";", name, value);
}

/* gdb takes a breakpoint that is not its own, such as the guest's BRK, for a signal. */
static void put_breakpoint(struct gdb_server *s)
{
    struct gdb_target *t = s->target;
    struct vcpu_registers r;
    t->read_registers(t->context, s->stop.thread, &r);
    if (s->knows_hwbreak && gdb_points_has(&s->points, GDB_BREAK_HARDWARE, vcpu_registers_pc(&r)))
        text_put(&s->answer, "hwbreak:;");
    else if (s->knows_swbreak &&
             gdb_points_has(&s->points, GDB_BREAK_SOFTWARE, vcpu_registers_pc(&r)))
        text_put(&s->answer, "swbreak:;");
}

static void put_watchpoint(struct gdb_server *s)
{
    put_field(s,
              s->stop.watch == GDB_WATCH_READ     ? "rwatch:"
              : s->stop.watch == GDB_WATCH_ACCESS ? "awatch:"
                                                  : "watch:",
              s->stop.address);
}

static void put_exit(struct gdb_server *s)
{
    text_put(&s->answer, "W%02x", s->stop.exit_status & 0xff);
    s->over = true;
    s->end = GDB_EXITED;
}

void run_why(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    if (s->stop.reason == GDB_STOP_EXITED) {
        put_exit(s);
        return;
    }
    /* Signals as gdb numbers them: 2 is SIGINT, 5 SIGTRAP. */
    text_put(&s->answer, s->stop.reason == GDB_STOP_INTERRUPT ? "T02" : "T05");
    if (s->stop.reason == GDB_STOP_BREAK)
        put_breakpoint(s);
    else if (s->stop.reason == GDB_STOP_WATCH)
        put_watchpoint(s);
    else if (s->stop.reason == GDB_STOP_LOG_BEGIN)
        text_put(&s->answer, "replaylog:begin;");
    else if (s->stop.reason == GDB_STOP_LOG_END)
        text_put(&s->answer, "replaylog:end;");
    put_field(s, "thread:", s->stop.thread);
}

/* Running ---------------------------------------------------------------------------------------*/

static bool is_interrupted(void *packets, uint64_t instructions)
{
    (void)instructions;
    return packets_interrupted(packets);
}

/* `thread` 0: the one that is meant where none is named. */
static void run(struct gdb_server *s, enum gdb_resume how, unsigned thread)
{
    struct gdb_target *t = s->target;
    if (thread == 0)
        thread = s->control ? s->control : s->stop.thread;
    struct gdb_user user = {.interrupted = is_interrupted, .context = &s->packets};
    s->stop = t->resume(t->context, how, thread, &user);
    s->general = s->stop.thread;
    run_why(s, NULL);
}

/* An address to go on at, which could follow, is nothing that gdb sends. */
void run_continue(struct gdb_server *s, struct reader *arguments)
{
    if (reader_at_end(arguments))
        run(s, GDB_CONTINUE, 0);
    else
        answer_fail(s);
}

void run_step(struct gdb_server *s, struct reader *arguments)
{
    if (reader_at_end(arguments))
        run(s, GDB_STEP, 0);
    else
        answer_fail(s);
}

static void run_back(struct gdb_server *s, enum gdb_resume how)
{
    if (s->target->can_reverse(s->target->context))
        run(s, how, 0);
    else
        answer_fail(s);
}

void run_reverse_continue(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    run_back(s, GDB_REVERSE_CONTINUE);
}

void run_reverse_step(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    run_back(s, GDB_REVERSE_STEP);
}

void run_known_actions(struct gdb_server *s, struct reader *arguments)
{
    (void)arguments;
    text_put(&s->answer, "vCont;c;C;s;S");
}

struct action {
    bool step;
    unsigned thread;
};

/* One action of vCont, ";s:2"; signals mean nothing to a board. */
static bool take_action(struct gdb_server *s, struct reader *r, struct action *a)
{
    uint64_t signal;
    bool has_signal = false;
    if (!text_take(r, ";"))
        return false;
    a->step = text_take(r, "s");
    if (!a->step && !text_take(r, "c")) {
        has_signal = true;
        a->step = text_take(r, "S");
        if (!a->step && !text_take(r, "C"))
            return false;
    }
    a->thread = 0;
    return (!has_signal || hex_take_number(r, &signal)) &&
           (!text_take(r, ":") || answer_take_thread(s, r, &a->thread));
}

void run_actions(struct gdb_server *s, struct reader *arguments)
{
    struct action a, step = {false, 0};
    if (reader_at_end(arguments)) {
        answer_fail(s);
        return;
    }
    while (!reader_at_end(arguments)) {
        if (!take_action(s, arguments, &a)) {
            answer_fail(s);
            return;
        }
        if (a.step && !step.step)
            step = a;
    }
    /* While one thread steps the others run as they do: the board decides who runs when. */
    run(s, step.step ? GDB_STEP : GDB_CONTINUE, step.thread);
}
