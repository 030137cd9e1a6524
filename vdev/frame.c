#include "vdev/frame.h"

#include <string.h>

/* Ethernet II, with up to two VLAN tags (IEEE 802.1Q); IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC
 * 9293). Numbers are big-endian. */
enum { ETHERNET_TYPE = 12, ETHERNET_SIZE = 14, TAG_SIZE = 4, TAGS_MAX = 2 };
enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TYPE_TAG = 0x8100, TYPE_OUTER_TAG = 0x88a8 };
enum { IPV4_LENGTH = 2, IPV4_ID = 4, IPV4_CHECKSUM = 10, IPV4_SOURCE = 12, IPV4_SIZE = 20 };
enum { IPV6_LENGTH = 4, IPV6_SOURCE = 8, IPV6_SIZE = 40 };
enum { TCP_SEQUENCE = 4, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_CHECKSUM = 16, TCP_SIZE = 20 };
enum { FLAG_FIN = 0x01, FLAG_PSH = 0x08, FLAG_CWR = 0x80, PROTOCOL_TCP = 6 };

static unsigned load16(const uint8_t *from)
{
    return (unsigned)from[0] << 8 | from[1];
}

static void store16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

/* RFC 1071: the sum of 16-bit words, the last one filled up with zeros. */
static uint64_t sum(const uint8_t *data, size_t size)
{
    uint64_t total = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        total += load16(data + i);
    return size & 1 ? total + ((uint64_t)data[size - 1] << 8) : total;
}

static unsigned checksum_of(uint64_t total)
{
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return ~(unsigned)total & 0xffff;
}

/* UDP has no checksum of 0 (RFC 768), and TCP none that is not as good as all ones. */
static void store_checksum(uint8_t *to, uint64_t total)
{
    unsigned checksum = checksum_of(total);
    store16(to, checksum ? checksum : 0xffff);
}

bool frame_is_sound(const struct vdev_frame *f)
{
    const struct frame_work *w = &f->work;
    size_t at = (size_t)w->checksum_start + w->checksum_offset;
    bool is_cut = w->segments == FRAME_TCPV4 || w->segments == FRAME_TCPV6;
    if (w->needs_checksum && (at + 2 > f->size || w->checksum_start < ETHERNET_SIZE))
        return false;
    return w->segments == FRAME_WHOLE ? !w->has_ecn
                                      : is_cut && w->needs_checksum && w->segment_size;
}

struct vdev_frame frame_complete(const struct vdev_frame *f, uint8_t buffer[VDEV_FRAME_MAX])
{
    size_t start = f->work.checksum_start;
    if (!f->work.needs_checksum)
        return *f;
    memcpy(buffer, f->data, f->size);
    store_checksum(buffer + start + f->work.checksum_offset, sum(f->data + start, f->size - start));
    return (struct vdev_frame){.data = buffer, .size = f->size};
}

/* Cutting -----------------------------------------------------------------------------------------
 */

/* Where the network header begins; 0: it is not of that type. */
static size_t find_network(const struct vdev_frame *f, unsigned type)
{
    size_t at = ETHERNET_TYPE;
    for (unsigned i = 0; i <= TAGS_MAX && at + 2 <= f->size; i++, at += TAG_SIZE) {
        unsigned its = load16(f->data + at);
        if (its == type)
            return at + 2;
        if (its != TYPE_TAG && its != TYPE_OUTER_TAG)
            return 0;
    }
    return 0;
}

bool frame_cut(struct frame_cutter *c, const struct vdev_frame *f)
{
    bool is_v4 = f->work.segments == FRAME_TCPV4;
    size_t network = find_network(f, is_v4 ? TYPE_IPV4 : TYPE_IPV6);
    size_t transport = f->work.checksum_start;
    *c = (struct frame_cutter){.frame = f, .network = network, .transport = transport};
    if (!network || transport < network + (is_v4 ? IPV4_SIZE : IPV6_SIZE) ||
        f->size < transport + TCP_SIZE || f->work.checksum_offset != TCP_CHECKSUM)
        return false;
    size_t options = (size_t)(f->data[transport + TCP_OFFSET] >> 4) * 4;
    c->headers = transport + options;
    if (options < TCP_SIZE || c->headers > f->size)
        return false;
    if (is_v4 && network + (size_t)(f->data[network] & 15) * 4 != transport)
        return false;
    return (f->size - c->headers) / f->work.segment_size < FRAME_SEGMENTS_MAX;
}

static uint64_t pseudo_header(const struct frame_cutter *c, const uint8_t *data, size_t tcp_size)
{
    bool is_v4 = c->frame->work.segments == FRAME_TCPV4;
    uint64_t addresses =
        is_v4 ? sum(data + c->network + IPV4_SOURCE, 8) : sum(data + c->network + IPV6_SOURCE, 32);
    return addresses + PROTOCOL_TCP + tcp_size;
}

static void write_network(const struct frame_cutter *c, uint8_t *data, size_t size)
{
    uint8_t *ip = data + c->network;
    if (c->frame->work.segments == FRAME_TCPV6) {
        store16(ip + IPV6_LENGTH, (unsigned)(size - c->network - IPV6_SIZE));
        return;
    }
    store16(ip + IPV4_LENGTH, (unsigned)(size - c->network));
    store16(ip + IPV4_ID, load16(ip + IPV4_ID) + c->count);
    store16(ip + IPV4_CHECKSUM, 0);
    store16(ip + IPV4_CHECKSUM, checksum_of(sum(ip, c->transport - c->network)));
}

/* FIN and PSH are for the last segment, CWR is for the first. */
static void write_transport(const struct frame_cutter *c, uint8_t *data, size_t size, bool is_last)
{
    uint8_t *tcp = data + c->transport;
    uint32_t sequence = (uint32_t)load16(tcp + TCP_SEQUENCE) << 16 | load16(tcp + TCP_SEQUENCE + 2);
    sequence += (uint32_t)c->done;
    store16(tcp + TCP_SEQUENCE, sequence >> 16);
    store16(tcp + TCP_SEQUENCE + 2, sequence & 0xffff);
    if (!is_last)
        tcp[TCP_FLAGS] &= (uint8_t) ~(FLAG_FIN | FLAG_PSH);
    if (c->count)
        tcp[TCP_FLAGS] &= (uint8_t)~FLAG_CWR;
    size_t tcp_size = size - c->transport;
    store16(tcp + TCP_CHECKSUM, 0);
    store_checksum(tcp + TCP_CHECKSUM, pseudo_header(c, data, tcp_size) + sum(tcp, tcp_size));
}

bool frame_next(struct frame_cutter *c, uint8_t buffer[VDEV_FRAME_MAX], struct vdev_frame *segment)
{
    const struct vdev_frame *f = c->frame;
    size_t rest = f->size - c->headers - c->done;
    size_t part = rest < f->work.segment_size ? rest : f->work.segment_size;
    if (rest == 0 && c->count)
        return false;
    memcpy(buffer, f->data, c->headers);
    memcpy(buffer + c->headers, f->data + c->headers + c->done, part);
    write_network(c, buffer, c->headers + part);
    write_transport(c, buffer, c->headers + part, part == rest);
    c->done += part;
    c->count++;
    *segment = (struct vdev_frame){.data = buffer, .size = c->headers + part};
    return true;
}
