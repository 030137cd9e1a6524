/* The virtio MMIO transport, version 2 (virtio 1.2, section 4.2), and what every virtio device has:
 * status, feature negotiation, virtqueues, interrupt.
 *
 * A device embeds `struct virtio_device` behind its `struct vdev`, lists VIRTIO_FIELDS and
 * VIRTIO_QUEUE_FIELDS of each of its queues in its field table, calls virtio_init from `create` and
 * virtio_restored from `restored`, and hands its accesses to virtio_access. What an access means
 * for the device comes back by the callbacks of its `struct virtio_type`.
 *
 * A driver whose queues make no sense gets DEVICE_NEEDS_RESET (2.1.2) and is not served until it
 * resets the device. */
#ifndef VDEV_VIRTIO_VIRTIO_MMIO_H
#define VDEV_VIRTIO_VIRTIO_MMIO_H

#include "vdev/virtio/virtqueue.h"

enum { VIRTIO_QUEUES_MAX = 3, VIRTIO_CONFIG_MAX = 0x100, VIRTIO_REGION_SIZE = 0x200 };

/* What the transport offers in each device's place: VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX and
 * VIRTIO_F_VERSION_1 (6). */
#define VIRTIO_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX     (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1     (UINT64_C(1) << 32)

struct virtio_type {
    uint32_t device_id;       /* section 5 */
    uint64_t device_features; /* beyond those of the transport */
    unsigned queue_count;
    uint16_t queue_size_max[VIRTIO_QUEUES_MAX]; /* powers of two, up to VIRTQUEUE_SIZE_MAX */
    unsigned config_size;                       /* of the device's configuration space */
    /* The configuration space as it is now, little-endian, into zeroed bytes. May be NULL. */
    void (*read_config)(const struct vdev *v, uint8_t *config);
    /* An aligned write of 1, 2 or 4 bytes inside the configuration space. May be NULL. */
    void (*write_config)(struct vdev *v, unsigned offset, unsigned size, uint32_t value);
    /* The driver has work in a queue, or virtio_later says it is time. Only when it is live. */
    void (*notify)(struct vdev *v, unsigned queue);
    /* The driver has reset the device: the queues are gone. May be NULL. */
    void (*reset)(struct vdev *v);
};

struct virtio_device {
    struct vdev *v;
    const struct virtio_type *type;
    struct event work;
    uint64_t work_ticks; /* when virtio_later's queues are due, or EVENT_NEVER */
    uint32_t work_queues;
    uint32_t device_features_select, driver_features_select, queue_select;
    uint64_t driver_features;
    uint8_t status, interrupt_status;
    struct virtqueue queues[VIRTIO_QUEUES_MAX];
};

#define VIRTIO_FIELDS(type, d)                                                                     \
    FIELD(type, d.work_ticks), FIELD(type, d.work_queues), FIELD(type, d.device_features_select),  \
        FIELD(type, d.driver_features_select), FIELD(type, d.queue_select),                        \
        FIELD(type, d.driver_features), FIELD(type, d.status), FIELD(type, d.interrupt_status)
#define VIRTIO_QUEUE_FIELDS(type, d, number) VIRTQUEUE_FIELDS(type, d.queues[number])

/* `ranges` of its type. */
bool virtio_ranges(struct vdev *v, unsigned vcpus, struct error *e);
/* Life: from `create`; `restored`; `destroy`; `describe`. */
void virtio_init(struct virtio_device *d, struct vdev *v, const struct virtio_type *type);
void virtio_restored(struct virtio_device *d);
void virtio_destroy(struct virtio_device *d);
void virtio_describe(const struct virtio_device *d, const struct describer *describer);

enum bus_answer virtio_access(struct virtio_device *d, struct bus_access *a);
const struct vdev_register *virtio_registers(const struct vdev *v, unsigned region,
                                             uint64_t *offset);

/* The driver has set DRIVER_OK, and nothing was wrong since. */
bool virtio_is_live(const struct virtio_device *d);
/* The next chain of a queue, until virtio_use gives it back. False: there is none, or not now. */
bool virtio_next(struct virtio_device *d, unsigned queue, struct virtq_chain *chain);
/* As those of a chain. False: not in the guest's memory, and the device needs a reset now. */
bool virtio_read(struct virtio_device *d, const struct virtq_chain *chain, uint64_t offset,
                 void *to, size_t size);
bool virtio_write(struct virtio_device *d, const struct virtq_chain *chain, uint64_t offset,
                  const void *from, size_t size);
bool virtio_use(struct virtio_device *d, unsigned queue, const struct virtq_chain *chain,
                uint32_t written);
/* After one or more virtio_use: interrupts the driver if it wants to know. */
void virtio_signal(struct virtio_device *d, unsigned queue);
/* `notify` is to come again for this queue a little later: what one call does is bounded. */
void virtio_later(struct virtio_device *d, unsigned queue);
/* The driver has done what cannot be; `why` is for the log. */
void virtio_break(struct virtio_device *d, const char *why);

#endif
