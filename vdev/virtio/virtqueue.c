#include "vdev/virtio/virtqueue.h"

#include <stddef.h>

#include "emu/bytes.h"

/* struct virtq_desc (virtio 1.2, 2.6.5) and the two rings (2.6.6, 2.6.8) as they are in memory. */
struct descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t flags, next;
};
enum { DESCRIPTOR_SIZE = 16, USED_ELEMENT_SIZE = 8, RING_INDEX = 2, RING_ELEMENTS = 4 };
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAILABLE_NO_INTERRUPT = 1 };

/* Memory ------------------------------------------------------------------------------------------
 */

static bool read_int(struct virtq_world *w, struct dma_mapping *area, uint64_t offset, size_t size,
                     uint64_t *value)
{
    uint8_t bytes[8];
    if (!dma_mapped_read(area, w->dma, offset, bytes, size, &w->fault))
        return false;
    *value = load_le(bytes, size);
    return true;
}

static bool write_int(struct virtq_world *w, struct dma_mapping *area, uint64_t offset, size_t size,
                      uint64_t value)
{
    uint8_t bytes[8];
    store_le(bytes, value, size);
    return dma_mapped_write(area, w->dma, offset, bytes, size, &w->fault);
}

static bool read_descriptor(struct virtq_world *w, struct dma_mapping *table, uint64_t index,
                            struct descriptor *d)
{
    uint8_t bytes[DESCRIPTOR_SIZE];
    if (!dma_mapped_read(table, w->dma, DESCRIPTOR_SIZE * index, bytes, sizeof bytes, &w->fault))
        return false;
    d->address = load_le(bytes, 8);
    d->size = (uint32_t)load_le(bytes + 8, 4);
    d->flags = (uint16_t)load_le(bytes + 12, 2);
    d->next = (uint16_t)load_le(bytes + 14, 2);
    return true;
}

/* Both rings end with a 16-bit index, which is only there with VIRTIO_F_EVENT_IDX. */
static uint64_t used_event_at(const struct virtqueue *q)
{
    return RING_ELEMENTS + 2 * (uint64_t)q->size;
}

static uint64_t available_event_at(const struct virtqueue *q)
{
    return RING_ELEMENTS + USED_ELEMENT_SIZE * (uint64_t)q->size;
}

static bool area_fits(uint64_t at, unsigned alignment, uint64_t size)
{
    return at % alignment == 0 && at <= UINT64_MAX - size;
}

const char *virtqueue_problem(const struct virtqueue *q, unsigned size_max)
{
    if (q->size == 0 || q->size > size_max || (q->size & (q->size - 1)) != 0)
        return "its size is not a power of two that the device offers";
    if (!area_fits(q->descriptors, 16, DESCRIPTOR_SIZE * (uint64_t)q->size))
        return "its descriptor area is misaligned";
    if (!area_fits(q->available, 2, RING_ELEMENTS + 2 * (uint64_t)q->size + 2))
        return "its driver area is misaligned";
    if (!area_fits(q->used, 4, RING_ELEMENTS + USED_ELEMENT_SIZE * (uint64_t)q->size + 2))
        return "its device area is misaligned";
    return NULL;
}

/* With its event index, whether that was negotiated or not: a driver need not have put memory
 * there, and then the area is not held but looked up each time. */
void virtqueue_map(struct virtqueue *q)
{
    uint64_t descriptors = DESCRIPTOR_SIZE * (uint64_t)q->size;
    dma_mapping_set(&q->descriptor_area, (iova_t){q->descriptors}, descriptors, DMA_READ);
    dma_mapping_set(&q->driver_area, (iova_t){q->available}, used_event_at(q) + 2, DMA_READ);
    dma_mapping_set(&q->device_area, (iova_t){q->used}, available_event_at(q) + 2, DMA_WRITE);
}

/* Chains ------------------------------------------------------------------------------------------
 */

/* A chain as long as its queue that still goes on has a loop in it, or is longer than a driver may
 * make one (2.6.5.3.1). */
static const char *add_buffer(struct virtq_chain *chain, const struct descriptor *d, uint32_t limit)
{
    bool is_writable = d->flags & DESC_WRITE;
    uint64_t *bytes = is_writable ? &chain->writable_bytes : &chain->readable_bytes;
    if (chain->count == limit)
        return "a chain has more descriptors than its queue, or a loop";
    if (!is_writable && chain->readable_count != chain->count)
        return "a readable descriptor behind a writable one";
    if (chain->readable_bytes + chain->writable_bytes + d->size > UINT32_MAX)
        return "a chain of 4 GiB or more";
    chain->buffers[chain->count++] = (struct virtq_buffer){{d->address}, d->size};
    chain->readable_count += !is_writable;
    *bytes += d->size;
    return NULL;
}

/* 2.6.5.3: a table of descriptors elsewhere takes the place of the last one of a chain. DESC_WRITE
 * of the descriptor that refers to it means nothing. */
static const char *check_indirect(const struct virtq_world *w, const struct descriptor *d,
                                  bool inside_indirect)
{
    if (!w->has_indirect)
        return "an indirect descriptor, which was not negotiated";
    if (inside_indirect)
        return "an indirect descriptor in an indirect table";
    if (d->flags & DESC_NEXT)
        return "an indirect descriptor that is not the last";
    if (d->size == 0 || d->size % DESCRIPTOR_SIZE)
        return "an indirect table whose size is not a multiple of 16";
    return NULL;
}

/* Of an indirect table only what a chain that is laid out in order can have is held: its size is
 * the driver's to say, and looking up 4 GiB takes long. */
static void map_table(struct dma_mapping *table, const struct descriptor *d, uint32_t limit)
{
    uint64_t most = DESCRIPTOR_SIZE * (uint64_t)limit;
    dma_mapping_set(table, (iova_t){d->address}, d->size < most ? d->size : most, DMA_READ);
}

/* Ends because each round adds a buffer, of which there are q->size at most, but for the one round
 * that enters the indirect table. */
static const char *walk(struct virtqueue *q, struct virtq_world *w, struct virtq_chain *chain)
{
    struct dma_mapping indirect, *table = &q->descriptor_area;
    uint64_t entries = q->size, index = chain->head;
    bool inside_indirect = false;
    for (;;) {
        struct descriptor d;
        const char *why;
        if (index >= entries)
            return "the number of a descriptor is beyond its table";
        if (!read_descriptor(w, table, index, &d))
            return "a descriptor table outside memory";
        if (d.flags & DESC_INDIRECT) {
            if ((why = check_indirect(w, &d, inside_indirect)))
                return why;
            map_table(&indirect, &d, q->size);
            table = &indirect;
            entries = d.size / DESCRIPTOR_SIZE;
            index = 0;
            inside_indirect = true;
            continue;
        }
        if ((why = add_buffer(chain, &d, q->size)) || !(d.flags & DESC_NEXT))
            return why;
        index = d.next;
    }
}

enum virtq_answer virtqueue_look(struct virtqueue *q, struct virtq_world *w, unsigned ahead,
                                 struct virtq_chain *chain, const char **why)
{
    uint64_t index, head;
    uint64_t element = RING_ELEMENTS + 2 * (uint64_t)((q->next_available + ahead) % q->size);
    *why = "the driver area is outside memory";
    if (!read_int(w, &q->driver_area, RING_INDEX, 2, &index))
        return VIRTQ_BROKEN;
    uint16_t waiting = (uint16_t)(index - q->next_available);
    if (waiting <= ahead)
        return VIRTQ_EMPTY;
    if (!read_int(w, &q->driver_area, element, 2, &head))
        return VIRTQ_BROKEN;
    *chain = (struct virtq_chain){.head = (uint16_t)head};
    *why = waiting > q->size ? "more chains are available than its queue has" : walk(q, w, chain);
    return *why ? VIRTQ_BROKEN : VIRTQ_CHAIN;
}

enum virtq_answer virtqueue_next(struct virtqueue *q, struct virtq_world *w,
                                 struct virtq_chain *chain, const char **why)
{
    return virtqueue_look(q, w, 0, chain, why);
}

/* Goes through the part of [offset, offset + size) that each buffer of one direction holds. */
static bool copy(const struct virtq_chain *chain, struct virtq_world *w, uint64_t offset, void *to,
                 const void *from, size_t size)
{
    unsigned i = to ? 0 : chain->readable_count;
    unsigned end = to ? chain->readable_count : chain->count;
    size_t done = 0;
    for (; i < end && done < size; i++) {
        const struct virtq_buffer *b = &chain->buffers[i];
        if (offset >= b->size) {
            offset -= b->size;
            continue;
        }
        size_t part = size - done < b->size - offset ? size - done : (size_t)(b->size - offset);
        iova_t at = {b->at.v + offset};
        if (to ? !dma_read(w->dma, at, (uint8_t *)to + done, part, &w->fault)
               : !dma_write(w->dma, at, (const uint8_t *)from + done, part, &w->fault))
            return false;
        done += part;
        offset = 0;
    }
    return done == size;
}

bool virtq_chain_read(const struct virtq_chain *chain, struct virtq_world *w, uint64_t offset,
                      void *to, size_t size)
{
    return copy(chain, w, offset, to, NULL, size);
}

bool virtq_chain_write(const struct virtq_chain *chain, struct virtq_world *w, uint64_t offset,
                       const void *from, size_t size)
{
    return copy(chain, w, offset, NULL, from, size);
}

/* Giving back -------------------------------------------------------------------------------------
 */

/* The element first, then the index that makes it valid (2.6.8). With event indices the driver is
 * told to notify of the next chain it makes available (2.6.10). */
bool virtqueue_use(struct virtqueue *q, struct virtq_world *w, const struct virtq_chain *chain,
                   uint32_t written)
{
    struct dma_mapping *area = &q->device_area;
    uint64_t element = RING_ELEMENTS + USED_ELEMENT_SIZE * (uint64_t)(q->next_used % q->size);
    q->next_available++;
    q->next_used++;
    return write_int(w, area, element, 8, (uint64_t)written << 32 | chain->head) &&
           write_int(w, area, RING_INDEX, 2, q->next_used) &&
           (!w->has_event_index || write_int(w, area, available_event_at(q), 2, q->next_available));
}

/* With event indices: when the used index passed used_event + 1, counted modulo 2^16 (2.6.7.2). */
bool virtqueue_wants_signal(struct virtqueue *q, struct virtq_world *w, bool *wants)
{
    uint64_t flags, event;
    uint16_t from = q->signalled, to = q->next_used;
    q->signalled = to;
    if (!w->has_event_index) {
        if (!read_int(w, &q->driver_area, 0, 2, &flags))
            return false;
        *wants = from != to && !(flags & AVAILABLE_NO_INTERRUPT);
        return true;
    }
    if (!read_int(w, &q->driver_area, used_event_at(q), 2, &event))
        return false;
    *wants = (uint16_t)(to - (uint16_t)event - 1) < (uint16_t)(to - from);
    return true;
}
