/* The master for tests: each command with what becomes of it, wrong accesses, lists, work that
 * takes several steps, whose accesses they are, and restores in the middle. */
#include "emu/bytes.h"
#include "test_vdev_fixture.h"

enum {
    ID = 0x000,
    FEATURES = 0x004,
    COMMAND = 0x008,
    CONTROL = 0x00c,
    STATUS = 0x010,
    FAULT = 0x014,
    FAULT_ADDRESS = 0x018,
    IOVA = 0x020,
    SECOND = 0x028,
    SIZE = 0x030,
    PATTERN = 0x038,
    STREAM = 0x040,
    SUBSTREAM = 0x044,
    UNIT = 0x048,
    BUDGET = 0x04c,
    PAUSE = 0x050,
    LIST_COUNT = 0x054,
    LIST = 0x058,
    LIST_INDEX = 0x060,
    DONE = 0x068,
    HASH = 0x070,
    COMMANDS = 0x078,
    ACCESSES = 0x080,
    FAULTS = 0x088,
    BYTES = 0x090,
    WINDOW = 0x100,
};
enum { STOP, READ, WRITE, FILL, COPY, COMPARE, CHECK_PATTERN, READ_HASH, RUN_LIST };
enum { WITH_STREAM = 0x10, WITH_SUBSTREAM = 0x20, ON_ERROR = 0x40, RESULT = 0x80 };
enum { BUSY = 1, COMPLETE = 2, FAULTED = 4, MISMATCH = 8, WRONG = 16 };

static struct world w;
/* Accesses as the port saw them. */
static struct seen {
    uint64_t at, size;
    uint32_t stream, substream;
    bool is_write, is_privileged, is_fetch;
} seen[64];
static unsigned seen_count;

/* So many accesses of a page are stalled, as an SMMU does. */
static uint64_t stalled_page;
static unsigned stalls;

static bool is_stalled(iova_t at, struct dma_fault *fault)
{
    if (at.v >> PAGE_BITS != stalled_page || !stalls)
        return false;
    stalls--;
    fault->kind = DMA_FAULT_STALLED;
    return true;
}

static void note(const struct dma_port *p, iova_t at, uint64_t size, bool is_write)
{
    seen[seen_count++ % 64] =
        (struct seen){at.v, size, p->stream, p->substream, is_write, p->is_privileged, p->is_fetch};
}

static bool spy_read(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                     struct dma_fault *fault)
{
    if (is_stalled(from, fault))
        return false;
    note(p, from, size, false);
    if (from.v >= UINT64_MAX - PAGE_MASK) { /* there is memory, too */
        memset(to, 0, (size_t)size);
        return true;
    }
    return dma_read_by_map(p, from, to, size, fault);
}

static bool spy_write(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
                      struct dma_fault *fault)
{
    if (is_stalled(to, fault))
        return false;
    note(p, to, size, true);
    return dma_write_by_map(p, to, from, size, fault);
}

static void open_with(const char *const *options)
{
    world_open(&w, "dma-master", 1, options);
    w.v->dma.read = spy_read;
    w.v->dma.write = spy_write;
    w.v->dma.stream = 5;
    seen_count = 0;
    for (unsigned i = 0; i < WORLD_RAM_SIZE; i++)
        *world_ram(&w, i) = (uint8_t)(i * 7 + (i >> 8));
}

static void put64(uint64_t offset, uint64_t value)
{
    put(&w, offset, (uint32_t)value);
    put(&w, offset + 4, value >> 32);
}

static uint64_t get64(uint64_t offset)
{
    return get(&w, offset) | get(&w, offset + 4) << 32;
}

static void run(unsigned command, uint64_t iova, uint64_t second, uint64_t size)
{
    put64(IOVA, iova);
    put64(SECOND, second);
    put64(SIZE, size);
    put(&w, COMMAND, command);
    while (get(&w, STATUS) & BUSY)
        world_advance(&w, 1000000);
}

static uint64_t hash_of(uint64_t offset, uint64_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint64_t i = 0; i < size; i++)
        hash = (hash ^ *world_ram(&w, offset + i)) * UINT64_C(0x100000001b3);
    return hash;
}

/* What the command ended with, besides that it did. */
static void assert_outcome(unsigned outcome)
{
    ck_assert_uint_eq(get(&w, STATUS), COMPLETE | outcome);
}

static void assert_fault(unsigned fault, uint64_t at)
{
    assert_outcome(FAULTED);
    ck_assert_uint_eq(get(&w, FAULT), fault);
    ck_assert_uint_eq(get64(FAULT_ADDRESS), at);
}

START_TEST(commands_do_what_they_say)
{
    open_with(NULL);
    ck_assert_uint_eq(get(&w, ID), 0x314d4451);
    run(READ, WORLD_RAM + 0xff9, 0, 21);
    assert_outcome(0);
    for (unsigned i = 0; i < 21; i++)
        ck_assert_uint_eq(get_as(&w, 0, 0, WINDOW + i, 1), *world_ram(&w, 0xff9 + i));
    ck_assert(get64(HASH) == hash_of(0xff9, 21) && get64(DONE) == 21);
    put_as(&w, 0, 0, WINDOW, 8, UINT64_C(0x1122334455667788));
    run(WRITE, WORLD_RAM + 0x2001, 0, 8);
    ck_assert(!w.irq_level); /* nobody asked for it */
    ck_assert(*world_ram(&w, 0x2001) == 0x88 && *world_ram(&w, 0x2008) == 0x11);
    put64(PATTERN, UINT64_C(0x0807060504030201));
    run(FILL, WORLD_RAM + 0x3000, 0, 1003);
    ck_assert(*world_ram(&w, 0x33ea) == 3 && *world_ram(&w, 0x33eb) != 4);
    run(CHECK_PATTERN, WORLD_RAM + 0x3000, 0, 1003);
    assert_outcome(0);
    run(COPY, WORLD_RAM + 0x3000, WORLD_RAM + 0x4801, 1003);
    assert_outcome(0);
    run(COMPARE, WORLD_RAM + 0x3000, WORLD_RAM + 0x4801, 1003);
    assert_outcome(0);
    run(READ_HASH, WORLD_RAM + 0x1000, 0, 0x7000);
    ck_assert_uint_eq(get64(HASH), hash_of(0x1000, 0x7000));
    ck_assert_uint_eq(get64(COMMANDS), 7);
    ck_assert_uint_eq(get64(FAULTS), 0);
    ck_assert_uint_eq(get64(BYTES), 21 + 8 + 1003 * 6 + 0x7000);
    world_close(&w);
}
END_TEST

START_TEST(differences_are_found)
{
    open_with(NULL);
    run(COPY, WORLD_RAM, WORLD_RAM + 0x4000, 0x800);
    *world_ram(&w, 0x4000 + 0x7ff) ^= 1;
    run(COMPARE, WORLD_RAM, WORLD_RAM + 0x4000, 0x800);
    assert_outcome(MISMATCH);
    ck_assert_uint_eq(get64(FAULT_ADDRESS), WORLD_RAM + 0x7ff);
    put64(PATTERN, 0x55);
    run(FILL, WORLD_RAM + 0x4000, 0, 600);
    *world_ram(&w, 0x4000 + 600) = 0x56;
    run(CHECK_PATTERN, WORLD_RAM + 0x4000, 0, 601);
    assert_outcome(MISMATCH);
    ck_assert_uint_eq(get64(FAULT_ADDRESS), WORLD_RAM + 0x4000 + 600);
    world_close(&w);
}
END_TEST

START_TEST(wrong_accesses_are_told)
{
    open_with(NULL);
    w.pages[2].is_mapped = false;
    run(READ_HASH, WORLD_RAM + 0x1f00, 0, 0x1000);
    assert_fault(2, WORLD_RAM + 0x2000);
    ck_assert_uint_eq(get64(DONE), 0x100);
    put64(PATTERN, 0);
    run(FILL, WORLD_RAM + 0x8000, 0, 1);
    assert_fault(3 | 1 << 8, WORLD_RAM + 0x8000);
    run(COPY, WORLD_RAM, WORLD_RAM + 0x7fff, 2);
    assert_fault(3 | 1 << 8 | 1 << 9, WORLD_RAM + 0x8000);
    run(COMPARE, WORLD_RAM, 0x1234, 2);
    assert_fault(2 | 1 << 9, 0x1234);
    run(READ, WORLD_RAM, 0, 0); /* an access of no bytes */
    assert_fault(1, WORLD_RAM);
    run(READ, UINT64_MAX, 0, 2); /* one beyond the end */
    assert_fault(1, UINT64_MAX);
    put(&w, UNIT, 1);
    run(READ_HASH, UINT64_MAX, 0, 1); /* one that is not, and then the next one */
    assert_outcome(0);
    run(READ_HASH, UINT64_MAX, 0, 2);
    assert_fault(1, 0);
    run(READ, WORLD_RAM, 0, 257); /* the window has 256 */
    assert_outcome(WRONG);
    run(9, WORLD_RAM, 0, 1);
    assert_outcome(WRONG);
    ck_assert_uint_eq(get64(FAULTS), 7);
    world_close(&w);
}
END_TEST

START_TEST(transactions_have_their_size)
{
    open_with(NULL);
    put(&w, UNIT, 3);
    run(COPY, WORLD_RAM + 1, WORLD_RAM + 0x100, 7);
    ck_assert_uint_eq(seen_count, 6);
    ck_assert(seen[0].at == WORLD_RAM + 1 && seen[0].size == 3 && !seen[0].is_write);
    ck_assert(seen[1].at == WORLD_RAM + 0x100 && seen[1].size == 3 && seen[1].is_write);
    ck_assert(seen[4].at == WORLD_RAM + 7 && seen[4].size == 1);
    put(&w, UNIT, 0); /* as 256, and so is what is more */
    run(READ_HASH, WORLD_RAM, 0, 512);
    ck_assert_uint_eq(seen_count, 8);
    put(&w, UNIT, 0xffffffff);
    run(READ_HASH, WORLD_RAM, 0, 512);
    ck_assert_uint_eq(seen_count, 10);
    ck_assert_uint_eq(get64(ACCESSES), 10);
    world_close(&w);
}
END_TEST

START_TEST(streams_are_its_own_unless_it_may_say)
{
    const char *const any[] = {"any-stream", "", NULL};
    for (unsigned may = 0; may < 2; may++) {
        open_with(may ? any : NULL);
        ck_assert_uint_eq(get(&w, FEATURES), may);
        put(&w, STREAM, 77);
        put(&w, SUBSTREAM, 3);
        run(READ, WORLD_RAM, 0, 1);
        run(READ | WITH_STREAM, WORLD_RAM, 0, 1);
        run(READ | WITH_SUBSTREAM, WORLD_RAM, 0, 1);
        ck_assert(seen[0].stream == 5 && seen[0].substream == DMA_NO_SUBSTREAM);
        ck_assert(seen[1].stream == (may ? 77 : 5) && seen[1].substream == DMA_NO_SUBSTREAM);
        ck_assert(seen[2].stream == 5 && seen[2].substream == 3);
        world_close(&w);
    }
}
END_TEST

START_TEST(accesses_have_attributes)
{
    open_with(NULL);
    for (unsigned i = 0; i < 4; i++)
        run(READ | i << 8, WORLD_RAM, 0, 1);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(seen[i].is_privileged + 2u * seen[i].is_fetch, i);
    world_close(&w);
}
END_TEST

START_TEST(work_goes_on_in_virtual_time)
{
    open_with(NULL);
    put(&w, UNIT, 16);
    put(&w, BUDGET, 4);
    put(&w, PAUSE, 500);
    put(&w, CONTROL, 1);
    put64(IOVA, WORLD_RAM);
    put64(SIZE, 16 * 10);
    put(&w, COMMAND, READ_HASH);
    ck_assert(get64(DONE) == 64 && get(&w, STATUS) == BUSY && !w.irq_level);
    put64(IOVA, 0);         /* too late */
    put(&w, COMMAND, READ); /* so is this */
    world_advance(&w, 499);
    ck_assert_uint_eq(get64(DONE), 64);
    world_advance(&w, 1);
    ck_assert_uint_eq(get64(DONE), 128);
    world_advance(&w, 500);
    assert_outcome(0);
    ck_assert(get64(HASH) == hash_of(0, 160) && w.irq_level);
    put(&w, STATUS, COMPLETE);
    ck_assert(!w.irq_level && get(&w, STATUS) == 0);
    put(&w, COMMAND, READ_HASH);
    put(&w, COMMAND, STOP);
    ck_assert_uint_eq(get(&w, STATUS), 0);
    ck_assert_uint_eq(event_next(&w.events), EVENT_NEVER);
    put(&w, PAUSE, 0); /* time goes on all the same */
    put(&w, COMMAND, READ_HASH);
    ck_assert_uint_eq(event_next(&w.events), vtime_ticks(&w.vtime) + 1);
    world_close(&w);
}
END_TEST

struct entry {
    unsigned command;
    uint64_t iova, second, size;
    uint32_t stream;
};

static void put_list(uint64_t at, const struct entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *e = world_ram(&w, at + i * 64);
        memset(e, 0, 64);
        store_le(e, entries[i].command, 4);
        store_le(e + 8, entries[i].iova, 8);
        store_le(e + 0x10, entries[i].second, 8);
        store_le(e + 0x18, entries[i].size, 8);
        store_le(e + 0x28, entries[i].stream, 4);
    }
    put64(LIST, WORLD_RAM + at);
    put(&w, LIST_COUNT, (uint32_t)count);
}

static uint64_t result(uint64_t at, unsigned offset, size_t size)
{
    return load_le(world_ram(&w, at + 0x30 + offset), size);
}

START_TEST(lists_are_done_in_order)
{
    static const struct entry entries[] = {
        {FILL, WORLD_RAM + 0x4000, 0, 0x300, 0},
        {READ_HASH | RESULT | WITH_STREAM, WORLD_RAM + 0x4000, 0, 0x300, 9},
        {READ_HASH | RESULT | ON_ERROR, 0x5000, 0, 8, 0},
        {COPY | RESULT, WORLD_RAM, WORLD_RAM + 0x8000, 8, 0},
        {FILL, WORLD_RAM + 0x5000, 0, 8, 0},
    };
    const char *const any[] = {"any-stream", "", NULL};
    open_with(any);
    put_list(0x1000, entries, 5);
    uint8_t before = *world_ram(&w, 0x5000);
    put(&w, STREAM, 6);
    run(RUN_LIST | WITH_STREAM, 0, 0, 0);
    assert_fault(3 | 1 << 8 | 1 << 9, WORLD_RAM + 0x8000);
    ck_assert_uint_eq(get64(LIST_INDEX), 4);
    ck_assert_uint_eq(get64(COMMANDS), 4);
    ck_assert(result(0x1040, 0, 4) == COMPLETE && result(0x1040, 8, 8) == hash_of(0x4000, 0x300));
    ck_assert(result(0x1080, 0, 4) == (COMPLETE | FAULTED) && result(0x1080, 4, 4) == 2 &&
              result(0x1080, 8, 8) == 0x5000);
    ck_assert_uint_eq(result(0x10c0, 0, 4), COMPLETE | FAULTED);
    ck_assert_uint_eq(*world_ram(&w, 0x5000), before);
    ck_assert(seen[0].stream == 6 && seen[0].size == 64 && seen[0].at == WORLD_RAM + 0x1000);
    ck_assert(seen[1].stream == 5 && seen[4].stream == 6 && seen[5].stream == 9);
    world_close(&w);
}
END_TEST

/* Wherever it is stalled, the same comes of it. */
START_TEST(stalled_accesses_come_again)
{
    static const struct entry entries[] = {
        {FILL, WORLD_RAM + 0x4000, 0, 0x300, 0},
        {COPY | RESULT, WORLD_RAM, WORLD_RAM + 0x6100, 0x300, 0},
        {COMPARE | RESULT, WORLD_RAM + 0x6100, WORLD_RAM, 0x300, 0},
    };
    static const unsigned pages[] = {0, 1, 4, 6};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        open_with(NULL);
        stalled_page = (WORLD_RAM >> PAGE_BITS) + pages[i];
        put_list(0x1000, entries, 3);
        put(&w, LIST, WORLD_RAM + 0x1000);
        stalls = 3;
        put(&w, COMMAND, RUN_LIST);
        ck_assert_uint_eq(get(&w, STATUS), BUSY);
        for (unsigned tries = 2; tries--;) {
            world_advance(&w, 1000);
            ck_assert_uint_eq(stalls, tries);
        }
        ck_assert_uint_eq(get(&w, STATUS), BUSY);
        world_advance(&w, 1000);
        assert_outcome(0);
        ck_assert(get64(FAULTS) == 0 && get64(COMMANDS) == 3);
        /* What is copied is read anew when its write was stalled. */
        ck_assert_uint_eq(get64(ACCESSES), 3 + 3 + 6 + 6 + 2 + (pages[i] == 6 ? 3 : 0));
        ck_assert_uint_eq(get64(HASH), hash_of(0, 0x300));
        ck_assert_uint_eq(result(0x1080, 8, 8), hash_of(0, 0x300));
        world_close(&w);
    }
    open_with(NULL); /* and one that is stopped does not */
    stalls = 100;
    put64(IOVA, stalled_page << PAGE_BITS);
    put64(SIZE, 1);
    put(&w, COMMAND, READ);
    put(&w, COMMAND, STOP);
    world_advance(&w, 10000);
    ck_assert_uint_eq(stalls, 99);
    stalls = 0;
    world_close(&w);
}
END_TEST

START_TEST(lists_that_cannot_be)
{
    static const struct entry entries[] = {
        {READ_HASH | ON_ERROR, WORLD_RAM, 0, 8, 0}, {0, 0, 0, 0, 0}, {FILL, WORLD_RAM, 0, 8, 0}};
    static const struct entry nested = {RUN_LIST, 0, 0, 0, 0};
    static const struct entry told = {READ_HASH | RESULT | ON_ERROR, WORLD_RAM, 0, 8, 0};
    open_with(NULL);
    put_list(0x1000, entries, 3);
    run(RUN_LIST, 0, 0, 0); /* the second one is its end */
    assert_outcome(0);
    ck_assert(get64(LIST_INDEX) == 1 && get64(COMMANDS) == 1);
    put_list(0x1000, &nested, 1);
    run(RUN_LIST, 0, 0, 0);
    assert_outcome(WRONG);
    put_list(0x9000, &told, 1);
    run(RUN_LIST, 0, 0, 0); /* which cannot be told */
    assert_fault(3 | 1 << 8 | 1 << 10, WORLD_RAM + 0x9030);
    put64(LIST, UINT64_MAX - 62);
    run(RUN_LIST, 0, 0, 0);
    assert_fault(1 | 1 << 10, UINT64_MAX - 62);
    put64(LIST, 0x1000);
    run(RUN_LIST, 0, 0, 0);
    assert_fault(2 | 1 << 10, 0x1000);
    put(&w, LIST_COUNT, 0);
    run(RUN_LIST, 0, 0, 0);
    assert_outcome(0);
    world_close(&w);
}
END_TEST

/* A restored one goes on where the other was, at the same time. */
START_TEST(a_restored_list_goes_on)
{
    static struct world other;
    static const struct entry entries[] = {{FILL, WORLD_RAM + 0x4000, 0, 0x900, 0},
                                           {READ_HASH | RESULT, WORLD_RAM, 0, 0x900, 0}};
    struct bytes saved = {0};
    open_with(NULL);
    put_list(0x1000, entries, 2);
    put(&w, BUDGET, 3);
    put(&w, COMMAND, RUN_LIST);
    world_advance(&w, 3500);
    ck_assert_uint_eq(get(&w, STATUS), BUSY);
    world_save(&w, &saved);
    world_open(&other, "dma-master", 1, NULL);
    struct reader in = reader_of(saved.data, saved.size);
    other.vtime = w.vtime;
    memcpy(other.ram, w.ram, sizeof w.ram);
    ck_assert(world_restore(&other, &in));
    other.v->type->restored(other.v);
    world_advance(&w, 100000);
    world_advance(&other, 100000);
    ck_assert_uint_eq(get(&other, STATUS), COMPLETE);
    ck_assert_mem_eq(other.ram, w.ram, sizeof w.ram);
    ck_assert_uint_eq(result(0x1040, 8, 8), hash_of(0, 0x900));
    world_close(&w);
    world_close(&other);
    bytes_free(&saved);
}
END_TEST

START_TEST(registers_are_words)
{
    open_with(NULL);
    ck_assert_int_eq(try_access(&w, 0, STATUS, 8, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, STATUS + 1, 4, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, WINDOW + 252, 8, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, 0, WINDOW + 248, 8, true), BUS_HANDLED);
    ck_assert_int_eq(try_access(&w, 0, 0xffc, 4, true), BUS_NOBODY);
    put(&w, ID, 0);
    put64(BYTES, 9);
    ck_assert(get(&w, ID) == 0x314d4451 && get64(BYTES) == 0);
    ck_assert_uint_eq(get(&w, 0x0fc), 0);
    world_close(&w);
}
END_TEST

START_TEST(the_tree_names_it)
{
    static struct tree_text t;
    open_with(NULL);
    tree_of(w.v, &t);
    ck_assert_str_eq(t.text, "dma@1c090000 {\ncompatible = qvm,dma-master\n"
                             "reg = <0 1c090000 0 1000>\ninterrupt-parent = <1>\n"
                             "interrupts = <0 5 4>\ndma-coherent\n}\n");
    world_close(&w);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("dma-master");
    tcase_add_test(t, commands_do_what_they_say);
    tcase_add_test(t, differences_are_found);
    tcase_add_test(t, wrong_accesses_are_told);
    tcase_add_test(t, transactions_have_their_size);
    tcase_add_test(t, streams_are_its_own_unless_it_may_say);
    tcase_add_test(t, accesses_have_attributes);
    tcase_add_test(t, work_goes_on_in_virtual_time);
    tcase_add_test(t, lists_are_done_in_order);
    tcase_add_test(t, stalled_accesses_come_again);
    tcase_add_test(t, lists_that_cannot_be);
    tcase_add_test(t, a_restored_list_goes_on);
    tcase_add_test(t, registers_are_words);
    tcase_add_test(t, the_tree_names_it);
    return suite_main("vdev/dma-master", t);
}
