/* `vdev pvpanic loc ADDR`: how a guest's kernel says that it has crashed; the memory-mapped form of
 * QEMU's pvpanic (its specification "PVPANIC DEVICE", Linux' binding "qemu,pvpanic-mmio").
 *
 * One byte, in a region of two: a read gives the events that can be told, a write tells them. A
 * panic ends the VM; with a crash kernel loaded the guest goes on, to take its own dump. */

#include "vdev/vdev.h"

enum { EVENT_PANICKED = 1 << 0, EVENT_CRASH_LOADED = 1 << 1, EVENTS = 3 };

/* Ends that nobody meant: as when a guest waits for ever. */
enum { EXIT_STATUS_UNEXPECTED = 7 };

struct pvpanic {
    struct vdev v;
};
static const struct field pvpanic_fields[] = {FIELD_END};

static bool pvpanic_ranges(struct vdev *v, unsigned vcpus, struct error *e)
{
    (void)vcpus;
    (void)e;
    vdev_add_region(v, v->loc, 2, NULL);
    return true;
}

static void tell(const struct vdev_env *env, uint8_t events)
{
    static const char why[] = "the guest's kernel panicked";
    if (events & ~EVENTS)
        log_guest(env->log, "pvpanic: unknown events %#x", events & ~EVENTS);
    if (events & EVENT_PANICKED && env->request_exit)
        env->request_exit(env->context, EXIT_STATUS_UNEXPECTED, why);
    else if (events & EVENT_CRASH_LOADED)
        log_write(env->log, LOG_SEVERITY_WARN, "%s, and its crash kernel goes on", why);
}

static enum bus_answer pvpanic_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    (void)region;
    if (a->offset != 0 || a->size > 2)
        return BUS_NOBODY;
    if (a->is_write)
        tell(v->env, (uint8_t)a->value);
    else
        a->value = EVENTS;
    return BUS_HANDLED;
}

static void pvpanic_describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "qemu,pvpanic-mmio";
    vdev_describe_begin(v, d, "pvpanic", compatible, sizeof compatible);
    d->end_node(d->context);
}

const struct vdev_type pvpanic_type = {
    .name = "pvpanic",
    .summary = "tells that the guest's kernel has panicked, which ends the VM (Linux: "
               "CONFIG_PVPANIC_MMIO)",
    .size = sizeof(struct pvpanic),
    .fields = pvpanic_fields,
    .ranges = pvpanic_ranges,
    .access = pvpanic_access,
    .describe = pvpanic_describe,
};
