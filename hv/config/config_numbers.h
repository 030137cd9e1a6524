/* Comma-separated arguments of the configuration language; single numbers are emu/number.h. */
#ifndef HV_CONFIG_CONFIG_NUMBERS_H
#define HV_CONFIG_CONFIG_NUMBERS_H

#include "emu/number.h"

/* A piece of a comma-separated argument. */
struct piece {
    const char *text; /* borrowed, not terminated */
    size_t size;
};
/* Cuts the piece before the next `separator` off the front of `rest`; at the end of the text
 * rest->text becomes NULL. */
struct piece piece_next(struct piece *rest, char separator);

/* `start,length`; exactly one comma. */
enum number_result number_pair(struct piece text, uint64_t *start, uint64_t *length);

#endif
