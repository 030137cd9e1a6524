/* The library over its public header alone: what it does is what `qvm run` does. Run in the root of
 * the project; QVM names the program. */
#define _POSIX_C_SOURCE 200809L
#include <qvm.h>

#include <check.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define BOARD "@configs/test-arm64.qvmconf"
#define HELLO "configs/hello-arm64.qvmconf"

struct seen {
    char printed[8192];
    size_t size;
    unsigned exits, hypervisor_calls, from_pl011;
    uint64_t stops_at_exit; /* its number; 0: none */
    struct qvm_machine *machine;
    struct qvm_error refused;
    char log[1024], file[64];
};

static void on_output(void *context, unsigned vm, const char *device, const void *data, size_t size)
{
    struct seen *s = context;
    ck_assert_uint_eq(vm, 0);
    ck_assert(*device);
    for (size_t i = 0; i < size && s->size + 1 < sizeof s->printed; i++)
        s->printed[s->size++] = ((const char *)data)[i];
}

static void on_exit_of_guest(void *context, const struct qvm_exit *x)
{
    struct seen *s = context;
    char byte;
    s->exits++;
    s->hypervisor_calls += strcmp(x->reason, "hvc") == 0;
    s->from_pl011 += strcmp(x->handler, "pl011") == 0 && x->guest_physical >> 12 == 0x9000;
    if (s->exits == s->stops_at_exit) {
        ck_assert(
            !qvm_read_memory(s->machine, 0, 0, QVM_PHYSICAL, 0x40000000, &byte, 1, &s->refused));
        qvm_stop(s->machine);
    }
}

static void on_log(void *context, unsigned vm, const char *severity, const char *line)
{
    struct seen *s = context;
    (void)vm;
    snprintf(s->log, sizeof s->log, "%s: %s", severity, line);
}

static bool on_file(void *context, const char *folder, const char *name, const void *data,
                    size_t size)
{
    struct seen *s = context;
    ck_assert(!folder && data && size);
    snprintf(s->file, sizeof s->file, "%s", name);
    return true;
}

static struct qvm_options watched_by(struct seen *s)
{
    *s = (struct seen){.size = 0};
    return (struct qvm_options){.size = sizeof(struct qvm_options),
                                .callbacks = {.output = on_output,
                                              .guest_exit = on_exit_of_guest,
                                              .log = on_log,
                                              .file = on_file,
                                              .context = s}};
}

static struct qvm_machine *load(const char *path, const struct qvm_options *o)
{
    struct qvm_error e = {0};
    struct qvm_machine *m = qvm_load_file(path, o, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    return m;
}

static struct qvm_machine *load_words(const char *a, const char *b, const struct qvm_options *o)
{
    struct qvm_error e = {0};
    const char *const words[] = {a, b};
    const struct qvm_words vm = {words, 2};
    struct qvm_machine *m = qvm_load(&vm, 1, o, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    return m;
}

static void run_to(struct qvm_machine *m, uint64_t instructions, enum qvm_stop expected)
{
    struct qvm_error e = {0};
    ck_assert_msg(qvm_run(m, instructions, &e) == expected, "%s", e.text);
}

static void digest_of(struct qvm_machine *m, char text[QVM_DIGEST_SIZE])
{
    ck_assert(qvm_digest(m, text, NULL));
    ck_assert_uint_eq(strlen(text), QVM_DIGEST_SIZE - 1);
}

static uint64_t register_of(struct qvm_machine *m, const char *name)
{
    struct qvm_register r;
    struct qvm_error e = {0};
    ck_assert_msg(qvm_read_register(m, 0, 0, name, &r, &e), "%s", e.text);
    return r.low;
}

/* What `qvm run` says of the same; the digest is its last word. */
static void digest_of_program(const char *words, char text[QVM_DIGEST_SIZE])
{
    char command[512], line[2048], last[2048] = "";
    const char *program = getenv("QVM");
    snprintf(command, sizeof command, "'%s' run --no-record %s </dev/null 2>&1 >/dev/null",
             program ? program : "build/release/qvm", words);
    FILE *f = popen(command, "r");
    ck_assert(f != NULL);
    while (fgets(line, sizeof line, f))
        strcpy(last, line);
    pclose(f);
    const char *digest = strstr(last, ", digest ");
    ck_assert_msg(digest && strlen(digest) == 9 + QVM_DIGEST_SIZE, "%s", last);
    snprintf(text, QVM_DIGEST_SIZE, "%.64s", digest + 9);
}

START_TEST(a_run_is_that_of_the_program)
{
    struct seen seen;
    struct qvm_options o = watched_by(&seen);
    char ours[QVM_DIGEST_SIZE], programs[QVM_DIGEST_SIZE];
    struct qvm_machine *m = load(HELLO, &o);
    ck_assert_int_eq(qvm_exit_status(m), -1);
    ck_assert_str_eq(qvm_ending(m, 0), "");
    run_to(m, QVM_FOR_EVER, QVM_STOP_END);
    digest_of(m, ours);
    digest_of_program(HELLO, programs);
    ck_assert_str_eq(ours, programs);
    ck_assert_str_eq(seen.printed, "Hello from EL1\n");
    ck_assert_str_eq(qvm_ending(m, 0), "the guest powered off");
    ck_assert_int_eq(qvm_exit_status(m), 0);
    ck_assert_uint_eq(qvm_instructions(m), 66);
    ck_assert_uint_eq(qvm_time_ns(m), 66);
    ck_assert_uint_eq(qvm_vm_count(m), 1);
    ck_assert_uint_eq(qvm_vcpu_count(m, 0), 1);
    ck_assert_uint_eq(qvm_vcpu_count(m, 1), 0);
    ck_assert_ptr_null(qvm_ending(m, 1));
    run_to(m, QVM_FOR_EVER, QVM_STOP_END); /* nothing more */
    qvm_free(m);
}
END_TEST

START_TEST(callbacks_see_exits_and_may_stop)
{
    struct seen seen;
    struct qvm_options o = watched_by(&seen);
    struct qvm_machine *m = load(HELLO, &o);
    seen.machine = m;
    seen.stops_at_exit = 3;
    run_to(m, QVM_FOR_EVER, QVM_STOP_ASKED);
    ck_assert_uint_eq(seen.exits, 3);
    ck_assert_int_eq(seen.refused.status, QVM_USAGE);
    ck_assert_str_eq(seen.refused.text, "the machine runs: callbacks may only stop it");
    ck_assert_int_eq(qvm_run_to_exit(m, QVM_FOR_EVER, NULL), QVM_STOP_EXIT);
    ck_assert_uint_eq(seen.exits, 4);
    run_to(m, QVM_FOR_EVER, QVM_STOP_END);
    ck_assert_uint_ge(seen.from_pl011, strlen("Hello from EL1\n"));
    qvm_free(m);
}
END_TEST

START_TEST(runs_end_where_they_shall)
{
    char straight[QVM_DIGEST_SIZE], stepped[QVM_DIGEST_SIZE];
    struct qvm_machine *m = load(HELLO, NULL);
    uint64_t first = register_of(m, "pc");
    run_to(m, 1, QVM_STOP_INSTRUCTION);
    ck_assert_uint_eq(register_of(m, "PC"), first + 4);
    ck_assert_uint_eq(qvm_instructions(m), 1);
    for (uint64_t i = 2; i < 66; i++)
        run_to(m, i, QVM_STOP_INSTRUCTION);
    run_to(m, 5, QVM_STOP_INSTRUCTION); /* it is beyond that */
    ck_assert_uint_eq(qvm_instructions(m), 65);
    run_to(m, QVM_FOR_EVER, QVM_STOP_END);
    digest_of(m, stepped);
    qvm_free(m);
    m = load(HELLO, NULL);
    run_to(m, QVM_FOR_EVER, QVM_STOP_END);
    digest_of(m, straight);
    ck_assert_str_eq(stepped, straight);
    qvm_free(m);
}
END_TEST

START_TEST(texts_end_runs)
{
    struct seen seen;
    struct qvm_options o = watched_by(&seen);
    struct qvm_error e = {0};
    struct qvm_machine *m = load(HELLO, &o);
    ck_assert_int_eq(qvm_run_to_text(m, "from", QVM_FOR_EVER, &e), QVM_STOP_TEXT);
    ck_assert_str_eq(seen.printed, "Hello from");
    ck_assert_int_eq(qvm_run_to_text(m, "never", QVM_FOR_EVER, &e), QVM_STOP_END);
    ck_assert_int_eq(qvm_run_to_text(m, "", QVM_FOR_EVER, &e), QVM_STOP_ERROR);
    ck_assert_int_eq(e.status, QVM_USAGE);
    qvm_free(m);
}
END_TEST

START_TEST(limits_end_machines)
{
    struct seen seen;
    struct qvm_options o = watched_by(&seen);
    o.limit_instructions = 1000;
    struct qvm_machine *m = load_words(BOARD, "load build/guests/tests/endless.elf", &o);
    run_to(m, QVM_FOR_EVER, QVM_STOP_END);
    ck_assert_int_eq(qvm_exit_status(m), 67);
    ck_assert_uint_eq(qvm_instructions(m), 1000);
    ck_assert_ptr_nonnull(strstr(qvm_ending(m, 0), "instruction limit reached"));
    qvm_free(m);
}
END_TEST

START_TEST(input_reaches_the_guest)
{
    struct seen seen;
    struct qvm_options o = watched_by(&seen);
    struct qvm_error e = {0};
    char once[QVM_DIGEST_SIZE], again[QVM_DIGEST_SIZE];
    for (int i = 0; i < 2; i++) {
        o = watched_by(&seen);
        struct qvm_machine *m = load_words(BOARD, "load build/guests/tests/echo.elf", &o);
        ck_assert_int_eq(qvm_run_to_text(m, "> ", QVM_FOR_EVER, &e), QVM_STOP_TEXT);
        ck_assert(qvm_input(m, 0, NULL, "ab", 2, &e));
        ck_assert_int_eq(qvm_run_to_text(m, "ab", QVM_FOR_EVER, &e), QVM_STOP_TEXT);
        ck_assert(qvm_input(m, 0, "pl011", "\nq", 2, &e));
        run_to(m, QVM_FOR_EVER, QVM_STOP_END);
        ck_assert_str_eq(seen.printed, "> ab\n> q");
        digest_of(m, i ? again : once);
        ck_assert(!qvm_input(m, 0, "uart", "x", 1, &e));
        ck_assert_str_eq(e.text, "VM 'test' has no console 'uart'");
        qvm_free(m);
    }
    ck_assert_str_eq(once, again);
}
END_TEST

/* Nobody in the guest has the port open, so what is sent to it waits, and is state. */
START_TEST(input_for_a_port)
{
    struct qvm_error e = {0};
    char without[QVM_DIGEST_SIZE], with[QVM_DIGEST_SIZE];
    for (int i = 0; i < 2; i++) {
        struct qvm_machine *m = load_words(
            BOARD,
            "load build/guests/tests/endless.elf vdev virtio-console name con loc 0x0a003e00 "
            "intr gic:79 port log",
            NULL);
        ck_assert(!qvm_input(m, 0, "con.lo", "x", 1, &e));
        ck_assert_str_eq(e.text, "VM 'test' has no console 'con.lo'");
        ck_assert(qvm_input(m, 0, "con.log", "x", (size_t)i, &e));
        run_to(m, 100000, QVM_STOP_INSTRUCTION);
        digest_of(m, i ? with : without);
        qvm_free(m);
    }
    ck_assert_str_ne(without, with);
}
END_TEST

START_TEST(who_waits_for_input_is_told)
{
    struct seen seen;
    struct qvm_options o = watched_by(&seen);
    struct qvm_error e = {0};
    struct qvm_machine *m =
        load_words("@tests/guest/vms/actor.qvmconf", "cmdline \"say before wait\"", &o);
    run_to(m, QVM_FOR_EVER, QVM_STOP_WAITS);
    ck_assert_str_eq(seen.printed, "before\n");
    ck_assert(qvm_input(m, 0, NULL, "nobody reads this", 17, &e));
    run_to(m, QVM_FOR_EVER, QVM_STOP_WAITS);
    qvm_end_input(m);
    run_to(m, QVM_FOR_EVER, QVM_STOP_END);
    ck_assert_ptr_nonnull(strstr(qvm_ending(m, 0), "every vCPU waits and nothing will wake it"));
    qvm_free(m);
}
END_TEST

START_TEST(snapshots_go_back)
{
    struct seen seen;
    struct qvm_options o = watched_by(&seen);
    struct qvm_error e = {0};
    char first[QVM_DIGEST_SIZE], there[QVM_DIGEST_SIZE], now[QVM_DIGEST_SIZE];
    struct qvm_machine *m = load_words(BOARD, "load build/guests/tests/lazyfp.elf", &o);
    run_to(m, 700000, QVM_STOP_INSTRUCTION);
    digest_of(m, there);
    struct qvm_snapshot *s = qvm_snapshot_take(m, &e);
    ck_assert_msg(s != NULL, "%s", e.text);
    run_to(m, QVM_FOR_EVER, QVM_STOP_END);
    digest_of(m, first);
    for (int i = 0; i < 3; i++) {
        ck_assert_msg(qvm_snapshot_restore(m, s, &e), "%s", e.text);
        ck_assert_uint_eq(qvm_instructions(m), 700000);
        ck_assert_int_eq(qvm_exit_status(m), -1);
        digest_of(m, now);
        ck_assert_str_eq(now, there);
        run_to(m, i ? QVM_FOR_EVER : 900000, i ? QVM_STOP_END : QVM_STOP_INSTRUCTION);
    }
    digest_of(m, now);
    ck_assert_str_eq(now, first);
    /* Another machine goes on from it, and still does when the snapshot is gone. */
    struct qvm_machine *other = load_words(BOARD, "load build/guests/tests/lazyfp.elf", NULL);
    ck_assert_msg(qvm_snapshot_restore(other, s, &e), "%s", e.text);
    qvm_snapshot_free(s);
    qvm_free(m);
    run_to(other, QVM_FOR_EVER, QVM_STOP_END);
    digest_of(other, now);
    ck_assert_str_eq(now, first);
    qvm_free(other);
    qvm_snapshot_free(NULL);
}
END_TEST

START_TEST(snapshots_of_other_machines_are_refused)
{
    struct qvm_error e = {0};
    struct qvm_machine *m = load(HELLO, NULL),
                       *other =
                           load_words(BOARD, "cpu cpu load build/guests/tests/hello.elf", NULL);
    struct qvm_snapshot *s = qvm_snapshot_take(other, &e);
    ck_assert(!qvm_snapshot_restore(m, s, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "the snapshot is damaged"));
    ck_assert_int_eq(qvm_run(m, 1, &e), QVM_STOP_ERROR);
    ck_assert_str_eq(e.text, "the machine has failed before, and is of no use");
    qvm_snapshot_free(s);
    qvm_free(other);
    qvm_free(m);
}
END_TEST

START_TEST(memory_can_be_read_and_written)
{
    struct qvm_error e = {0};
    uint8_t code[4], page[8192], back[8192];
    struct qvm_machine *m = load(HELLO, NULL);
    uint64_t pc = register_of(m, "pc");
    ck_assert(qvm_read_memory(m, 0, 0, QVM_VIRTUAL, pc, code, 4, &e));
    ck_assert(qvm_read_memory(m, 0, 0, QVM_PHYSICAL, pc, back, 4, &e));
    ck_assert_mem_eq(code, back, 4);
    memset(page, 0x5a, sizeof page);
    ck_assert(qvm_write_memory(m, 0, 0, QVM_PHYSICAL, 0x42000ff0, page, sizeof page, &e));
    ck_assert(qvm_read_memory(m, 0, 0, QVM_PHYSICAL, 0x42000ff0, back, sizeof back, &e));
    ck_assert_mem_eq(page, back, sizeof page);
    ck_assert(!qvm_read_memory(m, 0, 0, QVM_PHYSICAL, 0x47fffff0, back, 32, &e));
    ck_assert_int_eq(e.status, QVM_USAGE);
    ck_assert_str_eq(e.text, "there is no memory at guest-physical address 0x48000000");
    ck_assert(!qvm_read_memory(m, 0, 0, QVM_PHYSICAL, 0x09000000, back, 4, &e));
    ck_assert(!qvm_read_memory(m, 1, 0, QVM_PHYSICAL, pc, back, 4, &e));
    ck_assert_str_eq(e.text, "the board has 1 VM: there is no number 1");
    ck_assert(!qvm_read_memory(m, 0, 1, QVM_PHYSICAL, pc, back, 4, &e));
    ck_assert_str_eq(e.text, "VM 'hello' has 1 vCPU: there is no number 1");
    /* A branch to itself, where it has run already. */
    const uint8_t stay[] = {0x00, 0x00, 0x00, 0x14};
    run_to(m, 10, QVM_STOP_INSTRUCTION);
    pc = register_of(m, "pc");
    ck_assert(qvm_write_memory(m, 0, 0, QVM_VIRTUAL, pc, stay, 4, &e));
    run_to(m, 1000, QVM_STOP_INSTRUCTION);
    ck_assert_uint_eq(register_of(m, "pc"), pc);
    qvm_free(m);
}
END_TEST

START_TEST(registers_have_names)
{
    struct qvm_error e = {0};
    struct qvm_register r = {1234, 0};
    struct qvm_machine *m = load(HELLO, NULL);
    unsigned count = 0;
    bool has_sp = false;
    for (const char *name; (name = qvm_register_name(m, 0, count)); count++)
        has_sp |= strcmp(name, "sp") == 0;
    ck_assert(has_sp && count > 60);
    ck_assert_ptr_null(qvm_register_name(m, 1, 0));
    ck_assert(qvm_write_register(m, 0, 0, "x7", &r, &e));
    ck_assert_uint_eq(register_of(m, "X7"), 1234);
    r = (struct qvm_register){1, 2};
    ck_assert(qvm_write_register(m, 0, 0, "v3", &r, &e));
    r = (struct qvm_register){0, 0};
    ck_assert(qvm_read_register(m, 0, 0, "v3", &r, &e));
    ck_assert(r.low == 1 && r.high == 2);
    ck_assert(!qvm_write_register(m, 0, 0, "SCTLR_EL1", &r, &e));
    ck_assert_str_eq(e.text, "SCTLR_EL1 is a system register, which only the guest sets");
    ck_assert(!qvm_read_register(m, 0, 0, "rax", &r, &e));
    ck_assert_str_eq(e.text, "arm64 has no register 'rax'");
    qvm_free(m);
}
END_TEST

START_TEST(addresses_are_explained)
{
    struct qvm_error e = {0};
    char text[4096], little[8];
    struct qvm_machine *m = load(HELLO, NULL);
    size_t size =
        qvm_explain(m, 0, 0, QVM_PHYSICAL, QVM_WRITE, 0x09000000, false, text, sizeof text, &e);
    ck_assert_uint_gt(size, 0);
    ck_assert_uint_eq(strlen(text), size);
    ck_assert_ptr_nonnull(strstr(text, "pl011"));
    ck_assert_uint_eq(
        qvm_explain(m, 0, 0, QVM_PHYSICAL, QVM_WRITE, 0x09000000, false, little, sizeof little, &e),
        size);
    ck_assert_uint_eq(strlen(little), sizeof little - 1);
    ck_assert_uint_gt(qvm_explain(m, 0, 0, QVM_VIRTUAL, QVM_FETCH, register_of(m, "pc"), true, text,
                                  sizeof text, &e),
                      0);
    ck_assert_int_eq(text[0], '{');
    ck_assert_uint_eq(qvm_explain(m, 0, 0, QVM_VIRTUAL, 7, 0, true, text, sizeof text, &e), 0);
    ck_assert_str_eq(e.text, "7 is no kind of access");
    qvm_free(m);
}
END_TEST

START_TEST(mistakes_are_said)
{
    struct qvm_error e = {0};
    struct qvm_options o = {.size = 1};
    ck_assert_ptr_null(qvm_load_text("ram 0x40000000,128M\nvdev pl01 loc 1", NULL, &e));
    ck_assert_int_eq(e.status, QVM_CONFIGURATION);
    ck_assert_msg(strncmp(e.text, "[cmdline:", 9) == 0, "%s", e.text);
    ck_assert_ptr_null(qvm_load_file("tests/library/bad.qvmconf", NULL, &e));
    ck_assert_int_eq(e.status, QVM_CONFIGURATION);
    ck_assert_msg(strncmp(e.text, "[bad.qvmconf:3] ", 16) == 0, "%s", e.text);
    ck_assert_ptr_null(qvm_load_file("no/such.qvmconf", NULL, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "no/such.qvmconf"));
    ck_assert_ptr_null(qvm_load_text("ram 0x40000000,16M load no/image", NULL, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "no/image"));
    ck_assert_ptr_null(qvm_load(NULL, 0, NULL, &e));
    ck_assert_int_eq(e.status, QVM_USAGE);
    ck_assert_ptr_null(qvm_load_file(HELLO, &o, &e));
    ck_assert_str_eq(e.text, "qvm_options.size is 1, not what sizeof says");
    ck_assert_ptr_null(qvm_load_text("nonsense", NULL, NULL)); /* nobody wants to know why */
    qvm_free(NULL);
}
END_TEST

/* How much address space this process has. */
static uint64_t bytes_used(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    ck_assert(f && fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Wherever it runs out: the call fails, the process lives, and later there is a machine. */
START_TEST(shortages_are_errors)
{
    struct rlimit before, limit;
    unsigned refused = 0;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    limit = before;
    uint64_t used = bytes_used();
    for (uint64_t more = 0; more < (uint64_t)96 << 20; more += (uint64_t)3 << 20) {
        struct qvm_error e = {0};
        limit.rlim_cur = (rlim_t)(used + more);
        ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
        struct qvm_machine *m = qvm_load_file(HELLO, NULL, &e);
        ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
        refused += m == NULL;
        ck_assert_msg(m || (e.status == QVM_NOT_STARTED && *e.text), "%d: %s", e.status, e.text);
        qvm_free(m);
    }
    ck_assert_uint_gt(refused, 10);
    struct qvm_machine *m = load(HELLO, NULL);
    run_to(m, QVM_FOR_EVER, QVM_STOP_END);
    qvm_free(m);
}
END_TEST

START_TEST(files_and_logs_are_the_callers)
{
    struct seen seen;
    struct qvm_options o = watched_by(&seen);
    struct qvm_error e = {0};
    struct qvm_machine *m =
        load_words("@" HELLO, "set fdt-dump-file /no/such/folder/tree logger info stdout", &o);
    run_to(m, QVM_FOR_EVER, QVM_STOP_END);
    ck_assert_str_eq(seen.file, "/no/such/folder/tree");
    qvm_free(m);
    const struct qvm_words vm = {(const char *const[]){"@" HELLO, "set fdt-dump-file tree"}, 2};
    m = qvm_load(&vm, 1, NULL, &e);
    ck_assert_msg(m || strstr(e.text, "does not take the file 'tree'"), "%s", e.text);
    qvm_free(m);
}
END_TEST

/* Two threads ------------------------------------------------------------------------------------
 */

struct work {
    const char *words;
    char digest[QVM_DIGEST_SIZE], printed[8192];
};

/* In pieces, with a snapshot between, several times over. */
static void *work(void *context)
{
    struct work *w = context;
    for (int i = 0; i < 3; i++) {
        struct seen seen;
        const struct qvm_options o = watched_by(&seen);
        struct qvm_error e;
        struct qvm_machine *m = load_words(BOARD, w->words, &o);
        run_to(m, 100000, QVM_STOP_INSTRUCTION);
        struct qvm_snapshot *s = qvm_snapshot_take(m, &e);
        run_to(m, 120000, QVM_STOP_INSTRUCTION);
        ck_assert(qvm_snapshot_restore(m, s, &e));
        qvm_snapshot_free(s);
        ck_assert_int_eq(qvm_run(m, QVM_FOR_EVER, &e), QVM_STOP_END);
        digest_of(m, w->digest);
        snprintf(w->printed, sizeof w->printed, "%s", seen.printed);
        qvm_free(m);
    }
    return NULL;
}

START_TEST(threads_do_not_see_each_other)
{
    static struct work works[] = {{.words = "load build/guests/tests/lazyfp.elf"},
                                  {.words = "load build/guests/tests/timers.elf"},
                                  {.words = "load build/guests/tests/lazyfp.elf"}};
    enum { COUNT = sizeof works / sizeof works[0] };
    pthread_t threads[COUNT];
    char alone[QVM_DIGEST_SIZE];
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &works[i]), 0);
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < COUNT; i++) {
        char words[256];
        snprintf(words, sizeof words, "configs/test-arm64.qvmconf %s", works[i].words);
        digest_of_program(words, alone);
        ck_assert_str_eq(works[i].digest, alone);
    }
    ck_assert_str_eq(works[0].printed, works[2].printed);
}
END_TEST

static struct qvm_machine *handed_over;

static void *run_on(void *context)
{
    run_to(handed_over, QVM_FOR_EVER, QVM_STOP_END);
    return context;
}

START_TEST(machines_go_from_thread_to_thread)
{
    char here[QVM_DIGEST_SIZE], there[QVM_DIGEST_SIZE];
    pthread_t thread;
    struct qvm_machine *m = load_words(BOARD, "load build/guests/tests/lazyfp.elf", NULL);
    run_to(m, QVM_FOR_EVER, QVM_STOP_END);
    digest_of(m, here);
    qvm_free(m);
    handed_over = load_words(BOARD, "load build/guests/tests/lazyfp.elf", NULL);
    run_to(handed_over, 500000, QVM_STOP_INSTRUCTION);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_on, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    digest_of(handed_over, there);
    ck_assert_str_eq(here, there);
    qvm_free(handed_over);
}
END_TEST

START_TEST(versions_agree)
{
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", QVM_VERSION_MAJOR, QVM_VERSION_MINOR,
             QVM_VERSION_PATCH);
    ck_assert_str_eq(qvm_version(), text);
    ck_assert(qvm_runs_guests());
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("library");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, versions_agree);
    tcase_add_test(t, a_run_is_that_of_the_program);
    tcase_add_test(t, callbacks_see_exits_and_may_stop);
    tcase_add_test(t, runs_end_where_they_shall);
    tcase_add_test(t, texts_end_runs);
    tcase_add_test(t, limits_end_machines);
    tcase_add_test(t, input_reaches_the_guest);
    tcase_add_test(t, input_for_a_port);
    tcase_add_test(t, who_waits_for_input_is_told);
    tcase_add_test(t, snapshots_go_back);
    tcase_add_test(t, snapshots_of_other_machines_are_refused);
    tcase_add_test(t, memory_can_be_read_and_written);
    tcase_add_test(t, registers_have_names);
    tcase_add_test(t, addresses_are_explained);
    tcase_add_test(t, mistakes_are_said);
    tcase_add_test(t, shortages_are_errors);
    tcase_add_test(t, files_and_logs_are_the_callers);
    tcase_add_test(t, threads_do_not_see_each_other);
    tcase_add_test(t, machines_go_from_thread_to_thread);
    Suite *s = suite_create("library");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
