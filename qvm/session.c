#include "qvm/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "emu/check.h"
#include "emu/trace.h"
#include "hv/exitlog/exit_log.h"
#include "hv/network.h"
#include "hv/snapshot/recent_past.h"
#include "hv/snapshot/snapshot.h"
#include "qvm/beside.h"
#include "qvm/config_files.h"
#include "qvm/console.h"
#include "qvm/files.h"
#include "qvm/gdb/gdb_session.h"
#include "qvm/ask/divergence.h"
#include "qvm/live/dumps.h"
#include "qvm/live/event_text.h"
#include "qvm/live/exit_costs.h"
#include "qvm/live/failure.h"
#include "qvm/live/pcap.h"
#include "qvm/host/host.h"
#include "qvm/player.h"
#include "qvm/pull.h"
#include "qvm/recording.h"
#include "qvm/live/text_watch.h"
#include "qvm/report.h"
#include "qvm/trust.h"
#include "qvm/verdict.h"

#define EXIT_LOG_PIECE ((size_t)1 << 18) /* bytes of guest exits that are worth a chunk */

struct session {
    const struct session_options *options;
    struct board_config board_config;
    bool has_board;            /* else the default one */
    struct vm_config *configs; /* owned, one a VM */
    size_t vm_count;
    struct journal journal;
    struct open_files files;
    struct board *board;
    struct console console;
    struct events events;
    struct pcap pcap;
    struct host_net *net; /* NULL: the host is at no switch */
    struct gdb_events recent_events;
    struct exit_costs costs;
    struct dumps dumps;
    /* Recording */
    struct recording recording;
    struct exit_log exit_log;
    struct recent_past past;
    struct text_watch save_text; /* --save-at console=TEXT; text NULL: no */
    bool saved;                  /* the snapshot that was asked for */
    bool save_failed;
    struct chaos chaos_from_here; /* once a snapshot is restored, if it is on */
    bool interrupted;             /* by the power button, or a power cut */
    bool disk_lost;               /* a file that disks write through to was not written */
    /* Replaying */
    const struct trace *trace; /* NULL: live */
    struct divergence divergence;
};

/* The log
 * ------------------------------------------------------------------------------------------- */

static void put_line(FILE *to, const struct session *s, unsigned vm, enum log_severity severity,
                     const char *line)
{
    host_flush();
    char name[VM_NAME_SIZE];
    vm_name(&s->configs[vm], vm, name, sizeof name);
    fprintf(to, "qvm: %s: ", log_severity_name(severity));
    if (s->vm_count > 1)
        fprintf(to, "%s: ", name);
    fprintf(to, "%s\n", line);
    fflush(to);
}

static void on_log(void *context, unsigned vm, enum log_severity severity, unsigned outlets,
                   const char *line)
{
    if (((struct session *)context)->options->trial)
        return;
    if (outlets & OUTLET_STDOUT)
        put_line(stdout, context, vm, severity, line);
    if (outlets & OUTLET_STDERR)
        put_line(stderr, context, vm, severity, line);
}

/* Recording
 * ----------------------------------------------------------------------------------------- */

static void record_step(struct session *s)
{
    struct error e = {0};
    recording_step(&s->recording, &s->journal, &e);
    if (s->recording.file && !s->options->gdb) /* going back in a live run asks for them */
        journal_release_ranges(&s->journal);
    if (s->exit_log.out.size > EXIT_LOG_PIECE)
        recording_exits(&s->recording, &s->exit_log);
    if (e.text[0])
        report_error(&e, 0);
}

static struct recording_source source_of(struct session *s)
{
    return (struct recording_source){
        .board = s->board,
        .configs = s->configs,
        .count = s->vm_count,
        .board_config = s->has_board ? &s->board_config : NULL,
        .no_images = s->options->no_images,
    };
}

/* Once the machine is assembled: a recording that cannot begin leaves an older one alone. */
static bool begin_recording(struct session *s, struct error *e)
{
    struct recording_source source = source_of(s);
    if (!s->options->record_path)
        return true;
    if (!recording_begin(&s->recording, s->options->record_path, &source, e))
        return false;
    if (s->options->board.from_snapshot && !recording_snapshot(&s->recording, s->board))
        return error_set(e, "cannot write '%s'", s->options->record_path);
    record_step(s);
    if (!s->options->board.from_snapshot)
        recording_parts(&s->recording, s->board, true);
    return true;
}

/* False: the file is not complete. */
static bool end_recording(struct session *s, const struct trace_end *end)
{
    if (!s->recording.file)
        return true;
    record_step(s);
    recording_exits(&s->recording, &s->exit_log);
    recording_parts(&s->recording, s->board, false);
    bool ok = recording_end(&s->recording, end);
    if (!ok)
        fprintf(stderr, "qvm: the trace '%s' is not complete\n", s->options->record_path);
    return ok;
}

/* A run that nobody wanted recorded is recorded in memory. */
static bool is_kept(const struct session *s)
{
    return !s->options->no_record && !s->options->record_path && !s->trace;
}

/* With chaos from here on the machine is not that of the file any more; and one that leans on
 * others is nothing alone. */
static void begin_keeping(struct session *s, const struct trace_snapshot *from)
{
    bool is_file = from && !s->chaos_from_here.on && snapshot_is_whole(from->data, from->size);
    recent_past_begin(&s->past, is_kept(s) ? RECENT_PAST_BUDGET : 0, &s->journal,
                      is_file ? from : NULL);
    if (is_kept(s) && from && !is_file)
        recent_past_start_here(&s->past, s->board);
}

/* Where the trial says, or in a file of its own. */
static bool begin_failure(const struct session *s, struct recording *r, char *path, size_t size,
                          const struct recording_source *source, struct error *e)
{
    const struct trial *trial = s->options->trial;
    if (trial && trial->trace_path) {
        snprintf(path, size, "%s", trial->trace_path);
        return recording_begin(r, path, source, e);
    }
    struct host_file *file = failure_create(s->board->vms[0]->name, path, size, e);
    return file && recording_begin_in(r, file, path, source, e);
}

/* What happened is worth a file. `end` NULL: it happened to this program. */
static void keep_failure(struct session *s, const struct trace_end *end)
{
    struct recording_source source = source_of(s);
    struct recording file;
    struct error e = {0};
    char path[1024];
    source.no_images = false;
    if (journal_fetch_ranges(&s->journal, s->journal.host.read, s->journal.host.context))
        fprintf(stderr,
                "qvm: of the guests' disks the trace has no contents, as their files are not "
                "what they were\n");
    if (!begin_failure(s, &file, path, sizeof path, &source, &e)) {
        report_error(&e, 0);
        return;
    }
    recent_past_write(&s->past, &file.writer);
    recording_step(&file, &s->journal, &e);
    bool complete = recording_end(&file, end);
    if (e.text[0])
        report_error(&e, 0);
    if (!complete)
        fprintf(stderr, "qvm: the trace '%s' is not complete\n", path);
    else if (s->options->trial)
        snprintf(s->options->trial->kept, sizeof s->options->trial->kept, "%s", path);
    else
        fprintf(stderr, "qvm: to see it again: qvm replay %s\n", path);
}

/* Into the recording; and, if it was asked for, into a file of its own, which is a trace without a
 * run. */
static void on_snapshot(void *context, struct board *b)
{
    struct session *s = context;
    struct recording file = {0};
    struct recording_source source = source_of(s);
    struct error e = {0};
    if (s->past.wanted) {
        recent_past_take(&s->past, b, &s->journal);
        if (b->vtime.instructions < b->next_snapshot && !b->save_wanted)
            return;
    }
    if (s->recording.file && s->options->board.snapshot_every) {
        record_step(s);
        recording_snapshot(&s->recording, b);
    }
    if (!b->save_wanted || !s->options->save_path || s->trace)
        return;
    s->save_failed = !recording_begin(&file, s->options->save_path, &source, &e);
    if (s->save_failed) {
        report_error(&e, 0);
        return;
    }
    s->saved = recording_snapshot(&file, b);
    s->saved = recording_end(&file, NULL) && s->saved;
    s->save_failed = !s->saved;
    if (!s->saved)
        fprintf(stderr, "qvm: the snapshot '%s' is not complete\n", s->options->save_path);
}

/* Inputs
 * -------------------------------------------------------------------------------------------- */

/* The file that is meant. */
static const char *file_of(const struct session *s, const char *name, char path[1024])
{
    if (!s->options->beside)
        return name;
    beside_find(name, s->options->beside, path, 1024);
    return path;
}

static bool pull(void *context, enum pull_kind kind, const char *key, size_t size,
                 struct bytes *out, struct error *e)
{
    struct session *s = context;
    char path[1024];
    if (kind == PULL_FILE || kind == PULL_SIZE)
        key = file_of(s, key, path);
    return pull_from_host(s->options, &s->files, kind, key, size, out, e);
}

static enum range_answer read_range(void *context, const char *path, uint64_t offset, size_t size,
                                    struct bytes *out)
{
    struct session *s = context;
    char found[1024];
    return files_read(&s->files, file_of(s, path, found), offset, size, out);
}

static enum probe_answer probe(void *context, const char *folder, const char *name, size_t limit,
                               struct bytes *out)
{
    (void)context;
    return host_read_below(folder, name, limit, out);
}

static const struct trial_watch *watch_of(const struct session *s)
{
    return s->options->trial ? s->options->trial->watch : NULL;
}

static uint64_t next_input(void *context)
{
    const struct trial_watch *watch = watch_of(context);
    return watch ? watch->next_input(watch->context) : EVENT_NEVER;
}

static bool poll_net(struct session *s, struct push *p)
{
    if (!s->net)
        return false;
    p->kind = PUSH_FRAME;
    p->target = (uint16_t)(NETWORK_HOST << 8 | s->options->net_switch);
    p->size = (uint32_t)host_net_receive(s->net, &p->data);
    return p->size != 0;
}

static bool poll_host(void *context, struct push *p)
{
    struct session *s = context;
    record_step(s);
    /* Not when a guest wants a snapshot: which of them it is for would not be known. */
    if (!s->board->snapshot_wanted && recent_past_wants(&s->past, &s->journal))
        s->board->snapshot_wanted = true;
    const struct trial_watch *watch = watch_of(s);
    if (watch && watch->input(watch->context, p))
        return true;
    bool any = console_poll(&s->console, p) || poll_net(s, p);
    s->interrupted |= any && (p->kind == PUSH_POWER_BUTTON || p->kind == PUSH_POWER_CUT);
    return any;
}

/* Sinks
 * --------------------------------------------------------------------------------------------- */

static void on_output(void *context, unsigned vm, unsigned channel, const void *data, size_t size)
{
    struct session *s = context;
    size_t number = vm * VM_CHANNELS + channel;
    if (s->save_text.text && !s->saved && text_watch_saw(&s->save_text, number, data, size))
        s->board->snapshot_wanted = s->board->save_wanted = true;
    if (watch_of(s))
        watch_of(s)->output(watch_of(s)->context, vm, data, size);
    else
        console_output(&s->console, vm, channel, data, size);
}

static void on_event(void *context, const struct board_event *event)
{
    struct session *s = context;
    if (s->events.file)
        events_write(&s->events, event);
    gdb_events_note(&s->recent_events, event);
}

static void on_frame(void *context, unsigned vm, unsigned channel, const void *data, size_t size)
{
    struct session *s = context;
    pcap_frame(&s->pcap, s->board, vm, channel, data, size);
}

static void on_host_frame(void *context, unsigned number, const void *data, size_t size)
{
    struct session *s = context;
    if (s->net && number == s->options->net_switch)
        host_net_send(s->net, data, size);
}

static void on_exit_begins(void *context)
{
    exit_costs_begin(&((struct session *)context)->costs);
}

static void on_exit_ends(void *context, const struct vm *vm, const struct guest_exit *x)
{
    exit_costs_end(&((struct session *)context)->costs, vm, x);
}

static bool on_dump_begin(void *context, const struct vm *vm, struct error *e)
{
    return dumps_begin(&((struct session *)context)->dumps, vm, e);
}

static bool on_dump_write(void *context, const void *data, size_t size)
{
    return dumps_write(&((struct session *)context)->dumps, data, size);
}

static void on_dump_end(void *context, const struct vm *vm, bool complete, const char *why)
{
    dumps_end(&((struct session *)context)->dumps, vm, complete, why);
}

static bool on_file(void *context, const char *folder, const char *name, const void *data,
                    size_t size, struct error *e)
{
    struct session *s = context;
    if (s->trace)
        return true;
    return folder ? host_write_below(folder, name, data, size, e)
                  : host_write_file(name, data, size, e);
}

static bool on_idle(void *context, uint64_t ns, uint64_t *passed_ns)
{
    struct session *s = context;
    return console_idle(&s->console, ns, passed_ns);
}

static void on_digest(void *context, uint64_t instructions, struct digest d)
{
    struct session *s = context;
    struct trace_digest digest = {.instructions = instructions, .state = d};
    if (s->trace)
        divergence_digest(&s->divergence, instructions, d);
    else
        recording_digest(&s->recording, &digest, s->board);
}

/* A session
 * ----------------------------------------------------------------------------------------- */

/* The global design safe state: nothing is repaired, nothing more is run, what there is is kept. */
static void last_words(void *context)
{
    struct session *s = context;
    host_console_close();
    host_flush();
    record_step(s);
    if (is_kept(s))
        keep_failure(s, NULL);
}

static bool open_events(struct session *s, struct error *e)
{
    const char *events = s->options->events_path, *save = s->options->save_path;
    const char *record = s->options->record_path, *pcap = s->options->pcap_path;
    if (save && record && host_same_file(save, record)) {
        error_set(e, "'%s' cannot be the recording and the snapshot", save);
        return error_exit_status(e, STATUS_USAGE);
    }
    if ((save && !may_overwrite(save, true, e)) || (events && !may_overwrite(events, false, e)) ||
        (pcap && !may_overwrite(pcap, false, e)))
        return false;
    if ((events && !(s->events.file = host_create(events, e))) ||
        (pcap && !pcap_open(&s->pcap, pcap, e)))
        return error_exit_status(e, STATUS_USAGE);
    return true;
}

static bool or_incomplete(bool ok, const char *path)
{
    if (!ok)
        fprintf(stderr, "qvm: '%s' is not complete\n", path);
    return ok;
}

/* False: a file is not complete. */
static bool close_events(struct session *s)
{
    bool ok = !s->events.file || host_close(s->events.file);
    s->events.file = NULL;
    ok = or_incomplete(ok, s->options->events_path);
    return or_incomplete(pcap_close(&s->pcap), s->options->pcap_path) && ok;
}

static void say_divergence(void *context, const char *sentence)
{
    (void)context;
    host_flush();
    fprintf(stderr, "qvm: %s\n", sentence);
}

static bool on_disk_claim(void *context, const char *path, struct error *e)
{
    struct session *s = context;
    char found[1024];
    return files_claim(&s->files, file_of(s, path, found), e);
}

/* The guest does not learn of it: what it wrote is in the machine. */
static void on_disk(void *context, const char *path, uint64_t offset, const void *data, size_t size)
{
    struct session *s = context;
    char found[1024];
    struct error e = {0};
    const char *name = file_of(s, path, found);
    if (files_write(&s->files, name, offset, data, size, &e))
        return;
    s->disk_lost = true;
    fprintf(stderr, "qvm: '%s' is not what the guest's disk is: %s\n", name, e.text);
}

/* A replay leaves nothing behind, nor does a run that somebody only tries. */
static bool changes_files(const struct session *s)
{
    return !s->trace && !s->options->trial;
}

static struct board_sinks sinks_of(struct session *s)
{
    return (struct board_sinks){
        .output = on_output,
        .file = on_file,
        .disk_claim = changes_files(s) ? on_disk_claim : NULL,
        .disk = on_disk,
        .dump_begin = s->trace ? NULL : on_dump_begin, /* a replay leaves nothing behind */
        .dump_write = on_dump_write,
        .dump_end = on_dump_end,
        .idle = on_idle,
        .digest = on_digest,
        .snapshot = on_snapshot,
        .log = on_log,
        .event = s->options->events_path || s->options->gdb ? on_event : NULL,
        .frame = s->options->pcap_path ? on_frame : NULL,
        .host_frame = s->options->has_net ? on_host_frame : NULL,
        .exit_begins = s->options->stats ? on_exit_begins : NULL,
        .exit_ends = s->options->stats ? on_exit_ends : NULL,
        .context = s,
    };
}

static bool assemble(struct session *s, struct error *e)
{
    struct board_sinks sinks = sinks_of(s);
    if (!open_events(s, e))
        return false;
    struct board_options options = s->options->board;
    if (s->options->exits) {
        exit_log_write(&s->exit_log);
        options.exit_log = &s->exit_log;
    }
    s->board = board_new(s->has_board ? &s->board_config : NULL, s->configs, s->vm_count,
                         &s->journal, &options, &sinks, e);
    if (!s->board)
        return false;
    s->board->where.trace_path = s->options->record_path;
    s->board->where.last_words = last_words;
    s->board->where.context = s;
    s->board->where.exit_status = STATUS_STARTED;
    console_init(&s->console, s->board, s->options->realtime);
    if (s->options->save_text)
        text_watch_init(&s->save_text, s->options->save_text, s->vm_count * VM_CHANNELS);
    if (s->options->trial)
        console_detach(&s->console, &s->options->trial->printed);
    return true;
}

/* Nothing is said of a trial here, and nothing kept of one that did not fail. */
static int end_trial(struct session *s, const struct trace_end *end)
{
    struct trial *trial = s->options->trial;
    const struct trial_watch *watch = trial->watch;
    trial->failed = watch ? watch->failed(watch->context, end) : ended_badly(end->exit_status);
    trial->interrupted = s->interrupted;
    snprintf(trial->ending, sizeof trial->ending, "%s", end->sentence);
    if (trial->failed)
        keep_failure(s, end);
    return end->exit_status;
}

/* It does not start: says why, or whoever tries it does. Returns the exit status. */
static int refuse(const struct session *s, const struct error *e, int otherwise)
{
    if (!s->options->trial)
        return report_error(e, otherwise);
    s->options->trial->error = *e;
    return e->exit_status ? e->exit_status : otherwise;
}

/* Runs the assembled board and says how it ended. `replay --verify` asks for agreement alone. */
static int run(struct session *s)
{
    uint64_t cpu_from = host_cpu_ns();
    console_open(&s->console, s->trace == NULL);
    struct error e = {0};
    if (s->options->gdb &&
        !debug_live(s->board, s->options->gdb, &s->recent_events, &s->console, &e)) {
        console_close(&s->console);
        return refuse(s, &e, STATUS_USAGE);
    }
    int status = s->trace ? divergence_run(&s->divergence) : board_run(s->board);
    console_close(&s->console);
    if (s->divergence.found && s->divergence.stops)
        return STATUS_DIVERGED;
    uint64_t cpu_ns = host_cpu_ns() - cpu_from;
    char sentence[1024];
    struct trace_end end = verdict_of(s->board, status, sentence, sizeof sentence);
    if (s->options->trial)
        return end_trial(s, &end);
    bool complete = end_recording(s, &end);
    if (s->trace)
        divergence_ended(&s->divergence, &end);
    verdict_print(s->board, &end);
    /* Interrupted: it may hang, as when `timeout` is tired of it. */
    if ((ended_badly(status) || s->interrupted) && is_kept(s))
        keep_failure(s, &end);
    if (s->options->stats) {
        verdict_print_stats(s->board, cpu_ns);
        exit_costs_print(&s->costs);
    }
    if (s->options->save_path && !s->trace && !s->saved) {
        fprintf(stderr, "qvm: there is no snapshot in '%s'%s\n", s->options->save_path,
                s->save_failed ? "" : ": the run ended before it was due");
        complete = false;
    }
    complete = close_events(s) && complete && !s->console.output_lost && !s->disk_lost;
    if (!complete && status == STATUS_OK)
        status = STATUS_USAGE;
    if (s->divergence.found)
        return STATUS_DIVERGED;
    return s->options->verify ? STATUS_OK : status;
}

static void end_session(struct session *s)
{
    close_events(s);
    recording_abandon(&s->recording);
    exit_log_free(&s->exit_log);
    exit_costs_free(&s->costs);
    recent_past_free(&s->past);
    board_free(s->board);
    console_free(&s->console);
    host_net_close(s->net);
    text_watch_free(&s->save_text);
    journal_free(&s->journal);
    files_close(&s->files);
    for (size_t i = 0; i < s->vm_count; i++)
        config_free(&s->configs[i]);
    free(s->configs);
    board_config_free(&s->board_config);
}

/* Every VM's mistakes are reported, not only the first one's. */
static bool parse_all(struct session *s, const struct vm_words *vms, size_t count,
                      const struct config_reader *reader, int *status)
{
    bool ok = true;
    s->configs = calloc(count, sizeof *s->configs);
    CHECK_ROOM(s->configs);
    s->vm_count = count;
    for (size_t i = 0; i < count; i++) {
        struct error e = {0};
        if (config_parse(&s->configs[i], vms[i].words, vms[i].count, reader, &e))
            continue;
        *status = refuse(s, &e, STATUS_CONFIGURATION);
        ok = false;
    }
    return ok;
}

static bool parse_board(struct session *s, const char *word, struct config_reader *reader,
                        int *status)
{
    struct error e = {0};
    if (!board_config_parse(&s->board_config, &word, 1, reader, &e)) {
        *status = refuse(s, &e, STATUS_CONFIGURATION);
        return false;
    }
    s->has_board = true;
    reader->board = &s->board_config;
    return true;
}

static bool is_dry(const struct session *s)
{
    bool dry = false;
    for (size_t i = 0; i < s->vm_count; i++)
        dry |= s->configs[i].dryrun;
    return dry;
}

static void go_live(struct session *s)
{
    bool record = s->options->record_path || is_kept(s);
    journal_live(&s->journal, record ? JOURNAL_RECORD : JOURNAL_LIVE,
                 (struct journal_host){.pull = pull,
                                       .probe = probe,
                                       .read = read_range,
                                       .next = next_input,
                                       .poll = poll_host,
                                       .context = s});
    if (is_kept(s) && !s->options->gdb)
        journal_leave_ranges(&s->journal);
}

/* `from` NULL: from the start. */
static bool assemble_from(struct session *s, const struct trace_snapshot *from, struct error *e)
{
    return assemble(s, e) && (!from || snapshot_restore_from(s->board, from, e));
}

static int run_or_not(struct session *s, const struct trace_snapshot *from)
{
    struct error e = {0};
    if (!assemble_from(s, from, &e))
        return refuse(s, &e, STATUS_NOT_STARTED);
    if (s->chaos_from_here.on)
        chaos_start(s->board, s->chaos_from_here.seed);
    console_warn(&s->console, s->board);
    if (!console_connect(&s->console, &e))
        return refuse(s, &e, STATUS_CONFIGURATION);
    if (s->options->has_net && !(s->net = host_net_open(&s->options->net, &e)))
        return refuse(s, &e, STATUS_USAGE);
    s->console.net = s->net;
    if (is_dry(s)) {
        log_write(&s->board->vms[0]->log, LOG_SEVERITY_INFO, "Exiting: dryrun complete");
        return STATUS_OK;
    }
    const struct trial_watch *watch = watch_of(s);
    if (watch && !watch->started(watch->context, s->board, &e))
        return refuse(s, &e, STATUS_NOT_STARTED);
    begin_keeping(s, from);
    return begin_recording(s, &e) ? run(s) : refuse(s, &e, STATUS_NOT_STARTED);
}

int session_run(const struct vm_words *vms, size_t count, const struct session_options *options)
{
    struct session s = {.options = options};
    struct config_reader reader = options->reader ? *options->reader : config_files_reader();
    int status = STATUS_OK;
    if ((!options->board_file || parse_board(&s, options->board_file, &reader, &status)) &&
        parse_all(&s, vms, count, &reader, &status)) {
        go_live(&s);
        status = run_or_not(&s, NULL);
    }
    end_session(&s);
    return status;
}

/* The configurations of a snapshot's file are the run's. */
static void take_configs(struct session *s, struct player *p)
{
    s->configs = p->configs;
    s->vm_count = p->vm_count;
    s->board_config = p->board_config;
    s->has_board = p->has_board;
    p->configs = NULL;
    p->vm_count = 0;
    p->board_config = (struct board_config){0};
}

int session_run_from(const char *path, const struct session_options *options)
{
    struct session_options live = *options;
    struct session s = {.options = &live};
    struct player p;
    struct error e = {0};
    int status;
    live.board.from_snapshot = true;
    if (options->record_path && host_same_file(path, options->record_path)) {
        error_set(&e, "'%s' would be replaced by its own continuation: -o names another file",
                  path);
        return refuse(&s, &e, STATUS_USAGE);
    }
    if (!player_open(&p, path, &options->board, &e))
        return refuse(&s, &e, STATUS_USAGE);
    s.chaos_from_here = live.board.chaos;
    live.board.chaos = p.options.chaos; /* the machine's, until it is restored */
    live.board.quirks = p.options.quirks;
    const struct trace_snapshot *from = player_snapshot(&p, UINT64_MAX);
    char wish[512];
    if (!options->trust && trust_is_needed(&p, wish, sizeof wish)) {
        error_set(&e, "'%s' wants to %s: --trust allows that", path, wish);
        status = refuse(&s, &e, STATUS_USAGE);
    } else if (!from) {
        error_set(&e, "'%s' holds no snapshot: run --save-at writes one", path);
        status = refuse(&s, &e, STATUS_USAGE);
    } else {
        if (!options->trial)
            trust_say_disks_went_on(&p);
        take_configs(&s, &p);
        go_live(&s);
        status = run_or_not(&s, from);
    }
    end_session(&s);
    player_close(&p);
    return status;
}

int session_replay(const char *path, const struct session_options *options)
{
    struct session s = {.options = options};
    struct player p;
    struct error e = {0};
    if (!player_open(&p, path, &options->board, &e))
        return report_error(&e, STATUS_USAGE);
    s.trace = &p.trace;
    s.configs = p.configs;
    s.vm_count = p.vm_count;
    struct board_sinks sinks = sinks_of(&s);
    s.divergence = (struct divergence){.stops = options->verify, .say = say_divergence};
    divergence_begin(&s.divergence, &p);
    int status;
    if (!open_events(&s, &e) || !player_start(&p, options->replay_from, &sinks, &e)) {
        status = report_error(&e, STATUS_NOT_STARTED);
    } else {
        s.board = p.board;
        console_init(&s.console, s.board, false);
        divergence_started(&s.divergence);
        status = run(&s);
    }
    s.board = NULL; /* these are the player's */
    s.configs = NULL;
    s.vm_count = 0;
    end_session(&s);
    divergence_free(&s.divergence);
    player_close(&p);
    return status;
}
