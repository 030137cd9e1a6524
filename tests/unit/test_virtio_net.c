/* vdev virtio-net: the header before a frame, receive buffers with and without merging, features
 * that `peerfeats` allows, options; drivers that do everything wrong, and one that does anything.
 */
#include "emu/bytes.h"
#include "test_vdev_fixture.h"

enum {
    DEVICE_FEATURES = 0x010,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    QUEUE_SEL = 0x030,
    QUEUE_NUM = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    STATUS = 0x070,
    QUEUE_DESC = 0x080,
    QUEUE_DRIVER = 0x090,
    QUEUE_DEVICE = 0x0a0,
    CONFIG = 0x100,
};
enum { DRIVER = 3, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
enum { NEXT = 1, WRITE = 2 };
enum { RECEIVE, TRANSMIT };
enum { CSUM = 1 << 0, GUEST_CSUM = 1 << 1, MAC = 1 << 5, GUEST_TSO4 = 1 << 7, GUEST_ECN = 1 << 9 };
enum { HOST_TSO4 = 1 << 11, HOST_ECN = 1 << 13, MRG_RXBUF = 1 << 15, LINK_STATUS = 1 << 16 };
#define CORE (1u << 28 | 1u << 29)

/* Queue n has its three areas in page n of the RAM; buffers come behind. */
enum { SIZE = 8, AREA = 0x1000, AVAILABLE = 0x400, USED = 0x800, BUFFERS = 0x2000 };
enum { HEADER = 12 };

static struct world w;

static uint8_t *ram(uint64_t offset)
{
    return world_ram(&w, offset);
}

static void set_queue(unsigned queue)
{
    uint32_t at = WORLD_RAM + queue * AREA;
    memset(ram(queue * AREA), 0, AREA);
    put(&w, QUEUE_SEL, queue);
    put(&w, QUEUE_NUM, SIZE);
    put(&w, QUEUE_DESC, at);
    put(&w, QUEUE_DRIVER, at + AVAILABLE);
    put(&w, QUEUE_DEVICE, at + USED);
    put(&w, QUEUE_READY, 1);
}

static void drive(uint32_t features)
{
    put(&w, STATUS, 0);
    put(&w, STATUS, DRIVER);
    put(&w, DRIVER_FEATURES_SEL, 0);
    put(&w, DRIVER_FEATURES, features);
    put(&w, DRIVER_FEATURES_SEL, 1);
    put(&w, DRIVER_FEATURES, 1);
    put(&w, STATUS, DRIVER | FEATURES_OK);
    ck_assert_uint_eq(get(&w, STATUS), DRIVER | FEATURES_OK);
    set_queue(RECEIVE);
    set_queue(TRANSMIT);
    put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
}

static void open_with(const char *peerfeats, uint32_t features)
{
    const char *const options[] = {"mac", "02:00:5e:10:20:0A", "peerfeats", peerfeats, NULL};
    world_open(&w, "virtio-net", 1, options);
    drive(features);
}

static void descriptor(unsigned queue, unsigned index, uint64_t at, uint32_t size, unsigned flags)
{
    uint8_t *d = ram(queue * AREA + 16 * index);
    store_le(d, WORLD_RAM + at, 8);
    store_le(d + 8, size, 4);
    store_le(d + 12, flags, 2);
    store_le(d + 14, index + 1, 2);
}

static void available(unsigned queue, unsigned head)
{
    uint64_t ring = queue * AREA + AVAILABLE;
    uint16_t index = (uint16_t)load_le(ram(ring + 2), 2);
    store_le(ram(ring + 4 + 2 * (index % SIZE)), head, 2);
    store_le(ram(ring + 2), (uint16_t)(index + 1), 2);
}

static unsigned used_count(unsigned queue)
{
    return (unsigned)load_le(ram(queue * AREA + USED + 2), 2);
}

static uint32_t used_size(unsigned queue, unsigned index)
{
    return (uint32_t)load_le(ram(queue * AREA + USED + 8 + 8 * index), 4);
}

/* A receive buffer of one descriptor; buffers lie 2 KiB apart. */
static uint64_t buffer_at(unsigned index)
{
    return BUFFERS + index * 0x800;
}

static void give_buffer(unsigned index, uint32_t size)
{
    descriptor(RECEIVE, index, buffer_at(index), size, WRITE);
    available(RECEIVE, index);
}

static uint8_t frame_byte(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8));
}

static bool arrives_with(size_t size, struct frame_work work)
{
    static uint8_t data[VDEV_FRAME_MAX];
    struct vdev_frame f = {.data = data, .size = size, .work = work};
    for (size_t i = 0; i < size; i++)
        data[i] = frame_byte(i);
    return w.v->type->frame(w.v, &f);
}

static bool arrives(size_t size)
{
    return arrives_with(size, (struct frame_work){0});
}

/* Sends a frame of so many bytes behind a header, in two buffers. */
static void sends_with(size_t size, const uint8_t header[HEADER])
{
    memcpy(ram(BUFFERS), header, HEADER);
    for (size_t i = 0; i < size; i++)
        *ram(BUFFERS + 0x100 + i) = frame_byte(i);
    descriptor(TRANSMIT, 0, BUFFERS, HEADER, NEXT);
    descriptor(TRANSMIT, 1, BUFFERS + 0x100, (uint32_t)size, 0);
    available(TRANSMIT, 0);
    put(&w, QUEUE_NOTIFY, TRANSMIT);
}

static const uint8_t plain[HEADER];

struct sent {
    size_t size;
    struct frame_work work;
    const uint8_t *data;
};

static struct sent next_sent(struct reader *r)
{
    struct sent s = {.size = (size_t)reader_int(r, 4)};
    memcpy(&s.work, reader_bytes(r, sizeof s.work), sizeof s.work);
    s.data = reader_bytes(r, s.size);
    return s;
}

/* The configuration -------------------------------------------------------------------------------
 */

START_TEST(configuration)
{
    open_with("0", MAC | LINK_STATUS);
    put(&w, STATUS, 0);
    ck_assert_uint_eq(get(&w, DEVICE_FEATURES), CORE | MAC | MRG_RXBUF | LINK_STATUS);
    static const uint8_t address[] = {2, 0, 0x5e, 0x10, 0x20, 0x0a};
    for (unsigned i = 0; i < sizeof address; i++)
        ck_assert_uint_eq(get_as(&w, 0, 0, CONFIG + i, 1), address[i]);
    ck_assert_uint_eq(get_as(&w, 0, 0, CONFIG + 6, 2), 1);
    w.link_is_down = true;
    ck_assert_uint_eq(get_as(&w, 0, 0, CONFIG + 6, 2), 0);
    world_close(&w);
}
END_TEST

static const struct {
    const char *option, *value, *error;
} refused[] = {
    {"mac", "02:00:00:00:00", "not the address of a device"},
    {"mac", "02:00:00:00:00:0a:", "not the address of a device"},
    {"mac", "02:00:00:00:00:0g", "not the address of a device"},
    {"mac", "2:0:0:0:0:a", "not the address of a device"},
    {"mac", "", "not the address of a device"},
    {"mac", "01:00:00:00:00:00", "not the address of a device"},
    {"mac", "00:00:00:00:00:00", "not the address of a device"},
    {"peerfeats", "x", "peerfeats x is not a number"},
    {"peerfeats", "0x8000", "peerfeats 0x8000 has bits beyond 0x7fc3"},
    {"peerfeats", "0x20", "peerfeats 0x20 has bits beyond 0x7fc3"},
    {"peerfeats", "0x100000001", "peerfeats 0x100000001 has bits beyond 0x7fc3"},
};

START_TEST(options_that_are_wrong)
{
    const char *const options[] = {refused[_i].option, refused[_i].value, NULL};
    struct error e = {0};
    ck_assert(!world_try(&w, "virtio-net", 1, options, &e));
    ck_assert_msg(strstr(e.text, refused[_i].error) != NULL, "%s", e.text);
    world_close(&w);
}
END_TEST

/* Without `mac` it has one of its own, the same every time. */
START_TEST(an_address_of_its_own)
{
    uint64_t address[2];
    for (unsigned i = 0; i < 2; i++) {
        world_open(&w, "virtio-net", 1, NULL);
        address[i] = get(&w, CONFIG) | get_as(&w, 0, 0, CONFIG + 4, 2) << 32;
        world_close(&w);
    }
    ck_assert_uint_eq(address[0], address[1]);
    ck_assert_uint_eq(address[0] & 3, 2);
    ck_assert_uint_ne(address[0] >> 8, 0);
}
END_TEST

static const struct {
    const char *peerfeats;
    uint32_t offered;
} allowed[] = {
    {"0", 0},           {"0x7fc3", 0x3b83}, {"0x19c3", 0x1983}, /* QNX 7.0 */
    {"0x0382", 0x0382}, {"0x2", 0x2},       {"0x3980", 0},      /* segments without checksums */
    {"0x0200", 0},                                              /* ECN without segments */
    {"0x2001", 0x1},
};

START_TEST(features_that_are_allowed)
{
    const char *const options[] = {"peerfeats", allowed[_i].peerfeats, NULL};
    world_open(&w, "virtio-net", 1, options);
    ck_assert_uint_eq(get(&w, DEVICE_FEATURES) & 0x7fff & ~(uint32_t)MAC, allowed[_i].offered);
    world_close(&w);
}
END_TEST

/* Receiving ---------------------------------------------------------------------------------------
 */

static void check_received(uint64_t at, size_t from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (*ram(at + i) != frame_byte(from + i))
            ck_abort_msg("byte %zu of the frame", from + i);
}

START_TEST(a_frame_in_one_buffer)
{
    open_with("0", _i ? MRG_RXBUF : 0);
    ck_assert(!arrives(60)); /* it waits */
    give_buffer(0, 1526);
    ck_assert(arrives(1514));
    ck_assert_uint_eq(used_count(RECEIVE), 1);
    ck_assert_uint_eq(used_size(RECEIVE, 0), HEADER + 1514);
    ck_assert_uint_eq(load_le(ram(buffer_at(0)), 8), 0);
    ck_assert_uint_eq(load_le(ram(buffer_at(0) + 8), 4), 1 << 16); /* one buffer */
    check_received(buffer_at(0) + HEADER, 0, 1514);
    ck_assert(w.irq_level);
    ck_assert(!arrives(60));
    world_close(&w);
}
END_TEST

/* 12 bytes of header and 100 of frame over buffers of 50. */
START_TEST(a_frame_in_several_buffers)
{
    open_with("0", MRG_RXBUF);
    give_buffer(0, 50);
    give_buffer(1, 50);
    ck_assert(!arrives(100));
    ck_assert_uint_eq(used_count(RECEIVE), 0); /* nothing of it */
    give_buffer(2, 50);
    give_buffer(3, 50);
    ck_assert(arrives(100));
    ck_assert_uint_eq(used_count(RECEIVE), 3);
    ck_assert_uint_eq(used_size(RECEIVE, 0), 50);
    ck_assert_uint_eq(used_size(RECEIVE, 1), 50);
    ck_assert_uint_eq(used_size(RECEIVE, 2), 12);
    ck_assert_uint_eq(load_le(ram(buffer_at(0) + 10), 2), 3);
    check_received(buffer_at(0) + HEADER, 0, 38);
    check_received(buffer_at(1), 38, 50);
    check_received(buffer_at(2), 88, 12);
    ck_assert(arrives(38)); /* and there is one still */
    ck_assert_uint_eq(used_count(RECEIVE), 4);
    world_close(&w);
}
END_TEST

/* A buffer is a chain: here of a header alone, of what is in the middle, and of a byte. */
START_TEST(a_buffer_in_pieces)
{
    open_with("0", 0);
    descriptor(RECEIVE, 0, buffer_at(0), 12, WRITE | NEXT);
    descriptor(RECEIVE, 1, buffer_at(1), 99, WRITE | NEXT);
    descriptor(RECEIVE, 2, buffer_at(2), 1, WRITE);
    available(RECEIVE, 0);
    ck_assert(arrives(100));
    ck_assert_uint_eq(used_size(RECEIVE, 0), 112);
    check_received(buffer_at(1), 0, 99);
    check_received(buffer_at(2), 99, 1);
    world_close(&w);
}
END_TEST

/* 5.1.6.4: such a frame is lost, and the buffer is for another. */
START_TEST(buffers_that_are_too_small)
{
    open_with("0", 0);
    give_buffer(0, 111);
    ck_assert(arrives(100));
    ck_assert_uint_eq(used_count(RECEIVE), 0);
    ck_assert(arrives(99));
    ck_assert_uint_eq(used_count(RECEIVE), 1);
    drive(MRG_RXBUF);
    give_buffer(0, 11); /* no room for the header */
    give_buffer(1, 200);
    ck_assert(arrives(100));
    ck_assert_uint_eq(used_count(RECEIVE), 0);
    drive(MRG_RXBUF);
    descriptor(RECEIVE, 0, buffer_at(0), 2000, 0); /* to read */
    available(RECEIVE, 0);
    ck_assert(!arrives(100));
    ck_assert_uint_eq(used_count(RECEIVE), 0);
    world_close(&w);
}
END_TEST

/* What arrives where no driver is does not wait for one. */
START_TEST(nobody_is_there)
{
    open_with("0", 0);
    put(&w, STATUS, 0);
    ck_assert(arrives(100));
    drive(0);
    put(&w, QUEUE_SEL, RECEIVE);
    put(&w, QUEUE_READY, 0);
    ck_assert(arrives(100));
    drive(0);
    give_buffer(0, 2000);
    store_le(ram(RECEIVE * AREA), 1, 8); /* a buffer that is not in memory */
    ck_assert(arrives(100));
    ck_assert_uint_eq(get(&w, STATUS) & NEEDS_RESET, NEEDS_RESET);
    ck_assert(arrives(100));
    world_close(&w);
}
END_TEST

START_TEST(new_buffers_are_told)
{
    open_with("0", 0);
    put(&w, QUEUE_NOTIFY, RECEIVE);
    ck_assert_uint_eq(w.frames_wanted, 1);
    put(&w, QUEUE_NOTIFY, TRANSMIT);
    ck_assert_uint_eq(w.frames_wanted, 1);
    world_close(&w);
}
END_TEST

/* A buffer over the rings: the frame makes other rings of them. Nothing but the device breaks. */
START_TEST(buffers_over_the_rings)
{
    open_with("0", MRG_RXBUF);
    for (unsigned i = 0; i < SIZE; i++) {
        descriptor(RECEIVE, i, (uint64_t)RECEIVE * AREA + (unsigned)_i * 64, 0x800, WRITE);
        available(RECEIVE, i);
    }
    ck_assert(arrives(9000) || true);
    arrives(60);
    world_close(&w);
}
END_TEST

/* Sending -----------------------------------------------------------------------------------------
 */

START_TEST(a_frame_is_sent)
{
    open_with("0", 0);
    sends_with(1514, plain);
    struct reader r = reader_of(w.sent.data, w.sent.size);
    struct sent s = next_sent(&r);
    ck_assert_uint_eq(s.size, 1514);
    for (size_t i = 0; i < s.size; i++)
        ck_assert_uint_eq(s.data[i], frame_byte(i));
    ck_assert(!s.work.needs_checksum && !s.work.segments);
    ck_assert(reader_at_end(&r));
    ck_assert_uint_eq(used_count(TRANSMIT), 1);
    ck_assert_uint_eq(used_size(TRANSMIT, 0), 0);
    ck_assert(w.irq_level);
    world_close(&w);
}
END_TEST

/* A header alone, less than that, and more than any frame: given back, and not sent. */
START_TEST(what_is_no_frame)
{
    static const uint32_t sizes[] = {12, 11, 1, 0x10001 + HEADER, UINT32_MAX};
    open_with("0", 0);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        descriptor(TRANSMIT, i, BUFFERS, sizes[i], 0);
        available(TRANSMIT, i);
    }
    put(&w, QUEUE_NOTIFY, TRANSMIT);
    ck_assert_uint_eq(used_count(TRANSMIT), sizeof sizes / sizeof sizes[0]);
    ck_assert_uint_eq(w.sent.size, 0);
    world_close(&w);
}
END_TEST

static const struct {
    const char *what;
    uint32_t features;
    uint8_t header[HEADER]; /* flags, gso_type, hdr_len, gso_size, csum_start, csum_offset */
    bool is_sent;
} works[] = {
    {"nothing to do", 0, {0}, true},
    {"a hint that means nothing", 0, {0, 0, 54, 0, 232, 3, 34, 0, 16, 0}, true},
    {"a checksum", CSUM, {1, 0, 0, 0, 0, 0, 34, 0, 16, 0}, true},
    {"a checksum that was not accepted", GUEST_CSUM, {1, 0, 0, 0, 0, 0, 34, 0, 16, 0}, false},
    {"a checksum beyond the end", CSUM, {1, 0, 0, 0, 0, 0, 34, 0, 165, 0}, false},
    {"segments", CSUM | HOST_TSO4, {1, 1, 54, 0, 50, 0, 34, 0, 16, 0}, true},
    {"segments that were not accepted", CSUM, {1, 1, 54, 0, 50, 0, 34, 0, 16, 0}, false},
    {"segments of another protocol", CSUM | HOST_TSO4, {1, 3, 54, 0, 50, 0, 34, 0, 16, 0}, false},
    {"segments without a checksum", CSUM | HOST_TSO4, {0, 1, 54, 0, 50, 0, 34, 0, 16, 0}, false},
    {"segments of no bytes", CSUM | HOST_TSO4, {1, 1, 54, 0, 0, 0, 34, 0, 16, 0}, false},
    {"ECN", CSUM | HOST_TSO4 | HOST_ECN, {1, 0x81, 54, 0, 50, 0, 34, 0, 16, 0}, true},
    {"ECN, not accepted", CSUM | HOST_TSO4, {1, 0x81, 54, 0, 50, 0, 34, 0, 16, 0}, false},
};

START_TEST(work_that_is_left)
{
    open_with("0x7fc3", works[_i].features);
    sends_with(200, works[_i].header);
    ck_assert_uint_eq(used_count(TRANSMIT), 1);
    ck_assert_msg((w.sent.size != 0) == works[_i].is_sent, "%s", works[_i].what);
    if (works[_i].is_sent) {
        struct reader r = reader_of(w.sent.data, w.sent.size);
        const uint8_t *h = works[_i].header;
        struct sent s = next_sent(&r);
        ck_assert(s.work.needs_checksum == h[0] && s.work.segments == (h[1] & 0x7f));
        ck_assert(s.work.has_ecn == h[1] >> 7);
        ck_assert_uint_eq(s.work.checksum_start, h[0] ? 34 : 0);
        ck_assert_uint_eq(s.work.segment_size, h[1] ? 50 : 0);
    }
    world_close(&w);
}
END_TEST

/* And what a driver gets to do is in the header before the frame. */
START_TEST(work_that_arrives)
{
    struct frame_work work = {.needs_checksum = true,
                              .has_ecn = true,
                              .segments = FRAME_TCPV4,
                              .checksum_start = 34,
                              .checksum_offset = 16,
                              .header_size = 54,
                              .segment_size = 1448};
    static const uint8_t expected[HEADER] = {1, 0x81, 54, 0, 0xa8, 5, 34, 0, 16, 0, 1, 0};
    open_with("0x7fc3", GUEST_CSUM | GUEST_TSO4 | GUEST_ECN);
    ck_assert(w.v->type->does_work(w.v, &work));
    give_buffer(0, 2000);
    ck_assert(arrives_with(1000, work));
    ck_assert(memcmp(ram(buffer_at(0)), expected, HEADER) == 0);
    drive(GUEST_CSUM | GUEST_TSO4);
    ck_assert(!w.v->type->does_work(w.v, &work));
    work.has_ecn = false;
    ck_assert(w.v->type->does_work(w.v, &work));
    work.segments = FRAME_TCPV6;
    ck_assert(!w.v->type->does_work(w.v, &work));
    work.segments = FRAME_WHOLE;
    ck_assert(w.v->type->does_work(w.v, &work));
    drive(CSUM);
    ck_assert(!w.v->type->does_work(w.v, &work));
    world_close(&w);
}
END_TEST

/* State -------------------------------------------------------------------------------------------
 */

START_TEST(it_goes_on_where_it_was_saved)
{
    static struct world before;
    struct bytes state = {0};
    open_with("0x7fc3", MRG_RXBUF | GUEST_CSUM);
    give_buffer(0, 50);
    give_buffer(1, 80);
    ck_assert(arrives(20));
    world_save(&w, &state);
    before = w;
    put(&w, STATUS, 0);
    struct reader r = reader_of(state.data, state.size);
    ck_assert(world_restore(&w, &r) && reader_at_end(&r));
    w.v->type->restored(w.v);
    ck_assert(w.irq_level == before.irq_level);
    ck_assert(arrives(60));
    ck_assert_uint_eq(used_count(RECEIVE), 2);
    check_received(buffer_at(1) + HEADER, 0, 60);
    bytes_free(&state);
    world_close(&w);
}
END_TEST

static uint64_t next_random(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *random >> 33;
}

/* Anything in the rings, notifications and frames: it ends, and stays within its memory. */
START_TEST(any_driver)
{
    uint64_t random = (uint64_t)_i * 7919 + 1;
    open_with("0x7fc3", _i & 1 ? 0x3b83 | MRG_RXBUF : 0);
    for (unsigned round = 0; round < 3000; round++) {
        unsigned queue = next_random(&random) & 1;
        uint64_t at = next_random(&random) % (2 * AREA);
        switch (next_random(&random) % 6) {
        case 0:
            *ram(at) = (uint8_t)next_random(&random);
            break;
        case 1:
            descriptor(queue, next_random(&random) % SIZE, next_random(&random) % 0x9000,
                       (uint32_t)next_random(&random) % 0x3000, next_random(&random) & 7);
            break;
        case 2:
            available(queue, (unsigned)(next_random(&random) % (SIZE + 1)));
            break;
        case 3:
            put(&w, QUEUE_NOTIFY, queue);
            bytes_clear(&w.sent);
            break;
        case 4:
            arrives_with(1 + next_random(&random) % 3000,
                         (struct frame_work){.needs_checksum = next_random(&random) & 1});
            break;
        default:
            if (get(&w, STATUS) & NEEDS_RESET)
                drive(_i & 1 ? 0x3b83 | MRG_RXBUF : 0);
            world_advance(&w, next_random(&random) % 100000);
        }
    }
    world_close(&w);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("virtio-net");
    tcase_add_test(t, configuration);
    tcase_add_loop_test(t, options_that_are_wrong, 0, sizeof refused / sizeof refused[0]);
    tcase_add_test(t, an_address_of_its_own);
    tcase_add_loop_test(t, features_that_are_allowed, 0, sizeof allowed / sizeof allowed[0]);
    tcase_add_loop_test(t, a_frame_in_one_buffer, 0, 2);
    tcase_add_test(t, a_frame_in_several_buffers);
    tcase_add_test(t, a_buffer_in_pieces);
    tcase_add_test(t, buffers_that_are_too_small);
    tcase_add_test(t, nobody_is_there);
    tcase_add_test(t, new_buffers_are_told);
    tcase_add_loop_test(t, buffers_over_the_rings, 0, 32);
    tcase_add_test(t, a_frame_is_sent);
    tcase_add_test(t, what_is_no_frame);
    tcase_add_loop_test(t, work_that_is_left, 0, sizeof works / sizeof works[0]);
    tcase_add_test(t, work_that_arrives);
    tcase_add_test(t, it_goes_on_where_it_was_saved);
    tcase_add_loop_test(t, any_driver, 0, 16);
    return suite_main("vdev/virtio-net", t);
}
