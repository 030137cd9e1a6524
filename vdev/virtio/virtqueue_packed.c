/* Packed virtqueues (virtio 1.2, section 2.8): one ring of descriptors, in which the driver writes
 * those of a chain one behind the other, and the device, over the first of them, that the chain is
 * used. A place in the ring is an offset and, in bit 15, the wrap counter of the time round, which
 * tells descriptors of this time from those of the last (2.8.1). */
#include "vdev/virtio/virtqueue_format.h"

enum { WRAP = 1 << 15, OFFSET = WRAP - 1 };
enum { DESC_AVAILABLE = 1 << 7, DESC_USED = 1 << 15 };
/* What the device writes of a descriptor begins with its size. */
enum { DESCRIPTOR_USED_AT = 8, DESCRIPTOR_USED_SIZE = 8 };

/* struct pvirtq_event_suppress (2.8.14): a place, and flags. */
enum { EVENT_FLAGS_AT = 2, EVENT_SIZE = 4 };
enum { EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESCRIPTOR = 2, EVENT_FLAGS = 3 };

static bool has_place(const struct virtqueue *q, uint16_t place)
{
    return (place & OFFSET) < q->size;
}

/* `slots` is not more than the queue has. */
static uint16_t place_behind(const struct virtqueue *q, uint16_t place, unsigned slots)
{
    unsigned offset = (place & OFFSET) + slots, wrap = place & WRAP;
    return (uint16_t)(offset < q->size ? offset | wrap : (offset - q->size) | (wrap ^ WRAP));
}

/* The device area belongs to the device (2.8.10), so the driver need not have written anything
 * there. It stays as it is: the driver notifies of all that it makes available. */
static bool start(struct virtqueue *q, struct virtq_world *w)
{
    const uint8_t event[EVENT_SIZE] = {[EVENT_FLAGS_AT] = EVENT_ENABLE};
    return dma_write(w->dma, (iova_t){q->used}, event, sizeof event, &w->fault);
}

/* 2.8.1: AVAIL is the wrap counter of the driver, USED the other one. */
static bool is_available(const struct virtq_descriptor *d, uint16_t place)
{
    bool wrap = place & WRAP, available = d->halves[1] & DESC_AVAILABLE;
    return available == wrap && !(d->halves[1] & DESC_USED) == wrap;
}

/* 2.8.7: all descriptors of the table in order, of which only DESC_WRITE counts. Ends because each
 * round adds a buffer. */
static const char *walk_table(const struct virtqueue *q, struct virtq_world *w,
                              const struct virtq_descriptor *d, struct virtq_chain *chain)
{
    struct dma_mapping table;
    struct virtq_descriptor entry;
    const char *why = chain_check_indirect(w, d, d->halves[1]);
    if (chain->count) /* 2.8.19 */
        return "an indirect descriptor behind others";
    if (why)
        return why;
    chain_map_table(&table, d, q->size);
    for (uint32_t i = 0; i < d->size / DESCRIPTOR_SIZE && !why; i++)
        why = chain_read_descriptor(w, &table, i, &entry)
                  ? chain_add(chain, &entry, entry.halves[1], q->size)
                  : "a descriptor table outside memory";
    return why;
}

/* From the first descriptor, which is available, at `place`. All of them must be (2.8.6). So AVAIL
 * of each that was passed is this round's wrap counter, which makes it none of the next round's:
 * whatever the driver has written, a chain does not go on beyond its ring, and a device that uses
 * chains until there is no more comes to an end. This here ends because each round adds a buffer.
 */
static const char *walk(struct virtqueue *q, struct virtq_world *w, uint16_t place,
                        struct virtq_descriptor *d, struct virtq_chain *chain)
{
    for (;;) {
        unsigned flags = d->halves[1];
        const char *why = flags & DESC_INDIRECT ? walk_table(q, w, d, chain)
                                                : chain_add(chain, d, flags, q->size);
        chain->slots++;
        chain->id = d->halves[0]; /* the last one has it */
        if (why || !(flags & DESC_NEXT))
            return why;
        place = place_behind(q, place, 1);
        if (!chain_read_descriptor(w, &q->descriptor_area, place & OFFSET, d))
            return "the descriptor area is outside memory";
        if (!is_available(d, place))
            return "a chain goes on with a descriptor that is not available";
    }
}

static enum virtq_answer look(struct virtqueue *q, struct virtq_world *w, unsigned ahead,
                              struct virtq_chain *chain, const char **why)
{
    struct virtq_descriptor d;
    if (ahead >= q->size)
        return VIRTQ_EMPTY;
    uint16_t place = place_behind(q, q->next_available, ahead);
    *why = "the descriptor area is outside memory";
    if (!chain_read_descriptor(w, &q->descriptor_area, place & OFFSET, &d))
        return VIRTQ_BROKEN;
    if (!is_available(&d, place))
        return VIRTQ_EMPTY;
    *chain = (struct virtq_chain){0};
    *why = walk(q, w, place, &d, chain);
    return *why ? VIRTQ_BROKEN : VIRTQ_CHAIN;
}

/* Over the first descriptor of the chain (2.8.6), as chains are used in order; the others stay. Its
 * address means nothing any more. */
static bool use(struct virtqueue *q, struct virtq_world *w, const struct virtq_chain *chain,
                uint32_t written)
{
    uint64_t at = DESCRIPTOR_SIZE * (uint64_t)(q->next_used & OFFSET) + DESCRIPTOR_USED_AT;
    uint64_t flags = (q->next_used & WRAP ? DESC_AVAILABLE | DESC_USED : 0) |
                     (written ? DESC_WRITE : 0); /* 2.8.3 */
    q->next_available = q->next_used = place_behind(q, q->next_used, chain->slots);
    return chain_write_int(w, &q->used_area, at, DESCRIPTOR_USED_SIZE,
                           flags << 48 | (uint64_t)chain->id << 32 | written);
}

/* How far it is from one place to another, in a ring that is gone round twice. */
static unsigned distance(const struct virtqueue *q, unsigned from, unsigned to)
{
    unsigned twice = 2 * q->size;
    from = (from & OFFSET) + (from & WRAP ? 0 : q->size);
    to = (to & OFFSET) + (to & WRAP ? 0 : q->size);
    return (to % twice + twice - from % twice) % twice;
}

/* Of a specific descriptor (2.8.10): when it is among those that were used. That was to be
 * negotiated; the fourth value is reserved. */
static bool wants_signal(struct virtqueue *q, struct virtq_world *w, uint16_t from, uint16_t to,
                         bool *wants)
{
    uint64_t event;
    if (!chain_read_int(w, &q->driver_area, 0, EVENT_SIZE, &event))
        return false;
    unsigned flags = event >> 8 * EVENT_FLAGS_AT & EVENT_FLAGS;
    *wants = from != to && flags != EVENT_DISABLE;
    if (flags == EVENT_DESCRIPTOR && w->has_event_index)
        *wants = distance(q, from, (uint16_t)event) < distance(q, from, to);
    return true;
}

const struct virtq_format virtqueue_packed = {
    .areas = {[DESCRIPTOR_AREA] = {16, 0, DESCRIPTOR_SIZE},
              [DRIVER_AREA] = {4, EVENT_SIZE, 0},
              [DEVICE_AREA] = {4, EVENT_SIZE, 0}},
    .used_area = DESCRIPTOR_AREA,
    .any_size = true,
    .first = WRAP,
    .has_place = has_place,
    .start = start,
    .look = look,
    .use = use,
    .wants_signal = wants_signal,
};
