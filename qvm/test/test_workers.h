/* Processes that run tests: as many at a time as asked for. */
#ifndef QVM_TEST_TEST_WORKERS_H
#define QVM_TEST_TEST_WORKERS_H

#include "qvm/test/test_plan.h"

struct test_workers_options {
    size_t at_once;
    bool rebaseline;
};

/* Runs all of the plan, and tells of each as it ends. A process that is killed, or does not
 * end, is a test that failed. */
struct test_workers_listener {
    void (*done)(void *context, const struct test_case *c);
    /* One runs for so long, and goes on; told again after twice as long. */
    void (*waits)(void *context, const struct test_case *c, uint64_t ns);
    void *context;
};
/* False: a signal ended it, and the tests that had not ended by then. */
bool test_workers_run(struct test_plan *p, const struct test_workers_options *options,
                      const struct test_workers_listener *listener);
/* What such a process does: the words behind TEST_WORKER_OPTION. */
#define TEST_WORKER_OPTION "--one"
int test_workers_one(char *const *words, int count);

#endif
