/* The journal: what was recorded comes back, in order, without asking the host; anything else is
 * one sentence. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/journal.h"
#include "suite.h"

/* A host with one answer a key, which offers pushes when its clock says so. */
static unsigned asked, polled;
static uint64_t host_now;
static uint8_t large[PUSH_FRAME_MAX];
static const struct push offers[] = {
    {5, PUSH_CONSOLE, 0x102, 3, (const uint8_t *)"abc"},
    {5, PUSH_POWER_BUTTON, 0, 0, NULL},
    {6, PUSH_FRAME, 0x103, PUSH_FRAME_MAX, large},
    {1000000, PUSH_CONSOLE, 0xffff, PUSH_BYTES_MAX, large},
};
static size_t offered;

static bool host_pull(void *context, enum pull_kind kind, const char *key, size_t size,
                      struct bytes *out, struct error *e)
{
    (void)context;
    asked++;
    if (strcmp(key, "missing") == 0)
        return error_set(e, "no such file");
    if (strcmp(key, "empty") == 0)
        return true;
    if (kind != PULL_FILE)
        for (size_t i = 0; i < size; i++)
            bytes_put_int(out, (kind == PULL_SIZE ? 0x20 : 0xa0) + i, 1);
    else
        bytes_put(out, "contents", 8);
    return true;
}

static bool host_poll(void *context, struct push *p)
{
    (void)context;
    polled++;
    if (offered == sizeof offers / sizeof offers[0] || offers[offered].tick > host_now)
        return false;
    *p = offers[offered++];
    p->tick = 99; /* the journal, not the host, says when it came */
    return true;
}

static struct journal new_journal(enum journal_mode mode)
{
    struct journal j;
    asked = polled = 0;
    offered = 0;
    host_now = 0;
    journal_live(&j, mode, (struct journal_host){.pull = host_pull, .poll = host_poll});
    return j;
}

static const struct {
    enum pull_kind kind;
    const char *key;
    size_t size;
} pulls[] = {
    {PULL_WALL_CLOCK, "clock", 8}, {PULL_FILE, "kernel", 0}, {PULL_ENTROPY, "rng", 300},
    {PULL_FILE, "same", 0},        {PULL_FILE, "empty", 0},  {PULL_ENTROPY, "", 0},
};
#define PULL_COUNT (sizeof pulls / sizeof pulls[0])

static struct bytes pull_all(struct journal *j)
{
    struct bytes all = {0};
    for (size_t i = 0; i < PULL_COUNT; i++) {
        struct error e = {0};
        ck_assert_msg(journal_pull(j, pulls[i].kind, pulls[i].key, pulls[i].size, &all, &e), "%s",
                      e.text);
    }
    return all;
}

/* Runs to every tick of interest and appends what was delivered, with the tick. */
static struct bytes push_all(struct journal *j)
{
    static const uint64_t ticks[] = {0, 4, 5, 6, 999999, 1000000, 1000001};
    struct bytes all = {0};
    for (size_t i = 0; i < sizeof ticks / sizeof ticks[0]; i++) {
        struct push p;
        host_now = ticks[i];
        while (journal_push(j, ticks[i], &p)) {
            ck_assert_uint_eq(p.tick, ticks[i]);
            bytes_put_int(&all, p.tick, 8);
            bytes_put_int(&all, p.kind, 1);
            bytes_put_int(&all, p.target, 2);
            bytes_put(&all, p.data, p.size);
        }
    }
    return all;
}

/* Makes a journal that replays what `from` recorded; `from` is empty afterwards. */
static struct journal replay_of(struct journal *from)
{
    struct journal j = {.pulls = from->pulls,
                        .pushes = from->pushes,
                        .images = from->images,
                        .image_count = from->image_count,
                        .by_digest = from->by_digest};
    *from = (struct journal){0};
    journal_replay(&j);
    return j;
}

static void assert_same(struct bytes a, struct bytes b)
{
    ck_assert_uint_eq(a.size, b.size);
    ck_assert_mem_eq(a.data, b.data, a.size);
    bytes_free(&a);
    bytes_free(&b);
}

START_TEST(pulls_come_back)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct bytes recorded = pull_all(&j);
    ck_assert_uint_eq(asked, PULL_COUNT);
    struct journal again = replay_of(&j);
    assert_same(recorded, pull_all(&again));
    ck_assert_uint_eq(asked, PULL_COUNT); /* nobody was asked again */
    journal_free(&again);
}
END_TEST

START_TEST(pushes_come_back)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct bytes recorded = push_all(&j);
    ck_assert_uint_eq(recorded.size, 4 * 11 + 3 + PUSH_FRAME_MAX + PUSH_BYTES_MAX);
    unsigned polled_before = polled;
    struct journal again = replay_of(&j);
    ck_assert_uint_eq(journal_next_tick(&again), 5);
    assert_same(recorded, push_all(&again));
    ck_assert_uint_eq(polled, polled_before);
    ck_assert(journal_next_tick(&again) == EVENT_NEVER);
    journal_free(&again);
}
END_TEST

/* The rest of a replay counts ticks from the last push that is not in it. */
START_TEST(the_rest_comes_at_its_ticks)
{
    struct journal j = new_journal(JOURNAL_RECORD), rest;
    struct bytes recorded = push_all(&j), all = {0};
    struct journal again = replay_of(&j);
    struct push p;
    ck_assert_uint_eq(journal_last_tick(&again), 1000000);
    while (journal_push(&again, 6, &p))
        bytes_put(&all, p.data, p.size);
    ck_assert_uint_eq(journal_last_tick(&again), 1000000);
    journal_rest(&again, &rest);
    struct journal_position at = journal_position(&rest);
    journal_replay(&rest);
    journal_begins_here(&rest);
    ck_assert(journal_seek(&rest, at));
    ck_assert_uint_eq(journal_next_tick(&rest), 1000000);
    ck_assert_uint_eq(journal_last_tick(&rest), 1000000);
    journal_free(&rest);
    journal_free(&again);
    bytes_free(&recorded);
    bytes_free(&all);
}
END_TEST

START_TEST(a_live_journal_keeps_nothing)
{
    struct journal j = new_journal(JOURNAL_LIVE);
    struct bytes all = pull_all(&j);
    bytes_free(&all);
    all = push_all(&j);
    bytes_free(&all);
    ck_assert_uint_eq(j.pulls.size + j.pushes.size + j.image_count, 0);
    ck_assert(journal_can_wait(&j));
    ck_assert(journal_next_tick(&j) == EVENT_NEVER);
    journal_free(&j);
}
END_TEST

START_TEST(the_host_is_asked_once_a_tick)
{
    struct journal j = new_journal(JOURNAL_LIVE);
    struct push p;
    for (unsigned i = 0; i < 10; i++)
        ck_assert(!journal_push(&j, 3, &p));
    ck_assert_uint_eq(polled, 1);
    ck_assert(!journal_push(&j, 4, &p));
    ck_assert_uint_eq(polled, 2);
    journal_free(&j);
}
END_TEST

START_TEST(a_late_replay_keeps_the_recorded_tick)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct bytes all = push_all(&j);
    bytes_free(&all);
    struct journal again = replay_of(&j);
    struct push p;
    ck_assert(!journal_push(&again, 4, &p));
    ck_assert(journal_push(&again, 700, &p));
    ck_assert_uint_eq(p.tick, 5);
    ck_assert(!journal_can_wait(&again));
    journal_free(&again);
}
END_TEST

START_TEST(equal_contents_are_kept_once)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct bytes all = pull_all(&j);
    bytes_free(&all);
    ck_assert_uint_eq(j.image_count, 2); /* "contents" and nothing */
    ck_assert_uint_eq(j.images[0].contents.size, 8);
    ck_assert_uint_eq(j.images[1].contents.size, 0);
    journal_free(&j);
}
END_TEST

START_TEST(a_refused_pull_is_not_recorded)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct bytes out = {0};
    struct error e = {0};
    ck_assert(!journal_pull(&j, PULL_FILE, "missing", 0, &out, &e));
    ck_assert_str_eq(e.text, "no such file");
    ck_assert_uint_eq(j.pulls.size, 0);
    journal_free(&j);
}
END_TEST

static void borrow_kernel(struct journal *j, unsigned files_kept)
{
    struct error e = {0};
    const struct bytes *file = journal_pull_file(j, "kernel", &e);
    ck_assert_msg(file, "%s", e.text);
    ck_assert_uint_eq(file->size, 8);
    ck_assert_mem_eq(file->data, "contents", 8);
    journal_give_back(j);
    ck_assert_uint_eq(j->image_count, files_kept);
}

START_TEST(a_file_is_lent)
{
    struct journal live = new_journal(JOURNAL_LIVE), j = new_journal(JOURNAL_RECORD);
    struct error e = {0};
    borrow_kernel(&live, 0);
    ck_assert(!live.lent.data);
    borrow_kernel(&j, 1);
    borrow_kernel(&j, 1);
    ck_assert(!journal_pull_file(&j, "missing", &e));
    ck_assert_str_eq(e.text, "no such file");
    ck_assert_uint_eq(asked, 4);
    struct journal again = replay_of(&j);
    borrow_kernel(&again, 1);
    borrow_kernel(&again, 1);
    ck_assert(!journal_pull_file(&again, "kernel", &e));
    ck_assert_uint_eq(asked, 4);
    journal_free(&again);
    journal_free(&live);
}
END_TEST

static enum range_answer host_read(void *context, const char *path, uint64_t offset, size_t size,
                                   struct bytes *out)
{
    (void)context, (void)path;
    asked++;
    for (size_t i = 0; i < size; i++)
        bytes_put_int(out, (uint8_t)(offset / 100 + i), 1);
    return offset == 4000 ? RANGE_CHANGED : RANGE_GIVEN; /* what it gave then is nobody's */
}

static void read_ranges(struct journal *j)
{
    static const uint64_t offsets[] = {0, 100, 150, 4000, 0};
    static const uint8_t firsts[] = {0, 1, 1, 0, 0};
    struct bytes out = {0};
    struct error e = {0};
    enum range_answer answer;
    uint64_t size;
    for (size_t i = 0; i < 5; i++) {
        ck_assert_msg(journal_open(j, "disk", &size, &e), "%s", e.text);
        ck_assert_uint_eq(size, 0x2726252423222120);
        bytes_clear(&out);
        ck_assert_msg(journal_pull_range(j, "disk", offsets[i], 50, &out, &answer, &e), "%s",
                      e.text);
        ck_assert_int_eq(answer, i == 3 ? RANGE_CHANGED : RANGE_GIVEN);
        ck_assert_uint_eq(out.size, i == 3 ? 0 : 50);
        ck_assert(i == 3 || out.data[0] == firsts[i]);
    }
    bytes_free(&out);
}

/* Each content once; and what is dropped takes its contents along, but not the size of the file. */
START_TEST(ranges_are_kept_once)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct error e = {0};
    uint64_t size;
    j.host.read = host_read;
    read_ranges(&j);
    ck_assert_uint_eq(asked, 1 + 5);
    ck_assert_uint_eq(j.image_count, 2);
    journal_replay(&j);
    read_ranges(&j);
    ck_assert_uint_eq(asked, 1 + 5);
    ck_assert(!journal_open(&j, "another", &size, &e));
    ck_assert_str_eq(e.text, "the machine opens the file 'another', which the trace does not hold");
    journal_free(&j);

    j = new_journal(JOURNAL_RECORD);
    j.host.read = host_read;
    read_ranges(&j);
    struct journal_mark mark = journal_mark(&j);
    struct bytes out = {0};
    enum range_answer answer;
    ck_assert(journal_pull_range(&j, "disk", 100, 50, &out, &answer, &e));
    journal_drop(&j, mark);
    ck_assert_uint_eq(j.image_count, 1);
    journal_replay(&j);
    ck_assert(journal_open(&j, "disk", &size, &e));
    ck_assert(journal_pull_range(&j, "disk", 100, 50, &out, &answer, &e));
    ck_assert(!journal_pull_range(&j, "disk", 100, 50, &out, &answer, &e));
    bytes_free(&out);
    journal_free(&j);
}
END_TEST

/* A file that had the same everywhere, and has it now at one place only. */
static unsigned reads;

static enum range_answer read_the_same(void *context, const char *path, uint64_t offset,
                                       size_t size, struct bytes *out)
{
    const uint64_t *there = context;
    ck_assert_str_eq(path, "disk");
    reads++;
    for (size_t i = 0; i < size; i++)
        bytes_put_int(out, !there || *there == offset ? 7 : 8, 1);
    return RANGE_GIVEN;
}

START_TEST(ranges_are_fetched_from_a_few_places)
{
    struct journal j;
    struct bytes out = {0};
    struct error e;
    enum range_answer answer;
    journal_live(&j, JOURNAL_RECORD, (struct journal_host){.read = read_the_same});
    journal_leave_ranges(&j);
    for (uint64_t i = 0; i < 10; i++)
        ck_assert(journal_pull_range(&j, "disk", i * 512, 512, &out, &answer, &e));
    uint64_t nowhere = 1, late = 8 * 512, third = 2 * 512;
    ck_assert_uint_eq(j.image_count, 0);
    reads = 0;
    ck_assert_uint_eq(journal_fetch_ranges(&j, read_the_same, &nowhere), 10);
    ck_assert_uint_eq(reads, 4);
    ck_assert_uint_eq(journal_fetch_ranges(&j, read_the_same, &late), 10);
    ck_assert_uint_eq(j.image_count, 0);
    reads = 0;
    ck_assert_uint_eq(journal_fetch_ranges(&j, read_the_same, &third), 2);
    ck_assert_uint_eq(reads, 3);
    ck_assert_uint_eq(j.image_count, 1);
    ck_assert_uint_eq(journal_fetch_ranges(&j, read_the_same, &nowhere), 0);
    bytes_free(&out);
    journal_free(&j);
}
END_TEST

START_TEST(digests_are_found)
{
    struct digest_index x = {0};
    for (unsigned i = 0; i < 1000; i++) {
        ck_assert_uint_eq(digest_index_find(&x, sha256_of(&i, sizeof i)), DIGEST_NOWHERE);
        digest_index_add(&x, sha256_of(&i, sizeof i), i);
    }
    for (unsigned i = 0; i < 1000; i++)
        ck_assert_uint_eq(digest_index_find(&x, sha256_of(&i, sizeof i)), i);
    digest_index_free(&x);
}
END_TEST

static const struct {
    enum pull_kind kind;
    const char *key, *text;
} wrong[] = {
    {PULL_FILE, "kernel", "asks for input 'kernel' where the trace holds 'clock'"},
    {PULL_ENTROPY, "clock", "asks for input 'clock' where"},
    {PULL_WALL_CLOCK, "cloc", "asks for input 'cloc' where the trace holds 'clock'"},
    {PULL_WALL_CLOCK, "clock2", "asks for input 'clock2' where"},
};

START_TEST(another_input_is_an_error)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct bytes out = pull_all(&j);
    struct journal again = replay_of(&j);
    struct error e = {0};
    ck_assert(!journal_pull(&again, wrong[_i].kind, wrong[_i].key, 8, &out, &e));
    ck_assert_msg(strstr(e.text, wrong[_i].text), "%s", e.text);
    bytes_free(&out);
    journal_free(&again);
}
END_TEST

/* Whoever asks for 8 bytes gets no fewer, and no more. */
START_TEST(an_answer_of_another_size_is_an_error)
{
    struct journal j = {.mode = JOURNAL_REPLAY};
    struct bytes out = {0};
    struct error e = {0};
    bytes_put(&j.pulls, "\2\3rng\3abc", 9);
    for (size_t size = 2; size <= 4; size += 2) {
        journal_replay(&j);
        ck_assert(!journal_pull(&j, PULL_ENTROPY, "rng", size, &out, &e));
        ck_assert_msg(strstr(e.text, "bytes of input 'rng' where the trace holds 3"), "%s", e.text);
    }
    journal_replay(&j);
    ck_assert(journal_pull(&j, PULL_ENTROPY, "rng", 3, &out, &e));
    ck_assert_uint_eq(out.size, 3);
    bytes_free(&out);
    journal_free(&j);
}
END_TEST

/* What a trace calls it is shown as one line. */
START_TEST(a_recorded_key_is_printable)
{
    struct journal j = {.mode = JOURNAL_REPLAY};
    struct bytes out = {0};
    struct error e = {0};
    bytes_put(&j.pulls, "\2\4r\ng\33\1x", 8);
    journal_replay(&j);
    ck_assert(!journal_pull(&j, PULL_ENTROPY, "rng", 1, &out, &e));
    ck_assert_str_eq(e.text, "the machine asks for input 'rng' where the trace holds 'r?g?'");
    journal_free(&j);
}
END_TEST

START_TEST(one_input_too_many_is_an_error)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct bytes out = pull_all(&j);
    struct journal again = replay_of(&j);
    struct bytes same = pull_all(&again);
    assert_same(out, same);
    out = (struct bytes){0};
    struct error e = {0};
    ck_assert(!journal_pull(&again, PULL_ENTROPY, "rng", 1, &out, &e));
    ck_assert_msg(strstr(e.text, "input 'rng' that the trace does not hold"), "%s", e.text);
    journal_free(&again);
}
END_TEST

/* Wherever the stream is cut: the first pulls succeed, the next one fails with a sentence. */
START_TEST(a_cut_pull_stream_is_an_error)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct bytes out = pull_all(&j);
    struct journal again = replay_of(&j);
    size_t whole = again.pulls.size;
    for (size_t size = 0; size < whole; size++) {
        struct error e = {0};
        size_t i = 0;
        again.pulls.size = size;
        journal_replay(&again);
        bytes_clear(&out);
        while (i < PULL_COUNT && journal_pull(&again, pulls[i].kind, pulls[i].key, 0, &out, &e))
            i++;
        ck_assert_uint_lt(i, PULL_COUNT);
        ck_assert_str_ne(e.text, "");
    }
    bytes_free(&out);
    journal_free(&again);
}
END_TEST

START_TEST(a_cut_push_stream_ends_early)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct bytes recorded = push_all(&j);
    struct journal again = replay_of(&j);
    size_t whole = again.pushes.size;
    for (size_t size = 0; size < whole; size++) {
        again.pushes.size = size;
        journal_replay(&again);
        struct bytes part = push_all(&again);
        ck_assert_uint_lt(part.size, recorded.size);
        if (part.size)
            ck_assert_mem_eq(part.data, recorded.data, part.size);
        bytes_free(&part);
    }
    bytes_free(&recorded);
    journal_free(&again);
}
END_TEST

START_TEST(a_missing_image_is_an_error)
{
    struct journal j = new_journal(JOURNAL_RECORD);
    struct bytes out = {0};
    struct error e = {0};
    ck_assert(journal_pull(&j, PULL_FILE, "kernel", 0, &out, &e));
    struct journal again = replay_of(&j);
    again.images[0].digest.b[31] ^= 1;
    digest_index_free(&again.by_digest);
    journal_replay(&again);
    ck_assert(!journal_pull(&again, PULL_FILE, "kernel", 0, &out, &e));
    ck_assert_str_eq(
        e.text, "the trace does not hold the file 'kernel', nor is it here with the same contents");
    bytes_free(&out);
    journal_free(&again);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("journal");
    tcase_add_test(tests, pulls_come_back);
    tcase_add_test(tests, pushes_come_back);
    tcase_add_test(tests, the_rest_comes_at_its_ticks);
    tcase_add_test(tests, a_live_journal_keeps_nothing);
    tcase_add_test(tests, the_host_is_asked_once_a_tick);
    tcase_add_test(tests, a_late_replay_keeps_the_recorded_tick);
    tcase_add_test(tests, equal_contents_are_kept_once);
    tcase_add_test(tests, a_refused_pull_is_not_recorded);
    tcase_add_test(tests, a_file_is_lent);
    tcase_add_test(tests, ranges_are_kept_once);
    tcase_add_test(tests, ranges_are_fetched_from_a_few_places);
    tcase_add_test(tests, digests_are_found);
    tcase_add_loop_test(tests, another_input_is_an_error, 0, (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tests, an_answer_of_another_size_is_an_error);
    tcase_add_test(tests, a_recorded_key_is_printable);
    tcase_add_test(tests, one_input_too_many_is_an_error);
    tcase_add_test(tests, a_cut_pull_stream_is_an_error);
    tcase_add_test(tests, a_cut_push_stream_ends_early);
    tcase_add_test(tests, a_missing_image_is_an_error);
    return suite_main("emu_journal", tests);
}
