#include "vdev/virtio/virtio_mmio.h"

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
    QueueReset = 0x0c0,
    ConfigGeneration = 0x0fc,
    Config = 0x100,
};

#define REGION_SIZE (Config + VIRTIO_CONFIG_MAX)
#define MAGIC       0x74726976u /* "virt" */
#define VENDOR      0x206d7671u /* "qvm " */

static uint32_t read_register(const struct virtio_device *d, uint64_t offset)
{
    const struct virtqueue *q = virtio_selected(d);
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
        return virtio_features(d);
    case QueueNumMax:
        return virtio_selected_max(d);
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
    case ConfigGeneration:
        return d->config_generation;
    case QueueReset: /* none is under way */
        return 0;
    default:
        log_guest(d->v.env->log, "%s: read of write-only or reserved register +%#x", d->v.name,
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
        virtio_accept(d, value);
        break;
    case DriverFeaturesSel:
        d->driver_features_select = value;
        break;
    case QueueSel:
        d->queue_select = value;
        break;
    case QueueNum:
        virtio_write_queue(d, VIRTIO_QUEUE_SIZE, 0, value);
        break;
    case QueueReady:
        virtio_write_queue(d, VIRTIO_QUEUE_READY, 0, value);
        break;
    case QueueReset:
        virtio_write_queue(d, VIRTIO_QUEUE_RESET, 0, value);
        break;
    case QueueDescLow:
    case QueueDescHigh:
        virtio_write_queue(d, VIRTIO_QUEUE_DESCRIPTORS, offset == QueueDescHigh, value);
        break;
    case QueueDriverLow:
    case QueueDriverHigh:
        virtio_write_queue(d, VIRTIO_QUEUE_DRIVER, offset == QueueDriverHigh, value);
        break;
    case QueueDeviceLow:
    case QueueDeviceHigh:
        virtio_write_queue(d, VIRTIO_QUEUE_DEVICE, offset == QueueDeviceHigh, value);
        break;
    case QueueNotify:
        virtio_notify(d, value);
        break;
    case InterruptACK:
        virtio_acknowledge(d, value);
        break;
    case Status:
        virtio_write_status(d, value);
        break;
    case SHMSel: /* whichever: there is no region */
        break;
    default:
        log_guest(d->v.env->log, "%s: write to read-only or reserved register +%#x", d->v.name,
                  (unsigned)offset);
        break;
    }
}

/* 4.2.2.2: the registers take aligned words only; the configuration space has fields of 8, 16 and
 * 32 bits, and 64-bit ones are two words. */
enum bus_answer virtio_mmio_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct virtio_device *d = (struct virtio_device *)(void *)v;
    (void)region;
    if (a->size > 4 || a->offset % a->size || (a->offset < Config && a->size != 4))
        return BUS_NOBODY;
    if (a->offset >= Config)
        virtio_access_config(d, (unsigned)(a->offset - Config), a);
    else if (a->is_write)
        write_register(d, a->offset, (uint32_t)a->value);
    else
        a->value = read_register(d, a->offset);
    return BUS_HANDLED;
}

const struct vdev_register *virtio_mmio_registers(const struct vdev *v, unsigned region,
                                                  uint64_t *offset)
{
    static const struct vdev_register table[] = {
        VDEV_REGISTER(MagicValue),       VDEV_REGISTER(Version),
        VDEV_REGISTER(DeviceID),         VDEV_REGISTER(VendorID),
        VDEV_REGISTER(DeviceFeatures),   VDEV_REGISTER(DeviceFeaturesSel),
        VDEV_REGISTER(DriverFeatures),   VDEV_REGISTER(DriverFeaturesSel),
        VDEV_REGISTER(QueueSel),         VDEV_REGISTER(QueueNumMax),
        VDEV_REGISTER(QueueNum),         VDEV_REGISTER(QueueReady),
        VDEV_REGISTER(QueueNotify),      VDEV_REGISTER(InterruptStatus),
        VDEV_REGISTER(InterruptACK),     VDEV_REGISTER(Status),
        VDEV_REGISTER(QueueDescLow),     VDEV_REGISTER(QueueDescHigh),
        VDEV_REGISTER(QueueDriverLow),   VDEV_REGISTER(QueueDriverHigh),
        VDEV_REGISTER(QueueDeviceLow),   VDEV_REGISTER(QueueDeviceHigh),
        VDEV_REGISTER(SHMSel),           VDEV_REGISTER(SHMLenLow),
        VDEV_REGISTER(SHMLenHigh),       VDEV_REGISTER(SHMBaseLow),
        VDEV_REGISTER(SHMBaseHigh),      VDEV_REGISTER(QueueReset),
        VDEV_REGISTER(ConfigGeneration), VDEV_REGISTERS_END,
    };
    (void)v, (void)region, (void)offset;
    return table;
}

bool virtio_mmio_ranges(struct vdev *v, unsigned vcpus, struct error *e)
{
    (void)vcpus, (void)e;
    vdev_add_region(v, v->loc, REGION_SIZE, NULL);
    return true;
}

/* Bindings: virtio/mmio.yaml. All memory is coherent here. */
void virtio_mmio_describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "virtio,mmio";
    vdev_describe_begin(v, d, "virtio", compatible, sizeof compatible);
    pic_describe_interrupt(d, v->irq_line);
    d->empty(d->context, "dma-coherent");
    d->end_node(d->context);
}
