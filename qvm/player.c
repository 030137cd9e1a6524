#include "qvm/player.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/journal_records.h"
#include "hv/exitlog/exit_log.h"
#include "hv/foreign/observed_exit.h"
#include "hv/snapshot/snapshot.h"
#include "qvm/files.h"
#include "qvm/host/host.h"
#include "qvm/session.h"

/* Reading -----------------------------------------------------------------------------------------
 */

/* About the trace, before there is a board. */
static void write_trace_log(void *context, enum log_severity severity, const char *line)
{
    (void)context;
    fprintf(stderr, "qvm: %s: %s\n", log_severity_name(severity), line);
}

/* A trace's configuration is complete: what looks like a file or a variable is not looked for. */
static uint8_t *refuse_file(void *context, const char *path, size_t *size, struct error *e)
{
    (void)context;
    *size = 0;
    error_set(e, "the trace's configuration names a file, '%s'", path);
    return NULL;
}

static const char *refuse_environment(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

/* Every configuration's mistakes, not only the first one's. */
static bool parse_configs(struct player *p, const struct config_reader *reader, struct error *e)
{
    p->configs = calloc(p->trace.config_count, sizeof *p->configs);
    CHECK_ROOM(p->configs);
    p->vm_count = p->trace.config_count;
    for (size_t i = 0; i < p->vm_count; i++) {
        const char *text = p->trace.configs[i].text;
        if (!config_parse(&p->configs[i], &text, 1, reader, e))
            return error_exit_status(e, STATUS_CONFIGURATION);
    }
    return true;
}

static bool parse(struct player *p, struct error *e)
{
    struct config_reader reader = {
        .read_file = refuse_file, .env = refuse_environment, .is_recorded = true};
    if (p->trace.board) {
        const char *text = p->trace.board[0].text;
        if (!board_config_parse(&p->board_config, &text, 1, &reader, e))
            return error_exit_status(e, STATUS_CONFIGURATION);
        p->has_board = true;
        reader.board = &p->board_config;
    }
    return parse_configs(p, &reader, e);
}

static bool lacks_images(const struct trace *t)
{
    for (size_t i = 0; i < t->image_count; i++)
        if (!t->images[i].here)
            return true;
    return false;
}

/* A trace without images names them only: they are where the configuration says, if anywhere. It
 * may be a stranger's: only regular files are looked at, which nobody waits for, and only those
 * that have the size of one. */
static void supply_images(struct trace *t, struct open_files *files, const struct vm_config *config)
{
    struct error ignored = {0};
    uint64_t size;
    for (size_t i = 0; i < config->load_count; i++)
        if (files_open(files, config->loads[i].path, &size, &ignored) && trace_lacks(t, size)) {
            struct bytes found = {0};
            if (files_read(files, config->loads[i].path, 0, (size_t)size, &found) == RANGE_GIVEN)
                trace_supply_image(t, found.data, found.size);
            bytes_free(&found);
        }
}

/* Ranges that it names only are in the file that they were of, if that has them still: its size is
 * not asked for, as the digest of each range tells. */
static enum range_answer read_as_it_is(void *context, const char *path, uint64_t offset,
                                       size_t size, struct bytes *out)
{
    struct error ignored = {0};
    uint64_t now;
    return files_open(context, path, &now, &ignored) ? files_read(context, path, offset, size, out)
                                                     : RANGE_UNREADABLE;
}

/* Moves what the trace has into the journal, and looks for what it only names. */
static void supply_journal(struct player *p, bool plays_exit_log)
{
    struct open_files files = {0};
    for (size_t i = 0; i < p->vm_count && !plays_exit_log && lacks_images(&p->trace); i++)
        supply_images(&p->trace, &files, &p->configs[i]);
    trace_into_journal(&p->trace, &p->journal);
    journal_fetch_ranges(&p->journal, read_as_it_is, &files);
    files_close(&files);
}

/* What became of the other VMs when one ended is part of the run. */
static enum on_exit recorded_on_exit(const struct trace *t)
{
    for (size_t i = 0; i < t->machine_count; i++)
        for (unsigned k = 0; vm_on_exit_name(k); k++)
            if (strcmp(t->machine[i].name, "on-exit") == 0 &&
                strcmp(t->machine[i].text, vm_on_exit_name(k)) == 0)
                return (enum on_exit)k;
    return ON_EXIT_ALL;
}

/* A seed that is no number is that of no recording. */
static bool recorded_chaos(const struct trace *t, struct chaos *chaos, struct error *e)
{
    *chaos = (struct chaos){0};
    for (size_t i = 0; i < t->machine_count; i++) {
        const char *text = t->machine[i].text;
        if (strcmp(t->machine[i].name, "chaos") != 0)
            continue;
        chaos->on = true;
        if (vdev_number(text, strlen(text), 10, &chaos->seed))
            continue;
        error_set(e, "the trace's chaos is '%s', which is no seed", text);
        return error_exit_status(e, STATUS_USAGE);
    }
    return true;
}

/* The limits under which a recording ended early hold for its replay too. */
static void recorded_options(struct player *p)
{
    const struct trace *t = &p->trace;
    struct board_options *o = &p->options;
    o->quirks = t->quirks;
    o->on_exit = recorded_on_exit(t);
    /* Of the two the one that it was: while a board is idle only time goes on. */
    bool limited = t->has_end && t->end.exit_status == STATUS_LIMIT;
    bool by_time = limited && !strstr(t->end.sentence, "instruction limit reached");
    if (limited && !by_time && t->end.instructions < o->limit_instructions)
        o->limit_instructions = t->end.instructions;
    if (by_time && t->end.ticks < o->limit_ticks)
        o->limit_ticks = t->end.ticks;
    /* A killed recorder: as far as it is known to have come. */
    if (!t->has_end && t->digest_count &&
        t->digests[t->digest_count - 1].instructions < o->limit_instructions)
        o->limit_instructions = t->digests[t->digest_count - 1].instructions;
    if (t->digest_count > 1)
        o->digest_every = t->digests[1].instructions - t->digests[0].instructions;
    else if (t->digest_count)
        o->digest_every = t->digests[0].instructions;
}

static bool read_trace(struct player *p, const char *path, struct error *e)
{
    struct log log = {.severities = LOG_SEVERITY_DEFAULT, .sink = write_trace_log};
    struct error why = {0};
    bool ok = host_view_open(path, &p->file, e);
    if (ok && !trace_parse(&p->trace, p->file.data, p->file.size, &log, &why))
        ok = error_set(e, "'%s': %s", path, why.text);
    if (ok && !p->trace.snapshot_count)
        host_view_close(&p->file);
    return ok || error_exit_status(e, STATUS_USAGE);
}

/* A recorder that was killed may have left more of the run than of its exit log. And what goes on
 * behind the recording's end has nobody left who would end it. */
void player_play_exits(struct player *p, struct exit_log *exit_log,
                       void (*differs)(void *context, const struct exit_log_difference *d))
{
    const struct bytes *exits = &p->trace.exits;
    uint64_t last =
        p->trace.has_end ? p->trace.end.instructions + 1 : exit_log_last(exits->data, exits->size);
    if (last < p->options.limit_instructions)
        p->options.limit_instructions = last;
    exit_log_expect(exit_log, EXIT_LOG_PLAYS, exits->data, exits->size, differs, NULL);
}

bool player_open(struct player *p, const char *path, const struct board_options *options,
                 struct error *e)
{
    *p = (struct player){.options = *options};
    if (!read_trace(p, path, e) || !parse(p, e) ||
        !recorded_chaos(&p->trace, &p->options.chaos, e)) {
        player_close(p);
        return false;
    }
    bool plays_exit_log = options->exit_log && options->exit_log->mode == EXIT_LOG_PLAYS;
    supply_journal(p, plays_exit_log);
    recorded_options(p);
    /* Without inputs it is the file of a snapshot, which has no end. */
    if (!p->trace.has_end && p->journal.pulls.size)
        fprintf(stderr, "qvm: the recording was cut off: replayed as far as it goes\n");
    return true;
}

void player_close(struct player *p)
{
    board_free(p->board);
    exit_log_free(&p->exit_log);
    journal_free(&p->journal);
    for (size_t i = 0; i < p->vm_count; i++)
        config_free(&p->configs[i]);
    free(p->configs);
    board_config_free(&p->board_config);
    trace_free(&p->trace);
    host_view_close(&p->file);
    *p = (struct player){0};
}

static void warn_of_difference(void *context, const struct exit_log_difference *d)
{
    (void)context;
    if (d->board->options.exit_log->differences == 1)
        fprintf(stderr,
                "qvm: at instruction %" PRIu64 " this program does something else than was "
                "recorded: qvm replay --exits says what\n",
                d->instructions);
}

void player_without_engine(struct player *p)
{
    if (engine_is_built_in() || !p->trace.exits.size)
        return;
    p->exit_log.mode = EXIT_LOG_PLAYS;
    p->options.exit_log = &p->exit_log;
}

/* Playing -----------------------------------------------------------------------------------------
 */

const struct trace_snapshot *player_snapshot(const struct player *p, uint64_t instructions)
{
    const struct trace_snapshot *best = NULL;
    for (size_t i = 0; i < p->trace.snapshot_count; i++) {
        const struct trace_snapshot *s = &p->trace.snapshots[i];
        if (s->is_start || s->instructions <= instructions)
            best = s;
    }
    return best;
}

bool player_is_alone(const struct player *p)
{
    return !p->trace.has_end && !p->journal.pulls.size && p->trace.snapshot_count;
}

/* Where nothing was recorded, nothing comes: the guest's clock starts at a fixed time, random
 * numbers are zeros, a wait is over at once. */
static bool pull_nothing(void *context, enum pull_kind kind, const char *key, size_t size,
                         struct bytes *out, struct error *e)
{
    (void)context;
    if (kind == PULL_FILE)
        return error_set(e, "the trace does not hold the file '%s'", key);
    if (kind == PULL_WALL_CLOCK)
        bytes_put_int(out, DEFAULT_WALL_CLOCK_S, 8);
    else
        for (size_t i = 0; i < size; i++)
            bytes_put_int(out, 0, 1);
    return true;
}

static bool poll_nothing(void *context, struct push *push)
{
    (void)context, (void)push;
    return false;
}

static bool idle_at_once(void *context, uint64_t ns, uint64_t *passed_ns)
{
    (void)context;
    *passed_ns = ns;
    return ns != UINT64_MAX;
}

static bool assemble(struct player *p, const struct board_sinks *sinks, struct error *e)
{
    board_free(p->board);
    p->board = board_new(p->has_board ? &p->board_config : NULL, p->configs, p->vm_count,
                         &p->journal, &p->options, sinks, e);
    return p->board || error_exit_status(e, STATUS_NOT_STARTED);
}

bool player_assemble(struct player *p, const struct board_sinks *sinks, struct error *e)
{
    struct board_sinks quick = *sinks;
    quick.idle = idle_at_once;
    p->options.from_snapshot = true;
    journal_free(&p->journal);
    journal_live(&p->journal, JOURNAL_LIVE,
                 (struct journal_host){.pull = pull_nothing, .poll = poll_nothing});
    return assemble(p, &quick, e);
}

/* A recorder that was killed: as far as the last input, digest or snapshot that it left, as a guest
 * that waits for input would wait for ever. With nothing noted the user may say how far. The ticks
 * of inputs count from where the recording begins: the machine is there. */
static void limit_to_records(struct player *p)
{
    const struct trace *t = &p->trace;
    struct board_options *o = &p->board->options;
    uint64_t last = journal_last_tick(&p->journal), until = p->board->vtime.instructions;
    bool is_limited = o->limit_instructions != UINT64_MAX || o->limit_ticks != UINT64_MAX;
    if (t->digest_count || (last && last >= o->limit_ticks))
        return;
    if (last) {
        o->limit_ticks = last + 1;
    } else if (t->snapshot_count && t->snapshots[t->snapshot_count - 1].instructions > until) {
        until = t->snapshots[t->snapshot_count - 1].instructions;
        o->limit_instructions = until < o->limit_instructions ? until : o->limit_instructions;
    } else if (!is_limited) {
        fprintf(stderr, "qvm: nothing of the run was noted before that: it ends where it begins; "
                        "--limit-insns N replays so much of it\n");
        o->limit_instructions = until;
    }
}

bool player_start_at(struct player *p, const void *snapshot, size_t size,
                     const struct board_sinks *sinks, struct error *e)
{
    p->options.from_snapshot = true;
    journal_replay(&p->journal);
    return (assemble(p, sinks, e) && snapshot_restore(p->board, snapshot, size, e)) ||
           error_exit_status(e, STATUS_NOT_STARTED);
}

bool player_start(struct player *p, uint64_t from, const struct board_sinks *sinks, struct error *e)
{
    if (observed_stream_is(p->trace.exits.data, p->trace.exits.size)) {
        error_set(e, "these are exits that were seen elsewhere, no recording: qvm replay --exits "
                     "FILE says what the model gives for them");
        return error_exit_status(e, STATUS_USAGE);
    }
    bool alone = player_is_alone(p);
    if (alone && !p->alone_too) {
        error_set(e, "this is a snapshot, no recording: qvm run --from FILE goes on from it");
        return error_exit_status(e, STATUS_USAGE);
    }
    if (p->trace.truncated && !p->journal.pulls.size) {
        error_set(e, "the trace ends before the first input of the run");
        return error_exit_status(e, STATUS_USAGE);
    }
    if (p->options.exit_log == &p->exit_log) {
        from = 0;
        player_play_exits(p, &p->exit_log, warn_of_difference);
    }
    const struct trace_snapshot *snapshot = player_snapshot(p, alone ? UINT64_MAX : from);
    p->options.from_snapshot = snapshot != NULL;
    if (!alone)
        journal_replay(&p->journal);
    if (!alone && snapshot && snapshot->is_start)
        journal_begins_here(&p->journal);
    bool ok = (alone ? player_assemble(p, sinks, e) : assemble(p, sinks, e)) &&
              (!snapshot || snapshot_restore_from(p->board, snapshot, e));
    if (ok && !alone && !p->trace.has_end)
        limit_to_records(p);
    return ok || error_exit_status(e, STATUS_NOT_STARTED);
}
