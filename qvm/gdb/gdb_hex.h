/* The words that packets of gdb's remote protocol are made of: texts, and numbers as
 * hexadecimal digits (bytes: emu/hex.h). What is taken comes from a peer that may be anything.
 * (Texts and numbers are put by text_put.) */
#ifndef QVM_GDB_GDB_HEX_H
#define QVM_GDB_GDB_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/hex.h"

/* Takes the text if it comes next. */
bool text_take(struct reader *r, const char *text);
/* Takes 1 to 16 digits. */
bool hex_take_number(struct reader *r, uint64_t *value);

#endif
