#include "qvm/live/text_watch.h"

#include <stdlib.h>
#include <string.h>

#include "emu/check.h"

static size_t advance(const struct text_watch *w, size_t matched, char c)
{
    while (matched && w->text[matched] != c)
        matched = w->fallback[matched];
    return w->text[matched] == c ? matched + 1 : 0;
}

void text_watch_init(struct text_watch *w, const char *text, size_t channel_count)
{
    *w = (struct text_watch){.text = text, .size = strlen(text), .channel_count = channel_count};
    w->fallback = calloc(w->size + 1, sizeof *w->fallback);
    w->matched = calloc(channel_count, sizeof *w->matched);
    CHECK(w->size && w->fallback && w->matched);
    for (size_t i = 1; i < w->size; i++)
        w->fallback[i + 1] = advance(w, w->fallback[i], text[i]);
}

void text_watch_free(struct text_watch *w)
{
    free(w->fallback);
    free(w->matched);
    *w = (struct text_watch){0};
}

bool text_watch_saw(struct text_watch *w, size_t channel, const void *data, size_t size)
{
    const char *bytes = data;
    size_t *matched = &w->matched[channel];
    bool seen = false;
    for (size_t i = 0; i < size; i++) {
        *matched = advance(w, *matched, bytes[i]);
        seen |= *matched == w->size;
        if (*matched == w->size)
            *matched = w->fallback[*matched];
    }
    return seen;
}
