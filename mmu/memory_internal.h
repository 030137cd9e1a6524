/* What the files of memory share: bitmaps over the pages of a bank. */
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

static inline void bit_clear(uint64_t *map, size_t i)
{
    map[i / 64] &= ~((uint64_t)1 << (i % 64));
}

/* Position of the lowest bit set in `word`, which is not 0. */
static inline size_t bit_lowest(uint64_t word)
{
    return (size_t)__builtin_ctzll(word);
}

/* The first bit set at or after `from` in a map of `count` bits; `count`: there is none. */
static inline size_t bit_next(const uint64_t *map, size_t from, size_t count)
{
    uint64_t ignore = ((uint64_t)1 << from % 64) - 1; /* bits below `from` in its word */
    for (size_t w = from / 64; w < (count + 63) / 64; w++, ignore = 0)
        if (map[w] & ~ignore)
            return w * 64 + bit_lowest(map[w] & ~ignore);
    return count;
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

static inline size_t bank_pages(const struct memory_bank *b)
{
    return b->group_count * GROUP_PAGES;
}

/* The page is written: every follower's mark. */
static inline void bank_mark(struct memory_bank *b, size_t page)
{
    bit_set(b->touched, page);
    bit_set(b->seen, page);
    for (unsigned who = 0; who < MEMORY_FOLLOWERS; who++) {
        bit_set(b->marks[who].pages, page);
        bit_set(b->marks[who].groups, page / GROUP_PAGES);
    }
}

/* The first page with the follower's mark at or after page `from`; bank_pages: there is none. A map
 * of groups stands before that of pages, as boards are large and little of them changes. */
static inline size_t bank_next_written(const struct memory_bank *b, enum memory_follower who,
                                       size_t from)
{
    const struct memory_marks *marks = &b->marks[who];
    while (from < bank_pages(b)) {
        size_t group = bit_next(marks->groups, from / GROUP_PAGES, b->group_count);
        if (group != from / GROUP_PAGES)
            from = group * GROUP_PAGES;
        size_t end = (group + 1) * GROUP_PAGES;
        size_t page = group < b->group_count ? bit_next(marks->pages, from, end) : end;
        if (page != end)
            return page;
        from = end;
    }
    return bank_pages(b);
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
