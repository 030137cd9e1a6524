/* `qvm chaos`: the same VMs under one seed after the other (hv/chaos.h), until a run fails. Of that
 * one the output is shown and the trace is kept; the others leave nothing behind. */
#ifndef QVM_LIVE_CHAOS_SEARCH_H
#define QVM_LIVE_CHAOS_SEARCH_H

#include "qvm/session.h"

struct chaos_seeds {
    uint64_t first, count; /* count at least 1; the last is below 2^64 */
};

/* Returns the exit status of the first run that failed, did not start or was interrupted, 0 if none
 * was. `options.record_path`, if any, is where the trace goes. */
int chaos_search(const struct vm_words *vms, size_t count, const struct session_options *options,
                 struct chaos_seeds seeds);

#endif
