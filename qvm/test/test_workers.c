#include "qvm/test/test_workers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/board.h"
#include "qvm/host/host_child.h"
#include "qvm/report.h"
#include "qvm/test/test_instance.h"

#define PRINTED_MAX ((size_t)1 << 20)             /* of a process: what is more is not kept */
#define OTHERS_MAX  4096                          /* of that, what is shown */
#define WATCHDOG_NS ((uint64_t)1800 * 1000000000) /* this program does not get on */
#define TELL_NS     ((uint64_t)30 * 1000000000)   /* a test that takes longer is told of */
#define TRACE_MAX   ((size_t)1 << 20)             /* a larger trace is shrunk, */
#define SHRINK_NS   ((uint64_t)60 * 1000000000)   /* if that does not take longer */

struct worker {
    struct host_child *child; /* NULL: it has nothing to do */
    size_t number;            /* of the plan */
    struct bytes printed;
    uint64_t began_ns, deadline_ns, tell_ns;
    bool was_late;
    bool shrinks; /* the test is over, its trace is made smaller */
};

struct workers {
    struct test_plan *plan;
    const struct test_workers_options *options;
    struct worker *workers; /* owned */
    struct host_source *sources;
    size_t next, running;
    const struct test_workers_listener *listener;
};

/* The parent's side -------------------------------------------------------------------------------
 */

static void fail(struct test_case *c, const char *why)
{
    c->result = (struct test_result){.outcome = TEST_FAILED};
    snprintf(c->result.why, sizeof c->result.why, "%s", why);
}

static void finish(struct workers *w, struct worker *worker)
{
    struct test_case *c = &w->plan->cases[worker->number];
    c->host_ns = host_monotonic_ns() - worker->began_ns;
    worker->child = NULL;
    w->running--;
    w->listener->done(w->listener->context, c);
}

static bool start_child(struct worker *worker, char *const *arguments, uint64_t limit_ns,
                        struct error *e)
{
    worker->child = host_child_start(arguments, e);
    worker->deadline_ns = host_monotonic_ns() + limit_ns;
    worker->was_late = false;
    bytes_clear(&worker->printed);
    return worker->child;
}

/* Not now, if the host has no room for one more process: those that run make some. */
static void start_test(struct workers *w, struct worker *worker)
{
    const struct planned_test *t = &w->plan->tests[w->next];
    char test[24], instance[24];
    struct error e = {0};
    snprintf(test, sizeof test, "%zu", t->test);
    snprintf(instance, sizeof instance, "%zu", t->instance);
    char *const arguments[] = {(char *)"test",
                               (char *)TEST_WORKER_OPTION,
                               w->plan->files[t->file].path,
                               test,
                               instance,
                               (char *)(w->options->rebaseline ? "rebaseline" : "compare"),
                               NULL};
    worker->number = w->next;
    worker->began_ns = host_monotonic_ns();
    worker->shrinks = false;
    worker->tell_ns = TELL_NS;
    bool starts = start_child(worker, arguments, WATCHDOG_NS, &e);
    if (!starts && w->running > 0)
        return;
    w->next++;
    w->running++;
    if (starts)
        return;
    fail(&w->plan->cases[worker->number], e.text);
    finish(w, worker);
}

/* The end of what it printed, which is where the reason is. */
static char *others_of(const struct bytes *printed, size_t size)
{
    size_t from = size > OTHERS_MAX ? size - OTHERS_MAX : 0;
    char *text = malloc(size - from + 1);
    CHECK_ROOM(text);
    memcpy(text, printed->data + from, size - from);
    text[size - from] = '\0';
    for (size_t i = 0; i < size - from; i++)
        text[i] = text[i] ? text[i] : '?';
    return text;
}

static void take_result(struct worker *worker, struct test_case *c, int status)
{
    size_t others;
    char why[128];
    /* A process that died on its way may have printed what only looks like a result. */
    if (!test_result_get(&c->result, &worker->printed, &others) || status != STATUS_OK) {
        if (worker->was_late)
            snprintf(why, sizeof why, "qvm itself does not get on: ended after %d minutes",
                     (int)(WATCHDOG_NS / 60000000000));
        else if (status < 0)
            snprintf(why, sizeof why, "qvm itself was ended by signal %d", -status);
        else
            snprintf(why, sizeof why, "qvm itself failed: status %d and no result", status);
        fail(c, why);
    }
    if (c->result.outcome == TEST_FAILED && others)
        c->others = others_of(&worker->printed, others);
}

static size_t size_of(const char *path)
{
    struct host_view v;
    struct error ignored = {0};
    if (!host_view_open(path, &v, &ignored))
        return 0;
    size_t size = v.size;
    host_view_close(&v);
    return size;
}

static void small_path(const struct test_case *c, char *path, size_t size)
{
    snprintf(path, size, "%.1000s.small", c->result.trace);
}

/* A trace that is to go with a report must not be large. False: it is small enough, or stays. */
static bool start_shrinking(struct worker *worker, struct test_case *c)
{
    char small[1024];
    struct error ignored = {0};
    small_path(c, small, sizeof small);
    char *const arguments[] = {(char *)"shrink", c->result.trace, (char *)"-o", small, NULL};
    worker->shrinks =
        size_of(c->result.trace) > TRACE_MAX && start_child(worker, arguments, SHRINK_NS, &ignored);
    return worker->shrinks;
}

static void end_shrinking(const struct worker *worker, const struct test_case *c, int status)
{
    char small[1024];
    small_path(c, small, sizeof small);
    bool is_smaller = status == 0 && !worker->was_late && size_of(small) > 0 &&
                      size_of(small) < size_of(c->result.trace);
    if (!is_smaller || !host_rename(small, c->result.trace))
        host_remove(small);
}

static void end_child(struct workers *w, struct worker *worker)
{
    struct test_case *c = &w->plan->cases[worker->number];
    int status = host_child_end(worker->child);
    worker->child = NULL;
    if (worker->shrinks) {
        end_shrinking(worker, c, status);
    } else {
        take_result(worker, c, status);
        bool keeps = c->result.outcome == TEST_FAILED && *c->result.trace &&
                     !w->plan->files[w->plan->tests[worker->number].file]
                          .tests[w->plan->tests[worker->number].test]
                          .trace;
        if (keeps && start_shrinking(worker, c))
            return;
    }
    finish(w, worker);
}

/* The result is at the end, and may have come in parts: of too much, the first half goes. */
static void forget_start(struct bytes *printed)
{
    size_t kept = PRINTED_MAX / 2;
    if (printed->size <= PRINTED_MAX)
        return;
    memmove(printed->data, printed->data + printed->size - kept, kept);
    printed->size = kept;
}

static void read_child(struct workers *w, struct worker *worker)
{
    uint8_t part[65536];
    bool ended = false;
    size_t size = host_child_read(worker->child, part, sizeof part, &ended);
    bytes_put(&worker->printed, part, size);
    forget_start(&worker->printed);
    uint64_t took_ns = host_monotonic_ns() - worker->began_ns;
    if (!ended && took_ns > worker->tell_ns) {
        worker->tell_ns *= 2;
        w->listener->waits(w->listener->context, &w->plan->cases[worker->number], took_ns);
    }
    if (ended)
        end_child(w, worker);
    else if (host_monotonic_ns() > worker->deadline_ns && !worker->was_late) {
        worker->was_late = true;
        host_child_kill(worker->child);
    }
}

/* Until one of them says something, or a second has passed. */
static void wait_for_one(struct workers *w)
{
    size_t count = 0;
    for (size_t i = 0; i < w->options->at_once; i++)
        if (w->workers[i].child)
            w->sources[count++] = host_child_source(w->workers[i].child);
    host_wait(w->sources, count, 1000000000);
    for (size_t i = 0; i < w->options->at_once; i++)
        if (w->workers[i].child)
            read_child(w, &w->workers[i]);
}

static bool is_interrupted(void)
{
    enum host_signal signal;
    bool any = false;
    while ((signal = host_take_signal()) != HOST_SIGNAL_NONE)
        any |= signal == HOST_SIGNAL_BUTTON || signal == HOST_SIGNAL_CUT;
    return any;
}

static void end_all(struct workers *w)
{
    for (size_t i = 0; i < w->options->at_once; i++)
        if (w->workers[i].child) {
            host_child_kill(w->workers[i].child);
            host_child_end(w->workers[i].child);
        }
}

bool test_workers_run(struct test_plan *p, const struct test_workers_options *options,
                      const struct test_workers_listener *listener)
{
    struct workers w = {.plan = p, .options = options, .listener = listener};
    bool interrupted = false;
    w.workers = calloc(options->at_once, sizeof *w.workers);
    w.sources = calloc(options->at_once, sizeof *w.sources);
    CHECK_ROOM(w.workers && w.sources);
    host_catch_signals();
    while ((w.next < p->count || w.running) && !interrupted) {
        for (size_t i = 0; i < options->at_once; i++)
            if (!w.workers[i].child && w.next < p->count)
                start_test(&w, &w.workers[i]);
        if (w.running)
            wait_for_one(&w);
        interrupted = is_interrupted();
    }
    end_all(&w);
    for (size_t i = 0; i < options->at_once; i++)
        bytes_free(&w.workers[i].printed);
    free(w.workers);
    free(w.sources);
    return !interrupted;
}

/* The child's side --------------------------------------------------------------------------------
 */

static bool is_wanted(void)
{
    return !host_child_is_alone();
}

int test_workers_one(char *const *words, int count)
{
    struct test_file f;
    struct error e = {0};
    struct test_result r;
    struct bytes text = {0};
    if (count != 4 || !test_plan_read(&f, words[0], &e))
        return report_error(&e, STATUS_USAGE);
    size_t number = strtoul(words[1], NULL, 10), instance = strtoul(words[2], NULL, 10);
    const struct test_run_options options = {.failures = TEST_FAILURES,
                                             .rebaseline = strcmp(words[3], "rebaseline") == 0,
                                             .is_wanted = is_wanted};
    if (number >= f.count || instance >= test_instances(&f.tests[number])) {
        test_file_free(&f);
        return STATUS_USAGE;
    }
    test_instance_run(&f, &f.tests[number], instance, &options, &r);
    test_result_put(&r, &text);
    fflush(stderr);
    host_print(text.data, text.size);
    host_flush();
    bytes_free(&text);
    test_file_free(&f);
    return STATUS_OK;
}
