/* A test while it runs: looks at what its VMs print, types what the test sends, and ends the run
 * when there is nothing left to wait for, or something that must not be. What it does, it does at
 * moments of virtual time: as inputs, one tick behind what caused them. */
#ifndef QVM_TEST_TEST_WATCH_H
#define QVM_TEST_TEST_WATCH_H

#include "hv/board.h"
#include "qvm/session.h"
#include "qvm/test/test_file.h"

#define TEST_PRINTED_MAX ((size_t)16 << 20) /* of a VM; what is more is not kept */

/* Why a test did not pass. */
struct test_failure {
    struct place place; /* of what was expected; file NULL: there is none */
    char text[1200];
};

struct test_watch {
    const struct test *test;
    struct board *board;
    uint64_t start_ns;
    struct bytes printed[BOARD_VMS_MAX]; /* owned */
    struct pattern_search *searches;     /* owned: one an expectation */
    bool *is_met;                        /* owned: of each EXPECT_CONSOLE */
    unsigned *vms, *input_vms;           /* owned: of each expectation and input, its VM's number */
    unsigned *input_channels;            /* owned: of each input */
    size_t expected;                     /* which EXPECT_CONSOLE is looked for; or all are met */
    bool is_in_line[BOARD_VMS_MAX];      /* it has printed the start of a line */
    size_t awaited;                      /* inputs before this one can be sent */
    struct pattern_search input_search;  /* of its `after`; pattern NULL: there is none */
    size_t sent, sent_bytes;             /* inputs, and of the next its bytes */
    uint64_t due_tick;       /* of the next input, or of the end; EVENT_NEVER: nothing is due */
    bool ends, has_ended;    /* it is to end; it was told so */
    bool (*is_wanted)(void); /* asked at times: does it still matter? NULL: it does */
    bool has_failed;
    struct test_failure failure; /* the first */
};

void test_watch_begin(struct test_watch *w, const struct test *test);
void test_watch_free(struct test_watch *w);
/* For session_run. */
struct trial_watch test_watch_for_session(struct test_watch *w);
/* Notes a failure, unless there is one already. Returns false. */
bool test_watch_fail(struct test_watch *w, struct place place, const char *format, ...)
    TEXT_PRINTF(3, 4);

#endif
