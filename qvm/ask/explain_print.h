/* What `qvm explain` prints. */
#ifndef QVM_ASK_EXPLAIN_PRINT_H
#define QVM_ASK_EXPLAIN_PRINT_H

#include "qvm/ask/exit_changes.h"
#include "qvm/player.h"

/* explain_next.c: executes one instruction at that instruction count (or right after it what is due
 * then) and tells what came of it: an exception, a guest exit, or the next PC. */
bool explain_next(struct player *p, uint64_t at, bool json, struct bytes *out, struct error *e);

/* explain_exit.c: plays to the guest exit of that number and tells why it happened. `before` is
 * from when it began to be handled; NULL: what it changed is not told. */
void explain_exit_put(uint64_t number, const struct board_event *event,
                      const struct exit_changes *before, bool json, struct bytes *out);
bool explain_exit(struct player *p, uint64_t number, bool json, struct bytes *out, struct error *e);

#endif
