/* Which lines of virtual addresses a stretch of the run executed and which pages of data it
 * touched: sets that may name one too many, never one too few. The engine names each block that it
 * starts; and it asks for each page after its TLB was flushed, so a stretch begins with a flush.
 * What searches a run for a point looks here first: most stretches need not be run again. */
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

/* The same for lines of code, with both bits in one word: it is added to before each block. With
 * five thousand lines in it one line of thirty is named without reason. */
#define CODE_LINE_BITS 4
#define CODE_WORDS     1024

struct code_set {
    uint64_t words[CODE_WORDS];
};

struct footprint {
    struct code_set code;
    struct page_set data;   /* virtual */
    struct page_set places; /* host-physical: what may have been written, or what was read */
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

static inline uint64_t code_set_hash(uint64_t line)
{
    return line * 0x9e3779b97f4a7c15u >> 32;
}

static inline uint64_t code_set_bits(uint64_t hash)
{
    return (uint64_t)1 << (hash >> 20 & 63) | (uint64_t)1 << (hash >> 26 & 63);
}

static inline void code_set_add(struct code_set *s, uint64_t va, uint64_t size)
{
    uint64_t last = (va + size - 1) >> CODE_LINE_BITS;
    for (uint64_t line = va >> CODE_LINE_BITS; line <= last; line++) {
        uint64_t hash = code_set_hash(line);
        s->words[hash % CODE_WORDS] |= code_set_bits(hash);
    }
}

static inline bool code_set_has(const struct code_set *s, uint64_t va)
{
    uint64_t hash = code_set_hash(va >> CODE_LINE_BITS), bits = code_set_bits(hash);
    return (s->words[hash % CODE_WORDS] & bits) == bits;
}

static inline void footprint_merge(struct footprint *into, const struct footprint *other)
{
    for (unsigned i = 0; i < CODE_WORDS; i++)
        into->code.words[i] |= other->code.words[i];
    for (unsigned i = 0; i < FOOTPRINT_BITS / 64; i++) {
        into->data.bits[i] |= other->data.bits[i];
        into->places.bits[i] |= other->places.bits[i];
    }
}

#endif
