/* A guest that gives and takes its device's memory while the device is at work: one CPU runs lists
 * of a DMA master without an end, the other asks `vdev smmu` (docs/smmu.md) for this and that. What
 * was taken back is not written any more, from the answer on; what is given is. Only where there is
 * such a device at 0x0a100000, of the board, and a `vdev smmu` without options, which comes to be
 * at PAGE_AT with LINE. */
#include "gic.h"
#include "master.h"
#include "mmu.h"
#include "smp.h"

#define PAGE_AT 0x1c100000u
enum { LINE = 32 };
enum {
    ID = 0x00,
    REQUEST = 0x08,
    RESULT = 0x0c,
    CONTROL = 0x10,
    STATUS = 0x14,
    OBJECT = 0x18,
    FLAGS = 0x1c,
    TYPE = 0x20,
    START = 0x28,
    LENGTH = 0x30,
    IN_FORCE = 0x38,
    HW_SPECIFIC = 0x40,
    FAULT_ADDRESS = 0x48,
    DEVICE_START = 0x50,
    FAULT_FLAGS = 0x60,
    LOST = 0x64,
};
enum {
    CREATE = 1,
    DESTROY,
    ADD_DEVICE,
    REMOVE_DEVICE,
    ADD_MAPPING,
    REMOVE_MAPPING,
    REPORT_RESERVED,
    XFER_STATUS
};
enum { READ_FLAG = 1, WRITE_FLAG = 2, EXEC_FLAG = 4, TARGET_FLAG = 0x10 };
enum { ENOENT = -2, EBUSY = -16, EINVAL = -22, ENOSPC = -28, REISSUE = 1 };
enum { MMIO = 1 };

enum { PAGE = 4096, PAGES = 8, ENTRIES = 512, ROUNDS = 32 };
#define SENTINEL 0x5afe5afe5afe5afeull
#define WRITTEN  0xd0a0d0a0d0a0d0a0ull

static struct master_entry entries[ENTRIES] __attribute__((aligned(4096)));
static volatile uint64_t area[PAGES][PAGE / 8] __attribute__((aligned(4096)));
static volatile uint32_t is_over;
static unsigned object;

/* The page ------------------------------------------------------------------------------------
 */

static void put64(unsigned offset, uint64_t value)
{
    write32(PAGE_AT + offset, (uint32_t)value);
    write32(PAGE_AT + offset + 4, (uint32_t)(value >> 32));
}

static uint64_t get64(unsigned offset)
{
    return read32(PAGE_AT + offset) | (uint64_t)read32(PAGE_AT + offset + 4) << 32;
}

static int ask(unsigned request, unsigned which, uint64_t start, uint64_t length, unsigned flags)
{
    write32(PAGE_AT + OBJECT, which);
    write32(PAGE_AT + FLAGS, flags);
    write32(PAGE_AT + TYPE, MMIO);
    put64(START, start);
    put64(LENGTH, length);
    DSB();
    write32(PAGE_AT + REQUEST, request);
    return (int)read32(PAGE_AT + RESULT);
}

static int ask_device(unsigned request, unsigned which)
{
    return ask(request, which, MASTER, PAGE, 0);
}

static int give(uint64_t at, uint64_t length, unsigned flags)
{
    return ask(ADD_MAPPING, object, at, length, flags);
}

static int take(uint64_t at, uint64_t length)
{
    return ask(REMOVE_MAPPING, object, at, length, 0);
}

static void give_list(void)
{
    CHECK_EQ("the list", give((uint64_t)entries, sizeof entries, READ_FLAG | WRITE_FLAG), 0);
}

/* Before the race -----------------------------------------------------------------------------
 */

static void answers(void)
{
    CHECK_EQ("ID", read32(PAGE_AT + ID), 0x4d535651);
    CHECK_EQ("no object", give(RAM, PAGE, READ_FLAG), ENOENT);
    CHECK_EQ("no request", ask(99, 0, 0, 0, 0), EINVAL);
    CHECK_EQ("no such flag", ask(CREATE, 0, 0, 0, 2), EINVAL);
    for (unsigned i = 0; i < 16; i++) {
        CHECK_EQ("CREATE", ask(CREATE, 0, 0, 0, 0), 0);
        CHECK_EQ("its number", read32(PAGE_AT + OBJECT), i);
    }
    CHECK_EQ("one too many", ask(CREATE, 0, 0, 0, 0), ENOSPC);
    for (unsigned i = 2; i < 16; i++)
        CHECK_EQ("DESTROY", ask(DESTROY, i, 0, 0, 0), 0);
    CHECK_EQ("a mapping for nobody", give((uint64_t)area, PAGE, READ_FLAG), ENOENT);
    CHECK_EQ("no device", ask(ADD_DEVICE, 0, PL011, PAGE, 0), ENOENT);
    CHECK_EQ("of another size", ask(ADD_DEVICE, 0, MASTER, 2 * PAGE, 0), ENOENT);
    CHECK_EQ("before it is in an object", master_run(MASTER_FILL, SCRATCH, 8), MASTER_DONE);
    CHECK_EQ("ADD_DEVICE", ask_device(ADD_DEVICE, 0), 0);
    CHECK_EQ("from then on", master_run(MASTER_FILL, SCRATCH, 8), MASTER_DONE | MASTER_FAULTED);
    CHECK_EQ("again", ask_device(ADD_DEVICE, 0), 0);
    CHECK_EQ("to another", ask_device(ADD_DEVICE, 1), EBUSY);
    CHECK_EQ("from another", ask_device(REMOVE_DEVICE, 1), ENOENT);
    CHECK_EQ("half a page", give((uint64_t)area + 8, PAGE, READ_FLAG), EINVAL);
    CHECK_EQ("no bytes", give((uint64_t)area, 0, READ_FLAG), EINVAL);
    CHECK_EQ("beyond all addresses", give(~0ull << 12, PAGE, READ_FLAG), EINVAL);
    CHECK_EQ("nothing permitted", give((uint64_t)area, PAGE, 0), EINVAL);
    CHECK_EQ("what hypervisors have", give((uint64_t)area, PAGE, READ_FLAG | TARGET_FLAG), EINVAL);
    CHECK_EQ("no reserved region", ask(REPORT_RESERVED, 0, MASTER, PAGE, 0), ENOENT);
}

/* A guest can only restrict. */
static void no_more_than_its_own(void)
{
    CHECK_EQ("everything", give(0, 1ull << 40, READ_FLAG | WRITE_FLAG), 0);
    CHECK_EQ("is its RAM and its ROM", get64(IN_FORCE), 0x8000000 + 0x10000);
    CHECK_EQ("RAM", master_run(MASTER_FILL, SCRATCH, 8), MASTER_DONE);
    CHECK_EQ("ROM", master_run(MASTER_FILL, 0x60000000, 8), MASTER_DONE | MASTER_FAULTED);
    CHECK_EQ("read", master_run(MASTER_HASH, 0x60000000, 8), MASTER_DONE);
    CHECK_EQ("the board", master_run(MASTER_FILL, 0x80000000, 8), MASTER_DONE | MASTER_FAULTED);
    CHECK_EQ("the page", master_run(MASTER_FILL, PAGE_AT, 8), MASTER_DONE | MASTER_FAULTED);
    CHECK_EQ("all of it back", take(0, 1ull << 40), 0);
    CHECK_EQ("is back", master_run(MASTER_HASH, SCRATCH, 8), MASTER_DONE | MASTER_FAULTED);
}

/* Refused accesses wait to be asked for, the oldest first, and are told once. */
static void records(void)
{
    static const uint64_t at[] = {SCRATCH, 0x60000000, 0x80000000, PAGE_AT, SCRATCH};
    for (unsigned i = 0; i < 5; i++) {
        check_context("record", i);
        CHECK_EQ("STATUS", ask(XFER_STATUS, 0, 0, 0, 0), 0);
        CHECK_EQ("F_", get64(HW_SPECIFIC), i == 1 ? 0x13 : 0x10);
        CHECK_EQ("where", get64(FAULT_ADDRESS), at[i]);
        CHECK_EQ("whose", get64(DEVICE_START), MASTER);
        CHECK_EQ("what", read32(PAGE_AT + FAULT_FLAGS), i == 4 ? READ_FLAG : WRITE_FLAG);
    }
    check_context(NULL, 0);
    CHECK_EQ("STATUS", ask(XFER_STATUS, 0, 0, 0, 0), 0);
    CHECK_EQ("no more", get64(HW_SPECIFIC), 0);
}

static void interrupts(void)
{
    write32(PAGE_AT + STATUS, 1);
    CHECK("quiet", !gic_pending(LINE));
    write32(PAGE_AT + CONTROL, 1);
    CHECK("and still", !gic_pending(LINE));
    ask(XFER_STATUS, 0, 0, 0, 0);
    CHECK("it interrupts", gic_pending(LINE));
    write32(PAGE_AT + STATUS, 1);
    CHECK("and is quiet again", !gic_pending(LINE));
    write32(PAGE_AT + CONTROL, 0);
}

/* The race ------------------------------------------------------------------------------------
 */

static uint64_t random_state = 0x2545f4914f6cdd1d;

static unsigned next(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % below;
}

/* For as long as the list comes by every page, twice. */
static void wait_a_while(void)
{
    for (unsigned i = 0; i < 2000; i++)
        ASM("yield");
}

static unsigned escapes, arrivals;

static void put_sentinels(unsigned page)
{
    for (unsigned i = 0; i < PAGE / 8; i++)
        area[page][i] = SENTINEL;
    DSB();
}

static bool is_untouched(unsigned page)
{
    for (unsigned i = 0; i < PAGE / 8; i++)
        if (area[page][i] != SENTINEL)
            return false;
    return true;
}

/* From the answer on nothing is written there, whatever is under way. */
static void expect_nothing(unsigned page)
{
    put_sentinels(page);
    wait_a_while();
    escapes += !is_untouched(page);
}

static void expect_something(unsigned page)
{
    put_sentinels(page);
    wait_a_while();
    arrivals += !is_untouched(page);
}

static void withdraw_and_give(unsigned page)
{
    uint64_t at = (uint64_t)area[page];
    CHECK_EQ("take", take(at, PAGE), 0);
    expect_nothing(page);
    CHECK_EQ("to be read", give(at, PAGE, READ_FLAG), 0);
    expect_nothing(page);
    CHECK_EQ("to be executed", give(at, PAGE, EXEC_FLAG), 0);
    expect_nothing(page);
    CHECK_EQ("give", give(at, PAGE, READ_FLAG | WRITE_FLAG), 0);
    expect_something(page);
}

/* Out of its object, and into the other, in the middle of a list. */
static void change_object(void)
{
    unsigned other = 1 - object;
    CHECK_EQ("REMOVE_DEVICE", ask_device(REMOVE_DEVICE, object), 0);
    for (unsigned i = 0; i < PAGES; i++)
        put_sentinels(i);
    wait_a_while();
    for (unsigned i = 0; i < PAGES; i++)
        escapes += !is_untouched(i);
    int result = ask_device(ADD_DEVICE, other);
    CHECK("ADD_DEVICE", result == 0 || result == REISSUE);
    object = other;
    give_list();
    for (unsigned i = 0; i < PAGES; i++)
        escapes += !is_untouched(i);
    CHECK_EQ("all", give((uint64_t)area, sizeof area, READ_FLAG | WRITE_FLAG), 0);
}

static void reconfigure(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++)
        if (i % 16 == 15)
            change_object();
        else
            withdraw_and_give(next(PAGES));
    signal_set(&is_over, 1);
}

static void fill_list(void)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        entries[i] = (struct master_entry){.command = MASTER_FILL | MASTER_GOES_ON,
                                           .iova = (uint64_t)&area[i % PAGES][8 * (i / PAGES % 64)],
                                           .size = 64,
                                           .pattern = WRITTEN};
}

static void race(void)
{
    unsigned lists = 0, cut_short = 0;
    fill_list();
    give_list();
    CHECK_EQ("all", give((uint64_t)area, sizeof area, READ_FLAG | WRITE_FLAG), 0);
    write32(MASTER + MASTER_BUDGET, 1);
    write32(MASTER + MASTER_PAUSE, 300); /* a list is longer than a CPU's turn */
    CHECK_EQ("CPU_ON", cpu_start(1, reconfigure, NULL), 0);
    while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
        master_run(MASTER_RUN_LIST, (uint64_t)entries, ENTRIES);
        cut_short += master_get64(MASTER_LIST_INDEX) != ENTRIES;
        lists++;
    }
    CHECK("CPU 1 is off", cpu_wait_off(1));
    CHECK_EQ("escapes", escapes, 0);
    CHECK("what is given is written", arrivals > ROUNDS / 2);
    CHECK("lists", lists > 5);
    CHECK("some of them cut short", cut_short > 0);
    CHECK("most were not", cut_short < lists);
}

static void after_the_race(void)
{
    CHECK_EQ("STATUS", ask(XFER_STATUS, object, 0, 0, 0), 0);
    CHECK_EQ("a record", get64(HW_SPECIFIC) != 0, 1);
    CHECK("more were lost", read32(PAGE_AT + LOST) > 0);
    CHECK_EQ("DESTROY", ask(DESTROY, object, 0, 0, 0), 0);
    CHECK_EQ("nothing is left", master_run(MASTER_FILL, (uint64_t)area, 8),
             MASTER_DONE | MASTER_FAULTED);
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    tables_map(&tables, PAGE_AT, PAGE_AT, PAGE, PTE_DEVICE, 3);
    tlb_flush();
    gic_start_distributor();
    gic_start_cpu();
    answers();
    no_more_than_its_own();
    records();
    interrupts();
    race();
    after_the_race();
    return 0;
}
