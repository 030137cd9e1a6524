#include "qvm/ask/chaos_when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "hv/snapshot/snapshot.h"
#include "qvm/ask/difference.h"
#include "qvm/ask/patience.h"
#include "qvm/ask/question.h"
#include "qvm/live/failure.h"
#include "qvm/report.h"

#define GRID     9       /* moments that the search begins with */
#define PATIENCE 1000000 /* instructions behind its end that a run may take, at least */
#define BAR      40      /* characters that are all seeds */

/* A moment of the recording, and what became of those that went on from there. */
struct moment {
    uint64_t instructions, ns;
    uint64_t failed, strayed; /* of all seeds; that wanted inputs which the recording has not */
};

struct fate {
    const struct chaos_when *options;
    struct player p;
    uint64_t begin, end;    /* instructions */
    int status;             /* of the recording */
    struct moment *moments; /* owned; by their instructions */
    size_t count;
    uint64_t runs;
    struct patience patience;
};

/* One moment --------------------------------------------------------------------------------------
 */

/* A run that goes on does not fail, unless that is what the recording did. */
static bool is_failure(const struct fate *f, int status)
{
    return status == STATUS_LIMIT ? f->status == STATUS_LIMIT : ended_badly(status);
}

/* From the snapshot on, under the seed. */
static bool run_seed(struct fate *f, const struct bytes *from, uint64_t seed, struct moment *m,
                     struct error *e)
{
    const struct board_sinks sinks = {0};
    uint64_t room = f->end - f->begin + PATIENCE;
    if (!player_start_at(&f->p, from->data, from->size, &sinks, e))
        return false;
    struct board *b = f->p.board;
    b->options.limit_ticks = UINT64_MAX;
    b->options.limit_instructions = f->end + room;
    chaos_start(b, seed);
    int status = board_run(b);
    m->strayed += journal_has_strayed(&f->p.journal);
    m->failed += !journal_has_strayed(&f->p.journal) && is_failure(f, status);
    f->runs++;
    return true;
}

static bool look_at(struct fate *f, uint64_t instructions, struct moment *m, struct error *e)
{
    const struct board_sinks sinks = {0};
    struct bytes snapshot = {0};
    bool ok = question_play_to(&f->p, instructions, &sinks, e);
    *m = (struct moment){.instructions = instructions};
    if (ok) {
        m->ns = vtime_ns(&f->p.board->vtime);
        snapshot_take(f->p.board, &snapshot);
    }
    for (uint64_t i = 0; ok && i < f->options->seeds && !f->patience.is_over; i++) {
        ok = run_seed(f, &snapshot, f->options->first_seed + i, m, e);
        patience_is_over(&f->patience, instructions);
    }
    /* Its memory is in the snapshot, as long as it has not been looked at. */
    board_free(f->p.board);
    f->p.board = NULL;
    bytes_free(&snapshot);
    return ok;
}

/* In its place among the others. */
static bool add_moment(struct fate *f, uint64_t instructions, struct error *e)
{
    struct moment m;
    if (!look_at(f, instructions, &m, e) || f->patience.is_over)
        return f->patience.is_over;
    f->moments = array_grow(f->moments, f->count, sizeof m);
    size_t at = f->count++;
    for (; at > 0 && f->moments[at - 1].instructions > instructions; at--)
        f->moments[at] = f->moments[at - 1];
    f->moments[at] = m;
    return true;
}

/* The search --------------------------------------------------------------------------------------
 */

static bool can_go_on(const struct fate *f)
{
    return f->runs + f->options->seeds <= f->options->budget && !f->patience.is_over;
}

static uint64_t rise(const struct moment *m)
{
    return m[1].failed > m[0].failed ? m[1].failed - m[0].failed : 0;
}

/* The first of the two between which most happens; of equals the last two: what is nearer to the
 * end explains it better. */
static size_t steepest(const struct fate *f)
{
    size_t best = 0;
    for (size_t i = 0; i + 1 < f->count; i++)
        if (rise(&f->moments[i]) >= rise(&f->moments[best]))
            best = i;
    return best;
}

static bool search(struct fate *f, struct error *e)
{
    uint64_t length = f->end - 1 - f->begin;
    uint64_t grid = length + 1 < GRID ? length + 1 : GRID;
    for (uint64_t i = 0; i < grid && can_go_on(f); i++)
        if (!add_moment(f, f->begin + (grid > 1 ? vtime_scale(length, i, grid - 1) : 0), e))
            return false;
    while (f->count > 1 && can_go_on(f)) {
        const struct moment *m = &f->moments[steepest(f)];
        uint64_t apart = m[1].instructions - m[0].instructions;
        if (!rise(m) || apart == 1)
            break;
        if (!add_moment(f, m[0].instructions + apart / 2, e))
            return false;
    }
    return true;
}

/* What is said ----------------------------------------------------------------------------------
 */

static void print_curve(const struct fate *f)
{
    printf("%16s %16s  fail of %" PRIu64 " seeds\n", "instruction", "ns", f->options->seeds);
    for (size_t i = 0; i < f->count; i++) {
        const struct moment *m = &f->moments[i];
        int length = (int)(m->failed * BAR / f->options->seeds);
        printf("%16" PRIu64 " %16" PRIu64 "  %4" PRIu64 "  %.*s", m->instructions, m->ns, m->failed,
               length, "########################################");
        if (m->strayed)
            printf("  (%" PRIu64 " asked for inputs that were not recorded)", m->strayed);
        printf("\n");
    }
}

/* The instruction that is next there, and whose. */
static bool print_instruction(struct fate *f, uint64_t at, struct error *e)
{
    const struct board_sinks sinks = {0};
    struct bytes text = {0};
    if (!question_play_to(&f->p, at, &sinks, e))
        return false;
    difference_next(f->p.board, &text);
    printf("%.*s\n", (int)text.size, text.size ? (const char *)text.data : "");
    bytes_free(&text);
    return true;
}

static bool print_answer(struct fate *f, const char *path, struct error *e)
{
    const struct moment *m = &f->moments[f->count > 1 ? steepest(f) : 0];
    print_curve(f);
    if (f->count < 2 || !rise(m)) {
        printf("nowhere does it become likelier: %s\n",
               f->moments[0].failed ? "it does not depend on the order"
                                    : "no seed makes it happen again, from any moment");
        return true;
    }
    printf("it became likely between instruction %" PRIu64 " (%" PRIu64 " of %" PRIu64
           " seeds fail) and %" PRIu64 " (%" PRIu64 "): ",
           m[0].instructions, m[0].failed, f->options->seeds, m[1].instructions, m[1].failed);
    if (!print_instruction(f, m[0].instructions, e))
        return false;
    if (m[1].instructions - m[0].instructions > 1)
        printf("--budget above %" PRIu64 " runs finds out more\n", f->options->budget);
    printf("to look at it: qvm gdb %s --from %" PRIu64 "\n", path, m[0].instructions);
    return true;
}

static bool find_bounds(struct fate *f, struct error *e)
{
    const struct board_sinks sinks = {0};
    const struct trace_end *end = &f->p.trace.end;
    if (!f->p.trace.has_end)
        return error_set(e, "the recording has no end: it is of a run that was killed");
    f->status = end->exit_status;
    f->end = end->instructions;
    if (!ended_badly(f->status))
        return error_set(e, "the recording ended well (status %d): %s", f->status, end->sentence);
    if (!player_start(&f->p, 0, &sinks, e))
        return false;
    f->begin = f->p.board->vtime.instructions;
    return f->end > f->begin || error_set(e, "nothing was executed in this recording");
}

int chaos_when(const char *path, const struct chaos_when *options)
{
    struct fate f = {.options = options};
    struct error e = {0};
    if (options->budget / 2 < options->seeds)
        error_set(&e, "--budget wants at least the runs of two moments, %" PRIu64 " here",
                  2 * options->seeds);
    if (e.text[0] || !question_open(&f.p, path, &e))
        return report_error(&e, STATUS_USAGE);
    patience_begin(&f.patience, "chaos --when");
    bool ok = find_bounds(&f, &e) && search(&f, &e) && f.count && print_answer(&f, path, &e);
    free(f.moments);
    player_close(&f.p);
    if (f.patience.is_over)
        error_set(&e, "interrupted after %" PRIu64 " runs", f.runs);
    return ok && !f.patience.is_over ? STATUS_OK : report_error(&e, STATUS_USAGE);
}
