/* Fuzzes frames on their way. An input is one frame and what is left to do in it, which is done and
 * then checked the slow way; or what the drivers of four cards on a board do, two of them at a
 * switch with the host and two that are each other's peers: what they negotiate, their receive
 * buffers, the frames they and the host send. Now and then the board is saved and restored. */
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/hv_internal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/machine.h"
#include "vdev/virtio/virtio.h"

static uint64_t take(struct reader *in, size_t size)
{
    return reader_at_end(in) ? 0 : reader_int(in, size);
}

/* Exactly as large as it says, for the sanitizer: its first bytes are the input's, the others are
 * made up, so that a short input makes a long frame, too. */
static uint8_t *take_bytes(struct reader *in, size_t size)
{
    uint8_t *data = malloc(size ? size : 1);
    size_t given = (size_t)take(in, 1);
    CHECK_ROOM(data);
    for (size_t i = 0; i < size; i++)
        data[i] = i < given ? (uint8_t)take(in, 1) : (uint8_t)(i * 7);
    return data;
}

/* One frame ---------------------------------------------------------------------------------------
 */

/* RFC 1071, a word at a time, on top of what there was. */
static uint32_t sum(uint32_t total, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        total += i & 1 ? data[i] : (uint32_t)data[i] << 8;
        total = (total & 0xffff) + (total >> 16);
    }
    return total;
}

static uint32_t load_be(const uint8_t *from, size_t size)
{
    uint32_t value = 0;
    while (size--)
        value = value << 8 | *from++;
    return value;
}

/* With the sum of the pseudo header, which the field held, all of it makes ones. */
static void check_checksum(const struct vdev_frame *f, const struct vdev_frame *done)
{
    size_t start = f->work.checksum_start, at = start + f->work.checksum_offset;
    CHECK(done->size == f->size);
    CHECK(memcmp(done->data, f->data, at) == 0);
    CHECK(memcmp(done->data + at + 2, f->data + at + 2, f->size - at - 2) == 0);
    if (f->work.checksum_offset % 2 == 0)
        CHECK(sum(sum(0, f->data + at, 2), done->data + start, f->size - start) == 0xffff);
}

static void check_segment(const struct frame_cutter *c, const struct vdev_frame *s, size_t done)
{
    const struct vdev_frame *f = c->frame;
    bool is_v4 = f->work.segments == FRAME_TCPV4;
    const uint8_t *ip = s->data + c->network, *tcp = s->data + c->transport;
    size_t addresses = is_v4 ? 8 : 32, tcp_size = s->size - c->transport;
    uint8_t tail[4] = {0, 6, (uint8_t)(tcp_size >> 8), (uint8_t)tcp_size};
    CHECK(s->size <= f->size && s->size - c->headers <= f->work.segment_size);
    CHECK(memcmp(s->data + c->headers, f->data + c->headers + done, s->size - c->headers) == 0);
    CHECK(load_be(tcp + 4, 4) == (uint32_t)(load_be(f->data + c->transport + 4, 4) + done));
    uint32_t pseudo = sum(sum(0, ip + (is_v4 ? 12 : 8), addresses), tail, sizeof tail);
    CHECK(sum(pseudo, tcp, tcp_size) == 0xffff);
    if (is_v4) {
        CHECK(sum(0, ip, c->transport - c->network) == 0xffff);
        CHECK(load_be(ip + 2, 2) == s->size - c->network);
    } else {
        CHECK(load_be(ip + 4, 2) == s->size - c->network - 40);
    }
}

static void cut(const struct vdev_frame *f, uint8_t *buffer)
{
    struct frame_cutter c;
    struct vdev_frame segment;
    size_t done = 0;
    unsigned count = 0;
    if (!frame_cut(&c, f))
        return;
    for (; frame_next(&c, buffer, &segment); count++) {
        check_segment(&c, &segment, done);
        done += segment.size - c.headers;
    }
    CHECK(count && count <= FRAME_SEGMENTS_MAX && done == f->size - c.headers);
}

static void one_frame(struct reader *in)
{
    uint64_t flags = take(in, 1);
    struct vdev_frame f = {.work = {.needs_checksum = flags & 1,
                                    .has_ecn = flags >> 1 & 1,
                                    .segments = (uint8_t)take(in, 1),
                                    .checksum_start = (uint16_t)take(in, 2),
                                    .checksum_offset = (uint16_t)take(in, 2),
                                    .segment_size = (uint16_t)take(in, 2)}};
    f.size = 1 + (size_t)take(in, 2);
    uint8_t *data = take_bytes(in, f.size), *buffer = malloc(VDEV_FRAME_MAX);
    CHECK_ROOM(buffer);
    f.data = data;
    if (frame_is_sound(&f)) {
        struct vdev_frame whole = frame_complete(&f, buffer);
        if (f.work.needs_checksum)
            check_checksum(&f, &whole);
        if (f.work.segments)
            cut(&f, buffer);
    }
    free(buffer);
    free(data);
}

/* A board -----------------------------------------------------------------------------------------
 */

#define CARD_OF(name, address, line, peer)                                                         \
    " vdev virtio-net name " name " loc " address " intr gic:" line " peer " peer " peerfeats "    \
    "15235"
#define VM_OF(name, other)                                                                         \
    "system " name " cpu ram 0x40000000,1M vdev gic gicd 0x08000000 gicr 0x080a0000" CARD_OF(      \
        "net0", "0x0a003c00", "78", "/dev/vdevpeers/vp1")                                          \
        CARD_OF("net1", "0x0a003e00", "79", "/dev/qvm/" other "/net1")
static const char words[] = VM_OF("a", "b") " + " VM_OF("b", "a");

enum { VMS = 2, CARDS = 2, RING = 16, SWITCH = 1 };
/* Where a card's driver has what, from AREA of its own on. */
enum {
    AREA = 0x40000,
    DESCRIPTORS = 0x000,
    AVAILABLE = 0x400,
    USED = 0x600,
    OF_TRANSMIT = 0x800,
    FRAME = 0x1000,
    BUFFERS = 0x12000,
    BUFFER_MAX = 0x2000,
};
_Static_assert(BUFFERS + RING * BUFFER_MAX <= AREA, "a card's area");

/* What a driver keeps for itself. */
static uint16_t available[VMS][CARDS][2];

struct card {
    struct vm *vm;
    struct vdev *v;
    unsigned i;
    uint16_t *available;
};

static struct card card_of(struct board *b, uint64_t number)
{
    unsigned vm = (unsigned)number % VMS, i = (unsigned)(number / VMS) % CARDS;
    struct card c = {.vm = b->vms[vm], .i = i, .available = available[vm][i]};
    for (size_t k = 0; k < c.vm->vdev_count; k++)
        if (c.vm->vdevs[k]->type->frame && !i--)
            c.v = c.vm->vdevs[k];
    CHECK(c.v);
    return c;
}

static uint64_t area(const struct card *c, uint64_t offset)
{
    return 0x40000000 + (uint64_t)c->i * AREA + offset;
}

static void put(const struct card *c, uint64_t offset, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    store_le(bytes, value, size);
    CHECK(vm_write(c->vm, gpa(area(c, offset)), bytes, size));
}

static void set(const struct card *c, uint64_t offset, uint64_t value)
{
    struct bus_access a = {.offset = offset, .size = 4, .is_write = true, .value = value};
    c->v->type->access(c->v, 0, &a);
}

static void put_descriptor(const struct card *c, unsigned queue, unsigned i, uint64_t at,
                           uint64_t size)
{
    uint64_t d = (queue ? OF_TRANSMIT : 0) + DESCRIPTORS + 16 * i;
    put(c, d, area(c, at), 8);
    put(c, d + 8, size, 4);
    put(c, d + 12, queue ? 0 : 2, 4); /* WRITE */
}

static void make_available(const struct card *c, unsigned queue, unsigned count)
{
    uint64_t ring = (queue ? OF_TRANSMIT : 0) + AVAILABLE;
    for (unsigned i = 0; i < count; i++, c->available[queue]++)
        put(c, ring + 4 + 2 * (c->available[queue] % RING), queue ? 0 : c->available[0] % RING, 2);
    put(c, ring + 2, c->available[queue], 2);
    set(c, 0x50, queue);
}

static void drive(const struct card *c, struct reader *in)
{
    uint64_t features = take(in, 4) & 0xffffff, size = 1 + take(in, 2) % BUFFER_MAX;
    set(c, 0x70, 0);
    set(c, 0x70, 3);
    set(c, 0x24, 0);
    set(c, 0x20, features);
    set(c, 0x24, 1);
    set(c, 0x20, 1); /* VIRTIO_F_VERSION_1 */
    set(c, 0x70, 11);
    for (unsigned queue = 0; queue < 2; queue++) {
        uint64_t rings = area(c, queue ? OF_TRANSMIT : 0);
        set(c, 0x30, queue);
        set(c, 0x38, RING);
        set(c, 0x80, rings + DESCRIPTORS);
        set(c, 0x90, rings + AVAILABLE);
        set(c, 0xa0, rings + USED);
        set(c, 0x44, 1);
        put(c, (queue ? OF_TRANSMIT : 0) + AVAILABLE, 0, 4);
        c->available[queue] = 0;
    }
    for (unsigned i = 0; i < RING; i++)
        put_descriptor(c, 0, i, BUFFERS + i * BUFFER_MAX, size);
    set(c, 0x70, 15);
}

static void transmit(const struct card *c, struct reader *in)
{
    size_t size = (size_t)take(in, 2);
    uint8_t *data = take_bytes(in, size + 12);
    CHECK(vm_write(c->vm, gpa(area(c, FRAME)), data, size + 12));
    put_descriptor(c, 1, 0, FRAME, size + 12);
    make_available(c, 1, 1);
    free(data);
}

static void from_host(struct board *b, struct reader *in)
{
    struct vdev_frame f = {.size = 1 + (size_t)take(in, 2)};
    uint8_t *data = take_bytes(in, f.size);
    f.data = data;
    network_from_host(b, (unsigned)take(in, 1) % 3, &f);
    free(data);
}

static void restore(struct board *b, const struct bytes *state)
{
    struct reader in = reader_of(state->data, state->size);
    CHECK(snapshot_restore_machine(b, &in) && reader_at_end(&in));
}

/* What is restored is what was saved. */
static void exchange(struct board *b)
{
    struct bytes saved = {0}, again = {0};
    snapshot_save_machine(b, &saved);
    restore(b, &saved);
    snapshot_save_machine(b, &again);
    CHECK(again.size == saved.size && memcmp(again.data, saved.data, saved.size) == 0);
    bytes_free(&saved);
    bytes_free(&again);
}

static void step(struct board *b, struct reader *in)
{
    uint64_t what = take(in, 1);
    const struct card c = card_of(b, what >> 4);
    switch (what % 8) {
    case 0:
        drive(&c, in);
        break;
    case 1:
    case 2:
        transmit(&c, in);
        break;
    case 3:
        from_host(b, in);
        break;
    case 4:
        make_available(&c, 0, (unsigned)take(in, 1) % RING);
        break;
    case 5:
        exchange(b);
        break;
    case 6:
        set(&c, take(in, 1) % 64 * 4, take(in, 4));
        break;
    default:
        frames_offer_again(c.vm, c.v->channel);
        break;
    }
}

/* To the host goes what a wire carries. */
static void on_host_frame(void *context, unsigned number, const void *data, size_t size)
{
    (void)context;
    CHECK(number == SWITCH && size && size <= PUSH_FRAME_MAX);
    sum(0, data, size);
}

static void on_frame(void *context, unsigned vm, unsigned channel, const void *data, size_t size)
{
    (void)context, (void)channel;
    CHECK((vm < VMS || vm == NETWORK_HOST) && size && size <= PUSH_FRAME_MAX);
    sum(0, data, size);
}

/* Made once, or most of the time goes into that. Nothing executes: what devices read is in memory,
 * and in no exit log. */
static struct board *board_at_start(void)
{
    static const uint8_t zeros[CARDS * AREA];
    static struct fuzz_machine m;
    static struct bytes start;
    struct error e = {0};
    if (!m.board) {
        CHECK(fuzz_machine_open(&m, words, NULL, NULL, &e));
        m.board->options.exit_log = NULL;
        m.board->sinks = (struct board_sinks){.frame = on_frame, .host_frame = on_host_frame};
        snapshot_save_machine(m.board, &start);
    }
    restore(m.board, &start);
    for (size_t i = 0; i < VMS; i++)
        CHECK(vm_write(m.board->vms[i], gpa(0x40000000), zeros, sizeof zeros));
    memset(available, 0, sizeof available);
    return m.board;
}

static void on_a_board(struct reader *in)
{
    struct board *b = board_at_start();
    while (!reader_at_end(in) && !in->failed)
        step(b, in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_of(data, size);
    if (take(&in, 1) & 1)
        on_a_board(&in);
    else
        one_frame(&in);
    return 0;
}

/* Seeds -------------------------------------------------------------------------------------------
 */

enum { FRAME_SIZE = 3000, IN_SEED = 74 };

/* Of TCP, over IPv4 or IPv6. */
static void put_frame(struct bytes *out, bool is_v6)
{
    uint8_t f[IN_SEED] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45};
    f[23] = 6;
    f[34 + 12] = 0x50;
    if (is_v6) {
        f[12] = 0x86, f[13] = 0xdd, f[14] = 0x60;
        f[54 + 12] = 0x50;
    }
    bytes_put(out, f, sizeof f);
}

static void put_alone(struct bytes *out, bool is_v6)
{
    bytes_put_int(out, 0, 1);
    bytes_put_int(out, 1, 1);
    bytes_put_int(out, is_v6 ? FRAME_TCPV6 : FRAME_TCPV4, 1);
    bytes_put_int(out, is_v6 ? 54 : 34, 2);
    bytes_put_int(out, 16, 2);
    bytes_put_int(out, 536, 2);
    bytes_put_int(out, FRAME_SIZE, 2);
    bytes_put_int(out, IN_SEED, 1);
    put_frame(out, is_v6);
}

/* Behind its header. */
static void put_transmit(struct bytes *out, uint64_t card, bool is_cut)
{
    uint8_t header[12] = {1, is_cut ? FRAME_TCPV4 : 0, 54, 0, 0x18, 2, 34, 0, 16};
    bytes_put_int(out, card << 4 | 1, 1);
    bytes_put_int(out, FRAME_SIZE, 2);
    bytes_put_int(out, sizeof header + IN_SEED, 1);
    bytes_put(out, header, sizeof header);
    put_frame(out, false);
}

static void put_board(struct bytes *out, uint64_t features)
{
    bytes_put_int(out, 1, 1);
    for (uint64_t card = 0; card < VMS * CARDS; card++) {
        bytes_put_int(out, card << 4, 1);
        bytes_put_int(out, card % VMS ? features : 0x1bb83, 4);
        bytes_put_int(out, 0x7ff, 2);
        bytes_put_int(out, card << 4 | 4, 1);
        bytes_put_int(out, 9, 1);
    }
    for (uint64_t i = 0; i < 3 * VMS * CARDS; i++) {
        put_transmit(out, i % (VMS * CARDS), i & 4);
        bytes_put_int(out, 5, 1);
    }
    bytes_put_int(out, 3, 1);
    bytes_put_int(out, 100, 2);
    bytes_put_int(out, 14, 1);
    for (unsigned i = 0; i < 14; i++)
        bytes_put_int(out, 0xff, 1);
    bytes_put_int(out, SWITCH, 1);
    bytes_put_int(out, 7, 1);
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    if (number < 2)
        put_alone(out, number);
    else
        put_board(out, number == 2 ? 0x1bb83 : 0x8000);
    return number < 4;
}
