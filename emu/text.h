/* Text that is put together, in a buffer of a fixed size or one that grows. */
#ifndef EMU_TEXT_H
#define EMU_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"

/* Appends, without a NUL. */
void text_put(struct bytes *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends to the text, which has room for `size` bytes in all; what has none is left out. */
void text_add(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Control characters become '?': names from files end up on somebody's terminal. */
void text_make_printable(char *text);

/* The word for so many: `one` of 1, `many` of all other numbers. */
const char *text_plural(uint64_t count, const char *one, const char *many);

#endif
