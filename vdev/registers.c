/* Registers by name, for people. */
#include <inttypes.h>
#include <stdio.h>

#include "vdev/vdev.h"

/* False: the table has none there. */
static bool find(const struct vdev_register *table, uint64_t offset, char *name, size_t size)
{
    for (const struct vdev_register *r = table; r->name; r++) {
        uint64_t count = r->count ? r->count : 1;
        if (offset < r->offset || offset - r->offset >= 4 * count)
            continue;
        uint64_t number = (offset - r->offset) / 4, byte = offset % 4;
        char index[24] = "", part[8] = "";
        if (r->count)
            snprintf(index, sizeof index, "%" PRIu64, number);
        if (byte)
            snprintf(part, sizeof part, "+%u", (unsigned)byte);
        snprintf(name, size, "%s%s%s", r->name, index, part);
        return true;
    }
    return false;
}

void vdev_register_name(const struct vdev *v, unsigned region, uint64_t offset, char *name,
                        size_t size)
{
    uint64_t from_start = offset;
    const struct vdev_register *table =
        v->type->registers ? v->type->registers(v, region, &offset) : NULL;
    if (!table || !find(table, offset, name, size))
        snprintf(name, size, "register offset 0x%" PRIx64, from_start);
}
