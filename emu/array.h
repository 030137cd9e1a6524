/* Arrays that grow by one entry. */
#ifndef EMU_ARRAY_H
#define EMU_ARRAY_H

#include <stddef.h>

/* Room for entry number `count` of `size` bytes, which is zeroed. `items`, NULL at first, is the
 * caller's: the result takes its place. An array that grows so grows only so. */
void *array_grow(void *items, size_t count, size_t size);

#endif
