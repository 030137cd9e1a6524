/* Conditions over named values, as people write them: `handler == pl011 and write == 1`.
 *
 *     conditions = condition { ("and" | "or") condition }        `and` binds closer than `or`
 *     condition  = NAME ("==" | "!=" | "<" | "<=" | ">" | ">=") VALUE
 *
 * VALUE is a number (decimal, or hexadecimal with 0x), or a word; 'quotes' hold one with blanks.
 * The names, and whether each is a number or a word, are the caller's table. */
#ifndef EMU_WHERE_H
#define EMU_WHERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/error.h"

struct where_name {
    const char *name;
    bool is_word;                        /* == and != only */
    const char *(*word)(unsigned index); /* those there are, NULL behind the last; NULL: any */
};

struct where_value {
    uint64_t number;
    const char *word; /* of names that are words */
};

enum where_relation { WHERE_EQ, WHERE_NE, WHERE_LT, WHERE_LE, WHERE_GT, WHERE_GE };

#define WHERE_MAX 32
struct where {
    struct where_condition {
        size_t name; /* index into the table */
        enum where_relation relation;
        uint64_t number;
        char word[64];
        bool begins_alternative; /* `or` is before it */
    } conditions[WHERE_MAX];
    size_t count; /* 0: everything holds */
};

/* `names` ends with a NULL name. False, with the error that quotes the offending word. */
bool where_parse(struct where *w, const char *text, const struct where_name *names,
                 struct error *e);
/* `values` in the order of the names. */
bool where_holds(const struct where *w, const struct where_name *names,
                 const struct where_value *values);

#endif
