#include "emu/digest_index.h"

#include <stdlib.h>
#include <string.h>

#include "emu/bytes.h"
#include "emu/check.h"

/* A digest is as good as random. One that was made to be in the way of others makes searches as
 * long as they would be without an index. */
static struct digest_slot *slot_of(const struct digest_index *x, struct digest d)
{
    size_t at = (size_t)load_le(d.b, 8) & (x->room - 1);
    while (x->slots[at].place_plus_one && memcmp(x->slots[at].digest.b, d.b, sizeof d.b) != 0)
        at = (at + 1) & (x->room - 1);
    return &x->slots[at];
}

size_t digest_index_find(const struct digest_index *x, struct digest d)
{
    return x->room ? slot_of(x, d)->place_plus_one - 1 : DIGEST_NOWHERE;
}

/* Half of the slots stay free: the search for what is not there ends at one. */
static void grow(struct digest_index *x)
{
    struct digest_index larger = {.room = x->room ? 2 * x->room : 16, .used = x->used};
    larger.slots = calloc(larger.room, sizeof *larger.slots);
    CHECK_ROOM(larger.slots);
    for (size_t i = 0; i < x->room; i++)
        if (x->slots[i].place_plus_one)
            *slot_of(&larger, x->slots[i].digest) = x->slots[i];
    free(x->slots);
    *x = larger;
}

void digest_index_add(struct digest_index *x, struct digest d, size_t place)
{
    if (2 * x->used >= x->room)
        grow(x);
    *slot_of(x, d) = (struct digest_slot){d, place + 1};
    x->used++;
}

void digest_index_free(struct digest_index *x)
{
    free(x->slots);
    *x = (struct digest_index){0};
}
