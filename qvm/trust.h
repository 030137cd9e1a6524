/* What the configuration in somebody's file would do here beside running guests. */
#ifndef QVM_TRUST_H
#define QVM_TRUST_H

#include "qvm/player.h"

/* The first command of this host that it would run (hostdev ">|...", dump "|..."); NULL: none. */
const char *trust_command_in(const struct player *p);

#endif
