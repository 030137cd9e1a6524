/* Code that changes: through the address it runs at, through another mapping of its page, and by
 * another CPU; each time followed by the sequence the manual demands (Arm ARM B2.4.4), after which
 * the new instructions, and only they, may run. */
#include "mmu.h"
#include "smp.h"

#define RUN   0x80000000ull /* executable, read-only */
#define ALIAS 0x80010000ull /* the same memory, writable */
#define BOTH  0x80020000ull /* the same again, writable and executable */
#define PAGES 4

static struct tables tables;

static uint32_t movz(unsigned rd, unsigned value)
{
    return 0x52800000u | value << 5 | rd;
}
static uint32_t add(unsigned rd, unsigned rn, unsigned value)
{
    return 0x11000000u | value << 10 | rn << 5 | rd;
}
enum { RET = 0xd65f03c0u };

static uint64_t call(uint64_t address)
{
    return ((uint64_t(*)(void))address)();
}

enum way { BY_ADDRESS, ALL, ALL_SHAREABLE };

/* Clean by `written`, invalidate by `run`. */
static void synchronize(uint64_t written, uint64_t run, enum way way)
{
    __asm__ volatile("dc cvau, %0\ndsb ish" ::"r"(written) : "memory");
    if (way == BY_ADDRESS)
        __asm__ volatile("ic ivau, %0" ::"r"(run) : "memory");
    else if (way == ALL)
        __asm__ volatile("ic iallu" ::: "memory");
    else
        __asm__ volatile("ic ialluis" ::: "memory");
    __asm__ volatile("dsb ish\nisb" ::: "memory");
}

static void change_and_call(uint64_t write, uint64_t run, enum way way)
{
    uint64_t wrong = 0;
    for (unsigned i = 0; i < 300; i++) {
        write32(write, movz(0, i));
        write32(write + 4, RET);
        synchronize(write, run, way);
        for (unsigned n = 0; n < 3; n++)
            wrong += call(run) != i;
    }
    CHECK_EQ("wrong results", wrong, 0);
}

/* Only one instruction in the middle of a loop changes; the loop's start was translated before. */
static void change_inside(uint64_t write, uint64_t run)
{
    uint64_t wrong = 0;
    write32(write, movz(0, 0));
    write32(write + 4, movz(1, 10));
    write32(write + 8, add(0, 0, 1));
    write32(write + 12, 0x71000421u); /* subs w1, w1, #1 */
    write32(write + 16, 0x54ffffc1u); /* b.ne to the add */
    write32(write + 20, RET);
    synchronize(write, run, BY_ADDRESS);
    for (unsigned i = 1; i < 100; i++) {
        write32(write + 8, add(0, 0, i));
        synchronize(write + 8, run + 8, BY_ADDRESS);
        wrong += call(run) != 10 * i;
    }
    CHECK_EQ("wrong sums", wrong, 0);
}

/* A block over a page boundary, changed on either side. */
static void change_across_pages(uint64_t write, uint64_t run)
{
    uint64_t wrong = 0, at = 0x1000 - 8;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t changed = at + 4 * (i % 4);
        write32(write + at, movz(0, 0));
        for (unsigned n = 1; n < 4; n++)
            write32(write + at + 4 * n, add(0, 0, n));
        write32(write + at + 16, RET);
        if (i % 4)
            write32(write + changed, add(0, 0, 100 + i));
        else
            write32(write + changed, movz(0, 100 + i));
        for (unsigned n = 0; n < 5; n++)
            synchronize(write + at + 4 * n, run + at + 4 * n, BY_ADDRESS);
        wrong += call(run + at) != 6 + 100 + i - i % 4;
    }
    CHECK_EQ("wrong sums over two pages", wrong, 0);
}

/* The code changes the instruction that follows: x0 = where, w1 = what. */
TRAP_CODE(change_next, "adr x2, 1f\nadd x0, x0, x2\nstr w1, [x0]\ndc cvau, x0\ndsb ish\n"
                       "ic ivau, x2\ndsb ish\nisb\n1: movz w0, #1");

static void change_ahead(void)
{
    for (unsigned i = 2; i < 50; i++) {
        struct trap t = trap_el1(change_next, 0, movz(0, i), 0);
        CHECK_EQ("the next instruction", t.x[0], i);
    }
}

/* By another CPU --------------------------------------------------------------------------------*/

enum { ROUNDS = 200 };
static struct {
    _Alignas(64) volatile uint32_t turn; /* round * 2: writer's turn, + 1: callers' */
    _Alignas(64) volatile uint32_t finished;
    _Alignas(64) volatile uint64_t wrong;
} shared;

static void call_each_round(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        signal_wait(&shared.turn, 2 * i + 1);
        ISB(); /* the caller's own context synchronization */
        if (call(RUN) != i)
            __atomic_fetch_add(&shared.wrong, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&shared.finished, 1, __ATOMIC_SEQ_CST);
    }
}

static void between_cpus(void)
{
    for (unsigned cpu = 1; cpu < 4; cpu++)
        CHECK_EQ("CPU_ON", cpu_start(cpu, call_each_round, NULL), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        write32(ALIAS, movz(0, i));
        write32(ALIAS + 4, RET);
        synchronize(ALIAS, RUN, i & 1 ? ALL_SHAREABLE : BY_ADDRESS);
        signal_set(&shared.turn, 2 * i + 1);
        if (!signal_wait(&shared.finished, 3 * (i + 1))) {
            CHECK("the other CPUs answer", false);
            break;
        }
    }
    CHECK_EQ("wrong results on other CPUs", shared.wrong, 0);
    for (unsigned cpu = 1; cpu < 4; cpu++)
        CHECK("CPU goes off", cpu_wait_off(cpu));
}

/* Another page of memory behind the same address, by break-before-make. */
static void remap(void)
{
    for (unsigned i = 0; i < 4; i++) {
        write32(SCRATCH + 0x1000 * i, movz(0, 1000 + i));
        write32(SCRATCH + 0x1000 * i + 4, RET);
        synchronize(SCRATCH + 0x1000 * i, SCRATCH + 0x1000 * i, BY_ADDRESS);
    }
    uint64_t *entry = tables_entry(&tables, RUN, 3), wrong = 0;
    for (unsigned i = 0; i < 100; i++) {
        pte_set(entry, (SCRATCH + 0x1000 * (i * 7 % 4)) | PTE_MEMORY | PTE_READONLY | PTE_TABLE);
        wrong += call(RUN) != 1000 + i * 7 % 4;
    }
    CHECK_EQ("wrong results after remapping", wrong, 0);
}

int main(void)
{
    mmu_start(&tables);
    tables_map(&tables, RUN, SCRATCH, 0x1000 * PAGES, PTE_MEMORY | PTE_READONLY, 3);
    tables_map(&tables, ALIAS, SCRATCH, 0x1000 * PAGES, PTE_MEMORY | PTE_PXN | PTE_UXN, 3);
    tables_map(&tables, BOTH, SCRATCH, 0x1000 * PAGES, PTE_MEMORY, 3);
    tlb_flush();
    for (enum way way = BY_ADDRESS; way <= ALL_SHAREABLE; way++) {
        check_context("way", way);
        change_and_call(ALIAS, RUN, way);
        change_and_call(BOTH, BOTH, way);
        change_and_call(BOTH, RUN, way);
    }
    check_context(NULL, 0);
    change_inside(ALIAS, RUN);
    change_inside(BOTH, BOTH);
    change_across_pages(ALIAS, RUN);
    change_across_pages(BOTH, BOTH);
    change_ahead();
    between_cpus();
    remap();
    finish();
}
