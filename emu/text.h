/* Sentences that are put together in a buffer. */
#ifndef EMU_TEXT_H
#define EMU_TEXT_H

#include <stddef.h>

/* Appends to the text, which has room for `size` bytes in all; what has none is left out. */
void text_add(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
