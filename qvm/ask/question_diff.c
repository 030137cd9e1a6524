/* `qvm diff A B`: the first difference of two recordings: of configuration, images and inputs, as
 * the files tell; then of the machines, by playing both to the first instruction that makes their
 * states differ. Without a difference the exit status is 0, else that of a diverged replay. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/journal_records.h"
#include "emu/text.h"
#include "hv/explain/instruction.h"
#include "hv/snapshot/compare.h"
#include "hv/snapshot/timeline.h"
#include "qvm/ask/question.h"
#include "qvm/ask/questions.h"
#include "qvm/ask/observed.h"

struct comparison {
    const char *paths[2];
    struct player players[2];
    struct timeline *timelines[2];
    struct bytes out;
    bool differs;
};

static const char *const sides[2] = {"A", "B"};

static bool found(struct comparison *c)
{
    c->differs = true;
    return true;
}

/* Configuration -----------------------------------------------------------------------------------
 */

static size_t line_length(const char *text)
{
    return strcspn(text, "\n");
}

/* The first line in which two canonical texts differ. */
static bool texts_differ(struct comparison *c, const char *what, const char *a, const char *b)
{
    while (*a || *b) {
        size_t x = line_length(a), y = line_length(b);
        if (x != y || memcmp(a, b, x) != 0) {
            text_put(&c->out, "%s differs:\n  A: %.*s\n  B: %.*s\n", what, (int)x, a, (int)y, b);
            return found(c);
        }
        a += x + (a[x] == '\n');
        b += y + (b[y] == '\n');
    }
    return false;
}

static bool configs_differ(struct comparison *c)
{
    const struct trace *a = &c->players[0].trace, *b = &c->players[1].trace;
    if (a->config_count != b->config_count) {
        text_put(&c->out, "number of VMs differs: A has %zu, B has %zu\n", a->config_count,
                 b->config_count);
        return found(c);
    }
    bool differ = texts_differ(c, "the board", a->board ? a->board->text : "",
                               b->board ? b->board->text : "");
    for (size_t i = 0; i < a->config_count && !differ; i++) {
        char what[128];
        snprintf(what, sizeof what, "configuration of vm %s", a->configs[i].name);
        differ = texts_differ(c, what, a->configs[i].text, b->configs[i].text);
    }
    return differ;
}

/* Inputs ------------------------------------------------------------------------------------------
 */

static bool same_pull(const struct pull_record *a, const struct pull_record *b)
{
    return a->kind == b->kind && a->absent == b->absent && a->key_size == b->key_size &&
           memcmp(a->key, b->key, a->key_size) == 0 && a->size == b->size &&
           a->offset == b->offset && a->length == b->length &&
           (a->size == 0 || memcmp(a->data, b->data, a->size) == 0) &&
           memcmp(a->digest.b, b->digest.b, sizeof a->digest.b) == 0;
}

static void put_pull(struct comparison *c, unsigned side, bool there, const struct pull_record *r)
{
    char hex[DIGEST_TEXT] = "";
    if (!there) {
        text_put(&c->out, "  %s: no more\n", sides[side]);
        return;
    }
    if (journal_pull_has_digest(r))
        digest_text(r->digest, hex);
    text_put(&c->out, "  %s: %s '", sides[side], journal_pull_name(r->kind));
    text_put_printable(&c->out, r->key, r->key_size);
    text_put(&c->out, "'");
    if (r->kind == PULL_RANGE)
        text_put(&c->out, ", %" PRIu64 " bytes at %" PRIu64, r->length, r->offset);
    if (r->kind == PULL_RANGE && r->absent)
        text_put(&c->out, ": it %s\n", range_answer_text(journal_range_answer_of(r)));
    else if (r->absent)
        text_put(&c->out, ", which was not there\n");
    else if (r->kind == PULL_WALL_CLOCK && r->size == 8)
        text_put(&c->out, ", %" PRIu64 " s since 1970\n", load_le(r->data, 8));
    else
        text_put(&c->out, "%s%s\n", *hex ? ", contents " : "", hex);
}

static bool pulls_differ(struct comparison *c)
{
    struct reader in[2];
    for (unsigned i = 0; i < 2; i++)
        in[i] = reader_of(c->players[i].journal.pulls.data, c->players[i].journal.pulls.size);
    for (size_t number = 0;; number++) {
        struct pull_record r[2];
        bool there[2] = {journal_next_pull(&in[0], &r[0]), journal_next_pull(&in[1], &r[1])};
        if (!there[0] && !there[1])
            return false;
        if (there[0] && there[1] && same_pull(&r[0], &r[1]))
            continue;
        text_put(&c->out, "pulled input %zu differs:\n", number);
        put_pull(c, 0, there[0], &r[0]);
        put_pull(c, 1, there[1], &r[1]);
        return found(c);
    }
}

#define PUSH_SHOWN 256 /* bytes of an input */

static bool same_push(const struct push *a, const struct push *b)
{
    return a->tick == b->tick && a->kind == b->kind && a->target == b->target &&
           a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* What is shown of an input begins at the byte that differs, if it is a long one. */
static size_t shown_from(const struct push p[2])
{
    size_t i = 0;
    while (i < p[0].size && i < p[1].size && p[0].data[i] == p[1].data[i])
        i++;
    return p[0].size > PUSH_SHOWN || p[1].size > PUSH_SHOWN ? i : 0;
}

static void put_push(struct comparison *c, unsigned side, bool there, const struct push *p,
                     size_t from)
{
    text_put(&c->out, "  %s: ", sides[side]);
    if (!there) {
        text_put(&c->out, "no more\n");
        return;
    }
    text_put(&c->out, "%s at tick %" PRIu64, journal_push_name(p->kind), p->tick);
    if (from)
        text_put(&c->out, ", %" PRIu32 " bytes, from byte %zu on", p->size, from);
    for (size_t i = from; i < p->size && i - from < PUSH_SHOWN; i++)
        text_put(&c->out, "%s%02x", i > from ? " " : ": ", p->data[i]);
    text_put(&c->out, "\n");
}

static bool pushes_differ(struct comparison *c)
{
    struct reader in[2];
    struct push p[2] = {{.tick = 0}, {.tick = 0}};
    for (unsigned i = 0; i < 2; i++)
        in[i] = reader_of(c->players[i].journal.pushes.data, c->players[i].journal.pushes.size);
    for (size_t number = 0;; number++) {
        bool there[2] = {journal_next_push(&in[0], &p[0]), journal_next_push(&in[1], &p[1])};
        if (!there[0] && !there[1])
            return false;
        if (there[0] && there[1] && same_push(&p[0], &p[1]))
            continue;
        text_put(&c->out, "pushed input %zu differs:\n", number);
        size_t from = there[0] && there[1] ? shown_from(p) : 0;
        put_push(c, 0, there[0], &p[0], from);
        put_push(c, 1, there[1], &p[1], from);
        return found(c);
    }
}

/* States ------------------------------------------------------------------------------------------
 */

/* Where the states are known to be equal, and where the search ends. */
struct bracket {
    uint64_t equal, end;
    uint64_t last;  /* both recordings go so far */
    bool all_equal; /* the recordings' final states are the same */
};

static uint64_t last_known(const struct trace *t)
{
    if (t->has_end)
        return t->end.instructions;
    return t->digest_count ? t->digests[t->digest_count - 1].instructions : 0;
}

static bool ends_are_equal(const struct trace *a, const struct trace *b)
{
    return a->has_end && b->has_end && a->end.instructions == b->end.instructions &&
           a->end.ticks == b->end.ticks && a->end.exit_status == b->end.exit_status &&
           memcmp(&a->end.state, &b->end.state, sizeof a->end.state) == 0 &&
           memcmp(&a->end.output, &b->end.output, sizeof a->end.output) == 0;
}

/* Their recorders did not get to the end, and left off at the same digest. */
static bool are_cut_alike(const struct trace *a, const struct trace *b)
{
    return !a->has_end && !b->has_end && last_known(a) == last_known(b);
}

/* Digests that both have, at the same instruction. */
static struct bracket bracket_of(struct comparison *c)
{
    const struct trace *a = &c->players[0].trace, *b = &c->players[1].trace;
    struct bracket r = {.all_equal = ends_are_equal(a, b)};
    uint64_t x = last_known(a), y = last_known(b);
    r.end = r.last = x < y ? x : y;
    for (size_t i = 0, k = 0; i < a->digest_count && k < b->digest_count;) {
        const struct trace_digest *d = &a->digests[i], *e = &b->digests[k];
        if (d->instructions == e->instructions) {
            bool equal = memcmp(d->state.b, e->state.b, sizeof d->state.b) == 0;
            if (!equal) {
                r.end = d->instructions;
                r.all_equal = false;
                break;
            }
            r.equal = d->instructions;
        }
        i += d->instructions <= e->instructions;
        k += e->instructions <= d->instructions;
    }
    return r;
}

static bool begin_playing(struct comparison *c, struct error *e)
{
    const struct board_sinks sinks = {0};
    for (unsigned i = 0; i < 2; i++) {
        /* Where a recorder was stopped is no state of the machine. */
        struct board_options *o = &c->players[i].options;
        o->limit_instructions = o->limit_ticks = o->limit_ns = UINT64_MAX;
        if (!player_start(&c->players[i], 0, &sinks, e))
            return false;
        c->timelines[i] = timeline_new(c->players[i].board, TIMELINE_BUDGET);
    }
    return true;
}

static struct board *board_of(struct comparison *c, unsigned side)
{
    return c->players[side].board;
}

/* Both are there afterwards, unless a recording ends before. */
static void play_to(struct comparison *c, uint64_t instructions)
{
    for (unsigned i = 0; i < 2; i++)
        timeline_seek(c->timelines[i], instructions);
}

static bool states_are_equal(struct comparison *c)
{
    struct digest a = board_digest(board_of(c, 0)), b = board_digest(board_of(c, 1));
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

/* The instruction that makes equal states differ: they are equal before, at `equal`, and differ at
 * `differ`. */
static uint64_t bisect(struct comparison *c, uint64_t equal, uint64_t differ)
{
    while (differ - equal > 1) {
        uint64_t middle = equal + (differ - equal) / 2;
        play_to(c, middle);
        if (states_are_equal(c))
            equal = middle;
        else
            differ = middle;
    }
    return differ;
}

/* The code around the instruction that is next, of the vCPU that is in the engine. */
static void put_code(struct comparison *c, unsigned side)
{
    struct board *b = board_of(c, side);
    if (!b->current)
        return;
    struct vm *vm = b->schedule.turns[b->schedule.current].vm;
    struct vcpu_registers r;
    vcpu_read_registers(b->current, b->current, &r);
    text_put(&c->out, "  %s: vm %s, vcpu %u\n", sides[side], vm->name, b->current->index);
    unsigned each = vm->arch->cpu->instruction_each; /* what differs in size has no way back */
    for (int i = each ? -2 : 0; i <= (each ? 2 : 0); i++) {
        char text[INSTRUCTION_TEXT_SIZE];
        instruction_text(vm, b->current->index,
                         vcpu_registers_pc(&r) + (uint64_t)((int64_t)each * i), text, sizeof text);
        text_put(&c->out, "  %s %s\n", i == 0 ? "->" : "  ", text);
    }
}

static void put_difference(struct comparison *c, const char *introduction)
{
    struct difference d;
    if (!compare_boards(board_of(c, 0), board_of(c, 1), &d))
        snprintf(d.where, sizeof d.where, "something without a name");
    text_put(&c->out, "%s: %s", introduction, d.where);
    if (d.has_values)
        text_put(&c->out, ": A 0x%" PRIx64 ", B 0x%" PRIx64, d.a, d.b);
    text_put(&c->out, "\n");
}

static void name_instruction(struct comparison *c, uint64_t instruction)
{
    text_put(&c->out,
             "states are equal after instruction %" PRIu64 " and differ after %" PRIu64 "\n",
             instruction - 1, instruction);
    play_to(c, instruction);
    put_difference(c, "first difference");
    text_put(&c->out, "the instruction was next here:\n");
    play_to(c, instruction - 1);
    put_code(c, 0);
    put_code(c, 1);
}

static void put_ends(struct comparison *c)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct trace *t = &c->players[i].trace;
        if (t->has_end)
            text_put(&c->out, "  %s ends at instruction %" PRIu64 ": %s\n", sides[i],
                     t->end.instructions, t->end.sentence);
        else
            text_put(&c->out, "  %s is cut off at instruction %" PRIu64 "\n", sides[i],
                     last_known(t));
    }
}

/* Digests tell where to look, played states what is so. */
static void search(struct comparison *c, struct bracket r)
{
    uint64_t begin = timeline_start(c->timelines[0]), other = timeline_start(c->timelines[1]);
    begin = begin > other ? begin : other;
    play_to(c, begin);
    if (!states_are_equal(c)) {
        found(c);
        put_difference(c, "the machines differ from the start");
        return;
    }
    play_to(c, r.end);
    if (r.end < r.last && states_are_equal(c)) {
        text_put(&c->out,
                 "the digests after instruction %" PRIu64
                 " differ and the states do not: other versions of qvm recorded them\n",
                 r.end);
        r.equal = r.end;
        r.end = r.last;
        play_to(c, r.end);
    }
    if (!states_are_equal(c)) {
        found(c);
        name_instruction(c, bisect(c, r.equal > begin ? r.equal : begin, r.end));
        return;
    }
    const struct trace *a = &c->players[0].trace, *b = &c->players[1].trace;
    if (ends_are_equal(a, b) || are_cut_alike(a, b))
        return;
    found(c);
    text_put(&c->out, "states are equal up to instruction %" PRIu64 "\n", r.end);
    put_ends(c);
}

static bool compare(struct comparison *c, struct error *e)
{
    const struct trace *a = &c->players[0].trace, *b = &c->players[1].trace;
    if (!engine_is_built_in() || observed_is_in(a) || observed_is_in(b))
        return observed_diff(c->players, &c->differs, &c->out, e);
    if (!configs_differ(c) && !pulls_differ(c))
        pushes_differ(c);
    struct bracket r = bracket_of(c);
    if (r.all_equal && !c->differs) {
        text_put(&c->out, "no difference: %" PRIu64 " %s, equal final states\n", r.end,
                 text_plural(r.end, "instruction", "instructions"));
        return true;
    }
    if (!begin_playing(c, e))
        return false;
    search(c, r);
    if (!c->differs)
        text_put(&c->out, "no difference up to instruction %" PRIu64 "%s\n", r.end,
                 are_cut_alike(a, b) ? ", where both recordings are cut off" : "");
    return true;
}

bool question_diff(char *const *words, int count, struct error *e)
{
    struct comparison c = {.differs = false};
    static const struct question_option options[] = {{0}};
    bool ok = question_words(words, count, options, c.paths, 2, "qvm diff TRACE TRACE", e) &&
              question_open(&c.players[0], c.paths[0], e) &&
              question_open(&c.players[1], c.paths[1], e) && compare(&c, e) &&
              question_answer(&c.out, NULL, e);
    for (unsigned i = 0; i < 2; i++) {
        timeline_free(c.timelines[i]);
        player_close(&c.players[i]);
    }
    bytes_free(&c.out);
    return ok && (!c.differs || error_exit_status(e, STATUS_DIVERGED));
}
