#include "qvm/recording.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/snapshot/state_parts.h"
#include "hv/snapshot/snapshot.h"
#include "qvm/host/host.h"
#include "qvm/session.h"

static bool append(void *context, const void *data, size_t size)
{
    return host_append(((struct recording *)context)->file, data, size);
}

static bool replace(void *context, uint64_t offset, const void *data, size_t size)
{
    return host_replace(((struct recording *)context)->file, offset, data, size);
}

bool may_overwrite(const char *path, bool by_a_trace, struct error *e)
{
    char magic[4];
    size_t size = host_read_start(path, magic, sizeof magic);
    bool is_trace = size == sizeof magic && memcmp(magic, "\x89QTR", sizeof magic) == 0;
    if (!size || is_trace == by_a_trace)
        return true;
    error_set(e, "'%s' exists and is %s: not overwritten", path,
              is_trace ? "a trace" : "not a trace");
    return error_exit_status(e, STATUS_USAGE);
}

static bool write_configs(struct recording *r, const struct recording_source *source)
{
    struct trace_text *texts = calloc(source->count, sizeof *texts);
    CHECK_ROOM(texts);
    for (size_t i = 0; i < source->count; i++) {
        struct bytes text = {0};
        config_print(&source->configs[i], &text);
        bytes_put_int(&text, 0, 1);
        texts[i] =
            (struct trace_text){.name = source->board->vms[i]->name, .text = (char *)text.data};
    }
    bool ok = trace_write_config(&r->writer, texts, source->count);
    for (size_t i = 0; i < source->count; i++)
        free(texts[i].text);
    free(texts);
    return ok;
}

static bool write_board(struct recording *r, const struct board_config *config)
{
    if (!config)
        return true;
    struct bytes text = {0};
    board_config_print(config, &text);
    bytes_put_int(&text, 0, 1);
    struct trace_text board = {.name = config->name, .text = (char *)text.data};
    bool ok = trace_write_board(&r->writer, &board);
    bytes_free(&text);
    return ok;
}

/* What ran it, and what it ran under if that is not the default: policy, chaos; or where it was
 * imported from. */
static bool write_machine(struct recording *r, const struct recording_source *source)
{
    const struct board *b = source->board;
    char imported[] = "imported-from", from[256];
    char unicorn[] = "unicorn", version[32], on_exit[] = "on-exit", policy[16];
    char chaos[] = "chaos", seed[24];
    snprintf(version, sizeof version, "%s", engine_version());
    snprintf(policy, sizeof policy, "%s", vm_on_exit_name(b->options.on_exit));
    snprintf(seed, sizeof seed, "%" PRIu64, b->options.chaos.seed);
    struct trace_text machine[4] = {{.name = unicorn, .text = version}};
    size_t count = 1;
    if (b->options.on_exit != ON_EXIT_ALL)
        machine[count++] = (struct trace_text){.name = on_exit, .text = policy};
    if (b->options.chaos.on)
        machine[count++] = (struct trace_text){.name = chaos, .text = seed};
    snprintf(from, sizeof from, "%s", source->imported_from ? source->imported_from : "");
    if (*from)
        machine[count++] = (struct trace_text){.name = imported, .text = from};
    return trace_write_machine(&r->writer, machine, count);
}

bool recording_begin(struct recording *r, const char *path, const struct recording_source *source,
                     struct error *e)
{
    *r = (struct recording){.path = path};
    struct host_file *file = may_overwrite(path, true, e) ? host_create(path, e) : NULL;
    return file && recording_begin_in(r, file, path, source, e);
}

bool recording_begin_in(struct recording *r, struct host_file *file, const char *path,
                        const struct recording_source *source, struct error *e)
{
    *r = (struct recording){.path = path, .file = file};
    bool ok =
        trace_writer_begin(&r->writer,
                           (struct trace_sink){.write = append, .replace = replace, .context = r},
                           source->board->options.quirks) &&
        write_configs(r, source) && write_board(r, source->board_config) &&
        write_machine(r, source);
    r->writer.no_images = source->no_images;
    if (!ok)
        recording_abandon(r);
    return ok || error_set(e, "cannot write '%s'", path);
}

void recording_step(struct recording *r, const struct journal *j, struct error *e)
{
    if (r->file && !r->failed && !trace_record_step(&r->writer, j, e))
        r->failed = true;
}

bool recording_snapshot(struct recording *r, struct board *b)
{
    struct bytes data = {0};
    snapshot_take_next(b, &r->snapshots, &data);
    bool ok = trace_write_snapshot(&r->writer, b->vtime.instructions, data.data, data.size);
    bytes_free(&data);
    return ok;
}

bool recording_seen(struct recording *r, const struct observed_stream *s)
{
    struct bytes data = {0};
    observed_stream_put(s, &data);
    bool ok = trace_write_exits(&r->writer, data.data, data.size);
    bytes_free(&data);
    return ok;
}

void recording_exits(struct recording *r, struct exit_log *exit_log)
{
    if (r->file)
        trace_write_exits(&r->writer, exit_log->out.data, exit_log->out.size);
    exit_log_taken(exit_log);
}

void recording_parts(struct recording *r, struct board *b, bool is_start)
{
    struct bytes parts = {0};
    if (!r->file)
        return;
    if (!r->has_parts)
        bytes_put_int(&parts, STATE_PARTS_VERSION, 1);
    state_parts_put(b, is_start, r->last_parts, &parts);
    trace_write_parts(&r->writer, parts.data, parts.size);
    r->has_parts = true;
    r->last_parts = b->vtime.instructions;
    bytes_free(&parts);
}

void recording_digest(struct recording *r, const struct trace_digest *digest, struct board *b)
{
    if (!r->file)
        return;
    trace_write_digests(&r->writer, digest, 1);
    recording_parts(r, b, false);
}

bool recording_end(struct recording *r, const struct trace_end *end)
{
    bool ok = !end || trace_write_end(&r->writer, end);
    ok = trace_writer_finish(&r->writer) && ok && !r->failed;
    ok = host_close(r->file) && ok;
    snapshot_chain_free(&r->snapshots);
    r->file = NULL;
    return ok;
}

void recording_abandon(struct recording *r)
{
    if (!r->file)
        return;
    trace_writer_free(&r->writer);
    host_close(r->file);
    snapshot_chain_free(&r->snapshots);
    r->file = NULL;
}
