/* Fuzzes the machine's state in a snapshot. An input is a list of changes to the state of a machine
 * that has run: which part, where in it, how many bytes, the bytes. What is restored is a state
 * like any other: saved and restored again it is the same, and the machine runs on to an end. */
#include <string.h>

#include "emu/check.h"
#include "hv/hv_internal.h"
#include "hv/snapshot/state_parts.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/machine.h"

#define CUT 0xff /* in place of a part: the state ends there */

static struct bytes exit_log; /* the guest's, before and behind the snapshot */
static struct bytes good;     /* the machine's state when half of that has happened */
static struct state_parts parts;
static size_t parts_at; /* where they begin in `good` */

/* With a sporadic vCPU. */
static void open_machine(struct fuzz_machine *m)
{
    static const char sporadic[] = " cpu sched 10,5,2,1000000,1000s";
    char words[1024];
    struct error e = {0};
    size_t size = strlen(fuzz_machine_words);
    CHECK(size + sizeof sporadic <= sizeof words);
    memcpy(words, fuzz_machine_words, size);
    memcpy(words + size, sporadic, sizeof sporadic);
    CHECK(fuzz_machine_open(m, words, &exit_log, NULL, &e));
}

/* Where values begin that are no elements of rows. */
static struct {
    size_t at[4096], count;
} values;

static void add_value(void *context, const struct state_item *item)
{
    (void)context;
    CHECK(values.count < sizeof values.at / sizeof values.at[0]);
    if (!strchr(item->name, '['))
        values.at[values.count++] = item->offset;
}

static void make_good(void)
{
    struct fuzz_machine m;
    struct bytes state = {0};
    if (good.size)
        return;
    fuzz_put_run(&exit_log);
    open_machine(&m);
    board_run_to(m.board, 45);
    const struct state_listener listener = {.item = add_value};
    struct state whole = state_telling(&good, &listener);
    snapshot_visit_machine(m.board, &whole);
    state_parts_save(m.board, &state, &parts);
    for (parts_at = 0; memcmp(good.data + parts_at, state.data, state.size) != 0; parts_at++)
        CHECK(parts_at < good.size - state.size);
    bytes_free(&state);
    fuzz_machine_close(&m);
}

/* The bytes that change number `part` may reach: of a part of the state, or all of them. */
static void place(unsigned part, size_t *begin, size_t *size)
{
    *begin = 0;
    *size = good.size;
    if (part < parts.count) {
        *begin = parts_at + parts.list[part].begin;
        *size = parts.list[part].end - parts.list[part].begin;
    }
}

static void change(struct bytes *state, const uint8_t *data, size_t size)
{
    struct reader in = reader_of(data, size);
    while (!reader_at_end(&in)) {
        unsigned part = (unsigned)reader_int(&in, 1);
        uint64_t offset = reader_varint(&in), count = reader_int(&in, 1) & 15;
        const uint8_t *bytes = reader_bytes(&in, (size_t)count);
        size_t begin, room;
        place(part, &begin, &room);
        if (!bytes || !room)
            return;
        offset %= room;
        if (part == CUT)
            state->size = (size_t)offset;
        for (size_t i = 0; i < count && i < room - offset; i++)
            if (begin + offset + i < state->size)
                state->data[begin + offset + i] = bytes[i];
    }
}

static bool restore(struct board *b, const struct bytes *state)
{
    struct reader in = reader_of(state->data, state->size);
    return snapshot_restore_machine(b, &in) && reader_at_end(&in) && !in.failed;
}

/* Every register of every device once. */
static void ask_devices(struct vm *vm)
{
    enum { STEP = 20 };
    for (size_t i = 0; i < vm->bus.count; i++) {
        const struct bus_region r = vm->bus.regions[i];
        for (uint64_t at = 0; at < r.size && at < 0x10000 && i < vm->bus.count; at += STEP) {
            struct bus_access a = {.size = 4, .value = at};
            bus_access(&vm->bus, gpa(r.base + at), &a);
        }
    }
}

static void check_same(struct board *b)
{
    struct bytes once = {0}, twice = {0};
    snapshot_save_machine(b, &once);
    CHECK(restore(b, &once));
    snapshot_save_machine(b, &twice);
    CHECK(once.size == twice.size && memcmp(once.data, twice.data, once.size) == 0);
    bytes_free(&once);
    bytes_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_machine m;
    struct bytes state = {0};
    make_good();
    bytes_put(&state, good.data, good.size);
    change(&state, data, size);
    open_machine(&m);
    if (restore(m.board, &state)) {
        check_same(m.board);
        for (unsigned i = 0; i < m.board->vms[0]->vcpu_count; i++) {
            struct vcpu_registers r;
            vcpu_read_registers(m.board->vms[0]->vcpus[i], m.board->current, &r);
        }
        ask_devices(m.board->vms[0]);
        fuzz_machine_run(&m);
        board_digest(m.board);
    }
    fuzz_machine_close(&m);
    bytes_free(&state);
    return 0;
}

static void put_change(struct bytes *out, size_t part, size_t offset, unsigned value)
{
    bytes_put_int(out, part, 1);
    bytes_put_varint(out, offset);
    bytes_put_int(out, 1, 1);
    bytes_put_int(out, value, 1);
}

#define OF_PARTS 12

/* Nothing; the first, second, ... byte of each part another one; each value more than it may be. */
bool fuzz_seed(unsigned number, struct bytes *out)
{
    make_good();
    for (size_t i = 0; number && number < OF_PARTS && i < parts.count; i++)
        put_change(out, i, 7 * (size_t)(number - 1), number);
    if (number >= OF_PARTS && number - OF_PARTS < values.count)
        put_change(out, parts.count, values.at[number - OF_PARTS], 0xff);
    return number < OF_PARTS + values.count;
}
