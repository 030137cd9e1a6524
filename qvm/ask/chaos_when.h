/* `qvm chaos --when TRACE`: from which instruction on did the end become likely? The recording is
 * played to ever other moments, and goes on from each under many seeds (hv/chaos.h): the share of
 * them that fail, against the moment, rises where the fault happened. */
#ifndef QVM_ASK_CHAOS_WHEN_H
#define QVM_ASK_CHAOS_WHEN_H

#include <stdint.h>

struct chaos_when {
    uint64_t first_seed, seeds; /* of every moment */
    uint64_t budget;            /* runs in all */
};

/* Prints the curve and where it rises most. Returns the exit status: 0, or that of an error. */
int chaos_when(const char *path, const struct chaos_when *options);

#endif
