#include "emu/machine.h"
#include "test_vdev_fixture.h"

enum { DR, MR = 4, LR = 8, CR = 12, IMSC = 16, RIS = 20, MIS = 24, ICR = 28 };
#define WALL_CLOCK_S 1700000000u
#define SECOND       UINT64_C(1000000000)

static struct world w;

START_TEST(counts_seconds_from_the_wall_clock)
{
    world_open(&w, "pl031", 1, NULL);
    ck_assert_uint_eq(get(&w, DR), WALL_CLOCK_S);
    ck_assert_uint_eq(get(&w, CR), 1);
    world_advance(&w, SECOND - 1);
    ck_assert_uint_eq(get(&w, DR), WALL_CLOCK_S);
    world_advance(&w, 1);
    ck_assert_uint_eq(get(&w, DR), WALL_CLOCK_S + 1);
    world_advance(&w, 1000 * SECOND);
    ck_assert_uint_eq(get(&w, DR), WALL_CLOCK_S + 1001);
    put(&w, CR, 0); /* cannot be stopped */
    ck_assert_uint_eq(get(&w, CR), 1);
    world_close(&w);
}
END_TEST

START_TEST(another_clock_rate)
{
    world_open(&w, "pl031", 1, NULL);
    w.vtime.rate_hz = 3;
    world_advance(&w, 29);
    ck_assert_uint_eq(get(&w, DR), WALL_CLOCK_S + 9);
    world_advance(&w, 1);
    ck_assert_uint_eq(get(&w, DR), WALL_CLOCK_S + 10);
    world_close(&w);
}
END_TEST

START_TEST(load_sets_the_time)
{
    world_open(&w, "pl031", 1, NULL);
    world_advance(&w, 5 * SECOND);
    put(&w, LR, 0xfffffffe);
    ck_assert_uint_eq(get(&w, LR), 0xfffffffe);
    ck_assert_uint_eq(get(&w, DR), 0xfffffffe);
    world_advance(&w, 3 * SECOND);
    ck_assert_uint_eq(get(&w, DR), 1);
    world_close(&w);
}
END_TEST

START_TEST(match_interrupt)
{
    world_open(&w, "pl031", 1, NULL);
    put(&w, IMSC, 1);
    put(&w, MR, WALL_CLOCK_S + 10);
    world_advance(&w, 10 * SECOND - 1);
    ck_assert(!w.irq_level);
    world_advance(&w, 1);
    ck_assert(w.irq_level);
    ck_assert_uint_eq(get(&w, RIS), 1);
    ck_assert_uint_eq(get(&w, MIS), 1);
    put(&w, IMSC, 0);
    ck_assert(!w.irq_level);
    ck_assert_uint_eq(get(&w, MIS), 0);
    put(&w, IMSC, 1);
    put(&w, ICR, 1);
    ck_assert(!w.irq_level);
    world_advance(&w, 100 * SECOND);
    ck_assert(!w.irq_level);
    world_close(&w);
}
END_TEST

START_TEST(match_by_writing)
{
    world_open(&w, "pl031", 1, NULL);
    put(&w, IMSC, 1);
    put(&w, MR, WALL_CLOCK_S);
    ck_assert(w.irq_level);
    put(&w, ICR, 1);
    put(&w, MR, 100);
    ck_assert(!w.irq_level);
    put(&w, LR, 98); /* moves the time before the match */
    world_advance(&w, 2 * SECOND);
    ck_assert(w.irq_level);
    world_close(&w);
}
END_TEST

START_TEST(match_in_the_past_comes_after_the_wrap)
{
    world_open(&w, "pl031", 1, NULL);
    put(&w, IMSC, 1);
    put(&w, LR, 100);
    put(&w, MR, 99);
    world_advance(&w, (((uint64_t)1 << 32) - 1) * SECOND - 1);
    ck_assert(!w.irq_level);
    world_advance(&w, 1);
    ck_assert(w.irq_level);
    ck_assert_uint_eq(get(&w, DR), 99);
    world_close(&w);
}
END_TEST

START_TEST(identification_and_widths)
{
    static const uint8_t ids[8] = {0x31, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1};
    world_open(&w, "pl031", 1, NULL);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(get(&w, 0xfe0 + 4 * i), ids[i]);
    ck_assert_int_eq(try_access(&w, 0, DR, 8, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, DR + 2, 4, false), BUS_NOBODY);
    struct tree_text t;
    tree_of(w.v, &t);
    ck_assert_ptr_nonnull(strstr(t.text, "compatible = arm,pl031, arm,primecell\n"));
    ck_assert_ptr_nonnull(strstr(t.text, "clock-names = apb_pclk\n"));
    world_close(&w);
    world_quirks = QUIRK_OLD_PART_IDS;
    world_open(&w, "pl031", 1, NULL);
    world_quirks = 0;
    ck_assert_uint_eq(get(&w, 0xfe8), 0x04);
    world_close(&w);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("pl031");
    tcase_add_test(t, counts_seconds_from_the_wall_clock);
    tcase_add_test(t, another_clock_rate);
    tcase_add_test(t, load_sets_the_time);
    tcase_add_test(t, match_interrupt);
    tcase_add_test(t, match_by_writing);
    tcase_add_test(t, match_in_the_past_comes_after_the_wrap);
    tcase_add_test(t, identification_and_widths);
    return suite_main("vdev/pl031", t);
}
