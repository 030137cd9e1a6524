#include "emu/hex.h"

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
