/* `vdev virtio-net`: a network card with one pair of queues (virtio 1.2, section 5.1). Who is at
 * the other end of its link the assembly knows (hv/network.c). Frames that arrive go into the
 * receive buffers that the driver has made available, over several of them with
 * VIRTIO_NET_F_MRG_RXBUF; for a driver that is not there yet they are lost, as on any network. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/bytes.h"
#include "emu/hash.h"
#include "emu/hex.h"
#include "vdev/virtio/virtio_mmio.h"

enum { RECEIVE, TRANSMIT, QUEUES };
enum { QUEUE_SIZE = 256, FRAMES_PER_CALL = 256, BYTES_PER_CALL = 1 << 20 };

/* 5.1.3 */
#define VIRTIO_NET_F_MAC       (UINT64_C(1) << 5)
#define VIRTIO_NET_F_MRG_RXBUF (UINT64_C(1) << 15)
#define VIRTIO_NET_F_STATUS    (UINT64_C(1) << 16)

/* struct virtio_net_config (5.1.4): mac, status */
enum { ADDRESS_SIZE = 6, CONFIG_STATUS = ADDRESS_SIZE, CONFIG_SIZE = CONFIG_STATUS + 2 };
enum { VIRTIO_NET_S_LINK_UP = 1 };

/* struct virtio_net_hdr (5.1.6), before each frame: flags, gso_type, hdr_len, gso_size, csum_start,
 * csum_offset, num_buffers. */
enum { HEADER_NUM_BUFFERS = 10, HEADER_SIZE = 12 };

struct net {
    struct virtio_device virtio;
    uint8_t address[ADDRESS_SIZE];
    /* No state: nothing that a guest sees. */
    uint64_t sent, received, dropped;
    uint8_t buffer[HEADER_SIZE + VDEV_FRAME_MAX];
};

static const struct field net_fields[] = {
    VIRTIO_FIELDS(struct net, virtio),
    VIRTIO_QUEUE_FIELDS(struct net, virtio, RECEIVE),
    VIRTIO_QUEUE_FIELDS(struct net, virtio, TRANSMIT),
    FIELD_END,
};

static struct net *net_of(struct vdev *v)
{
    return (struct net *)(void *)v;
}

/* Transmitting ------------------------------------------------------------------------------------
 */

/* A frame that is none goes nowhere. False: a DMA fault. */
static bool send(struct net *n, const struct virtq_chain *chain)
{
    const struct vdev_env *env = n->virtio.v.env;
    if (chain->readable_bytes <= HEADER_SIZE || chain->readable_bytes > sizeof n->buffer) {
        n->dropped++;
        return true;
    }
    if (!virtio_read(&n->virtio, chain, 0, n->buffer, (size_t)chain->readable_bytes))
        return false;
    n->sent++;
    struct vdev_frame frame = {.data = n->buffer + HEADER_SIZE,
                               .size = (size_t)chain->readable_bytes - HEADER_SIZE};
    env->send_frame(env->context, n->virtio.v.channel, &frame);
    return true;
}

static void transmit(struct net *n)
{
    struct virtq_chain chain;
    uint64_t bytes = 0;
    for (unsigned i = 0; virtio_next(&n->virtio, TRANSMIT, &chain); i++) {
        if (i == FRAMES_PER_CALL || bytes >= BYTES_PER_CALL) {
            virtio_later(&n->virtio, TRANSMIT);
            break;
        }
        bytes += chain.readable_bytes;
        if (!send(n, &chain) || !virtio_use(&n->virtio, TRANSMIT, &chain, 0))
            break;
    }
    virtio_signal(&n->virtio, TRANSMIT);
}

/* Receiving ---------------------------------------------------------------------------------------
 */

static bool merges(const struct net *n)
{
    return n->virtio.driver_features & VIRTIO_NET_F_MRG_RXBUF;
}

/* How many chains of receive buffers hold `size` bytes; `first` gets the first of them. 0: there
 * are not so many, or the queue makes no sense. */
static unsigned chains_for(struct net *n, size_t size, struct virtq_chain *first)
{
    struct virtq_chain chain;
    if (!virtio_look(&n->virtio, RECEIVE, 0, first))
        return 0;
    uint64_t room = first->writable_bytes;
    unsigned count = 1, slots = first->slots;
    while (room < size && virtio_look(&n->virtio, RECEIVE, slots, &chain)) {
        room += chain.writable_bytes;
        slots += chain.slots;
        count++;
    }
    return room < size ? 0 : count;
}

/* What is in n->buffer, into so many chains, of which the first has been looked at. A driver whose
 * buffers are where its rings are may have none of the others any more. */
static void fill(struct net *n, size_t size, struct virtq_chain *chain, unsigned count)
{
    struct virtio_device *d = &n->virtio;
    for (size_t done = 0;;) {
        size_t part = size - done;
        if (chain->writable_bytes < part)
            part = (size_t)chain->writable_bytes;
        if (!virtio_write(d, chain, 0, n->buffer + done, part) ||
            !virtio_use(d, RECEIVE, chain, (uint32_t)part))
            return;
        done += part;
        if (--count == 0 || !virtio_next(d, RECEIVE, chain))
            return;
    }
}

static enum frame_answer drop(struct net *n)
{
    n->dropped++;
    return FRAME_TAKEN;
}

/* 5.1.6.4: without merging a frame is in one chain, and one that is too large for it is lost. With
 * it, the header is in the first. */
static enum frame_answer net_frame(struct vdev *v, const struct vdev_frame *frame)
{
    struct net *n = net_of(v);
    struct virtq_chain chain;
    size_t size = HEADER_SIZE + frame->size;
    if (!virtio_is_ready(&n->virtio, RECEIVE))
        return drop(n);
    unsigned count = chains_for(n, merges(n) ? size : 1, &chain);
    if (count == 0)
        return virtio_is_ready(&n->virtio, RECEIVE) ? FRAME_NO_ROOM : drop(n);
    if (chain.writable_bytes < (merges(n) ? HEADER_SIZE : size))
        return drop(n);
    memset(n->buffer, 0, HEADER_SIZE);
    store_le(n->buffer + HEADER_NUM_BUFFERS, count, 2);
    memcpy(n->buffer + HEADER_SIZE, frame->data, frame->size);
    fill(n, size, &chain, count);
    virtio_signal(&n->virtio, RECEIVE);
    n->received++;
    return FRAME_TAKEN;
}

/* The device
 * -----------------------------------------------------------------------------------------
 */

static void net_notify(struct vdev *v, unsigned queue)
{
    if (queue == TRANSMIT)
        transmit(net_of(v));
    else
        v->env->frames_wanted(v->env->context, v->channel);
}

static void net_read_config(const struct vdev *v, uint8_t *config)
{
    const struct net *n = (const struct net *)(const void *)v;
    bool is_up = v->env->link_is_up(v->env->context, v->channel);
    memcpy(config, n->address, ADDRESS_SIZE);
    store_le(config + CONFIG_STATUS, is_up ? VIRTIO_NET_S_LINK_UP : 0, 2);
}

static const struct virtio_type net_virtio = {
    .device_id = 1,
    .device_features = VIRTIO_NET_F_MAC | VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_STATUS,
    .queue_count = QUEUES,
    .queue_size_max = {QUEUE_SIZE, QUEUE_SIZE},
    .config_size = CONFIG_SIZE,
    .read_config = net_read_config,
    .notify = net_notify,
};

static void net_status(const struct vdev *v, char *text, size_t size)
{
    const struct net *n = (const struct net *)(const void *)v;
    snprintf(text, size, "%" PRIu64 " sent, %" PRIu64 " received, %" PRIu64 " dropped", n->sent,
             n->received, n->dropped);
}

/* Options -----------------------------------------------------------------------------------------
 */

static bool parse_address(const char *text, uint8_t address[ADDRESS_SIZE])
{
    for (unsigned i = 0; i < ADDRESS_SIZE; i++, text += 3) {
        int high = hex_digit((uint8_t)text[0]), low = high < 0 ? -1 : hex_digit((uint8_t)text[1]);
        if (low < 0 || text[2] != (i + 1 < ADDRESS_SIZE ? ':' : 0))
            return false;
        address[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Of nobody, or of many. */
static bool is_of_one(const uint8_t address[ADDRESS_SIZE])
{
    static const uint8_t zeros[ADDRESS_SIZE];
    return !(address[0] & 1) && memcmp(address, zeros, ADDRESS_SIZE) != 0;
}

/* Without `mac` the reference takes a random one. Ours is made of names, so that equal runs are
 * equal, and is another one for each device of a board. */
static void make_address(struct net *n)
{
    const struct vdev *v = &n->virtio.v;
    char text[160];
    snprintf(text, sizeof text, "%s/%s/%u", v->env->vm_name, v->name, v->channel);
    struct digest d = sha256_of(text, strlen(text));
    memcpy(n->address, d.b, ADDRESS_SIZE);
    n->address[0] = (uint8_t)((n->address[0] & ~3) | 2); /* locally administered, of one device */
}

static bool read_address(struct net *n, struct error *e)
{
    const struct vdev_option *o = vdev_option_find(&n->virtio.v, "mac");
    if (!o)
        make_address(n);
    else if (!parse_address(o->value, n->address) || !is_of_one(n->address))
        return error_at(e, o->file, o->line,
                        "vdev virtio-net: mac %s is not the address of a device, such as "
                        "02:00:00:00:00:0a",
                        o->value);
    return true;
}

static bool net_create(struct vdev *v, struct error *e)
{
    struct net *n = net_of(v);
    virtio_init(&n->virtio, &net_virtio);
    return read_address(n, e);
}

static const struct vdev_option_type net_options[] = {
    {"mac", "ADDRESS", "made of the names of VM and device", "address of the device", false, false},
    {"peer", "PATH", "none: the link is down",
     "the other end: /dev/qvm/VM/NAME, or a switch /dev/vdevpeers/vpN", false, false},
    {"bind-mode", "MODE", NULL, "permissions of the host's file of this end", false, true},
    {"tapdev", NULL, NULL, "an older kind of peer", false, true},
    {"legacy", NULL, NULL, "the interface before virtio 1.0", false, true},
    VDEV_OPTIONS_END,
};

const struct vdev_type virtio_net_type = {
    .name = "virtio-net",
    .summary = "virtio network card, to another VM or a switch",
    .size = sizeof(struct net),
    .fields = net_fields,
    .needs_intr = true,
    .masters = true,
    .options = net_options,
    .ranges = virtio_mmio_ranges,
    .create = net_create,
    .access = virtio_mmio_access,
    .registers = virtio_mmio_registers,
    .frame = net_frame,
    .describe = virtio_mmio_describe,
    .status = net_status,
    .restored = virtio_restored,
    .destroy = virtio_destroy,
};
