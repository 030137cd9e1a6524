/* The networks of a board: who is connected to whom and what is said where that makes no sense;
 * what switches learn and forget; frames that find no room; frames from and to the host; work that
 * is done on the way; and state. No guest runs: devices are mailboxes that have no room. */
#include "hv/hv_internal.h"
#include "test_mailbox.h"

#include <stdio.h>

static const uint32_t nothing[] = {0x14000000}; /* b . */
static struct image image = {nothing, 1};

#define VMS_MAX 4
static struct net {
    struct vm_config configs[VMS_MAX];
    size_t count;
    struct journal journal;
    struct board *board;
    /* What the board's sink saw: */
    unsigned frames, vm, channel;
    size_t size;
    unsigned sum; /* of the last one's TCP checksum */
} net;

static void saw_frame(void *context, unsigned vm, unsigned channel, const void *data, size_t size)
{
    (void)context;
    net.frames++;
    net.vm = vm;
    net.channel = channel;
    net.size = size;
    net.sum =
        size > 51 ? (unsigned)((const uint8_t *)data)[50] << 8 | ((const uint8_t *)data)[51] : 0;
}

static bool keep_quiet(void *context, uint64_t ns, uint64_t *passed_ns)
{
    (void)context;
    *passed_ns = ns;
    return false;
}

static void no_line(void *context, unsigned vm, enum log_severity severity, unsigned outlets,
                    const char *line)
{
    (void)context, (void)vm, (void)severity, (void)outlets, (void)line;
}

/* Each text is a VM's devices. */
static bool try_board(const char *const *texts, struct error *e)
{
    const struct board_sinks sinks = {.idle = keep_quiet, .frame = saw_frame, .log = no_line};
    struct board_options options = {BOARD_NO_LIMITS};
    struct config_reader reader = {0};
    net = (struct net){0};
    for (; texts[net.count]; net.count++) {
        char text[400];
        const char *words = text;
        snprintf(text, sizeof text, "system vm-%c ram 0x40000000,1M load 0x40000000,image %s",
                 (char)('a' + net.count), texts[net.count]);
        ck_assert_msg(config_parse(&net.configs[net.count], &words, 1, &reader, e), "%s", e->text);
    }
    journal_live(&net.journal, JOURNAL_LIVE,
                 (struct journal_host){.pull = pull, .poll = poll_nothing, .context = &image});
    net.board = board_new(NULL, net.configs, net.count, &net.journal, &options, &sinks, e);
    return net.board != NULL;
}

static void close_board(void)
{
    board_free(net.board);
    journal_free(&net.journal);
    for (size_t i = 0; i < net.count; i++)
        config_free(&net.configs[i]);
}

static void open_board(const char *const *texts)
{
    struct error e = {0};
    ck_assert_msg(try_board(texts, &e), "%s", e.text);
}

#define BOX(at, words) "vdev mailbox loc 0x1c0a" at "000 " words " "

/* Frames that wait for a device. */
static unsigned waiting(unsigned vm, unsigned channel)
{
    const struct pending_input *p = &net.board->vms[vm]->pending[channel];
    unsigned count = 0;
    for (size_t at = 0; at < p->size; at += 14 + load_le32(p->data + at))
        count++;
    return count;
}

static size_t last_waiting(unsigned vm, unsigned channel, const uint8_t **data)
{
    const struct pending_input *p = &net.board->vms[vm]->pending[channel];
    size_t at = 0, size = 0;
    for (; at < p->size; at += 14 + size) {
        size = load_le32(p->data + at);
        *data = p->data + at + 14;
    }
    return size;
}

/* A frame of so many bytes from and to these devices (0xff: to all). */
static const uint8_t *frame_of(unsigned from, unsigned to, size_t size)
{
    static uint8_t data[VDEV_FRAME_MAX];
    memset(data, 0, sizeof data);
    memset(data, to == 0xff ? 0xff : 0, 6);
    if (to != 0xff)
        data[0] = 0x02;
    data[5] = (uint8_t)to;
    data[6] = 0x02;
    data[11] = (uint8_t)from;
    data[size - 1] ^= (uint8_t)size;
    return data;
}

static void send(unsigned vm, unsigned channel, const uint8_t *data, size_t size)
{
    struct vdev_frame f = {.data = data, .size = size};
    network_send(net.board->vms[vm], channel, &f);
}

/* Peers -------------------------------------------------------------------------------------------
 */

START_TEST(two_peers)
{
    open_board((const char *const[]){
        BOX("0", "name x peer /dev/qvm/vm-b/y"),
        BOX("0", "peer /dev/qvm/vm-c/z") BOX("1", "name y peer /dev/qvm/vm-a/x"), NULL});
    const uint8_t *data;
    ck_assert(network_link_is_up(net.board->network, net.board->vms[0], 1));
    ck_assert(network_link_is_up(net.board->network, net.board->vms[1], 2));
    ck_assert(!network_link_is_up(net.board->network, net.board->vms[1], 1)); /* there is no vm-c */
    ck_assert(!network_link_is_up(net.board->network, net.board->vms[0], 0)); /* no network card */
    send(0, 1, frame_of(1, 2, 5), 5); /* no header even: a wire does not look */
    send(0, 1, frame_of(1, 2, 65536), 65536);
    ck_assert_uint_eq(waiting(1, 2), 2);
    ck_assert_uint_eq(last_waiting(1, 2, &data), 65536);
    ck_assert(memcmp(data, frame_of(1, 2, 65536), 65536) == 0);
    ck_assert_uint_eq(waiting(0, 1) + waiting(1, 1), 0);
    send(1, 2, frame_of(2, 1, 60), 60);
    ck_assert_uint_eq(waiting(0, 1), 1);
    send(1, 1, frame_of(3, 1, 60), 60); /* into a link that is down */
    ck_assert_uint_eq(waiting(0, 1), 1);
    ck_assert_uint_eq(net.frames, 4);
    net.board->vms[1]->ended = true;
    send(0, 1, frame_of(1, 2, 60), 60);
    ck_assert_uint_eq(waiting(1, 2), 2);
    close_board();
}
END_TEST

/* Frames between guests are no outputs of the machine; what leaves it is. */
START_TEST(what_leaves_is_an_output)
{
    open_board((const char *const[]){BOX("0", "name x peer /dev/qvm/vm-b/x"),
                                     BOX("0", "name x peer /dev/qvm/vm-a/x") BOX("1", "")
                                         BOX("2", "peer /dev/vdevpeers/vp1"),
                                     NULL});
    uint64_t before = net.board->vms[1]->output.length_bytes;
    send(1, 1, frame_of(1, 2, 60), 60);
    ck_assert_uint_eq(net.board->vms[1]->output.length_bytes, before);
    send(1, 2, frame_of(1, 2, 60), 60); /* a link to nowhere */
    ck_assert_uint_eq(net.board->vms[1]->output.length_bytes, before + 64);
    send(1, 3, frame_of(1, 2, 60), 60); /* the host may be at the switch */
    ck_assert_uint_eq(net.board->vms[1]->output.length_bytes, before + 128);
    close_board();
}
END_TEST

static const struct {
    const char *first, *second, *error;
} wrong[] = {
    {BOX("0", "name x peer /dev/qvm/vm-a/x"), "", "/dev/qvm/vm-a/x is the device itself"},
    {BOX("0", "name x peer /dev/qvm/vm-b/y"), BOX("0", "name y"),
     "/dev/qvm/vm-b/y is a device whose own peer is another one"},
    {BOX("0", "name x peer /dev/qvm/vm-b/y"), BOX("0", "name y peer /dev/qvm/vm-a/z"),
     "/dev/qvm/vm-b/y is a device whose own peer is another one"},
    {BOX("0", "peer /dev/qvm/vm-b/mailbox"), BOX("0", "") BOX("1", ""),
     "/dev/qvm/vm-b/mailbox is the name of more than one device: `name` tells them apart"},
    {BOX("0", "peer eth0"), "", "eth0 is neither /dev/qvm/VM/NAME nor /dev/vdevpeers/vpN"},
    {BOX("0", "peer /dev/qvm/vm-b"), "", "is neither"},
    {BOX("0", "peer /dev/qvm/vm-b/"), "", "is neither"},
    {BOX("0", "peer /dev/qvm//x"), "", "is neither"},
    {BOX("0", "peer /dev/vdevpeers/vp256"), "", "is neither"},
    {BOX("0", "peer /dev/vdevpeers/vp"), "", "is neither"},
    {BOX("0", "peer /dev/vdevpeers/vp0x1"), "", "is neither"},
    {BOX("0", "peer /dev/vdevpeers/vp1/"), "", "is neither"},
};

START_TEST(peers_that_are_wrong)
{
    struct error e = {0};
    ck_assert(!try_board((const char *const[]){wrong[_i].first, wrong[_i].second, NULL}, &e));
    ck_assert_msg(strstr(e.text, wrong[_i].error) != NULL, "%s", e.text);
    ck_assert_int_eq(e.exit_status, STATUS_CONFIGURATION);
    close_board();
}
END_TEST

/* Switches ----------------------------------------------------------------------------------------
 */

#define PORT(words) BOX("0", "peer /dev/vdevpeers/vp" words)

static void open_switch(void)
{
    open_board((const char *const[]){PORT("1"), PORT("1"), PORT("1"), PORT("2"), NULL});
}

static void check_waiting(unsigned a, unsigned b, unsigned c)
{
    ck_assert_uint_eq(waiting(0, 1), a);
    ck_assert_uint_eq(waiting(1, 1), b);
    ck_assert_uint_eq(waiting(2, 1), c);
    ck_assert_uint_eq(waiting(3, 1), 0); /* of the other switch */
}

START_TEST(a_switch_learns)
{
    open_switch();
    send(0, 1, frame_of(1, 2, 60), 60); /* nobody knows where 2 is */
    check_waiting(0, 1, 1);
    send(1, 1, frame_of(2, 1, 60), 60);
    check_waiting(1, 1, 1);
    send(0, 1, frame_of(1, 2, 60), 60);
    check_waiting(1, 2, 1);
    send(0, 1, frame_of(1, 0xff, 60), 60);
    check_waiting(1, 3, 2);
    send(2, 1, frame_of(2, 1, 60), 60); /* 2 has moved */
    send(0, 1, frame_of(1, 2, 60), 60);
    check_waiting(2, 3, 3);
    send(0, 1, frame_of(7, 1, 60), 60); /* to whoever is behind the same port: it has it */
    check_waiting(2, 3, 3);
    send(0, 1, frame_of(1, 2, 60), 13); /* no header */
    check_waiting(2, 3, 3);
    send(3, 1, frame_of(1, 0xff, 60), 60); /* the other switch learns for itself */
    send(2, 1, frame_of(2, 1, 60), 60);
    check_waiting(3, 3, 3);
    close_board();
}
END_TEST

/* Nobody is at the address of many, whoever says so. */
START_TEST(addresses_of_many_are_not_learned)
{
    uint8_t data[60];
    open_switch();
    memcpy(data, frame_of(1, 2, 60), 60);
    data[6] = 0xff;
    memset(data + 6, 0xff, 6);
    send(0, 1, data, 60);
    send(1, 1, frame_of(2, 0xff, 60), 60);
    check_waiting(1, 1, 2);
    close_board();
}
END_TEST

/* A guest that makes up addresses: the oldest are forgotten, and what goes to them is for all. */
START_TEST(a_switch_forgets)
{
    open_switch();
    send(1, 1, frame_of(200, 201, 60), 60);
    check_waiting(1, 0, 1);
    for (unsigned i = 0; i < 400; i++) {
        uint8_t data[60];
        memcpy(data, frame_of(7, 7, 60), 60);
        store_le(data + 7, i, 4);
        memcpy(data, data + 6, 6);
        send(2, 1, data, 60); /* to itself: nobody gets it */
    }
    check_waiting(1, 0, 1);
    send(0, 1, frame_of(1, 200, 60), 60);
    check_waiting(1, 1, 2);
    close_board();
}
END_TEST

START_TEST(a_switch_is_state)
{
    struct bytes state = {0};
    open_switch();
    send(0, 1, frame_of(1, 2, 60), 60);
    send(1, 1, frame_of(2, 1, 60), 60);
    struct state saving = state_saving(&state);
    network_visit(net.board->network, &saving);
    close_board();
    open_switch();
    struct reader r = reader_of(state.data, state.size);
    struct state restoring = state_restoring(&r);
    network_visit(net.board->network, &restoring);
    ck_assert(state_is_good(&restoring) && reader_at_end(&r));
    send(2, 1, frame_of(3, 2, 60), 60);
    check_waiting(0, 1, 0);
    /* And what a file may say instead. */
    for (size_t i = 0; i < state.size; i++) {
        struct bytes other = {0};
        bytes_put(&other, state.data, state.size);
        other.data[i] ^= 0xff;
        r = reader_of(other.data, other.size);
        restoring = state_restoring(&r);
        network_visit(net.board->network, &restoring);
        send(2, 1, frame_of(3, 2, 60), 60);
        send(2, 1, frame_of(4, 0xff, 60), 60);
        bytes_free(&other);
    }
    bytes_free(&state);
    close_board();
}
END_TEST

/* The host ----------------------------------------------------------------------------------------
 */

static void push(uint16_t target, const uint8_t *data, uint32_t size)
{
    input_deliver(net.board,
                  &(struct push){.kind = PUSH_FRAME, .target = target, .size = size, .data = data});
}

START_TEST(the_host_is_at_a_switch)
{
    open_switch();
    push(NETWORK_HOST << 8 | 1, frame_of(9, 0xff, 60), 60);
    check_waiting(1, 1, 1);
    ck_assert_uint_eq(net.frames, 1);
    ck_assert_uint_eq(net.vm, NETWORK_HOST);
    ck_assert_uint_eq(net.channel, 1);
    uint64_t before = net.board->vms[0]->output.length_bytes;
    send(0, 1, frame_of(1, 9, 60), 60); /* only the host gets it */
    check_waiting(1, 1, 1);
    ck_assert_uint_eq(net.board->vms[0]->output.length_bytes, before + 64);
    push(NETWORK_HOST << 8 | 1, frame_of(9, 1, 60), 60);
    check_waiting(2, 1, 1);
    push(NETWORK_HOST << 8 | 3, frame_of(9, 1, 60), 60); /* no such switch */
    check_waiting(2, 1, 1);
    push(2 << 8 | 1, frame_of(9, 1, 60), 60); /* to a device */
    check_waiting(2, 1, 2);
    close_board();
}
END_TEST

/* Room --------------------------------------------------------------------------------------------
 */

START_TEST(what_waits_is_bounded)
{
    open_switch();
    for (unsigned i = 0; i < 100; i++)
        send(0, 1, frame_of(1, 0xff, 9000), 9000);
    unsigned most = PENDING_FRAMES_MAX / (9000 + 14);
    check_waiting(0, most, most);
    ck_assert_uint_eq(net.board->vms[1]->pending[1].frames_lost, 100 - most);
    struct mailbox *m = (struct mailbox *)(void *)net.board->vms[1]->vdevs[1];
    m->has_room = true;
    m->rx_at = 0x40010000;
    ck_assert(frames_offer_again(net.board->vms[1], 1));
    check_waiting(0, most - 1, most);
    ck_assert(!frames_offer_again(net.board->vms[1], 1));
    close_board();
}
END_TEST

/* Work that is left, for a device that does none: checksums are there when it arrives, and segments
 * are frames of their own. The board's sink gets them as one. */
START_TEST(work_is_done_on_the_way)
{
    static uint8_t data[14 + 20 + 20 + 3000];
    const uint8_t *last;
    open_switch();
    memset(data, 0xff, 6);
    data[6] = 2;
    data[12] = 8;
    data[14] = 0x45;
    data[46] = 0x50;
    struct vdev_frame f = {.data = data, .size = sizeof data};
    f.work = (struct frame_work){.needs_checksum = true,
                                 .segments = FRAME_TCPV4,
                                 .checksum_start = 34,
                                 .checksum_offset = 16,
                                 .segment_size = 1448};
    network_send(net.board->vms[0], 1, &f);
    check_waiting(0, 3, 3);
    ck_assert_uint_eq(last_waiting(1, 1, &last), 54 + 3000 - 2 * 1448);
    ck_assert_uint_eq(net.frames, 1);
    ck_assert_uint_eq(net.size, sizeof data);
    ck_assert_uint_ne(net.sum, 0);
    f.work.segments = FRAME_WHOLE;
    network_send(net.board->vms[0], 1, &f);
    check_waiting(0, 4, 4);
    ck_assert_uint_eq(last_waiting(1, 1, &last), sizeof data);
    ck_assert_uint_eq((unsigned)last[50] << 8 | last[51], net.sum);
    f.work.segments = FRAME_TCPV6; /* which it is not */
    network_send(net.board->vms[0], 1, &f);
    check_waiting(0, 4, 4);
    close_board();
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("network");
    tcase_add_test(t, two_peers);
    tcase_add_test(t, what_leaves_is_an_output);
    tcase_add_loop_test(t, peers_that_are_wrong, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_test(t, a_switch_learns);
    tcase_add_test(t, addresses_of_many_are_not_learned);
    tcase_add_test(t, a_switch_forgets);
    tcase_add_test(t, a_switch_is_state);
    tcase_add_test(t, the_host_is_at_a_switch);
    tcase_add_test(t, what_waits_is_bounded);
    tcase_add_test(t, work_is_done_on_the_way);
    return suite_main("network", t);
}
