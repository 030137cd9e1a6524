#include "emu/array.h"

#include <stdlib.h>
#include <string.h>

#include "emu/check.h"

void *array_grow(void *items, size_t count, size_t size)
{
    if ((count & (count - 1)) == 0) {
        items = realloc(items, (count ? 2 * count : 1) * size);
        CHECK_ROOM(items);
    }
    memset((char *)items + count * size, 0, size);
    return items;
}
