/* What became of a test, as one process tells another. */
#ifndef QVM_TEST_TEST_RESULT_H
#define QVM_TEST_TEST_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/bytes.h"
#include "emu/hash.h"

enum test_outcome { TEST_PASSED, TEST_FAILED, TEST_SKIPPED, TEST_OUTCOMES };

struct test_result {
    enum test_outcome outcome;
    char why[1200];   /* failed or skipped: one sentence */
    unsigned line;    /* of the test file that it is about; 0: of none */
    char trace[1024]; /* what replays the failure; empty: there is none */
    bool has_seed;    /* it failed under this seed of chaos */
    uint64_t seed;
    bool has_run; /* then the next are there */
    int status;
    uint64_t instructions, ns;
    char digest[DIGEST_TEXT];
    char shown[2048]; /* failed: the last that was printed */
};

/* A line of text that begins with TEST_RESULT_MARK, behind whatever else was printed. */
#define TEST_RESULT_MARK "\nqvm-test-result "
void test_result_put(const struct test_result *r, struct bytes *out);
/* Finds it in what a process printed; *others is how much is before it. False: there is none. */
bool test_result_get(struct test_result *r, const struct bytes *printed, size_t *others);

#endif
