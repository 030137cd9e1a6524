#include "qvm/test/test_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/number.h"
#include "hv/board.h"
#include "qvm/host/host_child.h"
#include "qvm/recording.h"
#include "qvm/report.h"
#include "qvm/test/test_workers.h"

const char test_usage[] =
    "       qvm test [DIR|FILE...]            run tests: *.qvmtest, traces, images\n"
    "                                         (docs/testing.md); -j N at a time, --junit FILE,\n"
    "                                         --tap FILE, --json FILE, --github, --tags LIST,\n"
    "                                         --rebaseline, --list\n";

#define AT_ONCE_MAX     256
#define STATUS_FAILURES 1

struct test_arguments {
    const char *junit, *tap, *json, *tags;
    uint64_t at_once;
    bool github, rebaseline, list;
};

struct showing {
    struct test_totals totals;
    size_t count, done;
    bool marks, progress;
    FILE *out;
};

static bool take_options(struct test_arguments *a, char *const *words, int count, int *used,
                         struct error *e)
{
    const struct {
        const char *name, **text;
    } texts[] = {
        {"--junit", &a->junit}, {"--tap", &a->tap}, {"--json", &a->json}, {"--tags", &a->tags}};
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--github", &a->github}, {"--rebaseline", &a->rebaseline}, {"--list", &a->list}};
    const char *word = words[*used];
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (strcmp(word, flags[i].name) == 0) {
            *flags[i].flag = true;
            return true;
        }
    const char *value = *used + 1 < count ? words[*used + 1] : NULL;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(word, texts[i].name) == 0) {
            *texts[i].text = value;
            *used += 1;
            return value || error_set(e, "%s wants an argument", word);
        }
    if (strncmp(word, "-j", 2) != 0)
        return error_set(e, "unknown option '%s' of test (qvm --help lists them)", word);
    *used += word[2] == '\0';
    const char *number = word[2] ? word + 2 : value ? value : "";
    return (number_parse(number, strlen(number), NUMBER_PLAIN, &a->at_once) == NUMBER_OK &&
            a->at_once >= 1 && a->at_once <= AT_ONCE_MAX) ||
           error_set(e, "-j wants a number from 1 to %d, not '%s'", AT_ONCE_MAX, number);
}

/* "tests/" is "tests". */
static void without_slash(const char *word, char *path, size_t size)
{
    snprintf(path, size, "%s", word);
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/';)
        path[--length] = '\0';
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1];
}

/* Options first, wherever they stand: they say which tests count. */
static int plan(struct test_plan *p, struct test_arguments *a, char *const *words, int count)
{
    struct error e = {0};
    int status = STATUS_OK, paths = 0;
    char **path_words = calloc((size_t)count + 1, sizeof *path_words);
    CHECK_ROOM(path_words);
    for (int i = 0; i < count && !status; i++)
        if (!is_option(words[i]))
            path_words[paths++] = words[i];
        else if (!take_options(a, words, count, &i, &e))
            status = report_error(&e, STATUS_USAGE);
    for (int i = 0; i < paths && !e.text[0]; i++) {
        char path[1024];
        without_slash(path_words[i], path, sizeof path);
        int one = test_plan_add(p, path, a->tags);
        status = status ? status : one;
    }
    free(path_words);
    if (!paths && !status)
        status = test_plan_add(p, ".", a->tags);
    if (!status && !p->count) {
        error_set(&e, "there are no tests (*.qvmtest) there%s", a->tags ? " with such tags" : "");
        status = report_error(&e, STATUS_USAGE);
    }
    return status;
}

/* Before anything runs: a slip of the hand must not cost a test. */
static bool may_write(const struct test_plan *p, const char *path, struct error *e)
{
    if (!path || strcmp(path, "-") == 0)
        return true;
    for (size_t i = 0; i < p->file_count; i++)
        if (host_same_file(path, p->files[i].path))
            return error_set(e, "the report would replace the test '%s'", path);
    return may_overwrite(path, false, e) && host_write_file(path, "", 0, e);
}

static void on_done(void *context, const struct test_case *c)
{
    struct showing *s = context;
    struct bytes text = {0};
    s->totals.of[c->result.outcome]++;
    s->done++;
    if (s->progress)
        fprintf(s->out, "\r\033[K");
    test_report_line(c, s->marks, &text);
    fwrite(text.data, 1, text.size, s->out);
    if (s->progress && s->done < s->count)
        fprintf(s->out, "[%zu/%zu]", s->done, s->count);
    fflush(s->out);
    bytes_free(&text);
}

static void on_wait(void *context, const struct test_case *c, uint64_t ns)
{
    const struct showing *s = context;
    char title[TEST_TITLE];
    test_case_title(c, title);
    fprintf(stderr, "%sqvm: %s runs for %u s now\n", s->progress ? "\r\033[K" : "", title,
            (unsigned)(ns / 1000000000));
}

static bool put_file(const char *path, const struct bytes *text)
{
    struct error e = {0};
    if (strcmp(path, "-") == 0) {
        host_print(text->data, text->size);
        return true;
    }
    return host_write_file(path, text->data, text->size, &e) || report_error(&e, 0);
}

static bool write_reports(const struct test_arguments *a, const struct test_plan *p,
                          const struct test_totals *totals)
{
    struct bytes text = {0};
    bool ok = true;
    if (a->tap) {
        test_report_tap(p->cases, p->count, &text);
        ok = put_file(a->tap, &text);
    }
    bytes_clear(&text);
    if (a->junit) {
        test_report_junit(p->cases, p->count, totals, &text);
        ok = put_file(a->junit, &text) && ok;
    }
    bytes_clear(&text);
    if (a->json) {
        test_report_json(p->cases, p->count, totals, &text);
        ok = put_file(a->json, &text) && ok;
    }
    bytes_free(&text);
    return ok;
}

static int list(const struct test_plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        char title[TEST_TITLE];
        test_case_title(&p->cases[i], title);
        printf("%s\n", title);
    }
    return STATUS_OK;
}

static bool is_dash(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

/* Of those that have not ended reports say so. */
static void mark_rest(struct test_plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct test_case *c = &p->cases[i];
        if (c->host_ns)
            continue;
        c->result.outcome = TEST_SKIPPED;
        snprintf(c->result.why, sizeof c->result.why, "interrupted");
    }
}

static int run(struct test_plan *p, const struct test_arguments *a)
{
    struct error e = {0};
    const char *actions = host_environment("GITHUB_ACTIONS");
    bool takes_output = is_dash(a->tap) || is_dash(a->junit) || is_dash(a->json);
    struct showing s = {.count = p->count,
                        .marks = a->github || (actions && strcmp(actions, "true") == 0),
                        .progress = !takes_output && host_output_is_terminal(),
                        .out = takes_output ? stderr : stdout};
    if (!may_write(p, a->tap, &e) || !may_write(p, a->junit, &e) || !may_write(p, a->json, &e) ||
        !host_folder_make(TEST_FAILURES, &e))
        return report_error(&e, STATUS_USAGE);
    uint64_t from = host_monotonic_ns();
    const struct test_workers_options options = {.at_once = (size_t)a->at_once,
                                                 .rebaseline = a->rebaseline};
    const struct test_workers_listener listener = {on_done, on_wait, &s};
    bool all = test_workers_run(p, &options, &listener);
    s.totals.host_ns = host_monotonic_ns() - from;
    host_folder_drop(TEST_FAILURES);
    struct bytes text = {0};
    test_report_end(&s.totals, &text);
    fwrite(text.data, 1, text.size, s.out);
    fflush(s.out);
    bytes_free(&text);
    if (!all) {
        fprintf(stderr, "qvm: interrupted: %zu of %zu tests have not ended\n", s.count - s.done,
                s.count);
        mark_rest(p);
    }
    if (!write_reports(a, p, &s.totals))
        return STATUS_USAGE;
    return !all ? STATUS_POWER_CUT : s.totals.of[TEST_FAILED] ? STATUS_FAILURES : STATUS_OK;
}

int test_command(char *const *words, int count)
{
    struct test_plan p = {0};
    struct test_arguments a = {.at_once = host_cpus()};
    if (count && strcmp(words[0], TEST_WORKER_OPTION) == 0)
        return test_workers_one(words + 1, count - 1);
    int status = plan(&p, &a, words, count);
    if (!status)
        status = a.list ? list(&p) : run(&p, &a);
    test_plan_free(&p);
    return status;
}
