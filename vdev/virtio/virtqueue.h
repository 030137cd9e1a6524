/* Split virtqueues, the device's side (virtio 1.2, section 2.6). The driver's three areas are in
 * memory and it may write anything into them at any time, so everything read from there is checked
 * each time: a queue that makes no sense gives VIRTQ_BROKEN and a reason, never more. All memory is
 * reached through the device's port (vdev/dma.h); the areas are mapped once.
 *
 *     while (virtqueue_next(...) == VIRTQ_CHAIN) {
 *         virtq_chain_read(...), virtq_chain_write(...)
 *         virtqueue_use(...)
 *     }
 *
 * A chain stays the next one until it is used: a device may look at it, do a part of the work, and
 * look again later. */
#ifndef VDEV_VIRTIO_VIRTQUEUE_H
#define VDEV_VIRTIO_VIRTQUEUE_H

#include "vdev/vdev.h"

/* The longest queue that a device may offer; a chain is never longer than its queue (2.6.5.3.1). */
#define VIRTQUEUE_SIZE_MAX 256

struct virtqueue {
    uint64_t descriptors, available, used; /* the three areas, by iova */
    uint32_t size;                         /* as the driver wrote it */
    uint16_t next_available;               /* index of the next chain to take */
    uint16_t next_used;                    /* index of the next used element to fill */
    uint16_t signalled; /* next_used when the driver was last thought of (2.6.7.2) */
    uint8_t ready;
    struct dma_mapping descriptor_area, driver_area, device_area; /* no state: virtqueue_map */
};

#define VIRTQUEUE_FIELDS(type, q)                                                                  \
    FIELD(type, q.descriptors), FIELD(type, q.available), FIELD(type, q.used),                     \
        FIELD(type, q.size), FIELD(type, q.next_available), FIELD(type, q.next_used),              \
        FIELD(type, q.signalled), FIELD_UP_TO(type, q.ready, 1)

/* What a queue works in: memory and what was negotiated. */
struct virtq_world {
    const struct dma_port *dma;
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
    uint16_t head;
    unsigned count, readable_count;
    uint64_t readable_bytes, writable_bytes;
    struct virtq_buffer buffers[VIRTQUEUE_SIZE_MAX];
};

enum virtq_answer { VIRTQ_EMPTY, VIRTQ_CHAIN, VIRTQ_BROKEN };

/* NULL, or what is wrong with size and addresses: the size is a power of two up to `size_max`, the
 * areas are aligned (2.6, table) and inside the address space. */
const char *virtqueue_problem(const struct virtqueue *q, unsigned size_max);

/* The functions below need a queue without such a problem, whose areas are known: mapped when it
 * becomes ready, and again when it is restored. Whether they are memory shows when they are used.
 */
void virtqueue_map(struct virtqueue *q);
/* `why` gets the reason of a refusal. */
enum virtq_answer virtqueue_next(struct virtqueue *q, struct virtq_world *w,
                                 struct virtq_chain *chain, const char **why);
/* The same of the chain that is so many behind the next one. */
enum virtq_answer virtqueue_look(struct virtqueue *q, struct virtq_world *w, unsigned ahead,
                                 struct virtq_chain *chain, const char **why);
/* Copies from the readable or to the writable part of a chain, both counted from their own start.
 * The range must be inside. False: a DMA fault, here and below. */
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
