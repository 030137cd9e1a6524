/* Texts of other programs, line by line: what is between two newlines, and the numbers behind the
 * words in it. Nothing is copied, nothing is assumed to end in a zero. */
#ifndef HV_FOREIGN_IMPORT_SCAN_H
#define HV_FOREIGN_IMPORT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan {
    const char *at, *end;
};

static inline struct scan scan_of(const char *text, size_t size)
{
    return (struct scan){text, text + size};
}
static inline size_t scan_left(const struct scan *s)
{
    return (size_t)(s->end - s->at);
}

/* The next line, without its newline; false at the end. */
bool scan_line(struct scan *text, struct scan *line);
/* The next word between blanks; false at the end. */
bool scan_word(struct scan *s, struct scan *word);
bool scan_is(const struct scan *word, const char *text);
bool scan_begins(const struct scan *s, const char *text);
/* Behind the first place where `text` stands as words of its own (no letter, digit or _ before it,
 * nor behind it if it ends in one);
 * upper and lower case are the same. False, and *s unchanged: there is none. */
bool scan_to(struct scan *s, const char *text);
/* A number at *s, blanks before it skipped: with 0x hexadecimal, else in that base. False, and *s
 * unchanged: there is none, or it has more than 64 bits. */
bool scan_number(struct scan *s, unsigned base, uint64_t *value);
/* The number behind `text` (scan_to), wherever that is in the line. */
bool scan_after(struct scan line, const char *text, unsigned base, uint64_t *value);
/* The number of `key:NUMBER` or `key=NUMBER`, blanks allowed, wherever that is in the line. */
bool scan_field(struct scan line, const char *key, uint64_t *value);
/* The word of `key:WORD`. */
bool scan_field_word(struct scan line, const char *key, struct scan *word);
/* At most size - 1 characters that can be printed. */
void scan_copy(const struct scan *s, char *to, size_t size);

#endif
