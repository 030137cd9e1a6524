#include "emu/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "emu/check.h"

void text_put(struct bytes *out, const char *format, ...)
{
    char text[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(size >= 0);
    if (size < (int)sizeof text) {
        bytes_put(out, text, (size_t)size);
    } else { /* the NUL behind it is no part of it */
        bytes_reserve(out, (size_t)size + 1);
        vsnprintf((char *)out->data + out->size, (size_t)size + 1, format, again);
        out->size += (size_t)size;
    }
    va_end(again);
}

void text_add(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, size - used, format, args);
    va_end(args);
}

char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_equals_in_any_case(const char *word, const char *text, size_t length)
{
    if (strlen(word) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (text_lower(word[i]) != text_lower(text[i]))
            return false;
    return true;
}

const char *text_plural(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

/* C0 and DEL; and C1, each of which is two bytes in UTF-8. */
static void hide_controls(uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool is_c1 = text[i] == 0xc2 && i + 1 < size && text[i + 1] >= 0x80 && text[i + 1] < 0xa0;
        if (is_c1)
            text[i++] = '?';
        if (is_c1 || text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
    }
}

void text_make_printable(char *text)
{
    hide_controls((uint8_t *)text, strlen(text));
}

void text_put_printable(struct bytes *out, const char *text, size_t size)
{
    size_t begin = out->size;
    bytes_put(out, text, size);
    if (size)
        hide_controls(out->data + begin, size);
}

bool text_ends_in(const char *text, const char *suffix)
{
    size_t size = strlen(text), tail = strlen(suffix);
    return size > tail && strcmp(text + size - tail, suffix) == 0;
}
