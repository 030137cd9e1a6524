/* Chaos: what is drawn, and interrupts on their way to a vCPU of the real engine. */
#include "hv/chaos.h"
#include "hv/snapshot/snapshot.h"
#include "test_board_fixture.h"

#define DRAWS 20000

static const struct chaos seed1 = {.on = true, .seed = 1}, seed2 = {.on = true, .seed = 2};

START_TEST(draws_are_functions_of_their_arguments)
{
    unsigned equal_seeds = 0, equal_turns = 0, equal_times = 0;
    for (uint64_t t = 0; t < 1000; t++) {
        uint64_t q = chaos_quantum(&seed1, 0, true, t), l = chaos_latency(&seed1, 0, 0, t);
        ck_assert_uint_eq(chaos_quantum(&seed1, 0, true, t), q);
        ck_assert_uint_eq(chaos_latency(&seed1, 0, 0, t), l);
        equal_seeds += chaos_quantum(&seed2, 0, true, t) == q;
        equal_seeds += chaos_latency(&seed2, 0, 0, t) == l;
        equal_turns += chaos_quantum(&seed1, 1, true, t) == q;
        equal_turns += chaos_latency(&seed1, 0, 1, t) == l;
        equal_turns += chaos_latency(&seed1, 1, 0, t) == l;
        equal_times += chaos_quantum(&seed1, 0, true, t + 1) == q;
        equal_times += chaos_latency(&seed1, 0, 0, t + 1) == l;
    }
    /* Short ones are equal now and then. */
    ck_assert_uint_lt(equal_seeds, 300);
    ck_assert_uint_lt(equal_turns, 450);
    ck_assert_uint_lt(equal_times, 300);
}
END_TEST

/* How many of the draws have each order of magnitude. */
static void count_magnitude(unsigned *counts, unsigned bound, uint64_t length)
{
    unsigned k = 0;
    ck_assert_uint_ge(length, 1);
    while (length >> (k + 1))
        k++;
    ck_assert_uint_le(k, bound);
    counts[k]++;
}

START_TEST(latencies_have_every_magnitude_alike)
{
    unsigned counts[13] = {0};
    for (uint64_t t = 0; t < DRAWS; t++)
        count_magnitude(counts, 12, chaos_latency(&seed1, 0, 0, t * 1000));
    for (unsigned k = 0; k <= 12; k++) {
        ck_assert_uint_gt(counts[k], DRAWS / 13 * 8 / 10);
        ck_assert_uint_lt(counts[k], DRAWS / 13 * 12 / 10);
    }
}
END_TEST

/* Of all spells: short turns in each, long ones in some. */
START_TEST(turns_have_every_magnitude)
{
    unsigned counts[18] = {0};
    for (uint64_t t = 0; t < DRAWS; t++)
        count_magnitude(counts, 17, chaos_quantum(&seed1, 0, true, t * CHAOS_SPELL_TICKS));
    for (unsigned k = 0; k <= 10; k++)
        ck_assert_uint_gt(counts[k], DRAWS / 18);
    for (unsigned k = 11; k <= 17; k++) {
        ck_assert_uint_gt(counts[k], DRAWS / 300);
        ck_assert_uint_lt(counts[k], counts[k - 1]);
    }
}
END_TEST

START_TEST(a_spell_has_one_bound)
{
    uint64_t least_longest = UINT64_MAX, longest_of_all = 0;
    for (uint64_t spell = 0; spell < 100; spell++) {
        uint64_t longest = 0;
        for (uint64_t t = 0; t < CHAOS_SPELL_TICKS; t += 64) {
            uint64_t q = chaos_quantum(&seed2, 0, true, spell * CHAOS_SPELL_TICKS + t);
            longest = q > longest ? q : longest;
        }
        least_longest = longest < least_longest ? longest : least_longest;
        longest_of_all = longest > longest_of_all ? longest : longest_of_all;
    }
    ck_assert_uint_lt(least_longest, 1 << 11);
    ck_assert_uint_ge(longest_of_all, 1 << 17);
}
END_TEST

START_TEST(nobody_waits_so_the_turn_is_long)
{
    ck_assert_uint_eq(chaos_quantum(&seed1, 0, false, 5), CHAOS_ALONE_INSTRUCTIONS);
}
END_TEST

/* Interrupts on their way -------------------------------------------------------------------------
 */

static const uint32_t endless[] = {0x14000000}; /* b . */

struct late {
    struct machine m;
    struct vm *vm;
    struct vcpu *v;
};

static void open_late(struct late *l, uint64_t seed)
{
    machine_open(&l->m, endless, 1, 1);
    chaos_start(l->m.board, seed);
    l->vm = l->m.board->vms[0];
    l->v = l->vm->vcpus[0];
    board_run_to(l->m.board, 10);
}

static uint64_t due(const struct late *l)
{
    return l->vm->delays[0].event.when_ticks;
}

START_TEST(an_interrupt_comes_late_and_goes_at_once)
{
    struct late l;
    open_late(&l, (uint64_t)_i);
    chaos_signal(l.vm, 0, CPU_SIGNAL_IRQ);
    uint64_t at = due(&l);
    ck_assert_uint_ge(at, 11);
    ck_assert_uint_le(at, 10 + 8191);
    board_run_to(l.m.board, at - 1);
    ck_assert_uint_eq(l.v->signals, 0);
    board_run_to(l.m.board, at);
    ck_assert_uint_eq(l.v->signals, CPU_SIGNAL_IRQ);
    ck_assert_uint_eq(due(&l), EVENT_NEVER);
    chaos_signal(l.vm, 0, 0);
    ck_assert_uint_eq(l.v->signals, 0);
    machine_close(&l.m);
}
END_TEST

/* Withdrawn on its way it does not arrive; signalled again it does, not later than at first. */
START_TEST(a_withdrawn_interrupt_does_not_come)
{
    struct late l;
    open_late(&l, 1);
    chaos_signal(l.vm, 0, CPU_SIGNAL_IRQ);
    uint64_t at = due(&l);
    chaos_signal(l.vm, 0, 0);
    board_run_to(l.m.board, at);
    ck_assert_uint_eq(l.v->signals, 0);
    chaos_signal(l.vm, 0, CPU_SIGNAL_FIQ);
    at = due(&l);
    chaos_signal(l.vm, 0, 0);
    chaos_signal(l.vm, 0, CPU_SIGNAL_FIQ);
    ck_assert_uint_eq(due(&l), at);
    board_run_to(l.m.board, at);
    ck_assert_uint_eq(l.v->signals, CPU_SIGNAL_FIQ);
    machine_close(&l.m);
}
END_TEST

START_TEST(a_halted_vcpu_wakes)
{
    struct late l;
    open_late(&l, 3);
    l.v->halted = true;
    chaos_signal(l.vm, 0, CPU_SIGNAL_IRQ);
    ck_assert(!vcpu_is_runnable(l.v));
    board_run_to(l.m.board, 20); /* time goes to the interrupt by itself */
    ck_assert(!l.v->halted && l.v->signals == CPU_SIGNAL_IRQ);
    ck_assert_uint_gt(l.m.board->vtime.idle_ticks, 0);
    machine_close(&l.m);
}
END_TEST

START_TEST(a_snapshot_has_what_is_on_its_way)
{
    struct late first, second;
    struct bytes snapshot = {0};
    struct error e = {0};
    open_late(&first, 4);
    chaos_signal(first.vm, 0, CPU_SIGNAL_IRQ);
    snapshot_take(first.m.board, &snapshot);
    open_late(&second, 4);
    ck_assert_msg(snapshot_restore(second.m.board, snapshot.data, snapshot.size, &e), "%s", e.text);
    ck_assert_uint_eq(due(&second), due(&first));
    board_run_to(first.m.board, 9000);
    board_run_to(second.m.board, 9000);
    ck_assert(first.v->signals && second.v->signals);
    struct digest a = board_digest(first.m.board), b = board_digest(second.m.board);
    ck_assert_mem_eq(a.b, b.b, sizeof a.b);
    bytes_free(&snapshot);
    machine_close(&first.m);
    machine_close(&second.m);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("chaos");
    tcase_add_test(t, draws_are_functions_of_their_arguments);
    tcase_add_test(t, latencies_have_every_magnitude_alike);
    tcase_add_test(t, turns_have_every_magnitude);
    tcase_add_test(t, a_spell_has_one_bound);
    tcase_add_test(t, nobody_waits_so_the_turn_is_long);
    tcase_add_loop_test(t, an_interrupt_comes_late_and_goes_at_once, 0, 10);
    tcase_add_test(t, a_withdrawn_interrupt_does_not_come);
    tcase_add_test(t, a_halted_vcpu_wakes);
    tcase_add_test(t, a_snapshot_has_what_is_on_its_way);
    return suite_main("chaos", t);
}
