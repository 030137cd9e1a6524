/* `qvm replay --exits TRACE`: the exit logic alone, on the guest exits that a trace holds. */
#ifndef QVM_ASK_EXIT_REPLAY_H
#define QVM_ASK_EXIT_REPLAY_H

#include "qvm/session.h"

/* Prints each difference and a verdict on stderr; returns the exit status. Of exits that were seen
 * elsewhere it prints what the model gives for them (observed.h), with `json` as JSON lines. */
int exit_replay(const char *path, const struct session_options *options, bool json);

#endif
