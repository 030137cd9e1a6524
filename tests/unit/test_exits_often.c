/* Exits again and again at the same place, which the engine leaves to a way of its own after some
 * time (engine_expect_exit). While a debugger looks it does not: both ways end in the same state,
 * at every instruction and with two VMs that take turns. tests/guest/often.c looks from inside. */
#include "test_board_fixture.h"

/* CPACR_EL1 = x9; x10 = an address where nothing is; for (;;): x3, x4, x5 count, between them a
 * load from there, and PSCI_VERSION. FPEN = 0 has every block watched. */
static const uint32_t program[] = {
    0xd2a00609, 0xd5181049, 0xd5033fdf, 0xd2a1500a, 0x91000463, 0xb9400141,
    0x91000484, 0xd2b08000, 0xd4000002, 0x910004a5, 0x17fffffa,
};
enum { FPEN = 0, FPEN_OFF = 0xd2800009 /* movz x9, #0 */, LAST = 700001 };

/* `every`: stops in between. */
static struct digest run(bool fpen, struct points *points, uint64_t every)
{
    uint32_t words[sizeof program / sizeof program[0]];
    struct machine m;
    memcpy(words, program, sizeof words);
    if (!fpen)
        words[FPEN] = FPEN_OFF;
    machine_open(&m, words, sizeof words / sizeof words[0], 2);
    for (size_t i = 0; points && i < 2; i++) {
        m.board->vms[i]->world.points = points;
        vcpu_points_changed(m.board->vms[i]->vcpus[0]);
    }
    for (uint64_t at = every; at < LAST; at += every)
        ck_assert(!board_run_to(m.board, at));
    ck_assert(!board_run_to(m.board, LAST));
    ck_assert_uint_eq(m.board->vtime.instructions, LAST);
    struct digest digest = board_digest(m.board);
    machine_close(&m);
    return digest;
}

START_TEST(both_ways_are_the_same)
{
    struct points elsewhere = {.resume_at = UINT64_MAX};
    bool fpen = _i & 1;
    ck_assert(points_add(&elsewhere, (struct point){.kind = POINT_EXECUTE, .address = 0x40200000}));
    struct digest tried = run(fpen, &elsewhere, LAST), left = run(fpen, NULL, LAST);
    ck_assert_mem_eq(left.b, tried.b, sizeof tried.b);
    for (uint64_t every = 997; every < 1004; every++) {
        left = run(fpen, NULL, every);
        ck_assert_mem_eq(left.b, tried.b, sizeof tried.b);
    }
}
END_TEST

/* From one to the other, and back, while it runs. */
START_TEST(a_debugger_may_come_and_go)
{
    struct points elsewhere = {.resume_at = UINT64_MAX};
    struct digest straight = run(true, NULL, LAST);
    struct machine m;
    ck_assert(points_add(&elsewhere, (struct point){.kind = POINT_EXECUTE, .address = 0x40200000}));
    machine_open(&m, program, sizeof program / sizeof program[0], 2);
    for (uint64_t at = 10007; at < LAST; at += 10007) {
        ck_assert(!board_run_to(m.board, at));
        for (size_t i = 0; i < 2; i++) {
            struct vm *vm = m.board->vms[i];
            vm->world.points = vm->world.points ? NULL : &elsewhere;
            vcpu_points_changed(vm->vcpus[0]);
        }
    }
    ck_assert(!board_run_to(m.board, LAST));
    struct digest digest = board_digest(m.board);
    ck_assert_mem_eq(digest.b, straight.b, sizeof straight.b);
    machine_close(&m);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("exits_often");
    tcase_add_loop_test(t, both_ways_are_the_same, 0, 2);
    tcase_add_test(t, a_debugger_may_come_and_go);
    return suite_main("exits_often", t);
}
