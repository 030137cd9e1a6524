#include "qvm/gdb/gdb_points.h"

#define POINTS (sizeof((struct gdb_points *)0)->list / sizeof((struct gdb_points *)0)->list[0])

/* Its place, or `count`. */
static size_t find(const struct gdb_points *p, enum gdb_point point, uint64_t address,
                   uint64_t size)
{
    size_t i = 0;
    while (i < p->count &&
           (p->list[i].point != point || p->list[i].address != address || p->list[i].size != size))
        i++;
    return i;
}

/* For the target both kinds of breakpoints are one. */
static bool target_has(const struct gdb_points *p, enum gdb_point point, uint64_t address,
                       uint64_t size)
{
    if (point == GDB_BREAK_SOFTWARE || point == GDB_BREAK_HARDWARE)
        return find(p, GDB_BREAK_SOFTWARE, address, size) < p->count ||
               find(p, GDB_BREAK_HARDWARE, address, size) < p->count;
    return find(p, point, address, size) < p->count;
}

bool gdb_points_insert(struct gdb_points *p, struct gdb_target *target, enum gdb_point point,
                       uint64_t address, uint64_t size)
{
    if (find(p, point, address, size) < p->count)
        return true;
    if (p->count == POINTS || (!target_has(p, point, address, size) &&
                               !target->insert(target->context, point, address, size)))
        return false;
    p->list[p->count].point = point;
    p->list[p->count].address = address;
    p->list[p->count++].size = size;
    return true;
}

void gdb_points_remove(struct gdb_points *p, struct gdb_target *target, enum gdb_point point,
                       uint64_t address, uint64_t size)
{
    size_t i = find(p, point, address, size);
    if (i == p->count)
        return;
    p->list[i] = p->list[--p->count];
    if (!target_has(p, point, address, size))
        target->remove(target->context, point, address, size);
}

void gdb_points_remove_all(struct gdb_points *p, struct gdb_target *target)
{
    while (p->count > 0) {
        size_t last = p->count - 1;
        gdb_points_remove(p, target, p->list[last].point, p->list[last].address,
                          p->list[last].size);
    }
}

bool gdb_points_has(const struct gdb_points *p, enum gdb_point point, uint64_t address)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].point == point && p->list[i].address == address)
            return true;
    return false;
}
