#include "hv/foreign/import_scan.h"

#include <string.h>

#include "emu/hex.h"
#include "emu/text.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_of_word(char c)
{
    char l = text_lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->end && is_blank(*s->at))
        s->at++;
}

bool scan_line(struct scan *text, struct scan *line)
{
    if (text->at == text->end)
        return false;
    const char *newline = memchr(text->at, '\n', scan_left(text));
    *line = (struct scan){text->at, newline ? newline : text->end};
    text->at = newline ? newline + 1 : text->end;
    return true;
}

bool scan_word(struct scan *s, struct scan *word)
{
    skip_blanks(s);
    if (s->at == s->end)
        return false;
    word->at = s->at;
    while (s->at < s->end && !is_blank(*s->at))
        s->at++;
    word->end = s->at;
    return true;
}

bool scan_begins(const struct scan *s, const char *text)
{
    size_t size = strlen(text);
    return scan_left(s) >= size && memcmp(s->at, text, size) == 0;
}

bool scan_is(const struct scan *word, const char *text)
{
    return scan_left(word) == strlen(text) && scan_begins(word, text);
}

static bool stands_at(const char *at, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text_lower(at[i]) != text_lower(text[i]))
            return false;
    return true;
}

bool scan_to(struct scan *s, const char *text)
{
    size_t size = strlen(text);
    bool ends_in_word = is_of_word(text[size - 1]);
    for (const char *at = s->at; (size_t)(s->end - at) >= size; at++) {
        if ((at > s->at && is_of_word(at[-1])) || !stands_at(at, text, size))
            continue;
        if (ends_in_word && at + size < s->end && is_of_word(at[size]))
            continue;
        s->at = at + size;
        return true;
    }
    return false;
}

static unsigned digit_of(char c)
{
    int digit = hex_digit((uint8_t)c);
    return digit < 0 ? 16 : (unsigned)digit;
}

bool scan_number(struct scan *s, unsigned base, uint64_t *value)
{
    struct scan in = *s;
    skip_blanks(&in);
    if (scan_left(&in) > 2 && in.at[0] == '0' && text_lower(in.at[1]) == 'x') {
        base = 16;
        in.at += 2;
    }
    const char *first = in.at;
    uint64_t number = 0;
    for (; in.at < in.end && digit_of(*in.at) < base; in.at++) {
        if (number > (UINT64_MAX - digit_of(*in.at)) / base)
            return false;
        number = number * base + digit_of(*in.at);
    }
    if (in.at == first)
        return false;
    *value = number;
    *s = in;
    return true;
}

bool scan_after(struct scan line, const char *text, unsigned base, uint64_t *value)
{
    while (scan_to(&line, text))
        if (scan_number(&line, base, value))
            return true;
    return false;
}

/* Behind `key`, a colon or an equals sign, and blanks. */
static bool to_field(struct scan *line, const char *key)
{
    while (scan_to(line, key)) {
        struct scan in = *line;
        skip_blanks(&in);
        if (in.at == in.end || (*in.at != ':' && *in.at != '='))
            continue;
        in.at++;
        skip_blanks(&in);
        *line = in;
        return true;
    }
    return false;
}

bool scan_field(struct scan line, const char *key, uint64_t *value)
{
    return to_field(&line, key) && scan_number(&line, 10, value);
}

bool scan_field_word(struct scan line, const char *key, struct scan *word)
{
    return to_field(&line, key) && scan_word(&line, word);
}

void scan_copy(const struct scan *s, char *to, size_t size)
{
    size_t count = 0;
    for (const char *at = s->at; at < s->end && count + 1 < size; at++)
        if (*at >= ' ' && *at <= '~')
            to[count++] = *at;
    to[count] = 0;
}
