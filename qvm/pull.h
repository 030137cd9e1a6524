/* What a machine pulls from the host while nothing is replayed: the wall clock, random numbers,
 * files. */
#ifndef QVM_PULL_H
#define QVM_PULL_H

#include "qvm/files.h"
#include "qvm/session.h"

/* As struct journal_host's `pull`, by what the user said of clock and random numbers. */
bool pull_from_host(const struct session_options *o, struct open_files *files, enum pull_kind kind,
                    const char *key, size_t size, struct bytes *out, struct error *e);

#endif
