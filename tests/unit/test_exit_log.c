/* Exit logs: entries as bytes and back; a run that is played from its exit log; and an exit log
 * that says something else than the logic does is found out, entry by entry. */
#include <stdio.h>

#include "hv/exitlog/exit_log.h"
#include "test_board_fixture.h"

/* Two HVC with PSCI_VERSION, two accesses to nothing, a write of the virtual timer, WFI's wake-up
 * by it is masked: then PSCI_SYSTEM_OFF. */
static const uint32_t program[] = {
    0xd2b08000,             /* mov x0, #0x84000000 */
    0xd4000002,             /* hvc #0 */
    0xd2a10001,             /* mov x1, #0x08000000 */
    0xb9401022,             /* ldr w2, [x1, #16] */
    0xb9001022,             /* str w2, [x1, #16] */
    0xd2800023,             /* mov x3, #1 */
    0xd51be323,             /* msr cntv_ctl_el0, x3 */
    0xd2b08000,             /* mov x0, #0x84000000 */
    0xd4000002,             /* hvc #0 */
    0xd2b08000, 0xf2800100, /* mov x0, #0x84000008 */
    0xd4000002,             /* hvc #0 */
};

struct seen {
    unsigned count;
    char what[64]; /* of the first */
    bool recorded, now;
    uint64_t a, b;
};

static void on_difference(void *context, const struct exit_log_difference *d)
{
    struct seen *seen = context;
    if (seen->count++)
        return;
    snprintf(seen->what, sizeof seen->what, "%s", d->what ? d->what : "");
    seen->recorded = d->recorded != NULL;
    seen->now = d->now != NULL;
    seen->a = d->values.a;
    seen->b = d->values.b;
}

static void run(struct exit_log *exit_log, struct machine *m)
{
    machine_assemble(m, program, sizeof program / sizeof program[0], 1, exit_log);
    ck_assert_int_eq(board_run(m->board), STATUS_OK);
    machine_close(m);
}

static struct bytes recorded(void)
{
    struct exit_log exit_log;
    struct machine m;
    exit_log_write(&exit_log);
    run(&exit_log, &m);
    return exit_log.out;
}

static struct seen play(enum exit_log_mode mode, const struct bytes *bytes)
{
    struct exit_log exit_log;
    struct machine m;
    struct seen seen = {0};
    exit_log_expect(&exit_log, mode, bytes->data, bytes->size, on_difference, &seen);
    run(&exit_log, &m);
    ck_assert(!exit_log_is_broken(&exit_log));
    exit_log_free(&exit_log);
    return seen;
}

START_TEST(what_was_recorded_is_what_happens)
{
    struct bytes exit_log = recorded();
    ck_assert_uint_eq(play(EXIT_LOG_EXPECTS, &exit_log).count, 0);
    ck_assert_uint_eq(play(EXIT_LOG_PLAYS, &exit_log).count, 0);
    bytes_free(&exit_log);
}
END_TEST

/* Exits of a machine that had semihosting, on one that has none. */
START_TEST(semihosting_that_is_off_is_no_call)
{
    struct exit_log_entry exit = {.kind = EXIT_LOG_EXIT, .instructions = 5};
    struct bytes exit_log = {0};
    exit.exit.x.reason = EXIT_DEBUG;
    exit.exit.call[0] = 5; /* SYS_WRITE */
    bytes_put_int(&exit_log, EXIT_LOG_VERSION, 1);
    exit_log_entry_put(&exit_log, 0, &exit);
    struct exit_log played;
    struct machine m;
    struct seen seen = {0};
    exit_log_expect(&played, EXIT_LOG_PLAYS, exit_log.data, exit_log.size, on_difference, &seen);
    machine_assemble(&m, program, sizeof program / sizeof program[0], 1, &played);
    board_run_to(m.board, 100);
    ck_assert_uint_eq(seen.count, 1); /* its end is not in the exit log */
    ck_assert(seen.now && !seen.recorded);
    machine_close(&m);
    exit_log_free(&played);
    bytes_free(&exit_log);
}
END_TEST

static void change(struct exit_log_entry *entry, int what)
{
    if (entry->kind != EXIT_LOG_RESULT)
        return;
    if (what == 0)
        entry->result.value ^= 1;
    else if (what == 1)
        entry->result.result = EXIT_ABORT;
    else
        entry->result.handler[0] ^= 1;
}

/* The entry with that number is another one. */
static struct bytes changed_log(const struct bytes *bytes, size_t number, int what, bool *did)
{
    struct reader in = reader_of(bytes->data, bytes->size);
    struct exit_log_entry entry;
    struct bytes out = {0};
    uint64_t before = 0;
    bytes_put_int(&out, reader_int(&in, 1), 1);
    *did = false;
    for (size_t i = 0; exit_log_entry_get(&in, EXIT_LOG_VERSION, before, &entry); i++) {
        if (i == number && entry.kind == EXIT_LOG_RESULT) {
            change(&entry, what);
            *did = true;
        }
        exit_log_entry_put(&out, before, &entry);
        before = entry.instructions;
    }
    ck_assert(!in.failed);
    return out;
}

START_TEST(a_changed_result_is_found)
{
    static const char *const names[] = {"the value", "the result", "who answers"};
    struct bytes exit_log = recorded();
    unsigned tried = 0;
    for (size_t number = 0; number < 64; number++) {
        bool did;
        struct bytes other = changed_log(&exit_log, number, _i, &did);
        if (did) {
            struct seen seen = play(EXIT_LOG_PLAYS, &other);
            ck_assert_uint_eq(seen.count, 1);
            ck_assert_str_eq(seen.what, names[_i]);
            if (_i == 0)
                ck_assert_uint_eq(seen.a ^ seen.b, 1);
            tried++;
        }
        bytes_free(&other);
    }
    ck_assert_uint_eq(tried, 5);
    bytes_free(&exit_log);
}
END_TEST

START_TEST(damaged_logs_end)
{
    struct bytes exit_log = recorded();
    for (size_t size = 0; size < exit_log.size; size++) {
        struct reader in = reader_of(exit_log.data, size);
        struct exit_log_entry entry;
        uint64_t before = 0;
        reader_int(&in, 1);
        while (exit_log_entry_get(&in, EXIT_LOG_VERSION, before, &entry))
            before = entry.instructions;
    }
    bytes_free(&exit_log);
}
END_TEST

/* Bytes that are in the log already must be there, all of them. */
START_TEST(shared_bytes_lie_before)
{
    static const struct {
        const char *data;
        size_t size;
        unsigned version;
        bool good;
    } cases[] = {
        /* READ, VM 0, vCPU 0, at 0, flags 7, address 9, so many bytes from so far before it */
        {"abcd\3\0\0\0\7\11\3\4", 12, EXIT_LOG_VERSION, true},
        {"abcd\3\0\0\0\7\11\4\4", 12, EXIT_LOG_VERSION, true},
        {"abcd\3\0\0\0\7\11\5\4", 12, EXIT_LOG_VERSION, false},
        {"abcd\3\0\0\0\7\11\4\5", 12, EXIT_LOG_VERSION, false},
        {"abcd\3\0\0\0\7\11\0\0", 12, EXIT_LOG_VERSION, false},
        {"abcd\3\0\0\0\7\11\4", 11, EXIT_LOG_VERSION, false},
        {"abcd\3\0\0\0\7\11\1\4", 12, EXIT_LOG_WITHOUT_SHARED, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reader in = reader_of(cases[i].data, cases[i].size);
        struct exit_log_entry entry;
        in.at = 4;
        ck_assert_msg(exit_log_entry_get(&in, cases[i].version, 0, &entry) == cases[i].good,
                      "case %zu", i);
        if (cases[i].good && cases[i].version == EXIT_LOG_VERSION)
            ck_assert_mem_eq(entry.memory.data, "abcd", entry.memory.size);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("exit log");
    tcase_add_test(t, semihosting_that_is_off_is_no_call);
    tcase_add_test(t, what_was_recorded_is_what_happens);
    tcase_add_loop_test(t, a_changed_result_is_found, 0, 3);
    tcase_add_test(t, damaged_logs_end);
    tcase_add_test(t, shared_bytes_lie_before);
    return suite_main("exit log", t);
}
