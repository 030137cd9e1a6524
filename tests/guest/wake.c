/* An interrupt for a halted CPU that is taken back at once, or stays: whether another CPU waits
 * decides where a turn ends, and that must not depend on how often the instruction that decides it
 * ran before. */
#include "gic.h"
#include "mmu.h"
#include "smp.h"

enum { SGI = 5, ROUNDS = 150 };
#define OTHER_SGIS  (GICR + 0x20000 + 0x10000)
#define SET_PENDING (OTHER_SGIS + 0x200)
#define CLR_PENDING (OTHER_SGIS + 0x280)

static struct tables tables;
static volatile uint32_t ready, over;
static volatile uint64_t sum, wakes;

static void burn(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        ASM("nop");
}

static void sleeper(void *unused)
{
    (void)unused;
    gic_start_cpu();
    gic_enable(SGI, 0x80);
    signal_set(&ready, 1);
    while (!over) {
        ASM("wfi");
        sum = sum * 31 + READ(cntvct_el0);
        wakes++;
        write32(CLR_PENDING, 1u << SGI);
        DSB();
    }
}

int main(void)
{
    mmu_start(&tables);
    WRITE(cpacr_el1, 3u << 20); /* FPEN: as a kernel has it */
    ISB();
    gic_start_distributor();
    gic_start_cpu();
    CHECK_EQ("CPU_ON", cpu_start(1, sleeper, NULL), 0);
    CHECK("the other CPU is there", signal_wait(&ready, 1));
    burn(300000);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 3; i++) {
            write32(SET_PENDING, 1u << SGI);
            write32(CLR_PENDING, 1u << SGI);
        }
        burn(round * 7919 % 40000);
        write32(SET_PENDING, 1u << SGI);
        burn(30000);
    }
    over = 1;
    write32(SET_PENDING, 1u << SGI);
    CHECK("CPU goes off", cpu_wait_off(1));
    CHECK("it woke", wakes >= ROUNDS / 2 && sum != 0);
    finish();
}
