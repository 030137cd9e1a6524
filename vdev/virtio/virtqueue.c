#include "vdev/virtio/virtqueue.h"

#include <stddef.h>

#include "vdev/virtio/virtqueue_format.h"

struct alone {
    struct virtqueue queue;
};
const struct field virtqueue_fields[] = {VIRTQUEUE_FIELDS(struct alone, queue), FIELD_END};

static const struct virtq_format *format_of(const struct virtq_world *w)
{
    return w->is_packed ? &virtqueue_packed : &virtqueue_split;
}

/* Areas -------------------------------------------------------------------------------------------
 */

static uint64_t address_of(const struct virtqueue *q, enum virtq_area area)
{
    const uint64_t addresses[VIRTQ_AREAS] = {q->descriptors, q->available, q->used};
    return addresses[area];
}

static uint64_t size_of(const struct virtqueue *q, const struct virtq_format *f,
                        enum virtq_area area)
{
    return f->areas[area].size + f->areas[area].size_each * (uint64_t)q->size;
}

static bool area_fits(const struct virtqueue *q, const struct virtq_format *f, enum virtq_area area)
{
    uint64_t at = address_of(q, area);
    return at % f->areas[area].alignment == 0 && at <= UINT64_MAX - size_of(q, f, area);
}

static const char *problem(const struct virtqueue *q, const struct virtq_format *f,
                           unsigned size_max)
{
    if (q->size == 0 || q->size > size_max)
        return "its size is not one that the device offers";
    if (!f->any_size && (q->size & (q->size - 1)) != 0)
        return "its size is not a power of two";
    if (!area_fits(q, f, DESCRIPTOR_AREA))
        return "its descriptor area is misaligned";
    if (!area_fits(q, f, DRIVER_AREA))
        return "its driver area is misaligned";
    if (!area_fits(q, f, DEVICE_AREA))
        return "its device area is misaligned";
    return NULL;
}

static void map(const struct virtqueue *q, const struct virtq_format *f, enum virtq_area area,
                enum dma_kind kind, struct dma_mapping *mapping)
{
    dma_mapping_set(mapping, (iova_t){address_of(q, area)}, size_of(q, f, area), kind);
}

static void map_areas(struct virtqueue *q, const struct virtq_format *f)
{
    map(q, f, DESCRIPTOR_AREA, DMA_READ, &q->descriptor_area);
    map(q, f, DRIVER_AREA, DMA_READ, &q->driver_area);
    map(q, f, f->used_area, DMA_WRITE, &q->used_area);
}

const char *virtqueue_begin(struct virtqueue *q, const struct virtq_world *w, unsigned size_max)
{
    const struct virtq_format *f = format_of(w);
    const char *why = problem(q, f, size_max);
    q->ready = !why;
    if (why)
        return why;
    q->next_available = q->next_used = q->signalled = f->first;
    map_areas(q, f);
    return NULL;
}

/* Both places are behind chains that were given back: were they different, rings that overlap could
 * offer chains for ever. */
void virtqueue_restored(struct virtqueue *q, const struct virtq_world *w, unsigned size_max)
{
    const struct virtq_format *f = format_of(w);
    if (problem(q, f, size_max) || q->next_used != q->next_available ||
        !f->has_place(q, q->next_used))
        q->ready = 0;
    map_areas(q, f);
}

/* Use ---------------------------------------------------------------------------------------------
 */

bool virtqueue_start(struct virtqueue *q, struct virtq_world *w)
{
    return format_of(w)->start(q, w);
}

enum virtq_answer virtqueue_look(struct virtqueue *q, struct virtq_world *w, unsigned ahead,
                                 struct virtq_chain *chain, const char **why)
{
    return format_of(w)->look(q, w, ahead, chain, why);
}

bool virtqueue_use(struct virtqueue *q, struct virtq_world *w, const struct virtq_chain *chain,
                   uint32_t written)
{
    return format_of(w)->use(q, w, chain, written);
}

bool virtqueue_wants_signal(struct virtqueue *q, struct virtq_world *w, bool *wants)
{
    uint16_t from = q->signalled;
    q->signalled = q->next_used;
    return format_of(w)->wants_signal(q, w, from, q->next_used, wants);
}
