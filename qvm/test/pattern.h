/* Regular expressions on what a console prints, byte by byte as it comes: a match is known with its
 * last byte. Each byte costs at most as much as the expression is long, whatever it is and whatever
 * is printed (all ways to match are followed at once: Thompson, CACM 11:6, 1968).
 *
 *   .            any byte but a line feed        [a-z] [^a-z]   one of these, or none of them
 *   \d \w \s     a digit, a letter or digit or   \D \W \S       or none
 *                '_', a blank
 *   * + ? {2,5}  so many of what is before       a|b            either
 *   (a)          a group                         ^ $            the start and the end of a line
 *   \n \t \e     line feed, tab, escape          \xHH           the byte of that code
 *   \. and so on: the character itself
 *
 * A line also ends before a carriage return. */
#ifndef QVM_TEST_PATTERN_H
#define QVM_TEST_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/error.h"

struct pattern_step;
struct pattern_class;

struct pattern {
    char *text;                    /* owned: as it was written */
    struct pattern_step *steps;    /* owned */
    struct pattern_class *classes; /* owned */
    unsigned count, class_count;
};

/* False, with the error: `text` is no regular expression, or one that is too long. */
bool pattern_compile(struct pattern *p, const char *text, bool any_case, struct error *e);
void pattern_free(struct pattern *p);

/* Where one is looked for. The pattern stays as long as it is used. */
struct pattern_search {
    const struct pattern *pattern;
    uint16_t *at, *next; /* owned: the steps that are reached; and room for those behind a byte */
    uint64_t *seen;      /* owned: of each step, in which turn it was reached */
    unsigned count;
    uint64_t turn;
    bool line_begins; /* at the next byte; so it is at first, if nobody says otherwise */
};
void pattern_search_begin(struct pattern_search *s, const struct pattern *p);
void pattern_search_free(struct pattern_search *s);
/* One more byte; true: a match ends with it, or ended before it. Looking goes on behind that. */
bool pattern_search_byte(struct pattern_search *s, uint8_t byte);
/* No more come; true: a match ends here. */
bool pattern_search_end(struct pattern_search *s);

#endif
