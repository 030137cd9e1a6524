/* `qvm shrink TRACE`: the smallest trace that ends like this one. It begins shortly before the end,
 * with no more memory and inputs than that takes. */
#include <inttypes.h>
#include <stdio.h>

#include "emu/text.h"
#include "hv/shrink.h"
#include "qvm/host/host.h"
#include "qvm/ask/patience.h"
#include "qvm/ask/question.h"
#include "qvm/ask/questions.h"
#include "qvm/recording.h"
#include "qvm/verdict.h"

static const char usage[] = "qvm shrink TRACE -o TRACE [--at N] [--history N]";

#define HISTORY 10000 /* instructions that are kept before the end */

/* Runs may be long ones. */
static void on_progress(void *context, const struct shrink_result *r)
{
    if (!telling_is_due(context))
        return;
    fprintf(stderr, "qvm: shrink: %zu %s", r->runs, text_plural(r->runs, "run", "runs"));
    if (r->pages)
        fprintf(stderr, ", %zu of %zu %s left", r->pages_kept, r->pages,
                text_plural(r->pages, "page", "pages"));
    fputc('\n', stderr);
}

/* The machine as it is now, and what comes, ends like this. */
static bool write_shrunk(struct player *p, const char *path, const struct journal *rest,
                         struct error *e)
{
    struct recording file;
    char sentence[1024];
    struct recording_source source = {
        .board = p->board,
        .configs = p->configs,
        .count = p->vm_count,
        .board_config = p->has_board ? &p->board_config : NULL,
    };
    if (!recording_begin(&file, path, &source, e))
        return false;
    bool ok = recording_snapshot(&file, p->board);
    recording_step(&file, rest, e);
    int status = board_run(p->board);
    struct trace_end end = verdict_of(p->board, status, sentence, sizeof sentence);
    ok = recording_end(&file, &end) && ok;
    if (ok)
        verdict_print(p->board, &end);
    return ok || error_set(e, "'%s' is not complete", path);
}

/* The machine at its end; a recording that was changed, or is another machine's, may have none. */
static bool find_end(struct player *p, uint64_t at, struct shrink_end *end, struct error *e)
{
    const struct trace_end *recorded = &p->trace.end;
    bool is_whole = p->trace.has_end && recorded->instructions < p->options.limit_instructions;
    if (is_whole)
        p->options.limit_instructions = recorded->instructions + 1;
    const struct board_sinks sinks = {0};
    if (!player_start(p, UINT64_MAX, &sinks, e))
        return false;
    *end = shrink_run(p->board);
    if (is_whole && end->instructions != recorded->instructions)
        return error_set(e,
                         "the recording ends at instruction %" PRIu64 ", and what it holds does "
                         "not: qvm replay --verify says what differs",
                         recorded->instructions);
    return at == UINT64_MAX || end->instructions == at ||
           error_set(e, "the recording ends at instruction %" PRIu64, end->instructions);
}

static bool shrink_player(struct player *p, const char *to, uint64_t at, uint64_t history,
                          struct error *e)
{
    const struct board_sinks sinks = {0};
    struct shrink_result result;
    struct journal rest;
    struct shrink_end end;
    struct telling telling;
    if (!find_end(p, at, &end, e))
        return false;
    uint64_t from = end.instructions > history ? end.instructions - history : 0;
    if (!question_play_to(p, from, &sinks, e))
        return false;
    journal_rest(&p->journal, &rest);
    telling_begin(&telling);
    bool ok = shrink(p->board, &rest, &end, &result, on_progress, &telling);
    if (!ok)
        error_set(e,
                  "from instruction %" PRIu64 " on it does not end the same way again: a VM that "
                  "starts anew needs its files; try a smaller --history",
                  from);
    else
        fprintf(stderr,
                "qvm: from instruction %" PRIu64 " to %" PRIu64 ": %zu of %zu %s, of which %zu "
                "%s, and %zu of %zu %s are needed (%zu %s)\n",
                from, end.instructions, result.pages_kept, result.pages,
                text_plural(result.pages, "page", "pages"), result.bytes_kept,
                text_plural(result.bytes_kept, "byte", "bytes"), result.inputs_kept, result.inputs,
                text_plural(result.inputs, "input", "inputs"), result.runs,
                text_plural(result.runs, "run", "runs"));
    ok = ok && write_shrunk(p, to, &rest, e);
    journal_free(&rest);
    return ok;
}

bool question_shrink(char *const *words, int count, struct error *e)
{
    uint64_t at = UINT64_MAX, history = HISTORY;
    const char *path, *to = NULL;
    const struct question_option options[] = {{.name = "--at", .number = &at},
                                              {.name = "--history", .number = &history},
                                              {.name = "-o", .text = &to},
                                              {0}};
    struct player p;
    if (!question_words(words, count, options, &path, 1, usage, e))
        return false;
    if (!to)
        return error_set(e, "-o says where the smaller trace goes: %s", usage);
    if (host_same_file(path, to))
        return error_set(e, "'%s' would replace the only one there is: -o names another file", to);
    if (!history)
        return error_set(e, "--history 0 leaves nothing to replay");
    if (!may_overwrite(to, true, e) || !question_open(&p, path, e))
        return false;
    if (at < p.options.limit_instructions)
        p.options.limit_instructions = at;
    bool ok = shrink_player(&p, to, at, history, e);
    player_close(&p);
    return ok;
}
