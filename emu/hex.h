/* Bytes as hexadecimal digits, for whoever reads or writes them as text. */
#ifndef EMU_HEX_H
#define EMU_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"

/* Its value, or -1. */
int hex_digit(uint8_t c);
/* Two digits a byte, small letters. */
void hex_put(struct bytes *out, const void *data, size_t size);
/* Takes two digits, in either case, for each of `size` bytes. */
bool hex_take(struct reader *r, void *to, size_t size);

#endif
