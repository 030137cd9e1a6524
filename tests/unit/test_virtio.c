/* Virtio: the core, the MMIO transport and split virtqueues, seen through the console and the
 * entropy source: a small driver in the test's RAM, a driver that does everything wrong, and one
 * that does anything. */
#include "emu/machine.h"
#include "test_virtio_driver.h"

enum { INPUT, OUTPUT };
#define FINE  WORLD_RAM + BUFFERS
#define TABLE WORLD_RAM + BUFFERS + 0x100

/* No two pages that follow each other for the driver do so behind the device's port. */
static const uint8_t scattered[WORLD_RAM_PAGES] = {9, 3,  14, 0, 12, 6, 1,  11,
                                                   4, 15, 8,  2, 13, 5, 10, 7};

static void open_driven(const char *type, uint64_t features)
{
    world_open(&w, type, 1, NULL);
    drive(type[7] == 'c' ? 2 : 1, features);
}

static void check_output(const char *expected)
{
    ck_assert_uint_eq(w.output_size, strlen(expected));
    ck_assert(memcmp(w.output, expected, w.output_size) == 0);
}

/* Registers ---------------------------------------------------------------------------------------
 */

START_TEST(registers)
{
    world_open(&w, "virtio-console", 1, NULL);
    ck_assert_uint_eq(get(&w, MAGIC), 0x74726976);
    ck_assert_uint_eq(get(&w, VERSION), 2);
    ck_assert_uint_eq(get(&w, DEVICE_ID), 3);
    ck_assert_uint_eq(get(&w, DEVICE_FEATURES), INDIRECT_DESC | EVENT_IDX | 1u << 2);
    put(&w, DEVICE_FEATURES_SEL, 1);
    ck_assert_uint_eq(get(&w, DEVICE_FEATURES), 1 | (RING_PACKED | IN_ORDER | RING_RESET) >> 32);
    put(&w, DEVICE_FEATURES_SEL, 2);
    ck_assert_uint_eq(get(&w, DEVICE_FEATURES), 0);
    for (unsigned queue = 0; queue < 4; queue++) {
        put(&w, QUEUE_SEL, queue);
        ck_assert_uint_eq(get(&w, QUEUE_NUM_MAX), queue < 2 ? 64 : 0);
        put(&w, QUEUE_NUM, 1); /* no such queue: nothing happens */
        ck_assert_uint_eq(get(&w, QUEUE_READY), 0);
    }
    ck_assert_uint_eq(get(&w, SHM_LEN), 0);
    ck_assert_uint_eq(get(&w, SHM_LEN + 4), 0);
    ck_assert_uint_eq(get(&w, SHM_LEN + 8), 0xffffffff);
    ck_assert_uint_eq(get(&w, SHM_LEN + 12), 0xffffffff);
    ck_assert_uint_eq(get(&w, CONFIG_GENERATION), 0);
    ck_assert_uint_eq(get(&w, QUEUE_NUM), 0); /* write-only */
    put(&w, MAGIC, 0);                        /* read-only */
    ck_assert_uint_eq(get(&w, MAGIC), 0x74726976);
    world_close(&w);
    world_open(&w, "virtio-entropy", 1, NULL);
    ck_assert_uint_eq(get(&w, DEVICE_ID), 4);
    ck_assert_uint_eq(get(&w, DEVICE_FEATURES), INDIRECT_DESC | EVENT_IDX);
    world_close(&w);
}
END_TEST

START_TEST(widths)
{
    world_open(&w, "virtio-console", 1, NULL);
    for (uint8_t size = 1; size <= 8; size = (uint8_t)(2 * size)) {
        enum bus_answer word = size == 4 ? BUS_HANDLED : BUS_NOBODY;
        enum bus_answer narrow = size <= 4 ? BUS_HANDLED : BUS_NOBODY;
        ck_assert_int_eq(try_access(&w, 0, STATUS, size, false), word);
        ck_assert_int_eq(try_access(&w, 0, STATUS, size, true), word);
        ck_assert_int_eq(try_access(&w, 0, CONFIG, size, false), narrow);
        ck_assert_int_eq(try_access(&w, 0, CONFIG, size, true), narrow);
        ck_assert_int_eq(try_access(&w, 0, 0x200 - size, size, false), narrow);
    }
    ck_assert_int_eq(try_access(&w, 0, STATUS + 2, 4, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, CONFIG + 2, 4, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, CONFIG + 2, 2, false), BUS_HANDLED);
    world_close(&w);
}
END_TEST

static uint64_t status_after(uint32_t low, uint32_t high, uint32_t status)
{
    put(&w, STATUS, 0);
    put(&w, DRIVER_FEATURES_SEL, 0);
    put(&w, DRIVER_FEATURES, low);
    put(&w, DRIVER_FEATURES_SEL, 1);
    put(&w, DRIVER_FEATURES, high);
    put(&w, DRIVER_FEATURES_SEL, 2);
    put(&w, DRIVER_FEATURES, 0xffffffff); /* there are none beyond 63 */
    put(&w, STATUS, status);
    return get(&w, STATUS);
}

START_TEST(negotiation)
{
    world_open(&w, "virtio-entropy", 1, NULL);
    ck_assert_uint_eq(status_after(0, 1, FEATURES_OK), FEATURES_OK);
    ck_assert_uint_eq(status_after(INDIRECT_DESC | EVENT_IDX, 1, FEATURES_OK), FEATURES_OK);
    ck_assert_uint_eq(status_after(0, 0, DRIVER | FEATURES_OK), DRIVER); /* legacy driver */
    ck_assert_uint_eq(status_after(1, 1, DRIVER | FEATURES_OK), DRIVER); /* not offered */
    ck_assert_uint_eq(status_after(0, 3, DRIVER | FEATURES_OK), DRIVER);
    ck_assert_uint_eq(status_after(0, 1, DRIVER | DRIVER_OK), DRIVER);
    /* Bits are not taken back one by one; DEVICE_NEEDS_RESET is not the driver's. */
    ck_assert_uint_eq(status_after(0, 1, DRIVER | FEATURES_OK), DRIVER | FEATURES_OK);
    put(&w, STATUS, NEEDS_RESET | 1);
    ck_assert_uint_eq(get(&w, STATUS), DRIVER | FEATURES_OK);
    /* Too late: what was agreed on holds. */
    put(&w, DRIVER_FEATURES_SEL, 1);
    put(&w, DRIVER_FEATURES, 0);
    put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
    ck_assert_uint_eq(get(&w, STATUS), DRIVER | FEATURES_OK | DRIVER_OK);
    world_close(&w);
}
END_TEST

START_TEST(a_reset_forgets_everything)
{
    open_driven("virtio-console", 0);
    put_descriptor(OUTPUT * AREA, 0, text_at(0, "x"), 1, 0, 0);
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    ck_assert(w.irq_level);
    put(&w, STATUS, 0);
    ck_assert(!w.irq_level);
    ck_assert_uint_eq(get(&w, STATUS), 0);
    ck_assert_uint_eq(get(&w, INTERRUPT_STATUS), 0);
    put(&w, QUEUE_SEL, OUTPUT);
    ck_assert_uint_eq(get(&w, QUEUE_READY), 0);
    put(&w, QUEUE_READY, 1); /* of size 0 by now */
    ck_assert_uint_eq(get(&w, QUEUE_READY), 0);
    ck_assert_uint_eq(get(&w, STATUS), NEEDS_RESET);
    world_close(&w);
}
END_TEST

START_TEST(a_ready_queue_stays_as_it_is)
{
    open_driven("virtio-console", 0);
    put(&w, QUEUE_SEL, OUTPUT);
    put(&w, QUEUE_DESC, 0);
    put(&w, QUEUE_NUM, 3);
    put(&w, QUEUE_READY, 1);
    put_descriptor(OUTPUT * AREA, 0, text_at(0, "ready"), 5, 0, 0);
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    put(&w, QUEUE_READY, 1); /* it is already: nothing begins anew */
    kick(OUTPUT);
    check_output("ready");
    put(&w, QUEUE_READY, 0);
    ck_assert_uint_eq(get(&w, QUEUE_READY), 0);
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    check_output("ready");
    memset(ram(OUTPUT * AREA), 0, AREA); /* and again, from the start */
    set_queue(OUTPUT, SIZE);
    put_descriptor(OUTPUT * AREA, 0, text_at(0, " again"), 6, 0, 0);
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    check_output("ready again");
    check_used(OUTPUT, 0, 0, 0);
    world_close(&w);
}
END_TEST

/* A device with a configuration space of its own. */
struct block {
    struct virtio_device virtio;
};

static uint32_t written[3];

static void block_read_config(const struct vdev *v, uint8_t *config)
{
    (void)v;
    store_le(config, 0x8877665544332211, 8);
    store_le(config + 8, 0xccbbaa99, 4);
}

static void block_write_config(struct vdev *v, unsigned offset, unsigned size, uint32_t value)
{
    (void)v;
    written[0] = offset;
    written[1] = size;
    written[2] = value;
}

static void block_notify(struct vdev *v, unsigned queue)
{
    (void)v;
    (void)queue;
}

START_TEST(configuration_space)
{
    static const struct virtio_type type = {.device_id = 2,
                                            .queue_count = 1,
                                            .queue_size_max = SIZE,
                                            .config_size = 12,
                                            .read_config = block_read_config,
                                            .write_config = block_write_config,
                                            .notify = block_notify};
    struct block b = {.virtio.v = {.env = &w.env}};
    memset(&w, 0, sizeof w);
    w.env = (struct vdev_env){.events = &w.events, .vtime = &w.vtime};
    virtio_init(&b.virtio, &type);
    struct bus_access a = {.offset = CONFIG + 4, .size = 4};
    ck_assert_int_eq(virtio_mmio_access(&b.virtio.v, 0, &a), BUS_HANDLED);
    ck_assert_uint_eq(a.value, 0x88776655);
    a = (struct bus_access){.offset = CONFIG + 10, .size = 2};
    ck_assert_int_eq(virtio_mmio_access(&b.virtio.v, 0, &a), BUS_HANDLED);
    ck_assert_uint_eq(a.value, 0xccbb);
    a = (struct bus_access){.offset = CONFIG + 12, .size = 4};
    ck_assert_int_eq(virtio_mmio_access(&b.virtio.v, 0, &a), BUS_HANDLED);
    ck_assert_uint_eq(a.value, 0);
    a = (struct bus_access){.offset = CONFIG + 11, .size = 1, .is_write = true, .value = 0x1234};
    ck_assert_int_eq(virtio_mmio_access(&b.virtio.v, 0, &a), BUS_HANDLED);
    ck_assert(written[0] == 11 && written[1] == 1 && written[2] == 0x34);
    a = (struct bus_access){.offset = CONFIG + 12, .size = 1, .is_write = true};
    ck_assert_int_eq(virtio_mmio_access(&b.virtio.v, 0, &a), BUS_HANDLED); /* behind its end */
    ck_assert_uint_eq(written[0], 11);
    virtio_destroy(&b.virtio.v);
}
END_TEST

/* Another transport has other registers, and the same behind them. */
START_TEST(the_core_needs_no_transport)
{
    world_open(&w, "virtio-console", 1, NULL);
    struct virtio_device *d = (struct virtio_device *)(void *)w.v;
    d->device_features_select = d->driver_features_select = 1;
    ck_assert_uint_eq(virtio_features(d) & 1, 1);
    virtio_accept(d, 1);
    virtio_write_status(d, DRIVER | FEATURES_OK);
    ck_assert_ptr_null(
        virtio_selected(&(struct virtio_device){.type = d->type, .queue_select = 2}));
    d->queue_select = OUTPUT;
    ck_assert_uint_eq(virtio_selected_max(d), 64);
    virtio_write_queue(d, VIRTIO_QUEUE_SIZE, 0, SIZE);
    virtio_write_queue(d, VIRTIO_QUEUE_DESCRIPTORS, 0, WORLD_RAM + OUTPUT * AREA);
    virtio_write_queue(d, VIRTIO_QUEUE_DRIVER, 0, WORLD_RAM + OUTPUT * AREA + AVAILABLE);
    virtio_write_queue(d, VIRTIO_QUEUE_DEVICE, 0, WORLD_RAM + OUTPUT * AREA + USED);
    virtio_write_queue(d, VIRTIO_QUEUE_READY, 0, 1);
    virtio_write_queue(d, VIRTIO_QUEUE_DEVICE, 1, 1); /* too late */
    ck_assert_uint_eq(virtio_selected(d)->used, WORLD_RAM + OUTPUT * AREA + USED);
    virtio_write_status(d, DRIVER_OK);
    put_descriptor(OUTPUT * AREA, 0, text_at(0, "core"), 4, 0, 0);
    make_available(OUTPUT, 0);
    virtio_notify(d, OUTPUT);
    check_output("core");
    ck_assert(w.irq_level);
    virtio_acknowledge(d, USED_BUFFER);
    ck_assert(!w.irq_level);
    world_close(&w);
}
END_TEST

/* Console -----------------------------------------------------------------------------------------
 */

START_TEST(output_of_a_chain)
{
    open_driven("virtio-console", 0);
    put_descriptor(OUTPUT * AREA, 3, text_at(0, "Hel"), 3, NEXT, 5);
    put_descriptor(OUTPUT * AREA, 5, text_at(64, ""), 0, NEXT, 1);
    put_descriptor(OUTPUT * AREA, 1, text_at(128, "lo\n"), 3, 0, 0);
    make_available(OUTPUT, 3);
    check_output("");
    kick(OUTPUT);
    check_output("Hello\n");
    ck_assert_uint_eq(used_index(OUTPUT), 1);
    check_used(OUTPUT, 0, 3, 0);
    ck_assert(w.irq_level);
    ck_assert_uint_eq(get(&w, INTERRUPT_STATUS), USED_BUFFER);
    put(&w, INTERRUPT_ACK, CONFIG_CHANGE);
    ck_assert(w.irq_level);
    put(&w, INTERRUPT_ACK, USED_BUFFER);
    ck_assert(!w.irq_level);
    kick(OUTPUT); /* nothing new */
    kick(7);      /* no such queue */
    ck_assert(!w.irq_level);
    check_output("Hello\n");
    world_close(&w);
}
END_TEST

START_TEST(no_output_before_driver_ok)
{
    world_open(&w, "virtio-console", 1, NULL);
    negotiate(0);
    set_queue(OUTPUT, SIZE);
    put_descriptor(OUTPUT * AREA, 0, text_at(0, "early"), 5, 0, 0);
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    check_output("");
    put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
    kick(OUTPUT);
    check_output("early");
    world_close(&w);
}
END_TEST

START_TEST(output_by_an_indirect_table)
{
    const uint64_t table = BUFFERS + 0x100;
    open_driven("virtio-console", INDIRECT_DESC);
    /* DESC_WRITE of this one means nothing. */
    put_descriptor(OUTPUT * AREA, 1, WORLD_RAM + table, 32, INDIRECT | WRITE, 0);
    put_descriptor(table, 0, text_at(32, "one "), 4, NEXT, 1);
    put_descriptor(table, 1, text_at(64, "two"), 3, 0, 0);
    make_available(OUTPUT, 1);
    kick(OUTPUT);
    check_output("one two");
    ck_assert_uint_eq(get(&w, STATUS) & NEEDS_RESET, 0);
    check_used(OUTPUT, 0, 1, 0);
    world_close(&w);
}
END_TEST

/* 2.7.5.3: a table may take the place of the last descriptor. Not in a packed queue (2.8.19). */
START_TEST(a_table_behind_a_descriptor)
{
    open_driven("virtio-console", INDIRECT_DESC);
    put_descriptor(OUTPUT * AREA, 0, text_at(0, "one "), 4, NEXT, 1);
    put_descriptor(OUTPUT * AREA, 1, TABLE, 32, INDIRECT, 0);
    put_descriptor(BUFFERS + 0x100, 0, text_at(32, "two "), 4, NEXT, 1);
    put_descriptor(BUFFERS + 0x100, 1, text_at(64, "three"), 5, 0, 0);
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    check_output(is_packed ? "" : "one two three");
    ck_assert_uint_eq(get(&w, STATUS) & NEEDS_RESET, is_packed ? NEEDS_RESET : 0);
    world_close(&w);
}
END_TEST

START_TEST(a_driver_that_does_not_want_interrupts)
{
    open_driven("virtio-console", 0);
    want_no_interrupt(OUTPUT);
    put_descriptor(OUTPUT * AREA, 0, text_at(0, "x"), 1, 0, 0);
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    check_output("x");
    ck_assert(!w.irq_level);
    world_close(&w);
}
END_TEST

static void send_x(unsigned count)
{
    put_descriptor(OUTPUT * AREA, 0, text_at(0, "x"), 1, 0, 0);
    while (count--)
        make_available(OUTPUT, 0);
    kick(OUTPUT);
}

/* The driver is to notify of each chain: the next one that it makes available (2.7.10); or any. */
static void check_wants_notification(void)
{
    const uint64_t area = OUTPUT * AREA + USED;
    if (is_packed)
        ck_assert_uint_eq(load_le(ram(area), 4), 0);
    else
        ck_assert_uint_eq(get16(area + 4 + 8 * SIZE), used_index(OUTPUT));
}

/* An interrupt when that chain is used (2.7.7.2, 2.8.10). */
START_TEST(event_indices)
{
    open_driven("virtio-console", EVENT_IDX);
    want_no_interrupt(OUTPUT); /* of a split queue the flag means nothing now */
    want_interrupt_at(OUTPUT, 2);
    send_x(2);
    ck_assert_uint_eq(used_index(OUTPUT), 2);
    check_wants_notification();
    ck_assert(!w.irq_level);
    send_x(1);
    ck_assert(w.irq_level);
    put(&w, INTERRUPT_ACK, 3);
    send_x(5);
    ck_assert(!w.irq_level);
    want_interrupt_at(OUTPUT, 9);
    send_x(4); /* from 8 to 12, past it in one go */
    ck_assert(w.irq_level);
    check_wants_notification();
    world_close(&w);
}
END_TEST

START_TEST(indices_wrap)
{
    open_driven("virtio-console", EVENT_IDX);
    for (unsigned i = 0; i < 70000 / 7; i++) {
        unsigned from = used_index(OUTPUT);
        want_interrupt_at(OUTPUT, from + 6);
        send_x(6);
        ck_assert(!w.irq_level);
        send_x(1);
        ck_assert(w.irq_level);
        put(&w, INTERRUPT_ACK, 1);
        ck_assert_uint_eq(used_index(OUTPUT), (uint16_t)(from + 7));
    }
    ck_assert_uint_eq(w.output_size, 70000);
    world_close(&w);
}
END_TEST

/* Eight chains of 8 times 16 KiB: more than one call does. The rest comes by itself, and so does
 * the interrupt. */
START_TEST(much_output_takes_time)
{
    const uint64_t piece = 0x4000, total = 8 * 8 * piece;
    open_driven("virtio-console", INDIRECT_DESC);
    for (unsigned i = 0; i < 8; i++) {
        put_descriptor(BUFFERS, i, WORLD_RAM + 0x4000, (uint32_t)piece, i < 7 ? NEXT : 0, i + 1);
        put_descriptor(OUTPUT * AREA, i, WORLD_RAM + BUFFERS, 8 * 16, INDIRECT, 0);
        make_available(OUTPUT, i);
    }
    kick(OUTPUT);
    ck_assert_uint_gt(w.output_size, 0);
    ck_assert_uint_lt(w.output_size, total / 8);
    ck_assert(!w.irq_level);
    ck_assert_uint_ne(event_next(&w.events), EVENT_NEVER);
    exchange("virtio-console", NULL); /* in the middle of a chain */
    world_advance(&w, 10000000);
    ck_assert_uint_eq(w.output_size, total);
    ck_assert_uint_eq(used_index(OUTPUT), 8);
    ck_assert(w.irq_level);
    ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
    world_close(&w);
}
END_TEST

START_TEST(a_chain_that_shrinks_while_it_is_sent)
{
    open_driven("virtio-console", 0);
    for (unsigned i = 0; i < 8; i++)
        put_descriptor(OUTPUT * AREA, i, WORLD_RAM, 0x8000, i < 7 ? NEXT : 0, i + 1);
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    size_t sent = w.output_size;
    put_descriptor(OUTPUT * AREA, 0, WORLD_RAM, 1, 0, 0);
    make_available_again(OUTPUT, 0);
    world_advance(&w, 10000000);
    ck_assert_uint_eq(w.output_size, sent);
    ck_assert_uint_eq(used_index(OUTPUT), 1);
    world_close(&w);
}
END_TEST

static size_t type_in(const char *text)
{
    return w.v->type->input(w.v, 0, (const uint8_t *)text, strlen(text));
}

START_TEST(input_takes_what_there_are_buffers_for)
{
    world_open(&w, "virtio-console", 1, NULL);
    ck_assert_uint_eq(type_in("nobody listens"), 0);
    drive(2, 0);
    ck_assert_uint_eq(type_in("no buffers"), 0);
    put_descriptor(INPUT * AREA, 0, WORLD_RAM + BUFFERS, 4, WRITE, 0);
    put_descriptor(INPUT * AREA, 1, WORLD_RAM + BUFFERS + 16, 2, WRITE | NEXT, 2);
    put_descriptor(INPUT * AREA, 2, WORLD_RAM + BUFFERS + 32, 9, WRITE, 0);
    make_available(INPUT, 0);
    make_available(INPUT, 1);
    ck_assert_uint_eq(type_in("abcdefgh"), 8);
    ck_assert(memcmp(ram(BUFFERS), "abcd", 5) == 0);
    ck_assert(memcmp(ram(BUFFERS + 16), "ef", 3) == 0);
    ck_assert(memcmp(ram(BUFFERS + 32), "gh", 3) == 0);
    check_used(INPUT, 0, 0, 4);
    check_used(INPUT, 1, 1, 4);
    ck_assert_uint_eq(used_index(INPUT), 2);
    ck_assert_uint_eq(get(&w, INTERRUPT_STATUS), USED_BUFFER);
    ck_assert_uint_eq(type_in("i"), 0);
    make_available(INPUT, 0);
    ck_assert_uint_eq(type_in("ijklmn"), 4);
    check_used(INPUT, 2, 0, 4);
    world_close(&w);
}
END_TEST

START_TEST(emergency_write)
{
    world_open(&w, "virtio-console", 1, NULL);
    put(&w, CONFIG + 8, 'h'); /* before anything is set up */
    put_as(&w, 0, 0, CONFIG + 8, 1, 'i');
    put(&w, CONFIG, 'x'); /* the size is read-only */
    check_output("hi");
    ck_assert_uint_eq(get(&w, CONFIG + 8), 0);
    world_close(&w);
}
END_TEST

/* Network ----------------------------------------------------------------------------------------
 */

/* A frame that is longer than one chain goes on in the next ones (virtio 1.2, 5.1.6.4), whatever
 * each of them takes of the ring: what a device looks at ahead is what it uses then. */
START_TEST(a_frame_over_several_chains)
{
    enum { MRG_RXBUF = 1 << 15, HEADER = 12, PIECE = 12, CHAINS = 4 };
    static const unsigned heads[CHAINS + 1] = {0, 1, 4, 5, 6};
    uint8_t data[50];
    world_open(&w, "virtio-net", 1, NULL);
    drive(2, MRG_RXBUF);
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i + 1);
    const struct vdev_frame f = {.data = data, .size = sizeof data};
    for (unsigned frame = 0; frame < 5; frame++) {
        memset(ram(BUFFERS), 0, 128);
        for (unsigned i = 0; i < CHAINS; i++) {
            for (unsigned j = heads[i]; j < heads[i + 1]; j++)
                put_descriptor(INPUT * AREA, j, WORLD_RAM + BUFFERS + j * PIECE, PIECE,
                               WRITE | (j + 1 < heads[i + 1] ? NEXT : 0), j + 1);
            make_available(INPUT, heads[i]);
        }
        ck_assert(w.v->type->frame(w.v, &f));
        ck_assert_uint_eq(get16(BUFFERS + 10), CHAINS);
        ck_assert(memcmp(ram(BUFFERS + HEADER), data, sizeof data) == 0);
        ck_assert_uint_eq(used_index(INPUT), (frame + 1) * CHAINS);
        check_used(INPUT, frame * CHAINS, 0, PIECE);
        check_used(INPUT, frame * CHAINS + 1, 1, 3 * PIECE);
        check_used(INPUT, frame * CHAINS + 2, 4, PIECE);
        check_used(INPUT, frame * CHAINS + 3, 5, 2);
        ck_assert(!w.v->type->frame(w.v, &f)); /* there is no room */
    }
    world_close(&w);
}
END_TEST

/* Entropy -----------------------------------------------------------------------------------------
 */

START_TEST(random_bytes)
{
    uint8_t expected[1000];
    open_driven("virtio-entropy", 0);
    struct world source = {.random = w.random};
    for (size_t at = 0; at < sizeof expected; at += 250)
        world_entropy(&source, expected + at, 250);
    put_descriptor(0, 0, WORLD_RAM + BUFFERS, 700, NEXT | WRITE, 1);
    put_descriptor(0, 1, WORLD_RAM + BUFFERS + 700, 300, WRITE, 0);
    make_available(0, 0);
    kick(0);
    ck_assert_uint_eq(w.random_bytes, 1000);
    ck_assert(memcmp(ram(BUFFERS), expected, sizeof expected) == 0);
    ck_assert_uint_eq(*ram(BUFFERS + 1000), 0);
    check_used(0, 0, 0, 1000);
    ck_assert(w.irq_level);
    world_close(&w);
}
END_TEST

START_TEST(entropy_is_bounded)
{
    open_driven("virtio-entropy", INDIRECT_DESC);
    for (unsigned i = 0; i < 8; i++)
        put_descriptor(BUFFERS, i, WORLD_RAM + 0x4000, 0x4000, WRITE | (i < 7 ? NEXT : 0), i + 1);
    for (unsigned i = 0; i < 4; i++) {
        put_descriptor(0, i, WORLD_RAM + BUFFERS, 8 * 16, INDIRECT, 0);
        make_available(0, i);
    }
    kick(0);
    ck_assert_uint_eq(w.random_bytes, 65536);
    check_used(0, 0, 0, 65536);
    ck_assert_uint_eq(used_index(0), 1);
    world_advance(&w, 10000000);
    ck_assert_uint_eq(w.random_bytes, 4 * 65536);
    ck_assert_uint_eq(used_index(0), 4);
    ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
    world_close(&w);
}
END_TEST

/* Drivers that are wrong --------------------------------------------------------------------------
 */

/* The driver is told, nothing was done, and after a reset all is well. */
static void check_broken(const char *what)
{
    size_t before = w.output_size;
    ck_assert_msg(get(&w, STATUS) & NEEDS_RESET, "%s: no DEVICE_NEEDS_RESET", what);
    ck_assert_msg(get(&w, INTERRUPT_STATUS) & CONFIG_CHANGE, "%s: no interrupt", what);
    ck_assert(w.irq_level);
    kick(OUTPUT);
    ck_assert_uint_eq(type_in("x"), 0);
    ck_assert_uint_eq(w.output_size, before);
    drive(2, INDIRECT_DESC);
    ck_assert(!w.irq_level);
    send_x(1);
    ck_assert_msg(w.output_size == before + 1, "%s: dead after a reset", what);
    ck_assert_uint_eq(w.v->type->input(w.v, 0, (const uint8_t *)"x", 1), 0);
}

struct wrong_chain {
    const char *what;
    bool begins_well; /* something is sent before the error is met */
    bool is_split;    /* a packed queue has no such thing */
    struct {
        uint64_t at;
        uint32_t size;
        unsigned flags, next;
    } descriptors[3], table[2]; /* the table is at BUFFERS + 0x100 */
};

static const struct wrong_chain wrong_chains[] = {
    {"loop of one", false, false, {{FINE, 1, NEXT, 0}}, {{0}}},
    {"loop of two", false, false, {{FINE, 1, NEXT, 1}, {FINE, 1, NEXT, 0}}, {{0}}},
    {"next beyond the queue", false, false, {{FINE, 1, NEXT, SIZE}}, {{0}}},
    {"next far beyond", false, false, {{FINE, 1, NEXT, 65535}}, {{0}}},
    {"readable behind writable",
     false,
     false,
     {{FINE, 1, NEXT | WRITE, 1}, {FINE, 1, 0, 0}},
     {{0}}},
    {"4 GiB", false, false, {{FINE, 0x80000000, NEXT, 1}, {FINE, 0x80000000, 0, 0}}, {{0}}},
    {"address wraps", false, false, {{UINT64_MAX - 3, 8, 0, 0}}, {{0}}},
    {"not memory", false, false, {{0x1000, 8, 0, 0}}, {{0}}},
    {"half in memory", false, false, {{WORLD_RAM + WORLD_RAM_SIZE - 4, 8, 0, 0}}, {{0}}},
    {"more than there is", true, false, {{WORLD_RAM, 0xffffffff, 0, 0}}, {{0}}},
    {"second buffer not memory", false, false, {{FINE, 1, NEXT, 1}, {0, 1, 0, 0}}, {{0}}},
    {"indirect and next",
     false,
     false,
     {{TABLE, 16, INDIRECT | NEXT, 1}, {FINE, 1, 0, 0}},
     {{FINE, 1, 0, 0}}},
    {"indirect in indirect", false, true, {{TABLE, 16, INDIRECT, 0}}, {{TABLE, 16, INDIRECT, 0}}},
    {"empty table", false, false, {{TABLE, 0, INDIRECT, 0}}, {{0}}},
    {"table of a part", false, false, {{TABLE, 24, INDIRECT, 0}}, {{FINE, 1, 0, 0}}},
    {"table not in memory", false, false, {{0x1000, 16, INDIRECT, 0}}, {{0}}},
    {"table wraps", false, false, {{UINT64_MAX - 15, 32, INDIRECT, 0}}, {{0}}},
    {"table goes on beyond its end", false, true, {{TABLE, 16, INDIRECT, 0}}, {{FINE, 1, NEXT, 1}}},
    {"loop in a table",
     false,
     true,
     {{TABLE, 32, INDIRECT, 0}},
     {{FINE, 1, NEXT, 1}, {FINE, 1, NEXT, 0}}},
};

static void put_wrong(const struct wrong_chain *c)
{
    for (unsigned i = 0; i < 3; i++)
        put_descriptor(OUTPUT * AREA, i, c->descriptors[i].at, c->descriptors[i].size,
                       c->descriptors[i].flags, c->descriptors[i].next);
    for (unsigned i = 0; i < 2; i++)
        put_descriptor(BUFFERS + 0x100, i, c->table[i].at, c->table[i].size, c->table[i].flags,
                       c->table[i].next);
}

START_TEST(chains_that_make_no_sense)
{
    open_driven("virtio-console", INDIRECT_DESC);
    for (size_t i = 0; i < sizeof wrong_chains / sizeof wrong_chains[0]; i++) {
        if (is_packed && wrong_chains[i].is_split)
            continue;
        drive(2, INDIRECT_DESC);
        put_wrong(&wrong_chains[i]);
        make_available(OUTPUT, 0);
        size_t before = w.output_size;
        kick(OUTPUT);
        world_advance(&w, 10000000); /* a long one is read in pieces */
        ck_assert_int_eq(w.output_size != before, wrong_chains[i].begins_well);
        ck_assert_uint_eq(used_index(OUTPUT), 0);
        check_broken(wrong_chains[i].what);
    }
    world_close(&w);
}
END_TEST

/* As long as the queue is fine, one more is not, even if a table has room for it. */
START_TEST(chains_are_not_longer_than_their_queue)
{
    for (unsigned count = SIZE; count <= SIZE + 1; count++) {
        open_driven("virtio-console", INDIRECT_DESC);
        for (unsigned i = 0; i < count; i++)
            put_descriptor(BUFFERS + 0x100, i, FINE, 1, i + 1 < count ? NEXT : 0, i + 1);
        put_descriptor(OUTPUT * AREA, 0, TABLE, 16 * count, INDIRECT, 0);
        make_available(OUTPUT, 0);
        kick(OUTPUT);
        ck_assert_uint_eq(w.output_size, count == SIZE ? SIZE : 0);
        ck_assert_uint_eq(get(&w, STATUS) & NEEDS_RESET, count == SIZE ? 0 : NEEDS_RESET);
        world_close(&w);
    }
}
END_TEST

START_TEST(indirect_must_be_negotiated)
{
    open_driven("virtio-console", 0);
    put(&w, DRIVER_FEATURES_SEL, 0);
    put(&w, DRIVER_FEATURES, INDIRECT_DESC); /* too late */
    put_descriptor(OUTPUT * AREA, 0, TABLE, 16, INDIRECT, 0);
    put_descriptor(BUFFERS + 0x100, 0, FINE, 1, 0, 0);
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    check_broken("indirect not negotiated");
    world_close(&w);
}
END_TEST

START_TEST(rings_that_make_no_sense)
{
    open_driven("virtio-console", 0);
    store_le(ram(OUTPUT * AREA + AVAILABLE + 2), SIZE + 1, 2);
    kick(OUTPUT);
    check_broken("more chains than the queue has");
    make_available(OUTPUT, SIZE); /* a head that does not exist */
    kick(OUTPUT);
    check_broken("head beyond the queue");
    world_close(&w);
}
END_TEST

START_TEST(input_to_read_only_memory)
{
    open_driven("virtio-console", 0);
    put_descriptor(INPUT * AREA, 0, WORLD_RAM + 0x9000, 16, WRITE, 0);
    make_available(INPUT, 0);
    ck_assert_uint_eq(type_in("abc"), 0);
    check_broken("input to read-only memory");
    world_close(&w);
}
END_TEST

/* The queue's size and its three addresses, each wrong in turn. A queue whose areas are not memory
 * fails when it is used. */
START_TEST(queues_that_make_no_sense)
{
    static const struct {
        uint32_t size, low[3], high;
        bool becomes_ready, is_split;
    } wrong[] = {
        {0, {0, 0x400, 0x800}, 0, false, false},
        {3, {0, 0x400, 0x800}, 0, false, true},
        {128, {0, 0x400, 0x800}, 0, false, false},
        {0x80000000, {0, 0x400, 0x800}, 0, false, false},
        {8, {8, 0x400, 0x800}, 0, false, false},
        {8, {0, 0x401, 0x800}, 0, false, false},
        {8, {0, 0x400, 0x802}, 0, false, false},
        {8, {0xfffffff0, 0x400, 0x800}, 0xffffffff, false, false},
        {8, {0, 0x400, 0x800}, 0xffffff, true, false},
        {8, {0, 0x20000, 0x800}, 0, true, false},
        {8, {0x20000, 0x400, 0x800}, 0, true, false},
        {8, {0, 0x400, 0x9000}, 0, true, false},
        {8, {0, 0x400, 0x80000000}, 0, true, false},
    };
    open_driven("virtio-console", INDIRECT_DESC);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (is_packed && wrong[i].is_split)
            continue;
        drive(2, INDIRECT_DESC);
        put_descriptor(OUTPUT * AREA, 0, FINE, 0, 0, 0);
        make_available(OUTPUT, 0);
        put(&w, QUEUE_SEL, OUTPUT);
        put(&w, QUEUE_READY, 0);
        put(&w, QUEUE_NUM, wrong[i].size);
        for (unsigned area = 0; area < 3; area++) {
            put(&w, QUEUE_DESC + 16 * area, WORLD_RAM + OUTPUT * AREA + wrong[i].low[area]);
            put(&w, QUEUE_DESC + 16 * area + 4, wrong[i].high);
        }
        if (wrong[i].high == 0xffffffff)
            put(&w, QUEUE_DESC, wrong[i].low[0]);
        put(&w, QUEUE_READY, 1);
        ck_assert_uint_eq(get(&w, QUEUE_READY), wrong[i].becomes_ready);
        kick(OUTPUT);
        check_broken("wrong queue");
    }
    world_close(&w);
}
END_TEST

/* Broken while it was set up: told as soon as the driver listens. */
START_TEST(broken_before_driver_ok)
{
    world_open(&w, "virtio-console", 1, NULL);
    negotiate(0);
    set_queue(INPUT, 65);
    ck_assert_uint_eq(get(&w, STATUS), DRIVER | FEATURES_OK | NEEDS_RESET);
    ck_assert(!w.irq_level);
    put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
    check_broken("before DRIVER_OK");
    world_close(&w);
}
END_TEST

/* The port ----------------------------------------------------------------------------------------
 */

/* Buffers of a chain that the driver may use so, but the device may not. */
START_TEST(a_fault_in_the_middle_of_a_chain)
{
    open_driven("virtio-console", 0);
    put_descriptor(OUTPUT * AREA, 0, text_at(0, "one "), 4, NEXT, 1);
    put_descriptor(OUTPUT * AREA, 1, WORLD_RAM + 0x5000, 4, NEXT, 2);
    put_descriptor(OUTPUT * AREA, 2, text_at(32, "two "), 4, 0, 0);
    put_descriptor(INPUT * AREA, 0, WORLD_RAM + BUFFERS, 2, NEXT | WRITE, 1);
    put_descriptor(INPUT * AREA, 1, WORLD_RAM + 0x6000, 2, WRITE, 0);
    w.pages[5].reads = w.pages[6].writes = false;
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    ck_assert_uint_eq(used_index(OUTPUT), 0);
    check_broken("a readable page without read");
    put_descriptor(INPUT * AREA, 0, WORLD_RAM + BUFFERS, 2, NEXT | WRITE, 1);
    put_descriptor(INPUT * AREA, 1, WORLD_RAM + 0x6000, 2, WRITE, 0);
    make_available(INPUT, 0);
    ck_assert_uint_eq(type_in("abcd"), 0);
    ck_assert_uint_eq(used_index(INPUT), 0);
    check_broken("a writable page without write");
    world_close(&w);
}
END_TEST

/* The rings and the descriptors of a queue are looked up once; buffers each time. */
START_TEST(areas_are_mapped_once)
{
    open_driven("virtio-console", EVENT_IDX);
    send_x(1);
    unsigned before = w.translations;
    send_x(8);
    ck_assert_uint_eq(w.translations - before, 8);
    put(&w, QUEUE_SEL, OUTPUT);
    put(&w, QUEUE_READY, 0);
    memset(ram(OUTPUT * AREA), 0, AREA);
    set_queue(OUTPUT, SIZE);
    before = w.translations;
    send_x(8);
    ck_assert_uint_eq(w.translations - before, 8 + 3); /* a new queue may be elsewhere */
    check_output("xxxxxxxxxxxxxxxxx");
    world_close(&w);
}
END_TEST

static void move_page(unsigned page, uint8_t frame)
{
    memcpy(w.ram + frame * PAGE_SIZE, ram(page * PAGE_SIZE), PAGE_SIZE);
    memset(ram(page * PAGE_SIZE), 0xee, PAGE_SIZE);
    w.pages[page].frame = frame;
    w.generation++;
}

/* Between two requests the rings' page moves, and what was there becomes something else. */
START_TEST(areas_are_mapped_again)
{
    open_driven("virtio-console", 0);
    send_x(1);
    uint8_t old = w.pages[OUTPUT].frame;
    move_page(OUTPUT, scattered[15]);
    send_x(2);
    check_output("xxx");
    ck_assert_uint_eq(used_index(OUTPUT), 3);
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        ck_assert_uint_eq(w.ram[old * PAGE_SIZE + i], 0xee);
    w.pages[OUTPUT].is_mapped = false;
    w.generation++;
    kick(OUTPUT);
    w.pages[OUTPUT].is_mapped = true;
    check_broken("a ring that is gone");
    world_close(&w);
}
END_TEST

/* An area of which a part is not memory works as far as nothing of that part is wanted. */
START_TEST(areas_that_are_in_memory_in_part)
{
    const uint64_t table = 2 * AREA - 64;
    open_driven("virtio-console", INDIRECT_DESC);
    w.pages[2].is_mapped = false;
    put(&w, QUEUE_SEL, OUTPUT);
    put(&w, QUEUE_READY, 0);
    put(&w, QUEUE_DESC, WORLD_RAM + (uint32_t)table); /* 4 of 8 descriptors */
    put(&w, QUEUE_READY, 1);
    put_descriptor(table, 3, text_at(0, "x"), 1, NEXT, 2);
    put_descriptor(table, 2, WORLD_RAM + (uint32_t)table, 0x80000000, INDIRECT, 0);
    put_descriptor(table, 0, text_at(1, "y"), 1, 0, 0);
    make_available(OUTPUT, 3);
    kick(OUTPUT);
    check_output("xy");
    make_available(OUTPUT, 4);
    kick(OUTPUT);
    check_broken("a descriptor outside memory");
    world_close(&w);
}
END_TEST

/* The port hears of each byte before it changes, whichever way it is written. */
START_TEST(writes_are_announced)
{
    open_driven("virtio-console", EVENT_IDX);
    memset(w.announced, 0, sizeof w.announced);
    put_descriptor(INPUT * AREA, 0, WORLD_RAM + BUFFERS, 16, WRITE, 0);
    make_available(INPUT, 0);
    make_available(INPUT, 0);
    ck_assert_uint_eq(type_in("abc"), 3);
    ck_assert_uint_eq(type_in("def"), 3);
    ck_assert_uint_eq(w.announced[w.pages[INPUT].frame], is_packed ? 2 * 8 : 2 * (8 + 2 + 2));
    ck_assert_uint_eq(w.announced[w.pages[BUFFERS >> PAGE_BITS].frame], 6);
    world_close(&w);
}
END_TEST

/* Anything ----------------------------------------------------------------------------------------
 */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A change somewhere in the first three pages, mostly of a small number. */
static void scribble(uint64_t *random)
{
    uint64_t x = next_random(random), y = next_random(random);
    uint64_t at = (x >> 8) % 3 * AREA + ((x >> 16 & 3) == 3 ? BUFFERS - 2 * AREA : 0) +
                  (x >> 20 & 3) * 0x400 + (x >> 24) % 0x50;
    static const uint64_t masks[4] = {7, 0xff, 0xffff, UINT64_MAX};
    size_t size = (size_t)1 << (x >> 32 & 3);
    store_le(ram(at), y & masks[x >> 40 & 3], size);
}

static void plausible_descriptors(uint64_t *random, unsigned queue)
{
    for (unsigned i = 0; i < SIZE; i++) {
        uint64_t x = next_random(random);
        put_descriptor(queue * AREA, i, WORLD_RAM + BUFFERS + (x & 0xfff), x >> 12 & 0x3f,
                       x >> 20 & 7 & x >> 24, x >> 28 & 7);
    }
}

static void anything(uint64_t *random, unsigned queues)
{
    uint64_t x = next_random(random);
    unsigned queue = (unsigned)(x >> 8) % queues;
    switch (x & 15) {
    case 0:
        is_packed = x >> 17 & 1;
        drive(queues, x >> 16 & 1 ? INDIRECT_DESC | EVENT_IDX : 0);
        break;
    case 1:
    case 2:
        plausible_descriptors(random, queue);
        break;
    case 3:
        world_advance(&w, x >> 16 & 0x3ffff);
        break;
    case 4:
        put(&w, (x >> 16) % 0x80 * 4, (uint32_t)next_random(random));
        break;
    case 5:
    case 6:
        if (w.v->type->input)
            type_in("some text for the guest");
        break;
    case 7:
    case 8:
    case 9:
        scribble(random);
        break;
    default:
        make_available(queue, x >> 16 & 7);
        kick(queue);
        put(&w, INTERRUPT_ACK, x >> 24 & 3);
        break;
    }
}

static uint64_t digest(void)
{
    uint64_t sum = w.output_size * 31 + w.random_bytes + w.irq_level;
    for (unsigned i = 0; i < WORLD_RAM_SIZE; i++)
        sum = (sum ^ *ram(i)) * 0x100000001b3;
    for (unsigned i = 0; i < sizeof w.output; i++)
        sum = (sum ^ (uint8_t)w.output[i]) * 0x100000001b3;
    return sum;
}

static uint64_t fuzz(const char *type, uint64_t seed, unsigned exchange_every,
                     const uint8_t *frames)
{
    uint64_t random = seed;
    world_frames = frames;
    memset(driver, 0, sizeof driver);
    is_packed = false;
    world_open(&w, type, 1, NULL);
    for (unsigned i = 1; i <= 4000; i++) {
        anything(&random, type[7] == 'c' ? 2 : 1);
        if (exchange_every && i % exchange_every == 0)
            exchange(type, NULL);
    }
    uint64_t sum = digest();
    world_close(&w);
    return sum;
}

START_TEST(any_driver)
{
    static const char *const types[2] = {"virtio-console", "virtio-entropy"};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        const char *type = types[seed & 1];
        uint64_t start = seed * UINT64_C(0x9e3779b97f4a7c15);
        uint64_t once = fuzz(type, start, 0, scattered);
        ck_assert_msg(once == fuzz(type, start, 0, NULL), "%s passed its port by", type);
        ck_assert_msg(once == fuzz(type, start, 97, scattered), "%s differs after a restore", type);
    }
}
END_TEST

START_TEST(description)
{
    struct tree_text t;
    world_open(&w, "virtio-entropy", 1, NULL);
    tree_of(w.v, &t);
    ck_assert_str_eq(t.text, "virtio@1c090000 {\ncompatible = virtio,mmio\n"
                             "reg = <0 1c090000 0 200>\ninterrupt-parent = <1>\n"
                             "interrupts = <0 5 4>\ndma-coherent\n}\n");
    world_close(&w);
}
END_TEST

/* Packed queues only ------------------------------------------------------------------------------
 */

/* Sizes that are no power of two, chains of one to three descriptors, many times round; looked at
 * by a driver that does not lose count. */
START_TEST(packed_queues_go_round)
{
    for (unsigned size = 3; size <= SIZE; size++) {
        world_open(&w, "virtio-console", 1, NULL);
        negotiate(0);
        set_queue(OUTPUT, size);
        put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
        for (unsigned i = 0; i < 50; i++) {
            unsigned length = 1 + i % 3;
            for (unsigned j = 0; j < length; j++)
                put_descriptor(OUTPUT * AREA, j, text_at(j, &"abc"[j]), 1,
                               j + 1 < length ? NEXT : 0, j + 1);
            make_available(OUTPUT, 0);
            w.output_size = 0;
            kick(OUTPUT);
            ck_assert_uint_eq(w.output_size, length);
            ck_assert_uint_eq(used_index(OUTPUT), i + 1);
            check_used(OUTPUT, i, 0, 0);
            if (i % 7 == 6)
                exchange("virtio-console", NULL);
        }
        world_close(&w);
    }
}
END_TEST

/* As long as the ring is fine; what goes on behind its end, or with what is not available, is not.
 */
START_TEST(packed_chains_that_go_on)
{
    for (unsigned length = SIZE - 1; length <= SIZE + 1; length++) {
        for (unsigned goes_on = 0; goes_on < 2; goes_on++) {
            bool ok = length <= SIZE && !goes_on;
            open_driven("virtio-console", 0);
            put_descriptor(OUTPUT * AREA, 0, FINE, 1, NEXT, 0);
            make_available(OUTPUT, 0);
            memset(ram(OUTPUT * AREA + 16 * (length % SIZE)), 0, length < SIZE ? 16 : 0);
            if (!goes_on && length <= SIZE)
                store_le(ram(OUTPUT * AREA + 16 * length - 2), DESC_AVAIL, 2);
            kick(OUTPUT);
            ck_assert_uint_eq(w.output_size, ok ? length : 0);
            ck_assert_uint_eq(get(&w, STATUS) & NEEDS_RESET, ok ? 0 : NEEDS_RESET);
            world_close(&w);
        }
    }
}
END_TEST

/* AVAIL alone does not make a descriptor available, nor does USED (2.8.1). */
START_TEST(packed_descriptors_that_are_used)
{
    open_driven("virtio-console", 0);
    put_raw(OUTPUT * AREA, FINE, 1, 0, DESC_AVAIL | DESC_USED);
    kick(OUTPUT);
    put_raw(OUTPUT * AREA, FINE, 1, 0, DESC_USED);
    kick(OUTPUT);
    check_output("");
    ck_assert(!w.irq_level);
    world_close(&w);
}
END_TEST

/* Flags but WRITE mean nothing in a table, nor do IDs; tables end where they end (2.8.7). */
START_TEST(packed_tables)
{
    open_driven("virtio-console", INDIRECT_DESC);
    put_raw(BUFFERS + 0x100, text_at(0, "one "), 4, 7, INDIRECT | NEXT);
    put_raw(BUFFERS + 0x110, text_at(8, "two"), 3, 9, NEXT | DESC_USED);
    put_raw(BUFFERS + 0x120, 0, 100, 0, 0);
    put_descriptor(OUTPUT * AREA, 3, TABLE, 32, INDIRECT, 0);
    make_available(OUTPUT, 3);
    kick(OUTPUT);
    check_output("one two");
    check_used(OUTPUT, 0, 3, 0);
    put_raw(BUFFERS + 0x110, WORLD_RAM + BUFFERS, 3, 9, WRITE);
    make_available(OUTPUT, 3);
    kick(OUTPUT);
    check_output("one twoone "); /* what may be written is not sent */
    put_raw(BUFFERS + 0x100, WORLD_RAM + BUFFERS, 3, 9, WRITE);
    put_raw(BUFFERS + 0x110, WORLD_RAM + BUFFERS, 3, 9, 0);
    make_available(OUTPUT, 3);
    kick(OUTPUT);
    check_broken("readable behind writable in a table");
    world_close(&w);
}
END_TEST

/* The place behind that one. */
static unsigned next_place(unsigned place, unsigned size)
{
    return (place & 0x7fff) + 1 < size ? place + 1 : (place & 0x8000) ^ 0x8000;
}

/* Whether a descriptor's event comes, by going from one to the next. */
START_TEST(packed_events)
{
    uint64_t random = 7;
    for (unsigned i = 0; i < 400; i++) {
        unsigned size = 2 + i % 7, place = 0x8000;
        world_open(&w, "virtio-console", 1, NULL);
        negotiate(EVENT_IDX);
        set_queue(OUTPUT, size);
        put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
        for (unsigned j = 0; j < 30; j++) {
            uint64_t x = next_random(&random);
            unsigned event = (unsigned)((x >> 8) % size | (x & 0x8000)), flags = x >> 40 & 3;
            bool passed = false;
            store_le(ram(OUTPUT * AREA + AVAILABLE), event, 2);
            store_le(ram(OUTPUT * AREA + AVAILABLE + 2), flags | (x >> 44 & 0xfffc), 2);
            for (unsigned left = 1 + (unsigned)(x >> 32) % size, length; left; left -= length) {
                length = left > 1 ? 1 + (x >> 36 & 1) : 1;
                put_descriptor(OUTPUT * AREA, 0, FINE, 1, length > 1 ? NEXT : 0, 1);
                put_descriptor(OUTPUT * AREA, 1, FINE, 1, 0, 0);
                make_available(OUTPUT, 0);
                for (unsigned k = 0; k < length; k++, place = next_place(place, size))
                    passed |= place == event;
            }
            kick(OUTPUT);
            ck_assert_int_eq(w.irq_level, flags == EVENT_DISABLE || (flags == EVENT_DESC && !passed)
                                              ? false
                                              : true);
            put(&w, INTERRUPT_ACK, USED_BUFFER);
        }
        world_close(&w);
    }
}
END_TEST

/* Without VIRTIO_F_EVENT_IDX there is no event of a descriptor: it is as if all were wanted. */
START_TEST(packed_events_must_be_negotiated)
{
    open_driven("virtio-console", 0);
    want_interrupt_at(OUTPUT, 5);
    send_x(1);
    ck_assert(w.irq_level);
    world_close(&w);
}
END_TEST

/* What the device area says before the driver runs is nothing; then it is the device's. */
START_TEST(packed_device_area)
{
    world_open(&w, "virtio-console", 1, NULL);
    negotiate(EVENT_IDX);
    set_queue(OUTPUT, SIZE);
    memset(ram(OUTPUT * AREA + USED), 0xff, 8);
    put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
    ck_assert_uint_eq(load_le(ram(OUTPUT * AREA + USED), 8), 0xffffffff00000000);
    memset(ram(INPUT * AREA + USED), 0xff, 8); /* one that becomes ready later */
    set_queue(INPUT, SIZE);
    ck_assert_uint_eq(load_le(ram(INPUT * AREA + USED), 8), 0xffffffff00000000);
    world_close(&w);
}
END_TEST

/* The ring's second half is not memory: the device gets as far as there is something. */
START_TEST(a_packed_ring_that_is_in_memory_in_part)
{
    open_driven("virtio-console", 0);
    w.pages[2].is_mapped = false;
    put(&w, QUEUE_SEL, OUTPUT);
    put(&w, QUEUE_READY, 0);
    put(&w, QUEUE_DESC, WORLD_RAM + 2 * AREA - 64);
    put(&w, QUEUE_READY, 1);
    for (unsigned i = 0; i < 4; i++)
        put_raw(2 * AREA - 64 + 16 * i, FINE, 1, i, DESC_AVAIL);
    kick(OUTPUT);
    ck_assert_uint_eq(w.output_size, 4);
    check_broken("a descriptor outside memory");
    world_close(&w);
}
END_TEST

/* A ring that can be read and not written. */
START_TEST(a_packed_ring_that_is_read_only)
{
    open_driven("virtio-console", 0);
    put_descriptor(OUTPUT * AREA, 0, FINE, 1, 0, 0);
    make_available(OUTPUT, 0);
    w.pages[OUTPUT].writes = false;
    w.generation++;
    kick(OUTPUT);
    w.pages[OUTPUT].writes = true;
    check_broken("a ring that is read-only");
    world_close(&w);
}
END_TEST

/* The features are settled when all of the queue is there already. */
START_TEST(a_queue_before_its_format)
{
    world_open(&w, "virtio-console", 1, NULL);
    put(&w, STATUS, DRIVER);
    accept_features(0);
    set_queue(INPUT, SIZE);
    put(&w, DRIVER_FEATURES, 1); /* split after all, or so it seems */
    set_queue(OUTPUT, SIZE);
    accept_features(0);
    put(&w, STATUS, DRIVER | FEATURES_OK | DRIVER_OK);
    send_x(2);
    check_output("xx");
    ck_assert_uint_eq(used_index(OUTPUT), 2);
    put_descriptor(INPUT * AREA, 0, WORLD_RAM + BUFFERS, 4, WRITE, 0);
    make_available(INPUT, 0);
    ck_assert_uint_eq(type_in("ab"), 2);
    check_used(INPUT, 0, 0, 2);
    put(&w, STATUS, 0); /* a size that is fine for a packed queue only */
    put(&w, STATUS, DRIVER);
    accept_features(0);
    set_queue(OUTPUT, 3);
    ck_assert_uint_eq(get(&w, QUEUE_READY), 1);
    put(&w, DRIVER_FEATURES, 1);
    put(&w, STATUS, DRIVER | FEATURES_OK);
    ck_assert_uint_eq(get(&w, QUEUE_READY), 0);
    ck_assert_uint_eq(get(&w, STATUS), DRIVER | FEATURES_OK | NEEDS_RESET);
    world_close(&w);
}
END_TEST

/* A snapshot may say anything: a queue that could not be so is not ready. */
START_TEST(packed_places_that_are_restored)
{
    static const struct {
        uint16_t available, used;
        bool is_ready;
    } places[] = {{0x8000, 0x8000, true},  {7, 7, true},       {8, 8, false},
                  {0xffff, 0xffff, false}, {0x8000, 0, false}, {0x8007, 0x8007, true}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        open_driven("virtio-console", EVENT_IDX);
        struct virtio_device *d = (struct virtio_device *)(void *)w.v;
        d->queues[OUTPUT].next_available = places[i].available;
        d->queues[OUTPUT].next_used = places[i].used;
        d->queues[OUTPUT].signalled = 0x7fff;
        exchange("virtio-console", NULL);
        put(&w, QUEUE_SEL, OUTPUT);
        ck_assert_uint_eq(get(&w, QUEUE_READY), places[i].is_ready);
        kick(OUTPUT);
        world_close(&w);
    }
}
END_TEST

/* Resets of single queues -------------------------------------------------------------------------
 */

START_TEST(a_queue_is_reset)
{
    open_driven("virtio-console", RING_RESET);
    for (unsigned i = 0; i < SIZE; i++)
        put_descriptor(OUTPUT * AREA, i, WORLD_RAM, 0x4000, i + 1 < SIZE ? NEXT : 0, i + 1);
    make_available(OUTPUT, 0);
    kick(OUTPUT); /* not all of it is sent */
    ck_assert_uint_eq(used_index(OUTPUT), 0);
    put_descriptor(INPUT * AREA, 0, WORLD_RAM + BUFFERS, 4, WRITE, 0);
    make_available(INPUT, 0);
    put(&w, QUEUE_SEL, OUTPUT);
    put(&w, QUEUE_RESET, 0);
    ck_assert_uint_eq(get(&w, QUEUE_READY), 1);
    put(&w, QUEUE_RESET, 1);
    ck_assert_uint_eq(get(&w, QUEUE_RESET), 0);
    ck_assert_uint_eq(get(&w, QUEUE_READY), 0);
    size_t sent = w.output_size;
    world_advance(&w, 10000000);
    ck_assert_uint_eq(w.output_size, sent);
    ck_assert_uint_eq(type_in("abcd"), 4); /* the other one works on */
    clear_queue(OUTPUT);
    set_queue(OUTPUT, 4);
    send_x(3);
    ck_assert_uint_eq(w.output_size, sent + 3); /* from the start of the chain */
    ck_assert_uint_eq(used_index(OUTPUT), 3);
    world_close(&w);
    open_driven("virtio-console", 0); /* not negotiated */
    put(&w, QUEUE_SEL, OUTPUT);
    put(&w, QUEUE_RESET, 1);
    ck_assert_uint_eq(get(&w, QUEUE_READY), 1);
    world_close(&w);
}
END_TEST

/* A queue that is stopped gives up what it was about, too. */
START_TEST(a_queue_that_is_stopped)
{
    open_driven("virtio-console", 0);
    for (unsigned i = 0; i < SIZE; i++)
        put_descriptor(OUTPUT * AREA, i, WORLD_RAM, 0x4000, i + 1 < SIZE ? NEXT : 0, i + 1);
    make_available(OUTPUT, 0);
    kick(OUTPUT);
    size_t sent = w.output_size;
    put(&w, QUEUE_SEL, OUTPUT);
    put(&w, QUEUE_READY, 0);
    clear_queue(OUTPUT);
    set_queue(OUTPUT, SIZE);
    send_x(1);
    ck_assert_uint_eq(w.output_size, sent + 1);
    world_close(&w);
}
END_TEST

START_TEST(machines_of_the_past)
{
    world_quirks = QUIRK_SPLIT_RINGS;
    world_open(&w, "virtio-console", 1, NULL);
    put(&w, DEVICE_FEATURES_SEL, 1);
    ck_assert_uint_eq(get(&w, DEVICE_FEATURES), 1);
    ck_assert_uint_eq(status_after(0, 1 | RING_PACKED >> 32, FEATURES_OK), 0);
    world_close(&w);
    world_quirks = 0;
}
END_TEST

static void use_split(void)
{
    is_packed = false;
}

static void use_packed(void)
{
    is_packed = true;
}

/* What holds whatever the rings are like. */
static void add_tests_of_both(TCase *t)
{
    tcase_add_test(t, a_reset_forgets_everything);
    tcase_add_test(t, a_ready_queue_stays_as_it_is);
    tcase_add_test(t, output_of_a_chain);
    tcase_add_test(t, no_output_before_driver_ok);
    tcase_add_test(t, output_by_an_indirect_table);
    tcase_add_test(t, a_table_behind_a_descriptor);
    tcase_add_test(t, a_driver_that_does_not_want_interrupts);
    tcase_add_test(t, event_indices);
    tcase_add_test(t, indices_wrap);
    tcase_add_test(t, much_output_takes_time);
    tcase_add_test(t, a_chain_that_shrinks_while_it_is_sent);
    tcase_add_test(t, input_takes_what_there_are_buffers_for);
    tcase_add_test(t, a_frame_over_several_chains);
    tcase_add_test(t, random_bytes);
    tcase_add_test(t, entropy_is_bounded);
    tcase_add_test(t, chains_that_make_no_sense);
    tcase_add_test(t, chains_are_not_longer_than_their_queue);
    tcase_add_test(t, indirect_must_be_negotiated);
    tcase_add_test(t, input_to_read_only_memory);
    tcase_add_test(t, queues_that_make_no_sense);
    tcase_add_test(t, broken_before_driver_ok);
    tcase_add_test(t, a_fault_in_the_middle_of_a_chain);
    tcase_add_test(t, areas_are_mapped_once);
    tcase_add_test(t, areas_are_mapped_again);
    tcase_add_test(t, writes_are_announced);
    tcase_add_test(t, a_queue_is_reset);
    tcase_add_test(t, a_queue_that_is_stopped);
}

static void add_tests_of_split(TCase *t)
{
    tcase_add_test(t, registers);
    tcase_add_test(t, widths);
    tcase_add_test(t, negotiation);
    tcase_add_test(t, configuration_space);
    tcase_add_test(t, the_core_needs_no_transport);
    tcase_add_test(t, emergency_write);
    tcase_add_test(t, rings_that_make_no_sense);
    tcase_add_test(t, areas_that_are_in_memory_in_part);
    tcase_add_test(t, machines_of_the_past);
    tcase_add_test(t, any_driver);
    tcase_add_test(t, description);
}

static void add_tests_of_packed(TCase *t)
{
    tcase_add_test(t, packed_queues_go_round);
    tcase_add_test(t, packed_chains_that_go_on);
    tcase_add_test(t, packed_descriptors_that_are_used);
    tcase_add_test(t, packed_tables);
    tcase_add_test(t, packed_events);
    tcase_add_test(t, packed_events_must_be_negotiated);
    tcase_add_test(t, packed_device_area);
    tcase_add_test(t, a_packed_ring_that_is_in_memory_in_part);
    tcase_add_test(t, a_packed_ring_that_is_read_only);
    tcase_add_test(t, a_queue_before_its_format);
    tcase_add_test(t, packed_places_that_are_restored);
}

int main(void)
{
    Suite *s = suite_create("vdev/virtio");
    TCase *split = tcase_create("split"), *packed = tcase_create("packed");
    world_frames = scattered;
    tcase_add_checked_fixture(split, use_split, NULL);
    tcase_add_checked_fixture(packed, use_packed, NULL);
    add_tests_of_both(split);
    add_tests_of_split(split);
    add_tests_of_both(packed);
    add_tests_of_packed(packed);
    for (unsigned i = 0; i < 2; i++) {
        tcase_set_timeout(i ? packed : split, 60);
        suite_add_tcase(s, i ? packed : split);
    }
    return suite_run(s);
}
