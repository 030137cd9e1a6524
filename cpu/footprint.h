/* Which pages of virtual addresses a stretch of the run fetched code from and which data it
 * touched: a set that may name a page too many, never one too few. The engine asks for each page
 * after its TLB was flushed, so a stretch begins with a flush. What searches a run for a point
 * looks here first: most stretches need not be run again. */
#ifndef CPU_FOOTPRINT_H
#define CPU_FOOTPRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/addr.h"

/* Two bits of each page's hash (a Bloom filter): with a thousand pages in it one page of a hundred
 * is named without reason. */
#define FOOTPRINT_BITS 16384

struct page_set {
    uint64_t bits[FOOTPRINT_BITS / 64];
};

struct footprint {
    struct page_set code, data;
};

static inline uint64_t page_set_hash(uint64_t va)
{
    return (va >> PAGE_BITS) * 0x9e3779b97f4a7c15u >> 32;
}

static inline bool page_set_bit(const struct page_set *s, uint64_t hash)
{
    return s->bits[hash % FOOTPRINT_BITS / 64] >> (hash % 64) & 1;
}

static inline void page_set_add(struct page_set *s, uint64_t va)
{
    uint64_t hash = page_set_hash(va);
    s->bits[hash % FOOTPRINT_BITS / 64] |= (uint64_t)1 << (hash % 64);
    hash /= FOOTPRINT_BITS;
    s->bits[hash % FOOTPRINT_BITS / 64] |= (uint64_t)1 << (hash % 64);
}

static inline bool page_set_has(const struct page_set *s, uint64_t va)
{
    uint64_t hash = page_set_hash(va);
    return page_set_bit(s, hash) && page_set_bit(s, hash / FOOTPRINT_BITS);
}

static inline void footprint_merge(struct footprint *into, const struct footprint *other)
{
    for (unsigned i = 0; i < FOOTPRINT_BITS / 64; i++) {
        into->code.bits[i] |= other->code.bits[i];
        into->data.bits[i] |= other->data.bits[i];
    }
}

#endif
