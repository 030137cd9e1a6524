/* Building stage 2 tables: 4 KiB granule, little-endian, in the board's memory. A change is
 * prepared (tables are made, blocks of which a part changes are split; nothing translates
 * differently) and then committed (leaf entries are written; cannot fail). */
#include <inttypes.h>
#include <stdlib.h>

#include "emu/check.h"
#include "mmu/arm64/mmu_internal.h"

#define TABLE_ENTRIES 512
#define STRIDE        9

/* D8.3, "Stage 2 attribute fields in Block and Page descriptors". */
#define MEMATTR_NORMAL_WB    ((uint64_t)0xf << 2)
#define MEMATTR_DEVICE_NGNRE ((uint64_t)0x1 << 2)
#define S2AP_READ            ((uint64_t)1 << 6)
#define S2AP_WRITE           ((uint64_t)1 << 7)
#define SH_INNER             ((uint64_t)3 << 8)
#define XN_NONE              ((uint64_t)2 << 53) /* XN[1:0] = 0b10: nobody executes */

/* VTCR_EL2: RES1 bit 31, PS = 48 bits, SH0 inner, ORGN0 and IRGN0 write-back, TG0 = 4 KiB. */
#define VTCR_FIXED ((uint64_t)1 << 31 | 5 << 16 | 3 << 12 | 1 << 10 | 1 << 8)

struct builder {
    const struct stage2 *s2;
    struct memory *m;
    struct shape shape;
    gpa_t from;
    hpa_t to;
    uint64_t size;
    uint64_t template; /* leaf attributes; 0 = unmap */
};

/* The part of [from, from+size) that one entry at `level` covers. */
struct piece {
    uint64_t at;   /* guest-physical */
    uint64_t size; /* bytes */
};

static uint64_t entry_size(int level)
{
    return (uint64_t)1 << (PAGE_BITS + (unsigned)(LAST_LEVEL - level) * STRIDE);
}

static struct piece piece_at(uint64_t at, uint64_t left, int level)
{
    uint64_t to_boundary = entry_size(level) - (at & (entry_size(level) - 1));
    return (struct piece){at, left < to_boundary ? left : to_boundary};
}

/* Would a single entry at `level` do for the piece? */
static bool is_block(const struct builder *b, const struct piece *p, int level)
{
    uint64_t output = b->to.v + (p->at - b->from.v);
    if (p->size != entry_size(level) || level == 0)
        return false;
    return b->template == 0 || !(output & (entry_size(level) - 1));
}

static uint8_t *entry_at(const struct builder *b, uint64_t table, uint64_t at, int level,
                         enum memory_access access)
{
    unsigned index = level_index(&b->shape, level, at);
    uint8_t *host = memory_at(b->m, hpa(table + 8 * (uint64_t)index), 8, access);
    CHECK(host); /* our own tables are in memory */
    return host;
}

static uint64_t entry_read(const struct builder *b, uint64_t table, uint64_t at, int level)
{
    return desc_load(entry_at(b, table, at, level, MEMORY_READ));
}

static void entry_write(const struct builder *b, uint64_t table, uint64_t at, int level,
                        uint64_t desc)
{
    desc_store(entry_at(b, table, at, level, MEMORY_WRITE), desc);
}

/* Fills a new table so that it maps what the block at `level` did. */
static void split_block(const struct builder *b, uint64_t block, int level, hpa_t table)
{
    uint8_t *host = memory_at(b->m, table, PAGE_SIZE, MEMORY_WRITE);
    uint64_t desc = level + 1 == LAST_LEVEL ? block | DESC_TABLE : block;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        desc_store(host + 8 * i, desc + i * entry_size(level + 1));
}

/* The table below the entry for `at`, made if there is none yet. */
static bool ensure_table(const struct builder *b, uint64_t table, uint64_t at, int level,
                         uint64_t *next)
{
    uint64_t desc = entry_read(b, table, at, level);
    enum desc_kind kind = desc_kind(&b->shape, level, desc);
    hpa_t fresh;
    if (kind == KIND_TABLE) {
        *next = desc_table(&b->shape, desc);
        return true;
    }
    if (!memory_take_aligned(b->m, PAGE_SIZE, &fresh))
        return false;
    if (kind == KIND_LEAF)
        split_block(b, desc, level, fresh);
    entry_write(b, table, at, level, fresh.v | DESC_VALID | DESC_TABLE);
    *next = fresh.v;
    return true;
}

/* Can the piece be written as one entry, or does it need a table below? An unmapped entry needs
 * none to be unmapped. */
static bool is_single(const struct builder *b, uint64_t desc, const struct piece *p, int level)
{
    enum desc_kind kind = desc_kind(&b->shape, level, desc);
    if (b->template == 0 && kind == KIND_INVALID)
        return true;
    return kind != KIND_TABLE && is_block(b, p, level);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as there are levels. */
static bool prepare(const struct builder *b, uint64_t table, int level, uint64_t at, uint64_t size)
{
    while (size) {
        struct piece p = piece_at(at, size, level);
        uint64_t next;
        if (level < LAST_LEVEL && !is_single(b, entry_read(b, table, at, level), &p, level) &&
            (!ensure_table(b, table, at, level, &next) ||
             !prepare(b, next, level + 1, p.at, p.size)))
            return false;
        at += p.size;
        size -= p.size;
    }
    return true;
}

static uint64_t leaf_for(const struct builder *b, uint64_t at, int level)
{
    if (b->template == 0)
        return 0;
    uint64_t output = b->to.v + (at - b->from.v);
    return output | b->template | DESC_VALID | (level == LAST_LEVEL ? DESC_TABLE : 0);
}

static void commit(const struct builder *b, uint64_t table, int level, uint64_t at, uint64_t size)
{
    while (size) {
        struct piece p = piece_at(at, size, level);
        uint64_t desc = entry_read(b, table, at, level);
        if (level == LAST_LEVEL || is_single(b, desc, &p, level))
            entry_write(b, table, at, level, leaf_for(b, at, level));
        else
            commit(b, desc_table(&b->shape, desc), level + 1, p.at, p.size);
        at += p.size;
        size -= p.size;
    }
}

static unsigned ipa_bits_of(const struct stage2 *s2)
{
    return 64 - (unsigned)bits(s2->vtcr, 5, 0);
}

static bool range_is_acceptable(const struct builder *b, struct error *e)
{
    uint64_t total = (uint64_t)1 << b->shape.input_bits;
    if ((b->from.v | b->to.v | b->size) & PAGE_MASK)
        return error_set(
            e, "guest-physical %#" PRIx64 " to %#" PRIx64 ", %#" PRIx64 " bytes: not whole pages",
            b->from.v, b->to.v, b->size);
    if (!range_inside(b->from.v, b->size, total))
        return error_set(e, "guest-physical %#" PRIx64 ", %#" PRIx64 " bytes: beyond %u bits",
                         b->from.v, b->size, b->shape.input_bits);
    if (!range_inside(b->to.v, b->size, (uint64_t)1 << b->shape.output_bits))
        return error_set(e, "host-physical %#" PRIx64 ", %#" PRIx64 " bytes: beyond %u bits",
                         b->to.v, b->size, b->shape.output_bits);
    return true;
}

static struct shape shape_of(const struct stage2 *s2)
{
    CHECK(bits(s2->vtcr, 15, 14) == 0); /* 4 KiB granule: made by stage2_new */
    return (struct shape){.page_bits = PAGE_BITS,
                          .input_bits = ipa_bits_of(s2),
                          .output_bits = output_size_bits(bits(s2->vtcr, 18, 16)),
                          .start = 2 - (int)bits(s2->vtcr, 7, 6)};
}

static bool build(struct builder *b, struct error *e)
{
    const struct stage2 *s2 = b->s2;
    b->shape = shape_of(s2);
    uint64_t table = first_table(&b->shape, s2->vttbr);
    if (!range_is_acceptable(b, e))
        return false;
    if (!prepare(b, table, b->shape.start, b->from.v, b->size))
        return error_set(e,
                         "no memory left for stage 2 tables of guest-physical %#" PRIx64
                         ", %#" PRIx64 " bytes",
                         b->from.v, b->size);
    commit(b, table, b->shape.start, b->from.v, b->size);
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as there are levels. */
static bool is_sound(const struct shape *s, struct memory *m, uint64_t table, int level,
                     struct piece whole)
{
    for (struct piece p; whole.size; whole.at += p.size, whole.size -= p.size) {
        p = piece_at(whole.at, whole.size, level);
        hpa_t at = hpa(table + 8 * (uint64_t)level_index(s, level, p.at));
        const uint8_t *host = memory_at(m, at, 8, MEMORY_READ);
        if (!host)
            return false;
        uint64_t desc = desc_load(host);
        if (desc_kind(s, level, desc) == KIND_TABLE &&
            !is_sound(s, m, desc_table(s, desc), level + 1, p))
            return false;
    }
    return true;
}

static uint64_t template_for(unsigned attributes)
{
    uint64_t t = DESC_AF | SH_INNER;
    t |= attributes & GUEST_TABLES_DEVICE ? MEMATTR_DEVICE_NGNRE : MEMATTR_NORMAL_WB;
    t |= attributes & PERMIT_R ? S2AP_READ : 0;
    t |= attributes & PERMIT_W ? S2AP_WRITE : 0;
    t |= attributes & PERMIT_X ? 0 : XN_NONE;
    return t;
}

bool stage2_map(struct stage2 *s2, struct memory *m, gpa_t from, hpa_t to, uint64_t size,
                unsigned attributes, struct error *e)
{
    struct builder b = {.s2 = s2, .m = m, .from = from, .to = to, .size = size};
    b.template = template_for(attributes);
    return build(&b, e);
}

bool stage2_unmap(struct stage2 *s2, struct memory *m, gpa_t from, uint64_t size, struct error *e)
{
    struct builder b = {.s2 = s2, .m = m, .from = from, .size = size};
    return build(&b, e);
}

/* The fewest levels that 16 concatenated tables allow ("Concatenated translation tables"): level 2
 * resolves 30 + 4 bits, level 1 39 + 4. */
static int start_for(unsigned ipa_bits)
{
    return ipa_bits <= 34 ? 2 : ipa_bits <= 43 ? 1 : 0;
}

bool stage2_new(struct stage2 *s2, struct memory *m, unsigned ipa_bits, struct error *e)
{
    CHECK(ipa_bits >= 32 && ipa_bits <= 48);
    int start = start_for(ipa_bits);
    struct shape s = {PAGE_BITS, ipa_bits, 48, start};
    uint64_t size = (uint64_t)8 << (ipa_bits - level_shift(&s, start));
    hpa_t table;
    if (!memory_take_aligned(m, size < PAGE_SIZE ? PAGE_SIZE : size, &table))
        return error_set(e, "no memory left for stage 2 tables");
    *s2 = (struct stage2){.on = true,
                          .vttbr = table.v,
                          .vtcr = VTCR_FIXED | (uint64_t)(2 - start) << 6 | (64 - ipa_bits)};
    return true;
}

/* As guest tables (mmu/guest_tables.h) ------------------------------------------------------------
 */

static void tables_free(struct guest_tables *t)
{
    free(t);
}

static struct guest_tables *tables_make(struct memory *m, unsigned address_bits, struct error *e)
{
    struct stage2 *s2 = calloc(1, sizeof *s2);
    CHECK_ROOM(s2);
    bool ok = stage2_new(s2, m, address_bits, e);
    s2->head.type = &stage2_tables;
    if (ok)
        return &s2->head;
    free(s2);
    return NULL;
}

static bool tables_map(struct guest_tables *t, struct memory *m, gpa_t from, hpa_t to,
                       uint64_t size, unsigned attributes, struct error *e)
{
    return stage2_map((struct stage2 *)t, m, from, to, size, attributes, e);
}

static bool tables_unmap(struct guest_tables *t, struct memory *m, gpa_t from, uint64_t size,
                         struct error *e)
{
    return stage2_unmap((struct stage2 *)t, m, from, size, e);
}

static bool tables_are_sound(const struct guest_tables *t, struct memory *m, gpa_t from,
                             uint64_t size)
{
    const struct stage2 *s2 = stage2_of(t);
    struct shape s = shape_of(s2);
    return range_inside(from.v, size, (uint64_t)1 << s.input_bits) &&
           is_sound(&s, m, first_table(&s, s2->vttbr), s.start, (struct piece){from.v, size});
}

static bool tables_find(const struct guest_tables *t, struct memory *m, gpa_t a,
                        struct guest_page *page)
{
    struct stage2_leaf leaf;
    struct fault fault = {0};
    if (!stage2_inspect(stage2_of(t), m, a, NULL, &leaf, &fault))
        return false;
    *page = (struct guest_page){.page = leaf.page, .size = leaf.leaf_size, .permits = leaf.permits};
    return true;
}

const struct guest_tables_type stage2_tables = {
    .name = "stage 2",
    .make = tables_make,
    .free = tables_free,
    .map = tables_map,
    .unmap = tables_unmap,
    .is_sound = tables_are_sound,
    .find = tables_find,
};
