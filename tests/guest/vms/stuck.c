/* A guest that gets stuck in the way its command line says, for tests of what is said then
 * (tests/silence.sh). On the VM of actor.qvmconf; `other` needs two vCPUs.
 *
 *   nowhere            an undefined instruction, with VBAR_EL1 where nothing is
 *   unmapped           the same with the MMU on, where no translation is
 *   not-executable     and where the page may not be executed
 *   svc brk zeros stack  the first instruction of the vector raises the exception again: by itself,
 *                      or as its stack is not there
 *   watched            nowhere, with the watchdog running
 *   other WORD         vCPU 1 gets stuck `nowhere` for WORD of vCPU 0:
 *     wait               it waits for ever
 *     later              its timer wakes it, and it powers off
 *     helps              it puts something there, and vCPU 1 goes on
 *   asleep masked disabled group interface active off imask nothing
 *                      it waits, and why an interrupt does not come
 *   parked             `b .`
 *   hears N            prints UARTDR for each of N characters from its console
 *   lost N             N writes to ROM, then one to each of 20 pages of nothing */
#include "gic.h"
#include "mmu.h"
#include "smp.h"
#include "words.h"

#define WATCHDOG  0x09030000u
#define ROM       0x60000000u
#define UNMAPPED  0x7000000000u
#define SGI_FRAME (GICR + 0x10000)
#define TIMER     27u
enum { SVC = 0xd4000001, BRK = 0xd4200000, STP_PUSH = 0xa9bf7bfd };
/* hvc #0 with W0 = CPU_OFF: movz w0, #2; movk w0, #0x8400, lsl #16; hvc #0 */
static const uint32_t cpu_off[] = {0x52800040, 0x72b08000, 0xd4000002};

static struct tables tables;

static _Noreturn void undefined_with(uint64_t vbar)
{
    WRITE(vbar_el1, vbar);
    ISB();
    ASM("udf #0");
    __builtin_unreachable();
}

/* The vector for what is taken at EL1h, in RAM. */
static void put_vector(uint32_t first)
{
    write32(SCRATCH + 0x200, first);
    code_sync((const void *)(uint64_t)(SCRATCH + 0x200), 4);
}

static _Noreturn void no_stack(void)
{
    put_vector(STP_PUSH);
    WRITE(vbar_el1, SCRATCH);
    ISB();
    __asm__ volatile("mov sp, %0\nudf #0" ::"r"((uint64_t)UNMAPPED));
    __builtin_unreachable();
}

static void mmu_without_rights(void)
{
    mmu_start(&tables);
    pte_set(tables_entry(&tables, SCRATCH, 2), SCRATCH | PTE_MEMORY | PTE_PXN | PTE_VALID);
}

static _Noreturn void watched(void)
{
    write32(WATCHDOG, 25000); /* 1 ms */
    write32(WATCHDOG + 8, 3);
    undefined_with(UNMAPPED);
}

static _Noreturn void wait(void)
{
    for (;;)
        ASM("wfi");
}

static _Noreturn void power_off(void)
{
    hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    wait();
}

/* So many counts from now. */
static void start_timer(uint64_t counts, unsigned control)
{
    WRITE(cntv_tval_el0, counts);
    WRITE(cntv_ctl_el0, control);
    ISB();
}

/* vCPU 1 -----------------------------------------------------------------------------------------
 */

static void get_stuck(void *vbar)
{
    undefined_with((uint64_t)vbar);
}

static void burn(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        ASM("nop");
}

/* The vector is filled with UDF #0, as memory is, until vCPU 0 helps. */
static _Noreturn void help(void)
{
    uint64_t to = SCRATCH + 0x200;
    burn(100000);
    for (unsigned i = 3; i-- > 0;)
        write32(to + 4 * i, cpu_off[i]);
    code_sync((const void *)to, sizeof cpu_off);
    CHECK("vCPU 1 goes off", cpu_wait_off(1));
    finish();
}

static _Noreturn void other(const char *what)
{
    bool helps = is(what, "helps");
    cpu_start(1, get_stuck, (void *)(uint64_t)(helps ? SCRATCH : UNMAPPED));
    burn(1000);
    if (helps)
        help();
    if (is(what, "wait"))
        wait();
    gic_start_distributor();
    gic_start_cpu();
    gic_enable(TIMER, 0x80);
    start_timer(100000, 1);
    ASM("wfi");
    power_off();
}

/* Waiting -----------------------------------------------------------------------------------------
 */

static _Noreturn void wait_for_timer(const char *what)
{
    gic_start_distributor();
    gic_start_cpu();
    if (!is(what, "disabled") && !is(what, "nothing"))
        gic_enable(TIMER, 0x80);
    if (is(what, "asleep"))
        write32(GICR + 0x14, 2);
    else if (is(what, "masked"))
        GIC_WRITE(ICC_PMR, 0x80);
    else if (is(what, "group"))
        write32(GICD, 1u << 4);
    else if (is(what, "interface"))
        GIC_WRITE(ICC_IGRPEN1, 0);
    else if (is(what, "active"))
        write32(SGI_FRAME + 0x300, 1u << TIMER);
    if (!is(what, "off") && !is(what, "nothing"))
        start_timer(1000, is(what, "imask") ? 3 : 1);
    wait();
}

static _Noreturn void hear(uint64_t characters)
{
    write32(PL011 + 0x2c, 0x70); /* UARTLCR_H: FIFOs */
    print("ready\n");
    for (; characters > 0; characters--) {
        while (read32(PL011 + 0x18) & 1u << 4) /* UARTFR.RXFE */
            ;
        print("got %x\n", read32(PL011));
    }
    power_off();
}

static _Noreturn void lose(uint64_t writes)
{
    while (writes-- > 0)
        write32(ROM + 0x10, 0);
    for (unsigned page = 0; page < 20; page++)
        write32(NOTHING + 4096 * page, page);
    power_off();
}

static _Noreturn void get_into(const char *what)
{
    if (is(what, "nowhere"))
        undefined_with(UNMAPPED);
    if (is(what, "unmapped") || is(what, "not-executable"))
        mmu_without_rights();
    if (is(what, "unmapped"))
        undefined_with(UNMAPPED);
    if (is(what, "svc") || is(what, "brk") || is(what, "zeros"))
        put_vector(is(what, "svc") ? SVC : is(what, "brk") ? BRK : 0);
    if (is(what, "stack")) {
        mmu_start(&tables);
        no_stack();
    }
    if (is(what, "not-executable") || is(what, "svc") || is(what, "brk") || is(what, "zeros"))
        undefined_with(SCRATCH);
    if (is(what, "watched"))
        watched();
    if (is(what, "other"))
        other(word());
    if (is(what, "parked"))
        ASM("b .");
    if (is(what, "hears"))
        hear(number());
    if (is(what, "lost"))
        lose(number());
    wait_for_timer(what);
}

int main(void)
{
    words_start();
    get_into(word());
}
