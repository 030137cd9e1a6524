/* A guest that does what its command line says, word by word, for tests of what happens to VMs.
 * Addresses are those of tests/guest/vms/actor.qvmconf. Powers off behind the last word.
 *
 *   say WORD        prints it
 *   uart WORD       prints it through the PL011, without an end of line
 *   count N         N lines, some 10000 instructions apart
 *   fill SEED       fills 1 MiB with numbers
 *   sum             prints their checksum
 *   assault         reads and writes all over the guest-physical addresses that are not its own
 *   touch ADDRESS   reads there, and prints what it got
 *   put ADDRESS N   writes N there, 64 bits; `poke` writes 32, `byte` 8
 *   bump ADDRESS    adds 1 to the word there, and prints it
 *   below N WORD    if the last number printed is below N: does WORD, and not what follows
 *   irq LINE ADDRESS  has the PL011 at ADDRESS interrupt by this line, and counts that
 *   mmu             turns it on, with SCRATCH also at ALIAS
 *   second          waits for the next second of a PL031, with line 34
 *   wedge           starts the watchdog and stands still, as does
 *   stand           with known registers
 *   wait            WFI for ever
 *   off, reset      by PSCI
 *   exit N          by vdev exit
 *   quit N          by semihosting */
#include "gic.h"
#include "mmu.h"
#include "trap.h"
#include "words.h"

#define WATCHDOG          0x09030000u
#define EXIT              0x09040000u
#define ALIAS             0x2000000000u
#define BYTES             0x100000u
#define PSCI_SYSTEM_RESET 0x84000009u

static uint64_t last; /* number that was printed */

static void uart(const char *text)
{
    for (; *text; text++)
        write32(PL011, (uint8_t)*text);
}

static void count(uint64_t lines)
{
    for (uint64_t i = 1; i <= lines; i++) {
        for (volatile unsigned k = 0; k < 2000; k++)
            ;
        print("line %u\n", i);
    }
}

static void fill(uint64_t seed)
{
    for (uint64_t at = SCRATCH; at < SCRATCH + BYTES; at += 8)
        write64(at, seed = seed * 6364136223846793005u + 1442695040888963407u);
}

static void sum(void)
{
    uint64_t all = 0;
    for (uint64_t at = SCRATCH; at < SCRATCH + BYTES; at += 8)
        all = all * 31 + read64(at);
    print("sum %x\n", all);
}

static uint64_t strikes, strange;

static void strike(uint64_t from, uint64_t to, uint64_t step)
{
    for (uint64_t at = from; at < to; at += step) {
        write64(at, 0xbadbadbadbadbad);
        strange += read64(at) != UINT64_MAX;
        strikes++;
    }
}

/* Around its devices and memory; then everywhere that a board's memory may be. */
static void assault(void)
{
    strike(0, 0x08000000, 0x20000);
    strike(NOTHING, RAM, 0x100000);
    strike(RAM + 0x08000000u, 0x100000000, 0x1000000);
    strike(0x100000000, 0x10000000000, 0x20000000);
    strike(0x880000000, 0x881000000, 0x10000);
    strike(0x4000000000, 0x4001000000, 0x10000);
    print("%u strikes, %u of them not in the void\n", strikes, strange);
}

static void mmu(void)
{
    static struct tables tables;
    tables_new(&tables, 12, 39);
    tables_identity(&tables);
    tables_map(&tables, ALIAS, SCRATCH, 0x200000, PTE_MEMORY, 2);
    mmu_on(&tables);
}

static void wedge(void)
{
    write32(WATCHDOG, 25000); /* 1 ms */
    write32(WATCHDOG + 8, 3);
    print("wedged\n");
    for (;;)
        ;
}

/* Registers that a dump shows. */
static void stand(void)
{
    extern const uint32_t standing[];
    print("PC %x\n", (uint64_t)standing);
    uint64_t fp = 3ull << 20;
    __asm__ volatile(".arch_extension fp\n.arch_extension simd\nmsr cpacr_el1, %0\nisb\n"
                     "mov x1, #0x1001\nmov x2, #0x1002\nmov x19, #0x1019\nmov x28, #0x1028\n"
                     "mov x30, #0x1030\nfmov d0, x1\nfmov v31.d[1], x2\n"
                     "mov x0, #0x43000000\nmov sp, x0\nmov x0, #0x1000\n"
                     ".globl standing\nstanding: b ." ::"r"(fp));
}

static volatile unsigned interrupts;
static uint64_t passed_uart;

static void on_irq(struct frame *f)
{
    (void)f;
    uint64_t id = GIC_READ(ICC_IAR1);
    interrupts++;
    write32(passed_uart + 0x44, 0x7ff); /* UARTICR */
    GIC_WRITE(ICC_EOIR1, id);
}

static void irq(unsigned intid, uint64_t at)
{
    passed_uart = at;
    gic_start_distributor();
    gic_start_cpu();
    this_cpu()->irq = on_irq;
    gic_enable(intid, 0x80);
    ASM("msr daifclr, #2\nisb");
    write32(at + 0x38, 1u << 5); /* UARTIMSC: transmitted */
    for (unsigned i = 0; i < 3; i++)
        write32(at, '*');
    for (volatile unsigned k = 0; k < 2000; k++)
        ;
    ASM("msr daifset, #2\nisb");
    print("%u interrupts\n", interrupts);
}

static void second(void)
{
    enum { DR = 0, MR = 4, IMSC = 0x10, RIS = 0x14, ICR = 0x1c }; /* DDI 0224 */
    gic_start_distributor();
    gic_start_cpu();
    gic_enable(34, 0x80);
    write32(PL031 + MR, read32(PL031 + DR) + 1);
    write32(PL031 + IMSC, 1);
    while (!read32(PL031 + RIS))
        ASM("wfi");
    write32(PL031 + ICR, 1);
    uint64_t id = GIC_READ(ICC_IAR1);
    GIC_WRITE(ICC_EOIR1, id);
}

static void act(const char *what)
{
    if (is(what, "say"))
        print("%s\n", word());
    else if (is(what, "uart"))
        uart(word());
    else if (is(what, "count"))
        count(number());
    else if (is(what, "fill"))
        fill(number());
    else if (is(what, "sum"))
        sum();
    else if (is(what, "assault"))
        assault();
    else if (is(what, "touch"))
        print("found %x\n", read64(number()));
    else if (is(what, "put")) {
        uint64_t at = number();
        write64(at, number());
    } else if (is(what, "poke")) {
        uint64_t at = number();
        write32(at, (uint32_t)number());
    } else if (is(what, "byte")) {
        volatile uint8_t *at = (volatile uint8_t *)number();
        *at = (uint8_t)number();
    } else if (is(what, "bump")) {
        uint64_t at = number();
        last = read64(at) + 1;
        write64(at, last);
        print("number %u\n", last);
    } else if (is(what, "below")) {
        uint64_t limit = number();
        const char *then = word();
        if (last < limit)
            act(then);
    } else if (is(what, "irq")) {
        unsigned intid = (unsigned)number();
        irq(intid, number());
    } else if (is(what, "mmu"))
        mmu();
    else if (is(what, "second"))
        second();
    else if (is(what, "wedge"))
        wedge();
    else if (is(what, "stand"))
        stand();
    else if (is(what, "wait"))
        for (;;)
            ASM("wfi");
    else if (is(what, "reset"))
        hvc(PSCI_SYSTEM_RESET, 0, 0, 0);
    else if (is(what, "exit"))
        write32(EXIT, (uint32_t)number());
    else if (is(what, "quit"))
        quit(number());
    else
        hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
}

int main(void)
{
    words_start();
    for (;;)
        act(word());
}
