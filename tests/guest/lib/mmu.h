/* Stage 1 tables of any granule, built with the MMU on or off. */
#ifndef GUEST_MMU_H
#define GUEST_MMU_H

#include "guest.h"

/* Descriptor bits (Arm ARM D8.3). */
#define PTE_VALID      1ull
#define PTE_TABLE      3ull /* also: page */
#define PTE_ATTR(i)    ((uint64_t)(i) << 2)
#define PTE_EL0        (1ull << 6) /* AP[1] */
#define PTE_READONLY   (1ull << 7) /* AP[2] */
#define PTE_INNER      (3ull << 8)
#define PTE_AF         (1ull << 10)
#define PTE_NG         (1ull << 11)
#define PTE_CONTIGUOUS (1ull << 52)
#define PTE_PXN        (1ull << 53)
#define PTE_UXN        (1ull << 54)
/* Table descriptors */
#define PTE_PXNTABLE     (1ull << 59)
#define PTE_UXNTABLE     (1ull << 60)
#define PTE_APTABLE_EL1  (1ull << 61) /* no access from EL0 */
#define PTE_APTABLE_RO   (1ull << 62)
#define PTE_ADDRESS_MASK 0x0000fffffffff000ull

/* Indices into the MAIR that mmu_on sets. */
enum { ATTR_NORMAL = 0, ATTR_DEVICE = 1, ATTR_NONCACHED = 2, ATTR_DEVICE_STRICT = 3 };
#define MAIR_VALUE 0x00004404ffull /* nGnRnE, Normal-NC, nGnRE, Normal WB */

#define PTE_MEMORY (PTE_AF | PTE_INNER | PTE_ATTR(ATTR_NORMAL)) /* EL1 read, write, run */
#define PTE_DEVICE (PTE_AF | PTE_ATTR(ATTR_DEVICE) | PTE_PXN | PTE_UXN)

struct tables {
    unsigned page_bits; /* 12, 14 or 16 */
    unsigned va_bits;   /* 64 - T0SZ */
    unsigned level;     /* of the root */
    uint64_t *root;
};

/* Tables come from a pool; tables_reset gives all back. */
void tables_reset(void);
void tables_new(struct tables *t, unsigned page_bits, unsigned va_bits);
/* Bits of an input address below a descriptor of that level. */
unsigned tables_shift(const struct tables *t, unsigned level);
/* The descriptor for `va` at `level`; tables above are made. For TTBR1 give the low bits of va. */
uint64_t *tables_entry(struct tables *t, uint64_t va, unsigned level);
/* Maps whole blocks or pages of `level`. */
void tables_map(struct tables *t, uint64_t va, uint64_t pa, uint64_t size, uint64_t attributes,
                unsigned level);
/* Everything a program needs, 1:1: RAM for EL1, its EL0 sections, devices below 1 GiB. */
void tables_identity(struct tables *t);
/* TCR_EL1 for these tables in TTBR0, TTBR1 walks disabled (EPD1). */
uint64_t tables_tcr(const struct tables *t);

/* Loads MAIR, TCR and TTBR0 and turns MMU and caches on. */
void mmu_on(const struct tables *t);
void mmu_off(void);
/* tables_new for 4 KiB and 39 bits, tables_identity and mmu_on. */
void mmu_start(struct tables *t);

/* Visible changes of descriptors: store, DSB, TLBI of everything, DSB, ISB. */
static inline void tlb_flush(void)
{
    __asm__ volatile("dsb ish\ntlbi vmalle1is\ndsb ish\nisb" ::: "memory");
}
void pte_set(uint64_t *entry, uint64_t value); /* with tlb_flush, by break-before-make */

/* Makes instructions that were stored visible to this CPU's fetches. */
void code_sync(const void *start, size_t size);

#endif
