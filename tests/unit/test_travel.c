/* Snapshots and time travel on the real engine: a small program that writes many pages and uses an
 * exclusive pair, so that a state which is not restored whole shows within a few instructions. */
#include <stdio.h>

#include "cpu/arm64/arm64.h"
#include "hv/hv_internal.h"
#include "hv/explain/inspect.h"
#include "hv/snapshot/snapshot.h"
#include "hv/snapshot/timeline.h"
#include "test_board_fixture.h"

/* Four NOPs, so that the loop has its own line of code; x1 = 0x40100000; for (x0 = 1;; x0++): x3 =
 * x1 + page (x0 & 255), [x3] += x0, [x1]++ by an exclusive pair, x7 counts pairs that failed. */
static const uint32_t program[] = {
    0xd503201f, 0xd503201f, 0xd503201f, 0xd503201f, 0xd2a80001, 0x91440021, 0xd2800000,
    0x91000400, 0x92401c02, 0xd374cc42, 0x8b020023, 0xf9400064, 0x8b000084, 0xf9000064,
    0xc85f7c25, 0x910004a5, 0xc8067c25, 0x34000046, 0x910004e7, 0x17fffff4,
};
enum { NOPS = 0, LOOP = 7, STORE = 13, LOAD_EXCLUSIVE = 14 };
#define LOAD      0x40000000u
#define AT(index) (LOAD + 4 * (uint64_t)(index))

static void open_machine(struct machine *m)
{
    machine_open(m, program, sizeof program / sizeof program[0], 1);
}

static struct digest digest_at(struct machine *m, uint64_t instructions)
{
    ck_assert(!board_run_to(m->board, instructions));
    ck_assert_uint_eq(m->board->vtime.instructions, instructions);
    return board_digest(m->board);
}

static bool equal(struct digest a, struct digest b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

/* A snapshot at each of the instructions of an iteration, exclusive pair included. */
START_TEST(snapshot_goes_on_exactly)
{
    struct machine first, second;
    struct bytes snapshot = {0};
    struct error e = {0};
    uint64_t at = 3 + 13 * 500 + (uint64_t)_i;
    open_machine(&first);
    digest_at(&first, at);
    snapshot_take(first.board, &snapshot);
    struct digest later = digest_at(&first, at + 10007);
    open_machine(&second);
    ck_assert_msg(snapshot_restore(second.board, snapshot.data, snapshot.size, &e), "%s", e.text);
    ck_assert_uint_eq(second.board->vtime.instructions, at);
    ck_assert(equal(digest_at(&second, at + 10007), later));
    /* And again into the machine that went on. */
    ck_assert(snapshot_restore(first.board, snapshot.data, snapshot.size, &e));
    ck_assert(equal(digest_at(&first, at + 10007), later));
    bytes_free(&snapshot);
    machine_close(&first);
    machine_close(&second);
}
END_TEST

/* From x20 on, an instruction after the other that is not executed, and handlers for it: branches
 * to where nothing is, to misaligned places there and in RAM, UDF, SVC, the end of RAM; then BRK to
 * a handler that branches to where nothing is until it was entered four times. The same for ever.
 */
static const uint32_t chains[] = {
    0x14000090,           [0x80] = 0x91000484, 0xd5184034, 0xd69f03e0, [0x90] = 0xd2a807e9,
    0xf29fff09,           0x528403ea,          0x72baa06a, 0x2900292a, 0xd2a12001,
    0x91000823,           0x10ffff22,          0x91000842, 0x1000000b, 0x9270bd6b,
    0x9120016c,           0xd518c00b,          0x91000400, 0x10000054, 0xd61f0020,
    0x10000054,           0x00000007,          0x10000054, 0xd61f0040, 0x10000054,
    0xd61f0060,           0x10000054,          0xd4000021, 0x10000054, 0xd61f0120,
    0x10000074,           0xd518c00c,          0xd4200020, 0xd518c00b, 0x17ffffef,
    [0x280] = 0x910004a5, 0x924004a6,          0xb4000046, 0xd61f0020, 0xd5184034,
    0xd69f03e0,
};

/* for (x0 = 1; x0 < 8; x0++); UDF, with VBAR_EL1 = 0, where nothing is. */
static const uint32_t dead_end[] = {0xd2a12001, 0x91000400, 0x361fffe0, 0x00000007};

static const struct {
    struct image image;
    size_t vms;
    uint64_t ends; /* so many instructions are known to it, by all VMs; or it goes on */
} unfetched[] = {
    {{chains, sizeof chains / sizeof chains[0]}, 1, 400},
    {{chains, sizeof chains / sizeof chains[0]}, 2, 800},
    {{dead_end, sizeof dead_end / sizeof dead_end[0]}, 1, 19},
    {{dead_end, sizeof dead_end / sizeof dead_end[0]}, 2, 38},
};

/* An exception and the vector's that cannot be fetched are two steps; a branch and its target, too.
 */
START_TEST(each_attempt_is_a_step)
{
    struct digest steps[800];
    uint64_t ends = unfetched[_i].ends;
    for (uint64_t every = 1; every <= ends; every = every == 7 ? ends : every + 1) {
        struct machine m;
        machine_open(&m, unfetched[_i].image.words, unfetched[_i].image.count, unfetched[_i].vms);
        for (uint64_t at = every; at <= ends; at += every) {
            struct digest there = digest_at(&m, at);
            if (every == 1)
                steps[at - 1] = there;
            ck_assert_msg(equal(there, steps[at - 1]), "at %d, by %d", (int)at, (int)every);
        }
        machine_close(&m);
    }
}
END_TEST

/* CNTKCTL_EL1 = an event each 8192 instructions; for (;;): WFE, 200 instructions, WFE, x2++. Who
 * was woken may have to wait for its turn, while the other one looks at its event register. */
static const uint32_t waiting[] = {0xd2801080, 0xd518e100, 0xd503205f, 0xd2800c81, 0xf1000421,
                                   0x54ffffe1, 0xd503205f, 0x91000442, 0x17fffffa};

/* The same, with a cycle counter that is set to 3000 before its end each time, and interrupts: in
 * idle time it is looked at too early. */
static const uint32_t counting[] = {
    0xd2801080, 0xd518e100, 0xd2800020, 0xd51b9c00, 0xd2b00000, 0xd51b9c20, 0xd5189e20, 0x128176e0,
    0xd51b9d00, 0xd503205f, 0xd2800c81, 0xf1000421, 0x54ffffe1, 0xd503205f, 0x91000442, 0x17fffff8};

static const struct image waiters[] = {
    {waiting, sizeof waiting / sizeof waiting[0]},
    {counting, sizeof counting / sizeof counting[0]},
};

START_TEST(who_waits_for_an_event_waits_on)
{
    struct machine all, parts;
    struct bytes snapshot = {0};
    struct error e = {0};
    machine_open(&all, waiters[_i].words, waiters[_i].count, 2);
    machine_open(&parts, waiters[_i].words, waiters[_i].count, 2);
    for (uint64_t at = 0; at < 8000; at += 61) {
        ck_assert(equal(digest_at(&parts, at), digest_at(&all, at)));
        bytes_clear(&snapshot);
        snapshot_take(parts.board, &snapshot);
        ck_assert_msg(snapshot_restore(parts.board, snapshot.data, snapshot.size, &e), "%s",
                      e.text);
    }
    bytes_free(&snapshot);
    machine_close(&all);
    machine_close(&parts);
}
END_TEST

/* Each leans on those before it: it is small, and restored from all of them. */
START_TEST(snapshots_in_a_row_are_small_and_exact)
{
    enum { COUNT = 40, EVERY = 53 };
    struct machine first, second;
    struct snapshot_chain chain = {{0}, 0};
    struct trace_snapshot row[COUNT] = {{0}};
    struct bytes data[COUNT] = {{0}};
    struct digest digests[COUNT];
    struct error e = {0};
    unsigned whole = 0;
    open_machine(&first);
    for (uint64_t i = 0; i < COUNT; i++) {
        digests[i] = digest_at(&first, 100000 + EVERY * i);
        snapshot_take_next(first.board, &chain, &data[i]);
        row[i] = (struct trace_snapshot){.data = data[i].data, .size = data[i].size, .before = i};
        whole += snapshot_is_whole(data[i].data, data[i].size);
    }
    ck_assert_uint_eq(whole, 2); /* the first, and one not to lean too far */
    ck_assert_uint_lt(data[1].size, data[0].size);
    open_machine(&second);
    for (size_t i = COUNT; i-- > 0;) {
        ck_assert_msg(snapshot_restore_from(second.board, &row[i], &e), "%s", e.text);
        ck_assert(equal(board_digest(second.board), digests[i]));
        memory_load(&second.board->memory); /* every page, with its hash checked */
        ck_assert(!second.board->memory.is_damaged);
        if (i + 1 < COUNT)
            ck_assert(equal(digest_at(&second, 100000 + EVERY * (i + 1)), digests[i + 1]));
    }
    /* One alone that leans on others is nothing. */
    if (snapshot_restore(second.board, row[1].data, row[1].size, &e)) {
        memory_load(&second.board->memory);
        ck_assert(second.board->memory.is_damaged);
    }
    for (size_t i = 0; i < COUNT; i++)
        bytes_free(&data[i]);
    snapshot_chain_free(&chain);
    machine_close(&first);
    machine_close(&second);
}
END_TEST

START_TEST(damaged_snapshots_are_refused)
{
    struct machine m;
    struct bytes snapshot = {0};
    struct error e = {0};
    open_machine(&m);
    digest_at(&m, 1000);
    snapshot_take(m.board, &snapshot);
    for (size_t size = 0; size < snapshot.size; size += snapshot.size / 37 + 1) {
        memset(&e, 0, sizeof e);
        ck_assert(!snapshot_restore(m.board, snapshot.data, size, &e));
        ck_assert_ptr_nonnull(strstr(e.text, "snapshot"));
    }
    snapshot.data[snapshot.size - 10] ^= 1; /* contents of a page: found when it is looked at */
    memset(&e, 0, sizeof e);
    ck_assert(snapshot_restore(m.board, snapshot.data, snapshot.size, &e));
    memory_load(&m.board->memory);
    ck_assert(m.board->memory.is_damaged);
    ck_assert(board_run_to(m.board, 2000)); /* the run has ended */
    ck_assert_int_eq(m.board->vms[0]->exit_status, STATUS_NOT_STARTED);
    bytes_free(&snapshot);
    machine_close(&m);
}
END_TEST

/* Loaded page by page, or all at once, or taken over by another snapshot: the same machine. */
START_TEST(memory_comes_when_it_is_looked_at)
{
    struct machine first, second;
    struct bytes snapshot = {0}, again = {0};
    struct error e = {0};
    open_machine(&first);
    struct digest there = digest_at(&first, 100000);
    snapshot_take(first.board, &snapshot);
    open_machine(&second);
    ck_assert(snapshot_restore(second.board, snapshot.data, snapshot.size, &e));
    ck_assert_uint_gt(second.board->memory.expected_pages, 200);
    ck_assert(equal(board_digest(second.board), there));
    ck_assert(!board_run_to(second.board, 100500)); /* some 40 of 256 pages */
    ck_assert_uint_gt(second.board->memory.expected_pages, 100);
    ck_assert(equal(board_digest(second.board), digest_at(&first, 100500)));
    ck_assert(snapshot_restore(second.board, snapshot.data, snapshot.size, &e));
    snapshot_take(second.board, &again);
    ck_assert_uint_eq(second.board->memory.expected_pages, 0);
    ck_assert_uint_eq(again.size, snapshot.size);
    ck_assert(memcmp(again.data, snapshot.data, snapshot.size) == 0);
    bytes_free(&snapshot);
    bytes_free(&again);
    machine_close(&first);
    machine_close(&second);
}
END_TEST

/* Anywhere, in any order, over several moments: what a straight run gives. With room for many
 * moments, for few, and for none but the first and the last. */
START_TEST(travel_is_exact)
{
    enum { PLACES = 40, SPAN = 30000000 };
    static struct digest straight[PLACES];
    static uint64_t places[PLACES];
    struct machine m;
    uint64_t random = 12345;
    open_machine(&m);
    for (unsigned i = 0; i < PLACES; i++) {
        places[i] = (uint64_t)i * (SPAN / PLACES) + (i * 7 + 3) % 13;
        straight[i] = digest_at(&m, places[i]);
    }
    machine_close(&m);
    open_machine(&m);
    static const size_t budgets[] = {TIMELINE_BUDGET, 4 << 20, 0};
    struct timeline *t = timeline_new(m.board, budgets[_i]);
    ck_assert(timeline_run_to(t, SPAN));
    for (unsigned k = 0; k < (_i == 2 ? 10 : 60); k++) { /* without moments each is a whole run */
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned i = (unsigned)(random >> 33) % PLACES;
        ck_assert(timeline_seek(t, places[i]));
        ck_assert_uint_eq(m.board->vtime.instructions, places[i]);
        ck_assert_msg(equal(board_digest(m.board), straight[i]), "at %llu",
                      (unsigned long long)places[i]);
    }
    timeline_free(t);
    machine_close(&m);
}
END_TEST

/* What a debugger wrote is still there on the way back from where the run went on to, and on the
 * way forwards from before it was written. */
START_TEST(travel_keeps_what_was_written)
{
    struct machine m;
    struct vcpu_registers r;
    open_machine(&m);
    struct timeline *t = timeline_new(m.board, TIMELINE_BUDGET);
    struct vcpu *v = m.board->vms[0]->vcpus[0];
    ck_assert(timeline_run_to(t, 1000));
    for (unsigned i = 20; i < 22; i++) { /* registers that the program does not use */
        vcpu_read_registers(v, m.board->current, &r);
        r.value[ARM64_X0 + i][0] = i;
        vcpu_write_registers(v, m.board->current, &r);
        timeline_fork(t);
    }
    ck_assert(timeline_run_to(t, 1100));
    ck_assert(timeline_seek(t, 1050));
    vcpu_read_registers(v, m.board->current, &r);
    ck_assert_uint_eq(r.value[ARM64_X0 + 20][0], 20);
    ck_assert_uint_eq(r.value[ARM64_X0 + 21][0], 21);
    struct digest changed = board_digest(m.board);
    ck_assert_uint_eq(timeline_next_fork(t, 0), 1000);
    ck_assert_uint_eq(timeline_next_fork(t, 1001), UINT64_MAX);
    ck_assert(timeline_seek(t, 999));
    vcpu_read_registers(v, m.board->current, &r);
    ck_assert_uint_eq(r.value[ARM64_X0 + 20][0], 0);
    ck_assert(timeline_run_to(t, 1050));
    ck_assert(equal(board_digest(m.board), changed));
    timeline_free(t);
    machine_close(&m);
}
END_TEST

static void use_points(struct machine *m, struct points *points)
{
    m->board->vms[0]->world.points = points;
    vcpu_points_changed(m->board->vms[0]->vcpus[0]);
    engine_flush_tlb(m->board->engine);
}

/* Of every stretch, also of one that began where the page was in use already. */
START_TEST(footprints_name_what_was_used)
{
    struct machine m;
    struct points here = {0}, once = {0}, store = {0}, elsewhere = {0};
    points_add(&once, (struct point){.kind = POINT_EXECUTE, .address = AT(NOPS)});
    points_add(&here, (struct point){.kind = POINT_EXECUTE, .address = AT(LOOP)});
    points_add(&store, (struct point){.kind = POINT_WRITE, .address = 0x40100ff8, .size = 16});
    points_add(&elsewhere, (struct point){.kind = POINT_EXECUTE, .address = LOAD + 0x800});
    points_add(&elsewhere, (struct point){.kind = POINT_ACCESS, .address = 0x40300000, .size = 8});
    open_machine(&m);
    struct timeline *t = timeline_new(m.board, TIMELINE_BUDGET);
    ck_assert(timeline_run_to(t, 9000000));
    ck_assert(timeline_seek(t, 5000000));
    ck_assert(timeline_seek(t, 8999999));
    unsigned stretches = 0;
    for (uint64_t at = 9000000; at > 0; stretches++) {
        at = timeline_checkpoint_before(t, at);
        ck_assert(points_may_meet(&once, timeline_footprint(t, at)) == (at == 0));
        ck_assert(points_may_meet(&here, timeline_footprint(t, at)));
        ck_assert(points_may_meet(&store, timeline_footprint(t, at)));
        ck_assert(!points_may_meet(&elsewhere, timeline_footprint(t, at)));
    }
    ck_assert_uint_gt(stretches, 3);
    timeline_free(t);
    machine_close(&m);
}
END_TEST

/* Both kinds stop before the instruction, each time, and change nothing. */
START_TEST(points_stop_and_change_nothing)
{
    struct machine m;
    struct points points = {.resume_at = UINT64_MAX};
    open_machine(&m);
    struct digest straight = digest_at(&m, 20000);
    machine_close(&m);
    open_machine(&m);
    static const struct point kinds[] = {
        {.kind = POINT_EXECUTE, .address = AT(LOAD_EXCLUSIVE)},
        {.kind = POINT_EXECUTE, .address = AT(LOOP)}, /* where a branch goes to */
        {.kind = POINT_WRITE, .address = 0x40105000, .size = 8},
    };
    static const uint64_t stops_at[] = {AT(LOAD_EXCLUSIVE), AT(LOOP), AT(STORE)};
    /* 7 instructions, then 12 an iteration; the watched page is that of every 256th. */
    static const unsigned expected[] = {(20000 - 7) / 12, (20000 - 7) / 12 + 1,
                                        (20000 / 12 - 5) / 256 + 1};
    struct point point = kinds[_i];
    ck_assert(points_add(&points, point));
    use_points(&m, &points);
    unsigned hits = 0;
    while (!board_run_to(m.board, 20000) && points.is_hit) {
        struct vcpu_registers r;
        vcpu_read_registers(m.board->vms[0]->vcpus[0], m.board->current, &r);
        ck_assert_uint_eq(vcpu_registers_pc(&r), stops_at[_i]);
        hits++;
        points_clear_hit(&points);
        points.resume_at = m.board->vtime.instructions;
    }
    ck_assert_uint_eq(hits, expected[_i]);
    use_points(&m, NULL);
    ck_assert(equal(digest_at(&m, 20000), straight));
    machine_close(&m);
}
END_TEST

/* The user of a debugger: how far the run goes between two looks at him. */
struct user {
    struct board *board;
    uint64_t looked_at, longest;
    unsigned looks, patience; /* he wants it to end after so many */
};

static bool look(void *context)
{
    struct user *u = context;
    uint64_t now = u->board->vtime.instructions;
    if (now - u->looked_at > u->longest)
        u->longest = now - u->looked_at;
    u->looked_at = now;
    return ++u->looks > u->patience;
}

/* In a hot loop after at most 50000 instructions and the rest of a block; where each instruction
 * stops at a watched page, with each such stop. Where he stops the board makes no difference. */
START_TEST(who_may_want_a_pause_is_asked_often)
{
    struct machine m;
    struct points hot = {.resume_at = UINT64_MAX};
    open_machine(&m);
    struct digest straight = digest_at(&m, 1000000);
    machine_close(&m);
    open_machine(&m);
    struct user user = {.board = m.board, .patience = UINT32_MAX};
    m.board->wants_pause = look;
    m.board->wants_pause_context = &user;
    ck_assert(points_add(
        &hot,
        (struct point){.kind = POINT_WRITE, .address = 0x40100008 + (uint64_t)_i, .size = 1}));
    if (_i)
        use_points(&m, &hot);
    ck_assert(!board_run_to(m.board, 900000));
    ck_assert_uint_le(user.longest, _i ? 100 : 50012);
    ck_assert_uint_ge(user.looks, 900000 / 50012);
    user.patience = user.looks + 1;
    ck_assert(!board_run_to(m.board, UINT64_MAX));
    ck_assert_uint_lt(m.board->vtime.instructions, 951000);
    use_points(&m, NULL);
    m.board->wants_pause = NULL;
    ck_assert(equal(digest_at(&m, 1000000), straight));
    machine_close(&m);
}
END_TEST

/* A sporadic vCPU, and some of each kind of thing that has state. */
static const char everything[] =
    "system test ram 0x40000000,4M set semihosting on cpu sched 10,5,2,1000000,1000s "
    "vdev gic gicd 0x08000000 gicr 0x080a0000 vdev pl011 loc 0x09000000 intr gic:33 "
    "vdev shmem loc 0x0a000000 intr gic:34 create frames,8192 load 0x40000000,image";

/* A file may claim anything: what no machine can hold is refused, by name. A byte of a value's,
 * what it becomes, and what cannot be then if that is not the value's name. */
static const struct impossible {
    const char *part, *item;
    size_t byte;
    uint8_t value;
    const char *refused;
} impossible[] = {
    {"time", "instructions", 7, 0x40, NULL},
    {"time", "idle ticks", 7, 0x80, NULL},
    {"schedule", "whether the turn is over", 0, 2, NULL},
    {"schedule", "whose turn it is", 1, 1, NULL},
    {"schedule", "on which CPU", 0, 64, NULL},
    {"schedule", "who is on CPU 0", 0, 1, "who is on a CPU"},
    {"schedule", "turn 0: a sporadic budget's replenishments", 0, 9,
     "a sporadic budget's replenishments"},
    {"vm test, vcpu 0", "on", 0, 2, NULL},
    {"vm test, vcpu 0", "halted", 0, 0xff, NULL},
    {"vm test, vcpu 0", "timer_virtual.ctl", 0, 8, NULL},
    {"vm test, vcpu 0", "timer_physical.line", 0, 2, NULL},
    {"vm test, vcpu 0", "PSTATE", 0, 0xd, NULL},  /* EL3h */
    {"vm test, vcpu 0", "PSTATE", 0, 0x9, NULL},  /* EL2h */
    {"vm test, vcpu 0", "PSTATE", 0, 0x10, NULL}, /* AArch32 */
    {"vm test, vcpu 0", "PSTATE", 0, 1, NULL},    /* EL0 with SP_EL1 */
    {"vm test, vcpu 0", "how PC was reached", 0, 8, NULL},
    {"vm test, vcpu 0", "wait.is_on", 0, 2, NULL},
    {"vm test, vdev gic", "bytes of input that wait", 0, 1, NULL}, /* it takes none */
    {"vm test, vdev pl011", "bytes of input that wait", 2, 2, NULL},
    {"vm test, its power state and counts", "handle 1: the kind of a semihosting file", 0, 3,
     "the kind of a semihosting file"},
    {"vm test, its power state and counts", "whether the VM has ended", 0, 2, NULL},
    {"vm test, its power state and counts", "whether the VM is finished", 0, 2, NULL},
    {"vm test, its power state and counts", "whether the VM may restart", 0, 2, NULL},
    {"vm test, its power state and counts", "whether the power button was pressed", 0, 2, NULL},
    {"vm test, its power state and counts", "exit status", 1, 1, NULL},
    {"regions of shared memory", "how many shared regions there are", 0, 65, NULL},
    {"regions of shared memory", "region 0: first", 0, 1, "the pages of a shared region"},
    {"regions of shared memory", "region 0: pages", 1, 0xff, "the pages of a shared region"},
    {"regions of shared memory", "region 0: name[0]", 0, 0, "the name of a shared region"},
    {"chaos", "turn 0, on its way: IRQ", 0, 2, "IRQ"},
    {"chaos", "turn 0: FIQ", 0, 2, "FIQ"},
    {"inputs and counts", "length of how a VM ended", 0, 0xff, "how a VM ended"},
    {"memory, what is taken", "the number of memory banks", 0, 7, NULL},
    {"memory, what is taken", "bank 0: where a memory bank begins", 3, 0x77,
     "where a memory bank begins"},
    {"memory, what is taken", "bank 0: the size of a memory bank", 0, 1,
     "the size of a memory bank"},
    {"memory, what is taken", "the number of free pages", 0, 0, NULL},
    {"TLBs", "how often a TLB took an entry", 3, 1, NULL},
    {"TLBs", "how many entries a TLB has", 0, 1, NULL},
};

static void find_in_machine(struct board *b, const struct impossible *c,
                            struct state_search *search, struct bytes *state)
{
    char name[160];
    snprintf(name, sizeof name, "%s: %s", c->part, c->item);
    *search = (struct state_search){.whole_name = name};
    const struct state_listener listener = state_searching(search);
    struct state s = state_telling(state, &listener);
    snapshot_visit_machine(b, &s);
    ck_assert_msg(search->found.size > c->byte, "%s", name);
}

START_TEST(values_that_cannot_be_are_refused)
{
    const struct impossible *c = &impossible[_i];
    struct machine m;
    struct error e = {0};
    struct state_search search;
    struct bytes state = {0};
    ck_assert_msg(machine_try(&m, everything, program, sizeof program / sizeof program[0], &e),
                  "%s", e.text);
    chaos_start(m.board, 1);
    digest_at(&m, 1000);
    find_in_machine(m.board, c, &search, &state);
    struct reader good = reader_of(state.data, state.size);
    ck_assert(snapshot_restore_machine(m.board, &good) && reader_at_end(&good));
    state.data[search.found.offset + c->byte] = c->value;
    struct reader in = reader_of(state.data, state.size);
    ck_assert(!snapshot_restore_machine(m.board, &in));
    ck_assert_ptr_nonnull(in.refused);
    ck_assert_str_eq(in.refused, c->refused ? c->refused : c->item);
    bytes_free(&state);
    machine_close(&m);
}
END_TEST

struct met {
    unsigned executed, written;
    uint64_t last;
};

static void on_met(void *context, const struct points *p, uint64_t instructions)
{
    struct met *met = context;
    ck_assert_uint_ge(instructions, met->last);
    met->last = instructions;
    met->executed += p->hit.kind == POINT_EXECUTE;
    met->written += p->hit.kind == POINT_WRITE;
    if (p->hit.kind == POINT_WRITE)
        ck_assert_uint_eq(p->address, 0x40105000);
}

/* Points that are noted stop nothing, and change nothing: a breakpoint, and the same memory by its
 * virtual address, by its place on the board, or by neither. */
START_TEST(points_are_noted_on_the_way)
{
    static const struct point writes[] = {
        {.kind = POINT_WRITE, .address = 0x40105000, .size = 8},
        {.kind = POINT_WRITE, .physical = true, .size = 8},
        {.kind = POINT_WRITE, .physical = true, .address = 0x40105000, .size = 8},
    };
    struct machine m;
    struct met met = {0};
    struct points points = {.resume_at = UINT64_MAX, .met = on_met, .context = &met};
    struct point write = writes[_i];
    hpa_t place;
    open_machine(&m);
    struct digest straight = digest_at(&m, 20000);
    machine_close(&m);
    open_machine(&m);
    ck_assert(inspect_gpa(m.board->vms[0], gpa(0x40105000), &place));
    ck_assert_uint_ne(place.v, 0x40105000);
    if (_i == 1)
        write.address = place.v;
    ck_assert(points_add(&points, write));
    ck_assert(points_add(&points, (struct point){.kind = POINT_EXECUTE, .address = AT(LOOP)}));
    struct timeline *t = timeline_new(m.board, TIMELINE_BUDGET);
    use_points(&m, &points);
    ck_assert(timeline_run_to(t, 20000));
    ck_assert_uint_eq(met.executed, (20000 - 7) / 12 + 1);
    ck_assert_uint_eq(met.written, _i == 2 ? 0 : (20000 / 12 - 5) / 256 + 1);
    use_points(&m, NULL);
    ck_assert(equal(board_digest(m.board), straight));
    struct points only = {.count = 1};
    only.list[0] = write;
    ck_assert(points_may_meet(&only, timeline_footprint(t, 0)) == (_i != 2));
    timeline_free(t);
    machine_close(&m);
}
END_TEST

/* A range may be anything that a debugger says. */
START_TEST(points_of_any_size)
{
    static struct footprint none;
    static const struct point all[] = {
        {.kind = POINT_WRITE, .address = 0, .size = UINT64_MAX},
        {.kind = POINT_WRITE, .address = UINT64_MAX, .size = UINT64_MAX},
        {.kind = POINT_WRITE, .address = 1, .size = (uint64_t)1 << 40},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct points points = {0};
        ck_assert(points_add(&points, all[i]));
        ck_assert(points_may_meet(&points, &none));
    }
    struct points last = {0};
    ck_assert(points_add(&last, (struct point){.kind = POINT_READ, .address = -8ull, .size = 8}));
    ck_assert_uint_ne(points_watched(&last, -4096ull, 0), 0);
    ck_assert_uint_eq(points_watched(&last, -8192ull, 0), 0);
    ck_assert_uint_eq(points_watched(&last, 0, 0), 0);
    ck_assert(!points_may_meet(&last, &none));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("travel");
    tcase_add_loop_test(t, snapshot_goes_on_exactly, 0, 13);
    tcase_add_loop_test(t, each_attempt_is_a_step, 0, 4);
    tcase_add_loop_test(t, who_waits_for_an_event_waits_on, 0, 2);
    tcase_add_test(t, snapshots_in_a_row_are_small_and_exact);
    tcase_add_test(t, damaged_snapshots_are_refused);
    tcase_add_test(t, memory_comes_when_it_is_looked_at);
    tcase_add_loop_test(t, travel_is_exact, 0, 3);
    tcase_add_test(t, footprints_name_what_was_used);
    tcase_add_test(t, travel_keeps_what_was_written);
    tcase_add_loop_test(t, points_stop_and_change_nothing, 0, 3);
    tcase_add_loop_test(t, who_may_want_a_pause_is_asked_often, 0, 2);
    tcase_add_loop_test(t, values_that_cannot_be_are_refused, 0,
                        (int)(sizeof impossible / sizeof impossible[0]));
    tcase_add_loop_test(t, points_are_noted_on_the_way, 0, 3);
    tcase_add_test(t, points_of_any_size);
    return suite_main("travel", t);
}
