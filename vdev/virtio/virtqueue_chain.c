#include "emu/bytes.h"
#include "vdev/virtio/virtqueue_format.h"

/* Memory ------------------------------------------------------------------------------------------
 */

bool chain_read_int(struct virtq_world *w, struct dma_mapping *area, uint64_t offset, size_t size,
                    uint64_t *value)
{
    uint8_t bytes[8];
    if (!dma_mapped_read(area, w->dma, offset, bytes, size, &w->fault))
        return false;
    *value = load_le(bytes, size);
    return true;
}

bool chain_write_int(struct virtq_world *w, struct dma_mapping *area, uint64_t offset, size_t size,
                     uint64_t value)
{
    uint8_t bytes[8];
    store_le(bytes, value, size);
    return dma_mapped_write(area, w->dma, offset, bytes, size, &w->fault);
}

bool chain_read_descriptor(struct virtq_world *w, struct dma_mapping *table, uint64_t index,
                           struct virtq_descriptor *d)
{
    uint8_t bytes[DESCRIPTOR_SIZE];
    if (!dma_mapped_read(table, w->dma, DESCRIPTOR_SIZE * index, bytes, sizeof bytes, &w->fault))
        return false;
    d->address = load_le(bytes, 8);
    d->size = (uint32_t)load_le(bytes + 8, 4);
    d->halves[0] = (uint16_t)load_le(bytes + 12, 2);
    d->halves[1] = (uint16_t)load_le(bytes + 14, 2);
    return true;
}

/* Of the table only what a chain that is laid out in order can have is held: its size is the
 * driver's to say, and looking up 4 GiB takes long. */
void chain_map_table(struct dma_mapping *table, const struct virtq_descriptor *d, uint32_t limit)
{
    uint64_t most = DESCRIPTOR_SIZE * (uint64_t)limit;
    dma_mapping_set(table, (iova_t){d->address}, d->size < most ? d->size : most, DMA_READ);
}

/* Chains ------------------------------------------------------------------------------------------
 */

/* A chain as long as its queue that still goes on has a loop in it, or is longer than a driver may
 * make one (2.7.5.3.1, 2.8.17). */
const char *chain_add(struct virtq_chain *chain, const struct virtq_descriptor *d, unsigned flags,
                      uint32_t limit)
{
    bool is_writable = flags & DESC_WRITE;
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

/* 2.7.5.3, 2.8.7: a table of descriptors elsewhere takes the place of one. DESC_WRITE of the
 * descriptor that refers to it means nothing. */
const char *chain_check_indirect(const struct virtq_world *w, const struct virtq_descriptor *d,
                                 unsigned flags)
{
    if (!w->has_indirect)
        return "an indirect descriptor, which was not negotiated";
    if (flags & DESC_NEXT)
        return "an indirect descriptor that is not the last";
    if (d->size == 0 || d->size % DESCRIPTOR_SIZE)
        return "an indirect table whose size is not a multiple of 16";
    return NULL;
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
