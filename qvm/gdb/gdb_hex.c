#include "qvm/gdb/gdb_hex.h"

#include <string.h>

bool text_take(struct reader *r, const char *text)
{
    size_t size = strlen(text);
    if (r->size - r->at < size || memcmp(r->data + r->at, text, size) != 0)
        return false;
    r->at += size;
    return true;
}

bool hex_take_number(struct reader *r, uint64_t *value)
{
    size_t digits = 0;
    *value = 0;
    for (; r->at < r->size && hex_digit(r->data[r->at]) >= 0; digits++)
        *value = *value << 4 | (uint64_t)hex_digit(r->data[r->at++]);
    return digits >= 1 && digits <= 16;
}
