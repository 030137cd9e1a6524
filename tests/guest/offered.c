/* A CPU may have a translation of memory that only another one has touched so far: its tables are
 * the same, and a walk may come at any time (Arm ARM D8, "Translation Lookaside Buffers"). A change
 * that the other one makes known to its own TLB alone may therefore be seen here, or not; with TLB
 * maintenance for all it must be. */
#include "mmu.h"
#include "smp.h"

#define UPPER (~0ull << 39)
#define PAGE  0x10000000ull

static struct tables low, high;
static volatile uint32_t turn;

static void use_tables(void)
{
    WRITE(ttbr1_el1, high.root);
    /* T1SZ = 25, write-back, inner shareable, TG1 = 4 KiB, EPD1 = 0 */
    WRITE(tcr_el1, (tables_tcr(&low) & ~(1ull << 23)) | 25ull << 16 | 1ull << 24 | 1ull << 26 |
                       3ull << 28 | 2ull << 30);
    ISB();
    __asm__ volatile("tlbi vmalle1\ndsb nsh\nisb" ::: "memory");
}

static void map(unsigned which)
{
    *tables_entry(&high, PAGE, 3) = (SCRATCH + 0x1000 * which) | PTE_MEMORY | PTE_TABLE;
    __asm__ volatile("dsb ish\nisb" ::: "memory");
}

static void other(void *unused)
{
    (void)unused;
    signal_set(&turn, 1);
    signal_wait(&turn, 2);
    uint64_t seen = read64(UPPER | PAGE);
    CHECK("of before, or of now", seen == 100 || seen == 101);
    print("%s\n", (uint64_t)(seen == 100 ? "of before" : "of now"));
    tlb_flush();
    CHECK_EQ("of now", read64(UPPER | PAGE), 101);
    signal_set(&turn, 3);
}

int main(void)
{
    tables_new(&low, 12, 39);
    tables_identity(&low);
    mmu_on(&low);
    tables_new(&high, 12, 39);
    write64(SCRATCH, 100);
    write64(SCRATCH + 0x1000, 101);
    map(0);
    use_tables();
    CHECK_EQ("CPU_ON", cpu_start(1, other, NULL), 0);
    CHECK("the other CPU runs", signal_wait(&turn, 1));
    CHECK_EQ("before", read64(UPPER | PAGE), 100);
    *tables_entry(&high, PAGE, 3) = 0;
    __asm__ volatile("dsb ish\ntlbi vaae1, %0\ndsb nsh\nisb" ::"r"((UPPER | PAGE) << 8 >> 20)
                     : "memory");
    map(1);
    CHECK_EQ("now", read64(UPPER | PAGE), 101);
    signal_set(&turn, 2);
    CHECK("the other CPU ends", signal_wait(&turn, 3));
    CHECK("CPU goes off", cpu_wait_off(1));
    finish();
}
