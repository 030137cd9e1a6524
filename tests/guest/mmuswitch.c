/* Turning the MMU and the caches on and off while running from a 1:1 map, running at other
 * addresses, and switching between tables with the same code and data addresses meaning different
 * memory, with TLB invalidation or with ASIDs. Arm ARM D8.2.10, D8.13.3. */
#include "mmu.h"
#include "trap.h"

#define WINDOW 0x80000000ull /* a page of code and a page of data, different in each table */

static struct tables tables[2];

TRAP_CODE(load, "ldr x1, [x0]");
TRAP_CODE(call, "mov x9, x30\nblr x0\nmov x30, x9");
TRAP_CODE(where_am_i, "adr x0, .");

static uint64_t code_pa(unsigned i)
{
    return SCRATCH + 0x4000 * i;
}
static uint64_t data_pa(unsigned i)
{
    return SCRATCH + 0x4000 * i + 0x2000;
}

static void fill(void)
{
    for (unsigned i = 0; i < 2; i++) {
        write32(code_pa(i), 0x52800000u | (100 + i) << 5); /* movz w0, #(100 + i) */
        write32(code_pa(i) + 4, 0xd65f03c0u);              /* ret */
        write64(data_pa(i), 200 + i);
        code_sync((const void *)code_pa(i), 8);
    }
}

static void build(uint64_t not_global)
{
    tables_reset();
    for (unsigned i = 0; i < 2; i++) {
        tables_new(&tables[i], 12, 39);
        tables_identity(&tables[i]);
        tables_map(&tables[i], WINDOW, code_pa(i), 0x1000, PTE_MEMORY | not_global | PTE_READONLY,
                   3);
        tables_map(&tables[i], WINDOW + 0x1000, data_pa(i), 0x1000,
                   PTE_MEMORY | not_global | PTE_PXN | PTE_UXN, 3);
    }
}

static void check_window(unsigned i)
{
    struct trap t = trap_el1(call, WINDOW, 0, 0);
    CHECK_NO_TRAP("call", t);
    CHECK_EQ("code in the window", t.x[0], 100 + i);
    t = trap_el1(load, WINDOW + 0x1000, 0, 0);
    CHECK_NO_TRAP("load", t);
    CHECK_EQ("data in the window", t.x[1], 200 + i);
}

/* At WINDOW there is no memory: with the MMU off nothing can be checked there but the rest. */
static void on_and_off(void)
{
    for (unsigned n = 0; n < 40; n++) {
        check_context("round", n);
        CHECK_EQ("SCTLR.M", READ(sctlr_el1) & SCTLR_M, 0);
        write64(data_pa(n & 1), 200 + (n & 1)); /* by the physical address */
        mmu_on(&tables[n & 1]);
        CHECK_EQ("SCTLR.M", READ(sctlr_el1) & SCTLR_M, 1);
        check_window(n & 1);
        write64(WINDOW + 0x1000, n + 7);
        struct trap t = trap_el1(load, WINDOW + 0x5000, 0, 0);
        CHECK_EQ("unmapped", t.esr, ESR(EC_DABORT_EL1, FSC_TRANSLATION + 3));
        mmu_off();
        CHECK_EQ("what was stored", read64(data_pa(n & 1)), n + 7);
        write64(data_pa(n & 1), 200 + (n & 1));
    }
    check_context(NULL, 0);
}

static void cache_bits(void)
{
    mmu_on(&tables[0]);
    for (unsigned n = 0; n < 32; n++) {
        uint64_t set = (n & 1 ? SCTLR_C : 0) | (n & 2 ? SCTLR_I : 0);
        sctlr_change(SCTLR_C | SCTLR_I, set);
        CHECK_EQ("SCTLR.C and I", READ(sctlr_el1) & (SCTLR_C | SCTLR_I), set);
        check_window(0);
    }
    sctlr_change(0, SCTLR_C | SCTLR_I);
}

static void set_tables(unsigned i, uint64_t asid)
{
    WRITE(ttbr0_el1, (uint64_t)tables[i].root | asid << 48);
    ISB();
}

static void switch_tables(void)
{
    for (unsigned n = 0; n < 60; n++) {
        set_tables(n * 5 / 2 & 1, 0);
        tlb_flush();
        check_window(n * 5 / 2 & 1);
    }
}

/* Not global, so the ASID tells them apart and no TLB invalidation is needed. */
static void switch_asids(void)
{
    mmu_off();
    build(PTE_NG);
    mmu_on(&tables[0]);
    for (unsigned n = 0; n < 200; n++) {
        unsigned i = n * 5 / 3 & 1;
        set_tables(i, i + 1);
        check_window(i);
    }
    set_tables(0, 0);
    tlb_flush();
}

/* More pages than any TLB keeps count of, in the other order in the other table. */
enum { MANY = 320 };
static uint64_t many_pa(unsigned i, unsigned n)
{
    return SCRATCH + 0x100000 + 0x1000ull * (i ? MANY - 1 - n : n);
}

static void switch_many_pages(void)
{
    mmu_off();
    build(PTE_NG);
    for (unsigned n = 0; n < MANY; n++)
        write64(many_pa(0, n), n);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned n = 0; n < MANY; n++)
            tables_map(&tables[i], WINDOW + 0x10000 + 0x1000 * n, many_pa(i, n), 0x1000,
                       PTE_MEMORY | PTE_NG | PTE_PXN | PTE_UXN, 3);
    mmu_on(&tables[0]);
    for (unsigned round = 0; round < 8; round++) {
        unsigned i = round & 1, pages = round < 4 ? 8 : MANY;
        uint64_t wrong = 0;
        set_tables(i, i + 1);
        for (unsigned n = 0; n < pages; n++)
            wrong += read64(WINDOW + 0x10000 + 0x1000 * n) != (i ? MANY - 1 - n : n);
        CHECK_EQ("wrong pages", wrong, 0);
        check_window(i);
    }
}

/* Pages that are not global in the upper half, under the ASID of TTBR0. */
static void switch_upper_half(void)
{
    const uint64_t upper = ~0ull << 39;
    uint64_t tcr = READ(tcr_el1);
    mmu_off();
    build(PTE_NG);
    mmu_on(&tables[0]);
    WRITE(ttbr1_el1, tables[0].root);
    /* T1SZ = 25, write-back, inner shareable, TG1 = 4 KiB, EPD1 = 0 */
    WRITE(tcr_el1,
          (tcr & ~(1ull << 23)) | 25ull << 16 | 1ull << 24 | 1ull << 26 | 3ull << 28 | 2ull << 30);
    ISB();
    tlb_flush();
    for (unsigned n = 0; n < 40; n++) {
        unsigned i = n * 5 / 3 & 1;
        WRITE(ttbr1_el1, tables[i].root);
        set_tables(i, i + 1);
        struct trap t = trap_el1(load, (upper | WINDOW) + 0x1000, 0, 0);
        CHECK_EQ("data in the upper window", t.x[1], 200 + i);
        t = trap_el1(call, upper | WINDOW, 0, 0);
        CHECK_EQ("code in the upper window", t.x[0], 100 + i);
    }
    WRITE(tcr_el1, tcr);
    set_tables(0, 0);
    tlb_flush();
}

/* The program's own text at another address too; control goes there and comes back. */
static void run_elsewhere(void)
{
    uint64_t text = (uint64_t)where_am_i & ~0xfffull, far = WINDOW + 0x10000;
    tables_map(&tables[0], far, text, 0x2000, PTE_MEMORY | PTE_READONLY, 3);
    tlb_flush();
    struct trap t = trap_el1(call, far + ((uint64_t)where_am_i & 0xfff), 0, 0);
    CHECK_NO_TRAP("call elsewhere", t);
    CHECK_EQ("PC elsewhere", t.x[0], far + ((uint64_t)where_am_i & 0xfff));
    t = trap_el1(where_am_i, 0, 0, 0);
    CHECK_EQ("PC at home", t.x[0], (uint64_t)where_am_i);
}

/* A smaller input address, and TTBR0 walks disabled under a program in the upper half, are left to
 * granules.c; here the size changes under the running program. */
static void change_size(void)
{
    uint64_t tcr = READ(tcr_el1);
    for (unsigned n = 0; n < 10; n++) {
        bool small = n & 1;
        /* 31 bits are still level 1 with the 4 KiB granule, and do not reach WINDOW. */
        WRITE(tcr_el1, small ? (tcr & ~0x3full) | 33 : tcr);
        ISB();
        tlb_flush();
        struct trap t = trap_el1(load, WINDOW + 0x1000, 0, 0);
        CHECK_EQ("size of input address", t.esr, small ? ESR(EC_DABORT_EL1, FSC_TRANSLATION) : 0);
    }
    WRITE(tcr_el1, tcr);
    ISB();
    tlb_flush();
}

int main(void)
{
    fill();
    build(0);
    on_and_off();
    cache_bits();
    switch_tables();
    switch_asids();
    switch_many_pages();
    switch_upper_half();
    run_elsewhere();
    change_size();
    mmu_off();
    finish();
}
