#include "mmu.h"

#define POOL_SIZE 0x400000
static uint8_t pool[POOL_SIZE] __attribute__((section(".noinit"), aligned(65536)));
static size_t pool_used;

extern uint8_t el0_text_start[], el0_text_end[], el0_data_start[], el0_data_end[];

void tables_reset(void)
{
    pool_used = 0;
}

static uint64_t *table_take(const struct tables *t)
{
    size_t size = (size_t)1 << t->page_bits;
    pool_used = (pool_used + size - 1) & ~(size - 1);
    if (size > POOL_SIZE - pool_used) {
        print("FAILED: no room for tables\n");
        quit(1);
    }
    uint64_t *table = (uint64_t *)(pool + pool_used);
    pool_used += size;
    for (size_t i = 0; i < size / 8; i++)
        table[i] = 0;
    return table;
}

unsigned tables_shift(const struct tables *t, unsigned level)
{
    return t->page_bits + (3 - level) * (t->page_bits - 3);
}

void tables_new(struct tables *t, unsigned page_bits, unsigned va_bits)
{
    t->page_bits = page_bits;
    t->va_bits = va_bits;
    t->level = 3;
    while (tables_shift(t, t->level) + page_bits - 3 < va_bits)
        t->level--;
    t->root = table_take(t);
}

uint64_t *tables_entry(struct tables *t, uint64_t va, unsigned level)
{
    uint64_t *table = t->root;
    uint64_t mask = ((uint64_t)1 << (t->page_bits - 3)) - 1;
    for (unsigned l = t->level;; l++) {
        uint64_t *entry = &table[va >> tables_shift(t, l) & mask];
        if (l == level)
            return entry;
        if (!(*entry & PTE_VALID))
            *entry = (uint64_t)table_take(t) | PTE_TABLE;
        table = (uint64_t *)(*entry & PTE_ADDRESS_MASK);
    }
}

void tables_map(struct tables *t, uint64_t va, uint64_t pa, uint64_t size, uint64_t attributes,
                unsigned level)
{
    uint64_t step = (uint64_t)1 << tables_shift(t, level);
    for (uint64_t at = 0; at < size; at += step)
        *tables_entry(t, va + at, level) =
            (pa + at) | attributes | (level == 3 ? PTE_TABLE : PTE_VALID);
}

static void map_pages(struct tables *t, const uint8_t *start, const uint8_t *end,
                      uint64_t attributes)
{
    tables_map(t, (uint64_t)start, (uint64_t)start, (uint64_t)(end - start), attributes, 3);
}

void tables_identity(struct tables *t)
{
    uint64_t block = (uint64_t)1 << tables_shift(t, 2);
    /* The blocks that hold EL0 sections, in pages. 16 KiB and 64 KiB granules have blocks of 32
     * and 512 MiB. */
    uint64_t paged = block < 0x2000000 ? 0x200000 : 0x4000000;
    tables_map(t, RAM, RAM, paged, PTE_MEMORY, 3);
    if (paged < RAM_SIZE)
        tables_map(t, RAM + paged, RAM + paged, RAM_SIZE - paged, PTE_MEMORY, 2);
    map_pages(t, el0_text_start, el0_text_end, PTE_MEMORY | PTE_EL0 | PTE_READONLY);
    map_pages(t, el0_data_start, el0_data_end, PTE_MEMORY | PTE_EL0);
    tables_map(t, 0x08000000, 0x08000000, 0x03000000, PTE_DEVICE, t->page_bits == 16 ? 3 : 2);
}

uint64_t tables_tcr(const struct tables *t)
{
    /* Inner shareable, write-back walks; TG0; IPS 40 bits; EPD1. */
    uint64_t tg0 = t->page_bits == 12 ? 0 : t->page_bits == 14 ? 2 : 1;
    return (64 - t->va_bits) | 1 << 8 | 1 << 10 | 3 << 12 | tg0 << 14 | 1ull << 23 | 2ull << 32;
}

void mmu_on(const struct tables *t)
{
    DSB();
    WRITE(mair_el1, MAIR_VALUE);
    WRITE(tcr_el1, tables_tcr(t));
    WRITE(ttbr0_el1, (uint64_t)t->root);
    ISB();
    tlb_flush();
    __asm__ volatile("ic iallu\ndsb nsh\nisb" ::: "memory");
    sctlr_change(0, SCTLR_M | SCTLR_C | SCTLR_I);
}

void mmu_off(void)
{
    DSB();
    sctlr_change(SCTLR_M | SCTLR_C | SCTLR_I, 0);
    tlb_flush();
}

void mmu_start(struct tables *t)
{
    tables_new(t, 12, 39);
    tables_identity(t);
    mmu_on(t);
}

void pte_set(uint64_t *entry, uint64_t value)
{
    *(volatile uint64_t *)entry = 0;
    tlb_flush();
    *(volatile uint64_t *)entry = value;
    tlb_flush();
}

void code_sync(const void *start, size_t size)
{
    uint64_t ctr = READ(ctr_el0);
    uint64_t dline = 4ull << (ctr >> 16 & 15), iline = 4ull << (ctr & 15);
    uint64_t from = (uint64_t)start, to = from + size;
    for (uint64_t a = from & ~(dline - 1); a < to; a += dline)
        __asm__ volatile("dc cvau, %0" ::"r"(a) : "memory");
    __asm__ volatile("dsb ish" ::: "memory");
    for (uint64_t a = from & ~(iline - 1); a < to; a += iline)
        __asm__ volatile("ic ivau, %0" ::"r"(a) : "memory");
    __asm__ volatile("dsb ish\nisb" ::: "memory");
}
