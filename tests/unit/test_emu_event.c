/* The event queue: order, moving, disarming, and events that arm events while they fire. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/event.h"
#include "suite.h"

static struct event_queue queue;
static struct event events[4];
static char fired[64];
static uint64_t fired_due;

static void note(void *context, uint64_t due_ticks)
{
    strncat(fired, context, 1);
    fired_due = due_ticks;
}

static void add(size_t i, const char *name, unsigned priority)
{
    events[i] = (struct event){
        .name = name, .priority = priority, .fire = note, .context = (void *)(uintptr_t)name};
    event_add(&queue, &events[i]);
}

/* a, b and c in this order; d is added last but fires first among equal times. */
static void set_up(void)
{
    queue = (struct event_queue){0};
    fired[0] = 0;
    add(0, "a", 5);
    add(1, "b", 5);
    add(2, "c", 5);
    add(3, "d", 1);
}

START_TEST(nothing_is_due_at_first)
{
    set_up();
    ck_assert(event_next(&queue) == EVENT_NEVER);
    event_fire_due(&queue, EVENT_NEVER - 1);
    ck_assert_str_eq(fired, "");
}
END_TEST

START_TEST(sooner_comes_first)
{
    set_up();
    event_at(&queue, &events[0], 30);
    event_at(&queue, &events[1], 10);
    event_at(&queue, &events[2], 20);
    ck_assert_uint_eq(event_next(&queue), 10);
    event_fire_due(&queue, 9);
    ck_assert_str_eq(fired, "");
    event_fire_due(&queue, 20);
    ck_assert_str_eq(fired, "bc");
    ck_assert_uint_eq(fired_due, 20);
    ck_assert_uint_eq(event_next(&queue), 30);
}
END_TEST

/* Priority, then the order of assembly; never the order of arming. All 24 orders of arming. */
START_TEST(equal_times_have_a_fixed_order)
{
    for (size_t first = 0; first < 4; first++) {
        for (size_t second = 0; second < 4; second++) {
            if (second == first)
                continue;
            for (size_t third = 0; third < 4; third++) {
                if (third == first || third == second)
                    continue;
                set_up();
                event_at(&queue, &events[first], 7);
                event_at(&queue, &events[second], 7);
                event_at(&queue, &events[third], 7);
                event_at(&queue, &events[6 - first - second - third], 7);
                event_fire_due(&queue, 7);
                ck_assert_str_eq(fired, "dabc");
            }
        }
    }
}
END_TEST

START_TEST(an_event_can_be_moved)
{
    set_up();
    event_at(&queue, &events[0], 10);
    event_at(&queue, &events[1], 20);
    event_at(&queue, &events[0], 30);
    ck_assert_uint_eq(event_next(&queue), 20);
    event_at(&queue, &events[0], 5);
    ck_assert_uint_eq(event_next(&queue), 5);
    event_at(&queue, &events[0], 20); /* now equal to b's */
    event_fire_due(&queue, 100);
    ck_assert_str_eq(fired, "ab");
}
END_TEST

START_TEST(arming_twice_for_one_time_fires_once)
{
    set_up();
    event_at(&queue, &events[0], 10);
    event_at(&queue, &events[0], 10);
    event_fire_due(&queue, 10);
    event_fire_due(&queue, 10);
    ck_assert_str_eq(fired, "a");
}
END_TEST

START_TEST(never_disarms)
{
    set_up();
    event_at(&queue, &events[0], 10);
    event_at(&queue, &events[1], 10);
    event_at(&queue, &events[2], 10);
    event_at(&queue, &events[1], EVENT_NEVER);
    event_at(&queue, &events[3], EVENT_NEVER); /* was not armed */
    ck_assert(events[1].when_ticks == EVENT_NEVER);
    event_fire_due(&queue, 10);
    ck_assert_str_eq(fired, "ac");
}
END_TEST

static unsigned rounds;

static void fire_again(void *context, uint64_t due_ticks)
{
    struct event *e = context;
    ck_assert(e->when_ticks == EVENT_NEVER); /* disarmed before it fires */
    rounds++;
    event_at(&queue, e, due_ticks + 10);
}

START_TEST(a_firing_event_may_arm_itself)
{
    queue = (struct event_queue){0};
    rounds = 0;
    struct event e = {.name = "period", .fire = fire_again, .context = &e};
    event_add(&queue, &e);
    event_at(&queue, &e, 10);
    event_fire_due(&queue, 35); /* 10, 20, 30: catches up */
    ck_assert_uint_eq(rounds, 3);
    ck_assert_uint_eq(event_next(&queue), 40);
}
END_TEST

static void arm_and_disarm(void *context, uint64_t due_ticks)
{
    note(context, due_ticks);
    event_at(&queue, &events[1], EVENT_NEVER);
    event_at(&queue, &events[2], due_ticks);
}

START_TEST(a_firing_event_may_arm_and_disarm_others)
{
    set_up();
    events[0].fire = arm_and_disarm;
    event_at(&queue, &events[0], 10);
    event_at(&queue, &events[1], 10);
    event_fire_due(&queue, 10);
    ck_assert_str_eq(fired, "ac");
    ck_assert(event_next(&queue) == EVENT_NEVER);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("queue");
    tcase_add_test(tests, nothing_is_due_at_first);
    tcase_add_test(tests, sooner_comes_first);
    tcase_add_test(tests, equal_times_have_a_fixed_order);
    tcase_add_test(tests, an_event_can_be_moved);
    tcase_add_test(tests, arming_twice_for_one_time_fires_once);
    tcase_add_test(tests, never_disarms);
    tcase_add_test(tests, a_firing_event_may_arm_itself);
    tcase_add_test(tests, a_firing_event_may_arm_and_disarm_others);
    return suite_main("emu_event", tests);
}
