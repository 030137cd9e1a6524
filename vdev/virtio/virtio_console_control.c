/* What driver and device tell each other of ports (virtio 1.2, 5.3.6.2): messages on a pair of
 * queues of their own. What the device has to say is state, a bit for each event of a port, so that
 * it waits for buffers without a queue that could grow. */
#include <string.h>

#include "emu/bytes.h"
#include "vdev/virtio/virtio_console.h"

/* struct virtio_console_control */
enum { CONTROL_ID = 0, CONTROL_EVENT = 4, CONTROL_VALUE = 6, CONTROL_SIZE = 8 };

/* Messages to the driver --------------------------------------------------------------------------
 */

static size_t message_of(const struct console *c, unsigned port, unsigned event,
                         uint8_t message[CONTROL_SIZE + CONSOLE_NAME_MAX])
{
    const char *name = vdev_port_name(&c->virtio.v, port);
    uint8_t *rest = message + CONTROL_SIZE;
    bool says_yes = event == VIRTIO_CONSOLE_CONSOLE_PORT || event == VIRTIO_CONSOLE_PORT_OPEN;
    store_le(message + CONTROL_ID, port, 4);
    store_le(message + CONTROL_EVENT, event, 2);
    store_le(message + CONTROL_VALUE, says_yes, 2);
    if (event == VIRTIO_CONSOLE_RESIZE) { /* struct virtio_console_resize */
        store_le(rest, c->columns, 2);
        store_le(rest + 2, c->rows, 2);
        return CONTROL_SIZE + 4;
    }
    if (event != VIRTIO_CONSOLE_PORT_NAME)
        return CONTROL_SIZE;
    memcpy(rest, name, strlen(name)); /* without its end */
    return CONTROL_SIZE + strlen(name);
}

/* False: there is no buffer now. One that is too small for its message gets none of it. */
static bool tell(struct console *c, unsigned port, unsigned event)
{
    struct virtio_device *d = &c->virtio;
    uint8_t message[CONTROL_SIZE + CONSOLE_NAME_MAX];
    struct virtq_chain chain;
    if (!virtio_next(d, CONSOLE_CONTROL_RECEIVE, &chain))
        return false;
    size_t size = message_of(c, port, event, message);
    bool fits = chain.writable_bytes >= size;
    if (!fits)
        log_guest(d->v.env->log, "%s: a control buffer is too small for a message of %zu bytes",
                  d->v.name, size);
    return (!fits || virtio_write(d, &chain, 0, message, size)) &&
           virtio_use(d, CONSOLE_CONTROL_RECEIVE, &chain, fits ? (uint32_t)size : 0);
}

static bool tell_of_port(struct console *c, unsigned port)
{
    for (unsigned event = 0; event < CONSOLE_EVENTS; event++) {
        if (!(c->ports[port].due >> event & 1))
            continue;
        if (!tell(c, port, event))
            return false;
        c->ports[port].due &= (uint8_t) ~(1u << event);
    }
    return true;
}

void virtio_console_tell(struct console *c)
{
    for (unsigned port = 0; port < c->virtio.v.port_count; port++)
        if (!tell_of_port(c, port))
            break;
    virtio_signal(&c->virtio, CONSOLE_CONTROL_RECEIVE);
}

/* Messages from the driver ------------------------------------------------------------------------
 */

/* 5.3.5: the driver is there, and learns which ports there are. */
static void device_is_ready(struct console *c)
{
    for (unsigned port = 0; port < c->virtio.v.port_count; port++) {
        c->ports[port].is_ready = c->ports[port].is_open = 0;
        c->ports[port].due = 1u << VIRTIO_CONSOLE_DEVICE_ADD;
    }
}

/* Port 0 is the console; the others have a name. The host's end of each is open, always: what it
 * is connected to may change, and is nothing that a guest sees. */
static void port_is_ready(struct console *c, unsigned port, bool is_ready)
{
    c->ports[port].is_ready = is_ready;
    if (!is_ready)
        return;
    virtio_console_make_due(c, port, port ? VIRTIO_CONSOLE_PORT_NAME : VIRTIO_CONSOLE_CONSOLE_PORT);
    if (port == 0 && virtio_console_knows_window(c))
        virtio_console_make_due(c, port, VIRTIO_CONSOLE_RESIZE);
    virtio_console_make_due(c, port, VIRTIO_CONSOLE_PORT_OPEN);
}

static void hear(struct console *c, const uint8_t message[CONTROL_SIZE])
{
    const struct vdev *v = &c->virtio.v;
    uint32_t port = (uint32_t)load_le(message + CONTROL_ID, 4);
    unsigned event = (unsigned)load_le(message + CONTROL_EVENT, 2);
    bool value = load_le(message + CONTROL_VALUE, 2) & 1;
    if (event == VIRTIO_CONSOLE_DEVICE_READY && value)
        device_is_ready(c);
    else if (event == VIRTIO_CONSOLE_DEVICE_READY)
        log_guest(v->env->log, "%s: its driver has failed", v->name);
    else if (port >= v->port_count)
        log_guest(v->env->log, "%s: a message for port %u, which does not exist", v->name,
                  (unsigned)port);
    else if (event == VIRTIO_CONSOLE_PORT_READY)
        port_is_ready(c, port, value);
    else if (event == VIRTIO_CONSOLE_PORT_OPEN)
        c->ports[port].is_open = value;
    else
        log_guest(v->env->log, "%s: message %u is none of a driver's", v->name, event);
}

void virtio_console_listen(struct console *c)
{
    struct virtq_chain chain;
    uint8_t message[CONTROL_SIZE];
    for (unsigned i = 0; virtio_next(&c->virtio, CONSOLE_CONTROL_TRANSMIT, &chain); i++) {
        if (i == CONSOLE_QUEUE_SIZE) {
            virtio_later(&c->virtio, CONSOLE_CONTROL_TRANSMIT);
            break;
        }
        bool is_whole = chain.readable_bytes >= sizeof message;
        if (is_whole && !virtio_read(&c->virtio, &chain, 0, message, sizeof message))
            break;
        if (is_whole)
            hear(c, message);
        if (!virtio_use(&c->virtio, CONSOLE_CONTROL_TRANSMIT, &chain, 0))
            break;
    }
    virtio_signal(&c->virtio, CONSOLE_CONTROL_TRANSMIT);
    virtio_console_tell(c);
}
