/* Stage 1 of the EL1&0 regime: the walk. Arm ARM chapter D8: "Translation process", "Translation
 * table descriptor formats", "Memory access control"; the order of faults is that of the pseudocode
 * (AArch64.S1Translate, AArch64.S1Walk). */
#include "mmu/arm64/mmu_internal.h"

/* SCTLR_EL1 */
#define SCTLR_M   ((uint64_t)1 << 0)
#define SCTLR_I   ((uint64_t)1 << 12)
#define SCTLR_WXN ((uint64_t)1 << 19)
#define SCTLR_EE  ((uint64_t)1 << 25)

/* TCR_EL1 */
#define TCR_HA ((uint64_t)1 << 39)
#define TCR_HD ((uint64_t)1 << 40)

/* D8.3, "Stage 1 attribute fields in Block and Page descriptors". */
#define DESC_AP_EL0 ((uint64_t)1 << 6)
#define DESC_AP_RO  ((uint64_t)1 << 7)
#define DESC_NG     ((uint64_t)1 << 11)
#define DESC_PXN    ((uint64_t)1 << 53)
#define DESC_UXN    ((uint64_t)1 << 54)
/* Table descriptors: what they forbid to everything below. */
#define TABLE_PXN    ((uint64_t)1 << 59)
#define TABLE_UXN    ((uint64_t)1 << 60)
#define TABLE_NO_EL0 ((uint64_t)1 << 61)
#define TABLE_RO     ((uint64_t)1 << 62)

struct walk {
    const struct stage1 *s1;
    const struct stage2 *s2;
    struct memory *m;
    gva_t a;
    const struct access *access;
    const struct walk_observer *observer;
    struct fault *fault;
    struct shape shape;
    bool update_af, update_dirty; /* TCR_EL1.HA, HD and the CPU has them */
    bool no_hierarchy;            /* TCR_EL1.HPD0/1 */
    uint64_t hierarchy;           /* what the table descriptors so far forbid */
};

static bool fail(const struct walk *w, enum fault_class class, int level)
{
    *w->fault =
        (struct fault){.class = class,
                       .stage = 1,
                       .level = (int8_t)level,
                       .write = counts_as_write(w->access) && class != FAULT_EXTERNAL_ON_WALK,
                       .gva = w->a};
    return false;
}

static bool is_high(gva_t a)
{
    return bits(a.v, 55, 55);
}

static bool has_tbi(const struct stage1 *s1, gva_t a)
{
    return bits(s1->tcr, is_high(a) ? 38 : 37, is_high(a) ? 38 : 37);
}

/* "Address tagging": the tag of an address is not translated; it reads as bit 55. */
gva_t stage1_strip_tag(const struct stage1 *s1, gva_t a)
{
    const uint64_t tag = (uint64_t)0xff << 56;
    if (!has_tbi(s1, a))
        return a;
    return gva(is_high(a) ? a.v | tag : a.v & ~tag);
}

/* TCR_EL1.TG0 and TG1 are encoded differently. A reserved or missing granule is treated as 4 KiB,
 * one of the choices the architecture leaves. */
unsigned stage1_granule_bits(const struct stage1 *s1, bool high)
{
    static const uint8_t tg0[4] = {12, 16, 14, 12}, tg1[4] = {12, 14, 12, 16};
    unsigned n = high ? tg1[bits(s1->tcr, 31, 30)] : tg0[bits(s1->tcr, 15, 14)];
    return (n == 14 && !s1->has_16k) || (n == 16 && !s1->has_64k) ? 12 : n;
}

static unsigned output_bits(const struct stage1 *s1)
{
    unsigned ips = output_size_bits(bits(s1->tcr, 34, 32));
    return ips < s1->pa_bits ? ips : s1->pa_bits;
}

/* The shape of the tables for `a`; false when `a` is in neither range, its range is disabled (EPD),
 * or TxSZ is outside 16 to 39: translation faults at level 0 (AArch64.VAIsOutOfRange,
 * AArch64.S1InvalidTxSZ). */
static bool shape_of(const struct stage1 *s1, gva_t a, struct shape *s)
{
    bool high = is_high(a);
    unsigned txsz = (unsigned)(high ? bits(s1->tcr, 21, 16) : bits(s1->tcr, 5, 0));
    bool disabled = high ? bits(s1->tcr, 23, 23) : bits(s1->tcr, 7, 7);
    if (disabled || txsz < 16 || txsz > 39)
        return false;
    s->page_bits = stage1_granule_bits(s1, high);
    s->input_bits = 64 - txsz;
    s->output_bits = output_bits(s1);
    /* As many levels as it takes to resolve what the page offset does not. */
    s->start = LAST_LEVEL - (int)((s->input_bits - 1 - s->page_bits) / (s->page_bits - 3));
    uint64_t above = stage1_strip_tag(s1, a).v >> s->input_bits;
    return above == (high ? ~(uint64_t)0 >> s->input_bits : 0);
}

static uint64_t swap_bytes(uint64_t v)
{
    uint8_t b[8];
    for (unsigned i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> (56 - 8 * i));
    return desc_load(b);
}

/* Descriptors are big-endian when SCTLR_EL1.EE is 1. */
static uint64_t in_table_order(const struct walk *w, uint64_t desc)
{
    return w->s1->sctlr & SCTLR_EE ? swap_bytes(desc) : desc;
}

static enum walk_effect effect_for(const struct walk *w, bool update)
{
    if (w->access->inspect)
        return WALK_INSPECT;
    return update ? WALK_WRITE : WALK_ACCESS;
}

static bool fail_on_table(const struct walk *w)
{
    w->fault->s1ptw = true;
    w->fault->gva = w->a;
    return false;
}

static bool permits_table(const struct walk *w, gpa_t table, const struct stage2_leaf *leaf,
                          const struct access *access)
{
    struct stage2_leaf refused = *leaf;
    if (w->s2->no_device_tables && leaf->device)
        refused.permits = 0;
    return stage2_permits(&refused, table, access, w->fault);
}

/* Where a descriptor is on the board. Stage 2 must let stage 1's tables be read, and to update them
 * written (AArch64.S2CheckPermissions with a stage 1 walk as the access). */
static bool locate(const struct walk *w, gpa_t table, bool update, hpa_t *at)
{
    struct stage2_leaf leaf;
    struct access access = {.kind = update ? ACCESS_WRITE : ACCESS_READ, .privileged = true};
    const struct walk_observer *observer = update ? NULL : w->observer; /* each step once */
    if (!stage2_walk_effect(w->s2, w->m, table, effect_for(w, update), observer, &leaf, w->fault) ||
        !permits_table(w, table, &leaf, &access))
        return fail_on_table(w);
    *at = hpa(leaf.page.v | (table.v & PAGE_MASK));
    return true;
}

static void observe(const struct walk *w, gpa_t table, hpa_t at, int level, uint64_t desc)
{
    struct walk_step step = {.stage = 1,
                             .level = (int8_t)level,
                             .input = w->a.v,
                             .table_gpa = table,
                             .table_hpa = at,
                             .index = level_index(&w->shape, level, w->a.v),
                             .index_high = (uint8_t)index_high(&w->shape, level),
                             .index_low = (uint8_t)level_shift(&w->shape, level),
                             .granule_bits = (uint8_t)w->shape.page_bits,
                             .descriptor = desc};
    w->observer->step(w->observer->context, &step);
}

static bool read_entry(const struct walk *w, gpa_t table, int level, uint64_t *desc)
{
    hpa_t at;
    if (!locate(w, table, false, &at))
        return false;
    if (!desc_read(w->s2, w->m, at, desc))
        return fail(w, FAULT_EXTERNAL_ON_WALK, level);
    *desc = in_table_order(w, *desc);
    if (w->observer)
        observe(w, table, at, level, *desc);
    return true;
}

static bool write_entry(const struct walk *w, gpa_t table, int level, uint64_t desc)
{
    hpa_t at;
    if (!locate(w, table, true, &at))
        return false;
    return desc_write(w->s2, w->m, at, in_table_order(w, desc)) ||
           fail(w, FAULT_EXTERNAL_ON_WALK, level);
}

/* Does hardware make this page writable at the first write ("Hardware management of the dirty
 * state")? */
static bool is_dirtiable(const struct walk *w, uint64_t desc)
{
    return w->update_dirty && desc & DESC_DBM && !(w->hierarchy & TABLE_RO);
}

/* D8.4 "Memory access control": AP with APTable, UXN and PXN with their table bits, WXN. EL1 never
 * executes what EL0 can write. A page whose dirty state hardware manages counts as writable here.
 */
static void decode_permissions(const struct walk *w, uint64_t desc, struct tlb_leaf *leaf)
{
    uint64_t h = w->hierarchy;
    bool el0 = desc & DESC_AP_EL0 && !(h & TABLE_NO_EL0);
    bool writable = (!(desc & DESC_AP_RO) || is_dirtiable(w, desc)) && !(h & TABLE_RO);
    bool wxn = w->s1->sctlr & SCTLR_WXN;
    bool x1 = !(desc & DESC_PXN || h & TABLE_PXN) && !(writable && (el0 || wxn));
    bool x0 = !(desc & DESC_UXN || h & TABLE_UXN) && !(writable && el0 && wxn);
    leaf->unprivileged_any = el0;
    leaf->privileged = (uint8_t)(PERMIT_R | (writable ? PERMIT_W : 0) | (x1 ? PERMIT_X : 0));
    leaf->unprivileged =
        (uint8_t)((el0 ? PERMIT_R : 0) | (el0 && writable ? PERMIT_W : 0) | (x0 ? PERMIT_X : 0));
}

static void decode_leaf(const struct walk *w, int level, uint64_t desc, struct tlb_leaf *leaf)
{
    *leaf = (struct tlb_leaf){
        .page = gpa(leaf_page(&w->shape, level, desc, w->a.v)),
        .leaf_size = (uint64_t)1 << level_shift(&w->shape, level),
        .level = (uint8_t)level,
        .attr = (uint8_t)(w->s1->mair >> (8 * bits(desc, 4, 2))),
        .global = !(desc & DESC_NG),
        .asid = stage1_asid(w->s1),
    };
    leaf->device = leaf->attr >> 4 == 0;
    decode_permissions(w, desc, leaf);
}

/* The page is clean: take back the W that decode_permissions gave in advance. */
static void mark_clean(struct tlb_leaf *leaf)
{
    leaf->writable_clean = true;
    leaf->privileged &= (uint8_t)~PERMIT_W;
    leaf->unprivileged &= (uint8_t)~PERMIT_W;
}

/* Hardware management of the access flag and of dirty state (AArch64.SettingAccessFlagPermitted,
 * AArch64.SettingDirtyStatePermitted). Dirty state changes only for
 * a write that stage 1 permits; the access flag may change even so. A permission fault comes before
 * a fault on the update. */
static bool finish_leaf(const struct walk *w, gpa_t table, uint64_t desc, struct tlb_leaf *leaf)
{
    const struct access *access = w->access;
    struct fault ignored;
    bool permitted = stage1_permits(leaf, w->a, access, &ignored);
    bool dirtying = access->kind == ACCESS_WRITE && !access->cache_op && !access->translate_only;
    uint64_t now = w->update_af ? desc | DESC_AF : desc;
    if (is_dirtiable(w, desc) && desc & DESC_AP_RO) {
        if (dirtying && permitted && !access->inspect)
            now &= ~DESC_AP_RO;
        else
            mark_clean(leaf);
    }
    return now == desc || access->inspect || write_entry(w, table, leaf->level, now) || !permitted;
}

static bool walk_levels(struct walk *w, uint64_t table, struct tlb_leaf *leaf)
{
    const struct shape *s = &w->shape;
    for (int level = s->start;; level++) {
        gpa_t at = gpa(table + 8 * (uint64_t)level_index(s, level, w->a.v));
        uint64_t desc;
        if (!read_entry(w, at, level, &desc))
            return false;
        enum desc_kind kind = desc_kind(s, level, desc);
        if (kind == KIND_INVALID)
            return fail(w, FAULT_TRANSLATION, level);
        table = kind == KIND_TABLE ? desc_table(s, desc) : desc_output(s, level, desc);
        if (!fits_output(s, table))
            return fail(w, FAULT_ADDRESS_SIZE, level);
        if (kind == KIND_TABLE) {
            w->hierarchy |= w->no_hierarchy ? 0 : desc;
            continue;
        }
        if (!(desc & DESC_AF) && !w->update_af && !w->access->inspect && !w->s1->no_access_fault)
            return fail(w, FAULT_ACCESS_FLAG, level);
        decode_leaf(w, level, desc, leaf);
        return finish_leaf(w, at, desc, leaf);
    }
}

/* Stage 1 off (AArch64.S1DisabledOutput): flat; data is Device-nGnRnE, instructions are Normal,
 * write-through cacheable or not as SCTLR_EL1.I says. A tag is still no part of the address. */
static bool flat_leaf(const struct walk *w, struct tlb_leaf *leaf)
{
    const uint8_t all = PERMIT_R | PERMIT_W | PERMIT_X;
    uint64_t a = w->a.v;
    if (has_tbi(w->s1, w->a))
        a = bits(a, 55, 0);
    if (a >> w->s1->pa_bits)
        return fail(w, FAULT_ADDRESS_SIZE, 0);
    bool fetch = w->access->kind == ACCESS_FETCH;
    *leaf = (struct tlb_leaf){
        .page = gpa_if_stage1_off(gva(a & ~PAGE_MASK)),
        .leaf_size = PAGE_SIZE,
        .attr = !fetch                   ? 0
                : w->s1->sctlr & SCTLR_I ? 0xaa
                                         : 0x44,
        .device = !fetch,
        .global = true,
        .asid = stage1_asid(w->s1),
        .privileged = all,
        .unprivileged = all,
    };
    return true;
}

bool stage1_walk(const struct stage1 *s1, const struct stage2 *s2, struct memory *m, gva_t a,
                 const struct access *access, const struct walk_observer *observer,
                 struct tlb_leaf *leaf, struct fault *fault)
{
    struct walk w = {
        .s1 = s1, .s2 = s2, .m = m, .a = a, .access = access, .observer = observer, .fault = fault};
    bool high = is_high(a);
    if (!(s1->sctlr & SCTLR_M))
        return flat_leaf(&w, leaf);
    if (!shape_of(s1, a, &w.shape))
        return fail(&w, FAULT_TRANSLATION, 0);
    w.update_af = s1->has_ha && s1->tcr & TCR_HA;
    w.update_dirty = w.update_af && s1->has_hd && s1->tcr & TCR_HD;
    w.no_hierarchy = s1->has_hpd && bits(s1->tcr, high ? 42 : 41, high ? 42 : 41);
    uint64_t table = first_table(&w.shape, high ? s1->ttbr1 : s1->ttbr0);
    if (!fits_output(&w.shape, table))
        return fail(&w, FAULT_ADDRESS_SIZE, 0);
    return walk_levels(&w, table, leaf);
}

/* PSTATE.PAN: EL1 data accesses to what EL0 may read or write ("Privileged Access Never"); cache
 * maintenance is exempt. */
static bool pan_refuses(const struct tlb_leaf *leaf, const struct access *access)
{
    return access->privileged && access->pan && leaf->unprivileged_any && !access->cache_op;
}

/* Would the write be allowed, had hardware made the clean page dirty? Cache maintenance and AT ask
 * without making it so. */
static bool clean_write_allowed(const struct tlb_leaf *leaf, const struct access *access)
{
    return leaves_clean(access) && leaf->writable_clean &&
           (access->privileged || leaf->unprivileged & PERMIT_R);
}

static bool is_permitted(const struct tlb_leaf *leaf, const struct access *access)
{
    uint8_t permits = access->privileged ? leaf->privileged : leaf->unprivileged;
    if (access->kind == ACCESS_FETCH)
        return permits & PERMIT_X;
    if (pan_refuses(leaf, access))
        return false;
    if (access->kind == ACCESS_READ)
        return permits & PERMIT_R;
    return permits & PERMIT_W || clean_write_allowed(leaf, access);
}

bool stage1_permits(const struct tlb_leaf *leaf, gva_t a, const struct access *access,
                    struct fault *fault)
{
    if (is_permitted(leaf, access))
        return true;
    *fault = (struct fault){.class = FAULT_PERMISSION,
                            .stage = 1,
                            .level = (int8_t)leaf->level,
                            .write = counts_as_write(access),
                            .gva = a};
    return false;
}
