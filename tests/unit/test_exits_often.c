/* Exits again and again at the same place, which the engine leaves to a way of its own after some
 * time (engine_expect_exit). When it stops after each instruction it does not: both ways end in the
 * same state, at every instruction and with two VMs that take turns. The same for accesses to
 * watched pages. tests/guest/often.c looks from inside. */
#include "test_board_fixture.h"

/* CPACR_EL1 = x9; x10 = an address where nothing is; for (;;): x3, x4, x5 count, between them a
 * load from there, and PSCI_VERSION. FPEN = 0 has every block watched. */
static const uint32_t program[] = {
    0xd2a00609, 0xd5181049, 0xd5033fdf, 0xd2a1500a, 0x91000463, 0xb9400141,
    0x91000484, 0xd2b08000, 0xd4000002, 0x910004a5, 0x17fffffa,
};
enum { FPEN = 0, FPEN_OFF = 0xd2800009 /* movz x9, #0 */, LAST = 700001, SHORT = 4001 };

/* `every`: stops in between. */
static struct digest run(bool fpen, struct points *points, uint64_t every, uint64_t last)
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
    for (uint64_t at = every; at < last; at += every)
        ck_assert(!board_run_to(m.board, at));
    ck_assert(!board_run_to(m.board, last));
    ck_assert_uint_eq(m.board->vtime.instructions, last);
    struct digest digest = board_digest(m.board);
    machine_close(&m);
    return digest;
}

START_TEST(both_ways_are_the_same)
{
    bool fpen = _i & 1;
    struct digest tried = run(fpen, NULL, 1, SHORT), left = run(fpen, NULL, SHORT, SHORT);
    ck_assert_mem_eq(left.b, tried.b, sizeof tried.b);
    struct digest straight = run(fpen, NULL, LAST, LAST);
    for (uint64_t every = 997; every < 1004; every++) {
        left = run(fpen, NULL, every, LAST);
        ck_assert_mem_eq(left.b, straight.b, sizeof straight.b);
    }
}
END_TEST

/* A breakpoint at such an instruction, and a watchpoint of what it accesses, in the other half of
 * each loop: all are met. */
START_TEST(points_are_met_there)
{
    struct points points = {.resume_at = UINT64_MAX};
    struct machine m;
    unsigned hits[2] = {0};
    struct digest straight = run(true, NULL, SHORT, SHORT);
    machine_open(&m, program, sizeof program / sizeof program[0], 2);
    ck_assert(!board_run_to(m.board, SHORT / 2));
    ck_assert(points_add(&points, (struct point){.kind = POINT_EXECUTE, .address = 0x40000014}));
    ck_assert(
        points_add(&points, (struct point){.kind = POINT_READ, .address = 0x0a800000, .size = 4}));
    for (size_t i = 0; i < 2; i++) {
        m.board->vms[i]->world.points = &points;
        vcpu_points_changed(m.board->vms[i]->vcpus[0]);
    }
    uint64_t first = SHORT, last = 0;
    while (!board_run_to(m.board, SHORT) && points.is_hit) {
        hits[points.hit.kind == POINT_READ]++;
        points.resume_at = last = m.board->vtime.instructions;
        points.resume_accesses_wait = points.hit.kind == POINT_EXECUTE;
        first = first < last ? first : last;
        points_clear_hit(&points);
    }
    ck_assert_uint_eq(hits[0], hits[1]);
    ck_assert_uint_ge(hits[0], (last - first) / 8);
    struct digest digest = board_digest(m.board);
    ck_assert_mem_eq(digest.b, straight.b, sizeof straight.b);
    machine_close(&m);
}
END_TEST

/* x1 = 0x40100000, sp = 0x40100800; for (;;): x16 += 0x123, and loads and stores of every form in
 * that page: all sizes and extensions, pairs, write-back, FP and SIMD registers, a structure, an
 * exclusive pair, unprivileged ones, XZR. Most are not the engine's while the page is watched. What
 * is loaded is added up in x20. */
static const uint32_t accesses[] = {
    0xd2a80201, 0x91200020, 0x9100001f, 0xd2a00609, 0xd5181049, 0xd5033fdf, 0xd2824690, 0xf2b35790,
    0xf2d79bd0, 0xf2f00030, 0x91048e10, 0xf9000030, 0xb9001030, 0x79002430, 0x39005430, 0xf8018030,
    0x38402c22, 0xd1000821, 0x8b020294, 0x39c05422, 0x8b020294, 0x38805022, 0x8b020294, 0x79c02422,
    0x8b020294, 0xb9801022, 0x8b020294, 0xa9bf43ff, 0xa97f0fe2, 0xa8c10fe2, 0x8b030294, 0x69400c22,
    0x8b020294, 0xf81f0ff0, 0xf84107e2, 0x8b020294, 0x4e081e00, 0x4e181e80, 0x3d800820, 0xad020420,
    0xad420c22, 0xfd004020, 0xfd404024, 0x3d400425, 0xbd400426, 0x0d008420, 0x8b020294, 0x8b020294,
    0xc85f7c22, 0xc8037c30, 0xf900003f, 0xf940003f, 0xf8408822, 0xf8010834, 0x17ffffd4,
};

/* The digest when so many were executed, with or without a watched neighbour. */
static struct digest access_all(const struct point *point, uint64_t until)
{
    struct points points = {.resume_at = UINT64_MAX};
    struct machine m;
    machine_open(&m, accesses, sizeof accesses / sizeof accesses[0], 1);
    if (point) {
        ck_assert(points_add(&points, *point));
        m.board->vms[0]->world.points = &points;
        vcpu_points_changed(m.board->vms[0]->vcpus[0]);
    }
    ck_assert(!board_run_to(m.board, until));
    ck_assert(!points.is_hit);
    ck_assert_uint_eq(m.board->vtime.instructions, until);
    struct vcpu_registers r;
    vcpu_read_registers(m.board->vms[0]->vcpus[0], m.board->current, &r);
    ck_assert_uint_eq(vcpu_registers_pc(&r) & ~(uint64_t)0xff,
                      0x40000000); /* it took no exception */
    struct digest digest = board_digest(m.board);
    machine_close(&m);
    return digest;
}

START_TEST(watched_neighbours_change_nothing)
{
    static const struct point neighbours[] = {
        {.kind = POINT_WRITE, .address = 0x40100f00, .size = 8},
        {.kind = POINT_ACCESS, .address = 0x40100f00, .size = 8},
    };
    for (uint64_t until = 14000; until < 14050; until += 7) {
        struct digest straight = access_all(NULL, until);
        struct digest watched = access_all(&neighbours[_i], until);
        ck_assert_mem_eq(watched.b, straight.b, sizeof straight.b);
    }
}
END_TEST

/* From one to the other, and back, while it runs. */
START_TEST(a_debugger_may_come_and_go)
{
    struct points elsewhere = {.resume_at = UINT64_MAX};
    struct digest straight = run(true, NULL, LAST, LAST);
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
    tcase_add_test(t, points_are_met_there);
    tcase_add_loop_test(t, watched_neighbours_change_nothing, 0, 2);
    tcase_add_test(t, a_debugger_may_come_and_go);
    return suite_main("exits_often", t);
}
