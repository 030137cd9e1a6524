/* Text that is put together, in a buffer of a fixed size or one that grows. */
#ifndef EMU_TEXT_H
#define EMU_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"

/* Of a function that takes a format of printf as its parameter number `format`, and what belongs to
 * it from number `first` on. The formats are those of C everywhere: what "printf" means to a
 * compiler for Windows is an older C library's, which knows no %zu. */
#ifdef _WIN32
#define TEXT_PRINTF(format, first) __attribute__((__format__(gnu_printf, format, first)))
#else
#define TEXT_PRINTF(format, first) __attribute__((__format__(printf, format, first)))
#endif

/* Appends, without a NUL. */
void text_put(struct bytes *out, const char *format, ...) TEXT_PRINTF(2, 3);
/* Appends to the text, which has room for `size` bytes in all; what has none is left out. */
void text_add(char *text, size_t size, const char *format, ...) TEXT_PRINTF(3, 4);

/* Control characters become '?': names from files end up on somebody's terminal. */
void text_make_printable(char *text);
/* Appends so many bytes of it, as it is then. */
void text_put_printable(struct bytes *out, const char *text, size_t size);

/* A letter (A to Z) as a small one; others as they are. No locale has a say. */
char text_lower(char c);
/* Is it the word, with each letter (A to Z) in either case? The text has `length` bytes, and no NUL
 * among them. */
bool text_equals_in_any_case(const char *word, const char *text, size_t length);

/* Does it end so, with something before that? */
bool text_ends_in(const char *text, const char *suffix);
/* The word for so many: `one` of 1, `many` of all other numbers. */
const char *text_plural(uint64_t count, const char *one, const char *many);

#endif
