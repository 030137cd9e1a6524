/* What the configuration in somebody's file would do here beside running guests. */
#ifndef QVM_TRUST_H
#define QVM_TRUST_H

#include "qvm/player.h"

/* Would it run a command of this host (hostdev ">|...", dump "|...") or write a file (hostdev
 * ">...", dump, semihosting, fdt-dump-file)? `text` gets the first: "write the file 'x'". */
bool trust_is_needed(const struct player *p, char *text, size_t size);

/* Says of each disk that its guest writes through (hostdev >FILE) that its file may have gone on
 * since the snapshot was taken, from which the machine goes on now. */
void trust_say_disks_went_on(const struct player *p);

#endif
