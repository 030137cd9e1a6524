/* CPUs with tables of their own for the upper half, all of it global: the same address is different
 * memory on each, or the same until one of them changes its table and its own TLB only. What a TLB
 * holds is one CPU's (CnP = 0), however often they take turns. Arm ARM D8.13, D8.14. */
#include "mmu.h"
#include "smp.h"

enum { CPUS = 4, ROUNDS = 400 };

#define UPPER  (~0ull << 39)
#define OWN    0x10000000ull /* data and code, each CPU's */
#define CODE   0x10001000ull
#define COMMON 0x10002000ull /* everybody's */
#define MOVING 0x10003000ull /* one of two pages */

static struct tables low, high[CPUS];
static struct {
    _Alignas(64) volatile uint32_t turn, finished;
    volatile uint64_t wrong_data, wrong_code, wrong_moving, moved[CPUS];
} shared;

static uint64_t own_pa(unsigned cpu, unsigned page)
{
    return SCRATCH + 0x10000 + 0x4000 * cpu + 0x1000 * page;
}
static uint64_t moving_pa(unsigned which)
{
    return SCRATCH + 0x2000 + 0x1000 * which;
}

static void build(void)
{
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        tables_new(&high[cpu], 12, 39);
        tables_map(&high[cpu], OWN, own_pa(cpu, 0), 0x1000, PTE_MEMORY | PTE_PXN | PTE_UXN, 3);
        tables_map(&high[cpu], CODE, own_pa(cpu, 1), 0x1000, PTE_MEMORY | PTE_READONLY, 3);
        tables_map(&high[cpu], COMMON, SCRATCH + 0x1000, 0x1000, PTE_MEMORY | PTE_PXN | PTE_UXN, 3);
        tables_map(&high[cpu], MOVING, moving_pa(0), 0x1000, PTE_MEMORY | PTE_PXN | PTE_UXN, 3);
        write32(own_pa(cpu, 1), 0x52800000u | (100 + cpu) << 5); /* movz w0, #(100 + cpu) */
        write32(own_pa(cpu, 1) + 4, 0xd65f03c0u);                /* ret */
        code_sync((const void *)own_pa(cpu, 1), 8);
        write64(own_pa(cpu, 0), 200 + cpu);
    }
    write64(moving_pa(0), 300);
    write64(moving_pa(1), 301);
}

static void use_tables(unsigned cpu)
{
    WRITE(ttbr1_el1, high[cpu].root);
    /* T1SZ = 25, write-back, inner shareable, TG1 = 4 KiB, EPD1 = 0 */
    WRITE(tcr_el1, (tables_tcr(&low) & ~(1ull << 23)) | 25ull << 16 | 1ull << 24 | 1ull << 26 |
                       3ull << 28 | 2ull << 30);
    ISB();
    __asm__ volatile("tlbi vmalle1\ndsb nsh\nisb" ::: "memory");
}

static void move(unsigned cpu)
{
    uint64_t *entry = tables_entry(&high[cpu], MOVING, 3), moved = !shared.moved[cpu];
    *entry = 0;
    __asm__ volatile("dsb nshst\ntlbi vaae1, %0\ndsb nsh\nisb" ::"r"((UPPER | MOVING) << 8 >> 20)
                     : "memory");
    *entry = moving_pa((unsigned)moved) | PTE_MEMORY | PTE_PXN | PTE_UXN | 3;
    __asm__ volatile("dsb nshst\nisb" ::: "memory");
    shared.moved[cpu] = moved;
}

static void one_turn(unsigned cpu, unsigned round)
{
    uint64_t (*code)(void) = (uint64_t(*)(void))(UPPER | CODE);
    shared.wrong_data += read64(UPPER | OWN) != 200 + cpu;
    shared.wrong_code += code() != 100 + cpu;
    shared.wrong_moving += read64(UPPER | MOVING) != 300 + shared.moved[cpu];
    if (round % 7 == cpu)
        move(cpu);
    shared.wrong_moving += read64(UPPER | MOVING) != 300 + shared.moved[cpu];
    write64(UPPER | COMMON, read64(UPPER | COMMON) + 1);
    if (round % 5 == 0) /* the others have translations that this one no longer has */
        __asm__ volatile("tlbi vmalle1\ndsb nsh\nisb" ::: "memory");
}

static void take_turns(void *unused)
{
    unsigned cpu = (unsigned)this_cpu()->number;
    (void)unused;
    use_tables(cpu);
    for (unsigned round = 0; round < ROUNDS; round++) {
        while (__atomic_load_n(&shared.turn, __ATOMIC_ACQUIRE) != round * CPUS + cpu)
            ASM("wfe");
        one_turn(cpu, round);
        signal_set(&shared.turn, round * CPUS + cpu + 1);
    }
    __atomic_fetch_add(&shared.finished, 1, __ATOMIC_SEQ_CST);
}

int main(void)
{
    tables_new(&low, 12, 39);
    tables_identity(&low);
    mmu_on(&low);
    build();
    for (unsigned cpu = 1; cpu < CPUS; cpu++)
        CHECK_EQ("CPU_ON", cpu_start(cpu, take_turns, NULL), 0);
    take_turns(NULL);
    CHECK("the other CPUs end", signal_wait(&shared.finished, CPUS));
    CHECK_EQ("data of others", shared.wrong_data, 0);
    CHECK_EQ("code of others", shared.wrong_code, 0);
    CHECK_EQ("pages of others, or of before", shared.wrong_moving, 0);
    CHECK_EQ("turns", read64(UPPER | COMMON), CPUS * ROUNDS);
    for (unsigned cpu = 1; cpu < CPUS; cpu++)
        CHECK("CPU goes off", cpu_wait_off(cpu));
    finish();
}
