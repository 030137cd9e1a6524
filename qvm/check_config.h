/* `qvm check`: is the configuration right, what does it resolve to, and would its VMs be assembled?
 * Everything that `dryrun` would refuse without looking at the host's files is refused. */
#ifndef QVM_CHECK_CONFIG_H
#define QVM_CHECK_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "qvm/session.h"

/* The VMs of one board. `board_file` as in session_options. The exit status. */
int check_vms(const struct vm_words *vms, size_t count, const char *board_file, bool json);

#endif
