/* What every virtio device has (virtio 1.2, section 2), whatever bus it is on: status, feature
 * negotiation, virtqueues, the interrupt and its cause, configuration space.
 *
 * A device embeds `struct virtio_device` first, lists VIRTIO_FIELDS and VIRTIO_QUEUE_FIELDS of each
 * of its queues in its field table, calls virtio_init from `create`, and has virtio_restored and
 * virtio_destroy in its type, and the functions of a transport (virtio_mmio.h): registers, and
 * where they are. What a driver does to it comes back by the callbacks of its `struct virtio_type`;
 * it moves data by chains of buffers.
 *
 * A driver whose queues make no sense gets DEVICE_NEEDS_RESET (2.1.2) and is not served until it
 * resets the device. */
#ifndef VDEV_VIRTIO_VIRTIO_H
#define VDEV_VIRTIO_VIRTIO_H

#include "vdev/virtio/virtqueue.h"

enum { VIRTIO_QUEUES_MAX = 32, VIRTIO_CONFIG_MAX = 0x100 };

/* What is offered in each device's place (6), VIRTIO_F_ACCESS_PLATFORM only behind an SMMU: by it
 * drivers learn that the device does not see memory where they do. */
#define VIRTIO_F_INDIRECT_DESC   (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX       (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1       (UINT64_C(1) << 32)
#define VIRTIO_F_ACCESS_PLATFORM (UINT64_C(1) << 33)
#define VIRTIO_F_RING_PACKED     (UINT64_C(1) << 34)
#define VIRTIO_F_IN_ORDER        (UINT64_C(1) << 35)
#define VIRTIO_F_RING_RESET      (UINT64_C(1) << 40)

struct virtio_type {
    uint32_t device_id;       /* section 5 */
    uint64_t device_features; /* beyond those that all devices offer */
    unsigned queue_count;
    uint16_t queue_size_max; /* of each; a power of two, up to VIRTQUEUE_SIZE_MAX */
    unsigned config_size;    /* of the device's configuration space */
    /* The configuration space as it is now, little-endian, into zeroed bytes. May be NULL. */
    void (*read_config)(const struct vdev *v, uint8_t *config);
    /* An aligned write of 1, 2 or 4 bytes inside the configuration space. May be NULL. */
    void (*write_config)(struct vdev *v, unsigned offset, unsigned size, uint32_t value);
    /* The driver has work in a queue, or virtio_later says it is time. Only when it is live. */
    void (*notify)(struct vdev *v, unsigned queue);
    /* The driver has reset the device: the queues are gone. May be NULL. */
    void (*reset)(struct vdev *v);
    /* A queue is no longer ready: what was begun of its next chain is given up. May be NULL. */
    void (*queue_stopped)(struct vdev *v, unsigned queue);
};

struct virtio_device {
    struct vdev v; /* first */
    const struct virtio_type *type;
    /* What this one has beyond its type, by its options: no state. */
    uint64_t own_features;
    unsigned own_queues;
    struct event work;
    uint64_t work_ticks; /* when virtio_later's queues are due, or EVENT_NEVER */
    uint32_t work_queues;
    /* Every transport has these three registers (4.1.4.3, 4.2.2): which half of the features, and
     * which queue, others are about. */
    uint32_t device_features_select, driver_features_select, queue_select;
    uint64_t driver_features;
    uint8_t status, interrupt_status;
    uint32_t config_generation; /* state of devices that call virtio_config_changed */
    struct virtqueue queues[VIRTIO_QUEUES_MAX];
};

#define VIRTIO_FIELDS(type, d)                                                                     \
    FIELD(type, d.work_ticks), FIELD(type, d.work_queues), FIELD(type, d.device_features_select),  \
        FIELD(type, d.driver_features_select), FIELD(type, d.queue_select),                        \
        FIELD(type, d.driver_features), FIELD(type, d.status), FIELD(type, d.interrupt_status)
#define VIRTIO_QUEUE_FIELDS(type, d, number) VIRTQUEUE_FIELDS(type, d.queues[number])

/* For devices --------------------------------------------------------------------------------- */

/* From `create`: the struct is zeroed but for its base. The others are for the device's type. */
void virtio_init(struct virtio_device *d, const struct virtio_type *type);
void virtio_restored(struct vdev *v);
void virtio_destroy(struct vdev *v);

/* A driver runs, and the device can do its work. */
bool virtio_is_live(const struct virtio_device *d);
/* The same, and there is this queue. */
bool virtio_is_ready(const struct virtio_device *d, unsigned queue);
/* The next chain of a queue, until virtio_use gives it back. False: there is none, or not now. */
bool virtio_next(struct virtio_device *d, unsigned queue, struct virtq_chain *chain);
/* The same of the one that begins so many slots (struct virtq_chain) behind the start of that. */
bool virtio_look(struct virtio_device *d, unsigned queue, unsigned ahead,
                 struct virtq_chain *chain);
/* As those of a chain. False: a DMA fault, and the device needs a reset now. */
bool virtio_read(struct virtio_device *d, const struct virtq_chain *chain, uint64_t offset,
                 void *to, size_t size);
bool virtio_write(struct virtio_device *d, const struct virtq_chain *chain, uint64_t offset,
                  const void *from, size_t size);
bool virtio_use(struct virtio_device *d, unsigned queue, const struct virtq_chain *chain,
                uint32_t written);
/* After one or more virtio_use: interrupts the driver if it wants to know. */
void virtio_signal(struct virtio_device *d, unsigned queue);
/* The configuration space is another one now (2.5): tells a driver that runs. */
void virtio_config_changed(struct virtio_device *d);
/* `notify` is to come again for this queue a little later: what one call does is bounded. */
void virtio_later(struct virtio_device *d, unsigned queue);

/* How many queues there are, of which the driver may use each. */
static inline unsigned virtio_queue_count(const struct virtio_device *d)
{
    return d->type->queue_count + d->own_queues;
}

/* For transports ------------------------------------------------------------------------------ */

/* The selected half of what the device offers; of a half that does not exist, 0. */
uint32_t virtio_features(const struct virtio_device *d);
/* The selected half of what the driver accepts. */
void virtio_accept(struct virtio_device *d, uint32_t value);
/* Device status: the driver adds bits, or resets the device by 0 (2.1). */
void virtio_write_status(struct virtio_device *d, uint32_t value);

/* The selected queue, or NULL; and how long it may be, 0 without one. */
const struct virtqueue *virtio_selected(const struct virtio_device *d);
unsigned virtio_selected_max(const struct virtio_device *d);
/* A part of the selected queue is written; of the three addresses a half (0: bits 31 to 0). 1 to
 * its reset, with VIRTIO_F_RING_RESET, makes all of it as it was before the driver wrote any. */
enum virtio_queue_part {
    VIRTIO_QUEUE_SIZE,
    VIRTIO_QUEUE_READY,
    VIRTIO_QUEUE_RESET,
    VIRTIO_QUEUE_DESCRIPTORS,
    VIRTIO_QUEUE_DRIVER,
    VIRTIO_QUEUE_DEVICE,
};
void virtio_write_queue(struct virtio_device *d, enum virtio_queue_part part, unsigned half,
                        uint32_t value);
/* The driver has made buffers of that queue available. */
void virtio_notify(struct virtio_device *d, uint32_t queue);
/* The driver has seen these causes of the interrupt. */
void virtio_acknowledge(struct virtio_device *d, uint32_t causes);

/* An aligned access of 1, 2 or 4 bytes at `offset` of the configuration space, which ends at
 * VIRTIO_CONFIG_MAX for every device. */
void virtio_access_config(struct virtio_device *d, unsigned offset, struct bus_access *a);

#endif
