/* A virtio console with its ports, shared by what moves their bytes (virtio_console.c) and what
 * driver and device tell each other of them (virtio_console_control.c). */
#ifndef VDEV_VIRTIO_VIRTIO_CONSOLE_H
#define VDEV_VIRTIO_VIRTIO_CONSOLE_H

#include "vdev/virtio/virtio.h"

/* 5.3.2: that of port 0, the control queues, those of the others. */
enum {
    CONSOLE_RECEIVE,
    CONSOLE_TRANSMIT,
    CONSOLE_CONTROL_RECEIVE,
    CONSOLE_CONTROL_TRANSMIT,
    CONSOLE_QUEUES_OF_ONE_PORT = 2
};
enum { CONSOLE_PORTS_MAX = VIRTIO_QUEUES_MAX / 2 - 1, CONSOLE_NAME_MAX = 63 };
enum { CONSOLE_QUEUE_SIZE = 64 };

#define VIRTIO_CONSOLE_F_SIZE        (UINT64_C(1) << 0)
#define VIRTIO_CONSOLE_F_MULTIPORT   (UINT64_C(1) << 1)
#define VIRTIO_CONSOLE_F_EMERG_WRITE (UINT64_C(1) << 2)

/* The events of struct virtio_console_control (5.3.6.2). */
enum {
    VIRTIO_CONSOLE_DEVICE_READY = 0,
    VIRTIO_CONSOLE_DEVICE_ADD = 1,
    VIRTIO_CONSOLE_PORT_READY = 3,
    VIRTIO_CONSOLE_CONSOLE_PORT = 4,
    VIRTIO_CONSOLE_RESIZE = 5,
    VIRTIO_CONSOLE_PORT_OPEN = 6,
    VIRTIO_CONSOLE_PORT_NAME = 7,
    CONSOLE_EVENTS
};

struct console_port {
    uint64_t sent;    /* bytes of the next chain to transmit that have gone out already */
    uint8_t due;      /* events that the driver is to be told of, a bit each */
    uint8_t is_ready; /* the driver has it, */
    uint8_t is_open;  /* and somebody in the guest reads it */
};

struct console {
    struct virtio_device virtio;
    struct console_port ports[CONSOLE_PORTS_MAX];
    uint16_t columns, rows; /* of the window */
};

static inline bool virtio_console_is_multiport(const struct console *c)
{
    return c->virtio.driver_features & VIRTIO_CONSOLE_F_MULTIPORT;
}

static inline bool virtio_console_knows_window(const struct console *c)
{
    return c->virtio.driver_features & VIRTIO_CONSOLE_F_SIZE;
}

/* The driver is to be told of that event of a port. */
static inline void virtio_console_make_due(struct console *c, unsigned port, unsigned event)
{
    c->ports[port].due |= (uint8_t)(1u << event);
}

/* Tells what is due, as far as the driver has given buffers for it; it notifies of more of them. */
void virtio_console_tell(struct console *c);
/* Hears what the driver has to say, and answers. */
void virtio_console_listen(struct console *c);

#endif
