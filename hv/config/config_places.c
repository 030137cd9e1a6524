/* Places and interrupt lines of devices that nobody gave one: the first that is free of everything
 * the configuration has, and of what `reserve` keeps. */
#include <stdlib.h>
#include <string.h>

#include "hv/config/config_internal.h"
#include "hv/config/config_ranges.h"

/* Behind the addresses that devices have by custom. */
#define PLACES_FROM ((uint64_t)0x1c100000)

static bool moves(uint64_t *at, uint64_t size, uint64_t start, uint64_t length)
{
    if (!ranges_overlap(*at, size, start, length))
        return false;
    *at = (start + length + PAGE_MASK) & ~PAGE_MASK;
    return true;
}

/* Each turn goes up, and past a range at least. */
static uint64_t free_place(const struct vm_config *c, uint64_t size)
{
    size_t count;
    struct config_range *ranges = config_ranges(c, &count);
    uint64_t at = PLACES_FROM;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < count; i++)
            moved |= moves(&at, size, ranges[i].start, ranges[i].size);
        for (size_t i = 0; i < c->reserve_count; i++)
            moved |= moves(&at, size, c->reserves[i].base, c->reserves[i].length);
    }
    free(ranges);
    return range_inside(at, size, GUEST_SPACE) ? at : ADDRESS_BAD;
}

static bool is_taken(const struct vm_config *c, unsigned line)
{
    bool taken = false;
    for (size_t i = 0; i < c->vdev_count; i++)
        taken |= c->vdevs[i].has_intr && c->vdevs[i].intr_line == line;
    for (size_t i = 0; i < c->pass_intr_count; i++)
        taken |= c->pass_intrs[i].line == line;
    for (size_t i = 0; i < c->reserve_intr_count; i++)
        taken |= c->reserve_intrs[i].number == line;
    return taken;
}

static void give_line(struct parser *p, struct vdev_config *vdev)
{
    const struct pic_type *pic = p->pic->pic;
    unsigned line = pic->first_shared;
    while (line <= pic->last_line && is_taken(p->config, line))
        line++;
    vdev->has_intr = true;
    vdev->intr_line = line;
    vdev->intr_pic = strings_keep(&p->config->strings, p->pic_name, strlen(p->pic_name));
    if (line > pic->last_line)
        errors_add(p->errors, vdev->place, "vdev %s: no interrupt line is free", vdev->type->name);
}

void parser_give_places(struct parser *p)
{
    struct vm_config *c = p->config;
    for (size_t i = 0; i < c->vdev_count; i++) {
        struct vdev_config *vdev = &c->vdevs[i];
        if (!vdev->type->is_placed)
            continue;
        if (!vdev->has_loc) {
            vdev->loc = free_place(c, PAGE_SIZE);
            vdev->has_loc = true;
        }
        if (vdev->type->needs_intr && !vdev->has_intr)
            give_line(p, vdev);
    }
}
