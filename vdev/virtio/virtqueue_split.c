/* Split virtqueues (virtio 1.2, section 2.7): a table of descriptors, the driver's ring of heads of
 * chains, and the device's ring of those it has used. Places are indices that count modulo 2^16. */
#include "vdev/virtio/virtqueue_format.h"

/* The two rings (2.7.6, 2.7.8) as they are in memory. */
enum { AVAILABLE_ELEMENT_SIZE = 2, USED_ELEMENT_SIZE = 8, RING_INDEX = 2, RING_ELEMENTS = 4 };
enum { EVENT_SIZE = 2, AVAILABLE_NO_INTERRUPT = 1 };

/* Both end with a 16-bit index, which is only there with VIRTIO_F_EVENT_IDX. */
static uint64_t used_event_at(const struct virtqueue *q)
{
    return RING_ELEMENTS + AVAILABLE_ELEMENT_SIZE * (uint64_t)q->size;
}

static uint64_t available_event_at(const struct virtqueue *q)
{
    return RING_ELEMENTS + USED_ELEMENT_SIZE * (uint64_t)q->size;
}

static bool has_place(const struct virtqueue *q, uint16_t place)
{
    (void)q, (void)place;
    return true;
}

/* What tells the driver so is 0 for as long as nothing was used. */
static bool start(struct virtqueue *q, struct virtq_world *w)
{
    (void)q, (void)w;
    return true;
}

/* Ends because each round adds a buffer, of which there are q->size at most, but for the one round
 * that enters the indirect table. */
static const char *walk(struct virtqueue *q, struct virtq_world *w, struct virtq_chain *chain)
{
    struct dma_mapping indirect, *table = &q->descriptor_area;
    uint64_t entries = q->size, index = chain->id;
    for (;;) {
        struct virtq_descriptor d;
        const char *why;
        if (index >= entries)
            return "the number of a descriptor is beyond its table";
        if (!chain_read_descriptor(w, table, index, &d))
            return "a descriptor table outside memory";
        unsigned flags = d.halves[0];
        if (flags & DESC_INDIRECT) {
            if (table == &indirect)
                return "an indirect descriptor in an indirect table";
            if ((why = chain_check_indirect(w, &d, flags)))
                return why;
            chain_map_table(&indirect, &d, q->size);
            table = &indirect;
            entries = d.size / DESCRIPTOR_SIZE;
            index = 0;
            continue;
        }
        if ((why = chain_add(chain, &d, flags, q->size)) || !(flags & DESC_NEXT))
            return why;
        index = d.halves[1];
    }
}

static enum virtq_answer look(struct virtqueue *q, struct virtq_world *w, unsigned ahead,
                              struct virtq_chain *chain, const char **why)
{
    uint64_t index, head, slot = (q->next_available + ahead) % q->size;
    *why = "the driver area is outside memory";
    if (!chain_read_int(w, &q->driver_area, RING_INDEX, 2, &index))
        return VIRTQ_BROKEN;
    uint16_t waiting = (uint16_t)(index - q->next_available);
    if (waiting <= ahead)
        return VIRTQ_EMPTY;
    if (!chain_read_int(w, &q->driver_area, RING_ELEMENTS + AVAILABLE_ELEMENT_SIZE * slot, 2,
                        &head))
        return VIRTQ_BROKEN;
    *chain = (struct virtq_chain){.id = (uint16_t)head, .slots = 1};
    *why = waiting > q->size ? "more chains are available than its queue has" : walk(q, w, chain);
    return *why ? VIRTQ_BROKEN : VIRTQ_CHAIN;
}

/* The element first, then the index that makes it valid (2.7.8). With event indices the driver is
 * told to notify of the next chain it makes available (2.7.10). */
static bool use(struct virtqueue *q, struct virtq_world *w, const struct virtq_chain *chain,
                uint32_t written)
{
    struct dma_mapping *area = &q->used_area;
    uint64_t element = RING_ELEMENTS + USED_ELEMENT_SIZE * (uint64_t)(q->next_used % q->size);
    q->next_available++;
    q->next_used++;
    return chain_write_int(w, area, element, 8, (uint64_t)written << 32 | chain->id) &&
           chain_write_int(w, area, RING_INDEX, 2, q->next_used) &&
           (!w->has_event_index ||
            chain_write_int(w, area, available_event_at(q), 2, q->next_available));
}

/* With event indices: when the used index passed used_event + 1 (2.7.7.2). */
static bool wants_signal(struct virtqueue *q, struct virtq_world *w, uint16_t from, uint16_t to,
                         bool *wants)
{
    uint64_t flags, event;
    if (!w->has_event_index) {
        if (!chain_read_int(w, &q->driver_area, 0, 2, &flags))
            return false;
        *wants = from != to && !(flags & AVAILABLE_NO_INTERRUPT);
        return true;
    }
    if (!chain_read_int(w, &q->driver_area, used_event_at(q), 2, &event))
        return false;
    *wants = (uint16_t)(to - (uint16_t)event - 1) < (uint16_t)(to - from);
    return true;
}

const struct virtq_format virtqueue_split = {
    .areas = {[DESCRIPTOR_AREA] = {16, 0, DESCRIPTOR_SIZE},
              [DRIVER_AREA] = {2, RING_ELEMENTS + EVENT_SIZE, AVAILABLE_ELEMENT_SIZE},
              [DEVICE_AREA] = {4, RING_ELEMENTS + EVENT_SIZE, USED_ELEMENT_SIZE}},
    .used_area = DEVICE_AREA,
    .has_place = has_place,
    .start = start,
    .look = look,
    .use = use,
    .wants_signal = wants_signal,
};
