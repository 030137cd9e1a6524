/* Which tests there are: files are found and read, and every way to run them is listed. */
#ifndef QVM_TEST_TEST_PLAN_H
#define QVM_TEST_TEST_PLAN_H

#include "qvm/test/test_file.h"
#include "qvm/test/test_report.h"

#define TEST_FAILURES "qvm-failures" /* the folder where traces of failures go */

struct planned_test {
    size_t file, test, instance;
};

struct test_plan {
    struct test_file *files; /* owned, as is all here */
    size_t file_count;
    struct planned_test *tests;
    struct test_case *cases; /* the same, as they will be reported */
    size_t count;
};

/* A test file, one of its tests ("FILE.qvmtest:NAME"), a trace or an image; or a folder, in which
 * all that is a test file or a trace is taken. Not 0: mistakes, printed; returns their exit status.
 */
int test_plan_add(struct test_plan *p, const char *path, const char *tags);
void test_plan_free(struct test_plan *p);
/* Reads one file, whatever kind it has. */
bool test_plan_read(struct test_file *f, const char *path, struct error *e);

#endif
