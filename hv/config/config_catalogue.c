#include "hv/config/config_catalogue.h"

#include <stddef.h>
#include <string.h>

const struct known_vdev known_vdevs[] = {
    {"virtio-blk", false}, {"virtio-input", false}, {"virtio-fs", false}, {"virtio-gpu", false},
    {"virtio-snd", false}, {"virtio-video", false}, {"pci-dummy", false}, {"virtio-vsock", false},
    {"trace", false},      {"apic", true},          {"ioapic", true},     {"8259", true},
    {"hpet", true},        {"timer8254", true},     {"mc146818", true},   {"pckeyboard", true},
    {"ser8250", true},     {"wdt-ib700", true},     {"progress", true},   {NULL, false},
};

const struct known_vdev *known_vdev_find(const char *name)
{
    for (const struct known_vdev *v = known_vdevs; v->name; v++)
        if (!strcmp(v->name, name))
            return v;
    return NULL;
}
