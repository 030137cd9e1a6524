/* `vdev exit loc ADDR`: how a test guest ends its VM, and the example to copy for a new device.
 *
 * A 32-bit write of N to the register at offset 0 ends the VM with status 32 + (N & 31), the range
 * that belongs to the user; a write of all ones ends it with status 0. Reads give 0. */

#include "vdev/vdev.h"

/* A device's struct begins with struct vdev; its own state would follow, and be in the table. */
struct exit_vdev {
    struct vdev v;
};
static const struct field exit_fields[] = {FIELD_END};

/* Called for each access inside a region. What is not a register of ours is BUS_NOBODY. */
static enum bus_answer exit_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    (void)region;
    if (a->offset != 0 || a->size != 4)
        return BUS_NOBODY;
    uint32_t n = (uint32_t)a->value;
    if (!a->is_write)
        a->value = 0;
    else if (v->env->request_exit)
        v->env->request_exit(v->env->context, n == UINT32_MAX ? 0 : 32 + (int)(n & 31),
                             "the guest wrote to vdev exit");
    return BUS_HANDLED;
}

static void exit_describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "qvm,exit";
    vdev_describe_begin(v, d, "exit", compatible, sizeof compatible);
    d->end_node(d->context);
}

const struct vdev_type exit_type = {
    /* to be listed in all.c */
    .name = "exit",
    .summary = "ends the VM with a status of the guest's choice",
    .size = sizeof(struct exit_vdev),
    .fields = exit_fields,
    .ranges = vdev_one_page, /* it answers in the page at `loc` */
    .access = exit_access,
    .describe = exit_describe,
};
