#include "vdev/bus.h"

#include <inttypes.h>
#include <stdlib.h>

#include "emu/check.h"

/* The first region whose base is above `at`. */
static size_t upper_bound(const struct bus *bus, uint64_t at)
{
    size_t low = 0, high = bus->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bus->regions[middle].base <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool overlap_error(struct error *e, const struct vdev *v, const struct vdev_region *r,
                          const struct bus_region *other)
{
    return error_set(e,
                     "vdev %s at %#" PRIx64 " (%#" PRIx64 " bytes) overlaps vdev %s at %#" PRIx64
                     " (%#" PRIx64 " bytes)",
                     v->name, r->base, r->size, other->vdev->name, other->base, other->size);
}

static void grow(struct bus *bus)
{
    if (bus->count < bus->capacity)
        return;
    bus->capacity = bus->capacity ? bus->capacity * 2 : 16;
    bus->regions = realloc(bus->regions, bus->capacity * sizeof bus->regions[0]);
    CHECK_ROOM(bus->regions);
}

bool bus_open(struct bus *bus, struct vdev *v, unsigned index, struct vdev_region region,
              struct error *e)
{
    const struct vdev_region *r = &region;
    if (r->size == 0 || !range_inside(r->base, r->size - 1, UINT64_MAX))
        return error_set(e, "vdev %s at %#" PRIx64 ": %#" PRIx64 " bytes do not fit there", v->name,
                         r->base, r->size);
    size_t at = upper_bound(bus, r->base);
    if (at > 0 && r->base - bus->regions[at - 1].base < bus->regions[at - 1].size)
        return overlap_error(e, v, r, &bus->regions[at - 1]);
    if (at < bus->count && bus->regions[at].base - r->base < r->size)
        return overlap_error(e, v, r, &bus->regions[at]);
    grow(bus);
    for (size_t i = bus->count; i > at; i--)
        bus->regions[i] = bus->regions[i - 1];
    bus->regions[at] =
        (struct bus_region){.base = r->base, .size = r->size, .vdev = v, .index = index};
    bus->count++;
    return true;
}

bool bus_add(struct bus *bus, struct vdev *v, struct error *e)
{
    for (unsigned i = 0; i < v->region_count; i++)
        if (!bus_open(bus, v, i, v->regions[i], e))
            return false;
    return true;
}

void bus_close(struct bus *bus, const struct vdev *v, unsigned index)
{
    size_t at = 0;
    while (at < bus->count && (bus->regions[at].vdev != v || bus->regions[at].index != index))
        at++;
    CHECK(at < bus->count);
    bus->count--;
    for (; at < bus->count; at++)
        bus->regions[at] = bus->regions[at + 1];
    bus->last = 0;
}

void bus_close_opened(struct bus *bus)
{
    size_t kept = 0;
    for (size_t i = 0; i < bus->count; i++)
        if (bus->regions[i].index < VDEV_REGIONS_MAX)
            bus->regions[kept++] = bus->regions[i];
    bus->count = kept;
    bus->last = 0;
}

void bus_free(struct bus *bus)
{
    free(bus->regions);
    *bus = (struct bus){0};
}

struct bus_region *bus_find(struct bus *bus, gpa_t at)
{
    if (bus->last < bus->count) {
        struct bus_region *last = &bus->regions[bus->last];
        if (at.v - last->base < last->size)
            return last;
    }
    size_t above = upper_bound(bus, at.v);
    if (above == 0 || at.v - bus->regions[above - 1].base >= bus->regions[above - 1].size)
        return NULL;
    bus->last = above - 1;
    return &bus->regions[bus->last];
}

const struct bus_region *bus_next(const struct bus *bus, gpa_t at)
{
    size_t above = upper_bound(bus, at.v);
    if (above > 0 && at.v - bus->regions[above - 1].base < bus->regions[above - 1].size)
        above--;
    return above < bus->count ? &bus->regions[above] : NULL;
}

enum bus_answer bus_access(struct bus *bus, gpa_t at, struct bus_access *a)
{
    return bus_access_region(bus_find(bus, at), at, a);
}

enum bus_answer bus_access_region(struct bus_region *r, gpa_t at, struct bus_access *a)
{
    enum bus_answer answer = BUS_NOBODY;
    if (r && range_inside(at.v - r->base, a->size, r->size)) {
        a->offset = at.v - r->base;
        if (a->is_write)
            r->writes++;
        else
            r->reads++;
        answer = r->vdev->type->access(r->vdev, r->index, a);
    }
    if (answer != BUS_HANDLED && !a->is_write)
        a->value = 0;
    return answer;
}

void bus_counts(const struct bus *bus, const struct vdev *v, uint64_t *reads, uint64_t *writes)
{
    *reads = *writes = 0;
    for (size_t i = 0; i < bus->count; i++) {
        if (bus->regions[i].vdev != v)
            continue;
        *reads += bus->regions[i].reads;
        *writes += bus->regions[i].writes;
    }
}
