/* Virtio over MMIO (virtio 1.2, 4.2.2) and split virtqueues (2.7), for programs that drive devices.
 */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include "guest.h"

enum {
    MagicValue = 0x000,
    Version = 0x004,
    DeviceID = 0x008,
    DeviceFeatures = 0x010,
    DeviceFeaturesSel = 0x014,
    DriverFeatures = 0x020,
    DriverFeaturesSel = 0x024,
    QueueSel = 0x030,
    QueueNumMax = 0x034,
    QueueNum = 0x038,
    QueueReady = 0x044,
    QueueNotify = 0x050,
    InterruptStatus = 0x060,
    InterruptACK = 0x064,
    Status = 0x070,
    QueueDesc = 0x080,
    QueueDriver = 0x090,
    QueueDevice = 0x0a0,
    Config = 0x100,
};
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
enum { USED_BUFFER = 1, CONFIG_CHANGE = 2 };
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
#define INDIRECT_DESC (1u << 28)
#define EVENT_IDX     (1u << 29)
#define VERSION_1     (1ull << 32)
#define RING_PACKED   (1ull << 34)

enum { SIZE = 8 }; /* of queues */
struct descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t flags, next;
};
struct queue {
    struct descriptor descriptors[SIZE] __attribute__((aligned(16)));
    struct {
        uint16_t flags, index, ring[SIZE], used_event;
    } available;
    struct {
        uint16_t flags, index;
        struct {
            uint32_t head, written;
        } ring[SIZE];
        uint16_t available_event;
    } used __attribute__((aligned(4)));
};

/* The address of an area into a pair of the device's registers. */
static inline void virtio_set_area(uint64_t registers, const void *area)
{
    write32(registers, (uint32_t)(uint64_t)area);
    write32(registers + 4, (uint32_t)((uint64_t)area >> 32));
}

/* The driver makes a chain available; the device hears of it by its number (2.7.13). */
static inline void virtio_make_available(struct queue *q, unsigned head)
{
    q->available.ring[q->available.index % SIZE] = (uint16_t)head;
    __atomic_store_n(&q->available.index, (uint16_t)(q->available.index + 1), __ATOMIC_RELEASE);
}

static inline void virtio_kick(uint64_t device, unsigned queue)
{
    DSB();
    write32(device + QueueNotify, queue);
}

#endif
