/* What a run of tests says of them: to people while it goes on, and to programs when it is over. */
#ifndef QVM_TEST_TEST_REPORT_H
#define QVM_TEST_TEST_REPORT_H

#include "emu/error.h"
#include "qvm/test/test_result.h"

/* One that has run, or was to. */
struct test_case {
    const char *path; /* of its file */
    char name[256];   /* in that file; empty: it is the only one */
    struct test_result result;
    char *others; /* owned: what its process printed that was no result; NULL: nothing */
    uint64_t host_ns;
};

struct test_totals {
    size_t of[TEST_OUTCOMES];
    uint64_t host_ns;
};

/* "tests/a.qvmtest:boots", without what does something to terminals. */
#define TEST_TITLE 1300
void test_case_title(const struct test_case *c, char text[TEST_TITLE]);

/* Lines for people; `marks`: with what GitHub makes annotations of. */
void test_report_line(const struct test_case *c, bool marks, struct bytes *out);
void test_report_end(const struct test_totals *totals, struct bytes *out);

/* Whole files: TAP version 14; JUnit's XML as common parsers take it; a line of JSON a test, and
 * one for all. */
void test_report_tap(const struct test_case *cases, size_t count, struct bytes *out);
void test_report_junit(const struct test_case *cases, size_t count,
                       const struct test_totals *totals, struct bytes *out);
void test_report_json(const struct test_case *cases, size_t count, const struct test_totals *totals,
                      struct bytes *out);

#endif
