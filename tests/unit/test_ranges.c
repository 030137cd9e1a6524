/* Host files that are read by ranges: a recording holds what was read, once, and replays without
 * the file; a file that is not what it was is said so, in the run and in its replay. */
#include "emu/journal_records.h"
#include "hv/hv_internal.h"
#include "test_mailbox.h"

#include <stdio.h>

/* Reads blocks 0 to 9 again and again, and sends those that there are. */
static const uint32_t reader_guest[] = {
    0xd2a38141, 0xd2a80202,             /* mov x1, #0x1c0a0000; mov x2, #0x40100000 */
    0x52800003, 0x52820004,             /* mov w3, #0; mov w4, #4096 */
    0xb9000422, 0xb9000c23,             /* again: str w2, [x1, #TX_AT]; str w3, [x1, #BLOCK] */
    0xb9400c25, 0x34000045,             /* ldr w5, [x1, #BLOCK]; cbz w5, next */
    0xb9000824,                         /* str w4, [x1, #TX_SIZE] */
    0x11000463, 0x7100247f, 0x1a8383e3, /* next: add w3, w3, #1; cmp w3, #9; csel w3, wzr, w3, hi */
    0x17fffff8,                         /* b again */
};
static struct image reader_image = {reader_guest, sizeof reader_guest / sizeof *reader_guest};

/* The host's file: a terabyte, of which blocks 2 and 5 are equal. */
#define FILE_NAME "disk.img"
#define FILE_SIZE ((uint64_t)1 << 40)
static unsigned opened, reads, good_reads;
static enum range_answer bad_answer;

static bool pull_or_open(void *context, enum pull_kind kind, const char *key, size_t size,
                         struct bytes *out, struct error *e)
{
    if (kind != PULL_SIZE)
        return pull(context, kind, key, size, out, e);
    ck_assert_str_eq(key, FILE_NAME);
    opened++;
    bytes_put_int(out, FILE_SIZE, 8);
    return true;
}

static enum range_answer read_block(void *context, const char *path, uint64_t offset, size_t size,
                                    struct bytes *out)
{
    (void)context;
    ck_assert_str_eq(path, FILE_NAME);
    ck_assert_uint_le(offset, FILE_SIZE - size);
    if (reads++ >= good_reads)
        return bad_answer;
    uint64_t block = offset / BLOCK_SIZE;
    for (size_t i = 0; i < size; i++)
        bytes_put_int(out, (uint8_t)((block == 5 ? 2 : block) * 37 + i * (block % 3 + 1)), 1);
    return RANGE_GIVEN;
}

static struct journal new_journal(unsigned good, enum range_answer then)
{
    struct journal j;
    opened = reads = 0;
    good_reads = good;
    bad_answer = then;
    journal_live(&j, JOURNAL_RECORD,
                 (struct journal_host){.pull = pull_or_open,
                                       .read = read_block,
                                       .poll = poll_nothing,
                                       .context = &reader_image});
    return j;
}

static char said[4096];
static struct bytes sent;

static void keep_line(void *context, unsigned vm, enum log_severity severity, unsigned outlets,
                      const char *line)
{
    (void)context, (void)vm, (void)outlets, (void)severity;
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s\n", line);
}

static void keep_sent(void *context, unsigned vm, unsigned channel, const void *data, size_t size)
{
    (void)context, (void)vm, (void)channel;
    bytes_put(&sent, data, size);
}

static const struct board_sinks sinks = {.idle = on_idle, .frame = keep_sent, .log = keep_line};

static struct board *board(struct journal *j, bool from_snapshot, struct exit_log *exit_log)
{
    said[0] = 0;
    bytes_clear(&sent);
    return mailbox_board("file " FILE_NAME, j, &sinks, from_snapshot, exit_log);
}

enum { UNTIL = 600 };

static struct digest run(struct journal *j)
{
    struct board *b = board(j, false, NULL);
    board_run_to(b, UNTIL);
    struct digest d = board_digest(b);
    board_free(b);
    return d;
}

static void check_same(struct digest a, struct digest b)
{
    ck_assert(memcmp(a.b, b.b, sizeof a.b) == 0);
}

/* What was read of a terabyte, each content once; and the file is not asked for again. */
START_TEST(ranges_come_back)
{
    struct journal j = new_journal(UINT32_MAX, RANGE_GIVEN);
    struct digest recorded = run(&j);
    ck_assert_uint_gt(reads, 30);
    ck_assert_uint_eq(opened, 1);
    ck_assert_uint_eq(j.image_count, 1 + 9); /* the guest's code, and nine contents */
    struct bytes file = trace_of(&j), before = sent;
    sent = (struct bytes){0};
    ck_assert_uint_lt(file.size, 11 * (BLOCK_SIZE + 200));
    struct journal again = journal_of(&file);
    unsigned asked = reads;
    check_same(run(&again), recorded);
    ck_assert_uint_eq(reads, asked);
    ck_assert_uint_eq(opened, 1);
    ck_assert_uint_eq(sent.size, before.size);
    ck_assert_mem_eq(sent.data, before.data, sent.size);
    journal_free(&j);
    journal_free(&again);
    bytes_free(&file);
    bytes_free(&before);
}
END_TEST

static const char *const sentences[] = {
    [RANGE_VANISHED] = "mailbox: the file 'disk.img' has vanished since it was opened\n",
    [RANGE_SHORTER] = "mailbox: the file 'disk.img' is shorter than when it was opened\n",
    [RANGE_CHANGED] = "mailbox: the file 'disk.img' has changed since it was opened\n",
    [RANGE_UNREADABLE] = "mailbox: the file 'disk.img' cannot be read by the host\n",
};

/* Behind the time, and nothing else. */
static void check_said(const char *sentence)
{
    const char *from = strchr(said, ' ');
    ck_assert_msg(from && strcmp(from + 1, sentence) == 0, "%s", said);
}

START_TEST(a_file_that_is_not_what_it_was_is_told_once)
{
    struct journal j = new_journal(5, (enum range_answer)_i);
    struct digest recorded = run(&j);
    ck_assert_uint_eq(sent.size, 5 * BLOCK_SIZE);
    check_said(sentences[_i]);
    journal_replay(&j);
    check_same(run(&j), recorded);
    check_said(sentences[_i]);
    journal_free(&j);
}
END_TEST

/* The machine is assembled for a snapshot in the midst, where the file is opened, too. */
START_TEST(a_snapshot_goes_on_with_ranges)
{
    struct journal j = new_journal(UINT32_MAX, RANGE_GIVEN), rest;
    struct error e = {0};
    struct bytes snapshot = {0};
    struct digest recorded = run(&j);
    journal_replay(&j);
    struct board *b = board(&j, false, NULL);
    board_run_to(b, UNTIL / 2);
    snapshot_take(b, &snapshot);
    journal_rest(&j, &rest);
    board_free(b);
    struct journal *both[] = {&j, &rest};
    for (size_t i = 0; i < 2; i++) {
        journal_replay(both[i]);
        if (i)
            journal_begins_here(both[i]);
        b = board(both[i], true, NULL);
        ck_assert_msg(snapshot_restore(b, snapshot.data, snapshot.size, &e), "%s", e.text);
        board_run_to(b, UNTIL);
        check_same(board_digest(b), recorded);
        board_free(b);
    }
    ck_assert_uint_eq(opened, 1);
    bytes_free(&snapshot);
    journal_free(&rest);
    journal_free(&j);
}
END_TEST

/* The log has what the device read of memory, each content once, also if it was taken away in
 * pieces; and the exits alone give the same. */
START_TEST(exits_replay_with_ranges)
{
    struct exit_log log, played;
    struct bytes pieces = {0};
    struct journal j = new_journal(_i ? 17 : UINT32_MAX, RANGE_CHANGED);
    exit_log_write(&log);
    struct board *b = board(&j, false, &log);
    for (uint64_t until = 50; until <= UNTIL; until += 50) {
        board_run_to(b, until);
        bytes_put(&pieces, log.out.data, log.out.size);
        exit_log_taken(&log);
    }
    board_free(b);
    struct bytes recorded = sent;
    sent = (struct bytes){0};
    ck_assert_uint_gt(recorded.size, 16 * BLOCK_SIZE);
    ck_assert_uint_lt(pieces.size, 9 * BLOCK_SIZE + log.entries * 40);
    journal_replay(&j);
    exit_log_expect(&played, EXIT_LOG_PLAYS, pieces.data, pieces.size, no_difference, NULL);
    b = board(&j, false, &played);
    board_run_to(b, UNTIL);
    board_free(b);
    ck_assert_uint_eq(played.exits, log.exits);
    ck_assert_uint_eq(sent.size, recorded.size);
    ck_assert_mem_eq(sent.data, recorded.data, sent.size);
    exit_log_free(&log);
    exit_log_free(&played);
    journal_free(&j);
    bytes_free(&pieces);
    bytes_free(&recorded);
}
END_TEST

/* A replay that asks for something else ends its VM, with a sentence. */
START_TEST(another_range_is_a_sentence)
{
    static const struct {
        uint8_t length; /* of the record's two bytes the second */
        const char *text;
    } cases[] = {
        {0x20, "mailbox: the machine asks for 4096 bytes at 0 of file 'disk.img' where the trace "
               "holds 4096 at 64"},
        {0x1f, "where the trace holds 3968 at 64"},
    };
    for (size_t i = 0; i < 2; i++) {
        struct journal j = {.mode = JOURNAL_REPLAY};
        struct error e = {0};
        struct bytes words = {0};
        ck_assert(pull(&reader_image, PULL_FILE, "image", 0, &words, &e));
        struct digest d = sha256_of(words.data, words.size);
        journal_add_image(&j, d, words.data, words.size);
        bytes_put(&j.pulls, "\1\12wall clock\10\0\0\0\0\0\0\0\0", 20 + 1);
        bytes_put(&j.pulls, "\4\10disk.img\10\0\0\0\0\0\1\0\0", 10 + 9);
        bytes_put(&j.pulls, "\3\5image", 7);
        bytes_put(&j.pulls, d.b, sizeof d.b);
        struct journal seeds = new_journal(0, RANGE_CHANGED); /* what else assembly asks for */
        struct board *b = board(&seeds, false, NULL);
        board_free(b);
        struct reader in = reader_of(seeds.pulls.data, seeds.pulls.size);
        struct pull_record r;
        for (size_t at = 0; journal_next_pull(&in, &r); at = in.at)
            if (r.kind == PULL_ENTROPY)
                bytes_put(&j.pulls, seeds.pulls.data + at, in.at - at);
        bytes_put(&j.pulls, "\5\10disk.img\100\200", 12);
        bytes_put_int(&j.pulls, cases[i].length, 1);
        bytes_put(&j.pulls, d.b, sizeof d.b);
        journal_replay(&j);
        b = board(&j, false, NULL);
        ck_assert(board_run_to(b, UNTIL));
        ck_assert_int_eq(b->vms[0]->exit_status, STATUS_VDEV);
        ck_assert_msg(strstr(b->vms[0]->ending, cases[i].text), "%s", b->vms[0]->ending);
        board_free(b);
        bytes_free(&words);
        journal_free(&seeds);
        journal_free(&j);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("ranges");
    tcase_add_test(t, ranges_come_back);
    tcase_add_loop_test(t, a_file_that_is_not_what_it_was_is_told_once, RANGE_VANISHED,
                        RANGE_ANSWERS);
    tcase_add_test(t, a_snapshot_goes_on_with_ranges);
    tcase_add_loop_test(t, exits_replay_with_ranges, 0, 2);
    tcase_add_test(t, another_range_is_a_sentence);
    return suite_main("ranges", t);
}
