/* Where devices answer. */
#include "emu/check.h"
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
    return v->type->ranges(v, v->env->vcpu_count, e) && (!v->type->create || v->type->create(v, e));
}
