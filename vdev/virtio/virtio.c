#include "vdev/virtio/virtio.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/bytes.h"
#include "emu/check.h"
#include "emu/machine.h"

enum {
    STATUS_DRIVER_OK = 1 << 2,
    STATUS_FEATURES_OK = 1 << 3,
    STATUS_DEVICE_NEEDS_RESET = 1 << 6,
    STATUS_BITS = 0xcf,
};
enum { INTERRUPT_USED_BUFFER = 1 << 0, INTERRUPT_CONFIG_CHANGE = 1 << 1 };

/* How long the rest of a queue's work waits. */
enum { WORK_PAUSE_TICKS = 65536 };

static void update_irq(struct virtio_device *d)
{
    wire_set(&d->v.irq, d->interrupt_status != 0);
}

static void interrupt(struct virtio_device *d, uint8_t bit)
{
    d->interrupt_status |= bit;
    update_irq(d);
}

static const struct log *log_of(const struct virtio_device *d)
{
    return d->v.env->log;
}

/* VIRTIO_F_IN_ORDER because the next chain is always the one that is used. */
static uint64_t offered_features(const struct virtio_device *d)
{
    uint64_t newer = VIRTIO_F_RING_PACKED | VIRTIO_F_IN_ORDER | VIRTIO_F_RING_RESET;
    uint64_t platform = d->v.is_translated ? VIRTIO_F_ACCESS_PLATFORM : 0;
    return d->type->device_features | d->own_features | VIRTIO_F_INDIRECT_DESC |
           VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | platform |
           (d->v.env->quirks & QUIRK_SPLIT_RINGS ? 0 : newer);
}

bool virtio_is_live(const struct virtio_device *d)
{
    enum { NEEDED = STATUS_DRIVER_OK | STATUS_FEATURES_OK };
    return (d->status & (NEEDED | STATUS_DEVICE_NEEDS_RESET)) == NEEDED;
}

/* 2.1.2: a driver that runs is told by a configuration change interrupt. */
static void break_device(struct virtio_device *d, const char *why)
{
    log_guest(log_of(d), "%s needs a reset: %s", d->v.name, why);
    d->status |= STATUS_DEVICE_NEEDS_RESET;
    if (d->status & STATUS_DRIVER_OK)
        interrupt(d, INTERRUPT_CONFIG_CHANGE);
}

/* Queues ------------------------------------------------------------------------------------------
 */

static struct virtq_world world_of(const struct virtio_device *d)
{
    return (struct virtq_world){
        .dma = &d->v.dma,
        .is_packed = d->driver_features & VIRTIO_F_RING_PACKED,
        .has_indirect = d->driver_features & VIRTIO_F_INDIRECT_DESC,
        .has_event_index = d->driver_features & VIRTIO_F_EVENT_IDX,
    };
}

/* Where a DMA fault is behind it, the log says which. */
static bool or_break(struct virtio_device *d, const struct virtq_world *w, bool ok, const char *why)
{
    char text[200], fault[120];
    if (ok)
        return true;
    dma_fault_text(&w->fault, fault, sizeof fault);
    snprintf(text, sizeof text, "%s: %s", why, fault);
    break_device(d, w->fault.kind == DMA_FAULT_NONE ? why : text);
    return false;
}

bool virtio_is_ready(const struct virtio_device *d, unsigned queue)
{
    return virtio_is_live(d) && d->queues[queue].ready;
}

bool virtio_look(struct virtio_device *d, unsigned queue, unsigned ahead, struct virtq_chain *chain)
{
    struct virtq_world w = world_of(d);
    const char *why;
    if (!virtio_is_ready(d, queue))
        return false;
    enum virtq_answer answer = virtqueue_look(&d->queues[queue], &w, ahead, chain, &why);
    return or_break(d, &w, answer != VIRTQ_BROKEN, why) && answer == VIRTQ_CHAIN;
}

bool virtio_next(struct virtio_device *d, unsigned queue, struct virtq_chain *chain)
{
    return virtio_look(d, queue, 0, chain);
}

bool virtio_read(struct virtio_device *d, const struct virtq_chain *chain, uint64_t offset,
                 void *to, size_t size)
{
    struct virtq_world w = world_of(d);
    return or_break(d, &w, virtq_chain_read(chain, &w, offset, to, size),
                    "a readable buffer outside memory");
}

bool virtio_write(struct virtio_device *d, const struct virtq_chain *chain, uint64_t offset,
                  const void *from, size_t size)
{
    struct virtq_world w = world_of(d);
    return or_break(d, &w, virtq_chain_write(chain, &w, offset, from, size),
                    "a writable buffer outside writable memory");
}

bool virtio_use(struct virtio_device *d, unsigned queue, const struct virtq_chain *chain,
                uint32_t written)
{
    struct virtq_world w = world_of(d);
    return or_break(d, &w, virtqueue_use(&d->queues[queue], &w, chain, written),
                    "the device area is outside writable memory");
}

void virtio_signal(struct virtio_device *d, unsigned queue)
{
    struct virtq_world w = world_of(d);
    bool wants = false;
    if (!virtio_is_ready(d, queue))
        return;
    if (or_break(d, &w, virtqueue_wants_signal(&d->queues[queue], &w, &wants),
                 "the driver area is outside memory") &&
        wants)
        interrupt(d, INTERRUPT_USED_BUFFER);
}

void virtio_config_changed(struct virtio_device *d)
{
    d->config_generation++;
    if (virtio_is_live(d))
        interrupt(d, INTERRUPT_CONFIG_CHANGE);
}

void virtio_later(struct virtio_device *d, unsigned queue)
{
    d->work_queues |= UINT32_C(1) << queue;
    if (d->work_ticks != EVENT_NEVER)
        return;
    d->work_ticks = vtime_ticks(d->v.env->vtime) + WORK_PAUSE_TICKS;
    event_at(d->v.env->events, &d->work, d->work_ticks);
}

static void work_fires(void *context, uint64_t due_ticks)
{
    struct virtio_device *d = context;
    uint32_t queues = d->work_queues;
    (void)due_ticks;
    d->work_ticks = EVENT_NEVER;
    d->work_queues = 0;
    for (unsigned i = 0; i < virtio_queue_count(d); i++)
        if (queues >> i & 1 && virtio_is_live(d))
            d->type->notify(&d->v, i);
}

/* The selected queue ------------------------------------------------------------------------------
 */

const struct virtqueue *virtio_selected(const struct virtio_device *d)
{
    return d->queue_select < virtio_queue_count(d) ? &d->queues[d->queue_select] : NULL;
}

unsigned virtio_selected_max(const struct virtio_device *d)
{
    return d->queue_select < virtio_queue_count(d) ? d->type->queue_size_max : 0;
}

/* A queue that cannot work breaks the device at once, so that the driver learns where it erred. */
static void begin_queue(struct virtio_device *d, unsigned queue)
{
    struct virtq_world w = world_of(d);
    const char *why = virtqueue_begin(&d->queues[queue], &w, d->type->queue_size_max);
    if (why)
        break_device(d, why);
}

/* A driver may make queues ready before or after it runs; nothing is written to memory before. */
static void start_queue(struct virtio_device *d, unsigned queue)
{
    struct virtq_world w = world_of(d);
    if (virtio_is_live(d) && d->queues[queue].ready)
        or_break(d, &w, virtqueue_start(&d->queues[queue], &w),
                 "the device area is outside writable memory");
}

static void stop_queue(struct virtio_device *d, unsigned queue)
{
    d->queues[queue].ready = 0;
    if (d->type->queue_stopped)
        d->type->queue_stopped(&d->v, queue);
}

static void write_ready(struct virtio_device *d, unsigned queue, uint32_t value)
{
    if ((value & 1) == d->queues[queue].ready)
        return;
    if (value & 1) {
        begin_queue(d, queue);
        start_queue(d, queue);
    } else {
        stop_queue(d, queue);
    }
}

/* 2.6.1: done at once. */
static void write_reset(struct virtio_device *d, unsigned queue, uint32_t value)
{
    if (!(d->driver_features & VIRTIO_F_RING_RESET)) {
        log_guest(log_of(d), "%s: the reset of a queue was not negotiated", d->v.name);
    } else if (value & 1) {
        stop_queue(d, queue);
        memset(&d->queues[queue], 0, sizeof d->queues[queue]);
    }
}

static void set_half(uint64_t *whole, unsigned half, uint32_t value)
{
    unsigned shift = 32 * half;
    *whole = (*whole & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)value << shift;
}

/* 4.1.4.3.2, 4.2.2.2: a driver changes a queue only while it is not ready. */
void virtio_write_queue(struct virtio_device *d, enum virtio_queue_part part, unsigned half,
                        uint32_t value)
{
    static const char *const names[] = {"size",        "ready state", "reset", "descriptor area",
                                        "driver area", "device area"};
    struct virtqueue *q =
        d->queue_select < virtio_queue_count(d) ? &d->queues[d->queue_select] : NULL;
    if (!q || (q->ready && part != VIRTIO_QUEUE_READY && part != VIRTIO_QUEUE_RESET)) {
        log_guest(log_of(d), "%s: write to the %s of queue %u, which %s", d->v.name, names[part],
                  (unsigned)d->queue_select, q ? "is ready" : "does not exist");
        return;
    }
    switch (part) {
    case VIRTIO_QUEUE_SIZE:
        q->size = value;
        break;
    case VIRTIO_QUEUE_READY:
        write_ready(d, d->queue_select, value);
        break;
    case VIRTIO_QUEUE_RESET:
        write_reset(d, d->queue_select, value);
        break;
    case VIRTIO_QUEUE_DESCRIPTORS:
        set_half(&q->descriptors, half, value);
        break;
    case VIRTIO_QUEUE_DRIVER:
        set_half(&q->available, half, value);
        break;
    case VIRTIO_QUEUE_DEVICE:
        set_half(&q->used, half, value);
        break;
    }
}

/* Status and features -----------------------------------------------------------------------------
 */

static void reset(struct virtio_device *d)
{
    memset(d->queues, 0, sizeof d->queues);
    d->device_features_select = d->driver_features_select = d->queue_select = 0;
    d->driver_features = 0;
    d->status = d->interrupt_status = 0;
    d->work_queues = 0;
    d->work_ticks = EVENT_NEVER;
    event_at(d->v.env->events, &d->work, EVENT_NEVER);
    update_irq(d);
    if (d->type->reset)
        d->type->reset(&d->v);
}

/* 2.2.2, 6.2: a driver may accept what was offered, and must accept VIRTIO_F_VERSION_1, and
 * VIRTIO_F_ACCESS_PLATFORM where it is offered. */
static bool features_are_fine(const struct virtio_device *d)
{
    uint64_t offered = offered_features(d);
    uint64_t needed = offered & (VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM);
    return (d->driver_features & ~offered) == 0 && (d->driver_features & needed) == needed;
}

/* Queues that were ready before the features were settled begin anew, in the format that was
 * negotiated. Of a device that broke before its driver ran the driver is told now. */
static void add_status(struct virtio_device *d, uint8_t added)
{
    d->status |= added;
    for (unsigned i = 0; i < virtio_queue_count(d); i++) {
        if (added & STATUS_FEATURES_OK && d->queues[i].ready)
            begin_queue(d, i);
        if (added & STATUS_DRIVER_OK)
            start_queue(d, i);
    }
    if (added & STATUS_DRIVER_OK && d->status & STATUS_DEVICE_NEEDS_RESET)
        interrupt(d, INTERRUPT_CONFIG_CHANGE);
}

/* 2.1: bits are only ever added, but for a reset by writing 0; DEVICE_NEEDS_RESET is the device's.
 * FEATURES_OK that does not stay set says no (3.1.1, step 6), and without it there is no DRIVER_OK.
 */
void virtio_write_status(struct virtio_device *d, uint32_t value)
{
    uint8_t added = (uint8_t)(value & STATUS_BITS & ~(uint32_t)STATUS_DEVICE_NEEDS_RESET);
    if (value == 0) {
        reset(d);
        return;
    }
    if (added & STATUS_FEATURES_OK && !features_are_fine(d)) {
        log_guest(log_of(d), "%s: features %#" PRIx64 " are not accepted", d->v.name,
                  d->driver_features);
        added &= (uint8_t)~STATUS_FEATURES_OK;
    }
    if (added & STATUS_DRIVER_OK && !((added | d->status) & STATUS_FEATURES_OK)) {
        log_guest(log_of(d), "%s: DRIVER_OK before FEATURES_OK", d->v.name);
        added &= (uint8_t)~STATUS_DRIVER_OK;
    }
    unsigned fresh = added & ~(unsigned)d->status;
    add_status(d, (uint8_t)fresh);
}

uint32_t virtio_features(const struct virtio_device *d)
{
    unsigned half = d->device_features_select;
    return half < 2 ? (uint32_t)(offered_features(d) >> 32 * half) : 0;
}

void virtio_accept(struct virtio_device *d, uint32_t value)
{
    if (d->status & STATUS_FEATURES_OK)
        log_guest(log_of(d), "%s: features were settled already", d->v.name);
    else if (d->driver_features_select < 2)
        set_half(&d->driver_features, d->driver_features_select, value);
    else if (value)
        log_guest(log_of(d), "%s: features beyond bit 63", d->v.name);
}

void virtio_notify(struct virtio_device *d, uint32_t queue)
{
    if (queue < virtio_queue_count(d) && virtio_is_ready(d, queue))
        d->type->notify(&d->v, queue);
    else
        log_guest(log_of(d), "%s: notification of queue %u, which is not in use", d->v.name,
                  (unsigned)queue);
}

void virtio_acknowledge(struct virtio_device *d, uint32_t causes)
{
    d->interrupt_status &= (uint8_t)~causes;
    update_irq(d);
}

/* Configuration space -----------------------------------------------------------------------------
 */

void virtio_access_config(struct virtio_device *d, unsigned offset, struct bus_access *a)
{
    uint8_t config[VIRTIO_CONFIG_MAX] = {0};
    if (!a->is_write) {
        if (d->type->read_config)
            d->type->read_config(&d->v, config);
        a->value = load_le(config + offset, a->size);
    } else if (d->type->write_config && offset + a->size <= d->type->config_size) {
        d->type->write_config(&d->v, offset, a->size,
                              (uint32_t)(a->value & ((UINT64_C(1) << 8 * a->size) - 1)));
    } else {
        log_guest(log_of(d), "%s: write to read-only configuration +%#x", d->v.name, offset);
    }
}

/* Life --------------------------------------------------------------------------------------------
 */

void virtio_init(struct virtio_device *d, const struct virtio_type *type)
{
    CHECK(type->queue_count <= VIRTIO_QUEUES_MAX && type->config_size <= VIRTIO_CONFIG_MAX);
    d->type = type;
    d->work = (struct event){.name = "virtio work", .fire = work_fires, .context = d};
    event_add(d->v.env->events, &d->work);
    d->work_ticks = EVENT_NEVER;
}

void virtio_restored(struct vdev *v)
{
    struct virtio_device *d = (struct virtio_device *)(void *)v;
    struct virtq_world w = world_of(d);
    for (unsigned i = 0; i < virtio_queue_count(d); i++)
        virtqueue_restored(&d->queues[i], &w, d->type->queue_size_max);
    event_at(d->v.env->events, &d->work, d->work_ticks);
    update_irq(d);
}

void virtio_destroy(struct vdev *v)
{
    struct virtio_device *d = (struct virtio_device *)(void *)v;
    event_at(v->env->events, &d->work, EVENT_NEVER);
}
