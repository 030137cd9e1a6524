#include "hv/config_catalogue.h"

#include <string.h>

#define FLAG(name)                                                                                 \
    {                                                                                              \
        name, false, false                                                                         \
    }
#define ONE(name)                                                                                  \
    {                                                                                              \
        name, true, false                                                                          \
    }
#define REPEATABLE(name)                                                                           \
    {                                                                                              \
        name, true, true                                                                           \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, false, false                                                                         \
    }

static const struct known_option gic[] = {ONE("version"), ONE("gicd"), ONE("gicc"),
                                          ONE("gicr"),    ONE("msi"),  END};
static const struct known_option pl011[] = {ONE("batch"), ONE("delayed"), REPEATABLE("hostdev"),
                                            ONE("sched"), END};
static const struct known_option console[] = {FLAG("delayed"), REPEATABLE("hostdev"),
                                              FLAG("legacy"), ONE("sched"), END};
static const struct known_option blk[] = {FLAG("delayed"), ONE("dio"),     REPEATABLE("hostdev"),
                                          FLAG("legacy"),  ONE("threads"), END};
static const struct known_option net[] = {ONE("bind-mode"), FLAG("legacy"), ONE("mac"), ONE("peer"),
                                          ONE("peerfeats"), ONE("tapdev"),  END};
static const struct known_option entropy[] = {REPEATABLE("hostdev"), FLAG("legacy"), END};
static const struct known_option shmem[] = {REPEATABLE("allow"), REPEATABLE("deny"),
                                            REPEATABLE("create"), END};
static const struct known_option sp805[] = {ONE("action"), ONE("frequency"), END};
static const struct known_option none[] = {END};

const struct known_vdev known_vdevs[] = {
    {"gic", false, gic},
    {"pl011", false, pl011},
    {"virtio-console", false, console},
    {"virtio-blk", false, blk},
    {"virtio-net", false, net},
    {"virtio-entropy", false, entropy},
    {"shmem", false, shmem},
    {"smmu", false, none},
    {"wdt-sp805", false, sp805},
    {"virtio-input", false, NULL},
    {"virtio-fs", false, NULL},
    {"virtio-gpu", false, NULL},
    {"virtio-snd", false, NULL},
    {"virtio-video", false, NULL},
    {"virtio-vsock", false, NULL},
    {"pci-dummy", false, NULL},
    {"trace", false, NULL},
    {"apic", true, NULL},
    {"ioapic", true, NULL},
    {"8259", true, NULL},
    {"hpet", true, NULL},
    {"timer8254", true, NULL},
    {"mc146818", true, NULL},
    {"pckeyboard", true, NULL},
    {"ser8250", true, NULL},
    {"wdt-ib700", true, NULL},
    {"progress", true, NULL},
    {NULL, false, NULL},
};

const struct known_vdev *known_vdev_find(const char *name)
{
    for (const struct known_vdev *v = known_vdevs; v->name; v++)
        if (!strcmp(v->name, name))
            return v;
    return NULL;
}

const struct known_option *known_option_find(const struct known_vdev *vdev, const char *name)
{
    if (!vdev || !vdev->options)
        return NULL;
    for (const struct known_option *o = vdev->options; o->name; o++)
        if (!strcmp(o->name, name))
            return o;
    return NULL;
}

bool config_option_has_argument(const struct vdev_type *type, const char *name)
{
    const struct known_option *known = known_option_find(known_vdev_find(type->name), name);
    return !known || known->has_argument;
}
