/* Runs that end badly: which they are, and where the trace goes that nobody asked for. */
#ifndef QVM_FAILURE_H
#define QVM_FAILURE_H

#include "qvm/session.h"

bool ended_badly(int status);
/* Of a trial, what is wrong is for the guest to say, and one that does not end is wrong, too. */
bool trial_failed(int status);
/* Into `path`: what the trial says, or a file that does not exist yet, named after the VM, in
 * $TMPDIR or /tmp. `trial` may be NULL. */
void failure_path(const char *vm, const struct trial *trial, char *path, size_t size);

#endif
