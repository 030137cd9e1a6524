/* `vdev virtio-console`: one port on two queues (virtio 1.2, section 5.3), without
 * VIRTIO_CONSOLE_F_SIZE and _MULTIPORT. Input goes into the receive buffers that the driver has
 * made available and no further; output leaves at once. VIRTIO_CONSOLE_F_EMERG_WRITE gives early
 * code a register to write characters to (5.3.4). */
#include "vdev/virtio/virtio_mmio.h"

enum { RECEIVE, TRANSMIT, QUEUES };
enum { QUEUE_SIZE = 64, OUTPUT_PER_CALL = 65536, OUTPUT_PIECE = 4096 };

#define VIRTIO_CONSOLE_F_EMERG_WRITE (UINT64_C(1) << 2)
/* struct virtio_console_config: cols, rows, max_nr_ports, emerg_wr */
enum { CONFIG_EMERG_WR = 8, CONFIG_SIZE = 12 };

struct console {
    struct virtio_device virtio;
    uint64_t sent; /* bytes of the next chain to transmit that have gone out already */
};

static const struct field console_fields[] = {
    VIRTIO_FIELDS(struct console, virtio),
    VIRTIO_QUEUE_FIELDS(struct console, virtio, RECEIVE),
    VIRTIO_QUEUE_FIELDS(struct console, virtio, TRANSMIT),
    FIELD(struct console, sent),
    FIELD_END,
};

static struct console *console_of(struct vdev *v)
{
    return (struct console *)(void *)v;
}

static void output(const struct console *c, const void *data, size_t size)
{
    c->virtio.v.env->output(c->virtio.v.env->context, c->virtio.v.channel, data, size);
}

/* Sends as much of the chain as there is budget for. True: all of it has gone out. The driver may
 * have changed a chain that was begun earlier, so `sent` may be beyond its end. */
static bool send(struct console *c, const struct virtq_chain *chain, size_t *budget)
{
    uint8_t data[OUTPUT_PIECE];
    while (*budget && c->sent < chain->readable_bytes) {
        uint64_t left = chain->readable_bytes - c->sent;
        size_t size = left < sizeof data ? (size_t)left : sizeof data;
        size = size < *budget ? size : *budget;
        if (!virtio_read(&c->virtio, chain, c->sent, data, size))
            return false;
        output(c, data, size);
        c->sent += size;
        *budget -= size;
    }
    return c->sent >= chain->readable_bytes;
}

static void transmit(struct console *c)
{
    struct virtq_chain chain;
    size_t budget = OUTPUT_PER_CALL;
    while (virtio_next(&c->virtio, TRANSMIT, &chain)) {
        if (!send(c, &chain, &budget)) {
            virtio_later(&c->virtio, TRANSMIT);
            break;
        }
        c->sent = 0;
        if (!virtio_use(&c->virtio, TRANSMIT, &chain, 0))
            break;
    }
    virtio_signal(&c->virtio, TRANSMIT);
}

/* New receive buffers need no action: input that waits is offered again. */
static void console_notify(struct vdev *v, unsigned queue)
{
    if (queue == TRANSMIT)
        transmit(console_of(v));
}

static void console_reset(struct vdev *v)
{
    console_of(v)->sent = 0;
}

static void console_queue_stopped(struct vdev *v, unsigned queue)
{
    if (queue == TRANSMIT)
        console_of(v)->sent = 0;
}

static void console_write_config(struct vdev *v, unsigned offset, unsigned size, uint32_t value)
{
    uint8_t character = (uint8_t)value;
    (void)size;
    if (offset == CONFIG_EMERG_WR)
        output(console_of(v), &character, 1);
}

static const struct virtio_type console_virtio = {
    .device_id = 3,
    .device_features = VIRTIO_CONSOLE_F_EMERG_WRITE,
    .queue_count = QUEUES,
    .queue_size_max = {QUEUE_SIZE, QUEUE_SIZE},
    .config_size = CONFIG_SIZE,
    .write_config = console_write_config,
    .notify = console_notify,
    .reset = console_reset,
    .queue_stopped = console_queue_stopped,
};

static size_t console_input(struct vdev *v, const uint8_t *data, size_t size)
{
    struct console *c = console_of(v);
    struct virtq_chain chain;
    size_t taken = 0;
    while (taken < size && virtio_next(&c->virtio, RECEIVE, &chain)) {
        size_t part = size - taken;
        if (chain.writable_bytes < part)
            part = (size_t)chain.writable_bytes;
        if (!virtio_write(&c->virtio, &chain, 0, data + taken, part) ||
            !virtio_use(&c->virtio, RECEIVE, &chain, (uint32_t)part))
            break;
        taken += part;
    }
    virtio_signal(&c->virtio, RECEIVE);
    return taken;
}

static bool console_create(struct vdev *v, struct error *e)
{
    virtio_init(&console_of(v)->virtio, &console_virtio);
    return vdev_check_delayed(v, e);
}

static const struct vdev_option_type console_options[] = {
    {"hostdev", "[<|>]DEV", "none", "where bytes come from and go to", true, false},
    {"delayed", "SEC|forever", NULL, "waits for a host device that is not there yet", false, false},
    {"legacy", NULL, NULL, "the interface before virtio 1.0", false, true},
    {"sched", "PRIO", NULL, "priority of its host notifications", false, true},
    VDEV_OPTIONS_END,
};

const struct vdev_type virtio_console_type = {
    .name = "virtio-console",
    .summary = "virtio console, a guest's hvc0",
    .size = sizeof(struct console),
    .fields = console_fields,
    .needs_intr = true,
    .masters = true,
    .options = console_options,
    .ranges = virtio_mmio_ranges,
    .create = console_create,
    .access = virtio_mmio_access,
    .registers = virtio_mmio_registers,
    .input = console_input,
    .describe = virtio_mmio_describe,
    .restored = virtio_restored,
    .destroy = virtio_destroy,
};
