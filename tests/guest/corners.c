/* Corners that were wrong once: a tagged address survived a TLBI, a software step over a taken
 * branch moved the counter, a misused register was skipped for ever. */
#include "mmu.h"
#include "trap.h"

static struct tables tables;

TRAP_CODE(load, "ldr x1, [x0]");
TRAP_CODE(write_read_only, "msr s3_1_c0_c0_7, x1");
TRAP_CODE(read_write_only, "mrs x1, s3_3_c9_c12_4");
EL0_CODE(jump, "b 1f\nnop\nnop\nnop\n1: mov x0, #3\n");

#define TBI0 (1ull << 37)
#define TAG  0x1200000000000000ull

static void invalidate(uint64_t va)
{
    DSB();
    __asm__ volatile("tlbi vaae1, %0" ::"r"(va >> 12) : "memory");
    DSB();
    ISB();
}

/* TLBI ignores the tag of its operand, and so do the entries it drops (D8.14). */
static void tagged_pages(void)
{
    uint64_t va = 0x50000000, first = SCRATCH, second = SCRATCH + 0x1000;
    uint64_t *entry = tables_entry(&tables, va, 3);
    volatile uint64_t *tagged = (volatile uint64_t *)(va | TAG);
    *(volatile uint64_t *)first = 0xaaaa;
    *(volatile uint64_t *)second = 0xbbbb;
    WRITE(tcr_el1, READ(tcr_el1) | TBI0);
    *entry = first | 3 | PTE_MEMORY;
    invalidate(va);
    CHECK_EQ("tagged", *tagged, 0xaaaa);
    *entry = 0;
    invalidate(va);
    *entry = second | 3 | PTE_MEMORY;
    invalidate(va);
    CHECK_EQ("tagged, mapped elsewhere", *tagged, 0xbbbb);
    *entry = 0;
    invalidate(va);
    struct trap t = trap_el1(load, va | TAG, 0, 0);
    CHECK("tagged, unmapped", t.taken);
    CHECK_EQ("FAR keeps the tag", t.far, va | TAG);
}

static void stepped_branch(void)
{
    struct trap t = {.x = {0}};
    WRITE(oslar_el1, 0);
    uint64_t before = READ(cntvct_el0);
    WRITE(mdscr_el1, 1 | 1 << 13);
    ISB();
    trap_eret(&t, (uint64_t)jump, SPSR_EL0T | SPSR_SS, 0);
    WRITE(mdscr_el1, 0);
    ISB();
    uint64_t passed = READ(cntvct_el0) - before;
    CHECK_EQ("EC", t.esr >> 26, 0x32);
    CHECK_EQ("ELR", t.elr, (uint64_t)(jump + 4));
    CHECK("the counter stays sane", passed < 100000);
}

static void misused_registers(void)
{
    struct trap t = trap_el1(write_read_only, 0, 0, 0);
    CHECK_EQ("AIDR_EL1 written: EC", t.esr >> 26, 0);
    CHECK("AIDR_EL1 written", t.taken);
    t = trap_el1(read_write_only, 0, 0, 0);
    CHECK("PMSWINC_EL0 read", t.taken);
}

int main(void)
{
    mmu_start(&tables);
    tagged_pages();
    stepped_branch();
    misused_registers();
    finish();
}
