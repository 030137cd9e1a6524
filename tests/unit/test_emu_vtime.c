/* Virtual time: ticks to nanoseconds and counters and back, exactly, for years of ticks. */
#include <check.h>
#include <stdlib.h>

#include "emu/vtime.h"
#include "suite.h"

#define GHZ ((uint64_t)1000000000)
/* 500 years at 1 GHz. */
#define AGES ((uint64_t)500 * 365 * 86400 * GHZ)

START_TEST(instructions_and_idle_ticks_add_up)
{
    struct vtime t = {.instructions = 40, .idle_ticks = 2, .rate_hz = GHZ};
    ck_assert_uint_eq(vtime_ticks(&t), 42);
    ck_assert_uint_eq(vtime_ns(&t), 42);
}
END_TEST

static const struct {
    uint64_t rate_hz, ticks, ns;
} rates[] = {
    {GHZ, 1, 1},
    {GHZ, UINT64_MAX, UINT64_MAX},
    {2 * GHZ, 3, 1}, /* rounded down */
    {2 * GHZ, 4, 2},
    {3 * GHZ, 2, 0},
    {3 * GHZ, 3 * GHZ, GHZ},
    {GHZ / 2, 3, 6},
    {1, 1, GHZ},
    {1, UINT64_MAX / GHZ, UINT64_MAX / GHZ *GHZ},
    {24000000, 24000000 - 1, 999999958},
    {2 * GHZ, UINT64_MAX, UINT64_MAX / 2},
};

START_TEST(ticks_become_nanoseconds)
{
    struct vtime t = {.instructions = rates[_i].ticks, .rate_hz = rates[_i].rate_hz};
    ck_assert_uint_eq(vtime_ns(&t), rates[_i].ns);
}
END_TEST

static const uint64_t frequencies[] = {1, 32768, 1843200, 24000000, 62500000, 100000000, GHZ};

START_TEST(counters_run_at_their_rate)
{
    struct vtime t = {.rate_hz = GHZ};
    uint64_t hz = frequencies[_i];
    ck_assert_uint_eq(vtime_count(&t, hz), 0);
    t.instructions = GHZ;
    ck_assert_uint_eq(vtime_count(&t, hz), hz);
    t.instructions = GHZ - 1;
    ck_assert_uint_eq(vtime_count(&t, hz), hz - 1);
    t.instructions = AGES;
    ck_assert_uint_eq(vtime_count(&t, hz), AGES / GHZ * hz);
}
END_TEST

/* A timer must fire at the first tick at which its counter shows the value, and not before. */
START_TEST(the_tick_of_a_count_is_the_first_one)
{
    static const uint64_t rates_hz[] = {GHZ, 3 * GHZ, 1000003, 33333333};
    static const uint64_t counts[] = {1, 2, 3, 1000, 999999937, (uint64_t)1 << 40};
    uint64_t hz = frequencies[_i];
    for (size_t r = 0; r < sizeof rates_hz / sizeof rates_hz[0]; r++) {
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            struct vtime t = {.rate_hz = rates_hz[r]};
            uint64_t ticks = vtime_ticks_at_count(&t, counts[c], hz);
            if (ticks == UINT64_MAX)
                continue;
            t.instructions = ticks;
            ck_assert_uint_ge(vtime_count(&t, hz), counts[c]);
            t.instructions = ticks - 1;
            ck_assert_uint_lt(vtime_count(&t, hz), counts[c]);
        }
    }
}
END_TEST

START_TEST(what_is_too_far_is_never)
{
    struct vtime t = {.rate_hz = GHZ};
    ck_assert(vtime_ticks_at_count(&t, UINT64_MAX, 1) == UINT64_MAX);
    ck_assert(vtime_ticks_at_count(&t, UINT64_MAX, GHZ - 1) == UINT64_MAX);
    ck_assert_uint_eq(vtime_ticks_at_count(&t, 0, 1), 0);
    ck_assert_uint_eq(vtime_ticks_at_count(&t, UINT64_MAX / 2, GHZ), UINT64_MAX / 2);
}
END_TEST

START_TEST(time_ends_before_it_wraps)
{
    const uint64_t clocks[] = {1, 1000000, GHZ, 50 * GHZ};
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct vtime t = {.rate_hz = clocks[i], .idle_ticks = vtime_end_ticks(clocks[i])};
        uint64_t ns = vtime_ns(&t), count = vtime_count(&t, GHZ);
        ck_assert_uint_le(ns, (uint64_t)1 << 63);
        ck_assert_uint_eq(count, ns);
        t.idle_ticks /= 2;
        ck_assert_uint_le(ns / 2 - vtime_ns(&t), GHZ / clocks[i] + 1);
    }
}
END_TEST

START_TEST(scaling_keeps_high_bits)
{
    ck_assert_uint_eq(vtime_scale(UINT64_MAX, UINT64_MAX, UINT64_MAX), UINT64_MAX);
    ck_assert_uint_eq(vtime_scale((uint64_t)1 << 63, 6, 4), (uint64_t)3 << 62);
    ck_assert_uint_eq(vtime_scale(7, 1, 8), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("vtime");
    tcase_add_test(tests, instructions_and_idle_ticks_add_up);
    tcase_add_loop_test(tests, ticks_become_nanoseconds, 0, (int)(sizeof rates / sizeof rates[0]));
    tcase_add_loop_test(tests, counters_run_at_their_rate, 0,
                        (int)(sizeof frequencies / sizeof frequencies[0]));
    tcase_add_loop_test(tests, the_tick_of_a_count_is_the_first_one, 0,
                        (int)(sizeof frequencies / sizeof frequencies[0]));
    tcase_add_test(tests, what_is_too_far_is_never);
    tcase_add_test(tests, time_ends_before_it_wraps);
    tcase_add_test(tests, scaling_keeps_high_bits);
    return suite_main("emu_vtime", tests);
}
