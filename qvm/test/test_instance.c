#include "qvm/test/test_instance.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/engine.h"
#include "emu/check.h"
#include "hv/config/config_strings.h"
#include "hv/config/config_text.h"
#include "hv/config/config_words.h"
#include "hv/images/image.h"
#include "hv/vm_arch.h"
#include "qvm/ask/exit_replay.h"
#include "qvm/beside.h"
#include "qvm/config_files.h"
#include "qvm/host/host_child.h"
#include "qvm/test/test_judge.h"
#include "qvm/test/test_watch.h"

#define SHOWN_LINES 8 /* of what was printed last, for a failure */

/* Which ------------------------------------------------------------------------------------------
 */

size_t test_instances(const struct test *t)
{
    size_t count = 1;
    for (size_t i = 0; i < t->matrix_count; i++)
        count *= t->matrices[i].count;
    return count;
}

/* The value of a matrix; the last one changes fastest. */
static const char *value_of(const struct test *t, size_t instance, size_t matrix)
{
    for (size_t i = t->matrix_count; i-- > matrix + 1;)
        instance /= t->matrices[i].count;
    return t->matrices[matrix].values[instance % t->matrices[matrix].count];
}

void test_instance_name(const struct test *t, size_t instance, char *name, size_t size)
{
    snprintf(name, size, "%s", t->name ? t->name : "");
    for (size_t i = 0; i < t->matrix_count; i++)
        text_add(name, size, "%s%s=%s", i ? "," : "[", t->matrices[i].name,
                 value_of(t, instance, i));
    if (t->matrix_count)
        text_add(name, size, "]");
}

/* Whether -----------------------------------------------------------------------------------------
 */

static bool is_big_endian(void)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 0;
}

static bool is_skipped(const struct test_skip *s, const char *path, char *why, size_t size)
{
    char found[1024];
    const char *value =
        s->condition == SKIP_ENV || s->condition == SKIP_NO_ENV ? host_environment(s->text) : NULL;
    switch (s->condition) {
    case SKIP_NO_ENGINE:
        snprintf(why, size, "this program runs no guest code");
        return !engine_is_built_in();
    case SKIP_HOST:
        snprintf(why, size, "the host is %s", s->text);
        return strcmp(s->text, host_family()) == 0 ||
               (strcmp(s->text, "big-endian") == 0 && is_big_endian());
    case SKIP_MISSING:
        beside_find(s->text, path, found, sizeof found);
        snprintf(why, size, "there is no %s", s->text);
        return !host_exists(found);
    case SKIP_ENV:
        snprintf(why, size, "%s is set", s->text);
        return value && *value;
    case SKIP_NO_ENV:
        snprintf(why, size, "%s is not set", s->text);
        return !value || !*value;
    }
    return false;
}

/* What it runs ------------------------------------------------------------------------------------
 */

struct runner {
    struct test_file *file;
    const struct test *test;
    size_t instance;
    const struct test_run_options *options;
    struct test_words_reader words;
    struct config_reader reader;
    char scratch[1024];   /* $env{QVM_TEST_DIR}; empty: nobody asked for it */
    struct vm_words *vms; /* owned */
    const char *name;     /* for the trace */
    struct bytes before;  /* what the run printed that is repeated */
    struct digest state;
    char board[1024], from[1024];
};

static uint8_t *read_beside(void *context, const char *path, size_t *size, struct error *e)
{
    const struct runner *r = context;
    const struct config_reader files = config_files_reader();
    char found[1024];
    beside_find(path, r->file->path, found, sizeof found);
    return files.read_file(files.context, found, size, e);
}

/* QVM_TEST_DIR: a folder of the test's own. */
static const char *read_env(void *context, const char *name)
{
    struct runner *r = context;
    struct error ignored = {0};
    if (strcmp(name, "QVM_TEST_DIR") != 0)
        return host_environment(name);
    if (!*r->scratch && !host_scratch_make(r->scratch, sizeof r->scratch, &ignored))
        *r->scratch = '\0';
    return *r->scratch ? r->scratch : NULL;
}

/* The words of a matrix, for each VM: where its statement is. */
static const char *matrix_words(struct runner *r, size_t matrix)
{
    const struct test_matrix *m = &r->test->matrices[matrix];
    const char *value = value_of(r->test, r->instance, matrix);
    struct bytes words = {0};
    if (strcmp(m->name, "vcpus") != 0) {
        text_put(&words, "set %s ", m->name);
        config_text_word(&words, value);
    }
    for (unsigned long i = words.size ? 0 : strtoul(value, NULL, 10); i; i--)
        text_put(&words, "cpu ");
    bytes_put_int(&words, 0, 1);
    const char *name = test_text_name(r->file, m->place.line, (const char *)words.data);
    bytes_free(&words);
    return name;
}

/* How many vCPUs each VM must have; 0: any number. */
static unsigned wanted_vcpus(const struct runner *r, struct place *place)
{
    const struct test *t = r->test;
    for (size_t i = 0; i < t->matrix_count; i++) {
        *place = t->matrices[i].place;
        if (strcmp(t->matrices[i].name, "vcpus") == 0)
            return (unsigned)strtoul(value_of(t, r->instance, i), NULL, 10);
    }
    return 0;
}

static void make_vms(struct runner *r)
{
    const struct test *t = r->test;
    r->vms = calloc(t->vm_count + 1, sizeof *r->vms);
    CHECK_ROOM(r->vms);
    for (size_t i = 0; i < t->vm_count; i++) {
        const struct test_vm *vm = &t->vms[i];
        const char **words = calloc(vm->word_count + t->matrix_count + 1, sizeof *words);
        CHECK_ROOM(words);
        size_t count = 0;
        for (size_t k = 0; k < vm->word_count; k++)
            words[count++] = test_words_name(r->file, vm->words[k]);
        for (size_t k = 0; k < t->matrix_count; k++)
            words[count++] = matrix_words(r, k);
        r->vms[i] = (struct vm_words){words, count};
    }
}

static void free_vms(struct runner *r)
{
    for (size_t i = 0; i < r->test->vm_count; i++)
        free((void *)r->vms[i].words);
    free(r->vms);
}

/* Running -----------------------------------------------------------------------------------------
 */

struct judged {
    struct test_watch watch;
    struct runner *runner;
    struct test_result *result;
};

/* The last lines, for people. */
static void show_printed(const struct test_watch *w, struct test_result *r)
{
    size_t used = 0;
    for (size_t i = 0; i < w->board->vm_count; i++) {
        const struct bytes *b = &w->printed[i];
        size_t at = b->size, lines = 0, room = sizeof r->shown - 1 - used;
        while (at > 0 && b->size - at < room && lines <= SHOWN_LINES)
            lines += b->data[--at] == '\n' && at + 1 < b->size;
        at += lines > SHOWN_LINES;
        for (; at < b->size; at++)
            r->shown[used++] = b->data[at] ? (char)b->data[at] : '?';
    }
    r->shown[used] = '\0';
}

/* All VMs', one behind the other. */
static struct bytes all_printed(const struct test_watch *w)
{
    struct bytes all = {0};
    for (size_t i = 0; i < w->board->vm_count; i++) {
        bytes_put_varint(&all, w->printed[i].size);
        bytes_put(&all, w->printed[i].data, w->printed[i].size);
    }
    return all;
}

static bool is_repeated(const struct runner *r, const struct bytes *printed,
                        const struct trace_end *end)
{
    bool same = printed->size == r->before.size &&
                (!printed->size || memcmp(printed->data, r->before.data, printed->size) == 0);
    return same && memcmp(&r->state, &end->state, sizeof end->state) == 0;
}

static bool has_failed(void *context, const struct trace_end *end)
{
    struct judged *j = context;
    struct test_result *r = j->result;
    bool is_second = r->has_run;
    struct bytes printed = all_printed(&j->watch);
    bool ok = test_judge(&j->watch, end, j->runner->file->path, j->runner->options->rebaseline);
    if (ok && is_second && !is_repeated(j->runner, &printed, end))
        ok = test_watch_fail(&j->watch, j->watch.test->place,
                             "the second run ended otherwise: in instruction %" PRIu64
                             ", the first in %" PRIu64,
                             end->instructions, r->instructions);
    bytes_free(&j->runner->before);
    j->runner->before = printed;
    j->runner->state = end->state;
    r->has_run = true;
    r->status = end->exit_status;
    r->instructions = end->instructions;
    r->ns = vtime_ns(&j->watch.board->vtime);
    digest_text(end->state, r->digest);
    if (ok)
        return false;
    r->outcome = TEST_FAILED;
    r->line = j->watch.failure.place.line;
    snprintf(r->why, sizeof r->why, "%s", j->watch.failure.text);
    show_printed(&j->watch, r);
    return true;
}

static void start(struct runner *r, const struct session_options *options)
{
    if (r->test->from)
        session_run_from(r->from, options);
    else
        session_run(r->vms, r->test->vm_count, options);
}

/* NAME.qtrace, of letters that file names have everywhere, and not too many of them. A name that is
 * not the test's own for that reason, or because its folder is left out, may be another test's,
 * too: digits of a digest tell them apart. */
static void trace_path(const struct runner *r, char *path, size_t size)
{
    const char *leaf = words_leaf_name(r->file->path), *dot = *r->name ? "." : "";
    char name[200], digest[DIGEST_TEXT];
    int length = snprintf(name, sizeof name, "%s%s%s", leaf, dot, r->name);
    bool is_own = leaf == r->file->path && length < (int)sizeof name;
    for (char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.=", *c)) {
            *c = '_';
            is_own = false;
        }
    struct bytes whole = {0};
    text_put(&whole, "%s:%s:%zu", r->file->path, r->name, r->instance);
    digest_text(sha256_of(whole.data, whole.size), digest);
    bytes_free(&whole);
    snprintf(path, size, "%s/%s%s%.8s.qtrace", r->options->failures, name, is_own ? "" : ".",
             is_own ? "" : digest);
}

/* Under one seed, or none. False: it failed. */
static bool run_once(struct runner *r, const struct chaos *chaos, struct test_result *result)
{
    struct judged j = {.runner = r, .result = result};
    char kept[1024];
    test_watch_begin(&j.watch, r->test);
    j.watch.is_wanted = r->options->is_wanted;
    struct trial_watch watch = test_watch_for_session(&j.watch);
    watch.failed = has_failed;
    watch.context = &j;
    trace_path(r, kept, sizeof kept);
    host_remove(kept); /* of a failure that is not one any more */
    struct trial trial = {.watch = &watch, .trace_path = kept};
    const struct session_options options = {
        .board = {BOARD_NO_LIMITS, .chaos = *chaos},
        .wall_clock_s = DEFAULT_WALL_CLOCK_S,
        .board_file = r->test->board ? r->board : NULL,
        .trust = true,
        .trial = &trial,
        .reader = &r->reader,
        .beside = r->file->path,
    };
    start(r, &options);
    if (trial.error.text[0]) {
        result->outcome = TEST_FAILED;
        snprintf(result->why, sizeof result->why, "%s", trial.error.text);
        if (trial.error.text[0] != '[') /* it has no place of its own */
            result->line = r->test->runs.line;
    }
    bytes_free(&trial.printed);
    snprintf(result->trace, sizeof result->trace, "%s", trial.kept);
    test_watch_free(&j.watch);
    return result->outcome == TEST_PASSED;
}

static bool wants_repetition(const struct test *t)
{
    bool wants = false;
    for (size_t i = 0; i < t->expectation_count; i++)
        wants |= t->expectations[i].kind == EXPECT_REPEATABLE;
    return wants;
}

static void run_all(struct runner *r, struct test_result *result)
{
    const struct test *t = r->test;
    struct chaos chaos = {.on = t->chaos_seeds > 0, .seed = 1};
    do {
        result->has_run = false;
        bool ok =
            run_once(r, &chaos, result) && (!wants_repetition(t) || run_once(r, &chaos, result));
        result->has_seed = chaos.on;
        result->seed = chaos.seed;
        if (!ok)
            return;
    } while (chaos.seed++ < t->chaos_seeds);
}

static void prepare(struct runner *run, struct test_file *f, const struct test *t, size_t instance)
{
    char board[1024];
    *run = (struct runner){.file = f, .test = t, .instance = instance};
    run->words = (struct test_words_reader){
        .file = f, .others = {.read_file = read_beside, .env = read_env, .context = run}};
    run->reader = test_words_reader(&run->words);
    if (t->board) {
        beside_find(t->board, f->path, board, sizeof board);
        snprintf(run->board, sizeof run->board, "@%.1000s", board);
    }
    if (t->from)
        beside_find(t->from, f->path, run->from, sizeof run->from);
    make_vms(run);
}

static void finish(struct runner *run)
{
    free_vms(run);
    bytes_free(&run->before);
    if (*run->scratch)
        host_scratch_remove(run->scratch);
}

static bool check_configs(struct runner *run, struct error *e)
{
    const struct test *t = run->test;
    struct board_config board = {0};
    const char *word = run->board;
    struct place place = {0};
    unsigned vcpus = wanted_vcpus(run, &place);
    bool ok = !t->board || board_config_parse(&board, &word, 1, &run->reader, e);
    run->reader.board = t->board ? &board : NULL;
    for (size_t i = 0; ok && i < t->vm_count; i++) {
        struct vm_config c;
        ok = config_parse(&c, run->vms[i].words, run->vms[i].count, &run->reader, e);
        if (ok && vcpus && c.cpu_count != vcpus)
            ok = error_at(e, place.file, place.line,
                          "`matrix vcpus` is for VMs whose configuration has no `cpu`: this one "
                          "has %zu of its own",
                          c.cpu_count - vcpus);
        if (ok || c.cpu_count)
            config_free(&c);
    }
    board_config_free(&board);
    return ok;
}

bool test_instance_check(struct test_file *f, const struct test *t, size_t instance,
                         struct error *e)
{
    struct runner run;
    char why[256];
    for (size_t i = 0; i < t->skip_count; i++)
        if (is_skipped(&t->skips[i], f->path, why, sizeof why))
            return true;
    prepare(&run, f, t, instance);
    bool ok = check_configs(&run, e);
    finish(&run);
    return ok || error_exit_status(e, STATUS_CONFIGURATION);
}

/* What differs is printed, and comes to whoever reads this process's output. */
static void replay(const struct runner *r, struct test_result *result)
{
    const struct session_options options = {.board = {BOARD_NO_LIMITS}, .verify = true};
    char path[1024];
    beside_find(r->test->trace, r->file->path, path, sizeof path);
    int status =
        engine_is_built_in() ? session_replay(path, &options) : exit_replay(path, &options, false);
    host_flush();
    if (status == STATUS_OK)
        return;
    result->outcome = TEST_FAILED;
    result->line = r->test->runs.line;
    snprintf(result->why, sizeof result->why, "the replay does not agree (status %d)", status);
    snprintf(result->trace, sizeof result->trace, "%s", path);
}

void test_instance_run(struct test_file *f, const struct test *t, size_t instance,
                       const struct test_run_options *options, struct test_result *r)
{
    struct runner run;
    char name[256];
    *r = (struct test_result){.outcome = TEST_PASSED};
    for (size_t i = 0; i < t->skip_count; i++)
        if (is_skipped(&t->skips[i], f->path, r->why, sizeof r->why)) {
            r->outcome = TEST_SKIPPED;
            return;
        }
    r->why[0] = '\0';
    test_instance_name(t, instance, name, sizeof name);
    prepare(&run, f, t, instance);
    run.options = options;
    run.name = name;
    if (t->trace)
        replay(&run, r);
    else
        run_all(&run, r);
    finish(&run);
}

/* Without a file ----------------------------------------------------------------------------------
 */

static bool parse_text(struct test_file *f, const char *path, const struct bytes *text,
                       struct error *e)
{
    const struct config_reader reader = config_files_reader();
    return test_file_parse(f, path, text->data, text->size, &reader, e);
}

/* Which architecture it is for; NULL: it is no image, nor anything that looks like one. */
static const struct vm_arch *arch_of_image(const uint8_t *head, size_t size)
{
    bool is_elf = size >= 20 && memcmp(head, "\177ELF", 4) == 0;
    for (size_t i = 0; vm_arches[i]; i++) {
        const struct image_format *kernel = vm_arches[i]->kernel;
        if (is_elf ? vm_arches[i]->elf_machine == load_le(head + 18, 2)
                   : kernel && range_inside(kernel->at, kernel->magic_size, size) &&
                         memcmp(head + kernel->at, kernel->magic, kernel->magic_size) == 0)
            return vm_arches[i];
    }
    return NULL;
}

bool test_file_of_image(struct test_file *f, const char *path, struct error *e)
{
    uint8_t head[64] = {0};
    const char *end = strrchr(path, '.');
    const struct vm_arch *arch = arch_of_image(head, host_read_start(path, head, sizeof head));
    if (!arch && end && strcmp(end, ".bin") == 0)
        arch = vm_arches[0];
    if (!host_exists(path))
        return error_set(e, "there is no '%s'", path);
    if (!arch)
        return error_set(
            e,
            "'%s' is no test: neither a *.qvmtest, nor a recording, nor an image (ELF, "
            "a kernel's, *.bin) of an architecture that is modelled",
            path);
    struct bytes text = {0};
    text_put(&text, "vm { %s load ", arch->bare_machine);
    config_text_word(&text, path);
    text_put(&text, " }");
    bool ok = parse_text(f, path, &text, e);
    bytes_free(&text);
    return ok;
}

bool test_file_of_trace(struct test_file *f, const char *path, struct error *e)
{
    struct bytes text = {0};
    text_put(&text, "trace ");
    config_text_word(&text, words_leaf_name(path));
    bool ok = parse_text(f, path, &text, e);
    bytes_free(&text);
    return ok;
}
