/* `vdev virtio-entropy`: random bytes of the host (virtio 1.2, section 5.4), which a recording
 * keeps and a replay gives again. */
#include "vdev/virtio/virtio_mmio.h"

enum { REQUESTS, QUEUES };
enum { QUEUE_SIZE = 16, BYTES_PER_CALL = 65536, BYTES_AT_ONCE = 256 };

struct entropy {
    struct virtio_device virtio;
};

static const struct field entropy_fields[] = {
    VIRTIO_FIELDS(struct entropy, virtio),
    VIRTIO_QUEUE_FIELDS(struct entropy, virtio, REQUESTS),
    FIELD_END,
};

static struct entropy *entropy_of(struct vdev *v)
{
    return (struct entropy *)(void *)v;
}

/* False: there is no randomness, which ends the VM, or the chain is not in memory. */
static bool fill(struct entropy *r, const struct virtq_chain *chain, size_t size)
{
    const struct vdev_env *env = r->virtio.v.env;
    for (size_t done = 0; done < size;) {
        uint8_t random[BYTES_AT_ONCE];
        size_t part = size - done < sizeof random ? size - done : sizeof random;
        if (!env->entropy(env->context, random, part) ||
            !virtio_write(&r->virtio, chain, done, random, part))
            return false;
        done += part;
    }
    return true;
}

/* A buffer need not be filled to its end (5.4.6.2), so a long one gets what is left of the budget.
 */
static void entropy_notify(struct vdev *v, unsigned queue)
{
    struct entropy *r = entropy_of(v);
    struct virtq_chain chain;
    size_t budget = BYTES_PER_CALL;
    while (virtio_next(&r->virtio, queue, &chain)) {
        size_t size = chain.writable_bytes < budget ? (size_t)chain.writable_bytes : budget;
        if (budget == 0) {
            virtio_later(&r->virtio, queue);
            break;
        }
        if (!fill(r, &chain, size) || !virtio_use(&r->virtio, queue, &chain, (uint32_t)size))
            break;
        budget -= size;
    }
    virtio_signal(&r->virtio, queue);
}

static const struct virtio_type entropy_virtio = {
    .device_id = 4,
    .queue_count = QUEUES,
    .queue_size_max = QUEUE_SIZE,
    .notify = entropy_notify,
};

static bool entropy_create(struct vdev *v, struct error *e)
{
    (void)e;
    virtio_init(&entropy_of(v)->virtio, &entropy_virtio);
    return true;
}

static const struct vdev_option_type entropy_options[] = {
    {"hostdev", "DEV", NULL, "the source; it is always the host's random numbers", false, true},
    {"legacy", NULL, NULL, "the interface before virtio 1.0", false, true},
    VDEV_OPTIONS_END,
};

const struct vdev_type virtio_entropy_type = {
    .name = "virtio-entropy",
    .summary = "virtio entropy source",
    .size = sizeof(struct entropy),
    .fields = entropy_fields,
    .needs_intr = true,
    .masters = true,
    .options = entropy_options,
    .ranges = virtio_mmio_ranges,
    .create = entropy_create,
    .access = virtio_mmio_access,
    .registers = virtio_mmio_registers,
    .describe = virtio_mmio_describe,
    .restored = virtio_restored,
    .destroy = virtio_destroy,
};
