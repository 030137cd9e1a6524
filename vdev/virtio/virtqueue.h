/* Virtqueues, the device's side, in both formats (virtio 1.2, sections 2.7 and 2.8): split, where
 * what is available and what is used are rings of their own, and packed, where both are written
 * into the one ring of descriptors. The driver's areas are in memory and it may write anything into
 * them at any time, so everything read from there is checked each time: a queue that makes no sense
 * gives VIRTQ_BROKEN and a reason, never more. All memory is reached through the device's port
 * (vdev/dma.h); the areas are mapped once.
 *
 *     while (virtqueue_look(..., 0, ...) == VIRTQ_CHAIN) {
 *         virtq_chain_read(...), virtq_chain_write(...)
 *         virtqueue_use(...)
 *     }
 *
 * A chain stays the next one until it is used: a device may look at it, do a part of the work, and
 * look again later. So chains are used in the order in which they were made available, always. */
#ifndef VDEV_VIRTIO_VIRTQUEUE_H
#define VDEV_VIRTIO_VIRTQUEUE_H

#include "vdev/vdev.h"

/* The longest queue that a device may offer; a chain is never longer than its queue (2.7.5.3.1). */
#define VIRTQUEUE_SIZE_MAX 256

struct virtqueue {
    uint64_t descriptors, available, used; /* the three areas, by iova */
    uint32_t size;                         /* as the driver wrote it */
    /* Places in the ring. Split: an index that counts what was ever available. Packed: as the
     * manual writes one (2.8.14), an offset and in bit 15 the wrap counter. */
    uint16_t next_available; /* of the next chain to take */
    uint16_t next_used;      /* of the next used element to fill */
    uint16_t signalled;      /* next_used when the driver was last thought of (2.7.7.2) */
    uint8_t ready;
    /* No state: what is read, and the area that used elements are written to. */
    struct dma_mapping descriptor_area, driver_area, used_area;
};

#define VIRTQUEUE_FIELDS(type, q)                                                                  \
    FIELD(type, q.descriptors), FIELD(type, q.available), FIELD(type, q.used),                     \
        FIELD(type, q.size), FIELD(type, q.next_available), FIELD(type, q.next_used),              \
        FIELD(type, q.signalled), FIELD_UP_TO(type, q.ready, 1)

/* The same of one by itself. */
extern const struct field virtqueue_fields[];

/* What a queue works in: memory and what was negotiated. */
struct virtq_world {
    const struct dma_port *dma;
    bool is_packed;         /* VIRTIO_F_RING_PACKED */
    bool has_indirect;      /* VIRTIO_F_INDIRECT_DESC */
    bool has_event_index;   /* VIRTIO_F_EVENT_IDX */
    struct dma_fault fault; /* the last one that was met */
};

struct virtq_buffer {
    iova_t at;
    uint32_t size;
};

/* What the device may read comes first, then what it may write. */
struct virtq_chain {
    uint16_t id;    /* what the driver knows it by: its head, or the buffer ID */
    unsigned slots; /* of the ring, that it takes */
    unsigned count, readable_count;
    uint64_t readable_bytes, writable_bytes;
    struct virtq_buffer buffers[VIRTQUEUE_SIZE_MAX];
};

enum virtq_answer { VIRTQ_EMPTY, VIRTQ_CHAIN, VIRTQ_BROKEN };

/* The queue becomes ready, from its start: NULL, or what is wrong with size and addresses. The size
 * is one up to `size_max`, of a split queue a power of two; the areas are aligned (2.7, 2.8.10.1)
 * and inside the address space. Whether they are memory shows when they are used. */
const char *virtqueue_begin(struct virtqueue *q, const struct virtq_world *w, unsigned size_max);
/* Its fields were restored: one that could not be as it is is not ready. */
void virtqueue_restored(struct virtqueue *q, const struct virtq_world *w, unsigned size_max);

/* The functions below are for queues that are ready. False: a DMA fault. */

/* Tells the driver that it is wanted to notify. */
bool virtqueue_start(struct virtqueue *q, struct virtq_world *w);
/* The chain that begins so many slots behind the next one. `why` gets the reason of a refusal. */
enum virtq_answer virtqueue_look(struct virtqueue *q, struct virtq_world *w, unsigned ahead,
                                 struct virtq_chain *chain, const char **why);
/* Copies from the readable or to the writable part of a chain, both counted from their own start.
 * The range must be inside. */
bool virtq_chain_read(const struct virtq_chain *chain, struct virtq_world *w, uint64_t offset,
                      void *to, size_t size);
bool virtq_chain_write(const struct virtq_chain *chain, struct virtq_world *w, uint64_t offset,
                       const void *from, size_t size);
/* Gives the next chain back with so many bytes written. */
bool virtqueue_use(struct virtqueue *q, struct virtq_world *w, const struct virtq_chain *chain,
                   uint32_t written);
/* Whether the driver wants to hear of what was used since the last call. */
bool virtqueue_wants_signal(struct virtqueue *q, struct virtq_world *w, bool *wants);

#endif
