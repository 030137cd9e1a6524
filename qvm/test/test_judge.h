/* What a test's run came to, once it is over. */
#ifndef QVM_TEST_TEST_JUDGE_H
#define QVM_TEST_TEST_JUDGE_H

#include "qvm/test/test_watch.h"

/* Is everything as it was expected? False: w->failure says what is not. `path` is the test file's:
 * others are looked for beside it; `rebaseline`: EXPECT_OUTPUT writes its file instead. */
bool test_judge(struct test_watch *w, const struct trace_end *end, const char *path,
                bool rebaseline);

#endif
