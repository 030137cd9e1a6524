/* The record of a run that is kept in memory: with more input than its budget allows, what is
 * written at the end still leads to the same machine. */
#include "hv/snapshot/recent_past.h"
#include "hv/snapshot/snapshot.h"
#include "test_board_fixture.h"

/* x2 = what a PL011 at 0x1c090000 received, byte by byte: x2 = byte + 2 * x2; not
 * too often. */
static const uint32_t program[] = {0xd2a38121, 0xd2800002, 0xd2802585, 0xf10004a5, 0x54ffffe1,
                                   0xb9401823, 0x3727ff83, 0xb9400023, 0x8b020462, 0x17fffff9};

static uint64_t state = 1, bytes_offered;

static bool offer(void *context, struct push *p)
{
    static bool again;
    static uint8_t data[200];
    (void)context;
    again = !again;
    if (!again) /* one at a time */
        return false;
    p->kind = PUSH_CONSOLE;
    p->target = 1; /* VM 0, behind the interrupt controller */
    p->size = sizeof data;
    p->data = data;
    for (unsigned i = 0; i < p->size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        data[i] = (uint8_t)(state >> 40);
    }
    bytes_offered += p->size;
    return true;
}

static struct recent_past past;

static void on_snapshot(void *context, struct board *b)
{
    recent_past_take(&past, b, context);
}

static struct vm_config config;
static struct image image = {program, sizeof program / sizeof program[0]};

static struct board *board(struct journal *j, bool from_snapshot)
{
    static const char *const text[] = {"ram 0x40000000,4M load 0x40000000,image "
                                       "vdev gic vdev pl011 loc 0x1c090000 intr gic:37 hostdev >-"};
    struct config_reader reader = {0};
    struct error e = {0};
    struct board_options options = {BOARD_NO_LIMITS, .snapshot_at = UINT64_MAX,
                                    .from_snapshot = from_snapshot};
    struct board_sinks sinks = {.idle = on_idle, .snapshot = on_snapshot, .context = j};
    if (!config.vdev_count)
        ck_assert_msg(config_parse(&config, text, 1, &reader, &e), "%s", e.text);
    struct board *b = board_new(NULL, &config, 1, j, &options, &sinks, &e);
    ck_assert_msg(b != NULL, "%s", e.text);
    return b;
}

/* The run as session.c does it: the recent past is asked at each poll. */
static void run(struct board *b, struct journal *j, uint64_t until)
{
    for (uint64_t at = 0; at < until; at += 500000) {
        if (recent_past_wants(&past, j))
            b->snapshot_wanted = true;
        ck_assert(!board_run_to(b, at + 500000));
        ck_assert_uint_le(j->pulls.size + j->pushes.size, past.budget + 1000);
    }
}

static void write_record(struct bytes *file, const struct journal *j)
{
    struct trace_writer w;
    struct error e = {0};
    ck_assert(trace_writer_begin(&w, (struct trace_sink){.write = append, .context = file}, 0));
    ck_assert(trace_write_config(&w, &(struct trace_text){"a", "x"}, 1));
    ck_assert(recent_past_write(&past, &w));
    ck_assert(trace_record_step(&w, j, &e));
    ck_assert(trace_writer_finish(&w));
}

static struct digest replay(const struct bytes *file, uint64_t until)
{
    struct trace t;
    struct journal j;
    struct error e = {0};
    ck_assert_msg(trace_parse(&t, file->data, file->size, NULL, &e), "%s", e.text);
    const struct trace_snapshot *start = t.snapshot_count ? &t.snapshots[0] : NULL;
    trace_into_journal(&t, &j);
    journal_replay(&j);
    struct board *b = board(&j, start != NULL);
    if (start) {
        ck_assert(start->is_start);
        journal_begins_here(&j);
        ck_assert_msg(snapshot_restore(b, start->data, start->size, &e), "%s", e.text);
    }
    ck_assert(!board_run_to(b, until));
    struct digest d = board_digest(b);
    board_free(b);
    journal_free(&j);
    trace_free(&t);
    return d;
}

/* Budgets for none, some and every input; the record starts where it must. */
START_TEST(the_end_is_kept)
{
    static const size_t budgets[] = {1 << 20, 4000, 900, 1};
    static const unsigned starts[] = {0, 1, 1, 1};
    enum { UNTIL = 25000000 };
    struct journal j;
    struct bytes file = {0};
    journal_live(&j, JOURNAL_RECORD,
                 (struct journal_host){.pull = pull, .poll = offer, .context = &image});
    struct board *b = board(&j, false);
    recent_past_begin(&past, budgets[_i], &j, NULL);
    run(b, &j, UNTIL);
    ck_assert_uint_gt(bytes_offered, 4000);
    ck_assert_uint_eq(past.start.data != NULL, starts[_i]);
    struct digest end = board_digest(b);
    write_record(&file, &j);
    struct digest again = replay(&file, UNTIL);
    ck_assert(memcmp(end.b, again.b, sizeof end.b) == 0);
    bytes_free(&file);
    recent_past_free(&past);
    board_free(b);
    journal_free(&j);
    config_free(&config);
}
END_TEST

/* Files that are named on both sides of a mark stay, others go with what named them. */
START_TEST(files_stay_as_long_as_they_are_named)
{
    struct journal j;
    struct bytes out = {0};
    struct error e = {0};
    journal_live(&j, JOURNAL_RECORD,
                 (struct journal_host){.pull = pull, .poll = offer, .context = &image});
    ck_assert(journal_pull(&j, PULL_FILE, "before", 0, &out, &e));
    struct journal_mark mark = journal_mark(&j);
    ck_assert_uint_eq(journal_bytes_since(&j, mark), 0);
    ck_assert(journal_pull(&j, PULL_FILE, "behind", 0, &out, &e)); /* the same contents */
    ck_assert_uint_gt(journal_bytes_since(&j, mark), 0);
    journal_drop(&j, mark);
    ck_assert_uint_eq(j.image_count, 1);
    journal_drop(&j, journal_mark(&j));
    ck_assert_uint_eq(j.image_count, 0);
    ck_assert_uint_eq(j.pulls.size, 0);
    bytes_free(&out);
    journal_free(&j);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("keeper");
    tcase_add_loop_test(t, the_end_is_kept, 0, 4);
    tcase_add_test(t, files_stay_as_long_as_they_are_named);
    return suite_main("keeper", t);
}
