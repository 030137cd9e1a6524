/* Waits for a text in what consoles print, across the pieces in which it comes; each console of
 * each VM by itself (Knuth, Morris, Pratt). */
#ifndef QVM_LIVE_TEXT_WATCH_H
#define QVM_LIVE_TEXT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_watch {
    const char *text; /* borrowed */
    size_t size;
    size_t *fallback; /* owned: of a prefix the longest shorter one that it ends with */
    size_t *matched;  /* owned: how much of the text each channel has just printed */
    size_t channel_count;
};

/* `text` is not empty. */
void text_watch_init(struct text_watch *w, const char *text, size_t channel_count);
void text_watch_free(struct text_watch *w);
/* True: the text was complete with one of these bytes. */
bool text_watch_saw(struct text_watch *w, size_t channel, const void *data, size_t size);

#endif
