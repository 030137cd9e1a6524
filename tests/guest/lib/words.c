#include "words.h"

enum { SYS_GET_CMDLINE = 0x15 };

static char line[512];
static const char *rest = line;

void words_start(void)
{
    uint64_t block[2] = {(uint64_t)line, sizeof line};
    semihost(SYS_GET_CMDLINE, block);
}

const char *word(void)
{
    static char text[64];
    size_t size = 0;
    while (*rest == ' ')
        rest++;
    while (*rest && *rest != ' ' && size < sizeof text - 1)
        text[size++] = *rest++;
    text[size] = 0;
    return text;
}

uint64_t number(void)
{
    const char *at = word();
    unsigned base = at[0] == '0' && at[1] == 'x' ? 16 : 10;
    uint64_t value = 0;
    for (at += base == 16 ? 2 : 0; *at; at++)
        value = value * base + (uint64_t)(*at >= 'a' ? *at - 'a' + 10 : *at - '0');
    return value;
}

bool is(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}
