/* Field tables: one table per stateful thing lists what a snapshot needs, as scalars or arrays of
 * one scalar. Save, restore, digest and diff all come from it; nothing is written twice.
 *
 *     static const struct field uart_fields[] = {
 *         FIELD(struct pl011, imsc),
 *         FIELD_ARRAY(struct pl011, rx_fifo),
 *         FIELD_END
 *     };
 */
#ifndef EMU_FIELDS_H
#define EMU_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"
#include "emu/error.h"

struct field {
    const char *name;
    size_t offset;
    size_t size;  /* of one element: 1, 2, 4 or 8 bytes */
    size_t count; /* elements */
};

/* clang-format off */
#define FIELD(type, member) {#member, offsetof(type, member), sizeof(((type *)0)->member), 1}
#define FIELD_ARRAY(type, member)                                                                  \
    {#member, offsetof(type, member), sizeof(((type *)0)->member[0]),                              \
     sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0])}
#define FIELD_END {NULL, 0, 0, 0}
/* clang-format on */

/* Appends every field, little-endian, in table order. */
void fields_save(const struct field *table, const void *object, struct bytes *out);
/* Only copies; wires and caches are the owner's to recompute. False if the data is too short. */
bool fields_restore(const struct field *table, void *object, struct reader *in);
/* The first field that differs: its name, or NULL. `index` gets the element. */
const char *fields_first_difference(const struct field *table, const void *a, const void *b,
                                    size_t *index);

#endif
