/* Translation with every granule the CPU has: pages, blocks, contiguous runs, sizes of the input
 * address, both halves of the address space, tagged addresses, faults by level; and that TLB
 * invalidation reaches what it must. Arm ARM D8.2, D8.3, D8.13. */
#include "mmu.h"
#include "trap.h"

#define TEST    0x80000000ull /* in the lower half, where every size of 32 bits and more reaches */
#define MARKED  0x800000ull   /* bytes of SCRATCH where each 4 KiB page holds its address */
#define RW_ONLY (PTE_MEMORY | PTE_PXN | PTE_UXN)

static struct tables low, high;

TRAP_CODE(load, "ldr x1, [x0]");
TRAP_CODE(store, "str x1, [x0]");
TRAP_CODE(call, "mov x9, x30\nblr x0\nmov x30, x9");
TRAP_CODE(where_am_i, "adr x0, .");

static void mark_memory(void)
{
    for (uint64_t a = SCRATCH; a < SCRATCH + MARKED; a += 0x1000)
        write64(a, a);
}

static bool has_granule(unsigned bits)
{
    uint64_t mmfr0 = READ(id_aa64mmfr0_el1);
    if (bits == 14)
        return field(mmfr0, 20, 4) != 0;
    return field(mmfr0, bits == 12 ? 28 : 24, 4) != 15;
}

static void check_maps(const char *what, uint64_t va, uint64_t marker)
{
    struct trap t = trap_el1(load, va, 0, 0);
    if (CHECK_EQ("no fault", t.esr, 0))
        check_eq(what, __LINE__, t.x[1], marker);
}

static void check_faults(const char *what, uint64_t va, unsigned fault)
{
    struct trap t = trap_el1(load, va, 0, 0);
    check_eq(what, __LINE__, t.esr, ESR(EC_DABORT_EL1, fault));
    CHECK_EQ("FAR", t.far, va);
}

/* The upper half --------------------------------------------------------------------------------*/

static uint64_t tcr_high(void)
{
    uint64_t tg1 = high.page_bits == 12 ? 2 : high.page_bits == 14 ? 1 : 3;
    return (64 - high.va_bits) << 16 | 1ull << 24 | 1ull << 26 | 3ull << 28 | tg1 << 30;
}

static void high_on(void)
{
    WRITE(ttbr1_el1, (uint64_t)high.root);
    WRITE(tcr_el1, (tables_tcr(&low) & ~(1ull << 23)) | tcr_high());
    ISB();
    tlb_flush();
}

/* A leaf of every level that may have one, at different places of the upper half. */
static void leaves(uint64_t base)
{
    unsigned first = high.page_bits == 12 ? 1 : 2;
    for (unsigned level = first > high.level ? first : high.level; level <= 3; level++) {
        uint64_t size = 1ull << tables_shift(&high, level);
        /* The last block of the half, so as not to meet the others. */
        uint64_t va = level == 3 ? base : -size * (level == 1 ? 1 : level == 2 ? 2 : 1);
        if (va < base || (level < 3 && -base < 4 * size))
            continue;
        uint64_t pa = SCRATCH & ~(size - 1);
        check_context("leaf at level", level);
        tables_map(&high, va & ~base, pa, size, RW_ONLY, level);
        tlb_flush();
        uint64_t inside = level == 3 ? size - 0x1000 : SCRATCH - pa + 0x5000 % size;
        check_maps("leaf", va + inside, pa + inside);
        *tables_entry(&high, va & ~base, level) |= PTE_READONLY;
        tlb_flush();
        check_maps("read-only leaf", va + inside, pa + inside);
        struct trap t = trap_el1(store, va + inside, 0, 0);
        CHECK_EQ("level of a permission fault", t.esr,
                 ESR(EC_DABORT_EL1, ESR_WNR | (FSC_PERMISSION + level)));
        *tables_entry(&high, va & ~base, level) &= ~PTE_AF;
        tlb_flush();
        check_faults("level of an access flag fault", va + inside, FSC_ACCESS_FLAG + level);
        *tables_entry(&high, va & ~base, level) |= 1ull << 45 | PTE_AF; /* IPS: 40 bits */
        tlb_flush();
        check_faults("level of an address size fault", va + inside, FSC_ADDRESS_SIZE + level);
        *tables_entry(&high, va & ~base, level) = 0;
        tlb_flush();
        check_faults("level of a translation fault", va + inside, FSC_TRANSLATION + level);
    }
    check_context(NULL, 0);
}

/* Descriptors that do not exist at their level are invalid (D8.3.1). */
static void reserved(uint64_t base)
{
    uint64_t va = base;
    uint64_t *entry = tables_entry(&high, va & ~base, 3);
    pte_set(entry, SCRATCH | RW_ONLY | PTE_VALID);
    check_faults("block at level 3", va, FSC_TRANSLATION + 3);
    pte_set(entry, SCRATCH | RW_ONLY | PTE_TABLE);
    check_maps("page at level 3", va, SCRATCH);
    unsigned lowest_block = high.page_bits == 12 ? 1 : 2;
    if (high.level < lowest_block) {
        uint64_t *top = tables_entry(&high, va & ~base, high.level), kept = *top;
        pte_set(top, RW_ONLY | PTE_VALID);
        known_begin("it takes a block at every level above 3");
        check_faults("block at too high a level", va, FSC_TRANSLATION + high.level);
        known_end();
        pte_set(top, kept | 1ull << 45);
        check_faults("table address too big", va, FSC_ADDRESS_SIZE + high.level);
        pte_set(top, kept);
        check_maps("restored", va, SCRATCH);
    }
}

static void contiguous(uint64_t base)
{
    unsigned count = high.page_bits == 12 ? 16 : high.page_bits == 14 ? 128 : 32;
    uint64_t page = 1ull << high.page_bits, size = count * page;
    uint64_t va = base + size;
    if (-base < 2 * size)
        return;
    tables_map(&high, va & ~base, SCRATCH, size, RW_ONLY | PTE_CONTIGUOUS, 3);
    tlb_flush();
    for (unsigned i = 0; i < count; i++)
        check_maps("contiguous run", va + i * page, SCRATCH + i * page);
    /* The whole run is changed and invalidated by one address each. */
    for (unsigned i = 0; i < count; i++)
        *tables_entry(&high, (va & ~base) + i * page, 3) = 0;
    DSB();
    for (unsigned i = 0; i < count; i++)
        __asm__ volatile("tlbi vaae1is, %0" ::"r"((va + i * page) >> 12 & 0xfffffffffff)
                         : "memory");
    __asm__ volatile("dsb ish\nisb" ::: "memory");
    for (unsigned i = 0; i < count; i++)
        check_faults("contiguous run, gone", va + i * page, FSC_TRANSLATION + 3);
}

static void upper_half(unsigned page_bits, unsigned va_bits)
{
    tables_new(&high, page_bits, va_bits);
    uint64_t base = ~0ull << va_bits;
    high_on();
    leaves(base);
    reserved(base);
    contiguous(base);
    check_faults("below the upper half", base - 8, FSC_TRANSLATION);
    uint64_t last = -(1ull << page_bits);
    tables_map(&high, last & ~base, SCRATCH, 1ull << page_bits, RW_ONLY, 3);
    tlb_flush();
    check_maps("first page", base, SCRATCH);
    check_maps("last page", last, SCRATCH);
    WRITE(tcr_el1, READ(tcr_el1) | 1ull << 23);
    ISB();
    tlb_flush();
    check_faults("EPD1", base, FSC_TRANSLATION);
    WRITE(tcr_el1, tables_tcr(&low));
    ISB();
    tlb_flush();
}

static void granule(unsigned page_bits)
{
    static const unsigned low_sizes[] = {32, 36, 39, 42, 47, 48};
    static const unsigned high_sizes[] = {25, 28, 30, 33, 36, 39, 40, 42, 43, 47, 48};
    for (unsigned i = 0; i < sizeof low_sizes / sizeof *low_sizes; i++) {
        tables_reset();
        tables_new(&low, page_bits, low_sizes[i]);
        tables_identity(&low);
        mmu_on(&low);
        uint64_t page = 1ull << page_bits, last = (1ull << low.va_bits) - page;
        tables_map(&low, last, SCRATCH, page, RW_ONLY, 3);
        tables_map(&low, TEST, SCRATCH + page, page, RW_ONLY, 3);
        tlb_flush();
        check_context("input size", low.va_bits);
        check_maps("last page of the lower half", last, SCRATCH);
        check_maps("page", TEST, SCRATCH + page);
        check_faults("above the lower half", last + page, FSC_TRANSLATION);
        check_context(NULL, 0);
        mmu_off();
    }
    tables_reset();
    tables_new(&low, page_bits, 36);
    tables_identity(&low);
    mmu_on(&low);
    for (unsigned i = 0; i < sizeof high_sizes / sizeof *high_sizes; i++)
        upper_half(page_bits, high_sizes[i]);
    mmu_off();
}

/* Tagged addresses ------------------------------------------------------------------------------*/

static void tags(void)
{
    uint64_t tag = 0x5aull << 56, page = TEST;
    tables_map(&low, page, SCRATCH, 0x1000, RW_ONLY, 3);
    tlb_flush();
    check_faults("tag without TBI0", page | tag, FSC_TRANSLATION);
    WRITE(tcr_el1, READ(tcr_el1) | 1ull << 37);
    ISB();
    tlb_flush();
    check_maps("TBI0", page | tag, SCRATCH);
    check_faults("TBI0, the tag is in FAR", (page + 0x1000) | tag, FSC_TRANSLATION + 3);
    check_faults("TBI0, bits 55:48 count", page | 1ull << 50, FSC_TRANSLATION);
    struct trap t = trap_el1(call, (uint64_t)where_am_i | tag, 0, 0);
    CHECK_NO_TRAP("call of a tagged address", t);
    CHECK_EQ("PC has no tag", t.x[0], (uint64_t)where_am_i);
    tables_new(&high, 12, 39);
    tables_map(&high, 0, SCRATCH, 0x1000, RW_ONLY, 3);
    high_on();
    uint64_t base = ~0ull << 39;
    check_maps("upper half", base, SCRATCH);
    check_faults("tag without TBI1", (base & ~(0xffull << 56)) | tag, FSC_TRANSLATION);
    WRITE(tcr_el1, READ(tcr_el1) | 1ull << 38);
    ISB();
    tlb_flush();
    check_maps("TBI1", (base & ~(0xffull << 56)) | tag, SCRATCH);
    WRITE(tcr_el1, tables_tcr(&low));
    ISB();
    tlb_flush();
}

/* TLB invalidation ------------------------------------------------------------------------------*/

#define TLBI(op, operand)                                                                          \
    __asm__ volatile("dsb ish\ntlbi " #op ", %0\ndsb ish\nisb" ::"r"((uint64_t)(operand))          \
                     : "memory")
#define TLBI_ALL(op) __asm__ volatile("dsb ish\ntlbi " #op "\ndsb ish\nisb" ::: "memory")

enum {
    VAE1,
    VALE1,
    VAAE1,
    VAALE1,
    VAE1IS,
    VALE1IS,
    VAAE1IS,
    VAALE1IS,
    ASIDE1,
    ASIDE1IS,
    VMALLE1,
    VMALLE1IS,
    TLBI_COUNT
};

static void invalidate(unsigned how, uint64_t va, uint64_t asid)
{
    uint64_t operand = (va >> 12 & 0xfffffffffff) | asid << 48;
    switch (how) {
    case VAE1:
        TLBI(vae1, operand);
        break;
    case VALE1:
        TLBI(vale1, operand);
        break;
    case VAAE1:
        TLBI(vaae1, operand);
        break;
    case VAALE1:
        TLBI(vaale1, operand);
        break;
    case VAE1IS:
        TLBI(vae1is, operand);
        break;
    case VALE1IS:
        TLBI(vale1is, operand);
        break;
    case VAAE1IS:
        TLBI(vaae1is, operand);
        break;
    case VAALE1IS:
        TLBI(vaale1is, operand);
        break;
    case ASIDE1:
        TLBI(aside1, asid << 48);
        break;
    case ASIDE1IS:
        TLBI(aside1is, asid << 48);
        break;
    case VMALLE1:
        TLBI_ALL(vmalle1);
        break;
    case VMALLE1IS:
        TLBI_ALL(vmalle1is);
        break;
    }
}

/* A block is touched all over, and invalidated by one address in it. */
static void invalidate_block(unsigned how, unsigned level, uint64_t attributes)
{
    uint64_t size = 1ull << tables_shift(&low, level), va = 0x100000000ull;
    uint64_t pa = level == 1 ? RAM : SCRATCH;
    uint64_t marked = va + SCRATCH - pa; /* of the first marked page */
    uint64_t *entry = tables_entry(&low, va, level);
    *entry = pa | RW_ONLY | attributes | (level == 3 ? PTE_TABLE : PTE_VALID);
    DSB();
    ISB();
    uint64_t range = size < MARKED / 2 ? size : MARKED / 2;
    for (uint64_t a = 0; a < range; a += 0x11000)
        check_maps("before", marked + a, SCRATCH + a);
    *entry = 0;
    invalidate(how, va + size / 2 + 0x3000 % size, 0);
    for (uint64_t a = 0; a < range; a += 0x11000)
        check_faults("invalidated", marked + a, FSC_TRANSLATION + level);
    /* Mapped elsewhere: what was invalid is never in a TLB. */
    if (level != 1) {
        *entry = (pa + 0x200000) | RW_ONLY | attributes | (level == 3 ? PTE_TABLE : PTE_VALID);
        DSB();
        ISB();
        for (uint64_t a = 0; a < range; a += 0x11000)
            check_maps("new place", va + a, pa + 0x200000 + a);
        *entry = 0;
        invalidate(how, va, 0);
    }
}

static void invalidation(void)
{
    for (unsigned how = 0; how < TLBI_COUNT; how++) {
        for (unsigned level = 1; level <= 3; level++) {
            check_context("TLBI kind * 16 + level", how * 16 + level);
            /* By ASID, only what is not global. */
            if (how != ASIDE1 && how != ASIDE1IS)
                invalidate_block(how, level, 0);
            invalidate_block(how, level, PTE_NG);
        }
    }
    check_context(NULL, 0);
}

/* Other tables under another ASID: the same address, nG, means something else. */
static void asids(void)
{
    struct tables other;
    tables_new(&other, 12, 39);
    tables_identity(&other);
    uint64_t global = TEST + 0x3000;
    tables_map(&low, TEST, SCRATCH + 0x1000, 0x1000, RW_ONLY | PTE_NG, 3);
    tables_map(&other, TEST, SCRATCH + 0x2000, 0x1000, RW_ONLY | PTE_NG, 3);
    tables_map(&low, global, SCRATCH + 0x4000, 0x1000, RW_ONLY, 3);
    tables_map(&other, global, SCRATCH + 0x4000, 0x1000, RW_ONLY, 3);
    tables_map(&low, TEST + 0x5000, SCRATCH + 0x5000, 0x1000, RW_ONLY | PTE_NG, 3);
    tlb_flush();
    uint64_t first = (uint64_t)low.root | 1ull << 48, second = (uint64_t)other.root | 2ull << 48;
    for (unsigned round = 0; round < 3; round++) {
        WRITE(ttbr0_el1, first);
        ISB();
        check_maps("ASID 1", TEST, SCRATCH + 0x1000);
        check_maps("ASID 1, global", global, SCRATCH + 0x4000);
        check_maps("ASID 1 only", TEST + 0x5000, SCRATCH + 0x5000);
        WRITE(ttbr0_el1, second);
        ISB();
        check_maps("ASID 2", TEST, SCRATCH + 0x2000);
        check_maps("ASID 2, global", global, SCRATCH + 0x4000);
        check_faults("not in ASID 2", TEST + 0x5000, FSC_TRANSLATION + 3);
    }
    /* Under ASID 2, the page of ASID 1 is changed and invalidated by its ASID. */
    uint64_t *entry = tables_entry(&low, TEST, 3);
    *entry = 0;
    invalidate(VAE1IS, TEST, 1);
    *entry = (SCRATCH + 0x6000) | RW_ONLY | PTE_NG | PTE_TABLE;
    DSB();
    check_maps("ASID 2 stays", TEST, SCRATCH + 0x2000);
    WRITE(ttbr0_el1, first);
    ISB();
    check_maps("ASID 1, changed", TEST, SCRATCH + 0x6000);
    *entry = 0;
    invalidate(ASIDE1IS, 0, 1);
    check_faults("ASID 1, gone", TEST, FSC_TRANSLATION + 3);
    /* TCR.A1: the ASID is TTBR1's. */
    *entry = (SCRATCH + 0x7000) | RW_ONLY | PTE_NG | PTE_TABLE;
    DSB();
    WRITE(ttbr0_el1, low.root);
    WRITE(ttbr1_el1, 3ull << 48);
    WRITE(tcr_el1, READ(tcr_el1) | 1ull << 22);
    ISB();
    tlb_flush();
    check_maps("ASID of TTBR1", TEST, SCRATCH + 0x7000);
    *entry = 0;
    invalidate(VAE1, TEST, 3);
    check_faults("ASID of TTBR1, gone", TEST, FSC_TRANSLATION + 3);
    WRITE(tcr_el1, tables_tcr(&low));
    ISB();
    tlb_flush();
}

int main(void)
{
    mark_memory();
    for (unsigned bits = 12; bits <= 16; bits += 2) {
        if (has_granule(bits))
            granule(bits);
        else
            print("skipped: no granule of %u KiB\n", 1ull << (bits - 10));
    }
    tables_reset();
    mmu_start(&low);
    tags();
    invalidation();
    asids();
    finish();
}
