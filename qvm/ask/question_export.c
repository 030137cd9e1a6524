/* `qvm export TRACE --format text|json|events|traceprinter|ftrace|perfetto [--from N] [--to N]
 * [-o FILE]`: everything the hypervisor did in a recording, or in a part of it, for other tools. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/text.h"
#include "qvm/live/event_text.h"
#include "qvm/ask/dma_record.h"
#include "qvm/ask/exit_record.h"
#include "qvm/ask/patience.h"
#include "hv/foreign/export_ftrace.h"
#include "qvm/host/host.h"
#include "qvm/recording.h"
#include "qvm/ask/perfetto.h"
#include "qvm/ask/question.h"
#include "qvm/ask/questions.h"

struct export
{
    void (*put)(struct export * x, const struct board_event *event);
    struct bytes out;
    struct host_file *file; /* NULL: standard output */
    bool failed;
    uint64_t from, to; /* instructions: what is exported */
    uint64_t exits;    /* guest exits before that, then so far */
    uint64_t refused;  /* accesses of devices that were, from there on */
    const struct player *p;
    uint64_t written; /* bytes */
    struct telling telling;
    uint64_t argument;         /* of the vCPU that exits, before that is handled */
    struct perfetto *perfetto; /* owned */
};

#define EXPORT_BUFFER 65536

static void flush(struct export *x)
{
    x->written += x->out.size;
    if (!x->file)
        host_print(x->out.data, x->out.size);
    else if (!x->failed)
        x->failed = !host_append(x->file, x->out.data, x->out.size);
    bytes_clear(&x->out);
}

/* "guest-exit"; in JSON lines and text. */
static const char *event_word(enum event_id id)
{
    switch (id) {
    case EVENT_GUEST_ENTRY:
        return "guest-entry";
    case EVENT_GUEST_EXIT:
        return "guest-exit";
    case EVENT_VCPU_CREATED:
        return "vcpu-created";
    case EVENT_INTERRUPT:
        return "interrupt";
    case EVENT_GUEST_CYCLES:
        return "guest-cycles";
    case EVENT_DMA_REFUSED:
        return "dma-refused";
    }
    return "?";
}

static void put_text_arguments(const struct board_event *e, struct bytes *out)
{
    const struct arch_signal *signals = e->vm->arch->cpu->signals;
    if (e->id == EVENT_GUEST_ENTRY || e->id == EVENT_GUEST_EXIT)
        text_put(out, " pc=0x%" PRIx64, e->guest_ip);
    if (e->id == EVENT_GUEST_EXIT)
        text_put(out, " reason=preempted");
    if (e->id == EVENT_INTERRUPT)
        for (unsigned i = 0; i < CPU_SIGNALS; i++)
            if (signals[i].key)
                text_put(out, " %s=%u", signals[i].key, e->signals >> i & 1);
    if (e->id == EVENT_GUEST_CYCLES)
        text_put(out, " cycles=%" PRIu64, e->at_exit - e->at_entry);
}

static void put_text(struct export *x, const struct board_event *e)
{
    text_put(&x->out, "ns=%" PRIu64 " event=%s ", e->ns, event_word(e->id));
    if (e->exit) {
        struct exit_record r = {.reg = ""};
        exit_record_fill(&r, x->exits++, e);
        exit_record_text(&r, &x->out);
    } else if (e->id == EVENT_DMA_REFUSED) {
        struct dma_record r = {0};
        dma_record_fill(&r, x->refused++, e);
        dma_record_text(&r, &x->out);
    } else {
        text_put(&x->out, "insn=%" PRIu64 " vm=%s vcpu=%u", e->instructions, e->vm->name, e->vcpu);
        put_text_arguments(e, &x->out);
    }
    text_put(&x->out, "\n");
}

static void put_json_arguments(const struct board_event *e, struct json *j)
{
    const struct arch_signal *signals = e->vm->arch->cpu->signals;
    json_number(j, "insn", e->instructions);
    json_string(j, "vm", e->vm->name);
    json_number(j, "vcpu", e->vcpu);
    if (e->id == EVENT_GUEST_ENTRY || e->id == EVENT_GUEST_EXIT)
        json_number(j, "pc", e->guest_ip);
    if (e->id == EVENT_GUEST_EXIT)
        json_string(j, "reason", "preempted");
    if (e->id == EVENT_INTERRUPT) {
        for (unsigned i = 0; i < CPU_SIGNALS; i++)
            if (signals[i].key)
                json_bool(j, signals[i].key, e->signals >> i & 1);
    }
    if (e->id == EVENT_GUEST_CYCLES)
        json_number(j, "cycles", e->at_exit - e->at_entry);
}

static void put_json(struct export *x, const struct board_event *e)
{
    struct json j = {.out = &x->out};
    json_open(&j, NULL, '{');
    json_number(&j, "ns", e->ns);
    json_string(&j, "event", event_word(e->id));
    if (e->exit) {
        struct exit_record r = {.reg = ""};
        exit_record_fill(&r, x->exits++, e);
        exit_record_json(&r, &j);
    } else if (e->id == EVENT_DMA_REFUSED) {
        struct dma_record r = {0};
        dma_record_fill(&r, x->refused++, e);
        dma_record_json(&r, &j);
    } else {
        put_json_arguments(e, &j);
    }
    json_close(&j, '}');
    text_put(&x->out, "\n");
}

static void put_events(struct export *x, const struct board_event *e)
{
    events_line(e, &x->out);
}

static void put_ftrace(struct export *x, const struct board_event *e)
{
    export_ftrace(e, x->argument, &x->out);
}

static void put_perfetto(struct export *x, const struct board_event *e)
{
    perfetto_event(x->perfetto, e, &x->out);
}

static const struct {
    const char *name;
    void (*put)(struct export *x, const struct board_event *event);
} formats[] = {
    {"text", put_text},           {"json", put_json},     {"events", put_events},
    {"traceprinter", put_events}, {"ftrace", put_ftrace}, {"perfetto", put_perfetto},
};

static bool choose_format(struct export *x, const char *name, struct error *e)
{
    for (size_t i = 0; name && i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(name, formats[i].name) == 0)
            x->put = formats[i].put;
    return x->put ||
           error_set(e, "--format wants text, json, events, traceprinter, ftrace or perfetto%s%s",
                     name ? ", not " : "", name ? name : "");
}

static void on_event(void *context, const struct board_event *event)
{
    struct export *x = context;
    if (event->instructions < x->from || event->instructions > x->to) {
        x->exits += event->exit != NULL;
        return;
    }
    x->put(x, event);
    if (x->out.size >= EXPORT_BUFFER)
        flush(x);
}

/* Of the vCPU that is in the engine: its first argument, if the exit is a call. */
static uint64_t exit_argument(const struct board *b)
{
    return engine_get(b->engine, b->current->world->arch->argument_ids[0]);
}

static void on_exit_begins(void *context)
{
    struct export *x = context;
    x->argument = exit_argument(x->p->board);
}

/* Of type board.wants_pause: what takes long says how far it is. */
static bool tell(void *context)
{
    struct export *x = context;
    const struct player *p = x->p;
    uint64_t end = p->trace.has_end ? p->trace.end.instructions : x->to;
    if (!telling_is_due(&x->telling))
        return false;
    fprintf(stderr, "qvm: export: at instruction %" PRIu64, p->board->vtime.instructions);
    if (end != UINT64_MAX || x->to != UINT64_MAX)
        fprintf(stderr, " of %" PRIu64, end < x->to ? end : x->to);
    fprintf(stderr, ", %" PRIu64 " MiB written\n", x->written >> 20);
    return false;
}

/* From a snapshot, if there is one: exits are numbered from the start of the recording. */
static bool play(struct export *x, struct player *p, struct error *e)
{
    struct board_sinks sinks = {0};
    sinks.event = on_event;
    sinks.exit_begins = on_exit_begins;
    sinks.context = x;
    x->p = p;
    if (x->from > x->to)
        return error_set(e, "--from %" PRIu64 " is behind --to %" PRIu64, x->from, x->to);
    if (!player_start(p, x->from ? x->from - 1 : 0, &sinks, e))
        return false;
    for (size_t i = 0; i < p->board->vm_count; i++) {
        const struct vm *vm = p->board->vms[i];
        x->exits += vm_exits(vm);
        if (x->put == put_ftrace && !vm->arch->observed)
            return error_set(e, "Linux has no tracepoints for cpu-model %s", vm->config->cpu_model);
    }
    p->board->wants_pause = tell;
    p->board->wants_pause_context = x;
    board_run_to(p->board, x->to);
    if (p->board->vtime.instructions < x->from)
        return error_set(e, "the recording ends at instruction %" PRIu64,
                         p->board->vtime.instructions);
    perfetto_end(x->perfetto, &x->out);
    flush(x);
    host_flush();
    return true;
}

bool question_export(char *const *words, int count, struct error *e)
{
    struct export x = {.perfetto = calloc(1, sizeof *x.perfetto), .to = UINT64_MAX};
    struct player p = {0};
    const char *path, *format = NULL, *to = NULL;
    const struct question_option options[] = {{.name = "--format", .text = &format},
                                              {.name = "--from", .number = &x.from},
                                              {.name = "--to", .number = &x.to},
                                              {.name = "-o", .text = &to},
                                              {0}};
    CHECK_ROOM(x.perfetto);
    telling_begin(&x.telling);
    bool ok =
        question_words(words, count, options, &path, 1,
                       "qvm export TRACE --format text|json|events|traceprinter|ftrace|perfetto "
                       "[--from N] [--to N] [-o FILE]",
                       e) &&
        choose_format(&x, format, e) && question_open(&p, path, e) &&
        (!to || (may_overwrite(to, false, e) && (x.file = host_create(to, e)))) && play(&x, &p, e);
    if (x.file && (!host_close(x.file) || x.failed) && ok)
        ok = error_set(e, "'%s' is not complete", to);
    bytes_free(&x.out);
    free(x.perfetto);
    player_close(&p);
    return ok;
}
