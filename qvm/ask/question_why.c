/* `qvm why TRACE ADDR[,LEN] | REGISTER`: who last wrote it before an instruction of a recording.
 * The answer is that of `monitor why` (gdb_why.h). */
#include <inttypes.h>

#include "qvm/gdb/gdb_travel.h"
#include "qvm/gdb/gdb_why.h"
#include "qvm/ask/patience.h"
#include "qvm/ask/question.h"
#include "qvm/ask/questions.h"

static const char usage[] =
    "qvm why TRACE ADDR[,LEN]|REGISTER [--at N] [--vm NAME] [--vcpu I] [--gpa]";

#define AT_END    UINT64_MAX
#define LAST_VCPU UINT64_MAX /* the one that ran last, or 0 if that is another VM's */

struct why {
    const char *what, *vm;
    uint64_t at, vcpu;
    bool gpa;
};

static unsigned thread_of(const struct gdb_board *g, const struct vm *vm, uint64_t vcpu)
{
    const struct schedule *s = &g->board->schedule;
    unsigned thread = gdb_travel_current_thread(g);
    if (vcpu == LAST_VCPU && s->turns[thread - 1].vm == vm)
        return thread;
    return gdb_travel_thread_of(g, vm->vcpus[vcpu == LAST_VCPU ? 0 : vcpu]);
}

static bool ask(const struct why *w, struct gdb_board *g, struct bytes *out, struct error *e)
{
    struct vm *vm = question_vm(g->board, w->vm, e);
    if (!vm)
        return false;
    if (w->vcpu != LAST_VCPU && w->vcpu >= vm->vcpu_count)
        return error_set(e, "VM %s has no vCPU %" PRIu64, vm->name, w->vcpu);
    if (w->at != AT_END && w->at < timeline_start(g->timeline))
        return error_set(e, "the recording begins at instruction %" PRIu64,
                         timeline_start(g->timeline));
    gdb_travel_towards(g, w->at);
    if (g->is_interrupted)
        return error_set(e, "interrupted at instruction %" PRIu64, g->board->vtime.instructions);
    if (w->at != AT_END && g->board->vtime.instructions < w->at)
        return error_set(e, "the recording ends at instruction %" PRIu64,
                         g->board->vtime.instructions);
    return gdb_why(g, thread_of(g, vm, w->vcpu), w->gpa ? GDB_GUEST_PHYSICAL : GDB_VIRTUAL, w->what,
                   out, e);
}

static bool answer(const struct why *w, struct player *p, struct error *e)
{
    struct gdb_events events = {0};
    struct board_sinks sinks = {.event = gdb_events_note, .context = &events};
    struct patience patience;
    struct bytes out = {0};
    if (!player_start(p, 0, &sinks, e))
        return false;
    struct timeline *t = timeline_new(p->board, TIMELINE_BUDGET);
    struct gdb_board g;
    gdb_board_target(&g, p->board, t, &events);
    patience_begin(&patience, "why");
    g.user = &(struct gdb_user){.interrupted = patience_is_over, .context = &patience};
    bool ok = ask(w, &g, &out, e) && question_answer(&out, NULL, e);
    gdb_board_leave(&g);
    timeline_free(t);
    bytes_free(&out);
    return ok;
}

bool question_why(char *const *words, int count, struct error *e)
{
    struct why w = {.at = AT_END, .vcpu = LAST_VCPU};
    struct player p;
    const char *others[2];
    const struct question_option options[] = {
        {.name = "--at", .number = &w.at},
        {.name = "--vm", .text = &w.vm},
        {.name = "--vcpu", .number = &w.vcpu},
        {.name = "--gpa", .flag = &w.gpa},
        {0},
    };
    if (!question_words(words, count, options, others, 2, usage, e) ||
        !question_open(&p, others[0], e))
        return false;
    w.what = others[1];
    bool ok = answer(&w, &p, e);
    player_close(&p);
    return ok;
}
