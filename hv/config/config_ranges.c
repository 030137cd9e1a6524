#include "emu/text.h"
#include "hv/config/config_ranges.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hv/config/config_internal.h"

struct list {
    struct config_range *items;
    size_t count;
};

TEXT_PRINTF(6, 7)
static void add(struct list *list, uint64_t start, uint64_t size, enum range_kind kind,
                struct place place, const char *format, ...)
{
    if (start == ADDRESS_BAD)
        return;
    list->items = array_grow(list->items, list->count, sizeof *list->items);
    struct config_range *range = &list->items[list->count++];
    range->start = start;
    range->size = size;
    range->kind = kind;
    range->place = place;
    va_list args;
    va_start(args, format);
    vsnprintf(range->what, sizeof range->what, format, args);
    va_end(args);
}

bool config_memory(const struct vm_config *c, size_t i, struct memory_range *range)
{
    if (i < c->ram_count) {
        *range = (struct memory_range){c->rams[i].start, c->rams[i].length, c->rams[i].is_rom};
        return true;
    }
    i -= c->ram_count;
    for (size_t k = 0; k < c->pass_count; k++)
        if (c->passes[k].m && i-- == 0) {
            *range = (struct memory_range){c->passes[k].guest, c->passes[k].length, false};
            return true;
        }
    return false;
}

const char *config_vdev_name(const struct vdev_config *vdev)
{
    return vdev->name ? vdev->name : vdev->type->name;
}

bool config_vdev_ranges(const struct vdev_config *c, size_t vcpus, struct vdev *v, struct error *e)
{
    *v = (struct vdev){
        .type = c->type, .loc = c->loc, .options = c->options, .option_count = c->option_count};
    return c->loc == ADDRESS_BAD || c->type->ranges(v, (unsigned)vcpus, e);
}

/* What is wrong with a device that has no ranges was said when the configuration was finished. */
static void add_vdev(struct list *list, const struct vdev_config *vdev, size_t vcpus)
{
    const char *type = vdev->type->name, *name = vdev->name ? vdev->name : "";
    struct vdev v;
    struct error ignored = {0};
    if (!config_vdev_ranges(vdev, vcpus, &v, &ignored))
        return;
    for (size_t i = 0; i < v.region_count; i++) {
        const struct vdev_region *r = &v.regions[i];
        if (v.region_names[i])
            add(list, r->base, r->size, RANGE_VDEV, vdev->place, "%s %s", type, v.region_names[i]);
        else
            add(list, r->base, r->size, RANGE_VDEV, vdev->place, "%s%s%s%s", type,
                *name ? " '" : "", name, *name ? "'" : "");
    }
}

static int by_start(const void *left, const void *right)
{
    const struct config_range *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return (a->place.line > b->place.line) - (a->place.line < b->place.line);
}

struct config_range *config_ranges(const struct vm_config *c, size_t *count)
{
    struct list list = {0};
    for (size_t i = 0; i < c->ram_count; i++)
        add(&list, c->rams[i].start, c->rams[i].length, c->rams[i].is_rom ? RANGE_ROM : RANGE_RAM,
            c->rams[i].place, "%s", "");
    for (size_t i = 0; i < c->vdev_count; i++)
        add_vdev(&list, &c->vdevs[i], c->cpu_count);
    for (size_t i = 0; i < c->pass_count; i++)
        if (!c->passes[i].is_io)
            add(&list, c->passes[i].guest, c->passes[i].length, RANGE_PASS, c->passes[i].place,
                "from host 0x%llx", (unsigned long long)c->passes[i].host);
    if (list.count)
        qsort(list.items, list.count, sizeof *list.items, by_start);
    *count = list.count;
    return list.items;
}

const char *range_kind_name(enum range_kind kind)
{
    static const char *const names[] = {"ram", "rom", "vdev", "pass"};
    return names[kind];
}
