#include "emu/json.h"

#include <string.h>

#include "emu/text.h"

/* Length of the UTF-8 sequence at `s` (RFC 3629), or 0 if it is none. */
static size_t utf8_length(const uint8_t *s, size_t size)
{
    static const struct {
        uint8_t first, last, second_least, second_most;
        size_t length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*s < forms[i].first || *s > forms[i].last || forms[i].length > size)
            continue;
        size_t length = forms[i].length;
        if (length > 1 && (s[1] < forms[i].second_least || s[1] > forms[i].second_most))
            return 0;
        for (size_t k = 2; k < length; k++)
            if (s[k] < 0x80 || s[k] > 0xbf)
                return 0;
        return length;
    }
    return 0;
}

static void put_quoted(struct bytes *out, const uint8_t *s, size_t size)
{
    text_put(out, "\"");
    while (size > 0) {
        size_t length = utf8_length(s, size);
        if (*s == '"' || *s == '\\')
            text_put(out, "\\%c", *s);
        else if (*s < 0x20)
            text_put(out, "\\u%04x", *s);
        else if (length == 0)
            text_put(out, "\\ufffd");
        else
            bytes_put(out, s, length);
        s += length ? length : 1;
        size -= length ? length : 1;
    }
    text_put(out, "\"");
}

static void start(struct json *j, const char *key)
{
    if (j->needs_comma)
        text_put(j->out, ",");
    j->needs_comma = true;
    if (!key)
        return;
    put_quoted(j->out, (const uint8_t *)key, strlen(key));
    text_put(j->out, ":");
}

void json_open(struct json *j, const char *key, char bracket)
{
    start(j, key);
    text_put(j->out, "%c", bracket);
    j->needs_comma = false;
}

void json_close(struct json *j, char bracket)
{
    text_put(j->out, "%c", bracket);
    j->needs_comma = true;
}

void json_string(struct json *j, const char *key, const char *value)
{
    if (value) {
        json_bytes(j, key, value, strlen(value));
        return;
    }
    start(j, key);
    text_put(j->out, "null");
}

void json_bytes(struct json *j, const char *key, const void *value, size_t size)
{
    start(j, key);
    put_quoted(j->out, value, size);
}

void json_number(struct json *j, const char *key, uint64_t value)
{
    start(j, key);
    text_put(j->out, "%llu", (unsigned long long)value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    start(j, key);
    text_put(j->out, "%s", value ? "true" : "false");
}
