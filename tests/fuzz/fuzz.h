/* What a fuzz target gives: one input is tried by libFuzzer's function, and a few inputs to start
 * from. tests/fuzz/run.sh runs the targets with libFuzzer; standalone.c is a main for compilers
 * without it. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"

/* 0 always; whatever is wrong stops the program. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Appends the input `number`, from 0; false if there are no more. */
bool fuzz_seed(unsigned number, struct bytes *out);

#endif
