#include "qvm/ask/exit_replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/text.h"
#include "hv/exitlog/exit_log.h"
#include "qvm/ask/difference.h"
#include "qvm/player.h"
#include "qvm/ask/observed.h"
#include "qvm/report.h"
#include "qvm/verdict.h"

#define DIFFERENCES_SHOWN 20

static void on_difference(void *context, const struct exit_log_difference *d)
{
    struct bytes text = {0};
    const struct exit_log *s = d->board->options.exit_log;
    (void)context;
    if (s->differences > DIFFERENCES_SHOWN)
        return;
    difference_text(d, &text);
    fprintf(stderr, "qvm: %.*s\n", (int)text.size, (const char *)text.data);
    bytes_free(&text);
}

static void say(const char *sentence)
{
    fprintf(stderr, "qvm: %s\n", sentence);
}

/* What the exit log cannot say: how it ended, and what was printed. */
static uint64_t compare_ends(const struct trace *t, const struct trace_end *ours,
                             const struct exit_log *s)
{
    uint64_t before = 0;
    if (exit_log_is_broken(s)) {
        say("the trace's guest exits are damaged behind the last one that was replayed");
        before++;
    } else if (!exit_log_is_over(s)) {
        say("the run ended before all exits of the recording had happened");
        before++;
    }
    if (!t->has_end)
        return before;
    if (ours->exit_status != t->end.exit_status || ours->ticks != t->end.ticks) {
        fprintf(stderr,
                "qvm: it ended with status %d at tick %" PRIu64
                ", the recording with status %d at tick %" PRIu64 " (%s)\n",
                ours->exit_status, ours->ticks, t->end.exit_status, t->end.ticks, t->end.sentence);
        before++;
    }
    if (memcmp(ours->output.b, t->end.output.b, sizeof ours->output.b) != 0) {
        say("it printed something else");
        before++;
    }
    return before;
}

static int play(struct player *p, struct exit_log *exit_log)
{
    char sentence[1024];
    int status = board_run(p->board);
    struct trace_end end = verdict_of(p->board, status, sentence, sizeof sentence);
    uint64_t differences = exit_log->differences + compare_ends(&p->trace, &end, exit_log);
    if (exit_log->differences > DIFFERENCES_SHOWN)
        fprintf(stderr, "qvm: and %" PRIu64 " more\n", exit_log->differences - DIFFERENCES_SHOWN);
    if (exit_log->is_lost)
        say("from there on other vCPUs would run: the rest was not replayed");
    fprintf(stderr, "qvm: %s; %" PRIu64 " guest %s replayed, ",
            *sentence ? sentence : "cut off before its end", exit_log->exits,
            text_plural(exit_log->exits, "exit", "exits"));
    if (differences)
        fprintf(stderr, "%" PRIu64 " %s\n", differences,
                text_plural(differences, "difference", "differences"));
    else
        fprintf(stderr, "all as recorded\n");
    return differences ? STATUS_DIVERGED : STATUS_OK;
}

int exit_replay(const char *path, const struct session_options *options, bool json)
{
    struct player p;
    struct exit_log exit_log = {.mode = EXIT_LOG_PLAYS};
    struct board_options board = options->board;
    struct error e = {0};
    const struct board_sinks sinks = {0};
    int status;
    board.exit_log = &exit_log;
    if (!player_open(&p, path, &board, &e))
        return report_error(&e, STATUS_USAGE);
    if (!p.trace.exits.size) {
        error_set(&e, "'%s' holds no guest exits: record --exits keeps them", path);
        status = report_error(&e, STATUS_USAGE);
    } else if (observed_is_in(&p.trace)) {
        status = observed_replay(&p, json);
    } else if (json) {
        error_set(&e, "--json is for exits that were imported; qvm exits TRACE --json has those of "
                      "a recording");
        status = report_error(&e, STATUS_USAGE);
    } else {
        player_play_exits(&p, &exit_log, on_difference);
        p.options.digest_every = 0;
        status = player_start(&p, 0, &sinks, &e) ? play(&p, &exit_log)
                                                 : report_error(&e, STATUS_NOT_STARTED);
    }
    player_close(&p);
    exit_log_free(&exit_log);
    return status;
}
