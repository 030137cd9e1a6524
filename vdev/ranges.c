/* Where devices answer, and how they come into being. */
#include "emu/check.h"
#include "emu/state.h"
#include "vdev/vdev.h"

void vdev_add_region(struct vdev *v, uint64_t base, uint64_t size, const char *name)
{
    CHECK(v->region_count < VDEV_REGIONS_MAX);
    v->region_names[v->region_count] = name;
    v->regions[v->region_count++] = (struct vdev_region){base, size};
}

bool vdev_one_page(struct vdev *v, unsigned vcpus, struct error *e)
{
    (void)vcpus;
    (void)e;
    vdev_add_region(v, v->loc, PAGE_SIZE, NULL);
    return true;
}

bool vdev_create(struct vdev *v, struct error *e)
{
    v->port_count = vdev_port_count(v);
    return v->type->ranges(v, v->env->vcpu_count, e) && (!v->type->create || v->type->create(v, e));
}

void vdev_visit(struct vdev *v, struct state *s)
{
    struct vdev_part part = {v, v->type->fields};
    for (unsigned i = 0; part.fields; i++) {
        state_fields(s, part.fields, part.object);
        part = v->type->part ? v->type->part(v, i) : (struct vdev_part){0};
    }
}
