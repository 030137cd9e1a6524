/* Processes that run tests: as many at a time as asked for. */
#ifndef QVM_TEST_TEST_WORKERS_H
#define QVM_TEST_TEST_WORKERS_H

#include "qvm/test/test_plan.h"

struct test_workers_options {
    size_t at_once;
    bool rebaseline;
};

/* Runs all of the plan; `done` is told of each as it ends. A process that is killed, or does not
 * end, is a test that failed. */
void test_workers_run(struct test_plan *p, const struct test_workers_options *options,
                      void (*done)(void *context, const struct test_case *c, size_t running),
                      void *context);
/* What such a process does: the words behind TEST_WORKER_OPTION. */
#define TEST_WORKER_OPTION "--one"
int test_workers_one(char *const *words, int count);

#endif
