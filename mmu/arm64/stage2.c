/* Stage 2 of the EL1&0 regime: the walk. Arm ARM chapter D8: "Translation process", "Translation
 * table descriptor formats", "Memory access control"; the order of faults is that of the pseudocode
 * (AArch64.S2Translate, AArch64.S2Walk). */
#include "mmu/arm64/mmu_internal.h"

/* D8.3, "Stage 2 attribute fields in Block and Page descriptors". */
#define S2AP_READ  ((uint64_t)1 << 6)
#define S2AP_WRITE ((uint64_t)1 << 7)

/* VTCR_EL2 */
#define VTCR_HA ((uint64_t)1 << 21)
#define VTCR_HD ((uint64_t)1 << 22)

struct walk {
    const struct stage2 *s2;
    struct memory *m;
    gpa_t a;
    enum walk_effect effect;
    const struct walk_observer *observer;
    struct fault *fault;
    struct shape shape;
};

static bool fail(const struct walk *w, enum fault_class class, int level)
{
    *w->fault = (struct fault){.class = class,
                               .stage = 2,
                               .level = (int8_t)level,
                               .write = w->effect == WALK_WRITE && class != FAULT_EXTERNAL_ON_WALK,
                               .gpa = w->a};
    return false;
}

/* VTCR_EL2.TG0 and SL0 give the granule and the first level (AArch64.S2StartLevel). */
static bool granule_of(uint64_t vtcr, struct shape *s)
{
    static const uint8_t page_bits[4] = {12, 16, 14, 0};
    unsigned sl0 = (unsigned)bits(vtcr, 7, 6);
    s->page_bits = page_bits[bits(vtcr, 15, 14)];
    s->start = (s->page_bits == 12 ? 2 : 3) - (int)sl0;
    return s->page_bits && sl0 != 3;
}

/* The first table must resolve at least one bit, and at most 16 tables may be concatenated in its
 * place (AArch64.S2InconsistentSL). */
static bool start_is_consistent(const struct shape *s)
{
    unsigned least = level_shift(s, s->start) + 1;
    unsigned most = level_shift(s, s->start - 1) + 4;
    return least <= s->input_bits && s->input_bits <= most;
}

static bool shape_of(uint64_t vtcr, struct shape *s)
{
    unsigned t0sz = (unsigned)bits(vtcr, 5, 0);
    s->input_bits = 64 - t0sz;
    s->output_bits = output_size_bits(bits(vtcr, 18, 16));
    return t0sz >= 16 && t0sz <= 39 && granule_of(vtcr, s) && start_is_consistent(s);
}

static void observe(const struct walk *w, int level, hpa_t at, unsigned index, uint64_t desc)
{
    struct walk_step step = {.stage = 2,
                             .level = (int8_t)level,
                             .input = w->a.v,
                             .table_hpa = at,
                             .index = index,
                             .index_high = (uint8_t)index_high(&w->shape, level),
                             .index_low = (uint8_t)level_shift(&w->shape, level),
                             .granule_bits = (uint8_t)w->shape.page_bits,
                             .descriptor = desc};
    w->observer->step(w->observer->context, &step);
}

/* Hardware management of the access flag and of dirty state: `*desc` becomes what the
 * table holds after this access. */
static bool update_leaf(const struct walk *w, hpa_t at, uint64_t *desc)
{
    uint64_t vtcr = w->s2->vtcr, now = *desc;
    if (w->effect == WALK_INSPECT)
        return true;
    if (!(now & DESC_AF) && !(vtcr & VTCR_HA))
        return w->s2->no_access_fault;
    now |= DESC_AF;
    if (w->effect == WALK_WRITE && vtcr & VTCR_HA && vtcr & VTCR_HD && now & DESC_DBM)
        now |= S2AP_WRITE;
    if (now != *desc)
        desc_write(w->s2, w->m, at, now);
    *desc = now;
    return true;
}

/* Stage 2 execute-never: XN[1:0] = bits 54:53 with FEAT_XNX, else bit 54. */
static void decode_execute(const struct stage2 *s2, uint64_t desc, struct stage2_leaf *leaf)
{
    bool xn1 = bits(desc, 54, 54), xn0 = s2->has_xnx && bits(desc, 53, 53);
    leaf->x_el1 = xn1 == xn0;
    leaf->x_el0 = !xn1;
}

static void decode_leaf(const struct walk *w, int level, uint64_t desc, struct stage2_leaf *leaf)
{
    uint64_t vtcr = w->s2->vtcr;
    bool dbm = vtcr & VTCR_HA && vtcr & VTCR_HD && desc & DESC_DBM;
    *leaf = (struct stage2_leaf){
        .page = hpa(leaf_page(&w->shape, level, desc, w->a.v)),
        .leaf_size = (uint64_t)1 << level_shift(&w->shape, level),
        .level = (uint8_t)level,
        .memattr = (uint8_t)bits(desc, 5, 2),
        .device = w->s2->forced_write_back ? !bits(desc, 4, 4) : bits(desc, 5, 4) == 0,
        .writable_clean = dbm && !(desc & S2AP_WRITE),
    };
    decode_execute(w->s2, desc, leaf);
    leaf->permits =
        (uint8_t)((desc & S2AP_READ ? PERMIT_R : 0) | (desc & S2AP_WRITE ? PERMIT_W : 0) |
                  (leaf->x_el1 && leaf->x_el0 ? PERMIT_X : 0));
}

static bool walk_levels(const struct walk *w, uint64_t table, struct stage2_leaf *leaf)
{
    const struct shape *s = &w->shape;
    for (int level = s->start;; level++) {
        unsigned index = level_index(s, level, w->a.v);
        hpa_t at = hpa(table + 8 * (uint64_t)index);
        uint64_t desc;
        if (!desc_read(w->s2, w->m, at, &desc))
            return fail(w, FAULT_EXTERNAL_ON_WALK, level);
        if (w->observer)
            observe(w, level, at, index, desc);
        enum desc_kind kind = desc_kind(s, level, desc);
        if (kind == KIND_INVALID)
            return fail(w, FAULT_TRANSLATION, level);
        table = kind == KIND_TABLE ? desc_table(s, desc) : desc_output(s, level, desc);
        if (!fits_output(s, table))
            return fail(w, FAULT_ADDRESS_SIZE, level);
        if (kind == KIND_TABLE)
            continue;
        if (!update_leaf(w, at, &desc))
            return fail(w, FAULT_ACCESS_FLAG, level);
        decode_leaf(w, level, desc, leaf);
        return true;
    }
}

static void identity_leaf(gpa_t a, struct stage2_leaf *leaf)
{
    *leaf = (struct stage2_leaf){.page = hpa(a.v & ~PAGE_MASK),
                                 .leaf_size = PAGE_SIZE,
                                 .permits = PERMIT_R | PERMIT_W | PERMIT_X,
                                 .x_el1 = true,
                                 .x_el0 = true,
                                 .memattr = 0xf};
}

bool stage2_walk_effect(const struct stage2 *s2, struct memory *m, gpa_t a, enum walk_effect effect,
                        const struct walk_observer *observer, struct stage2_leaf *leaf,
                        struct fault *fault)
{
    struct walk w = {s2, m, a, effect, observer, fault, {0, 0, 0, 0}};
    if (!s2->on) {
        identity_leaf(a, leaf);
        return true;
    }
    if (!shape_of(s2->vtcr, &w.shape) || a.v >> w.shape.input_bits)
        return fail(&w, FAULT_TRANSLATION, 0);
    uint64_t table = first_table(&w.shape, s2->vttbr);
    if (!fits_output(&w.shape, table))
        return fail(&w, FAULT_ADDRESS_SIZE, 0);
    return walk_levels(&w, table, leaf);
}

bool stage2_walk(const struct stage2 *s2, struct memory *m, gpa_t a, bool for_write,
                 const struct walk_observer *observer, struct stage2_leaf *leaf,
                 struct fault *fault)
{
    return stage2_walk_effect(s2, m, a, for_write ? WALK_WRITE : WALK_ACCESS, observer, leaf,
                              fault);
}

bool stage2_inspect(const struct stage2 *s2, struct memory *m, gpa_t a,
                    const struct walk_observer *observer, struct stage2_leaf *leaf,
                    struct fault *fault)
{
    return stage2_walk_effect(s2, m, a, WALK_INSPECT, observer, leaf, fault);
}

/* AArch64.S2CheckPermissions. Cache maintenance of EL1 that does not invalidate data is never
 * refused; for AT and a debugger's look a clean page that would become writable counts as writable.
 */
static bool is_permitted(const struct stage2_leaf *leaf, const struct access *access)
{
    switch (access->kind) {
    case ACCESS_FETCH:
        return access->privileged ? leaf->x_el1 : leaf->x_el0;
    case ACCESS_WRITE:
        return leaf->permits & PERMIT_W || (leaves_clean(access) && leaf->writable_clean);
    case ACCESS_READ:
        break;
    }
    return leaf->permits & PERMIT_R || (access->cache_op && access->privileged);
}

bool stage2_permits(const struct stage2_leaf *leaf, gpa_t a, const struct access *access,
                    struct fault *fault)
{
    if (is_permitted(leaf, access))
        return true;
    *fault = (struct fault){.class = FAULT_PERMISSION,
                            .stage = 2,
                            .level = (int8_t)leaf->level,
                            .write = counts_as_write(access),
                            .gpa = a};
    return false;
}
