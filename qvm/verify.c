#include "qvm/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hv/compare.h"
#include "qvm/question.h"
#include "qvm/session.h"

/* The replay is at that digest. */
static bool agrees(struct board *b, const struct trace_digest *recorded)
{
    struct digest now = board_digest(b);
    return b->vtime.instructions == recorded->instructions &&
           memcmp(now.b, recorded->state.b, sizeof now.b) == 0;
}

/* From the start to the first digest that differs; which one it is, or their number. */
static size_t play_to_difference(struct player *p, struct error *e)
{
    const struct board_sinks sinks = {0};
    const struct trace *t = &p->trace;
    size_t i = 0;
    if (!player_start(p, 0, &sinks, e))
        return SIZE_MAX;
    uint64_t begin = p->board->vtime.instructions;
    for (; i < t->digest_count; i++) {
        if (t->digests[i].instructions <= begin) /* a recording that began with a snapshot */
            continue;
        board_run_to(p->board, t->digests[i].instructions);
        if (!agrees(p->board, &t->digests[i]))
            break;
    }
    return i;
}

static uint64_t last_equal(const struct trace *t, size_t digest)
{
    return digest ? t->digests[digest - 1].instructions : 0;
}

/* The first snapshot that the recorder took behind the instruction; NULL: none. */
static const struct trace_snapshot *snapshot_behind(const struct trace *t, uint64_t instructions)
{
    for (size_t i = 0; i < t->snapshot_count; i++)
        if (t->snapshots[i].instructions > instructions && !t->snapshots[i].is_start)
            return &t->snapshots[i];
    return NULL;
}

/* What the replay has become, beside what the recorder kept. */
static bool compare_at(struct player *replay, const char *path, uint64_t instructions,
                       struct error *e)
{
    const struct board_sinks sinks = {0};
    struct player recorded;
    struct difference d;
    if (!question_open(&recorded, path, e))
        return false;
    bool ok =
        player_start(replay, 0, &sinks, e) && player_start(&recorded, instructions, &sinks, e);
    if (ok) {
        board_run_to(replay->board, instructions);
        if (!board_first_difference(replay->board, recorded.board, &d))
            snprintf(d.where, sizeof d.where, "nothing with a name");
        fprintf(stderr, "qvm: at the recording's snapshot of instruction %" PRIu64 " differs: %s",
                instructions, d.where);
        if (d.has_values)
            fprintf(stderr, ": replay 0x%" PRIx64 ", recording 0x%" PRIx64, d.a, d.b);
        fprintf(stderr, "\n");
    }
    player_close(&recorded);
    return ok;
}

static bool explain(struct player *p, const char *path, struct error *e)
{
    const struct trace *t = &p->trace;
    size_t differs = play_to_difference(p, e);
    if (differs == SIZE_MAX)
        return false;
    uint64_t equal = last_equal(t, differs);
    if (differs < t->digest_count)
        fprintf(stderr,
                "qvm: the first digest that differs is number %zu of %zu: between instructions "
                "%" PRIu64 " and %" PRIu64 "\n",
                differs, t->digest_count, equal, t->digests[differs].instructions);
    else
        fprintf(stderr, "qvm: every digest agrees, the last one at instruction %" PRIu64 "\n",
                equal);
    const struct trace_snapshot *s = snapshot_behind(t, equal);
    if (s)
        return compare_at(p, path, s->instructions, e);
    fprintf(stderr,
            "qvm: the recording holds no snapshot behind that: record --snapshot-every N\n");
    return true;
}

void verify_explain(const char *path)
{
    struct player p;
    struct error e = {0};
    if (!question_open(&p, path, &e)) {
        session_report_error(&e, 0);
        return;
    }
    if (!explain(&p, path, &e))
        session_report_error(&e, 0);
    player_close(&p);
}
