/* The schedule, without an engine: vCPUs here are three flags, and running one is letting time
 * pass. One tick is one instruction and, at the default rate, one ns. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "hv/board.h"
#include "suite.h"

#define VCPUS   8
#define QUANTUM UINT64_C(100)
#define NOBODY  (-1)

static struct schedule s;
static struct vtime now;
static struct vcpu vcpus[VCPUS];
static struct vm vms[VCPUS];
static struct cpu_config configs[VCPUS];

static void set_up(unsigned pcpus)
{
    now = (struct vtime){.rate_hz = 1000000000};
    memset(vcpus, 0, sizeof vcpus);
    memset(vms, 0, sizeof vms);
    memset(configs, 0, sizeof configs);
    schedule_init(&s, VCPUS, pcpus, &now);
}

static void tear_down(void)
{
    schedule_free(&s);
}

/* The next vCPU, of a VM of its own, on the CPUs of the mask. */
static void add_on(unsigned priority, char policy, uint64_t allowed)
{
    size_t i = s.turn_count;
    configs[i] = (struct cpu_config){.priority = priority, .policy = policy};
    vcpus[i].on = true;
    schedule_add(&s, &vcpus[i], &vms[i], &configs[i], allowed);
}

static void add(unsigned priority, char policy)
{
    add_on(priority, policy, 0);
}

static void add_sporadic(unsigned high, unsigned low, uint64_t most, uint64_t period,
                         uint64_t budget)
{
    size_t i = s.turn_count;
    configs[i] = (struct cpu_config){
        .priority = high, .policy = 's', .sporadic = {low, most, period, budget}};
    vcpus[i].on = true;
    schedule_add(&s, &vcpus[i], &vms[i], &configs[i], 0);
}

static void halt(unsigned i)
{
    vcpus[i].halted = true;
}

static void wake(unsigned i)
{
    vcpus[i].halted = false;
}

/* Who is chosen. Whoever asks once more gets the same answer, and leaves the same state. */
static int chosen(bool *others_wait)
{
    struct choice c = schedule_choose(&s);
    struct bytes once = {0}, twice = {0};
    struct state saving = state_saving(&once), again_saving = state_saving(&twice);
    schedule_visit(&s, &saving);
    struct choice again = schedule_choose(&s);
    schedule_visit(&s, &again_saving);
    ck_assert_ptr_eq(again.turn, c.turn);
    ck_assert_int_eq(again.others_wait, c.others_wait);
    ck_assert_uint_eq(once.size, twice.size);
    ck_assert_mem_eq(once.data, twice.data, once.size);
    bytes_free(&once);
    bytes_free(&twice);
    *others_wait = c.others_wait;
    return c.turn ? (int)(c.turn - s.turns) : NOBODY;
}

static int next(void)
{
    bool others_wait;
    return chosen(&others_wait);
}

static bool others_wait(void)
{
    bool wait;
    chosen(&wait);
    return wait;
}

/* As the run loop does it: at most so many instructions of whoever is chosen. Returns who. */
static int run(uint64_t most)
{
    bool others;
    int i = chosen(&others);
    if (i == NOBODY)
        return i;
    schedule_begin(&s, &s.turns[i], QUANTUM);
    uint64_t budget = schedule_budget(&s, &s.turns[i]), left = s.quantum_end - now.instructions;
    uint64_t count = budget < most ? budget : most;
    bool over = others && left <= count;
    if (over)
        count = left;
    now.instructions += count;
    schedule_account(&s, &s.turns[i], count, over);
    return i;
}

/* So many turns of at most a quantum each; leaves how many instructions each vCPU had. */
static uint64_t had[VCPUS];
static void run_turns(unsigned turns)
{
    memset(had, 0, sizeof had);
    for (unsigned k = 0; k < turns; k++) {
        uint64_t before = now.instructions;
        int i = run(QUANTUM);
        ck_assert_int_ne(i, NOBODY);
        had[i] += now.instructions - before;
    }
}

/* Priorities --------------------------------------------------------------------------------------
 */

START_TEST(the_highest_priority_runs)
{
    set_up(1);
    add(10, 'r');
    add(20, 'r');
    add(15, 'r');
    run_turns(30);
    ck_assert_uint_eq(had[1], 30 * QUANTUM);
    halt(1);
    ck_assert_int_eq(next(), 2);
    halt(2);
    ck_assert_int_eq(next(), 0);
    tear_down();
}
END_TEST

START_TEST(a_higher_priority_preempts_in_the_midst_of_a_turn)
{
    set_up(1);
    add(10, 'f');
    add(20, 'r');
    halt(1);
    ck_assert_int_eq(run(7), 0);
    wake(1);
    ck_assert_int_eq(run(50), 1);
    halt(1);
    ck_assert_int_eq(next(), 0);
    tear_down();
}
END_TEST

START_TEST(who_cannot_run_is_not_chosen)
{
    set_up(2);
    add(10, 'r');
    add(10, 'r');
    add(10, 'r');
    vcpus[0].on = false;
    vms[1].ended = true;
    halt(2);
    ck_assert_int_eq(next(), NOBODY);
    vcpus[2].signals = CPU_SIGNAL_IRQ;
    ck_assert_int_eq(next(), 2);
    vcpus[2].signals = CPU_SIGNAL_FIQ;
    ck_assert_int_eq(next(), 2);
    vcpus[0].on = true;
    vcpus[2].signals = 0;
    ck_assert_int_eq(next(), 0);
    tear_down();
}
END_TEST

/* Round-robin and FIFO ----------------------------------------------------------------------------
 */

static void expect_in_turn(unsigned pcpus, unsigned count)
{
    set_up(pcpus);
    for (unsigned i = 0; i < count; i++)
        add(10, 'r');
    for (unsigned k = 0; k < 5 * count; k++)
        ck_assert_int_eq(run(UINT64_MAX), (int)(k % count));
    ck_assert_uint_eq(now.instructions, 5 * count * QUANTUM);
    tear_down();
}

START_TEST(equals_run_in_turn)
{
    expect_in_turn(1, 3);
    expect_in_turn(2, 3);
    expect_in_turn(3, 3);
    expect_in_turn(2, 4);
    expect_in_turn(64, 4);
}
END_TEST

START_TEST(a_turn_goes_on_over_stops_in_between)
{
    set_up(1);
    add(10, 'r');
    add(10, 'r');
    for (unsigned k = 0; k < 4; k++)
        ck_assert_int_eq(run(25), 0);
    for (unsigned k = 0; k < 3; k++)
        ck_assert_int_eq(run(33), 1);
    ck_assert_int_eq(run(33), 1); /* the last instruction of its quantum */
    ck_assert_uint_eq(now.instructions, 2 * QUANTUM);
    ck_assert_int_eq(next(), 0);
    tear_down();
}
END_TEST

START_TEST(fifo_keeps_its_pcpu)
{
    set_up(1);
    add(10, 'f');
    add(10, 'r');
    run_turns(20);
    ck_assert_uint_eq(had[0], 20 * QUANTUM);
    ck_assert(!others_wait());
    halt(0);
    ck_assert_int_eq(run(30), 1);
    wake(0); /* behind its equal, whose turn is not over */
    ck_assert(others_wait());
    ck_assert_int_eq(run(QUANTUM), 1);
    run_turns(20);
    ck_assert_uint_eq(had[0], 20 * QUANTUM);
    tear_down();
}
END_TEST

START_TEST(fifo_beside_round_robin_on_another_pcpu)
{
    set_up(2);
    add(10, 'f');
    add(10, 'r');
    add(10, 'r');
    for (unsigned k = 0; k < 30; k++) {
        run_turns(1);
        ck_assert_uint_eq(s.on_pcpu[0], 0);
        ck_assert_uint_ne(s.on_pcpu[1], 0);
    }
    run_turns(40);
    ck_assert_uint_eq(had[1], had[2]);
    ck_assert_uint_eq(had[0], had[1] + had[2]); /* each CPU has its share of the time */
    tear_down();
}
END_TEST

START_TEST(a_turn_ends_only_for_others)
{
    set_up(1);
    add(10, 'r');
    ck_assert(!others_wait());
    add(5, 'r');
    ck_assert(!others_wait());
    add(10, 'r');
    ck_assert(others_wait());
    tear_down();
    set_up(2);
    add(10, 'r');
    add(5, 'r'); /* on the other CPU, so they are served in turn */
    ck_assert(others_wait());
    tear_down();
}
END_TEST

/* Physical CPUs -----------------------------------------------------------------------------------
 */

/* It is woken by the end of a turn, so there must be one: whatever the priorities, also of FIFO. */
START_TEST(a_turn_ends_for_who_waits_for_an_event)
{
    static const struct {
        unsigned priority;
        char policy;
    } rows[] = {{10, 'r'}, {10, 'f'}, {9, 'r'}, {11, 'f'}};
    set_up(1);
    add(rows[_i].priority, rows[_i].policy);
    add(10, 'r');
    vcpus[1].wait.is_on = true;
    vcpus[1].event.known_until = UINT64_MAX;
    ck_assert_int_eq(next(), 0);
    ck_assert(others_wait());
    vcpus[1].on = false;
    ck_assert(!others_wait());
    vcpus[1].on = true;
    vcpu_send_event(&vcpus[1]);
    vcpus[0].halted = true;
    ck_assert_int_eq(next(), 1);
    tear_down();
}
END_TEST

START_TEST(a_wait_ends_with_an_event_or_an_interrupt)
{
    struct vcpu v = {.on = true, .wait.is_on = true, .event.known_until = UINT64_MAX};
    ck_assert(!vcpu_is_runnable(&v));
    v.signals = CPU_SIGNAL_IRQ;
    ck_assert(vcpu_is_runnable(&v));
    v.wait.masked = CPU_SIGNAL_IRQ;
    ck_assert(!vcpu_is_runnable(&v));
    v.signals |= CPU_SIGNAL_FIQ;
    ck_assert(vcpu_is_runnable(&v));
    v.wait.masked |= CPU_SIGNAL_FIQ;
    ck_assert(!vcpu_is_runnable(&v));
    vcpu_send_event(&v);
    ck_assert(vcpu_is_runnable(&v));
}
END_TEST

START_TEST(pcpus_serve_different_priorities_side_by_side)
{
    set_up(2);
    add(10, 'r');
    add(20, 'r');
    add(30, 'r');
    run_turns(20);
    ck_assert_uint_eq(had[0], 0);
    ck_assert_uint_eq(had[1], 10 * QUANTUM);
    ck_assert_uint_eq(had[2], 10 * QUANTUM);
    tear_down();
}
END_TEST

START_TEST(a_mask_confines)
{
    set_up(2);
    add_on(10, 'r', 2);
    add_on(10, 'r', 2);
    add_on(5, 'r', 1);
    for (unsigned k = 0; k < 30; k++) {
        run_turns(1);
        ck_assert_uint_eq(s.on_pcpu[0], 2); /* less important, but alone */
        ck_assert_uint_ne(s.on_pcpu[1], 2); /* one CPU for the two */
    }
    run_turns(40);
    ck_assert_uint_eq(had[0], had[1]);
    ck_assert_uint_eq(had[2], had[0] + had[1]);
    tear_down();
}
END_TEST

START_TEST(the_important_one_keeps_others_off_its_pcpu)
{
    set_up(2);
    add_on(20, 'r', 1);
    add_on(10, 'r', 1);
    add_on(10, 'r', 3); /* floats: to the CPU that is free */
    run_turns(20);
    ck_assert_uint_eq(had[0], 10 * QUANTUM);
    ck_assert_uint_eq(had[1], 0);
    ck_assert_uint_eq(had[2], 10 * QUANTUM);
    halt(0);
    run_turns(20);
    ck_assert_uint_eq(had[1], 10 * QUANTUM);
    ck_assert_uint_eq(had[2], 10 * QUANTUM);
    tear_down();
}
END_TEST

START_TEST(who_floats_does_not_starve_who_is_bound)
{
    set_up(2);
    add_on(20, 'r', 0);
    add_on(10, 'r', 1); /* less important, and CPU 0 is all it has */
    run_turns(20);
    ck_assert_uint_eq(had[0], had[1]);
    ck_assert_uint_eq(s.on_pcpu[0], 1);
    tear_down();
}
END_TEST

START_TEST(a_mask_of_no_pcpu_floats)
{
    set_up(2);
    add_on(10, 'r', 0);
    add_on(10, 'r', 0xf0);
    ck_assert_uint_eq(s.turns[0].allowed, 3);
    ck_assert_uint_eq(s.turns[1].allowed, 3);
    run_turns(20);
    ck_assert_uint_eq(had[0], had[1]);
    tear_down();
}
END_TEST

START_TEST(who_floats_leaves_a_pcpu_to_who_is_bound_to_it)
{
    set_up(2);
    add_on(10, 'r', 0);
    add_on(20, 'r', 1); /* comes later, but CPU 0 is all it has */
    ck_assert_int_eq(run(10), 1);
    run_turns(20);
    ck_assert_uint_ge(had[0], 9 * QUANTUM);
    ck_assert_uint_ge(had[1], 9 * QUANTUM);
    ck_assert_uint_eq(s.on_pcpu[0], 1);
    ck_assert_uint_eq(s.on_pcpu[1], 0);
    tear_down();
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Any machine, any history: asking once more changes nothing (chosen looks). */
START_TEST(asking_again_changes_nothing)
{
    uint64_t random = 1;
    for (unsigned round = 0; round < 500; round++) {
        unsigned pcpus = 1 + (unsigned)next_random(&random) % 4;
        unsigned count = 2 + (unsigned)next_random(&random) % (VCPUS - 1);
        set_up(pcpus);
        for (unsigned i = 0; i < count; i++) {
            uint64_t x = next_random(&random);
            add_on(x & 1 ? 10 : 20, x & 2 ? 'r' : 'f', x & 4 ? 0 : x >> 3 & 15);
        }
        for (unsigned step = 0; step < 60; step++) {
            uint64_t x = next_random(&random);
            unsigned i = (unsigned)(x >> 8) % count;
            bool wait;
            if ((x & 3) == 0)
                halt(i);
            else if ((x & 3) == 1)
                wake(i);
            if (chosen(&wait) != NOBODY)
                run(x & 4 ? QUANTUM : 1 + (x >> 16) % QUANTUM);
        }
        tear_down();
    }
}
END_TEST

/* Sporadic ----------------------------------------------------------------------------------------
 */

START_TEST(high_for_its_budget_then_low_until_a_period_after_first_use)
{
    set_up(1);
    add_sporadic(20, 5, 3, 1000, 100);
    add(10, 'r');
    ck_assert_int_eq(run(UINT64_MAX), 0);
    ck_assert_uint_eq(now.instructions, 100); /* exactly */
    ck_assert_int_eq(run(UINT64_MAX), 1);
    ck_assert_uint_eq(now.instructions, 1000);
    ck_assert_int_eq(run(UINT64_MAX), 0);
    ck_assert_uint_eq(now.instructions, 1100);
    halt(1); /* low, but alone */
    ck_assert_int_eq(run(UINT64_MAX), 0);
    ck_assert_uint_eq(now.instructions, 2000);
    tear_down();
}
END_TEST

START_TEST(each_part_comes_back_a_period_after_its_use)
{
    set_up(1);
    add_sporadic(20, 5, 3, 1000, 100);
    add(10, 'r');
    ck_assert_int_eq(run(40), 0); /* 0 to 40 */
    halt(0);
    ck_assert_int_eq(run(460), 1);
    wake(0);
    ck_assert_int_eq(run(UINT64_MAX), 0); /* 500 to 560 */
    ck_assert_uint_eq(now.instructions, 560);
    ck_assert_int_eq(run(UINT64_MAX), 1);
    ck_assert_uint_eq(now.instructions, 1000);
    ck_assert_int_eq(run(UINT64_MAX), 0);
    ck_assert_uint_eq(now.instructions, 1040);
    ck_assert_int_eq(run(UINT64_MAX), 1);
    ck_assert_uint_eq(now.instructions, 1500);
    ck_assert_int_eq(run(UINT64_MAX), 0);
    ck_assert_uint_eq(now.instructions, 1560);
    tear_down();
}
END_TEST

/* Ten instructions at 0 and ten at 200. Returns when the first of them is back. */
static uint64_t first_replenishment(uint64_t most)
{
    set_up(1);
    add_sporadic(20, 5, most, 1000, 20);
    add(10, 'r');
    ck_assert_int_eq(run(10), 0);
    halt(0);
    ck_assert_int_eq(run(190), 1);
    wake(0);
    ck_assert_int_eq(run(UINT64_MAX), 0);
    ck_assert_uint_eq(now.instructions, 210);
    ck_assert_int_eq(run(UINT64_MAX), 1);
    ck_assert_int_eq(next(), 0);
    uint64_t at = now.instructions;
    ck_assert_uint_eq(s.turns[0].sporadic.budget, most == 1 ? 20 : 10);
    tear_down();
    return at;
}

START_TEST(too_many_replenishments_merge)
{
    ck_assert_uint_eq(first_replenishment(2), 1000);
    ck_assert_uint_eq(first_replenishment(1), 1200);
    ck_assert_uint_eq(first_replenishment(UINT64_MAX), 1000);
}
END_TEST

START_TEST(more_replenishments_than_there_is_room_for)
{
    set_up(1);
    add_sporadic(20, 5, 1000, 100000, 100);
    add(10, 'r');
    for (unsigned k = 0; k < 100; k++) {
        ck_assert_int_eq(run(1), 0);
        halt(0);
        ck_assert_int_eq(run(1), 1);
        wake(0);
    }
    ck_assert_uint_eq(s.turns[0].sporadic.budget, 0);
    ck_assert_uint_eq(s.turns[0].sporadic.pending_count, SPORADIC_PENDING_MAX);
    uint64_t promised = 0;
    for (unsigned k = 0; k < SPORADIC_PENDING_MAX; k++)
        promised += s.turns[0].sporadic.pending[k].amount;
    ck_assert_uint_eq(promised, 100);
    now.idle_ticks += 1000000;
    ck_assert_int_eq(next(), 0);
    ck_assert_uint_eq(s.turns[0].sporadic.budget, 100);
    tear_down();
}
END_TEST

START_TEST(a_preempted_one_keeps_its_budget)
{
    set_up(1);
    add_sporadic(20, 5, 3, 1000, 100);
    add(30, 'r');
    halt(1);
    ck_assert_int_eq(run(60), 0);
    wake(1);
    ck_assert_int_eq(run(500), 1);
    halt(1);
    ck_assert_int_eq(run(UINT64_MAX), 0);
    ck_assert_uint_eq(now.instructions, 600);
    ck_assert_uint_eq(s.turns[0].sporadic.budget, 0);
    ck_assert_uint_eq(s.turns[0].sporadic.pending[0].when_ticks, 1000);
    tear_down();
}
END_TEST

START_TEST(budgets_are_virtual_time)
{
    set_up(1);
    now.rate_hz = 500000000; /* a tick is 2 ns */
    add_sporadic(20, 5, 3, 1000, 100);
    add(10, 'r');
    ck_assert_int_eq(run(UINT64_MAX), 0);
    ck_assert_uint_eq(now.instructions, 50);
    ck_assert_int_eq(run(UINT64_MAX), 1);
    ck_assert_uint_eq(now.instructions, 500);
    tear_down();
}
END_TEST

START_TEST(numbers_without_bounds)
{
    set_up(1);
    add_sporadic(20, 5, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    add_sporadic(20, 5, 1, 0, 0);
    now.rate_hz = UINT64_C(1000000000000);
    add_sporadic(20, 5, 1, UINT64_MAX, 1);
    run_turns(100);
    ck_assert_uint_eq(had[1], 0); /* never has a budget */
    tear_down();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("schedule");
    tcase_add_test(tests, the_highest_priority_runs);
    tcase_add_test(tests, a_higher_priority_preempts_in_the_midst_of_a_turn);
    tcase_add_test(tests, who_cannot_run_is_not_chosen);
    tcase_add_test(tests, equals_run_in_turn);
    tcase_add_test(tests, a_turn_goes_on_over_stops_in_between);
    tcase_add_test(tests, fifo_keeps_its_pcpu);
    tcase_add_test(tests, fifo_beside_round_robin_on_another_pcpu);
    tcase_add_test(tests, a_turn_ends_only_for_others);
    tcase_add_loop_test(tests, a_turn_ends_for_who_waits_for_an_event, 0, 4);
    tcase_add_test(tests, a_wait_ends_with_an_event_or_an_interrupt);
    tcase_add_test(tests, pcpus_serve_different_priorities_side_by_side);
    tcase_add_test(tests, a_mask_confines);
    tcase_add_test(tests, the_important_one_keeps_others_off_its_pcpu);
    tcase_add_test(tests, who_floats_does_not_starve_who_is_bound);
    tcase_add_test(tests, asking_again_changes_nothing);
    tcase_add_test(tests, a_mask_of_no_pcpu_floats);
    tcase_add_test(tests, who_floats_leaves_a_pcpu_to_who_is_bound_to_it);
    tcase_add_test(tests, high_for_its_budget_then_low_until_a_period_after_first_use);
    tcase_add_test(tests, each_part_comes_back_a_period_after_its_use);
    tcase_add_test(tests, too_many_replenishments_merge);
    tcase_add_test(tests, more_replenishments_than_there_is_room_for);
    tcase_add_test(tests, a_preempted_one_keeps_its_budget);
    tcase_add_test(tests, budgets_are_virtual_time);
    tcase_add_test(tests, numbers_without_bounds);
    return suite_main("schedule", tests);
}
