/* Conditions over named values (emu/where.c). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/where.h"
#include "suite.h"

static const struct where_name names[] = {
    {"handler", true, NULL}, {"write", false, NULL}, {"gpa", false, NULL}, {NULL, false, NULL}};

static const struct where_value values[] = {
    {.word = "unsupported reference"}, {.number = 1}, {.number = 0x9000018}};

static bool holds(const char *text)
{
    struct where w;
    struct error e = {0};
    ck_assert_msg(where_parse(&w, text, names, &e), "%s: %s", text, e.text);
    return where_holds(&w, names, values);
}

static const char *refusal(const char *text)
{
    static struct error e;
    struct where w;
    e = (struct error){0};
    ck_assert_msg(!where_parse(&w, text, names, &e), "%s is taken", text);
    return e.text;
}

START_TEST(relations)
{
    ck_assert(holds("write == 1"));
    ck_assert(!holds("write != 1"));
    ck_assert(holds("gpa >= 0x9000018"));
    ck_assert(holds("gpa <= 150994968"));
    ck_assert(!holds("gpa > 0x9000018"));
    ck_assert(!holds("gpa < 0x9000018"));
    ck_assert(holds("gpa<0x9000019"));
    ck_assert(holds("handler == 'unsupported reference'"));
    ck_assert(holds("handler != \"pl011\""));
    ck_assert(!holds("handler == reference"));
}
END_TEST

START_TEST(and_binds_closer_than_or)
{
    ck_assert(holds("write == 1 or write == 2 and gpa == 0"));
    ck_assert(holds("gpa == 0 and write == 2 or write == 1"));
    ck_assert(!holds("write == 1 and gpa == 0 or write == 2"));
    ck_assert(holds("write == 2 or gpa == 0 or write == 1 and gpa != 0"));
    ck_assert(!holds("write == 2 or gpa == 0 or write == 1 and gpa == 0"));
}
END_TEST

START_TEST(without_conditions_everything_holds)
{
    struct where w = {.count = 0};
    ck_assert(where_holds(&w, names, values));
}
END_TEST

START_TEST(what_is_wrong_is_quoted)
{
    ck_assert_str_eq(refusal("reader == 1"), "--where: 'reader' is none of handler, write, gpa");
    ck_assert_str_eq(refusal(""), "--where: it ends where a name belongs (handler, write, gpa)");
    ck_assert_str_eq(refusal("write = 1"),
                     "--where: behind 'write' belongs ==, !=, <, <=, > or >=, not '='");
    ck_assert_str_eq(refusal("handler < pl011"),
                     "--where: 'handler' is a word, for which there are == and !=, not '<'");
    ck_assert_str_eq(refusal("write == yes"), "--where: 'write' is a number, and 'yes' is none");
    ck_assert_str_eq(refusal("write == 99999999999999999999"),
                     "--where: 'write' is a number, and '99999999999999999999' is none");
    ck_assert_str_eq(refusal("write == "), "--where: it ends where a value of 'write' belongs");
    ck_assert_str_eq(refusal("write == 1 but gpa == 0"),
                     "--where: between conditions belongs `and` or `or`, not 'but'");
    ck_assert_str_eq(refusal("handler == 'open"), "--where: the quote of 'open does not end");
    ck_assert_str_eq(refusal("write == 1 and"),
                     "--where: it ends where a name belongs (handler, write, gpa)");
}
END_TEST

START_TEST(limits)
{
    char text[33 * 16] = "";
    for (unsigned i = 0; i < 33; i++)
        snprintf(text + i * 14, sizeof text - i * 14, "write == 1%s", i < 32 ? " or " : "");
    ck_assert_str_eq(refusal(text), "--where: more than 32 conditions");
    char word[100] = "handler == ";
    for (unsigned i = 11; i < 80; i++)
        word[i] = 'x';
    ck_assert_ptr_nonnull(strstr(refusal(word), "is too long"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("where");
    tcase_add_test(tests, relations);
    tcase_add_test(tests, and_binds_closer_than_or);
    tcase_add_test(tests, without_conditions_everything_holds);
    tcase_add_test(tests, what_is_wrong_is_quoted);
    tcase_add_test(tests, limits);
    return suite_main("where", tests);
}
