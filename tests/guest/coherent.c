/* Code that changes without IC instructions. Hardware may run the old (Arm ARM B2.4.4); here
 * fetches see what was stored, at once: with the next instruction, whatever its address, whoever
 * stored it, and wherever runs stop meanwhile. */
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
enum { RET = 0xd65f03c0u };

static uint64_t call(uint64_t address)
{
    return ((uint64_t(*)(void))address)();
}

static void change_and_call(uint64_t write, uint64_t run, unsigned calls)
{
    uint64_t wrong = 0;
    for (unsigned i = 0; i < 300; i++) {
        write32(write, movz(0, i));
        write32(write + 4, RET);
        for (unsigned n = 0; n < calls; n++)
            wrong += call(run) != i;
    }
    CHECK_EQ("wrong results", wrong, 0);
}

/* A page is filled with a program, again and again: more stores than a page of code takes one by
 * one. */
static void change_pages(uint64_t write, uint64_t run)
{
    uint64_t wrong = 0;
    for (unsigned i = 0; i < 60; i++) {
        unsigned calls = 40 + i;
        for (unsigned at = 0; at < calls; at++) {
            write32(write + 8 * at, movz(0, i * calls + at));
            write32(write + 8 * at + 4, RET);
        }
        for (unsigned at = 0; at < calls; at += 7)
            wrong += call(run + 8 * at) != i * calls + at;
    }
    CHECK_EQ("wrong results", wrong, 0);
}

/* Stores of all kinds into an instruction further on in the same straight line: x0 = the new
 * instruction, twice. */
#define AHEAD(name, text)                                                                          \
    TRAP_CODE(name, "adr x2, 1f\nmov w4, #0\nb 2f\n.balign 16\n2: nop\nnop\n" text                 \
                    "\nnop\n.balign 16\n1: movz w3, #1\nmovz w4, #1")
AHEAD(by_str, "str w0, [x2]");
AHEAD(by_str_x, "str x0, [x2]");
AHEAD(by_strh, "strh w0, [x2]\nlsr x0, x0, #16\nstrh w0, [x2, #2]");
AHEAD(by_post_index, "str x0, [x2], #8");
AHEAD(by_stp, "stp w0, w1, [x2]");
AHEAD(by_stp_pre, "sub x2, x2, #32\nstp w0, w1, [x2, #32]!");
AHEAD(by_stlr, "stlr w0, [x2]");
AHEAD(by_unaligned, "lsl x0, x0, #16\nsub x2, x2, #2\nldrh w5, [x2]\norr x0, x0, x5\nstr x0, [x2]");
AHEAD(by_exclusive, "ldxr w5, [x2]\nstxr w6, w0, [x2]");
AHEAD(by_simd, ".arch_extension fp\n.arch_extension simd\nfmov d0, x0\nstr s0, [x2]");
AHEAD(three_times, "str w0, [x2]\nstr w0, [x2]\nstr w0, [x2]");

static void ahead(const char *name, const uint32_t *code)
{
    check_context(name, 0);
    for (unsigned i = 2; i < 60; i++) {
        uint64_t two = movz(3, i) | (uint64_t)movz(4, i + 1) << 32;
        struct trap t = trap_el1(code, two, movz(4, i + 1), 0);
        CHECK_EQ("exception", t.esr, 0);
        CHECK_EQ("the changed instruction", t.x[3], i);
    }
    check_context(NULL, 0);
}

/* A program across the end of a page, changed by a store that is in both pages. */
static void across_pages(uint64_t write)
{
    const uint64_t at = 0xffc;
    uint64_t wrong = 0;
    for (unsigned i = 0; i < 60; i++) {
        __asm__ volatile("str %0, [%1]" ::"r"(movz(0, i) | (uint64_t)RET << 32), "r"(write + at)
                         : "memory");
        wrong += call(BOTH + at) != i;
    }
    CHECK_EQ("wrong results across pages", wrong, 0);
}

/* Programs at the end of a page and at the start of the next, changed by one store. */
static void in_both_pages(uint64_t write)
{
    const uint64_t at = 0x2ffc;
    uint64_t wrong = 0;
    write32(write + at + 8, RET);
    for (unsigned i = 0; i < 60; i++) {
        __asm__ volatile("str %0, [%1]" ::"r"((uint64_t)movz(0, i) << 32 | RET), "r"(write + at)
                         : "memory");
        wrong += call(BOTH + at + 4) != i;
        call(BOTH + at);
    }
    CHECK_EQ("wrong results in both pages", wrong, 0);
}

/* Code and data in one page, one behind the other; x0 = the data, x1 = how often. */
TRAP_CODE(count_beside, "adr x2, 2f\n1: ldr x3, [x2]\nadd x3, x3, #1\nstr x3, [x2]\n"
                        "stp x3, x3, [x2, #16]\nsubs x1, x1, #1\nb.ne 1b\nldr x0, [x2]\nret\n"
                        ".balign 16\n2: .quad 0, 0, 0, 0");

static void data_beside(void)
{
    struct trap t = trap_el1(count_beside, 0, 20000, 0);
    CHECK_EQ("counted beside the code", t.x[0], 20000);
}

/* By semihosting: a device that writes memory. */
static void by_read(void)
{
    static uint32_t program[2];
    static const char name[] = "coherent.tmp";
    uint64_t wrong = 0;
    for (unsigned i = 0; i < 30; i++) {
        program[0] = movz(0, 500 + i);
        program[1] = RET;
        uint64_t open_write[3] = {(uint64_t)name, 4, sizeof name - 1};
        uint64_t open_read[3] = {(uint64_t)name, 0, sizeof name - 1};
        uint64_t f = semihost(SYS_OPEN, open_write);
        if (f == ~0ull) {
            print("skipped: no files\n");
            return;
        }
        uint64_t write[3] = {f, (uint64_t)program, sizeof program};
        semihost(SYS_WRITE, write);
        semihost(SYS_CLOSE, &f);
        f = semihost(SYS_OPEN, open_read);
        uint64_t read[3] = {f, ALIAS + 0x2000, sizeof program};
        CHECK_EQ("read", semihost(SYS_READ, read), 0);
        semihost(SYS_CLOSE, &f);
        wrong += call(RUN + 0x2000) != 500 + i;
    }
    CHECK_EQ("wrong results after SYS_READ", wrong, 0);
}

/* By another CPU --------------------------------------------------------------------------------*/

enum { ROUNDS = 100 };
static struct {
    _Alignas(64) volatile uint32_t turn;
    _Alignas(64) volatile uint32_t finished;
    _Alignas(64) volatile uint64_t wrong;
} shared;

static void call_each_round(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        signal_wait(&shared.turn, i + 1);
        shared.wrong += call(RUN) != i;
        signal_set(&shared.finished, i + 1);
    }
}

static void between_cpus(void)
{
    CHECK_EQ("CPU_ON", cpu_start(1, call_each_round, NULL), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        write32(i & 1 ? ALIAS : BOTH, movz(0, i));
        signal_set(&shared.turn, i + 1);
        if (!signal_wait(&shared.finished, i + 1)) {
            CHECK("the other CPU answers", false);
            break;
        }
    }
    CHECK_EQ("wrong results on the other CPU", shared.wrong, 0);
    CHECK("CPU goes off", cpu_wait_off(1));
}

int main(void)
{
    mmu_start(&tables);
    WRITE(cpacr_el1, 3u << 20);
    ISB();
    tables_map(&tables, RUN, SCRATCH, 0x1000 * PAGES, PTE_MEMORY | PTE_READONLY, 3);
    tables_map(&tables, ALIAS, SCRATCH, 0x1000 * PAGES, PTE_MEMORY | PTE_PXN | PTE_UXN, 3);
    tables_map(&tables, BOTH, SCRATCH, 0x1000 * PAGES, PTE_MEMORY, 3);
    tlb_flush();
    for (unsigned calls = 1; calls < 4; calls += 2) {
        change_and_call(ALIAS, RUN, calls);
        change_and_call(BOTH, BOTH, calls);
        change_and_call(BOTH, RUN, calls);
    }
    change_pages(ALIAS, RUN);
    change_pages(BOTH, BOTH);
    ahead("str", by_str);
    ahead("str x", by_str_x);
    ahead("strh", by_strh);
    ahead("post-indexed", by_post_index);
    ahead("stp", by_stp);
    ahead("pre-indexed", by_stp_pre);
    ahead("stlr", by_stlr);
    ahead("unaligned", by_unaligned);
    ahead("exclusive", by_exclusive);
    ahead("simd", by_simd);
    ahead("three times", three_times);
    across_pages(ALIAS);
    across_pages(BOTH);
    in_both_pages(ALIAS);
    in_both_pages(BOTH);
    data_beside();
    by_read();
    between_cpus();
    finish();
}
