/* The first thing that went another way, as a sentence. */
#ifndef QVM_ASK_DIFFERENCE_H
#define QVM_ASK_DIFFERENCE_H

#include "emu/bytes.h"
#include "hv/exitlog/exit_log.h"

/* Appends "instruction N, vm NAME, vcpu V, 0x... <symbol+offset>: instruction: what: recorded A,
 * now B", without a line end. The instruction is left out where no code is (an exit log that
 * plays), or where the vCPU is not in the engine. */
void difference_text(const struct exit_log_difference *d, struct bytes *out);
/* Appends "vm NAME, vcpu V, next 0x... <symbol+offset>: instruction" of who is in the engine. Only
 * between runs. */
void difference_next(struct board *b, struct bytes *out);

#endif
