/* `vdev virtio-console`: a console, and as many further ports as there are options `port`
 * (virtio 1.2, section 5.3). Input goes into the receive buffers that the driver has made available
 * and no further; output leaves at once. VIRTIO_CONSOLE_F_EMERG_WRITE gives early code a register
 * to write characters to (5.3.4).
 *
 * Without `port` there is one port, on two queues. With it VIRTIO_CONSOLE_F_MULTIPORT is offered: a
 * pair of queues for each port, and one on which driver and device tell each other of ports
 * (5.3.6.2). With `size` VIRTIO_CONSOLE_F_SIZE is. */
#include <string.h>

#include "emu/bytes.h"
#include "vdev/virtio/virtio_console.h"
#include "vdev/virtio/virtio_mmio.h"

enum { OUTPUT_PER_CALL = 65536, OUTPUT_PIECE = 4096 };

/* struct virtio_console_config */
enum {
    CONFIG_COLS = 0,
    CONFIG_ROWS = 2,
    CONFIG_MAX_NR_PORTS = 4,
    CONFIG_EMERG_WR = 8,
    CONFIG_SIZE = 12
};

static const struct field console_fields[] = {
    VIRTIO_FIELDS(struct console, virtio),
    VIRTIO_QUEUE_FIELDS(struct console, virtio, CONSOLE_RECEIVE),
    VIRTIO_QUEUE_FIELDS(struct console, virtio, CONSOLE_TRANSMIT),
    FIELD_AS(struct console, ports[0].sent, "sent"),
    FIELD_END,
};

/* Of a console with more than that, behind them: the window, queues, ports. */
static const struct field window_fields[] = {
    FIELD(struct console, columns),
    FIELD(struct console, rows),
    FIELD(struct console, virtio.config_generation),
    FIELD_END,
};
static const struct field port_fields[] = {
    FIELD(struct console_port, sent),
    FIELD_UP_TO(struct console_port, due, (1 << CONSOLE_EVENTS) - 1),
    FIELD_UP_TO(struct console_port, is_ready, 1),
    FIELD_UP_TO(struct console_port, is_open, 1),
    FIELD_END,
};

static struct console *console_of(struct vdev *v)
{
    return (struct console *)(void *)v;
}

static bool has_window(const struct console *c)
{
    return c->virtio.own_features & VIRTIO_CONSOLE_F_SIZE;
}

static struct vdev_part console_part(struct vdev *v, unsigned number)
{
    struct console *c = console_of(v);
    unsigned queues = c->virtio.own_queues, ports = queues ? v->port_count : 0;
    if (number == 0 && (queues || has_window(c)))
        return (struct vdev_part){c, window_fields};
    if (number && number - 1 < queues)
        return (struct vdev_part){&c->virtio.queues[CONSOLE_CONTROL_RECEIVE + number - 1],
                                  virtqueue_fields};
    if (number && number - 1 - queues < ports)
        return (struct vdev_part){&c->ports[number - 1 - queues], port_fields};
    return (struct vdev_part){0};
}

/* Ports and queues --------------------------------------------------------------------------------
 */

/* Queues other than those of port 0 exist only with VIRTIO_CONSOLE_F_MULTIPORT (5.3.2). */
static bool is_there(const struct console *c, unsigned queue)
{
    return queue <= CONSOLE_TRANSMIT || virtio_console_is_multiport(c);
}

static bool is_control(unsigned queue)
{
    return queue == CONSOLE_CONTROL_RECEIVE || queue == CONSOLE_CONTROL_TRANSMIT;
}

static unsigned receive_queue(unsigned port)
{
    return port ? CONSOLE_QUEUES_OF_ONE_PORT * (port + 1) : CONSOLE_RECEIVE;
}

/* Of a queue that is not of control. */
static unsigned port_of(unsigned queue)
{
    return queue <= CONSOLE_TRANSMIT ? 0 : queue / CONSOLE_QUEUES_OF_ONE_PORT - 1;
}

static bool transmits(unsigned queue)
{
    return queue & 1;
}

/* Output ------------------------------------------------------------------------------------------
 */

static void output(const struct console *c, unsigned port, const void *data, size_t size)
{
    const struct vdev *v = &c->virtio.v;
    v->env->output(v->env->context, vdev_channel(v, port), data, size);
}

/* Sends as much of the chain as there is budget for. True: all of it has gone out. The driver may
 * have changed a chain that was begun earlier, so `sent` may be beyond its end. */
static bool send(struct console *c, unsigned port, const struct virtq_chain *chain, size_t *budget)
{
    uint8_t data[OUTPUT_PIECE];
    uint64_t *sent = &c->ports[port].sent;
    while (*budget && *sent < chain->readable_bytes) {
        uint64_t left = chain->readable_bytes - *sent;
        size_t size = left < sizeof data ? (size_t)left : sizeof data;
        size = size < *budget ? size : *budget;
        if (!virtio_read(&c->virtio, chain, *sent, data, size))
            return false;
        output(c, port, data, size);
        *sent += size;
        *budget -= size;
    }
    return *sent >= chain->readable_bytes;
}

static void transmit(struct console *c, unsigned queue)
{
    struct virtq_chain chain;
    size_t budget = OUTPUT_PER_CALL;
    unsigned port = port_of(queue);
    while (virtio_next(&c->virtio, queue, &chain)) {
        if (!send(c, port, &chain, &budget)) {
            virtio_later(&c->virtio, queue);
            break;
        }
        c->ports[port].sent = 0;
        if (!virtio_use(&c->virtio, queue, &chain, 0))
            break;
    }
    virtio_signal(&c->virtio, queue);
}

/* The device itself -------------------------------------------------------------------------------
 */

/* New receive buffers of a port need no action: input that waits is offered again. */
static void console_notify(struct vdev *v, unsigned queue)
{
    struct console *c = console_of(v);
    if (!is_there(c, queue))
        return;
    if (queue == CONSOLE_CONTROL_RECEIVE)
        virtio_console_tell(c);
    else if (queue == CONSOLE_CONTROL_TRANSMIT)
        virtio_console_listen(c);
    else if (transmits(queue))
        transmit(c, queue);
}

static void console_reset(struct vdev *v)
{
    memset(console_of(v)->ports, 0, sizeof console_of(v)->ports);
}

static void console_queue_stopped(struct vdev *v, unsigned queue)
{
    if (transmits(queue) && !is_control(queue))
        console_of(v)->ports[port_of(queue)].sent = 0;
}

static void console_read_config(const struct vdev *v, uint8_t *config)
{
    const struct console *c = (const struct console *)(const void *)v;
    store_le(config + CONFIG_COLS, c->columns, 2);
    store_le(config + CONFIG_ROWS, c->rows, 2);
    if (c->virtio.own_features & VIRTIO_CONSOLE_F_MULTIPORT)
        store_le(config + CONFIG_MAX_NR_PORTS, v->port_count, 4);
}

static void console_write_config(struct vdev *v, unsigned offset, unsigned size, uint32_t value)
{
    uint8_t character = (uint8_t)value;
    (void)size;
    if (offset == CONFIG_EMERG_WR)
        output(console_of(v), 0, &character, 1);
}

static const struct virtio_type console_virtio = {
    .device_id = 3,
    .device_features = VIRTIO_CONSOLE_F_EMERG_WRITE,
    .queue_count = CONSOLE_QUEUES_OF_ONE_PORT,
    .queue_size_max = CONSOLE_QUEUE_SIZE,
    .config_size = CONFIG_SIZE,
    .read_config = console_read_config,
    .write_config = console_write_config,
    .notify = console_notify,
    .reset = console_reset,
    .queue_stopped = console_queue_stopped,
};

/* With several ports a driver may have one of them closed: what arrives would be lost there. */
static bool takes_input(const struct console *c, unsigned port)
{
    return virtio_console_is_multiport(c) ? c->ports[port].is_open : port == 0;
}

static size_t console_input(struct vdev *v, unsigned port, const uint8_t *data, size_t size)
{
    struct console *c = console_of(v);
    struct virtq_chain chain;
    size_t taken = 0;
    unsigned queue = receive_queue(port);
    if (!takes_input(c, port))
        return 0;
    while (taken < size && virtio_next(&c->virtio, queue, &chain)) {
        size_t part = size - taken;
        if (chain.writable_bytes < part)
            part = (size_t)chain.writable_bytes;
        if (!virtio_write(&c->virtio, &chain, 0, data + taken, part) ||
            !virtio_use(&c->virtio, queue, &chain, (uint32_t)part))
            break;
        taken += part;
    }
    virtio_signal(&c->virtio, queue);
    return taken;
}

static void console_resize(struct vdev *v, uint16_t columns, uint16_t rows)
{
    struct console *c = console_of(v);
    if (!has_window(c) || (c->columns == columns && c->rows == rows))
        return;
    c->columns = columns;
    c->rows = rows;
    if (!virtio_console_knows_window(c)) {
        c->virtio.config_generation++;
        return;
    }
    virtio_config_changed(&c->virtio);
    if (virtio_console_is_multiport(c) && c->ports[0].is_ready) {
        virtio_console_make_due(c, 0, VIRTIO_CONSOLE_RESIZE);
        virtio_console_tell(c);
    }
}

/* Options -----------------------------------------------------------------------------------------
 */

/* What a file of that name can be called. */
static bool is_name(const char *text)
{
    size_t size = strlen(text);
    return size && size <= CONSOLE_NAME_MAX && text[0] != '.' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               size;
}

static bool is_taken(const struct vdev *v, const struct vdev_option *name)
{
    for (const struct vdev_option *o = v->options; o < name; o++)
        if (strcmp(o->name, VDEV_PORT_OPTION) == 0 && strcmp(o->value, name->value) == 0)
            return true;
    return false;
}

static bool read_ports(struct console *c, struct error *e)
{
    const struct vdev *v = &c->virtio.v;
    unsigned count = 1;
    for (size_t i = 0; i < v->option_count; i++) {
        const struct vdev_option *o = &v->options[i];
        if (strcmp(o->name, VDEV_PORT_OPTION) != 0)
            continue;
        if (!is_name(o->value))
            return error_at(e, o->file, o->line,
                            "vdev virtio-console: port %.64s: a name has up to %d letters, digits, "
                            "'_', '-' and '.', and does not begin with a '.'",
                            o->value, CONSOLE_NAME_MAX);
        if (is_taken(v, o))
            return error_at(e, o->file, o->line, "vdev virtio-console: a second port %s", o->value);
        if (count++ == CONSOLE_PORTS_MAX)
            return error_at(e, o->file, o->line, "vdev virtio-console: more than %d ports",
                            CONSOLE_PORTS_MAX - 1);
    }
    if (count > 1) {
        c->virtio.own_features |= VIRTIO_CONSOLE_F_MULTIPORT;
        c->virtio.own_queues = CONSOLE_QUEUES_OF_ONE_PORT * count;
    }
    return true;
}

static bool read_number(const char *text, size_t length, uint16_t *number)
{
    uint64_t value;
    if (!vdev_number(text, length, 10, &value) || !value || value > UINT16_MAX)
        return false;
    *number = (uint16_t)value;
    return true;
}

static bool read_size(struct console *c, struct error *e)
{
    const struct vdev_option *o = vdev_option_find(&c->virtio.v, "size");
    const char *cross = o ? strchr(o->value, 'x') : NULL;
    if (!o)
        return true;
    c->virtio.own_features |= VIRTIO_CONSOLE_F_SIZE;
    return (cross && read_number(o->value, (size_t)(cross - o->value), &c->columns) &&
            read_number(cross + 1, strlen(cross + 1), &c->rows)) ||
           error_at(e, o->file, o->line,
                    "vdev virtio-console: size %s is not columns and rows, such as 80x24",
                    o->value);
}

static bool console_create(struct vdev *v, struct error *e)
{
    struct console *c = console_of(v);
    virtio_init(&c->virtio, &console_virtio);
    return read_ports(c, e) && read_size(c, e) && vdev_check_delayed(v, e);
}

static const struct vdev_option_type console_options[] = {
    {"hostdev", "[<|>]DEV", "none", "where bytes come from and go to", true, false},
    {"delayed", "SEC|forever", NULL, "waits for a host device that is not there yet", true, false},
    {VDEV_PORT_OPTION, "NAME", "none",
     "one more port, for bytes without a terminal; `hostdev` and `delayed` behind it are its own",
     true, false},
    {"size", "COLUMNSxROWS", "none",
     "tells the guest how large the window is: a terminal's size, or else this", false, false},
    {"legacy", NULL, NULL, "the interface before virtio 1.0", false, true},
    {"sched", "PRIO", NULL, "priority of its host notifications", false, true},
    VDEV_OPTIONS_END,
};

const struct vdev_type virtio_console_type = {
    .name = "virtio-console",
    .summary = "virtio console, a guest's hvc0",
    .size = sizeof(struct console),
    .fields = console_fields,
    .part = console_part,
    .needs_intr = true,
    .masters = true,
    .options = console_options,
    .ranges = virtio_mmio_ranges,
    .create = console_create,
    .access = virtio_mmio_access,
    .registers = virtio_mmio_registers,
    .input = console_input,
    .resize = console_resize,
    .describe = virtio_mmio_describe,
    .restored = virtio_restored,
    .destroy = virtio_destroy,
};
