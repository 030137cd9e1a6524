/* One pass over the state of something. Whoever has state lists it once, in a function that goes
 * through all of it in one order:
 *
 *     void thing_visit(struct thing *t, struct state *s)
 *     {
 *         state_fields(s, thing_fields, t);
 *         for (unsigned i = 0; i < 31; i++)
 *             t->x[i] = state_numbered(s, "X%u", i, t->x[i], 8);
 *         t->mode = state_up_to(s, "the mode", t->mode, 1, MODES - 1);
 *         t->count = state_count(s, "how many wait", t->count, 4, WAITING_MAX);
 *         state_row(s, "who waits", t->waiting, sizeof t->waiting[0], t->count);
 *     }
 *
 * The same pass saves it for snapshots and digests, restores it, refuses by its name what it cannot
 * be restored with, and tells what lies where in the bytes, by which states are compared. The bytes
 * are little-endian and the same for every build.
 *
 * What is restored may be anything. A pass goes on after it has failed: every value is 0 from then
 * on, so it may finish as it is, but for what must not happen to a state that is none. */
#ifndef EMU_STATE_H
#define EMU_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"
#include "emu/fields.h"
#include "emu/text.h"

/* In place of a size: as many bytes as it takes, of 7 bits each (bytes_put_varint). */
#define STATE_VARINT 0

/* A value among them, or a row of bytes: where it begins, counted from where the pass did. */
struct state_item {
    char name[128];
    size_t offset, size; /* in bytes */
    size_t unit;         /* bytes a value; `size`, but for a row of bytes, or STATE_VARINT */
    const uint8_t *data; /* its bytes, while it is told */
};
/* What the value is, if its bytes are these. */
uint64_t state_item_value(const struct state_item *item, const uint8_t *bytes);

/* Told while a state is saved, in the order of its bytes. Functions may be NULL. */
struct state_listener {
    void (*part)(void *context, const char *name, size_t offset); /* one begins there */
    void (*item)(void *context, const struct state_item *item);
    void *context;
};

struct state {
    struct bytes *out;                     /* saves: appended to this; */
    struct reader *in;                     /* restores: from this. One of them is NULL. */
    size_t start;                          /* of the pass, in `out` */
    const struct state_listener *listener; /* or NULL */
    const char *within;                    /* state_within's, or NULL */
    unsigned number;
};

struct state state_saving(struct bytes *out);
/* The same, and the listener, which is borrowed, is told. */
struct state state_telling(struct bytes *out, const struct state_listener *listener);
struct state state_restoring(struct reader *in);

static inline bool state_restores(const struct state *s)
{
    return s->in != NULL;
}
/* Restoring: nothing was refused or missing so far. Saving: true. */
static inline bool state_is_good(const struct state *s)
{
    return !s->in || !s->in->failed;
}
/* Restoring: what was read cannot be a value of that (a name that stays). */
void state_refuse(struct state *s, const char *name);

/* What follows, up to the next part, is one by itself. For printf. */
void state_part(struct state *s, const char *form, ...) TEXT_PRINTF(2, 3);
/* What follows belongs to one of several that are alike: `form`, for printf with one %u, is put
 * before the items' names. NULL: no more. */
void state_within(struct state *s, const char *form, unsigned number);

/* Each gives back what the value is from now on: the same, or what was saved. `size` bytes of it
 * are kept. This one is of a row: `form` is for printf, with one %u. */
uint64_t state_numbered(struct state *s, const char *form, unsigned number, uint64_t value,
                        size_t size);
/* In the header for its constant sizes: going back a step restores thousands. */
static inline uint64_t state_value(struct state *s, const char *name, uint64_t value, size_t size)
{
    if (s->in && size != STATE_VARINT)
        return reader_int(s->in, size);
    return state_numbered(s, name, 0, value, size);
}
/* It may not be restored with more than `most`: it is 0 then, and the reader failed. */
static inline uint64_t state_up_to(struct state *s, const char *name, uint64_t value, size_t size,
                                   uint64_t most)
{
    uint64_t now = state_value(s, name, value, size);
    if (!s->in || now <= most)
        return now;
    state_refuse(s, name);
    return 0;
}
/* In a byte. */
bool state_bool(struct state *s, const char *name, bool value);
/* Up to 8 of them in a byte, the first in bit 0; the other bits are zero. */
void state_bits(struct state *s, const char *name, bool *const bits[], unsigned count);
/* How many things follow, each of a byte or more: not more than `most`, nor than there can be. */
size_t state_count(struct state *s, const char *name, size_t count, size_t size, size_t most);
/* What it is cannot change: the same in every state of the machine. */
void state_fixed(struct state *s, const char *name, uint64_t value, size_t size);

/* Integers of `size` bytes in memory, 1, 2, 4 or 8. */
void state_row(struct state *s, const char *name, void *elements, size_t size, size_t count);
void state_bytes(struct state *s, const char *name, void *data, size_t size);
/* The length as varint, then so many bytes: of text with a NUL behind it, in `room` bytes; or of a
 * buffer. */
void state_text(struct state *s, const char *name, char *text, size_t room);
void state_contents(struct state *s, const char *name, struct bytes *contents, size_t most);
void state_fields(struct state *s, const struct field *table, void *object);

/* Looks for one value in what a saving pass tells: the one that has the byte at `offset`, or the
 * one of that whole name, "PART: NAME" if it is in a part. found.size is 0 if there is none, and
 * found.data must not be used. Zero-initialised but for what is looked for. */
struct state_search {
    const char *whole_name; /* NULL: by `offset` */
    size_t offset;
    struct state_item found;
    char found_name[320]; /* its whole name */
    char part[160];       /* the one that is told now */
};
struct state_listener state_searching(struct state_search *search);

#endif
