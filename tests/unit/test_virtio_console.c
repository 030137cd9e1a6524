/* vdev virtio-console with further ports and a window (virtio 1.2, 5.3): what driver and device
 * tell each other, where bytes go, drivers that are wrong. Each with split and with packed queues.
 */
#include <stdio.h>

#define TEST_VIRTIO_QUEUES 8 /* the console's, those of control, two ports' */
#include "test_virtio_driver.h"

enum { F_SIZE = 1 << 0, MULTIPORT = 1 << 1 };
enum { CONTROL_IN = 2, CONTROL_OUT = 3 };
enum { DEVICE_READY, DEVICE_ADD, PORT_READY = 3, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME };
enum { SPACE = 0x40, HEARD = BUFFERS, SAID = BUFFERS + 0x800, BYTES = BUFFERS + 0x1000 };

static const char *const two[] = {"port", "log", "port", "cmd.0", "size", "80x24", NULL};
static unsigned given, said; /* buffers for messages, messages */

static void open_driven(const char *const *options, uint64_t features)
{
    given = said = 0;
    world_open(&w, "virtio-console", 1, options);
    for (unsigned i = 0; i < WORLD_RAM_PAGES; i++)
        w.pages[i].writes = true;
    drive(features & MULTIPORT ? DRIVER_QUEUES : 2, features);
}

static unsigned in_of(unsigned port)
{
    return port ? 2 * port + 2 : 0;
}

/* Messages ----------------------------------------------------------------------------------------
 */

static void give(unsigned count, uint32_t size)
{
    for (; count; count--, given++) {
        unsigned i = given % SIZE;
        memset(ram(HEARD + i * SPACE), 0xee, SPACE);
        put_descriptor(CONTROL_IN * AREA, i, WORLD_RAM + HEARD + i * SPACE, size, WRITE, 0);
        make_available(CONTROL_IN, i);
    }
    kick(CONTROL_IN);
}

static void say_bytes(uint32_t port, unsigned event, unsigned value, uint32_t size)
{
    unsigned i = said++ % SIZE;
    store_le(ram(SAID + 16 * i), port, 4);
    store_le(ram(SAID + 16 * i + 4), event, 2);
    store_le(ram(SAID + 16 * i + 6), value, 2);
    put_descriptor(CONTROL_OUT * AREA, i, WORLD_RAM + SAID + 16 * i, size, 0, 0);
    make_available(CONTROL_OUT, i);
    kick(CONTROL_OUT);
    ck_assert_uint_eq(used_index(CONTROL_OUT), said);
}

static void say(uint32_t port, unsigned event, unsigned value)
{
    say_bytes(port, event, value, 8);
}

/* The message that came as that one, of the last 8. */
static void check_heard(unsigned number, unsigned port, unsigned event, unsigned value,
                        const char *rest, size_t size)
{
    const uint8_t *m = ram(HEARD + number % SIZE * SPACE);
    check_used(CONTROL_IN, number, number % SIZE, (uint32_t)(8 + size));
    ck_assert_uint_eq(load_le(m, 4), port);
    ck_assert_uint_eq(load_le(m + 4, 2), event);
    ck_assert_uint_eq(load_le(m + 6, 2), value);
    ck_assert(memcmp(m + 8, rest, size) == 0);
    ck_assert_uint_eq(m[8 + size], 0xee);
}

/* All ports are there and open. */
static void open_all(void)
{
    open_driven(two, MULTIPORT);
    say(0, DEVICE_READY, 1);
    for (unsigned port = 0; port < 3; port++) {
        say(port, PORT_READY, 1);
        say(port, PORT_OPEN, 1);
    }
    for (unsigned i = 0; i < 9; i++) {
        give(1, SPACE);
        ck_assert_uint_eq(used_index(CONTROL_IN), i + 1);
    }
}

START_TEST(ports_are_told)
{
    open_driven(two, MULTIPORT | F_SIZE);
    ck_assert_uint_eq(get(&w, CONFIG + 4), 3);
    give(4, SPACE);
    ck_assert_uint_eq(used_index(CONTROL_IN), 0);
    say(0, DEVICE_READY, 0);
    ck_assert_uint_eq(used_index(CONTROL_IN), 0);
    say(0, DEVICE_READY, 1);
    for (unsigned port = 0; port < 3; port++)
        check_heard(port, port, DEVICE_ADD, 0, "", 0);
    ck_assert_uint_eq(used_index(CONTROL_IN), 3);
    ck_assert(w.irq_level);
    say(0, PORT_READY, 1); /* there is one buffer */
    check_heard(3, 0, CONSOLE_PORT, 1, "", 0);
    exchange("virtio-console", two);
    give(2, SPACE);
    check_heard(4, 0, RESIZE, 0, "\x50\0\x18\0", 4);
    check_heard(5, 0, PORT_OPEN, 1, "", 0);
    say(2, PORT_READY, 1);
    say(1, PORT_READY, 1);
    give(4, SPACE);
    check_heard(6, 1, PORT_OPEN, 1, "", 0);
    check_heard(7, 1, PORT_NAME, 0, "log", 3);
    check_heard(8, 2, PORT_OPEN, 1, "", 0);
    check_heard(9, 2, PORT_NAME, 0, "cmd.0", 5);
    give(1, SPACE);
    ck_assert_uint_eq(used_index(CONTROL_IN), 10);
    world_close(&w);
}
END_TEST

START_TEST(messages_that_are_wrong)
{
    open_driven(two, MULTIPORT);
    give(4, SPACE);
    say_bytes(0, DEVICE_READY, 1, 7);
    say(3, PORT_READY, 1);
    say(UINT32_MAX, PORT_OPEN, 1);
    say(0, CONSOLE_PORT, 1);
    say(0, 0xffff, 1);
    say(1, PORT_READY, 0);
    ck_assert_uint_eq(used_index(CONTROL_IN), 0);
    ck_assert(!(get(&w, STATUS) & NEEDS_RESET));
    world_close(&w);
}
END_TEST

START_TEST(a_buffer_that_is_too_small)
{
    open_driven(two, MULTIPORT);
    give(1, SPACE);
    say(1, PORT_READY, 1);
    check_heard(0, 1, PORT_OPEN, 1, "", 0);
    give(1, 10); /* 8 and "log" */
    check_used(CONTROL_IN, 1, 1, 0);
    ck_assert_uint_eq(*ram(HEARD + SPACE), 0xee);
    give(1, SPACE);
    ck_assert_uint_eq(used_index(CONTROL_IN), 2);
    world_close(&w);
}
END_TEST

/* Bytes -------------------------------------------------------------------------------------------
 */

static void print(unsigned port, const char *text)
{
    unsigned queue = in_of(port) + 1;
    memcpy(ram(BYTES), text, strlen(text));
    put_descriptor(queue * AREA, 0, WORLD_RAM + BYTES, (uint32_t)strlen(text), 0, 0);
    make_available(queue, 0);
    kick(queue);
}

static void check_printed(unsigned channel, const char *text)
{
    ck_assert_uint_eq(w.output_size, strlen(text));
    ck_assert(memcmp(w.output, text, strlen(text)) == 0);
    ck_assert_uint_eq(w.output_channel, channel);
    w.output_size = 0;
}

static size_t type_in(unsigned port, const char *text)
{
    return w.v->type->input(w.v, port, (const uint8_t *)text, strlen(text));
}

static void give_room(unsigned port)
{
    put_descriptor(in_of(port) * AREA, 0, WORLD_RAM + BYTES + 0x100 * port, 4, WRITE, 0);
    make_available(in_of(port), 0);
}

START_TEST(each_port_has_its_bytes)
{
    open_all();
    print(0, "console");
    check_printed(0, "console");
    print(1, "log");
    check_printed(WORLD_MORE_CHANNELS, "log");
    exchange("virtio-console", two);
    print(2, "commands");
    check_printed(WORLD_MORE_CHANNELS + 1, "commands");
    ck_assert_uint_eq(type_in(2, "x"), 0);
    for (unsigned port = 0; port < 3; port++)
        give_room(port);
    ck_assert_uint_eq(type_in(2, "third"), 4);
    ck_assert_uint_eq(type_in(0, "one"), 3);
    check_used(in_of(2), 0, 0, 4);
    check_used(in_of(0), 0, 0, 3);
    ck_assert_uint_eq(used_index(in_of(1)), 0);
    ck_assert(memcmp(ram(BYTES + 0x200), "thir", 4) == 0);
    world_close(&w);
}
END_TEST

/* What is sent to a port that nobody has open would be lost in the guest. */
START_TEST(input_waits_for_an_open_port)
{
    open_driven(two, MULTIPORT);
    say(0, DEVICE_READY, 1);
    for (unsigned port = 0; port < 3; port++) {
        give_room(port);
        ck_assert_uint_eq(type_in(port, "x"), 0);
        say(port, PORT_OPEN, 1);
    }
    exchange("virtio-console", two);
    say(1, PORT_OPEN, 0);
    ck_assert_uint_eq(type_in(0, "x"), 1);
    ck_assert_uint_eq(type_in(1, "x"), 0);
    ck_assert_uint_eq(type_in(2, "x"), 1);
    say(1, PORT_OPEN, 1);
    ck_assert_uint_eq(type_in(1, "x"), 1);
    world_close(&w);
}
END_TEST

/* Each port goes on where it was in its chain. */
START_TEST(much_output_of_two_ports)
{
    const uint32_t size = 0x8000;
    open_all();
    for (unsigned port = 1; port < 3; port++) {
        unsigned queue = in_of(port) + 1;
        for (unsigned i = 0; i < 4; i++)
            put_descriptor(queue * AREA, i, WORLD_RAM, size, i < 3 ? NEXT : 0, i + 1);
        make_available(queue, 0);
        kick(queue);
        ck_assert_uint_eq(used_index(queue), 0);
    }
    exchange("virtio-console", two);
    world_advance(&w, 10000000);
    ck_assert_uint_eq(w.output_size, 2 * 4 * size);
    ck_assert_uint_eq(used_index(3 + 2), 1);
    ck_assert_uint_eq(used_index(5 + 2), 1);
    world_close(&w);
}
END_TEST

/* The driver uses one port, and what it does with other queues is nothing. */
START_TEST(a_driver_of_one_port)
{
    open_driven(two, 0);
    for (unsigned i = 2; i < DRIVER_QUEUES; i++)
        set_queue(i, SIZE);
    give_room(0);
    give_room(1);
    ck_assert_uint_eq(type_in(0, "x"), 1);
    ck_assert_uint_eq(type_in(1, "x"), 0);
    print(0, "console");
    print(1, "log");
    check_printed(0, "console");
    put_descriptor(CONTROL_IN * AREA, 0, WORLD_RAM + HEARD, SPACE, WRITE, 0);
    make_available(CONTROL_IN, 0);
    put_descriptor(CONTROL_OUT * AREA, 0, WORLD_RAM + SAID, 8, 0, 0);
    store_le(ram(SAID + 6), 1, 2); /* DEVICE_READY */
    make_available(CONTROL_OUT, 0);
    kick(CONTROL_OUT);
    kick(CONTROL_IN);
    ck_assert_uint_eq(used_index(CONTROL_OUT), 0);
    ck_assert_uint_eq(used_index(CONTROL_IN), 0);
    world_close(&w);
}
END_TEST

START_TEST(a_reset_forgets_ports)
{
    open_all();
    drive(DRIVER_QUEUES, MULTIPORT);
    given = said = 0;
    give(8, SPACE);
    give_room(1);
    ck_assert_uint_eq(type_in(1, "x"), 0);
    ck_assert_uint_eq(used_index(CONTROL_IN), 0);
    say(0, DEVICE_READY, 1);
    ck_assert_uint_eq(used_index(CONTROL_IN), 3);
    world_close(&w);
}
END_TEST

/* The window --------------------------------------------------------------------------------------
 */

static void check_window(unsigned columns, unsigned rows)
{
    ck_assert_uint_eq(get(&w, CONFIG), columns | rows << 16);
}

START_TEST(a_window_of_another_size)
{
    static const char *const options[] = {"size", "80x24", NULL};
    open_driven(options, F_SIZE);
    check_window(80, 24);
    ck_assert_uint_eq(get(&w, CONFIG + 4), 0); /* max_nr_ports */
    w.v->type->resize(w.v, 80, 24);
    ck_assert(!w.irq_level);
    uint64_t generation = get(&w, CONFIG_GENERATION);
    w.v->type->resize(w.v, 132, 50);
    check_window(132, 50);
    ck_assert_uint_ne(get(&w, CONFIG_GENERATION), generation);
    ck_assert_uint_eq(get(&w, INTERRUPT_STATUS), CONFIG_CHANGE);
    exchange("virtio-console", options);
    check_window(132, 50);
    put(&w, INTERRUPT_ACK, CONFIG_CHANGE);
    ck_assert(!w.irq_level);
    put(&w, STATUS, 0); /* the window is the host's */
    check_window(132, 50);
    world_close(&w);
}
END_TEST

START_TEST(a_window_that_nobody_asked_about)
{
    static const char *const options[] = {"size", "80x24", NULL};
    open_driven(options, 0);
    uint64_t generation = get(&w, CONFIG_GENERATION);
    w.v->type->resize(w.v, 132, 50);
    ck_assert(!w.irq_level);
    ck_assert_uint_ne(get(&w, CONFIG_GENERATION), generation);
    check_window(132, 50);
    world_close(&w);
}
END_TEST

START_TEST(ports_learn_of_the_window)
{
    open_driven(two, MULTIPORT | F_SIZE);
    give(4, SPACE);
    w.v->type->resize(w.v, 100, 40);
    ck_assert_uint_eq(used_index(CONTROL_IN), 0); /* there is no console yet */
    say(0, PORT_READY, 1);
    check_heard(1, 0, RESIZE, 0, "\x64\0\x28\0", 4);
    w.v->type->resize(w.v, 101, 41);
    check_heard(3, 0, RESIZE, 0, "\x65\0\x29\0", 4);
    w.v->type->resize(w.v, 102, 42); /* there is no buffer: the driver hears of the last one */
    w.v->type->resize(w.v, 103, 43);
    give(2, SPACE);
    check_heard(4, 0, RESIZE, 0, "\x67\0\x2b\0", 4);
    ck_assert_uint_eq(used_index(CONTROL_IN), 5);
    world_close(&w);
}
END_TEST

/* Options -----------------------------------------------------------------------------------------
 */

START_TEST(without_ports_nothing_is_new)
{
    open_driven(NULL, 0);
    ck_assert_uint_eq(get(&w, DEVICE_FEATURES) & (F_SIZE | MULTIPORT), 0);
    for (unsigned i = 0; i < 8; i += 4)
        ck_assert_uint_eq(get(&w, CONFIG + i), 0);
    w.v->type->resize(w.v, 132, 50);
    ck_assert_uint_eq(get(&w, CONFIG), 0);
    ck_assert_uint_eq(get(&w, CONFIG_GENERATION), 0);
    put(&w, QUEUE_SEL, 2);
    ck_assert_uint_eq(get(&w, QUEUE_NUM_MAX), 0);
    ck_assert_ptr_null(w.v->type->part(w.v, 0).fields);
    world_close(&w);
}
END_TEST

static const struct {
    const char *options[5];
    const char *message;
} wrong[] = {
    {{"port", "", NULL}, "port : a name has up to 63"},
    {{"port", "a/b", NULL}, "port a/b: a name"},
    {{"port", "..", NULL}, "port ..: a name"},
    {{"port", "a", "port", "a", NULL}, "a second port a"},
    {{"size", "80", NULL}, "size 80 is not columns and rows"},
    {{"size", "80x", NULL}, "size 80x is not"},
    {{"size", "0x24", NULL}, "size 0x24 is not"},
    {{"size", "80x65536", NULL}, "size 80x65536 is not"},
    {{"delayed", "x", "delayed", "1", NULL}, "delayed x is neither"},
};

START_TEST(options_that_are_wrong)
{
    struct error e = {0};
    ck_assert(!world_try(&w, "virtio-console", 1, wrong[_i].options, &e));
    ck_assert_msg(strstr(e.text, wrong[_i].message), "%s", e.text);
    world_close(&w);
}
END_TEST

START_TEST(as_many_ports_as_there_are_queues)
{
    static char names[15][8];
    const char *options[31] = {NULL};
    struct error e = {0};
    for (unsigned i = 0; i < 15; i++) {
        snprintf(names[i], sizeof names[i], "p%u", i);
        options[2 * i] = "port";
        options[2 * i + 1] = names[i];
    }
    ck_assert(!world_try(&w, "virtio-console", 1, options, &e));
    ck_assert_msg(strstr(e.text, "more than 14 ports"), "%s", e.text);
    world_close(&w);
    options[28] = NULL;
    world_open(&w, "virtio-console", 1, options);
    put(&w, QUEUE_SEL, 31);
    ck_assert_uint_eq(get(&w, QUEUE_NUM_MAX), 64);
    ck_assert_uint_eq(get(&w, CONFIG + 4), 15);
    world_close(&w);
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

static TCase *cases(const char *name, void (*use)(void))
{
    TCase *t = tcase_create(name);
    tcase_add_checked_fixture(t, use, NULL);
    tcase_add_test(t, ports_are_told);
    tcase_add_test(t, messages_that_are_wrong);
    tcase_add_test(t, a_buffer_that_is_too_small);
    tcase_add_test(t, each_port_has_its_bytes);
    tcase_add_test(t, input_waits_for_an_open_port);
    tcase_add_test(t, much_output_of_two_ports);
    tcase_add_test(t, a_driver_of_one_port);
    tcase_add_test(t, a_reset_forgets_ports);
    tcase_add_test(t, a_window_of_another_size);
    tcase_add_test(t, a_window_that_nobody_asked_about);
    tcase_add_test(t, ports_learn_of_the_window);
    return t;
}

int main(void)
{
    Suite *s = suite_create("vdev/virtio-console");
    TCase *options = tcase_create("options");
    tcase_add_test(options, without_ports_nothing_is_new);
    tcase_add_loop_test(options, options_that_are_wrong, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_test(options, as_many_ports_as_there_are_queues);
    suite_add_tcase(s, cases("split", use_split));
    suite_add_tcase(s, cases("packed", use_packed));
    suite_add_tcase(s, options);
    return suite_run(s);
}
