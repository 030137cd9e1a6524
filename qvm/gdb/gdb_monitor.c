#include "qvm/gdb/gdb_monitor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/text.h"
#include "hv/explain/explain_stream.h"
#include "qvm/gdb/gdb_travel.h"
#include "qvm/gdb/gdb_why.h"
#include "qvm/ask/question.h"

#define EVENTS_USUAL 20

/* A command, and what the user has selected. */
struct request {
    struct gdb_board *g;
    unsigned thread;
    enum gdb_space space;
    const char *argument;
};

/* Answers, if it is not so, that the command wants a number. */
static bool take_number(const struct request *r, const char *what, uint64_t *value,
                        struct bytes *out)
{
    struct error e = {0};
    if (question_number(r->argument, value, what, &e))
        return true;
    text_put(out, "%s\n", e.text);
    return false;
}

static void when(const struct request *r, struct bytes *out)
{
    const struct board *b = r->g->board;
    uint64_t ns = vtime_ns(&b->vtime);
    text_put(out, "instruction %" PRIu64 ", %" PRIu64 ".%09" PRIu64 " s virtual\n",
             b->vtime.instructions, ns / 1000000000, ns % 1000000000);
    uint64_t fork = r->g->timeline ? timeline_next_fork(r->g->timeline, 0) : UINT64_MAX;
    if (fork <= b->vtime.instructions)
        text_put(out,
                 "the debugger wrote at instruction %" PRIu64 ": another run than the recorded\n",
                 fork);
    else if (fork < UINT64_MAX)
        text_put(out, "as recorded, up to the debugger's write at instruction %" PRIu64 "\n", fork);
}

static void seek(const struct request *r, struct bytes *out)
{
    uint64_t instructions;
    if (!take_number(r, "seek", &instructions, out))
        return;
    if (!r->g->timeline) {
        text_put(out, "a run has no past to go to: record it, and qvm gdb TRACE\n");
        return;
    }
    if (instructions < timeline_start(r->g->timeline)) {
        text_put(out, "there is no way back to that instruction: the first is %" PRIu64 "\n",
                 timeline_start(r->g->timeline));
        return;
    }
    gdb_travel_towards(r->g, instructions);
    if (r->g->is_interrupted)
        text_put(out, "interrupted on the way\n");
    else if (r->g->board->vtime.instructions < instructions)
        text_put(out, "the recording ends before that instruction\n");
    when(r, out);
    text_put(out, "gdb still shows the registers of before: maintenance flush register-cache\n");
}

static void digest(const struct request *r, struct bytes *out)
{
    struct digest d = board_digest(r->g->board);
    for (size_t i = 0; i < sizeof d.b; i++)
        text_put(out, "%02x", d.b[i]);
    text_put(out, "\n");
}

static void exits(const struct request *r, struct bytes *out)
{
    for (size_t i = 0; i < r->g->board->vm_count; i++) {
        const struct vm *vm = r->g->board->vms[i];
        text_put(out, "VM %s: %" PRIu64 " guest %s", vm->name, vm_exits(vm),
                 text_plural(vm_exits(vm), "exit", "exits"));
        for (unsigned k = 0; k < EXIT_REASONS; k++)
            if (vm->exits[k])
                text_put(out, ", %s %" PRIu64, arch_exit_name(vm->arch->cpu, k), vm->exits[k]);
        text_put(out, "\n");
    }
}

/* A recording's past is gone through once more, as far back as it takes: what was seen on the way
 * here may be ahead again. */
static void collect_events(struct gdb_board *g, size_t wanted)
{
    struct gdb_place place = gdb_travel_place(g);
    uint64_t from = place.instructions, start = timeline_start(g->timeline);
    for (size_t back = 1;; back *= 2) {
        for (size_t i = 0; i < back && from > start; i++)
            from = timeline_checkpoint_before(g->timeline, from);
        gdb_travel_to(g, from);
        gdb_events_clear(g->events);
        g->events->on = true;
        gdb_travel_return(g, &place);
        g->events->on = false;
        if (g->events->count >= wanted || from == start)
            return;
    }
}

static void events(const struct request *r, struct bytes *out)
{
    uint64_t wanted = EVENTS_USUAL;
    if (*r->argument && !take_number(r, "events", &wanted, out))
        return;
    if (wanted > GDB_EVENTS_MAX) {
        text_put(out, "at most %u events\n", GDB_EVENTS_MAX);
        return;
    }
    if (r->g->timeline)
        collect_events(r->g, (size_t)wanted);
    gdb_events_put(r->g->events, (size_t)wanted, out);
}

static void vdevs(const struct request *r, struct bytes *out)
{
    for (size_t i = 0; i < r->g->board->vm_count; i++) {
        const struct vm *vm = r->g->board->vms[i];
        for (size_t k = 0; k < vm->vdev_count; k++) {
            const struct vdev *v = vm->vdevs[k];
            uint64_t reads, writes;
            char status[128] = "";
            bus_counts(&vm->bus, v, &reads, &writes);
            if (v->type->status)
                v->type->status(v, status, sizeof status);
            text_put(out, "VM %s: %s at %#" PRIx64 ": %" PRIu64 " %s, %" PRIu64 " %s%s%s\n",
                     vm->name, v->name, v->regions[0].base, reads,
                     text_plural(reads, "read", "reads"), writes,
                     text_plural(writes, "write", "writes"), *status ? ", " : "", status);
        }
    }
}

static void walk(const struct request *r, struct bytes *out)
{
    uint64_t address;
    if (!take_number(r, "walk", &address, out))
        return;
    if (r->space == GDB_HOST_PHYSICAL) {
        text_put(out, "a host-physical address is not translated\n");
        return;
    }
    const struct sched_entity *t = &r->g->board->schedule.turns[r->thread - 1];
    const struct explain_question q = {
        .address = address, .is_gpa = r->space == GDB_GUEST_PHYSICAL, .kind = ACCESS_READ};
    t->vm->arch->explain(t->vm, t->vcpu, &q, false, out);
}

/* "DEVICE IOVA" and, maybe, "write". */
static void stream(const struct request *r, struct bytes *out)
{
    struct explain_stream q = {.substream = DMA_NO_SUBSTREAM};
    struct error e = {0};
    char who[64], address[32], kind[8] = "read";
    if (sscanf(r->argument, "%63s %31s %7s", who, address, kind) < 2 ||
        (strcmp(kind, "read") != 0 && strcmp(kind, "write") != 0)) {
        text_put(out, "stream wants DEVICE|SMMU:NUMBER IOVA [read|write]\n");
        return;
    }
    q.who = who;
    q.kind = strcmp(kind, "write") == 0 ? DMA_WRITE : DMA_READ;
    if (!question_number(address, &q.at.v, "stream", &e) ||
        !explain_stream(r->g->board->schedule.turns[r->thread - 1].vm, &q, out, &e))
        text_put(out, "%s\n", e.text);
}

static void why(const struct request *r, struct bytes *out)
{
    struct error e = {0};
    if (!gdb_why(r->g, r->thread, r->space, r->argument, out, &e))
        text_put(out, "%s\n", e.text);
}

static void help(const struct request *r, struct bytes *out);

static const struct {
    const char *name;
    void (*run)(const struct request *r, struct bytes *out);
    const char *text;
} commands[] = {
    {"help", help, "this list"},
    {"when", when, "how many instructions were executed, and the virtual time"},
    {"seek", seek, "seek N: go to instruction N (recordings)"},
    {"why", why, "why ADDR[,LEN] or why REGISTER: who last wrote it (recordings)"},
    {"events", events, "events [N]: the last N trace events, 20 unless told"},
    {"exits", exits, "guest exits so far, by reason"},
    {"info vdevs", vdevs, "the virtual devices and their accesses"},
    {"walk", walk, "walk ADDR: how a read there is translated"},
    {"stream", stream,
     "stream DEVICE|SMMU:NUMBER IOVA [write]: how an SMMU translates a device's access there"},
    {"digest", digest, "the SHA-256 of the whole machine's state"},
};

static void help(const struct request *r, struct bytes *out)
{
    (void)r;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        text_put(out, "%-12s %s\n", commands[i].name, commands[i].text);
}

void gdb_monitor(struct gdb_board *g, unsigned thread, enum gdb_space space, const char *command,
                 struct bytes *out)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        size_t length = strlen(commands[i].name);
        if (strncmp(command, commands[i].name, length) != 0 ||
            (command[length] && command[length] != ' '))
            continue;
        const char *argument = command + length + strspn(command + length, " ");
        struct request r = {.g = g, .thread = thread, .space = space, .argument = argument};
        commands[i].run(&r, out);
        return;
    }
    text_put(out, "unknown command '%.64s': monitor help lists them\n", command);
}
