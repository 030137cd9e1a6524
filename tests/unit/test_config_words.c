/* The lexer: each case is a command line plus two files, and what comes out as words. A word that
 * is read as an option is written `word@place`, its arguments (the number after '/') follow. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/config/config_strings.h"
#include "emu/text.h"
#include "hv/config/config_words.h"
#include "suite.h"

struct sources {
    const char *a, *b; /* contents of dir/a.conf and b.conf */
};

static uint8_t *read_file(void *context, const char *path, size_t *size, struct error *e)
{
    const struct sources *sources = context;
    const char *text = !strcmp(path, "dir/a.conf") ? sources->a
                       : !strcmp(path, "b.conf")   ? sources->b
                                                   : NULL;
    if (!text) {
        error_set(e, "cannot open '%s': No such file or directory", path);
        return NULL;
    }
    *size = strlen(text);
    uint8_t *copy = malloc(*size + 1);
    if (copy)
        memcpy(copy, text, *size + 1);
    return copy;
}

static const char *env(void *context, const char *name)
{
    (void)context;
    return !strcmp(name, "TTY") ? "/dev/my tty" : !strcmp(name, "EMPTY") ? "" : NULL;
}

/* Reads everything. Words that end in /N are options with N arguments. */
static void lex(struct words *w, struct bytes *out)
{
    struct word word;
    while (words_option(w, &word)) {
        const char *slash = strrchr(word.text, '/');
        int arguments = slash ? atoi(slash + 1) : 0;
        text_put(out, "%s%s@%s:%u", out->size ? " " : "", word.text, word.place.file,
                 word.place.line);
        if (word.bad)
            text_put(out, "!");
        for (; arguments; arguments--) {
            if (!words_argument(w, &word)) {
                text_put(out, " -");
                continue;
            }
            text_put(out, " <%s>%s", word.text, word.bad ? "!" : "");
        }
    }
}

static const struct {
    const char *arguments[6];
    struct sources sources;
    const char *words, *errors;
} cases[] = {
    {{"@dir/a.conf"}, {"", ""}, "", ""},
    {{"@dir/a.conf"}, {" a\tb\r\n\n c", ""}, "a@a.conf:1 b@a.conf:1 c@a.conf:3", ""},
    {{"@dir/a.conf"}, {"# all\na#b c\nd # e\n#", ""}, "a@a.conf:2 d@a.conf:3", ""},
    {{"@dir/a.conf"},
     {"\xef\xbb\xbf"
      "a",
      ""},
     "a@a.conf:1",
     ""},
    /* arguments may stand on the next line, but not in the next file */
    {{"@dir/a.conf"}, {"a/1 # why\n\n  x", ""}, "a/1@a.conf:1 <x>", ""},
    {{"@dir/a.conf", "@b.conf"}, {"a/1", "b"}, "a/1@a.conf:1 - b@b.conf:1", ""},
    {{"@dir/a.conf", "b"}, {"a/1", ""}, "a/1@a.conf:1 - b@cmdline:2", ""},
    {{"a/1", "@b.conf"}, {"", "b"}, "a/1@cmdline:1 - b@b.conf:1", ""},
    {{"a/1", "@b.conf", "x"}, {"", ""}, "a/1@cmdline:1 - x@cmdline:3", ""},
    {{"a/2", "b", "c", "d"}, {"", ""}, "a/2@cmdline:1 <b> <c> d@cmdline:4", ""},
    /* quotes */
    {{"@dir/a.conf"}, {"a/1 \"x  y\" b", ""}, "a/1@a.conf:1 <x  y> b@a.conf:1", ""},
    {{"@dir/a.conf"}, {"a/1 \"x\ny\" b", ""}, "a/1@a.conf:1 <x\ny> b@a.conf:2", ""},
    {{"@dir/a.conf"}, {"a/1 \"x\\\ny\" b", ""}, "a/1@a.conf:1 <xy> b@a.conf:2", ""},
    {{"@dir/a.conf"}, {"a/1 \"x\\\r\ny\\z\"", ""}, "a/1@a.conf:1 <xy\\z>", ""},
    {{"@dir/a.conf"}, {"a/1 \"x # y\"", ""}, "a/1@a.conf:1 <x # y>", ""},
    {{"@dir/a.conf"}, {"a/1 >\"|logger -t x\"", ""}, "a/1@a.conf:1 <>|logger -t x>", ""},
    {{"@dir/a.conf"}, {"a/1 \"\"", ""}, "a/1@a.conf:1 <>", ""},
    {{"@dir/a.conf"}, {"a \\\n b", ""}, "a@a.conf:1 b@a.conf:2", ""},
    {{"@dir/a.conf", "b"},
     {"\na \"x", ""},
     "a@a.conf:2 x@a.conf:2! b@cmdline:2",
     "[a.conf:2] missing closing double quote"},
    /* the shell has removed the quotes of command-line words */
    {{"a/1", "x \"y\" # z"}, {"", ""}, "a/1@cmdline:1 <x \"y\" # z>", ""},
    {{"a/1 x", "b/1 \"y z\""}, {"", ""}, "a/1@cmdline:1 <x> b/1@cmdline:2 <y z>", ""},
    {{"a/2 x", "y z"}, {"", ""}, "a/2@cmdline:1 <x> <y z>", ""},
    {{""}, {"", ""}, "", ""},
    {{"a/1", ""}, {"", ""}, "a/1@cmdline:1 <>", ""},
    /* substitution */
    {{"@dir/a.conf"}, {"a/1 >$env{TTY}.", ""}, "a/1@a.conf:1 <>/dev/my tty.>", ""},
    {{"@dir/a.conf"}, {"a/1 $env{EMPTY}", ""}, "a/1@a.conf:1 <>", ""},
    {{"a/1", "\"$env{TTY}\""}, {"", ""}, "a/1@cmdline:1 <\"/dev/my tty\">", ""},
    {{"@dir/a.conf"}, {"$ $env $x{y}", ""}, "$@a.conf:1 $env@a.conf:1 $x{y}@a.conf:1", ""},
    {{"@dir/a.conf"},
     {"a/1 $char{22}$char{0A}$char{24}env{X}", ""},
     "a/1@a.conf:1 <\"\n$env{X}>",
     ""},
    {{"@dir/a.conf"},
     {"a\n$env{NONE} b", ""},
     "a@a.conf:1 @a.conf:2! b@a.conf:2",
     "[a.conf:2] environment variable 'NONE' is not set"},
    {{"a", "x=$env{NONE}"},
     {"", ""},
     "a@cmdline:1 x=@cmdline:2!",
     "[cmdline:2] environment variable 'NONE' is not set"},
    {{"@dir/a.conf"},
     {"$env{TTY\nb", ""},
     "@a.conf:1! b@a.conf:2",
     "[a.conf:1] missing '}' after '$env{TTY'"},
    {{"@dir/a.conf"},
     {"$asinfo_start{mem} $asinfo_length{mem}", ""},
     "@a.conf:1! @a.conf:1!",
     "[a.conf:1] no asinfo entry 'mem': there is no board file\n"
     "[a.conf:1] no asinfo entry 'mem': there is no board file"},
    {{"@dir/a.conf"},
     {"$char{00} $char{g0} $char{1}", ""},
     "@a.conf:1! @a.conf:1! @a.conf:1!",
     "[a.conf:1] '$char{00}' needs two hexadecimal digits, not 00\n"
     "[a.conf:1] '$char{g0}' needs two hexadecimal digits, not 00\n"
     "[a.conf:1] '$char{1}' needs two hexadecimal digits, not 00"},
    /* files */
    {{"a", "@none.conf", "b"},
     {"", ""},
     "a@cmdline:1 b@cmdline:3",
     "[cmdline:2] cannot open 'none.conf': No such file or directory"},
    {{"@dir/a.conf", "x", "@b.conf", "y"},
     {"a", "b"},
     "a@a.conf:1 x@cmdline:2 b@b.conf:1 y@cmdline:4",
     ""},
    {{"@dir/a.conf"}, {"@b.conf", "b"}, "@b.conf@a.conf:1", ""},
};

START_TEST(words_come_out)
{
    struct sources sources = cases[_i].sources;
    const struct config_reader reader = {.read_file = read_file, .env = env, .context = &sources};
    struct config_strings strings = {0};
    struct config_errors errors = {0};
    struct bytes out = {0};
    struct error e = {0};
    size_t count = 0;
    while (count < 6 && cases[_i].arguments[count])
        count++;
    struct words w = {.arguments = cases[_i].arguments,
                      .count = count,
                      .reader = &reader,
                      .strings = &strings,
                      .errors = &errors};
    lex(&w, &out);
    bytes_put(&out, "", 1);
    errors_report(&errors, &e);
    ck_assert_str_eq((const char *)out.data, cases[_i].words);
    ck_assert_str_eq(e.text, cases[_i].errors);
    words_free(&w);
    bytes_free(&out);
    strings_free(&strings);
    strings_free(&errors.lines);
}
END_TEST

START_TEST(nul_characters_are_refused)
{
    static const char text[] = "a\0b\0 c";
    struct config_strings strings = {0};
    struct config_errors errors = {0};
    struct words w = {.strings = &strings, .errors = &errors};
    struct word word;
    w.text = (const uint8_t *)text;
    w.size = sizeof text - 1;
    w.place = (struct place){"x", 7};
    ck_assert(words_option(&w, &word));
    ck_assert(word.bad);
    ck_assert(words_option(&w, &word));
    ck_assert_str_eq(word.text, "c");
    ck_assert(!words_option(&w, &word));
    ck_assert_uint_eq(errors.lines.count, 1);
    ck_assert_str_eq(errors.lines.items[0], "[x:7] a NUL character is not text");
    words_free(&w);
    strings_free(&strings);
    strings_free(&errors.lines);
}
END_TEST

START_TEST(many_errors_are_cut_with_a_count)
{
    struct config_errors errors = {0};
    struct error e = {0};
    for (int i = 0; i < 100; i++)
        errors_add(&errors, (struct place){"file", 5}, "mistake number %02d", i);
    errors_report(&errors, &e);
    ck_assert_int_eq(e.exit_status, 65);

    ck_assert_ptr_nonnull(strstr(e.text, "[file:5] mistake number 00\n[file:5] mistake"));
    const char *last = strrchr(e.text, '\n');
    ck_assert_ptr_nonnull(last);
    size_t shown = (size_t)(last - e.text + 1) / strlen("[file:5] mistake number 00\n");
    char expected[40];
    snprintf(expected, sizeof expected, "\n... and %zu more", 100 - shown);
    ck_assert_str_eq(last, expected);
    ck_assert_uint_gt(shown, 30);
    strings_free(&errors.lines);
}
END_TEST

START_TEST(the_nearest_word_is_suggested)
{
    static const char *const words[] = {"load", "loc", "ram", "rom", "cmdline", "cpu"};
    static const char *const tries[][2] = {
        {"lod", "load"},
        {"cmdlien", "cmdline"},
        {"comandline", "cmdline"},
        {"rma", "ram"},
        {"x", NULL},
        {"zzzz", NULL},
        {"", NULL},
        {"cp", "cpu"},
        {"guestos", NULL},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct nearest nearest = nearest_to(tries[i][0]);
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            nearest_try(&nearest, words[k]);
        ck_assert_pstr_eq(nearest.best, tries[i][1]);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("words");
    tcase_add_loop_test(tests, words_come_out, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tests, nul_characters_are_refused);
    tcase_add_test(tests, many_errors_are_cut_with_a_count);
    tcase_add_test(tests, the_nearest_word_is_suggested);
    return suite_main("config_words", tests);
}
