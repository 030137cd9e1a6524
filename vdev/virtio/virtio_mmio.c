#include "vdev/virtio/virtio_mmio.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/bytes.h"
#include "emu/check.h"

/* Virtio 1.2, section 4.2.2, table 4.1 */
enum {
    MagicValue = 0x000,
    Version = 0x004,
    DeviceID = 0x008,
    VendorID = 0x00c,
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
    QueueDescLow = 0x080,
    QueueDescHigh = 0x084,
    QueueDriverLow = 0x090,
    QueueDriverHigh = 0x094,
    QueueDeviceLow = 0x0a0,
    QueueDeviceHigh = 0x0a4,
    SHMSel = 0x0ac,
    SHMLenLow = 0x0b0,
    SHMLenHigh = 0x0b4,
    SHMBaseLow = 0x0b8,
    SHMBaseHigh = 0x0bc,
    ConfigGeneration = 0x0fc,
    Config = 0x100,
};

#define MAGIC  0x74726976u /* "virt" */
#define VENDOR 0x206d7671u /* "qvm " */

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
    wire_set(&d->v->irq, d->interrupt_status != 0);
}

static void interrupt(struct virtio_device *d, uint8_t bit)
{
    d->interrupt_status |= bit;
    update_irq(d);
}

static const struct log *log_of(const struct virtio_device *d)
{
    return d->v->env->log;
}

static uint64_t offered_features(const struct virtio_device *d)
{
    return d->type->device_features | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX |
           VIRTIO_F_VERSION_1;
}

bool virtio_is_live(const struct virtio_device *d)
{
    enum { NEEDED = STATUS_DRIVER_OK | STATUS_FEATURES_OK };
    return (d->status & (NEEDED | STATUS_DEVICE_NEEDS_RESET)) == NEEDED;
}

/* 2.1.2: a driver that runs is told by a configuration change interrupt. */
void virtio_break(struct virtio_device *d, const char *why)
{
    log_guest(log_of(d), "%s needs a reset: %s", d->v->name, why);
    d->status |= STATUS_DEVICE_NEEDS_RESET;
    if (d->status & STATUS_DRIVER_OK)
        interrupt(d, INTERRUPT_CONFIG_CHANGE);
}

/* Queues ------------------------------------------------------------------------------------------
 */

static struct virtq_world world_of(const struct virtio_device *d)
{
    return (struct virtq_world){
        .dma = &d->v->dma,
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
    virtio_break(d, w->fault.kind == DMA_FAULT_NONE ? why : text);
    return false;
}

bool virtio_next(struct virtio_device *d, unsigned queue, struct virtq_chain *chain)
{
    struct virtq_world w = world_of(d);
    const char *why;
    if (!virtio_is_live(d) || !d->queues[queue].ready)
        return false;
    enum virtq_answer answer = virtqueue_next(&d->queues[queue], &w, chain, &why);
    return or_break(d, &w, answer != VIRTQ_BROKEN, why) && answer == VIRTQ_CHAIN;
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
    if (!virtio_is_live(d) || !d->queues[queue].ready)
        return;
    if (or_break(d, &w, virtqueue_wants_signal(&d->queues[queue], &w, &wants),
                 "the driver area is outside memory") &&
        wants)
        interrupt(d, INTERRUPT_USED_BUFFER);
}

void virtio_later(struct virtio_device *d, unsigned queue)
{
    d->work_queues |= UINT32_C(1) << queue;
    if (d->work_ticks != EVENT_NEVER)
        return;
    d->work_ticks = vtime_ticks(d->v->env->vtime) + WORK_PAUSE_TICKS;
    event_at(d->v->env->events, &d->work, d->work_ticks);
}

static void work_fires(void *context, uint64_t due_ticks)
{
    struct virtio_device *d = context;
    uint32_t queues = d->work_queues;
    (void)due_ticks;
    d->work_ticks = EVENT_NEVER;
    d->work_queues = 0;
    for (unsigned i = 0; i < d->type->queue_count; i++)
        if (queues >> i & 1 && virtio_is_live(d))
            d->type->notify(d->v, i);
}

/* The queue that QueueSel selects, or NULL. */
static struct virtqueue *selected(struct virtio_device *d)
{
    return d->queue_select < d->type->queue_count ? &d->queues[d->queue_select] : NULL;
}

static unsigned selected_max(const struct virtio_device *d)
{
    return d->queue_select < d->type->queue_count ? d->type->queue_size_max[d->queue_select] : 0;
}

/* A queue that cannot work breaks the device at once, so that the driver learns where it erred. */
static void write_ready(struct virtio_device *d, struct virtqueue *q, uint32_t value)
{
    const char *why = virtqueue_problem(q, selected_max(d));
    if ((value & 1) == q->ready)
        return;
    q->ready = 0;
    if (!(value & 1))
        return;
    if (why) {
        virtio_break(d, why);
        return;
    }
    q->next_available = q->next_used = q->signalled = 0;
    virtqueue_map(q);
    q->ready = 1;
}

static void set_half(uint64_t *address, uint64_t offset, uint32_t value)
{
    unsigned shift = offset & 4 ? 32 : 0;
    *address = (*address & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)value << shift;
}

/* 4.2.2.2: a driver changes a queue only while it is not ready. */
static void write_queue(struct virtio_device *d, uint64_t offset, uint32_t value)
{
    struct virtqueue *q = selected(d);
    if (!q || (q->ready && offset != QueueReady)) {
        log_guest(log_of(d), "%s: write to register +%#x of queue %u, which %s", d->v->name,
                  (unsigned)offset, d->queue_select, q ? "is ready" : "does not exist");
        return;
    }
    switch (offset) {
    case QueueNum:
        q->size = value;
        break;
    case QueueReady:
        write_ready(d, q, value);
        break;
    case QueueDescLow:
    case QueueDescHigh:
        set_half(&q->descriptors, offset, value);
        break;
    case QueueDriverLow:
    case QueueDriverHigh:
        set_half(&q->available, offset, value);
        break;
    default: /* QueueDeviceLow, QueueDeviceHigh */
        set_half(&q->used, offset, value);
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
    event_at(d->v->env->events, &d->work, EVENT_NEVER);
    update_irq(d);
    if (d->type->reset)
        d->type->reset(d->v);
}

/* 2.2.2, 6.2: a driver may accept what was offered, and must accept VIRTIO_F_VERSION_1. */
static bool features_are_fine(const struct virtio_device *d)
{
    return (d->driver_features & ~offered_features(d)) == 0 &&
           d->driver_features & VIRTIO_F_VERSION_1;
}

/* 2.1: bits are only ever added, but for a reset by writing 0; DEVICE_NEEDS_RESET is the device's.
 * FEATURES_OK that does not stay set says no (3.1.1, step 6), and without it there is no DRIVER_OK.
 */
static void write_status(struct virtio_device *d, uint32_t value)
{
    uint8_t added = (uint8_t)(value & STATUS_BITS & ~(uint32_t)STATUS_DEVICE_NEEDS_RESET);
    if (value == 0) {
        reset(d);
        return;
    }
    if (added & STATUS_FEATURES_OK && !features_are_fine(d)) {
        log_guest(log_of(d), "%s: features %#" PRIx64 " are not accepted", d->v->name,
                  d->driver_features);
        added &= (uint8_t)~STATUS_FEATURES_OK;
    }
    if (added & STATUS_DRIVER_OK && !((added | d->status) & STATUS_FEATURES_OK)) {
        log_guest(log_of(d), "%s: DRIVER_OK before FEATURES_OK", d->v->name);
        added &= (uint8_t)~STATUS_DRIVER_OK;
    }
    bool was_broken = d->status & STATUS_DEVICE_NEEDS_RESET && !(d->status & STATUS_DRIVER_OK);
    d->status |= added;
    if (was_broken && added & STATUS_DRIVER_OK)
        interrupt(d, INTERRUPT_CONFIG_CHANGE);
}

static void write_features(struct virtio_device *d, uint32_t value)
{
    if (d->status & STATUS_FEATURES_OK)
        log_guest(log_of(d), "%s: features were settled already", d->v->name);
    else if (d->driver_features_select < 2)
        set_half(&d->driver_features, d->driver_features_select * 4, value);
    else if (value)
        log_guest(log_of(d), "%s: features beyond bit 63", d->v->name);
}

static void write_notify(struct virtio_device *d, uint32_t queue)
{
    if (queue < d->type->queue_count && virtio_is_live(d) && d->queues[queue].ready)
        d->type->notify(d->v, queue);
    else
        log_guest(log_of(d), "%s: notification of queue %u, which is not in use", d->v->name,
                  (unsigned)queue);
}

/* Registers ---------------------------------------------------------------------------------------
 */

static uint32_t half_of(uint64_t value, uint32_t select)
{
    return select < 2 ? (uint32_t)(value >> 32 * select) : 0;
}

static uint32_t read_register(struct virtio_device *d, uint64_t offset)
{
    const struct virtqueue *q = selected(d);
    switch (offset) {
    case MagicValue:
        return MAGIC;
    case Version:
        return 2;
    case DeviceID:
        return d->type->device_id;
    case VendorID:
        return VENDOR;
    case DeviceFeatures:
        return half_of(offered_features(d), d->device_features_select);
    case QueueNumMax:
        return selected_max(d);
    case QueueReady:
        return q ? q->ready : 0;
    case InterruptStatus:
        return d->interrupt_status;
    case Status:
        return d->status;
    /* 4.2.2 wants a length of all ones, "no such region". The qvm that we model reads 0, a region
     * of no bytes, which some drivers take for one. */
    case SHMLenLow:
    case SHMLenHigh:
        return 0;
    case SHMBaseLow:
    case SHMBaseHigh:
        return UINT32_MAX;
    case ConfigGeneration: /* no configuration here changes by itself */
        return 0;
    default:
        log_guest(log_of(d), "%s: read of write-only or reserved register +%#x", d->v->name,
                  (unsigned)offset);
        return 0;
    }
}

static void write_register(struct virtio_device *d, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case DeviceFeaturesSel:
        d->device_features_select = value;
        break;
    case DriverFeatures:
        write_features(d, value);
        break;
    case DriverFeaturesSel:
        d->driver_features_select = value;
        break;
    case QueueSel:
        d->queue_select = value;
        break;
    case QueueNum:
    case QueueReady:
    case QueueDescLow:
    case QueueDescHigh:
    case QueueDriverLow:
    case QueueDriverHigh:
    case QueueDeviceLow:
    case QueueDeviceHigh:
        write_queue(d, offset, value);
        break;
    case QueueNotify:
        write_notify(d, value);
        break;
    case InterruptACK:
        d->interrupt_status &= (uint8_t)~value;
        update_irq(d);
        break;
    case Status:
        write_status(d, value);
        break;
    case SHMSel: /* whichever: there is no region */
        break;
    default:
        log_guest(log_of(d), "%s: write to read-only or reserved register +%#x", d->v->name,
                  (unsigned)offset);
        break;
    }
}

static void access_config(struct virtio_device *d, struct bus_access *a)
{
    uint8_t config[VIRTIO_CONFIG_MAX] = {0};
    unsigned offset = (unsigned)(a->offset - Config);
    if (!a->is_write) {
        if (d->type->read_config)
            d->type->read_config(d->v, config);
        a->value = load_le(config + offset, a->size);
    } else if (d->type->write_config && offset + a->size <= d->type->config_size) {
        d->type->write_config(d->v, offset, a->size,
                              (uint32_t)(a->value & ((UINT64_C(1) << 8 * a->size) - 1)));
    } else {
        log_guest(log_of(d), "%s: write to read-only configuration +%#x", d->v->name, offset);
    }
}

/* 4.2.2.2: the registers take aligned words only; the configuration space has fields of 8, 16 and
 * 32 bits, and 64-bit ones are two words. */
enum bus_answer virtio_access(struct virtio_device *d, struct bus_access *a)
{
    if (a->size > 4 || a->offset % a->size || (a->offset < Config && a->size != 4))
        return BUS_NOBODY;
    if (a->offset >= Config)
        access_config(d, a);
    else if (a->is_write)
        write_register(d, a->offset, (uint32_t)a->value);
    else
        a->value = read_register(d, a->offset);
    return BUS_HANDLED;
}

const struct vdev_register *virtio_registers(const struct vdev *v, unsigned region,
                                             uint64_t *offset)
{
    static const struct vdev_register table[] = {
        VDEV_REGISTER(MagicValue),
        VDEV_REGISTER(Version),
        VDEV_REGISTER(DeviceID),
        VDEV_REGISTER(VendorID),
        VDEV_REGISTER(DeviceFeatures),
        VDEV_REGISTER(DeviceFeaturesSel),
        VDEV_REGISTER(DriverFeatures),
        VDEV_REGISTER(DriverFeaturesSel),
        VDEV_REGISTER(QueueSel),
        VDEV_REGISTER(QueueNumMax),
        VDEV_REGISTER(QueueNum),
        VDEV_REGISTER(QueueReady),
        VDEV_REGISTER(QueueNotify),
        VDEV_REGISTER(InterruptStatus),
        VDEV_REGISTER(InterruptACK),
        VDEV_REGISTER(Status),
        VDEV_REGISTER(QueueDescLow),
        VDEV_REGISTER(QueueDescHigh),
        VDEV_REGISTER(QueueDriverLow),
        VDEV_REGISTER(QueueDriverHigh),
        VDEV_REGISTER(QueueDeviceLow),
        VDEV_REGISTER(QueueDeviceHigh),
        VDEV_REGISTER(SHMSel),
        VDEV_REGISTER(SHMLenLow),
        VDEV_REGISTER(SHMLenHigh),
        VDEV_REGISTER(SHMBaseLow),
        VDEV_REGISTER(SHMBaseHigh),
        VDEV_REGISTER(ConfigGeneration),
        VDEV_REGISTERS_END,
    };
    (void)v, (void)region, (void)offset;
    return table;
}

/* Life --------------------------------------------------------------------------------------------
 */

bool virtio_ranges(struct vdev *v, unsigned vcpus, struct error *e)
{
    (void)vcpus;
    (void)e;
    vdev_add_region(v, v->loc, VIRTIO_REGION_SIZE, NULL);
    return true;
}

void virtio_init(struct virtio_device *d, struct vdev *v, const struct virtio_type *type)
{
    CHECK(type->queue_count <= VIRTIO_QUEUES_MAX && type->config_size <= VIRTIO_CONFIG_MAX);
    d->v = v;
    d->type = type;
    d->work = (struct event){.name = "virtio work", .fire = work_fires, .context = d};
    event_add(v->env->events, &d->work);
    d->work_ticks = EVENT_NEVER;
}

/* A queue that could not have become ready is not. Both of its indices count chains that were given
 * back: were they different, rings that overlap could offer chains for ever. */
void virtio_restored(struct virtio_device *d)
{
    for (unsigned i = 0; i < d->type->queue_count; i++) {
        struct virtqueue *q = &d->queues[i];
        if (virtqueue_problem(q, d->type->queue_size_max[i]) || q->next_used != q->next_available)
            q->ready = 0;
        virtqueue_map(q);
    }
    event_at(d->v->env->events, &d->work, d->work_ticks);
    update_irq(d);
}

void virtio_destroy(struct virtio_device *d)
{
    event_at(d->v->env->events, &d->work, EVENT_NEVER);
}

/* Bindings: virtio/mmio.yaml. All memory is coherent here. */
void virtio_describe(const struct virtio_device *d, const struct describer *describer)
{
    static const char compatible[] = "virtio,mmio";
    char name[32];
    snprintf(name, sizeof name, "virtio@%" PRIx64, d->v->loc);
    describer->begin_node(describer->context, name);
    describer->strings(describer->context, "compatible", compatible, sizeof compatible);
    describe_reg(describer, d->v->regions, d->v->region_count);
    describe_interrupt(describer, d->v->irq_line);
    describer->empty(describer->context, "dma-coherent");
    describer->end_node(describer->context);
}
