#include "emu/number.h"

#include <stdbool.h>

static unsigned multiplier_bits(char c)
{
    switch (c) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 0;
    }
}

static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 99;
}

static bool has_prefix(const char *text, size_t size, char letter)
{
    return size > 2 && text[0] == '0' && (text[1] | 0x20) == letter;
}

static enum number_result digits_parse(const char *text, size_t size, unsigned base,
                                       uint64_t *value)
{
    bool overflow = false;
    *value = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = digit_of(text[i]);
        if (digit >= base)
            return NUMBER_MALFORMED;
        if (*value > (UINT64_MAX - digit) / base)
            overflow = true;
        else
            *value = *value * base + digit;
    }
    if (size == 0)
        return NUMBER_MALFORMED;
    return overflow ? NUMBER_OVERFLOW : NUMBER_OK;
}

enum number_result number_parse(const char *text, size_t size, enum number_kind kind,
                                uint64_t *value)
{
    *value = 0;
    unsigned shift = 0, base = kind == NUMBER_ADDRESS ? 16 : 10;
    if (size > 0 && kind != NUMBER_PLAIN)
        shift = multiplier_bits(text[size - 1]);
    if (shift) {
        size--;
        base = 10;
    }
    /* An unprefixed address may begin with the hexadecimal digits "0d", as 0d000000 does. The
     * language reads that as the decimal prefix. */
    if (has_prefix(text, size, 'x') || has_prefix(text, size, 'd')) {
        base = (text[1] | 0x20) == 'x' ? 16 : 10;
        text += 2;
        size -= 2;
    }
    enum number_result result = digits_parse(text, size, base, value);
    if (result == NUMBER_OK && *value > UINT64_MAX >> shift)
        return NUMBER_OVERFLOW;
    *value <<= shift;
    return result;
}

const char *number_kind_name(enum number_kind kind)
{
    static const char *const names[] = {"a number", "an address", "a length"};
    return names[kind];
}
