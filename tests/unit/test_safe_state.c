/* The local design safe state: what is wrong with one VM's own tables ends that VM, with status 96,
 * and nothing else. */
#include <stdio.h>

#include "test_board_fixture.h"

#include "mmu/arm64/stage2.h"

/* x0 counts up to 0x10000, reads memory all the while, then powers off by PSCI. */
static const uint32_t program[] = {
    0xd2800000, /* mov x0, #0 */
    0xd2a80601, /* mov x1, #0x40300000 */
    0x91000400, /* 1: add x0, x0, #1 */
    0xf9400022, /* ldr x2, [x1] */
    0xf140401f, /* cmp x0, #0x10, lsl #12 */
    0x54ffffa1, /* b.ne 1b */
    0x52800100, /* mov w0, #8 */
    0x72b08000, /* movk w0, #0x8400, lsl #16: SYSTEM_OFF */
    0xd4000002, /* hvc #0 */
};

static void open_machine(struct machine *m)
{
    machine_open(m, program, sizeof program / sizeof program[0], 2);
}

START_TEST(without_damage_both_power_off)
{
    struct machine m;
    open_machine(&m);
    ck_assert_int_eq(board_run(m.board), STATUS_OK);
    machine_close(&m);
}
END_TEST

/* Every entry of a start table of stage 2 made to point where the board has nothing. */
START_TEST(damaged_stage_2_tables_end_one_vm)
{
    struct machine m;
    open_machine(&m);
    struct board *b = m.board;
    ck_assert(!board_run_to(b, 1000));
    struct vm *victim = b->vms[0];
    hpa_t table = hpa(stage2_of(victim->tables)->vttbr & 0x0000fffffffff000u);
    uint64_t *entries = memory_at(&b->memory, table, PAGE_SIZE, MEMORY_WRITE);
    for (unsigned i = 0; i < 512; i++)
        entries[i] = 0x0000700000000003u;
    vcpu_tables_changed(victim->vcpus[0]);
    engine_flush_tlb(b->engine);
    ck_assert_int_eq(board_run(b), STATUS_STARTED);
    ck_assert_int_eq(victim->exit_status, STATUS_STARTED);
    ck_assert_msg(strstr(victim->ending, "design safe state") != NULL, "%s", victim->ending);
    ck_assert_int_eq(b->vms[1]->exit_status, STATUS_OK);
    ck_assert_str_eq(b->vms[1]->ending, "the guest powered off");
    machine_close(&m);
}
END_TEST

/* The same found by a device that maps memory there, or takes it away. */
START_TEST(damaged_tables_are_not_built_on)
{
    struct machine m;
    open_machine(&m);
    struct board *b = m.board;
    struct vm *victim = b->vms[0];
    const struct vdev_env *env = &victim->envs[0];
    hpa_t table = hpa(stage2_of(victim->tables)->vttbr & 0x0000fffffffff000u);
    ck_assert(!board_run_to(b, 1000));
    uint64_t *entries = memory_at(&b->memory, table, PAGE_SIZE, MEMORY_WRITE);
    for (unsigned i = 0; i < 512; i++)
        entries[i] = 0x0000700000000003u;
    if (_i)
        env->unmap_memory(env->context, gpa(0x40200000), PAGE_SIZE);
    else
        ck_assert(!env->map_memory(env->context, gpa(0x50000000), hpa(0), PAGE_SIZE));
    ck_assert_int_eq(victim->exit_status, STATUS_STARTED);
    ck_assert_str_eq(victim->ending, _i ? "design safe state: the stage 2 table of guest-physical "
                                          "0x40200000 is damaged"
                                        : "design safe state: the stage 2 table of guest-physical "
                                          "0x50000000 is damaged");
    ck_assert_int_eq(board_run(b), STATUS_STARTED);
    ck_assert_int_eq(b->vms[1]->exit_status, STATUS_OK);
    machine_close(&m);
}
END_TEST

static unsigned begun;
static char said[256];

static bool on_dump_begin(void *context, const struct vm *vm, struct error *e)
{
    (void)context, (void)vm, (void)e;
    begun++;
    return false;
}

static void on_log(void *context, unsigned vm, enum log_severity severity, unsigned outlets,
                   const char *line)
{
    (void)context, (void)vm, (void)outlets;
    if (severity == LOG_SEVERITY_ERROR)
        snprintf(said, sizeof said, "%s", line);
}

/* More pieces of memory than an ELF file has program headers. */
START_TEST(memory_in_too_many_pieces_has_no_dump)
{
    struct machine m;
    open_machine(&m);
    size_t pieces = m.configs[0].ram_count;
    m.board->sinks.dump_begin = on_dump_begin;
    m.board->sinks.log = on_log;
    dump_write(m.board->vms[0], "");
    ck_assert_uint_eq(begun, 1);
    m.configs[0].ram_count = 60001;
    dump_write(m.board->vms[0], "");
    m.configs[0].ram_count = pieces;
    ck_assert_uint_eq(begun, 1);
    ck_assert_msg(strstr(said, "no dump of the guest: its memory is in 60001 pieces, a core has at "
                               "most 60000") != NULL,
                  "%s", said);
    machine_close(&m);
}
END_TEST

static bool pull_no_randomness(void *context, enum pull_kind kind, const char *key, size_t size,
                               struct bytes *out, struct error *e)
{
    return kind == PULL_ENTROPY ? error_set(e, "none left")
                                : pull(context, kind, key, size, out, e);
}

/* A device that cannot do its work ends its VM with status 6. */
START_TEST(a_failed_device_ends_its_vm)
{
    struct machine m;
    uint8_t bytes[8];
    open_machine(&m);
    struct vm *victim = m.board->vms[0];
    m.journal.host.pull = pull_no_randomness;
    ck_assert(!board_run_to(m.board, 1000));
    ck_assert(!victim->envs[0].entropy(victim->envs[0].context, bytes, sizeof bytes));
    ck_assert_int_eq(board_run(m.board), STATUS_VDEV);
    ck_assert_int_eq(victim->exit_status, STATUS_VDEV);
    ck_assert_str_eq(victim->ending, "no random numbers: none left");
    ck_assert_int_eq(m.board->vms[1]->exit_status, STATUS_OK);
    machine_close(&m);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("safe state");
    tcase_add_test(t, a_failed_device_ends_its_vm);
    tcase_add_test(t, without_damage_both_power_off);
    tcase_add_test(t, damaged_stage_2_tables_end_one_vm);
    tcase_add_loop_test(t, damaged_tables_are_not_built_on, 0, 2);
    tcase_add_test(t, memory_in_too_many_pieces_has_no_dump);
    return suite_main("safe state", t);
}
