#include "hv/config/config_numbers.h"

#include <string.h>

struct piece piece_next(struct piece *rest, char separator)
{
    struct piece piece = *rest;
    const char *at = rest->size ? memchr(rest->text, separator, rest->size) : NULL;
    if (!at) {
        *rest = (struct piece){0};
        return piece;
    }
    piece.size = (size_t)(at - rest->text);
    rest->text = at + 1;
    rest->size -= piece.size + 1;
    return piece;
}

enum number_result number_pair(struct piece text, uint64_t *start, uint64_t *length)
{
    struct piece first = piece_next(&text, ',');
    if (!text.text)
        return NUMBER_MALFORMED;
    enum number_result result = number_parse(first.text, first.size, NUMBER_ADDRESS, start);
    if (result == NUMBER_OK)
        result = number_parse(text.text, text.size, NUMBER_LENGTH, length);
    return result;
}
