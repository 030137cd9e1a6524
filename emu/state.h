/* One pass over the state of something. Whoever has state lists it once, in a function that goes
 * through all of it in one order:
 *
 *     static void visit(struct thing *t, struct state *s)
 *     {
 *         state_fields(s, thing_fields, t);
 *         for (unsigned i = 0; i < 31; i++)
 *             t->x[i] = state_numbered(s, "X%u", i, t->x[i], 8);
 *         t->mode = state_up_to(s, "the mode", t->mode, 1, MODES - 1);
 *     }
 *
 * The same pass saves it for snapshots and digests, restores it, refuses what it cannot be
 * restored with by its name, and says what lies where in the bytes. They are little-endian and the
 * same for every build. */
#ifndef EMU_STATE_H
#define EMU_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"
#include "emu/fields.h"

/* A value among them: where it begins, counted from where the pass did, and the bytes it takes. */
struct state_item {
    char name[48];
    size_t offset, size;
};

struct state {
    struct bytes *out; /* saves: appended to this; */
    struct reader *in; /* restores: from this. One of them is NULL. */
    size_t start;      /* of the pass, in `out` */
    void (*item)(void *context, const struct state_item *item); /* saves: told of each; or NULL */
    void *context;
};

struct state state_saving(struct bytes *out);
struct state state_restoring(struct reader *in);

static inline bool state_restores(const struct state *s)
{
    return s->in != NULL;
}

/* Each gives back what the value is from now on: the same, or what was saved. `size` bytes of it
 * are kept. */
uint64_t state_value(struct state *s, const char *name, uint64_t value, size_t size);
/* It may not be restored with more than `most`: it is 0 then, and the reader failed. */
uint64_t state_up_to(struct state *s, const char *name, uint64_t value, size_t size, uint64_t most);
/* One of a row: `form` is for printf, with one %u. */
uint64_t state_numbered(struct state *s, const char *form, unsigned number, uint64_t value,
                        size_t size);
void state_fields(struct state *s, const struct field *table, void *object);
/* Restoring: nothing was refused or missing so far. Saving: true. */
bool state_is_good(const struct state *s);
/* Restoring: what was read cannot be a value of that (a name that stays). */
void state_refuse(struct state *s, const char *name);

/* Looks into what a saving pass tells: an item by the offset of one of its bytes, or by its name.
 * *found is all zero before the pass, and has size 0 if there is none. */
struct state_search {
    const char *name; /* NULL: by `offset` */
    size_t offset;
    struct state_item found;
};
void state_search_item(void *search, const struct state_item *item);

#endif
