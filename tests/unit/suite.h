/* What a unit suite's main does: runs its cases, one after the other. */
#ifndef TEST_SUITE_H
#define TEST_SUITE_H

#include <check.h>
#include <stdlib.h>

/* The program's exit status. */
static inline int suite_run(Suite *s)
{
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Suites of one case need nothing else. */
static inline int suite_main(const char *name, TCase *cases)
{
    Suite *s = suite_create(name);
    suite_add_tcase(s, cases);
    return suite_run(s);
}

#endif
