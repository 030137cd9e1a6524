/* Regular expressions on a stream of bytes: what matches, and with which byte. */
#include <string.h>

#include "qvm/test/pattern.h"
#include "test_board_fixture.h"

/* How many bytes of the text had come when the first match was known; -1: none was; one more than
 * there are: only with the end. */
static int known_at(const char *pattern, const char *text, bool any_case)
{
    struct pattern p;
    struct pattern_search s;
    struct error e = {0};
    int at = -1;
    ck_assert_msg(pattern_compile(&p, pattern, any_case, &e), "%s", e.text);
    pattern_search_begin(&s, &p);
    for (int i = 0; text[i] && at < 0; i++)
        if (pattern_search_byte(&s, (uint8_t)text[i]))
            at = i + 1;
    if (at < 0 && pattern_search_end(&s))
        at = (int)strlen(text) + 1;
    pattern_search_free(&s);
    pattern_free(&p);
    return at;
}

static const struct {
    const char *pattern, *text;
    int known_at;
} matches[] = {
    {"login: ", "a login: ", 9},
    {"login:", "logilogin:", 10},
    {"aab", "aaab", 4},
    {"a", "", -1},
    {"a.c", "abc", 3},
    {"a.c", "a\nc", -1},
    {"[a-c]x", "dxbx", 4},
    {"[^a-c]x", "axbx", -1},
    {"[^a-c]x", "dx", 2},
    {"[]x]y", "]y", 2},
    {"[a\\]]b", "]b", 2},
    {"[\\d.]+s", "1.5s", 4},
    {"[a-]b", "-b", 2},
    {"ab*c", "ac", 2},
    {"ab*c", "abbbc", 5},
    {"ab+c", "ac", -1},
    {"ab+c", "abbc", 4},
    {"ab?c", "abc", 3},
    {"ab?c", "abbc", -1},
    {"a{3}b", "aab", -1},
    {"a{3}b", "aaab", 4},
    {"xa{2,3}b", "xab", -1},
    {"xa{2,3}b", "xaab", 4},
    {"xa{2,3}b", "xaaab", 5},
    {"xa{2,3}b", "xaaaab", -1},
    {"xa{2,}b", "xaaaaab", 7},
    {"xa{0,2}b", "xb", 2},
    {"xa{0,2}b", "xaab", 4},
    {"xa{0,2}b", "xaaab", -1},
    {"xa{0}b", "xb", 2},
    {"(ab){2}c", "ababc", 5},
    {"(ab|cd)+e", "abcde", 5},
    {"(a|b|cc)d", "ccd", 3},
    {"(a(b|c){2}){2}", "abcacb", 6},
    {"((a|b)?c)*d", "acbccd", 6},
    {"cat|dog", "a dog", 5},
    {"x(a||b)y", "xy", 2},
    {"^b", "ab", -1},
    {"^b", "a\nb", 3},
    {"^b", "b", 1},
    {"a$", "ab", -1},
    {"a$", "a\r\n", 2},
    {"a$", "a", 2},
    {"^$", "a\n\nb", 3},
    {"\\d+\\.\\d+", "v6.1", 4},
    {"\\w\\W", "a_-", 3},
    {"\\S\\s", "a b", 2},
    {"a\\.b", "axb", -1},
    {"\\x41\\t", "A\t", 2},
    {"\\$ \\(", "$ (", 3},
    {"\\/", "/", 1},
    {"\\e\\[0m", "\033[0m", 4},
};

START_TEST(a_match_is_known_with_its_last_byte)
{
    ck_assert_int_eq(known_at(matches[_i].pattern, matches[_i].text, false), matches[_i].known_at);
}
END_TEST

START_TEST(letters_in_either_case)
{
    ck_assert_int_eq(known_at("Kernel [a-c]x", "kERNEL Bx", true), 9);
    ck_assert_int_eq(known_at("kernel", "KERNEL", false), -1);
}
END_TEST

/* Looking goes on behind a match. */
START_TEST(each_match_counts_once)
{
    struct pattern p;
    struct pattern_search s;
    struct error e = {0};
    int found = 0;
    ck_assert(pattern_compile(&p, "aa", false, &e));
    pattern_search_begin(&s, &p);
    for (int i = 0; i < 7; i++)
        found += pattern_search_byte(&s, 'a');
    ck_assert_int_eq(found, 3);
    pattern_search_free(&s);
    pattern_free(&p);
}
END_TEST

static const struct {
    const char *pattern, *why;
} refused[] = {
    {"", "is empty"},
    {"a(b", "has a ( without its )"},
    {"a)b", "has a ) without its ("},
    {"a[b", "has a [ without its ]"},
    {"*a", "repeats something where there is nothing"},
    {"a**", "repeats a repetition"},
    {"a{2", "has a { that is not {N}, {N,} or {N,M}"},
    {"a{3,2}", "has a { that is not {N}, {N,} or {N,M}"},
    {"a\\", "ends with a backslash"},
    {"\\q", "has a backslash before a letter or digit that means nothing so"},
    {"\\x4", "has a \\x without two hexadecimal digits"},
    {"[b-a]", "has a range whose end is before its start"},
    {"((a{100}){100}){100}", "is too long, or repeats too much"},
    {"a{99999999999}", "is too long, or repeats too much"},
};

START_TEST(what_is_none_is_refused)
{
    struct pattern p;
    struct error e = {0};
    ck_assert(!pattern_compile(&p, refused[_i].pattern, false, &e));
    ck_assert_msg(strstr(e.text, refused[_i].why), "%s", e.text);
}
END_TEST

START_TEST(groups_in_groups_have_an_end)
{
    struct pattern p;
    struct error e = {0};
    char text[301];
    memset(text, '(', 300);
    text[300] = '\0';
    ck_assert(!pattern_compile(&p, text, false, &e));
    ck_assert_msg(strstr(e.text, "too many groups"), "%s", e.text);
}
END_TEST

/* What takes other engines for ever: each byte costs the length of the expression. */
START_TEST(no_expression_is_slow)
{
    char text[20001];
    memset(text, 'a', 20000);
    text[20000] = '\0';
    ck_assert_int_eq(known_at("(a*)*(a|a)*(aa?){0,50}b", text, false), -1);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("pattern");
    tcase_add_loop_test(t, a_match_is_known_with_its_last_byte, 0,
                        sizeof matches / sizeof matches[0]);
    tcase_add_test(t, letters_in_either_case);
    tcase_add_test(t, each_match_counts_once);
    tcase_add_loop_test(t, what_is_none_is_refused, 0, sizeof refused / sizeof refused[0]);
    tcase_add_test(t, groups_in_groups_have_an_end);
    tcase_add_test(t, no_expression_is_slow);
    return suite_main("pattern", t);
}
