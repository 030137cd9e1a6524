/* Where in an array the entry with a digest is. Entries are added as the array grows; a digest is
 * added once. */
#ifndef EMU_DIGEST_INDEX_H
#define EMU_DIGEST_INDEX_H

#include <stddef.h>

#include "emu/hash.h"

#define DIGEST_NOWHERE SIZE_MAX

struct digest_slot {
    struct digest digest;
    size_t place_plus_one; /* 0: the slot is free */
};

struct digest_index {
    struct digest_slot *slots; /* owned */
    size_t room, used;         /* room: a power of two, or 0 */
};

/* DIGEST_NOWHERE: it was not added. */
size_t digest_index_find(const struct digest_index *x, struct digest d);
void digest_index_add(struct digest_index *x, struct digest d, size_t place);
void digest_index_free(struct digest_index *x);

#endif
