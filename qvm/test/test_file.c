#include "qvm/test/test_file.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/check.h"
#include "emu/text.h"
#include "hv/config/config_errors.h"
#include "hv/config/config_numbers.h"
#include "hv/config/config_set.h"
#include "hv/config/config_strings.h"
#include "hv/config/config_words.h"
#include "hv/vm_arch.h"

#define VALUES_MAX 64   /* of a matrix */
#define WAYS_MAX   4096 /* to run a test */

struct test_parser {
    struct test_file *file;
    struct words words;
    struct config_errors errors;
    struct test *test;  /* the one that statements are about */
    struct test common; /* what stands before the first `test` */
    const struct config_reader *others;
};

/* Words -------------------------------------------------------------------------------------------
 */

static bool fail(struct test_parser *p, const struct word *word, const char *format, ...)
    TEXT_PRINTF(3, 4);
static bool fail(struct test_parser *p, const struct word *word, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return errors_add(&p->errors, word->place, "%s", text);
}

/* The next word, which has to be there. */
static bool want(struct test_parser *p, const struct word *statement, const char *what,
                 struct word *word)
{
    if (words_argument(&p->words, word))
        return !word->bad;
    return fail(p, statement, "'%s' wants %s", statement->text, what);
}

/* Is that the next word? Then it is taken. */
static bool take(struct test_parser *p, const char *text, struct word *word)
{
    struct words_position before = words_position(&p->words);
    if (words_argument(&p->words, word) && strcmp(word->text, text) == 0)
        return true;
    words_return(&p->words, before);
    return false;
}

static bool to_number(struct test_parser *p, const struct word *word, uint64_t most,
                      uint64_t *value)
{
    if (number_parse(word->text, strlen(word->text), NUMBER_PLAIN, value) == NUMBER_OK &&
        *value <= most)
        return true;
    return fail(p, word, "'%.64s' is no number from 0 to %" PRIu64, word->text, most);
}

/* "500ms". */
static bool to_time(struct test_parser *p, const struct word *word, uint64_t *ns)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};
    size_t digits = strspn(word->text, "0123456789");
    uint64_t value;
    bool ok = number_parse(word->text, digits, NUMBER_PLAIN, &value) == NUMBER_OK;
    for (size_t i = 0; ok && i < sizeof units / sizeof units[0]; i++)
        if (strcmp(word->text + digits, units[i].unit) == 0 && value <= UINT64_MAX / units[i].ns) {
            *ns = value * units[i].ns;
            return true;
        }
    return fail(p, word, "'%.64s' is no time: a whole number and s, ms, us or ns (`5s`)",
                word->text);
}

/* `/TEXT/`, or `/TEXT/i` for letters in either case. */
static bool want_pattern(struct test_parser *p, const struct word *statement,
                         const struct pattern **pattern)
{
    struct word word, flags;
    struct error e = {0};
    if (!words_slashed(&p->words, &word, &flags))
        return fail(p, statement, "'%s' wants a regular expression between slashes: /login:/",
                    statement->text);
    bool any_case = strcmp(flags.text, "i") == 0;
    if (*flags.text && !any_case)
        return fail(p, &word, "behind a regular expression only `i` may stand, not '%.40s'",
                    flags.text);
    struct pattern *compiled = malloc(sizeof *compiled);
    CHECK_ROOM(compiled);
    if (!pattern_compile(compiled, word.text, any_case, &e)) {
        free(compiled);
        return fail(p, &word, "%s", e.text);
    }
    p->file->patterns =
        array_grow(p->file->patterns, p->file->pattern_count, sizeof *p->file->patterns);
    p->file->patterns[p->file->pattern_count++] = compiled;
    *pattern = compiled;
    return true;
}

/* What runs -------------------------------------------------------------------------------------
 */

/* From the next word to the end of its line; or, if that is `{`, to the `}` that is a word. Who
 * reads it as a configuration substitutes. */
static bool find_text(struct test_parser *p, const struct word *statement, struct test_words *text)
{
    struct word word;
    struct words *w = &p->words;
    text->from = w->at;
    if (take(p, "{", &word)) {
        text->from = w->at;
        do {
            text->to = w->at;
            if (!words_argument(w, &word))
                return fail(p, statement, "'%s {' has no '}'", statement->text);
        } while (strcmp(word.text, "}") != 0);
        return true;
    }
    for (struct words_position at = words_position(w);;) {
        if (!words_argument(w, &word) || word.place.line != statement->place.line) {
            words_return(w, at);
            text->to = w->at;
            return true;
        }
        at = words_position(w);
    }
}

static bool take_text(struct test_parser *p, const struct word *statement, struct test_words *text)
{
    p->words.as_is = true;
    bool ok = find_text(p, statement, text);
    p->words.as_is = false;
    return ok;
}

static bool file_is_next(struct test_parser *p)
{
    struct words_position before = words_position(&p->words);
    struct word word;
    p->words.as_is = true;
    bool is_file = words_argument(&p->words, &word) && text_ends_in(word.text, ".qvmconf");
    p->words.as_is = false;
    words_return(&p->words, before);
    return is_file;
}

static void add_part(struct test_vm *vm, struct test_words words)
{
    vm->words = array_grow(vm->words, vm->word_count, sizeof *vm->words);
    vm->words[vm->word_count++] = words;
}

static bool add_words(struct test_parser *p, const struct word *statement)
{
    struct test_vm *vm = &p->test->vms[p->test->vm_count - 1];
    struct test_words text = {0};
    struct word file;
    if (file_is_next(p) && words_argument(&p->words, &file))
        add_part(vm,
                 (struct test_words){.file = strings_format(&p->file->strings, "@%s", file.text)});
    if (!take_text(p, statement, &text))
        return false;
    add_part(vm, text);
    return true;
}

static bool runs(struct test_parser *p, const struct word *statement, bool is_vm)
{
    struct test *t = p->test;
    bool others = t->from || t->trace || (!is_vm && t->vm_count);
    t->runs = statement->place;
    return !others ||
           fail(p, statement, "a test has VMs, or one `from`, or one `trace`: here is another one");
}

static bool parse_vm(struct test_parser *p, const struct word *statement)
{
    struct test *t = p->test;
    if (!runs(p, statement, true))
        return false;
    t->vms = array_grow(t->vms, t->vm_count, sizeof *t->vms);
    t->vm_count++;
    return add_words(p, statement);
}

static bool parse_with(struct test_parser *p, const struct word *statement)
{
    if (!p->test->vm_count)
        return fail(p, statement, "'with' adds words to a `vm`: there is none yet");
    return add_words(p, statement);
}

static bool want_name(struct test_parser *p, const struct word *statement, const char **name)
{
    struct word word;
    if (!want(p, statement, "a file name", &word))
        return false;
    *name = word.text;
    return true;
}

static bool parse_board(struct test_parser *p, const struct word *statement)
{
    return want_name(p, statement, &p->test->board);
}

static bool parse_from(struct test_parser *p, const struct word *statement)
{
    return runs(p, statement, false) && want_name(p, statement, &p->test->from);
}

static bool parse_trace(struct test_parser *p, const struct word *statement)
{
    return runs(p, statement, false) && want_name(p, statement, &p->test->trace);
}

static bool parse_limit(struct test_parser *p, const struct word *statement)
{
    struct test *t = p->test;
    struct word word, unit;
    if (!want(p, statement, "a time, such as 5s, or `N instructions`", &word))
        return false;
    bool is_time = !take(p, "instructions", &unit);
    uint64_t *limit = is_time ? &t->limit_ns : &t->limit_instructions;
    if (!(is_time ? to_time(p, &word, limit) : to_number(p, &word, UINT64_MAX, limit)))
        return false;
    return *limit || fail(p, &word, "a limit of 0 leaves no time to run");
}

/* Expectations ----------------------------------------------------------------------------------
 */

/* `of VM`, `to DEVICE`: that word and a name, or nothing. */
static bool take_name(struct test_parser *p, const char *word, const char *what, const char **text)
{
    struct word first, name;
    if (!take(p, word, &first))
        return true;
    if (!want(p, &first, what, &name))
        return false;
    *text = name.text;
    return true;
}

static bool take_vm(struct test_parser *p, const char **vm)
{
    return take_name(p, "of", "the name of a VM", vm);
}

static bool expect_console(struct test_parser *p, const struct word *what,
                           struct test_expectation *x)
{
    struct word word, time;
    if (!want_pattern(p, what, &x->pattern))
        return false;
    if (x->kind == EXPECT_CONSOLE && take(p, "within", &word) &&
        (!want(p, &word, "a time, such as 2s", &time) || !to_time(p, &time, &x->within_ns)))
        return false;
    return take_vm(p, &x->vm);
}

static bool expect_status(struct test_parser *p, const struct word *what,
                          struct test_expectation *x)
{
    struct word word;
    return want(p, what, "an exit status", &word) && to_number(p, &word, 255, &x->number) &&
           (x->kind == EXPECT_STATUS || take_vm(p, &x->vm));
}

static bool to_reason(struct test_parser *p, const struct word *word, int *reason)
{
    struct nearest nearest = nearest_to(word->text);
    char text[NEAREST_TEXT];
    const char *name;
    if (strcmp(word->text, "all") == 0)
        return true;
    for (int i = 0; (name = vm_arches_exit_name((unsigned)i)); i++) {
        nearest_try(&nearest, name);
        if (strcmp(word->text, name) != 0)
            continue;
        *reason = i;
        return true;
    }
    char all[200] = "";
    for (unsigned i = 0; (name = vm_arches_exit_name(i)); i++)
        text_add(all, sizeof all, "%s%s", i ? ", " : "", name);
    return fail(p, word, "there are no guest exits '%.40s'%s: %s; `all` counts all of them",
                word->text, nearest_text(&nearest, text), all);
}

static bool to_relation(struct test_parser *p, const struct word *word,
                        enum test_relation *relation)
{
    static const char *const names[] = {"<", "<=", "=", ">=", ">"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(word->text, names[i]) == 0) {
            *relation = (enum test_relation)i;
            return true;
        }
    return fail(p, word, "'%.40s' is none of < <= = >= >", word->text);
}

static bool expect_exits(struct test_parser *p, const struct word *what, struct test_expectation *x)
{
    struct word reason, relation, number;
    return want(p, what, "a kind of guest exit, such as mmio, or `all`", &reason) &&
           to_reason(p, &reason, &x->reason) &&
           want(p, what, "< <= = >= or >, and a number", &relation) &&
           to_relation(p, &relation, &x->relation) && want(p, what, "a number", &number) &&
           to_number(p, &number, UINT64_MAX, &x->number) && take_vm(p, &x->vm);
}

static bool expect_digest(struct test_parser *p, const struct word *what,
                          struct test_expectation *x)
{
    struct word word;
    if (!want(p, what, "a digest, or its first digits", &word))
        return false;
    size_t size = strlen(word.text);
    x->text = word.text;
    return (size >= 8 && size <= 64 && strspn(word.text, "0123456789abcdef") == size) ||
           fail(p, &word, "'%.70s' is no digest: 8 to 64 digits 0-9 and a-f", word.text);
}

static bool expect_output(struct test_parser *p, const struct word *what,
                          struct test_expectation *x)
{
    return want_name(p, what, &x->text) && take_vm(p, &x->vm);
}

static bool expect_nothing_more(struct test_parser *p, const struct word *what,
                                struct test_expectation *x)
{
    (void)p, (void)what, (void)x;
    return true;
}

static const struct {
    const char *name;
    bool (*parse)(struct test_parser *p, const struct word *what, struct test_expectation *x);
} expectations[] = {
    [EXPECT_CONSOLE] = {"console", expect_console},
    [EXPECT_NOT] = {"not", expect_console},
    [EXPECT_EXIT] = {"exit", expect_status},
    [EXPECT_STATUS] = {"status", expect_status},
    [EXPECT_EXITS] = {"exits", expect_exits},
    [EXPECT_DIGEST] = {"digest", expect_digest},
    [EXPECT_NO_FAULT] = {"no-fault", expect_nothing_more},
    [EXPECT_OUTPUT] = {"output", expect_output},
    [EXPECT_REPEATABLE] = {"repeatable", expect_nothing_more},
};
#define EXPECTATIONS (sizeof expectations / sizeof expectations[0])

static bool parse_expect(struct test_parser *p, const struct word *statement)
{
    struct test *t = p->test;
    struct word what;
    if (!want(p, statement,
              "what: console, not, exit, status, exits, digest, no-fault, output or "
              "repeatable",
              &what))
        return false;
    struct nearest nearest = nearest_to(what.text);
    char text[NEAREST_TEXT];
    for (unsigned i = 0; i < EXPECTATIONS; i++) {
        nearest_try(&nearest, expectations[i].name);
        if (strcmp(what.text, expectations[i].name) != 0)
            continue;
        struct test_expectation x = {.kind = (enum test_expectation_kind)i,
                                     .place = statement->place,
                                     .within_ns = UINT64_MAX,
                                     .reason = -1};
        if (!expectations[i].parse(p, &what, &x))
            return false;
        t->expectations = array_grow(t->expectations, t->expectation_count, sizeof x);
        t->expectations[t->expectation_count++] = x;
        return true;
    }
    return fail(p, &what, "nothing can be expected of '%.40s'%s", what.text,
                nearest_text(&nearest, text));
}

/* Inputs ----------------------------------------------------------------------------------------
 */

/* \n and the like, as in C. */
static bool unescape(struct test_parser *p, const struct word *word, struct test_input *to)
{
    static const char letters[] = "nrteab\\\"", bytes[] = "\n\r\t\033\a\b\\\"";
    struct bytes out = {0};
    bool ok = true;
    for (const char *c = word->text; *c && ok; c++) {
        const char *found = *c == '\\' && c[1] ? strchr(letters, c[1]) : NULL;
        unsigned code;
        if (*c != '\\') {
            bytes_put(&out, c, 1);
        } else if (found) {
            bytes_put(&out, &bytes[found - letters], 1);
            c++;
        } else if (c[1] == 'x' && strspn(c + 2, "0123456789abcdefABCDEF") >= 2 &&
                   sscanf(c + 2, "%2x", &code) == 1) {
            bytes_put_int(&out, code, 1);
            c += 3;
        } else {
            ok = fail(p, word,
                      "a backslash here is for \\n \\r \\t \\e \\a \\b \\xHH \\\\ and \\\"");
        }
    }
    to->size = out.size;
    to->text = strings_keep(&p->file->strings, (const char *)out.data, out.size);
    bytes_free(&out);
    return ok;
}

static bool parse_send(struct test_parser *p, const struct word *statement)
{
    struct test *t = p->test;
    struct test_input input = {.place = statement->place};
    struct word text, after;
    if (!want(p, statement, "a text", &text) || !unescape(p, &text, &input) ||
        (take(p, "after", &after) && !want_pattern(p, &after, &input.after)) ||
        !take_vm(p, &input.vm) || !take_name(p, "to", "the name of a device", &input.to))
        return false;
    if (!input.size)
        return fail(p, &text, "there is nothing to send");
    t->inputs = array_grow(t->inputs, t->input_count, sizeof input);
    t->inputs[t->input_count++] = input;
    return true;
}

/* How often, and whether --------------------------------------------------------------------------
 */

static bool is_set_variable(const char *name)
{
    for (const struct variable *v = config_variables; v->name; v++)
        if (strcmp(v->name, name) == 0 && !v->is_per_vdev)
            return true;
    return false;
}

static bool has_text(const char *const *texts, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(texts[i], text) == 0)
            return true;
    return false;
}

/* "a,b,c" into strings of the file. */
static bool split(struct test_parser *p, const struct word *word, const char ***values,
                  size_t *count)
{
    struct piece rest = {word->text, strlen(word->text)};
    while (rest.text) {
        struct piece piece = piece_next(&rest, ',');
        if (!piece.size)
            return fail(p, word, "'%.64s' has an empty part between its commas", word->text);
        if (*count == VALUES_MAX)
            return fail(p, word, "more than %d values", VALUES_MAX);
        const char *value = strings_keep(&p->file->strings, piece.text, piece.size);
        if (has_text(*values, *count, value))
            return fail(p, word, "'%.64s' is there twice", value);
        *values = array_grow(*values, *count, sizeof **values);
        (*values)[(*count)++] = value;
    }
    return true;
}

/* How many ways there are to run it; more than WAYS_MAX: too many. */
static size_t ways(const struct test *t)
{
    size_t count = 1;
    for (size_t i = 0; i < t->matrix_count && count <= WAYS_MAX; i++)
        count *= t->matrices[i].count;
    return count;
}

static bool has_matrix(const struct test *t, const char *name)
{
    for (size_t i = 0; i < t->matrix_count; i++)
        if (strcmp(t->matrices[i].name, name) == 0)
            return true;
    return false;
}

static bool parse_matrix(struct test_parser *p, const struct word *statement)
{
    struct test *t = p->test;
    struct word name, values;
    struct test_matrix m = {.place = statement->place};
    if (!want(p, statement, "`vcpus` or a variable of `set`, and values", &name) ||
        !want(p, statement, "values, such as 1,2,4", &values))
        return false;
    if (strcmp(name.text, "vcpus") != 0 && !is_set_variable(name.text))
        return fail(p, &name, "'%.40s' is neither `vcpus` nor a variable of `set` (qvm set ?)",
                    name.text);
    if (has_matrix(t, name.text))
        return fail(p, &name, "a second matrix of '%.40s'", name.text);
    m.name = name.text;
    bool ok = split(p, &values, &m.values, &m.count);
    for (size_t i = 0; ok && i < m.count && strcmp(m.name, "vcpus") == 0; i++) {
        uint64_t vcpus;
        ok = (number_parse(m.values[i], strlen(m.values[i]), NUMBER_PLAIN, &vcpus) == NUMBER_OK &&
              vcpus >= 1 && vcpus <= CONFIG_VCPUS_MAX) ||
             fail(p, &values, "'%.40s' is no number of vCPUs from 1 to %d", m.values[i],
                  CONFIG_VCPUS_MAX);
    }
    t->matrices = array_grow(t->matrices, t->matrix_count, sizeof m);
    t->matrices[t->matrix_count++] = m; /* its values are freed with it, right or wrong */
    return ok && (ways(t) <= WAYS_MAX ||
                  fail(p, statement, "the test would run in more than %d ways", WAYS_MAX));
}

static bool parse_chaos(struct test_parser *p, const struct word *statement)
{
    struct word seeds, number;
    if (!want(p, statement, "`seeds N`", &seeds))
        return false;
    if (strcmp(seeds.text, "seeds") != 0)
        return fail(p, &seeds, "'chaos' wants `seeds N`");
    if (!want(p, &seeds, "how many", &number) ||
        !to_number(p, &number, 1000000, &p->test->chaos_seeds))
        return false;
    return p->test->chaos_seeds || fail(p, &number, "no seeds are no test");
}

static bool parse_skip(struct test_parser *p, const struct word *statement)
{
    static const struct {
        const char *name, *wants;
        enum test_condition condition;
    } conditions[] = {
        {"no-engine", NULL, SKIP_NO_ENGINE},
        {"host", "linux, macos, windows or big-endian", SKIP_HOST},
        {"missing", "a file name", SKIP_MISSING},
        {"env", "the name of a variable", SKIP_ENV},
        {"no-env", "the name of a variable", SKIP_NO_ENV},
    };
    struct test *t = p->test;
    struct word condition, text = {.text = ""};
    if (!take(p, "if", &condition))
        return fail(p, statement, "'skip' wants `if` and a condition");
    if (!want(p, statement, "no-engine, host, missing, env or no-env", &condition))
        return false;
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        if (strcmp(condition.text, conditions[i].name) != 0)
            continue;
        if (conditions[i].wants && !want(p, &condition, conditions[i].wants, &text))
            return false;
        t->skips = array_grow(t->skips, t->skip_count, sizeof *t->skips);
        t->skips[t->skip_count++] = (struct test_skip){conditions[i].condition, text.text};
        return true;
    }
    return fail(p, &condition, "'%.40s' is none of no-engine, host, missing, env and no-env",
                condition.text);
}

static bool parse_tags(struct test_parser *p, const struct word *statement)
{
    struct word word;
    return want(p, statement, "names, such as slow,linux", &word) &&
           split(p, &word, &p->test->tags, &p->test->tag_count);
}

/* The file ----------------------------------------------------------------------------------------
 */

/* A copy of its own of an array. */
static void *copy(const void *items, size_t count, size_t size)
{
    void *own = NULL;
    for (size_t i = 0; i < count; i++) {
        own = array_grow(own, i, size);
        memcpy((char *)own + i * size, (const char *)items + i * size, size);
    }
    return own;
}

static struct test copy_test(const struct test *t)
{
    struct test own = *t;
    own.vms = copy(t->vms, t->vm_count, sizeof *t->vms);
    for (size_t i = 0; i < t->vm_count; i++)
        own.vms[i].words = copy(t->vms[i].words, t->vms[i].word_count, sizeof *t->vms[i].words);
    own.expectations = copy(t->expectations, t->expectation_count, sizeof *t->expectations);
    own.inputs = copy(t->inputs, t->input_count, sizeof *t->inputs);
    own.matrices = copy(t->matrices, t->matrix_count, sizeof *t->matrices);
    for (size_t i = 0; i < t->matrix_count; i++)
        own.matrices[i].values =
            copy(t->matrices[i].values, t->matrices[i].count, sizeof *t->matrices[i].values);
    own.skips = copy(t->skips, t->skip_count, sizeof *t->skips);
    own.tags = copy(t->tags, t->tag_count, sizeof *t->tags);
    return own;
}

static void free_test(struct test *t)
{
    for (size_t i = 0; i < t->vm_count; i++)
        free(t->vms[i].words);
    for (size_t i = 0; i < t->matrix_count; i++)
        free((void *)t->matrices[i].values);
    free(t->vms);
    free(t->expectations);
    free(t->inputs);
    free(t->matrices);
    free(t->skips);
    free((void *)t->tags);
}

static bool is_name(const char *text)
{
    size_t size = strlen(text);
    return size > 0 && size <= 64 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               size;
}

static bool parse_test(struct test_parser *p, const struct word *statement)
{
    struct test_file *f = p->file;
    struct word name;
    if (!want(p, statement, "a name", &name))
        return false;
    f->tests = array_grow(f->tests, f->count, sizeof *f->tests);
    f->tests[f->count] = copy_test(&p->common);
    p->test = &f->tests[f->count++];
    p->test->place = statement->place;
    p->test->name = name.text;
    for (size_t i = 0; i + 1 < f->count; i++)
        if (strcmp(f->tests[i].name, name.text) == 0)
            return fail(p, &name, "a second test '%.64s'", name.text);
    return is_name(name.text) ||
           fail(p, &name, "a test's name has up to 64 letters, digits, '_', '-' and '.'");
}

static const struct {
    const char *name;
    bool (*parse)(struct test_parser *p, const struct word *statement);
} statements[] = {
    {"test", parse_test},     {"vm", parse_vm},         {"with", parse_with},
    {"board", parse_board},   {"from", parse_from},     {"trace", parse_trace},
    {"limit", parse_limit},   {"expect", parse_expect}, {"send", parse_send},
    {"matrix", parse_matrix}, {"chaos", parse_chaos},   {"skip", parse_skip},
    {"tags", parse_tags},
};

static bool parse_statement(struct test_parser *p, const struct word *word)
{
    struct nearest nearest = nearest_to(word->text);
    char text[NEAREST_TEXT];
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        nearest_try(&nearest, statements[i].name);
        if (strcmp(word->text, statements[i].name) == 0)
            return statements[i].parse(p, word);
    }
    return fail(p, word, "'%.64s' is no statement of a test%s", word->text,
                nearest_text(&nearest, text));
}

/* Behind a mistake: the rest of its line would give more of them. */
static void skip_line(struct test_parser *p, unsigned line)
{
    struct word word;
    for (;;) {
        struct words_position before = words_position(&p->words);
        if (!words_argument(&p->words, &word))
            return;
        if (word.place.line == line)
            continue;
        words_return(&p->words, before);
        return;
    }
}

/* What only the whole can tell. */
static void check_test(struct test_parser *p, const struct test *t)
{
    struct place place = t->place;
    if (!t->vm_count && !t->from && !t->trace)
        errors_add(&p->errors, place, "the test has nothing to run: `vm`, `from` or `trace`");
    if (t->trace && (t->expectation_count || t->input_count || t->matrix_count || t->chaos_seeds))
        errors_add(&p->errors, t->runs,
                   "a trace is replayed, and has to agree: nothing else can be expected of it");
    if (t->from && (t->matrix_count || t->board))
        errors_add(&p->errors, t->runs,
                   "a snapshot is what it is: `matrix` and `board` are for VMs that start");
}

static void parse_all(struct test_parser *p)
{
    struct word word;
    p->test = &p->common;
    while (words_option(&p->words, &word)) {
        size_t before = p->errors.lines.count;
        if (!word.bad)
            parse_statement(p, &word);
        if (p->errors.lines.count > before)
            skip_line(p, p->words.place.line);
    }
    struct test_file *f = p->file;
    if (!f->count && !p->errors.lines.count) {
        f->tests = array_grow(f->tests, f->count, sizeof *f->tests);
        f->tests[f->count++] = copy_test(&p->common);
    }
    for (size_t i = 0; i < f->count; i++) {
        struct test *t = &f->tests[i];
        if (!t->limit_ns)
            t->limit_ns = t->limit_instructions ? UINT64_MAX : TEST_LIMIT_NS;
        check_test(p, t);
    }
}

static uint8_t *read_text(void *context, const char *path, size_t *size, struct error *e)
{
    const struct test_file *f = ((struct test_parser *)context)->file;
    uint8_t *text = malloc(f->size + 1);
    (void)path, (void)e;
    CHECK_ROOM(text);
    memcpy(text, f->text, f->size);
    *size = f->size;
    return text;
}

/* The substitutions of words are those of configurations. */
static const char *read_env(void *context, const char *name)
{
    const struct config_reader *others = ((struct test_parser *)context)->others;
    return others->env ? others->env(others->context, name) : NULL;
}

static const char *same_name(void *context, const char *path)
{
    (void)context;
    return path;
}

bool test_file_parse(struct test_file *f, const char *path, const void *text, size_t size,
                     const struct config_reader *reader, struct error *e)
{
    *f = (struct test_file){.size = size};
    f->path = strings_keep(&f->strings, path, strlen(path));
    f->text = malloc(size + 1);
    CHECK_ROOM(f->text);
    if (size)
        memcpy(f->text, text, size);
    struct test_parser p = {.file = f, .others = reader};
    const struct config_reader own = {
        .read_file = read_text, .env = read_env, .place = same_name, .context = &p};
    const char *argument = strings_format(&f->strings, "@%s", path);
    p.words = (struct words){.arguments = &argument,
                             .count = 1,
                             .reader = &own,
                             .strings = &f->strings,
                             .errors = &p.errors};
    p.common = (struct test){.place = {f->path, 1}};
    parse_all(&p);
    bool ok = !p.errors.lines.count;
    if (!ok)
        errors_report(&p.errors, e);
    free_test(&p.common);
    strings_free(&p.errors.lines);
    words_free(&p.words);
    if (!ok)
        test_file_free(f);
    return ok;
}

void test_file_free(struct test_file *f)
{
    for (size_t i = 0; i < f->count; i++)
        free_test(&f->tests[i]);
    for (size_t i = 0; i < f->pattern_count; i++) {
        pattern_free(f->patterns[i]);
        free(f->patterns[i]);
    }
    free(f->tests);
    free(f->patterns);
    free(f->text);
    strings_free(&f->strings);
    *f = (struct test_file){0};
}

/* Words of a test as a file -----------------------------------------------------------------------
 */

#define WORDS_MARK '\1' /* begins their names, in which no file's name begins */

const char *test_words_name(struct test_file *f, struct test_words words)
{
    if (words.file)
        return words.file;
    return strings_format(&f->strings, "@%c%zu-%zu/%s", WORDS_MARK, words.from, words.to, f->path);
}

/* Everything but the words is blank, so that they stay where they are. */
static uint8_t *blank_others(const struct test_file *f, size_t from, size_t to, size_t *size)
{
    uint8_t *text = malloc(f->size + 1);
    CHECK_ROOM(text);
    for (size_t i = 0; i < f->size; i++)
        text[i] = (i >= from && i < to) || f->text[i] == '\n' ? f->text[i] : ' ';
    *size = f->size;
    return text;
}

const char *test_text_name(struct test_file *f, unsigned line, const char *text)
{
    return strings_format(&f->strings, "@%c%u:%s", WORDS_MARK, line, text);
}

/* Behind so many line feeds that it is in that line. */
static uint8_t *move_down(const char *text, unsigned line, size_t *size)
{
    size_t length = strlen(text);
    uint8_t *moved = malloc(line + length);
    CHECK_ROOM(moved && line > 0);
    memset(moved, '\n', line - 1);
    memcpy(moved + line - 1, text, length);
    *size = line - 1 + length;
    return moved;
}

static uint8_t *read_words(void *context, const char *path, size_t *size, struct error *e)
{
    const struct test_words_reader *r = context;
    size_t from, to;
    unsigned line;
    if (path[0] == WORDS_MARK && sscanf(path + 1, "%zu-%zu/", &from, &to) == 2)
        return blank_others(r->file, from, to, size);
    if (path[0] == WORDS_MARK && sscanf(path + 1, "%u:", &line) == 1)
        return move_down(strchr(path, ':') + 1, line, size);
    return r->others.read_file(r->others.context, path, size, e);
}

static const char *words_env(void *context, const char *name)
{
    const struct test_words_reader *r = context;
    return r->others.env ? r->others.env(r->others.context, name) : NULL;
}

static const char *words_place(void *context, const char *path)
{
    const struct test_words_reader *r = context;
    return path[0] == WORDS_MARK ? r->file->path : NULL;
}

struct config_reader test_words_reader(struct test_words_reader *r)
{
    return (struct config_reader){.read_file = read_words,
                                  .env = words_env,
                                  .place = words_place,
                                  .board = r->others.board,
                                  .context = r};
}
