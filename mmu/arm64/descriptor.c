#include "mmu/arm64/descriptor.h"

#include <stdio.h>

#include "mmu/arm64/mmu_internal.h"

struct layout {
    const char *name;
    uint8_t high, low;
    const char *const *meanings; /* of each value; NULL: none */
};

static const char *const ap[] = {"EL1 RW", "EL1 and EL0 RW", "EL1 RO", "EL1 and EL0 RO"};
static const char *const s2ap[] = {"no access", "RO", "WO", "RW"};
static const char *const sh[] = {"non-shareable", "reserved", "outer shareable", "inner shareable"};
static const char *const ap_table[] = {"forbids nothing", "no EL0", "no writes",
                                       "no EL0, no writes"};

/* D8.3, "Stage 1 attribute fields in Block and Page descriptors". */
static const struct layout stage1_leaf_layout[] = {
    {"AttrIndx", 4, 2, NULL}, {"NS", 5, 5, NULL},           {"AP[2:1]", 7, 6, ap},
    {"SH", 9, 8, sh},         {"AF", 10, 10, NULL},         {"nG", 11, 11, NULL},
    {"DBM", 51, 51, NULL},    {"Contiguous", 52, 52, NULL}, {"PXN", 53, 53, NULL},
    {"UXN", 54, 54, NULL},    {NULL, 0, 0, NULL},
};
/* D8.3, "Stage 1 attribute fields in Table descriptors". */
static const struct layout stage1_table_layout[] = {
    {"NSTable", 63, 63, NULL},  {"APTable", 62, 61, ap_table},
    {"UXNTable", 60, 60, NULL}, {"PXNTable", 59, 59, NULL},
    {NULL, 0, 0, NULL},
};
/* D8.3, "Stage 2 attribute fields in Block and Page descriptors". */
static const struct layout stage2_leaf_layout[] = {
    {"MemAttr", 5, 2, NULL}, {"S2AP", 7, 6, s2ap},  {"SH", 9, 8, sh},
    {"AF", 10, 10, NULL},    {"DBM", 51, 51, NULL}, {"Contiguous", 52, 52, NULL},
    {"XN", 54, 53, NULL},    {NULL, 0, 0, NULL},
};
static const struct layout no_fields[] = {{NULL, 0, 0, NULL}};

static const struct layout *layout_of(unsigned stage, enum descriptor_kind kind)
{
    if (kind == DESCRIPTOR_INVALID || (kind == DESCRIPTOR_TABLE && stage == 2))
        return no_fields;
    return kind == DESCRIPTOR_TABLE ? stage1_table_layout
           : stage == 1             ? stage1_leaf_layout
                                    : stage2_leaf_layout;
}

void descriptor_decode(const struct walk_step *step, struct descriptor *d)
{
    const struct shape shape = {.page_bits = step->granule_bits};
    uint64_t desc = step->descriptor;
    *d = (struct descriptor){.kind = DESCRIPTOR_INVALID};
    switch (desc_kind(&shape, step->level, desc)) {
    case KIND_INVALID:
        break;
    case KIND_TABLE:
        d->kind = DESCRIPTOR_TABLE;
        d->output = desc_table(&shape, desc);
        break;
    case KIND_LEAF:
        d->kind = step->level == LAST_LEVEL ? DESCRIPTOR_PAGE : DESCRIPTOR_BLOCK;
        d->output = desc_output(&shape, step->level, desc);
        d->output_size = (uint64_t)1 << level_shift(&shape, step->level);
        break;
    }
    for (const struct layout *l = layout_of(step->stage, d->kind); l->name; l++) {
        unsigned value = (unsigned)bits(desc, l->high, l->low);
        d->fields[d->field_count++] =
            (struct descriptor_field){l->name, value, l->meanings ? l->meanings[value] : NULL};
    }
}

const char *descriptor_kind_name(enum descriptor_kind kind)
{
    static const char *const names[] = {"invalid", "table", "block", "page"};
    return names[kind];
}

/* D19.2, MAIR_EL1: outer in the high half of the byte, inner in the low half; whether a cache may
 * allocate, or keeps the line only for a while, makes no other type. */
static uint8_t mair_half(unsigned half)
{
    if (half == 4)
        return CACHE_NONE;
    return half >> 2 & 1 ? CACHE_WRITE_BACK : CACHE_WRITE_THROUGH;
}

struct memory_type memory_type_of_mair(uint8_t attr)
{
    if (attr >> 4 == 0)
        return (struct memory_type){.device = true, .ordering = attr >> 2 & 3};
    return (struct memory_type){.outer = mair_half(attr >> 4), .inner = mair_half(attr & 15)};
}

/* D8.6, "Stage 2 memory type and Cacheability attributes": 0b00 in either half is reserved beside a
 * Normal outer type; it counts as non-cacheable. */
struct memory_type memory_type_of_memattr(uint8_t memattr)
{
    uint8_t outer = memattr >> 2 & 3, inner = memattr & 3;
    if (!outer)
        return (struct memory_type){.device = true, .ordering = inner};
    return (struct memory_type){.outer = outer, .inner = inner ? inner : CACHE_NONE};
}

static uint8_t least(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

struct memory_type memory_type_combine(struct memory_type a, struct memory_type b)
{
    if (a.device && b.device)
        return (struct memory_type){.device = true, .ordering = least(a.ordering, b.ordering)};
    if (a.device || b.device)
        return a.device ? a : b;
    return (struct memory_type){.outer = least(a.outer, b.outer), .inner = least(a.inner, b.inner)};
}

void memory_type_text(struct memory_type t, char *text, size_t size)
{
    static const char *const orderings[] = {"nGnRnE", "nGnRE", "nGRE", "GRE"};
    static const char *const caches[] = {"?", "non-cacheable", "write-through", "write-back"};
    if (t.device)
        snprintf(text, size, "Device-%s", orderings[t.ordering]);
    else if (t.outer == t.inner)
        snprintf(text, size, "Normal, %s", caches[t.outer]);
    else
        snprintf(text, size, "Normal, outer %s, inner %s", caches[t.outer], caches[t.inner]);
}
