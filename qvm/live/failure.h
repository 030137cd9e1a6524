/* Runs that end badly: which they are, and where the trace goes that nobody asked for. */
#ifndef QVM_LIVE_FAILURE_H
#define QVM_LIVE_FAILURE_H

#include "qvm/session.h"

/* Also by what the guest says, or as it did not end. A power cut is not: it comes from outside. */
bool ended_badly(int status);
/* A file that did not exist, named after the VM, in $TMPDIR or /tmp; its name goes into `path`. */
struct host_file *failure_create(const char *vm, char *path, size_t size, struct error *e);

#endif
