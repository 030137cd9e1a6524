/* A driver for the virtio devices of a test's world, whose RAM its queues and buffers are in. It
 * speaks both formats of virtqueues and looks the same for both: a table of descriptors, chains in
 * it that are made available by their heads, chains that were used, counted from when the queue
 * became ready. For a packed queue the table is the driver's own, and what a head leads to is laid
 * out in the ring; the buffer ID is the head. */
#ifndef TEST_VIRTIO_DRIVER_H
#define TEST_VIRTIO_DRIVER_H

#include "emu/bytes.h"
#include "test_vdev_fixture.h"
#include "vdev/virtio/virtio_mmio.h"

enum {
    MAGIC = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    QUEUE_SEL = 0x030,
    QUEUE_NUM_MAX = 0x034,
    QUEUE_NUM = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC = 0x080,
    QUEUE_DRIVER = 0x090,
    QUEUE_DEVICE = 0x0a0,
    SHM_LEN = 0x0b0,
    QUEUE_RESET = 0x0c0,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = 0x100
};
enum { DRIVER = 3, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
enum { USED_BUFFER = 1, CONFIG_CHANGE = 2 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
enum { DESC_AVAIL = 1 << 7, DESC_USED = 1 << 15 };
enum { EVENT_DISABLE = 1, EVENT_DESC = 2 };
#define INDIRECT_DESC VIRTIO_F_INDIRECT_DESC
#define EVENT_IDX     VIRTIO_F_EVENT_IDX
#define RING_PACKED   VIRTIO_F_RING_PACKED
#define IN_ORDER      VIRTIO_F_IN_ORDER
#define RING_RESET    VIRTIO_F_RING_RESET

/* Queue n has its three areas in page n of the RAM, with room for so many descriptors; buffers come
 * behind. */
#ifndef TEST_VIRTIO_QUEUES
#define TEST_VIRTIO_QUEUES 2
#endif
enum { SIZE = 8, TABLE_SIZE = 64, AREA = 0x1000, AVAILABLE = 0x400, USED = 0x800 };
enum { DRIVER_QUEUES = TEST_VIRTIO_QUEUES, BUFFERS = (DRIVER_QUEUES + 1) * AREA, LOG = 256 };

static struct world w;

struct driver_descriptor {
    uint64_t at;
    uint32_t size;
    unsigned flags, next;
};

struct driver_queue {
    unsigned size;
    /* Of a packed queue. */
    struct driver_descriptor table[TABLE_SIZE];
    unsigned slot; /* the next one of the ring */
    bool wrap;
    struct {
        unsigned slot;
        bool wrap;
    } made[LOG]; /* where the latest chains begin */
    unsigned made_count, used_count;
};

static bool is_packed; /* what `negotiate` asks for */
static struct driver_queue driver[DRIVER_QUEUES];

static inline uint8_t *ram(uint64_t offset)
{
    return world_ram(&w, offset);
}

static inline uint16_t get16(uint64_t offset)
{
    return (uint16_t)load_le(ram(offset), 2);
}

/* Of a split queue, also if nobody has set it. */
static inline unsigned ring_size(unsigned queue)
{
    return driver[queue].size ? driver[queue].size : SIZE;
}

static inline void set_queue_at(unsigned queue, uint32_t size, uint64_t at)
{
    put(&w, QUEUE_SEL, queue);
    put(&w, QUEUE_NUM, size);
    put(&w, QUEUE_DESC, at);
    put(&w, QUEUE_DRIVER, at + AVAILABLE);
    put(&w, QUEUE_DEVICE, at + USED);
    put(&w, QUEUE_READY, 1);
    driver[queue] = (struct driver_queue){.size = size, .wrap = true};
}

static inline void set_queue(unsigned queue, uint32_t size)
{
    set_queue_at(queue, size, WORLD_RAM + queue * AREA);
}

static inline void accept_features(uint64_t features)
{
    features |= VIRTIO_F_VERSION_1 | (is_packed ? RING_PACKED : 0);
    for (unsigned half = 0; half < 2; half++) {
        put(&w, DRIVER_FEATURES_SEL, half);
        put(&w, DRIVER_FEATURES, (uint32_t)(features >> 32 * half));
    }
}

static inline void negotiate(uint64_t features)
{
    put(&w, STATUS, 0);
    put(&w, STATUS, DRIVER);
    accept_features(features);
    put(&w, STATUS, DRIVER | FEATURES_OK);
    ck_assert_uint_eq(get(&w, STATUS), DRIVER | FEATURES_OK);
}

static inline void clear_queue(unsigned queue)
{
    memset(ram(queue * AREA), 0, AREA);
}

static inline void drive(unsigned queues, uint64_t features)
{
    negotiate(features);
    for (unsigned i = 0; i < DRIVER_QUEUES; i++)
        clear_queue(i);
    for (unsigned i = 0; i < queues; i++)
        set_queue(i, SIZE);
    put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
}

static inline void put_raw(uint64_t offset, uint64_t at, uint32_t size, unsigned first,
                           unsigned second)
{
    uint8_t *d = ram(offset);
    store_le(d, at, 8);
    store_le(d + 8, size, 4);
    store_le(d + 12, first, 2);
    store_le(d + 14, second, 2);
}

/* Of a queue's table, or an indirect one. In that of a packed queue `next` means nothing, and
 * neither does NEXT: the table is in order. */
static inline void put_descriptor(uint64_t table, unsigned index, uint64_t at, uint32_t size,
                                  unsigned flags, unsigned next)
{
    if (!is_packed)
        put_raw(table + 16 * index, at, size, flags, next);
    else if (table >= DRIVER_QUEUES * AREA)
        put_raw(table + 16 * index, at, size, 0xdead, flags);
    else if (index < TABLE_SIZE)
        driver[table / AREA].table[index] = (struct driver_descriptor){at, size, flags, next};
}

/* The next slot of the ring. Only the last one of a chain has its ID. */
static inline void put_slot(unsigned queue, const struct driver_descriptor *d, unsigned id)
{
    struct driver_queue *q = &driver[queue];
    put_raw(queue * AREA + 16 * q->slot, d->at, d->size, d->flags & NEXT ? 0xdead : id,
            d->flags | (q->wrap ? DESC_AVAIL : DESC_USED));
    q->slot = (q->slot + 1) % q->size;
    q->wrap ^= q->slot == 0;
}

/* What the ring has no room for is cut off. */
static inline void make_packed_available(unsigned queue, unsigned head)
{
    struct driver_queue *q = &driver[queue];
    q->made[q->made_count % LOG].slot = q->slot;
    q->made[q->made_count++ % LOG].wrap = q->wrap;
    for (unsigned i = 0, at = head; i < q->size && at < q->size; i++) {
        const struct driver_descriptor *d = &q->table[at];
        put_slot(queue, d, head);
        at = d->flags & NEXT ? d->next : q->size;
    }
}

static inline void make_available(unsigned queue, unsigned head)
{
    uint64_t ring = queue * AREA + AVAILABLE;
    if (is_packed) {
        make_packed_available(queue, head);
        return;
    }
    uint16_t index = get16(ring + 2);
    store_le(ram(ring + 4 + 2 * (index % ring_size(queue))), head, 2);
    store_le(ram(ring + 2), (uint16_t)(index + 1), 2);
}

/* The driver changes its mind about the one chain that it has made available. */
static inline void make_available_again(unsigned queue, unsigned head)
{
    struct driver_queue *q = &driver[queue];
    if (!is_packed)
        return;
    memset(ram(queue * AREA), 0, 16 * q->size);
    q->made_count--;
    q->slot = q->made[q->made_count % LOG].slot;
    q->wrap = q->made[q->made_count % LOG].wrap;
    make_packed_available(queue, head);
}

static inline bool is_used(unsigned queue, unsigned number)
{
    const struct driver_queue *q = &driver[queue];
    unsigned both = DESC_AVAIL | DESC_USED;
    unsigned flags = get16(queue * AREA + 16 * q->made[number % LOG].slot + 14) & both;
    return flags == (q->made[number % LOG].wrap ? both : 0);
}

/* How many chains were used, modulo 2^16. */
static inline unsigned used_index(unsigned queue)
{
    struct driver_queue *q = &driver[queue];
    if (!is_packed)
        return get16(queue * AREA + USED + 2);
    while (q->used_count < q->made_count && is_used(queue, q->used_count))
        q->used_count++;
    return (uint16_t)q->used_count;
}

/* The chain that was used as that one, of the last 8. */
static inline void check_used(unsigned queue, unsigned number, unsigned head, uint32_t written)
{
    uint64_t ring = queue * AREA + USED;
    if (is_packed) {
        uint64_t at = queue * AREA + 16 * driver[queue].made[number % LOG].slot;
        ck_assert(is_used(queue, number));
        ck_assert_uint_eq(get16(at + 12), head);
        ck_assert_uint_eq(get16(at + 14) & WRITE, written ? WRITE : 0);
        ck_assert_uint_eq(load_le(ram(at + 8), 4), written);
        return;
    }
    ck_assert_uint_eq(load_le(ram(ring + 4 + 8 * (number % ring_size(queue))), 4), head);
    ck_assert_uint_eq(load_le(ram(ring + 8 + 8 * (number % ring_size(queue))), 4), written);
}

/* No interrupts at all; or only with the use of that chain, where all of them have one descriptor.
 */
static inline void want_no_interrupt(unsigned queue)
{
    uint64_t area = queue * AREA + AVAILABLE;
    store_le(ram(is_packed ? area + 2 : area), 1, 2);
}

static inline void want_interrupt_at(unsigned queue, unsigned number)
{
    uint64_t area = queue * AREA + AVAILABLE;
    if (!is_packed) {
        store_le(ram(area + 4 + 2 * SIZE), (uint16_t)number, 2);
        return;
    }
    store_le(ram(area), number % SIZE | (number / SIZE & 1 ? 0u : 0x8000u), 2);
    store_le(ram(area + 2), EVENT_DESC, 2);
}

static inline uint64_t text_at(unsigned offset, const char *text)
{
    memcpy(ram(BUFFERS + offset), text, strlen(text));
    return WORLD_RAM + BUFFERS + offset;
}

static inline void kick(unsigned queue)
{
    put(&w, QUEUE_NOTIFY, queue);
}

/* Save, and a fresh device restored from it, in its place. */
static inline void exchange(const char *type, const char *const *options)
{
    static struct world old;
    struct bytes saved = {0};
    world_save(&w, &saved);
    old = w;
    world_open(&w, type, 1, options);
    struct vdev *v = w.v;
    struct reader in = reader_of(saved.data, saved.size);
    w.vtime = old.vtime;
    memcpy(w.ram, old.ram, sizeof w.ram);
    memcpy(w.pages, old.pages, sizeof w.pages);
    memcpy(w.output, old.output, sizeof w.output);
    w.output_size = old.output_size;
    w.random = old.random;
    w.random_bytes = old.random_bytes;
    w.file_is_lost = old.file_is_lost;
    w.file_bytes_read = old.file_bytes_read;
    if (w.store)
        memcpy(w.store, old.store, v->store.size);
    ck_assert(world_restore(&w, &in));
    v->type->restored(v);
    ck_assert_int_eq(w.irq_level, old.irq_level);
    ck_assert_uint_eq(event_next(&w.events), event_next(&old.events));
    bytes_free(&saved);
    bus_free(&old.bus);
    bytes_free(&old.sent);
    free(old.store);
    free(old.v);
}

#endif
