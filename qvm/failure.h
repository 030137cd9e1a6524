/* Runs that end badly: which they are, and where the trace goes that nobody asked for. */
#ifndef QVM_FAILURE_H
#define QVM_FAILURE_H

#include "qvm/session.h"

/* Also by what the guest says, or as it did not end. A power cut is not: whoever did it knows why.
 */
bool ended_badly(int status);
/* Into `path`: what the trial says, or a file that does not exist yet, named after the VM, in
 * $TMPDIR or /tmp. `trial` may be NULL. */
void failure_path(const char *vm, const struct trial *trial, char *path, size_t size);

#endif
