/* Field tables: one table per stateful thing lists what a snapshot needs, as scalars or arrays of
 * one scalar, for state visitors (state_fields). Restoring only copies; wires and caches are the
 * owner's to recompute.
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

struct field {
    const char *name;
    size_t offset;
    size_t size;   /* of one element: 1, 2, 4 or 8 bytes */
    size_t count;  /* elements */
    uint64_t most; /* the largest value it may be restored with */
};

/* clang-format off */
#define FIELD(type, member) FIELD_UP_TO(type, member, FIELD_MOST(((type *)0)->member))
/* One that is known by another name. */
#define FIELD_AS(type, member, name)                                                               \
    {name, offsetof(type, member), sizeof(((type *)0)->member), 1,                                 \
     FIELD_MOST(((type *)0)->member)}
/* One that is an index, a number of bits to shift by, or has bits that do not exist. */
#define FIELD_UP_TO(type, member, most)                                                            \
    {#member, offsetof(type, member), sizeof(((type *)0)->member), 1, most}
#define FIELD_ARRAY(type, member)                                                                  \
    FIELD_ARRAY_UP_TO(type, member, FIELD_MOST(((type *)0)->member[0]))
#define FIELD_ARRAY_UP_TO(type, member, most)                                                      \
    {#member, offsetof(type, member), sizeof(((type *)0)->member[0]),                              \
     sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]), most}
#define FIELD_END {NULL, 0, 0, 0, 0}
/* A bool of another value is undefined behaviour to read. */
#define FIELD_MOST(member) _Generic((member), bool: (uint64_t)1, default: UINT64_MAX)
/* clang-format on */

#endif
