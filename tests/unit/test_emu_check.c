/* Checks that fail: whoever lives on is told, and nothing else is said or ended. */
#include "emu/check.h"

#include <check.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

struct told {
    jmp_buf back;
    int status;
    char sentence[512];
};

static void on_stopped(void *context, int exit_status, const char *sentence)
{
    struct told *t = context;
    t->status = exit_status;
    snprintf(t->sentence, sizeof t->sentence, "%s", sentence);
    longjmp(t->back, 1);
}

START_TEST(a_caller_lives_on)
{
    static struct told told;
    const struct check_caller caller = {on_stopped, &told};
    const struct check_context where = {.instructions = 42};
    ck_assert_ptr_null(check_set_caller(&caller));
    check_set_context(&where);
    if (!setjmp(told.back))
        CHECK(1 > 2);
    ck_assert_int_eq(told.status, CHECK_FAILED_STATUS);
    ck_assert_ptr_eq(strstr(told.sentence, "internal error: 1 > 2 is false at "), told.sentence);
    ck_assert_ptr_nonnull(strstr(told.sentence, "(instruction 42)"));
    ck_assert_ptr_null(check_set_caller(&caller)); /* it was told once */
    if (!setjmp(told.back))
        CHECK_ROOM(NULL);
    ck_assert_int_eq(told.status, CHECK_SHORTAGE_STATUS);
    ck_assert_str_eq(told.sentence, "the host has no memory left");
}
END_TEST

START_TEST(nobody_lives_on)
{
    CHECK_ROOM(NULL);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("check");
    tcase_add_test(t, a_caller_lives_on);
    tcase_add_exit_test(t, nobody_lives_on, CHECK_SHORTAGE_STATUS);
    return suite_main("check", t);
}
