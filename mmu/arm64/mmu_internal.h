/* What stage 1 and stage 2 share: the VMSAv8-64 translation table format. Sections of the Arm ARM
 * (DDI 0487J.a) are cited by chapter and title, or by the pseudocode function that decides. */
#ifndef MMU_ARM64_MMU_INTERNAL_H
#define MMU_ARM64_MMU_INTERNAL_H

#include <string.h>

#include "mmu/arm64/stage1.h"

/* D8.3 "Translation table descriptor formats": the descriptor bits that both stages have. */
#define DESC_VALID   ((uint64_t)1 << 0)
#define DESC_TABLE   ((uint64_t)1 << 1) /* table, or page at level 3; clear: block */
#define DESC_AF      ((uint64_t)1 << 10)
#define DESC_DBM     ((uint64_t)1 << 51)
#define DESC_ADDRESS ((uint64_t)0x0000fffffffff000)

#define LAST_LEVEL 3

/* What a translation control register says about the shape of the tables. */
struct shape {
    unsigned page_bits;   /* granule: 12, 14 or 16 */
    unsigned input_bits;  /* size of the input address */
    unsigned output_bits; /* size of the output address */
    int start;            /* level of the first table */
};

static inline uint64_t bits(uint64_t value, unsigned high, unsigned low)
{
    return value >> low & (~(uint64_t)0 >> (63 - (high - low)));
}

/* Number of input bits below those that `level` resolves: log2 of what an entry maps. */
static inline unsigned level_shift(const struct shape *s, int level)
{
    return s->page_bits + (unsigned)(LAST_LEVEL - level) * (s->page_bits - 3);
}

/* The highest input bit that `level` resolves; the first table, alone or concatenated, takes all
 * that is left of the input address. */
static inline unsigned index_high(const struct shape *s, int level)
{
    return (level == s->start ? s->input_bits : level_shift(s, level - 1)) - 1;
}

/* Number of the entry for `a` in the table at `level`. */
static inline unsigned level_index(const struct shape *s, int level, uint64_t a)
{
    return (unsigned)bits(a, index_high(s, level), level_shift(s, level));
}

/* The first table lies at a multiple of its size; lower bits of BADDR are RES0 and read as such
 * (AArch64.TTBaseAddress). */
static inline uint64_t first_table(const struct shape *s, uint64_t baddr)
{
    unsigned size_bits = s->input_bits - level_shift(s, s->start) + 3;
    return bits(baddr, 47, 0) & ~(((uint64_t)1 << size_bits) - 1);
}

static inline bool fits_output(const struct shape *s, uint64_t address)
{
    return address >> s->output_bits == 0;
}

enum desc_kind { KIND_INVALID, KIND_TABLE, KIND_LEAF };

/* AArch64.DecodeDescriptorType: blocks exist at levels 1 and 2 with the 4 KiB granule, at level 2
 * with the others (without FEAT_LPA, FEAT_LPA2). */
static inline enum desc_kind desc_kind(const struct shape *s, int level, uint64_t desc)
{
    if (!(desc & DESC_VALID))
        return KIND_INVALID;
    if (level == LAST_LEVEL)
        return desc & DESC_TABLE ? KIND_LEAF : KIND_INVALID;
    if (desc & DESC_TABLE)
        return KIND_TABLE;
    return level == 2 || (level == 1 && s->page_bits == 12) ? KIND_LEAF : KIND_INVALID;
}

static inline uint64_t desc_table(const struct shape *s, uint64_t desc)
{
    return desc & DESC_ADDRESS & ~(((uint64_t)1 << s->page_bits) - 1);
}

static inline uint64_t desc_output(const struct shape *s, int level, uint64_t desc)
{
    return desc & DESC_ADDRESS & ~(((uint64_t)1 << level_shift(s, level)) - 1);
}

/* The 4 KiB page of `a` within the leaf. */
static inline uint64_t leaf_page(const struct shape *s, int level, uint64_t desc, uint64_t a)
{
    uint64_t inside = (((uint64_t)1 << level_shift(s, level)) - 1) & ~PAGE_MASK;
    return desc_output(s, level, desc) | (a & inside);
}

/* Descriptors in memory; written so that compilers see one load. */
static inline uint64_t desc_load(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static inline void desc_store(uint8_t *p, uint64_t d)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(d >> (8 * i));
}

/* The same wherever the tables are. False: there is no memory there. */
static inline bool desc_read(const struct stage2 *s2, struct memory *m, hpa_t at, uint64_t *desc)
{
    if (s2->via)
        return s2->via->read(s2->via->context, at, desc);
    const uint8_t *host = memory_at(m, at, 8, MEMORY_READ);
    if (host)
        *desc = desc_load(host);
    return host != NULL;
}

static inline bool desc_write(const struct stage2 *s2, struct memory *m, hpa_t at, uint64_t desc)
{
    if (s2->via)
        return s2->via->write(s2->via->context, at, desc);
    uint8_t *host = memory_at(m, at, 8, MEMORY_WRITE);
    if (host)
        desc_store(host, desc);
    return host != NULL;
}

/* ESR_ELx.WnR: maintenance of caches counts as a write. */
static inline bool counts_as_write(const struct access *access)
{
    return access->kind == ACCESS_WRITE || access->cache_op;
}

/* Such an access asks for permissions without making a clean page dirty. */
static inline bool leaves_clean(const struct access *access)
{
    return access->cache_op || access->translate_only || access->inspect;
}

/* What a walk may change in the tables. */
enum walk_effect { WALK_INSPECT, WALK_ACCESS, WALK_WRITE };

bool stage2_walk_effect(const struct stage2 *s2, struct memory *m, gpa_t a, enum walk_effect effect,
                        const struct walk_observer *observer, struct stage2_leaf *leaf,
                        struct fault *fault);

#endif
