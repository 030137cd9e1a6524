#include "qvm/gdb_points.h"

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

bool gdb_points_insert(struct gdb_points *p, struct gdb_target *target, enum gdb_point point,
                       uint64_t address, uint64_t size)
{
    if (find(p, point, address, size) < p->count)
        return true;
    if (p->count == POINTS || !target->insert(target->context, point, address, size))
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
    target->remove(target->context, point, address, size);
    p->list[i] = p->list[--p->count];
}

void gdb_points_remove_all(struct gdb_points *p, struct gdb_target *target)
{
    for (; p->count > 0; p->count--)
        target->remove(target->context, p->list[p->count - 1].point, p->list[p->count - 1].address,
                       p->list[p->count - 1].size);
}

bool gdb_points_has(const struct gdb_points *p, enum gdb_point point, uint64_t address)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].point == point && p->list[i].address == address)
            return true;
    return false;
}
