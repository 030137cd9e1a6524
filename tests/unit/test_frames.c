/* Frames: each arrives whole or not at all, waits in order where there is room, and comes back in a
 * replay, from a snapshot and from what a killed recorder left. */
#include "hv/hv_internal.h"
#include "test_mailbox.h"

#include <stdio.h>

/* Sends back what it receives, its first byte plus one. x1 = the mailbox, x2 = where frames go. */
static const uint32_t echo_guest[] = {
    0xd2a38141, 0xd2a80202,             /* mov x1, #0x1c0a0000; mov x2, #0x40100000 */
    0xb900005f, 0xb9000022,             /* again: str wzr, [x2]; str w2, [x1, #RX_AT] */
    0xb9400043, 0x35000063,             /* wait: ldr w3, [x2]; cbnz w3, got */
    0xd503205f, 0x17fffffd,             /* wfe; b wait */
    0x39401044, 0x11000484, 0x39001044, /* got: ldrb w4, [x2, #4]; add w4, w4, #1; strb */
    0x11001045, 0xb9000425, 0xb9000823, /* add w5, w2, #4; str w5 and w3: TX_AT and TX_SIZE */
    0x17fffff4,                         /* b again */
};
static struct image echo_image = {echo_guest, sizeof echo_guest / sizeof *echo_guest};

/* The network: frames of these sizes come together after each wait of the guest. */
static const uint32_t bursts[][8] = {
    {60}, {1, 1514, 64, 2}, {65536}, {65535, 65536, 3}, {9000, 9000, 9000, 9000, 1}, {7},
};
#define BURSTS (sizeof bursts / sizeof bursts[0])
static const uint32_t flood[][8] = {{65536, 65536, 65536, 65536, 65536, 65536, 65536, 5}, {8}};

struct network {
    const uint32_t (*bursts)[8];
    size_t count, waits, given; /* of the burst that is on now */
    uint32_t number;            /* of the frame */
    uint16_t target;
    uint8_t data[PUSH_FRAME_MAX];
    struct bytes sent; /* by the guest: size (4) and bytes of each frame */
    unsigned warnings;
    char status[4096];
};
static struct network network;

/* So that each frame is another one. */
static void fill(uint8_t *data, size_t size, uint32_t number)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(number * 31 + i * 7 + (i >> 8));
}

static bool give(void *context, struct push *p)
{
    struct network *n = &network;
    (void)context;
    if (!n->waits || n->waits > n->count || n->given == 8 || !n->bursts[n->waits - 1][n->given])
        return false;
    p->kind = PUSH_FRAME;
    p->target = n->target;
    p->size = n->bursts[n->waits - 1][n->given++];
    p->data = n->data;
    fill(n->data, p->size, n->number++);
    return true;
}

static bool wait_for_more(void *context, uint64_t ns, uint64_t *passed_ns)
{
    (void)context;
    *passed_ns = ns == UINT64_MAX ? 1234 : ns;
    if (ns != UINT64_MAX)
        return true;
    network.given = 0;
    return ++network.waits <= network.count;
}

static void keep_sent(void *context, unsigned vm, unsigned channel, const void *data, size_t size)
{
    (void)context;
    ck_assert_uint_eq(vm, 0);
    ck_assert_uint_eq(channel, MAILBOX);
    bytes_put_int(&network.sent, size, 4);
    bytes_put(&network.sent, data, size);
}

static void keep_line(void *context, unsigned vm, enum log_severity severity, unsigned outlets,
                      const char *line)
{
    (void)context, (void)vm, (void)outlets;
    network.warnings += severity == LOG_SEVERITY_WARN;
    size_t used = strlen(network.status);
    snprintf(network.status + used, sizeof network.status - used, "%s\n", line);
}

static const struct board_sinks sinks = {
    .idle = wait_for_more, .frame = keep_sent, .log = keep_line};

static void plug_in(const uint32_t (*of)[8], size_t count, uint16_t target)
{
    bytes_free(&network.sent);
    network = (struct network){.bursts = of, .count = count, .target = target};
}

struct outcome {
    struct digest state;
    struct bytes sent; /* owned */
};

static struct outcome outcome_of(struct board *b)
{
    struct outcome o = {board_digest(b), network.sent};
    network.sent = (struct bytes){0};
    return o;
}

static void check_same(struct outcome a, const struct outcome *b)
{
    ck_assert_uint_eq(a.sent.size, b->sent.size);
    ck_assert(!a.sent.size || memcmp(a.sent.data, b->sent.data, a.sent.size) == 0);
    ck_assert(memcmp(a.state.b, b->state.b, sizeof a.state.b) == 0);
    bytes_free(&a.sent);
}

static struct journal new_journal(void)
{
    struct journal j;
    journal_live(&j, JOURNAL_RECORD,
                 (struct journal_host){.pull = pull, .poll = give, .context = &echo_image});
    return j;
}

static struct outcome run(struct journal *j)
{
    struct board *b = mailbox_board("", j, &sinks, false, NULL);
    board_run(b);
    struct outcome o = outcome_of(b);
    board_free(b);
    return o;
}

static void check_echo(const struct bytes *sent, size_t frames)
{
    static uint8_t expected[PUSH_FRAME_MAX];
    struct reader r = reader_of(sent->data, sent->size);
    uint32_t number = 0;
    for (size_t i = 0; i < BURSTS; i++)
        for (size_t k = 0; k < 8 && bursts[i][k] && number < frames; k++, number++) {
            uint32_t size = bursts[i][k];
            fill(expected, size, number);
            expected[0]++;
            ck_assert_uint_eq(reader_int(&r, 4), size);
            ck_assert_mem_eq(reader_bytes(&r, size), expected, size);
        }
    ck_assert(reader_at_end(&r));
}

/* Whole, in order; and the same from the trace. */
START_TEST(frames_keep_their_borders)
{
    plug_in(bursts, BURSTS, MAILBOX);
    struct journal j = new_journal();
    struct outcome recorded = run(&j);
    check_echo(&recorded.sent, SIZE_MAX);
    struct bytes file = trace_of(&j);
    struct journal again = journal_of(&file);
    plug_in(NULL, 0, MAILBOX);
    check_same(run(&again), &recorded);
    ck_assert(journal_next_tick(&again) == EVENT_NEVER);
    journal_free(&again);
    journal_free(&j);
    bytes_free(&file);
    bytes_free(&recorded.sent);
}
END_TEST

/* While frames wait: they are of the machine, and in its snapshot. */
START_TEST(a_snapshot_holds_frames_that_wait)
{
    struct error e = {0};
    plug_in(bursts, BURSTS, MAILBOX);
    struct journal j = new_journal();
    struct outcome recorded = run(&j);
    journal_replay(&j);
    struct board *b = mailbox_board("", &j, &sinks, false, NULL);
    struct bytes snapshots[3] = {{0}};
    size_t taken = 0, sent_before[3] = {0};
    for (uint64_t at = 1; !board_run_to(b, at); at++) {
        if (!b->vms[0]->pending[MAILBOX].size || taken == 3 || at % 5)
            continue;
        sent_before[taken] = network.sent.size;
        snapshot_take(b, &snapshots[taken++]);
    }
    ck_assert_uint_eq(taken, 3);
    check_same(outcome_of(b), &recorded);
    board_free(b);
    for (size_t i = 0; i < taken; i++) {
        journal_replay(&j);
        b = mailbox_board("", &j, &sinks, true, NULL);
        ck_assert_msg(snapshot_restore(b, snapshots[i].data, snapshots[i].size, &e), "%s", e.text);
        ck_assert_uint_gt(b->vms[0]->pending[MAILBOX].size, 0);
        bytes_put(&network.sent, recorded.sent.data, sent_before[i]);
        board_run(b);
        check_same(outcome_of(b), &recorded);
        board_free(b);
        bytes_free(&snapshots[i]);
    }
    journal_free(&j);
    bytes_free(&recorded.sent);
}
END_TEST

/* What there is no room for is lost, whole, counted, and told once. */
START_TEST(a_flood_is_bounded)
{
    plug_in(flood, 2, MAILBOX);
    struct journal j = new_journal();
    struct board *b = mailbox_board("", &j, &sinks, false, NULL);
    board_run(b);
    /* The guest had room for one, and three may wait; then the smallest finds some. */
    ck_assert_uint_eq(b->vms[0]->pending[MAILBOX].frames_lost, 3);
    ck_assert_uint_eq(network.sent.size, 4 * (4 + 65536) + (4 + 5) + (4 + 8));
    ck_assert_uint_eq(network.warnings, 1);
    ck_assert(strstr(network.status, "mailbox: a frame of 65536 bytes is lost: the guest does not "
                                     "take them"));
    vm_log_status(b->vms[0]);
    ck_assert_msg(strstr(network.status, "3 lost frames"), "%s", network.status);
    struct outcome recorded = outcome_of(b);
    board_free(b);
    journal_replay(&j);
    check_same(run(&j), &recorded);
    journal_free(&j);
    bytes_free(&recorded.sent);
}
END_TEST

/* A device that takes none, no device, no VM: nothing happens. */
START_TEST(frames_for_nobody_are_passed_over)
{
    static const uint16_t nobody[] = {0, 2, 63, 0xff, 0x101, 0xffff};
    plug_in(bursts, BURSTS, nobody[_i]);
    struct journal j = new_journal();
    struct outcome recorded = run(&j);
    ck_assert_uint_eq(recorded.sent.size, 0);
    ck_assert_uint_gt(j.pushes.size, 65536);
    ck_assert_uint_eq(network.warnings, 0);
    journal_replay(&j);
    check_same(run(&j), &recorded);
    journal_free(&j);
}
END_TEST

/* A recorder that dies leaves whole frames: what the guest sent back up to there is the same. */
START_TEST(a_killed_recorder_leaves_whole_frames)
{
    plug_in(bursts, BURSTS, MAILBOX);
    struct journal j = new_journal();
    struct trace_writer w;
    struct error e = {0};
    struct bytes file = {0};
    ck_assert(trace_writer_begin(&w, (struct trace_sink){.write = append, .context = &file}, 0));
    ck_assert(trace_write_config(&w, &(struct trace_text){"a", "x"}, 1));
    struct board *b = mailbox_board("", &j, &sinks, false, NULL);
    ck_assert(trace_record_step(&w, &j, &e));
    size_t first = file.size; /* what it takes to assemble the machine */
    while (!board_run_to(b, b->vtime.instructions + 10))
        ck_assert_msg(trace_record_step(&w, &j, &e), "%s", e.text);
    trace_writer_free(&w);
    struct outcome recorded = outcome_of(b);
    board_free(b);
    size_t whole = file.size, before = 0;
    for (unsigned i = 1; i <= 12; i++) {
        file.size = first + (whole - first) * i / 12;
        struct journal again = journal_of(&file);
        plug_in(NULL, 0, MAILBOX);
        struct outcome o = run(&again);
        ck_assert_uint_ge(o.sent.size, before);
        ck_assert_uint_le(o.sent.size, recorded.sent.size);
        ck_assert(!o.sent.size || memcmp(o.sent.data, recorded.sent.data, o.sent.size) == 0);
        before = o.sent.size;
        bytes_free(&o.sent);
        journal_free(&again);
    }
    ck_assert_uint_eq(before, recorded.sent.size);
    journal_free(&j);
    bytes_free(&file);
    bytes_free(&recorded.sent);
}
END_TEST

/* Exits alone: the device gets the frames, and what it read is in the log. */
START_TEST(exits_replay_with_frames)
{
    struct exit_log log, played;
    exit_log_write(&log);
    plug_in(bursts, BURSTS, MAILBOX);
    struct journal j = new_journal();
    struct board *b = mailbox_board("", &j, &sinks, false, &log);
    board_run(b);
    struct outcome recorded = outcome_of(b);
    board_free(b);
    journal_replay(&j);
    exit_log_expect(&played, EXIT_LOG_PLAYS, log.out.data, log.out.size, no_difference, NULL);
    b = mailbox_board("", &j, &sinks, false, &played);
    board_run(b);
    struct outcome again = outcome_of(b);
    ck_assert_uint_eq(played.exits, log.exits);
    ck_assert_uint_eq(again.sent.size, recorded.sent.size);
    ck_assert(memcmp(again.sent.data, recorded.sent.data, again.sent.size) == 0);
    board_free(b);
    exit_log_free(&log);
    exit_log_free(&played);
    journal_free(&j);
    bytes_free(&recorded.sent);
    bytes_free(&again.sent);
}
END_TEST

/* What a snapshot may say that waits: of each frame its size, work and bytes. */
#define WORK "\0\0\0\0\0\0\0\0\0\0"
START_TEST(pending_frames_are_looked_at)
{
    static const struct {
        const char *data;
        size_t size;
        bool good;
    } cases[] = {
        {"", 0, true},
        {"\1\0\0\0" WORK "a", 15, true},
        {"\1\0\0\0" WORK "a\2\0\0\0" WORK "bc", 31, true},
        {"\1\0\0\0" WORK, 14, false},
        {"\1\0\0\0", 4, false},
        {"\0\0\0\0" WORK, 14, false},
        {"\0\0\0\0" WORK "a", 15, false},
        {"\2\0\0\0" WORK "a", 15, false},
        {"\1\0\0\0" WORK "a\1\0\0", 18, false},
        {"\1\0\0\0" WORK "a\xff\xff\xff\xff" WORK, 29, false},
        {"\1\0\0\0" WORK "a\xff\xff\xff\xff" WORK "\1", 30, false},
        /* a checksum behind its end, ECN without segments, segments of no kind; a good one */
        {"\1\0\0\0\1\0\16\0\0\0\0\0\0\0a", 15, false},
        {"\1\0\0\0\2\0\0\0\0\0\0\0\0\0a", 15, false},
        {"\1\0\0\0\0\7\0\0\0\0\0\0\1\0a", 15, false},
        {"\21\0\0\0\1\0\16\0\1\0\0\0\0\0abcdefghijklmnopq", 31, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(frames_are_good((const uint8_t *)cases[i].data, cases[i].size) ==
                          cases[i].good,
                      "case %zu", i);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("frames");
    tcase_add_test(t, frames_keep_their_borders);
    tcase_add_test(t, a_snapshot_holds_frames_that_wait);
    tcase_add_test(t, a_flood_is_bounded);
    tcase_add_loop_test(t, frames_for_nobody_are_passed_over, 0, 6);
    tcase_add_test(t, a_killed_recorder_leaves_whole_frames);
    tcase_add_test(t, exits_replay_with_frames);
    tcase_add_test(t, pending_frames_are_looked_at);
    return suite_main("frames", t);
}
