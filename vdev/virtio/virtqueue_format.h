/* What the two formats of virtqueues (virtqueue_split.c, virtqueue_packed.c) are behind
 * virtqueue.h, and what they have in common (virtqueue_chain.c): numbers and descriptors in memory,
 * and how a chain is made of them. */
#ifndef VDEV_VIRTIO_VIRTQUEUE_FORMAT_H
#define VDEV_VIRTIO_VIRTQUEUE_FORMAT_H

#include "vdev/virtio/virtqueue.h"

enum virtq_area { DESCRIPTOR_AREA, DRIVER_AREA, DEVICE_AREA, VIRTQ_AREAS };

struct virtq_format {
    /* Sizes are with what is only there with VIRTIO_F_EVENT_IDX: a driver need not have put memory
     * there, and then the area is not held but looked up each time. */
    struct {
        uint8_t alignment, size, size_each; /* bytes, and of each element of the queue */
    } areas[VIRTQ_AREAS];
    enum virtq_area used_area; /* where used elements are written to */
    bool any_size;             /* not only powers of two */
    uint16_t first;            /* place */
    /* Can the queue be there? */
    bool (*has_place)(const struct virtqueue *q, uint16_t place);
    bool (*start)(struct virtqueue *q, struct virtq_world *w);
    enum virtq_answer (*look)(struct virtqueue *q, struct virtq_world *w, unsigned ahead,
                              struct virtq_chain *chain, const char **why);
    bool (*use)(struct virtqueue *q, struct virtq_world *w, const struct virtq_chain *chain,
                uint32_t written);
    /* About what was used from `from` to `to`, two places that differ. */
    bool (*wants_signal)(struct virtqueue *q, struct virtq_world *w, uint16_t from, uint16_t to,
                         bool *wants);
};

extern const struct virtq_format virtqueue_split, virtqueue_packed;

enum { DESCRIPTOR_SIZE = 16 };
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };

/* Both formats' (2.7.5, 2.8.13), but for the order of the last two. */
struct virtq_descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t halves[2];
};

bool chain_read_int(struct virtq_world *w, struct dma_mapping *area, uint64_t offset, size_t size,
                    uint64_t *value);
bool chain_write_int(struct virtq_world *w, struct dma_mapping *area, uint64_t offset, size_t size,
                     uint64_t value);
bool chain_read_descriptor(struct virtq_world *w, struct dma_mapping *table, uint64_t index,
                           struct virtq_descriptor *d);
/* Of an indirect table, to read it. */
void chain_map_table(struct dma_mapping *table, const struct virtq_descriptor *d, uint32_t limit);

/* These give a reason for a refusal, or NULL. A chain has up to `limit` buffers. */
const char *chain_add(struct virtq_chain *chain, const struct virtq_descriptor *d, unsigned flags,
                      uint32_t limit);
const char *chain_check_indirect(const struct virtq_world *w, const struct virtq_descriptor *d,
                                 unsigned flags);

#endif
