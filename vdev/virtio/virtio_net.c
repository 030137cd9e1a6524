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
#define VIRTIO_NET_F_CSUM       (UINT64_C(1) << 0)
#define VIRTIO_NET_F_GUEST_CSUM (UINT64_C(1) << 1)
#define VIRTIO_NET_F_MAC        (UINT64_C(1) << 5)
#define VIRTIO_NET_F_GUEST_TSO4 (UINT64_C(1) << 7)
#define VIRTIO_NET_F_GUEST_TSO6 (UINT64_C(1) << 8)
#define VIRTIO_NET_F_GUEST_ECN  (UINT64_C(1) << 9)
#define VIRTIO_NET_F_HOST_TSO4  (UINT64_C(1) << 11)
#define VIRTIO_NET_F_HOST_TSO6  (UINT64_C(1) << 12)
#define VIRTIO_NET_F_HOST_ECN   (UINT64_C(1) << 13)
#define VIRTIO_NET_F_MRG_RXBUF  (UINT64_C(1) << 15)
#define VIRTIO_NET_F_STATUS     (UINT64_C(1) << 16)
/* What `peerfeats` may allow, and what there is of it here: no legacy GSO and no UDP fragments. */
#define PEERFEATS_MAX 0x7fc3u
#define WORK_FEATURES                                                                              \
    (VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4 |                       \
     VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_ECN | VIRTIO_NET_F_HOST_TSO4 |                   \
     VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_ECN)

/* struct virtio_net_config (5.1.4): mac, status */
enum { ADDRESS_SIZE = 6, CONFIG_STATUS = ADDRESS_SIZE, CONFIG_SIZE = CONFIG_STATUS + 2 };
enum { VIRTIO_NET_S_LINK_UP = 1 };

/* struct virtio_net_hdr (5.1.6), before each frame */
enum {
    HEADER_FLAGS = 0,
    HEADER_GSO_TYPE = 1,
    HEADER_HDR_LEN = 2,
    HEADER_GSO_SIZE = 4,
    HEADER_CSUM_START = 6,
    HEADER_CSUM_OFFSET = 8,
    HEADER_NUM_BUFFERS = 10,
    HEADER_SIZE = 12,
};
enum { VIRTIO_NET_HDR_F_NEEDS_CSUM = 1 };
enum { VIRTIO_NET_HDR_GSO_NONE = 0, VIRTIO_NET_HDR_GSO_ECN = 0x80 };
_Static_assert(FRAME_TCPV4 == 1 && FRAME_TCPV6 == 4, "VIRTIO_NET_HDR_GSO_TCPV4, _TCPV6");

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

/* The header before a frame (5.1.6) ---------------------------------------------------------------
 */

static void put_header(uint8_t header[HEADER_SIZE], const struct frame_work *w, unsigned buffers)
{
    memset(header, 0, HEADER_SIZE);
    header[HEADER_FLAGS] = w->needs_checksum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0;
    header[HEADER_GSO_TYPE] =
        (uint8_t)(w->segments | (w->has_ecn ? VIRTIO_NET_HDR_GSO_ECN : VIRTIO_NET_HDR_GSO_NONE));
    store_le(header + HEADER_HDR_LEN, w->header_size, 2);
    store_le(header + HEADER_GSO_SIZE, w->segment_size, 2);
    store_le(header + HEADER_CSUM_START, w->checksum_start, 2);
    store_le(header + HEADER_CSUM_OFFSET, w->checksum_offset, 2);
    store_le(header + HEADER_NUM_BUFFERS, buffers, 2);
}

/* Of fields that mean nothing nothing is kept. */
static struct frame_work work_of(const uint8_t header[HEADER_SIZE])
{
    uint8_t type = header[HEADER_GSO_TYPE];
    struct frame_work w = {
        .needs_checksum = header[HEADER_FLAGS] & VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .has_ecn = type & VIRTIO_NET_HDR_GSO_ECN,
        .segments = (uint8_t)(type & ~VIRTIO_NET_HDR_GSO_ECN),
    };
    if (w.segments) {
        w.header_size = (uint16_t)load_le(header + HEADER_HDR_LEN, 2);
        w.segment_size = (uint16_t)load_le(header + HEADER_GSO_SIZE, 2);
    }
    if (w.needs_checksum) {
        w.checksum_start = (uint16_t)load_le(header + HEADER_CSUM_START, 2);
        w.checksum_offset = (uint16_t)load_le(header + HEADER_CSUM_OFFSET, 2);
    }
    return w;
}

/* Work that a driver leaves to others or does for them: only what it has accepted (5.1.6.2.1,
 * 5.1.6.4.1). */
struct work_features {
    uint64_t csum, tso4, tso6, ecn;
};
static const struct work_features left_features = {VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4,
                                                   VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_HOST_ECN};
static const struct work_features done_features = {VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4,
                                                   VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN};

static bool is_accepted(const struct virtio_device *d, const struct work_features *f,
                        const struct frame_work *w)
{
    uint64_t needed = w->needs_checksum ? f->csum : 0;
    needed |= w->segments == FRAME_TCPV4 ? f->tso4 : 0;
    needed |= w->segments == FRAME_TCPV6 ? f->tso6 : 0;
    needed |= w->has_ecn ? f->ecn : 0;
    return (d->driver_features & needed) == needed;
}

/* Transmitting ------------------------------------------------------------------------------------
 */

/* A frame that is none, or leaves what it may not, goes nowhere. False: a DMA fault. */
static bool send(struct net *n, const struct virtq_chain *chain)
{
    const struct vdev_env *env = n->virtio.v.env;
    if (chain->readable_bytes <= HEADER_SIZE || chain->readable_bytes > sizeof n->buffer) {
        n->dropped++;
        return true;
    }
    if (!virtio_read(&n->virtio, chain, 0, n->buffer, (size_t)chain->readable_bytes))
        return false;
    struct vdev_frame frame = {.data = n->buffer + HEADER_SIZE,
                               .size = (size_t)chain->readable_bytes - HEADER_SIZE,
                               .work = work_of(n->buffer)};
    if (!is_accepted(&n->virtio, &left_features, &frame.work) || !frame_is_sound(&frame)) {
        n->dropped++;
        return true;
    }
    n->sent++;
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

/* A part of header and frame, which lie one behind the other, into the chain. */
static bool write_part(struct net *n, const struct virtq_chain *chain, const uint8_t *header,
                       const struct vdev_frame *frame, size_t from, size_t size)
{
    size_t of_header = from < HEADER_SIZE ? HEADER_SIZE - from : 0;
    if (of_header >= size)
        return virtio_write(&n->virtio, chain, 0, header + from, size);
    return (!of_header || virtio_write(&n->virtio, chain, 0, header + from, of_header)) &&
           virtio_write(&n->virtio, chain, of_header,
                        frame->data + (from + of_header - HEADER_SIZE), size - of_header);
}

/* Into so many chains, of which the first has been looked at. A driver whose buffers are where its
 * rings are may have none of the others any more. */
static void fill(struct net *n, const uint8_t *header, const struct vdev_frame *frame,
                 struct virtq_chain *chain, unsigned count)
{
    size_t size = HEADER_SIZE + frame->size;
    for (size_t done = 0;;) {
        size_t part = size - done;
        if (chain->writable_bytes < part)
            part = (size_t)chain->writable_bytes;
        if (!write_part(n, chain, header, frame, done, part) ||
            !virtio_use(&n->virtio, RECEIVE, chain, (uint32_t)part))
            return;
        done += part;
        if (--count == 0 || !virtio_next(&n->virtio, RECEIVE, chain))
            return;
    }
}

static bool drop(struct net *n)
{
    n->dropped++;
    return true;
}

/* 5.1.6.4: without merging a frame is in one chain, and one that is too large for it is lost. With
 * it, the header is in the first. */
static bool net_frame(struct vdev *v, const struct vdev_frame *frame)
{
    struct net *n = net_of(v);
    struct virtq_chain chain;
    uint8_t header[HEADER_SIZE];
    size_t size = HEADER_SIZE + frame->size;
    if (!virtio_is_ready(&n->virtio, RECEIVE))
        return drop(n);
    unsigned count = chains_for(n, merges(n) ? size : 1, &chain);
    if (count == 0)
        return virtio_is_ready(&n->virtio, RECEIVE) ? false : drop(n);
    if (chain.writable_bytes < (merges(n) ? HEADER_SIZE : size))
        return drop(n);
    put_header(header, &frame->work, count);
    fill(n, header, frame, &chain, count);
    virtio_signal(&n->virtio, RECEIVE);
    n->received++;
    return true;
}

static bool net_does_work(const struct vdev *v, const struct frame_work *work)
{
    const struct virtio_device *d = (const struct virtio_device *)(const void *)v;
    return is_accepted(d, &done_features, work);
}

/* The device itself
 * --------------------------------------------------------------------------------
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
    .queue_size_max = QUEUE_SIZE,
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

/* 5.1.3.1: segments want checksums, and ECN wants segments. */
static uint64_t without_orphans(uint64_t features)
{
    if (!(features & VIRTIO_NET_F_CSUM))
        features &= ~(VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6);
    if (!(features & VIRTIO_NET_F_GUEST_CSUM))
        features &= ~(VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6);
    if (!(features & (VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6)))
        features &= ~VIRTIO_NET_F_HOST_ECN;
    if (!(features & (VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6)))
        features &= ~VIRTIO_NET_F_GUEST_ECN;
    return features;
}

/* What may be left undone in frames from and to the peer. Nobody negotiates that with the peer
 * (reference 7.3): where its driver has not accepted it, hv/frames.c does it. */
static bool read_peerfeats(struct net *n, struct error *e)
{
    const struct vdev_option *o = vdev_option_find(&n->virtio.v, "peerfeats");
    uint64_t features = 0;
    if (!vdev_option_number(&n->virtio.v, "peerfeats", 10, &features, e))
        return false;
    if (features & ~(uint64_t)PEERFEATS_MAX)
        return error_at(e, o->file, o->line, "vdev virtio-net: peerfeats %s has bits beyond %#x",
                        o->value, PEERFEATS_MAX);
    n->virtio.own_features = without_orphans(features & WORK_FEATURES);
    return true;
}

static bool net_create(struct vdev *v, struct error *e)
{
    struct net *n = net_of(v);
    virtio_init(&n->virtio, &net_virtio);
    return read_address(n, e) && read_peerfeats(n, e);
}

static const struct vdev_option_type net_options[] = {
    {"mac", "ADDRESS", "by its name",
     "address; without one it is made of the names of VM and device", false, false},
    {"peer", "PATH", "none",
     "the other end: /dev/qvm/VM/NAME, or a switch /dev/vdevpeers/vpN; none: the link is down",
     false, false},
    {"peerfeats", "MASK", "0", "features of work on frames that are offered, as far as 0x3b83",
     false, false},
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
    .does_work = net_does_work,
    .describe = virtio_mmio_describe,
    .status = net_status,
    .restored = virtio_restored,
    .destroy = virtio_destroy,
};
