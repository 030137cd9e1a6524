/* What of a machine's memory and inputs its end does not need. The board stands somewhere in a
 * replay; from there it is run again and again, each time with less, and what changes the end is
 * put back. */
#ifndef HV_SHRINK_H
#define HV_SHRINK_H

#include "hv/board.h"

/* What has to stay: how every VM ended, and when; where the run is cut off instead, what the vCPU
 * that ran last was doing: its PC, and what its registers say of the exception that it is in. */
struct shrink_end {
    uint64_t instructions, ticks;
    int exit_status;
    struct digest what;
};

struct shrink_result {
    size_t pages, pages_kept, bytes_kept; /* not zero at the start, and afterwards */
    size_t inputs, inputs_kept;           /* pushes */
    size_t runs;
};

/* The board runs to its end (or its limit), which is returned. */
struct shrink_end shrink_run(struct board *b);

/* The board, with `rest` as its journal, which holds what is pulled and pushed from here on: its
 * memory and the journal lose what is not needed to reach `end`, and the board is where it was.
 * False: it does not end like that at all. `progress` may be NULL. */
bool shrink(struct board *b, struct journal *rest, const struct shrink_end *end,
            struct shrink_result *result,
            void (*progress)(void *context, const struct shrink_result *result), void *context);

#endif
