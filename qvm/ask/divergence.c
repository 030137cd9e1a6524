#include "qvm/ask/divergence.h"

#include <inttypes.h>
#include <string.h>

#include "emu/check.h"
#include "hv/snapshot/compare.h"
#include "emu/text.h"
#include "hv/snapshot/snapshot.h"
#include "qvm/ask/difference.h"

static struct board *board_of(const struct divergence *d)
{
    return d->player->board;
}

/* Ends the sentence and frees it. */
static void say(struct divergence *d, struct bytes *sentence)
{
    bytes_put_int(sentence, 0, 1);
    d->say(d->context, (const char *)sentence->data);
    bytes_free(sentence);
}

/* The first difference. */
static void found(struct divergence *d, struct bytes *sentence)
{
    d->found = true;
    if (d->stops)
        board_of(d)->pause_wanted = true;
    say(d, sentence);
}

static void equal_at(struct divergence *d, uint64_t instructions)
{
    d->equal_at = instructions;
    d->is_equal_somewhere = true;
}

static void put_equal(const struct divergence *d, struct bytes *out)
{
    if (d->is_equal_somewhere)
        text_put(out, "; machine states were equal at instruction %" PRIu64, d->equal_at);
}

/* Parts -------------------------------------------------------------------------------------------
 */

static void next_entry(struct divergence *d)
{
    state_parts_free(&d->entry);
    d->has_entry = state_parts_get(&d->parts, d->last_entry, &d->entry);
    if (d->has_entry)
        d->last_entry = d->entry.instructions;
}

static void begin_parts(struct divergence *d)
{
    const struct bytes *parts = &d->player->trace.parts;
    d->parts = reader_of(parts->data, parts->size);
    if (parts->size && reader_int(&d->parts, 1) == STATE_PARTS_VERSION)
        next_entry(d);
}

/* Did the recorder keep the parts of this moment? */
static bool has_parts_of_now(struct divergence *d)
{
    uint64_t now = board_of(d)->vtime.instructions;
    while (d->has_entry && d->entry.instructions < now)
        next_entry(d);
    return d->has_entry && d->entry.instructions == now;
}

/* Snapshots ---------------------------------------------------------------------------------------
 */

/* What the replay has become, beside what the recorder kept. */
static bool put_snapshot(struct divergence *d, struct bytes *out)
{
    const struct trace_snapshot *s = player_snapshot(d->player, board_of(d)->vtime.instructions);
    const struct board_sinks sinks = {0};
    struct player recorded = *d->player;
    struct journal j = d->player->journal;
    struct difference difference;
    struct error e = {0};
    if (!s || s->is_start || s->instructions != board_of(d)->vtime.instructions)
        return false;
    /* A board of its own, from the same files; only its inputs are at another place. */
    recorded.journal = j;
    recorded.board = NULL;
    recorded.options.exit_log = NULL;
    bool differ = player_start(&recorded, s->instructions, &sinks, &e) &&
                  compare_boards(recorded.board, board_of(d), &difference);
    if (differ) {
        text_put(out, "%s", difference.where);
        if (difference.has_values)
            text_put(out, ": recorded 0x%" PRIx64 ", now 0x%" PRIx64, difference.a, difference.b);
    }
    board_free(recorded.board);
    check_set_context(&board_of(d)->where);
    return differ;
}

/* "vm test, vcpu 0: X3: recorded 0x1, now 0x2", as exactly as the recording allows. */
static void put_what(struct divergence *d, struct bytes *out)
{
    struct bytes what = {0};
    d->has_looked = put_snapshot(d, &what);
    if (!d->has_looked && has_parts_of_now(d) && !state_parts_differ(board_of(d), &d->entry, &what))
        text_put(&what, "no part of them does, so the recorded digest is another machine's");
    if (what.size) {
        text_put(out, ": ");
        bytes_put(out, what.data, what.size);
    }
    bytes_free(&what);
}

/* On the way --------------------------------------------------------------------------------------
 */

static void on_script(void *context, const struct exit_log_difference *difference)
{
    struct divergence *d = context;
    struct bytes sentence = {0};
    if (d->has_effect || (d->found && d->is_equal_somewhere))
        return;
    d->has_effect = true;
    text_put(&sentence, d->found ? "the first visible effect: "
                                 : "the replay diverged: the first visible difference: ");
    difference_text(difference, &sentence);
    put_equal(d, &sentence);
    found(d, &sentence);
}

/* Machine states differ here. Once more than the first time nobody wants to know. */
static void state_differs(struct divergence *d)
{
    struct bytes sentence = {0};
    struct board *b = board_of(d);
    if (d->found)
        return;
    text_put(&sentence, "the replay diverged: ");
    if (d->is_equal_somewhere)
        text_put(&sentence, "machine states are equal at instruction %" PRIu64 " and differ at ",
                 d->equal_at);
    else
        text_put(&sentence, "machine states differ at instruction ");
    text_put(&sentence, "%" PRIu64, b->vtime.instructions);
    if (b->current) {
        text_put(&sentence, " (");
        difference_next(b, &sentence);
        text_put(&sentence, ")");
    }
    put_what(d, &sentence);
    found(d, &sentence);
}

/* Digests come at equal intervals. */
static void digest_is_elsewhere(struct divergence *d, uint64_t recorded, uint64_t now)
{
    struct bytes sentence = {0};
    if (d->found)
        return;
    text_put(&sentence,
             "the replay diverged: the recording's digest %zu is of instruction %" PRIu64
             ", the replay's of %" PRIu64,
             d->next_digest - 1, recorded, now);
    put_equal(d, &sentence);
    found(d, &sentence);
}

void divergence_digest(struct divergence *d, uint64_t instructions, struct digest state)
{
    const struct trace *t = &d->player->trace;
    if (d->next_digest >= t->digest_count)
        return;
    const struct trace_digest *recorded = &t->digests[d->next_digest++];
    if (recorded->instructions != instructions)
        digest_is_elsewhere(d, recorded->instructions, instructions);
    else if (memcmp(recorded->state.b, state.b, sizeof state.b) == 0)
        equal_at(d, instructions);
    else
        state_differs(d);
}

/* The digest stands in the snapshot behind its version (hv/snapshot/snapshot.h). */
static void compare_snapshot(struct divergence *d, const struct trace_snapshot *s)
{
    struct digest now = board_digest(board_of(d));
    if (s->size >= 4 + sizeof now.b && memcmp(s->data + 4, now.b, sizeof now.b) == 0)
        equal_at(d, s->instructions);
    else
        state_differs(d);
}

/* The first snapshot that is still to come; NULL: none. */
static const struct trace_snapshot *next_snapshot(const struct divergence *d)
{
    const struct trace *t = &d->player->trace;
    for (size_t i = 0; i < t->snapshot_count; i++)
        if (!t->snapshots[i].is_start &&
            t->snapshots[i].instructions > board_of(d)->vtime.instructions)
            return &t->snapshots[i];
    return NULL;
}

/* A snapshot behind the first difference tells more than hashes do. */
static void look_behind(struct divergence *d)
{
    const struct trace_snapshot *s = next_snapshot(d);
    struct bytes sentence = {0}, what = {0};
    if (!s)
        return;
    board_run_to(board_of(d), s->instructions);
    if (put_snapshot(d, &what)) {
        text_put(&sentence, "at the recording's snapshot of instruction %" PRIu64 " differs: ",
                 s->instructions);
        bytes_put(&sentence, what.data, what.size);
        say(d, &sentence);
    }
    bytes_free(&what);
}

/* From the start to the end -----------------------------------------------------------------------
 */

void divergence_begin(struct divergence *d, struct player *p)
{
    const struct trace *t = &p->trace;
    d->player = p;
    begin_parts(d);
    if (t->exits.size) {
        exit_log_expect(&d->exit_log, EXIT_LOG_EXPECTS, t->exits.data, t->exits.size, on_script, d);
        d->exit_log.is_whole = t->has_end && !exit_log_is_broken(&d->exit_log);
        p->options.exit_log = &d->exit_log;
    }
    /* One that goes on behind the recording's end need not be watched for ever. */
    if (t->has_end && t->end.instructions < p->options.limit_instructions)
        p->options.limit_instructions = t->end.instructions + 1;
}

/* The machine as it was assembled. */
static void compare_start(struct divergence *d)
{
    struct bytes sentence = {0}, what = {0};
    if (!d->has_entry || !d->entry.is_start)
        return;
    if (state_parts_differ(board_of(d), &d->entry, &what)) {
        text_put(&sentence, "the replay diverged: the machines differ at the start: ");
        bytes_put(&sentence, what.data, what.size);
        found(d, &sentence);
    } else {
        equal_at(d, 0);
    }
    bytes_free(&what);
}

void divergence_started(struct divergence *d)
{
    const struct trace *t = &d->player->trace;
    uint64_t begin = board_of(d)->vtime.instructions;
    if (!d->player->options.from_snapshot) {
        compare_start(d);
        return;
    }
    while (d->next_digest < t->digest_count && t->digests[d->next_digest].instructions <= begin)
        d->next_digest++;
    equal_at(d, begin);
    exit_log_skip(&d->exit_log, begin);
}

static bool is_over(const struct divergence *d)
{
    return d->stops && d->found;
}

/* Digests alone come where the board takes them; snapshots have theirs, too. */
static void run_by_snapshots(struct divergence *d)
{
    const struct trace_snapshot *s;
    while (!is_over(d) && (s = next_snapshot(d))) {
        if (board_run_to(board_of(d), s->instructions))
            return;
        if (!is_over(d))
            compare_snapshot(d, s);
    }
}

int divergence_run(struct divergence *d)
{
    bool differs_at_start = d->found;
    if (differs_at_start && d->stops && !d->player->options.exit_log)
        return STATUS_DIVERGED;
    if (d->stops && !differs_at_start)
        run_by_snapshots(d);
    int status = STATUS_DIVERGED;
    if (!is_over(d) || differs_at_start) /* then to its first effect */
        status = board_run(board_of(d));
    if (is_over(d) && !differs_at_start && !d->has_looked)
        look_behind(d);
    return is_over(d) ? STATUS_DIVERGED : status;
}

static bool is_same_end(const struct trace_end *a, const struct trace_end *b)
{
    return a->instructions == b->instructions && a->ticks == b->ticks &&
           a->exit_status == b->exit_status;
}

static void put_end(const struct divergence *d, const struct trace_end *end, struct bytes *out)
{
    const struct trace_end *recorded = &d->player->trace.end;
    if (end->exit_status == STATUS_LIMIT && end->instructions > recorded->instructions)
        text_put(out, "the recording ended at instruction %" PRIu64 " (%s), the replay goes on",
                 recorded->instructions, recorded->sentence);
    else
        text_put(out,
                 "it ended at instruction %" PRIu64 ", tick %" PRIu64 " with status %d (%s), the "
                 "recording at instruction %" PRIu64 ", tick %" PRIu64 " with status %d (%s)",
                 end->instructions, end->ticks, end->exit_status, end->sentence,
                 recorded->instructions, recorded->ticks, recorded->exit_status,
                 recorded->sentence);
}

void divergence_ended(struct divergence *d, const struct trace_end *end)
{
    const struct trace *t = &d->player->trace;
    struct bytes sentence = {0};
    /* Stopped on the way, because the user wanted to. */
    bool stopped = end->exit_status == STATUS_LIMIT && end->instructions < t->end.instructions;
    if (d->found || !t->has_end || stopped)
        return;
    exit_log_end(&d->exit_log, board_of(d));
    if (d->found)
        return;
    text_put(&sentence, "the replay diverged: ");
    if (!is_same_end(end, &t->end)) {
        put_end(d, end, &sentence);
    } else if (memcmp(t->end.output.b, end->output.b, sizeof end->output.b) != 0) {
        text_put(&sentence, "it printed something else");
    } else if (memcmp(t->end.state.b, end->state.b, sizeof end->state.b) != 0) {
        text_put(&sentence, "the final states differ");
        put_what(d, &sentence);
    } else {
        bytes_free(&sentence);
        return;
    }
    put_equal(d, &sentence);
    found(d, &sentence);
}

void divergence_free(struct divergence *d)
{
    state_parts_free(&d->entry);
    exit_log_free(&d->exit_log);
}
