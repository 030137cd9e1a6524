#include "qvm/gdb/gdb_hex.h"

#include <string.h>

int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void hex_put(struct bytes *out, const void *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = data;
    for (size_t i = 0; i < size; i++) {
        char two[2] = {digits[from[i] >> 4], digits[from[i] & 15]};
        bytes_put(out, two, 2);
    }
}

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

bool hex_take(struct reader *r, void *to, size_t size)
{
    uint8_t *bytes = to;
    if ((r->size - r->at) / 2 < size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(r->data[r->at++]), low = hex_digit(r->data[r->at++]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
