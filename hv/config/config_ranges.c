#include "hv/config/config_ranges.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/config/config_internal.h"

struct list {
    struct config_range *items;
    size_t count;
};

__attribute__((format(printf, 6, 7))) static void add(struct list *list, uint64_t start,
                                                      uint64_t size, enum range_kind kind,
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

/* The number that an option gives; a default if it is absent, none if it is wrong. */
static uint64_t option_address(const struct vdev_config *vdev, const char *name, uint64_t otherwise,
                               enum number_kind kind)
{
    uint64_t value = otherwise;
    for (size_t i = 0; i < vdev->option_count; i++) {
        const char *text = vdev->options[i].value;
        if (!strcmp(vdev->options[i].name, name) &&
            (number_parse(text, strlen(text), kind, &value) != NUMBER_OK || value >= GUEST_SPACE))
            value = ADDRESS_BAD;
    }
    return value;
}

/* `msi ADDR,FIRST,COUNT`: what is wrong in it, the device says. */
static void add_msi(struct list *list, const struct vdev_config *vdev)
{
    for (size_t i = 0; i < vdev->option_count; i++) {
        const char *text = vdev->options[i].value;
        uint64_t value;
        if (!strcmp(vdev->options[i].name, "msi") &&
            number_parse(text, strcspn(text, ","), NUMBER_ADDRESS, &value) == NUMBER_OK &&
            value < GUEST_SPACE)
            add(list, value, PAGE_SIZE, RANGE_VDEV, vdev->place, "gic msi");
    }
}

/* Frames of the GIC: IHI 0069H (version 3), IHI 0048B (version 2). */
static void add_gic(struct list *list, const struct vdev_config *vdev, size_t vcpus)
{
    bool is_v2 = option_address(vdev, "version", 3, NUMBER_PLAIN) == 2;
    uint64_t gicd = option_address(vdev, "gicd", vdev->loc, NUMBER_ADDRESS);
    add(list, gicd, is_v2 ? 0x1000 : 0x10000, RANGE_VDEV, vdev->place, "gic distributor");
    if (is_v2)
        add(list, option_address(vdev, "gicc", GIC_GICC_DEFAULT, NUMBER_ADDRESS), 0x2000,
            RANGE_VDEV, vdev->place, "gic CPU interface");
    else
        add(list, option_address(vdev, "gicr", GIC_GICR_DEFAULT, NUMBER_ADDRESS), vcpus * 0x20000,
            RANGE_VDEV, vdev->place, "gic redistributors");
    add_msi(list, vdev);
}

static void add_vdev(struct list *list, const struct vdev_config *vdev, size_t vcpus)
{
    const char *type = vdev->type->name, *name = vdev->name ? vdev->name : "";
    bool is_virtio = !strncmp(type, "virtio-", 7); /* registers and 256 bytes of configuration */
    if (!strcmp(type, "gic"))
        add_gic(list, vdev, vcpus);
    else
        add(list, vdev->loc, is_virtio ? 0x200 : PAGE_SIZE, RANGE_VDEV, vdev->place, "%s%s%s%s",
            type, *name ? " '" : "", name, *name ? "'" : "");
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
