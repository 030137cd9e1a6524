#include "qvm/test/test_judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/hash.h"
#include "hv/config/config_words.h"
#include "qvm/beside.h"
#include "qvm/host/host.h"

#define SHOWN 60 /* characters of a line that differs */

struct judge {
    struct test_watch *w;
    const struct trace_end *end;
    const char *path;
    bool rebaseline;
    char ended[1400]; /* how, and where its vCPUs were */
};

/* The test ended the run, when it had seen enough. */
static bool was_cut(const struct judge *j)
{
    return j->w->has_ended && !j->w->has_failed;
}

/* What is printed ---------------------------------------------------------------------------------
 */

/* `$` also is where everything ends. */
static void meet_end(struct test_watch *w)
{
    const struct test *t = w->test;
    if (w->expected < t->expectation_count && pattern_search_end(&w->searches[w->expected]))
        w->is_met[w->expected] = true;
}

static bool judge_console(const struct judge *j, size_t i)
{
    const struct test *t = j->w->test;
    const struct test_expectation *x = &t->expectations[i];
    if (j->w->is_met[i])
        return true;
    for (size_t k = i; k-- > 0;)
        if (t->expectations[k].kind == EXPECT_CONSOLE)
            return test_watch_fail(j->w, x->place, "/%s/ was not printed behind /%s/ (line %u): %s",
                                   x->pattern->text, t->expectations[k].pattern->text,
                                   t->expectations[k].place.line, j->ended);
    return test_watch_fail(j->w, x->place, "/%s/ was not printed: %s", x->pattern->text, j->ended);
}

static bool judge_not(const struct judge *j, size_t i)
{
    const struct test_expectation *x = &j->w->test->expectations[i];
    return !pattern_search_end(&j->w->searches[i]) ||
           test_watch_fail(j->w, x->place, "/%s/ was printed", x->pattern->text);
}

/* How it ended ------------------------------------------------------------------------------------
 */

static bool judge_exit(const struct judge *j, size_t i)
{
    const struct test_expectation *x = &j->w->test->expectations[i];
    const struct vm *vm = j->w->board->vms[j->w->vms[i]];
    return (uint64_t)vm->exit_status == x->number ||
           test_watch_fail(j->w, x->place, "exit status %d, and not %" PRIu64 ": %s",
                           vm->exit_status, x->number, vm->ending);
}

static bool judge_status(const struct judge *j, size_t i)
{
    const struct test_expectation *x = &j->w->test->expectations[i];
    return (uint64_t)j->end->exit_status == x->number ||
           test_watch_fail(j->w, x->place, "status %d, and not %" PRIu64 ": %s",
                           j->end->exit_status, x->number, j->ended);
}

static bool is_related(uint64_t a, enum test_relation relation, uint64_t b)
{
    switch (relation) {
    case RELATION_LESS:
        return a < b;
    case RELATION_AT_MOST:
        return a <= b;
    case RELATION_EQUAL:
        return a == b;
    case RELATION_AT_LEAST:
        return a >= b;
    case RELATION_MORE:
        return a > b;
    }
    return false;
}

static bool judge_exits(const struct judge *j, size_t i)
{
    static const char *const words[] = {"less than", "at most", "exactly", "at least", "more than"};
    const struct test_expectation *x = &j->w->test->expectations[i];
    const struct vm *vm = j->w->board->vms[j->w->vms[i]];
    const char *name = x->reason < 0 ? NULL : vm_arches_exit_name((unsigned)x->reason);
    uint64_t count = 0;
    for (unsigned r = 0; r < EXIT_REASONS; r++)
        if (!name || strcmp(arch_exit_name(vm->arch->cpu, r), name) == 0)
            count += vm->exits[r];
    return is_related(count, x->relation, x->number) ||
           test_watch_fail(j->w, x->place, "%" PRIu64 " guest exits%s%s, and not %s %" PRIu64,
                           count, name ? " " : "", name ? name : "", words[x->relation], x->number);
}

static bool judge_digest(const struct judge *j, size_t i)
{
    const struct test_expectation *x = &j->w->test->expectations[i];
    char text[DIGEST_TEXT];
    digest_text(j->end->state, text);
    return strncmp(text, x->text, strlen(x->text)) == 0 ||
           test_watch_fail(j->w, x->place, "the digest is %s", text);
}

static bool fail_fault(const struct judge *j, const struct test_expectation *x, const struct vm *vm)
{
    const struct lost_accesses *l = &vm->lost;
    char first[64] = "";
    if (l->page_count)
        snprintf(first, sizeof first, "; the first page: guest-physical %#" PRIx64, l->pages[0].v);
    return test_watch_fail(j->w, x->place,
                           "%s: %" PRIu64 " %s that nobody answers, %" PRIu64
                           " that its memory does not permit%s",
                           vm->name, l->unanswered,
                           text_plural(l->unanswered, "access", "accesses"), l->refused, first);
}

static bool judge_faults(const struct judge *j, size_t i)
{
    const struct test_expectation *x = &j->w->test->expectations[i];
    const struct board *b = j->w->board;
    for (size_t k = 0; k < b->vm_count; k++) {
        const struct vm *vm = b->vms[k];
        uint64_t refused = vm->exits[EXIT_FETCH] + vm->exits[EXIT_STAGE2];
        if (vm->lost.unanswered || vm->lost.refused || refused)
            return fail_fault(j, x, vm);
    }
    return true;
}

/* Files -------------------------------------------------------------------------------------------
 */

/* One line, for people. */
static void show_line(const uint8_t *data, size_t size, char text[SHOWN + 1])
{
    size_t length = 0;
    while (length < size && length < SHOWN && data[length] != '\n' && data[length] != '\r')
        length++;
    if (length)
        memcpy(text, data, length);
    text[length] = '\0';
    text_make_printable(text);
}

static bool differs(const struct judge *j, const struct test_expectation *x,
                    const struct bytes *printed, const struct bytes *wanted, const char *path)
{
    size_t at = 0, begin = 0;
    unsigned line = 1;
    while (at < printed->size && at < wanted->size && printed->data[at] == wanted->data[at]) {
        at++;
        if (printed->data[at - 1] == '\n') {
            begin = at;
            line++;
        }
    }
    char is[SHOWN + 1], was[SHOWN + 1];
    show_line(printed->data + begin, printed->size - begin, is);
    show_line(wanted->data + begin, wanted->size - begin, was);
    return test_watch_fail(j->w, x->place,
                           "line %u of what was printed is '%s', and '%s' in %s (--rebaseline "
                           "takes what is printed now)",
                           line, is, was, path);
}

/* A new file goes where its name leads to, if there is such a folder, or beside the test. */
static void find_output(const struct judge *j, const struct test_expectation *x, char *path,
                        size_t size)
{
    char folder[1024];
    beside_find(x->text, j->path, path, size);
    snprintf(folder, sizeof folder, "%.*s", (int)(words_leaf_name(x->text) - x->text), x->text);
    if (!host_exists(path) && !host_exists(*folder ? folder : "?"))
        beside_path(x->text, j->path, path, size);
}

static bool judge_output(const struct judge *j, size_t i)
{
    const struct test_expectation *x = &j->w->test->expectations[i];
    const struct bytes *printed = &j->w->printed[j->w->vms[i]];
    struct bytes wanted = {0};
    struct error e = {0};
    char path[1024];
    find_output(j, x, path, sizeof path);
    if (printed->size == TEST_PRINTED_MAX)
        return test_watch_fail(j->w, x->place, "more than %zu MB were printed, which are not kept",
                               TEST_PRINTED_MAX >> 20);
    if (j->rebaseline)
        return host_write_file(path, printed->data, printed->size, &e) ||
               test_watch_fail(j->w, x->place, "%s", e.text);
    bool ok = host_read_file(path, &wanted, &e) ||
              test_watch_fail(j->w, x->place, "%s (--rebaseline writes it)", e.text);
    if (ok && (wanted.size != printed->size ||
               (wanted.size && memcmp(wanted.data, printed->data, wanted.size) != 0)))
        ok = differs(j, x, printed, &wanted, path);
    bytes_free(&wanted);
    return ok;
}

/* All of it ---------------------------------------------------------------------------------------
 */

/* A second run is the caller's to make. */
static bool judge_later(const struct judge *j, size_t i)
{
    (void)j, (void)i;
    return true;
}

static bool (*const judges[])(const struct judge *j, size_t i) = {
    [EXPECT_CONSOLE] = judge_console,  [EXPECT_NOT] = judge_not,
    [EXPECT_EXIT] = judge_exit,        [EXPECT_STATUS] = judge_status,
    [EXPECT_EXITS] = judge_exits,      [EXPECT_DIGEST] = judge_digest,
    [EXPECT_NO_FAULT] = judge_faults,  [EXPECT_OUTPUT] = judge_output,
    [EXPECT_REPEATABLE] = judge_later,
};

/* Who expects nothing of the end expects a good one. */
static bool judge_end(const struct judge *j)
{
    const struct test *t = j->w->test;
    bool is_expected = was_cut(j) || j->end->exit_status == STATUS_OK;
    for (size_t i = 0; i < t->expectation_count; i++)
        is_expected |=
            t->expectations[i].kind == EXPECT_STATUS || t->expectations[i].kind == EXPECT_EXIT;
    return is_expected ||
           test_watch_fail(j->w, t->place, "%s (exit status %d)", j->ended, j->end->exit_status);
}

static bool judge_inputs(const struct judge *j)
{
    const struct test *t = j->w->test;
    if (j->w->sent == t->input_count)
        return true;
    const struct test_input *next = &t->inputs[j->w->sent];
    if (j->w->sent < j->w->awaited)
        return test_watch_fail(j->w, next->place, "was not sent: %s", j->ended);
    return test_watch_fail(j->w, next->place, "was not sent: /%s/ was not printed; %s",
                           next->after->text, j->ended);
}

/* As the final line of a run tells it. */
static void say_how_it_ended(struct judge *j)
{
    const struct board *b = j->w->board;
    char places[512] = "";
    snprintf(j->ended, sizeof j->ended, "%s", j->end->sentence);
    if (b->vm_count == 1 && b->vms[0]->was_stopped)
        vm_places_text(b->vms[0], places, sizeof places);
    if (*places)
        text_add(j->ended, sizeof j->ended, " (%s)", places);
}

bool test_judge(struct test_watch *w, const struct trace_end *end, const char *path,
                bool rebaseline)
{
    struct judge j = {.w = w, .end = end, .path = path, .rebaseline = rebaseline};
    const struct test *t = w->test;
    if (w->has_failed)
        return false;
    meet_end(w);
    say_how_it_ended(&j);
    for (size_t i = 0; i < t->expectation_count; i++)
        if (!judges[t->expectations[i].kind](&j, i))
            return false;
    return judge_inputs(&j) && judge_end(&j);
}
