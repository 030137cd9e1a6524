/* The virtio MMIO transport, version 2 (virtio 1.2, section 4.2): where the registers of a device
 * are (vdev/virtio/virtio.h), and its node in the device tree. These are for the type of a device
 * that embeds `struct virtio_device` first. */
#ifndef VDEV_VIRTIO_VIRTIO_MMIO_H
#define VDEV_VIRTIO_VIRTIO_MMIO_H

#include "vdev/virtio/virtio.h"

bool virtio_mmio_ranges(struct vdev *v, unsigned vcpus, struct error *e);
enum bus_answer virtio_mmio_access(struct vdev *v, unsigned region, struct bus_access *a);
const struct vdev_register *virtio_mmio_registers(const struct vdev *v, unsigned region,
                                                  uint64_t *offset);
void virtio_mmio_describe(struct vdev *v, const struct describer *d);

#endif
