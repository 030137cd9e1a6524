/* The first thing that went another way, as a sentence. */
#ifndef QVM_DIFFERENCE_H
#define QVM_DIFFERENCE_H

#include "emu/bytes.h"
#include "hv/script.h"

/* Appends "instruction N, VM vCPU V, PC 0x... `instruction`: what: recorded A, now B", without a
 * line end. The instruction is left out where no code is (a script that plays). */
void difference_text(const struct script_difference *d, struct bytes *out);

#endif
