/* What memory.c, memory_take.c and memory_digest.c share: bitmaps over the pages of a bank. */
#ifndef MMU_MEMORY_INTERNAL_H
#define MMU_MEMORY_INTERNAL_H

#include "mmu/memory.h"

#define GROUP_SIZE  ((uint64_t)1 << 21)
#define GROUP_PAGES ((size_t)512)
#define GROUP_WORDS (GROUP_PAGES / 64)

static inline bool bit_test(const uint64_t *map, size_t i)
{
    return map[i / 64] >> (i % 64) & 1;
}

static inline void bit_set(uint64_t *map, size_t i)
{
    map[i / 64] |= (uint64_t)1 << (i % 64);
}

/* Position of the lowest bit set in `word`, which is not 0. */
static inline size_t bit_lowest(uint64_t word)
{
    return (size_t)__builtin_ctzll(word);
}

/* The number of the page within the bank's numbering, see struct memory_bank. */
static inline size_t bank_page(const struct memory_bank *b, hpa_t a)
{
    return (size_t)((a.v - b->floor) >> PAGE_BITS);
}

static inline hpa_t bank_page_address(const struct memory_bank *b, size_t page)
{
    return hpa(b->floor + ((uint64_t)page << PAGE_BITS));
}

static inline struct memory_bank *bank_of(const struct memory *m, hpa_t a, uint64_t size)
{
    for (size_t i = 0; i < m->bank_count; i++) {
        const struct memory_bank *b = &m->banks[i];
        if (range_inside(a.v - b->base.v, size, b->size))
            return (struct memory_bank *)b;
    }
    return NULL;
}

#endif
