/* Walks: what STE and CD say becomes the registers of the CPU's walkers, and what these find
 * becomes a page or an event record (IHI 0070, 3.4, 5.2, 5.4, 7.3). */
#include "mmu/arm64/stage1.h"
#include "mmu/smmu/smmu_walker.h"

#include "emu/bytes.h"

/* Requests ----------------------------------------------------------------------------------------
 */

/* 5.2, PRIVCFG and INSTCFG; writes are data, whatever anybody says (13.1.2). */
static bool is_privileged(const struct smmu_ste *ste, const struct smmu_request *r)
{
    uint64_t cfg = smmu_field(ste->word, STE_PRIVCFG);
    return cfg >= 2 ? cfg == 3 : r->privileged;
}

static enum access_kind kind_of(const struct smmu_ste *ste, const struct smmu_request *r)
{
    uint64_t cfg = smmu_field(ste->word, STE_INSTCFG);
    if (r->kind == ACCESS_WRITE || cfg < 2)
        return r->kind;
    return cfg == 3 ? ACCESS_FETCH : ACCESS_READ;
}

static struct access access_of(const struct smmu_ste *ste, const struct smmu_cd *cd,
                               const struct smmu_request *r)
{
    return (struct access){
        .kind = kind_of(ste, r),
        .privileged = is_privileged(ste, r),
        .pan = cd && smmu_field(cd->word, CD_PAN),
        .inspect = r->inspect,
    };
}

void smmu_event_begin(struct smmu_event *event, enum smmu_event_type type,
                      const struct smmu_request *r)
{
    *event = (struct smmu_event){
        .type = type,
        .stream = r->stream,
        .ssv = r->substream != SMMU_NO_SUBSTREAM,
        .substream = r->substream != SMMU_NO_SUBSTREAM ? r->substream : 0,
        .address = r->address,
        .rnw = r->kind != ACCESS_WRITE,
        .level = -1,
    };
}

/* InD and PnU are what the STE has made of them (7.3). */
static bool refuse(struct smmu_event *event, const struct smmu_ste *ste,
                   const struct smmu_request *r, enum smmu_event_type type)
{
    smmu_event_begin(event, type, r);
    event->ind = kind_of(ste, r) == ACCESS_FETCH;
    event->pnu = is_privileged(ste, r);
    event->class = SMMU_CLASS_IN;
    return false;
}

/* Registers ---------------------------------------------------------------------------------------
 */

static bool read_descriptor(void *context, hpa_t at, uint64_t *descriptor)
{
    struct smmu_walker *w = context;
    uint8_t bytes[8];
    w->failed_at = at.v;
    if (!w->space->read(w->space->context, at.v, bytes, 8))
        return false;
    *descriptor = load_le(bytes, 8);
    return true;
}

static bool write_descriptor(void *context, hpa_t at, uint64_t descriptor)
{
    struct smmu_walker *w = context;
    uint8_t bytes[8];
    w->failed_at = at.v;
    store_le(bytes, descriptor, 8);
    return w->space->write(w->space->context, at.v, bytes, 8);
}

/* 5.2: S2* as VTCR_EL2 and VTTBR_EL2. S2HD alone means nothing. */
static struct stage2 stage2_from(const struct smmu_ste *ste, const struct walk_memory *via)
{
    const uint64_t *w = ste->word;
    uint64_t config = smmu_field(w, STE_CONFIG);
    return (struct stage2){
        .on = config & CONFIG_STAGE2,
        .has_xnx = true,
        .vttbr = w[3] & STE_S2TTB,
        .vtcr = smmu_field(w, STE_S2T0SZ) | smmu_field(w, STE_S2SL0) << 6 |
                smmu_field(w, STE_S2TG) << 14 | smmu_field(w, STE_S2PS) << 16 |
                smmu_field(w, STE_S2HA) << 21 | smmu_field(w, STE_S2HD) << 22,
        .via = via,
        .no_access_fault = smmu_field(w, STE_S2AFFD) && !smmu_field(w, STE_S2HA),
        .forced_write_back = smmu_field(w, STE_S2FWB),
        .no_device_tables = smmu_field(w, STE_S2PTW) && config & CONFIG_STAGE1,
    };
}

/* 5.4: a CD as TCR_EL1 and the others of its regime. */
static struct stage1 stage1_from(const struct smmu_cd *cd)
{
    const uint64_t *w = cd->word;
    return (struct stage1){
        .sctlr = 1 | smmu_field(w, CD_WXN) << 19,
        .tcr = smmu_field(w, CD_T0SZ) | smmu_field(w, CD_EPD0) << 7 | smmu_field(w, CD_TG0) << 14 |
               smmu_field(w, CD_T1SZ) << 16 | smmu_field(w, CD_EPD1) << 23 |
               smmu_field(w, CD_TG1) << 30 | smmu_field(w, CD_IPS) << 32 | UINT64_C(1) << 36 |
               smmu_field(w, CD_TBI0) << 37 | smmu_field(w, CD_TBI1) << 38 |
               smmu_field(w, CD_HA) << 39 | smmu_field(w, CD_HD) << 40 |
               smmu_field(w, CD_HAD0) << 41 | smmu_field(w, CD_HAD1) << 42,
        .ttbr0 = (w[1] & CD_TTB) | smmu_field(w, CD_ASID) << 48,
        .ttbr1 = w[2] & CD_TTB,
        .mair = smmu_field(w, CD_MAIR),
        .has_ha = true,
        .has_hd = true,
        .has_hpd = true,
        .has_16k = true,
        .has_64k = true,
        .pa_bits = SMMU_ADDRESS_BITS,
        .no_access_fault = smmu_field(w, CD_AFFD) && !smmu_field(w, CD_HA),
    };
}

/* Faults ------------------------------------------------------------------------------------------
 */

static enum smmu_event_type event_of(enum fault_class class)
{
    switch (class) {
    case FAULT_ADDRESS_SIZE:
        return F_ADDR_SIZE;
    case FAULT_ACCESS_FLAG:
        return F_ACCESS;
    case FAULT_PERMISSION:
        return F_PERMISSION;
    case FAULT_EXTERNAL_ON_WALK:
    case FAULT_EXTERNAL:
        return F_WALK_EABT;
    default:
        return F_TRANSLATION;
    }
}

/* `class`: what stage 2 was asked for. A walk of stage 1 that meets an abort says so by TT, though
 * it is of stage 1 (7.3.12). TTRnW is of the access to the table (7.3.16). */
static bool tell(const struct smmu_walker *w, const struct fault *fault, enum smmu_class class,
                 struct smmu_event *event)
{
    refuse(event, w->ste, w->r, event_of(fault->class));
    event->level = fault->level;
    event->s2 = fault->stage == 2;
    event->class = event->s2 ? class : SMMU_CLASS_IN;
    if (event->type == F_WALK_EABT) {
        event->class = event->s2 ? event->class : SMMU_CLASS_TT;
        event->more = w->failed_at;
        return false;
    }
    event->more = event->s2 ? fault->gpa.v : 0;
    event->ttrnw = event->class == SMMU_CLASS_TT && !fault->write;
    return false;
}

/* Walks -------------------------------------------------------------------------------------------
 */

bool smmu_walk_for_cd(const struct smmu_walker *walker, uint64_t ipa, uint64_t *physical,
                      struct smmu_event *event)
{
    struct smmu_walker w = *walker;
    const struct walk_memory via = {read_descriptor, write_descriptor, &w};
    const struct stage2 s2 = stage2_from(w.ste, &via);
    const struct access access = {.kind = ACCESS_READ, .privileged = true};
    struct stage2_leaf leaf;
    struct fault fault = {0};
    bool found = w.r->inspect ? stage2_inspect(&s2, NULL, gpa(ipa), w.observer, &leaf, &fault)
                              : stage2_walk(&s2, NULL, gpa(ipa), false, w.observer, &leaf, &fault);
    if (found && s2.no_device_tables && leaf.device)
        leaf.permits = 0;
    if (!found || !stage2_permits(&leaf, gpa(ipa), &access, &fault))
        return tell(&w, &fault, SMMU_CLASS_CD, event);
    *physical = leaf.page.v | (ipa & PAGE_MASK);
    return true;
}

struct smmu_tag smmu_tag_of(const struct smmu_features *f, const struct smmu_ste *ste,
                            const struct smmu_cd *cd)
{
    return (struct smmu_tag){
        .stage1 = cd != NULL,
        .stage2 = smmu_field(ste->word, STE_CONFIG) & CONFIG_STAGE2,
        .asid = cd ? (uint16_t)smmu_field(cd->word, CD_ASID) : 0,
        .vmid = f->has_stage2 ? (uint16_t)smmu_field(ste->word, STE_S2VMID) : 0,
    };
}

uint64_t smmu_input_page(const struct smmu_cd *cd, uint64_t address)
{
    const uint64_t tag = UINT64_C(0xff) << 56;
    bool high = address >> 55 & 1;
    address &= ~(uint64_t)PAGE_MASK;
    if (!cd || !(high ? smmu_field(cd->word, CD_TBI1) : smmu_field(cd->word, CD_TBI0)))
        return address;
    return high ? address | tag : address & ~tag;
}

static void keep_stage1(struct smmu_page *page, const struct tlb_leaf *leaf)
{
    page->ipa = leaf->page.v;
    page->input_size = leaf->leaf_size;
    page->level1 = leaf->level;
    page->privileged = leaf->privileged;
    page->unprivileged = leaf->unprivileged;
    page->unprivileged_any = leaf->unprivileged_any;
    page->clean1 = leaf->writable_clean;
    page->global = leaf->global;
}

static void keep_stage2(struct smmu_page *page, const struct stage2_leaf *leaf)
{
    page->page = leaf->page.v;
    if (leaf->leaf_size < page->input_size)
        page->input_size = leaf->leaf_size;
    page->level2 = leaf->level;
    page->stage2 = leaf->permits;
    page->clean2 = leaf->writable_clean;
    page->x_el1 = leaf->x_el1;
    page->x_el0 = leaf->x_el0;
}

static struct tlb_leaf stage1_leaf(const struct smmu_page *page)
{
    return (struct tlb_leaf){.level = page->level1,
                             .privileged = page->privileged,
                             .unprivileged = page->unprivileged,
                             .unprivileged_any = page->unprivileged_any,
                             .writable_clean = page->clean1};
}

static struct stage2_leaf stage2_leaf(const struct smmu_page *page)
{
    return (struct stage2_leaf){.level = page->level2,
                                .permits = page->stage2,
                                .x_el1 = page->x_el1,
                                .x_el0 = page->x_el0,
                                .writable_clean = page->clean2};
}

static bool walk_stage1(struct smmu_walker *w, const struct smmu_cd *cd, const struct stage2 *s2,
                        struct smmu_page *page, struct smmu_event *event)
{
    const struct stage1 s1 = stage1_from(cd);
    const struct access access = access_of(w->ste, cd, w->r);
    gva_t a = gva(w->r->address);
    struct tlb_leaf leaf;
    struct fault fault = {0};
    if (!stage1_walk(&s1, s2, NULL, a, &access, w->observer, &leaf, &fault))
        return tell(w, &fault, SMMU_CLASS_TT, event);
    keep_stage1(page, &leaf);
    return stage1_permits(&leaf, a, &access, &fault) || tell(w, &fault, SMMU_CLASS_IN, event);
}

static bool walk_stage2(struct smmu_walker *w, const struct stage2 *s2, uint64_t ipa,
                        struct smmu_page *page, struct smmu_event *event)
{
    const struct access access = access_of(w->ste, NULL, w->r);
    struct stage2_leaf leaf;
    struct fault fault = {0};
    bool for_write = access.kind == ACCESS_WRITE;
    bool found = w->r->inspect
                     ? stage2_inspect(s2, NULL, gpa(ipa), w->observer, &leaf, &fault)
                     : stage2_walk(s2, NULL, gpa(ipa), for_write, w->observer, &leaf, &fault);
    if (!found || !stage2_permits(&leaf, gpa(ipa), &access, &fault))
        return tell(w, &fault, SMMU_CLASS_IN, event);
    keep_stage2(page, &leaf);
    return true;
}

/* 3.4: what bypasses stage 1 is checked against the IAS in its place. */
static bool bypass_stage1(const struct smmu_walker *w, struct smmu_page *page,
                          struct smmu_event *event)
{
    const uint8_t all = PERMIT_R | PERMIT_W | PERMIT_X;
    if (w->r->address >> SMMU_ADDRESS_BITS)
        return refuse(event, w->ste, w->r, F_ADDR_SIZE);
    page->ipa = w->r->address & ~PAGE_MASK;
    page->input_size = UINT64_C(1) << SMMU_ADDRESS_BITS;
    page->privileged = page->unprivileged = all;
    page->global = true;
    return true;
}

/* A write finds out whether it may before stage 2 marks the page dirty for it. */
bool smmu_walk(const struct smmu_features *f, const struct smmu_space *space,
               const struct smmu_ste *ste, const struct smmu_cd *cd, const struct smmu_request *r,
               const struct walk_observer *observer, struct smmu_page *page,
               struct smmu_event *event)
{
    struct smmu_walker w = {f, space, ste, r, observer, 0};
    const struct walk_memory via = {read_descriptor, write_descriptor, &w};
    const struct stage2 s2 = stage2_from(ste, &via);
    *page = (struct smmu_page){0};
    if (!(cd ? walk_stage1(&w, cd, &s2, page, event) : bypass_stage1(&w, page, event)))
        return false;
    page->page = page->ipa;
    return !s2.on || walk_stage2(&w, &s2, page->ipa | (r->address & PAGE_MASK), page, event);
}

bool smmu_permits(const struct smmu_ste *ste, const struct smmu_cd *cd,
                  const struct smmu_page *page, const struct smmu_request *r,
                  struct smmu_event *event)
{
    struct smmu_walker w = {.ste = ste, .r = r};
    const struct tlb_leaf first = stage1_leaf(page);
    const struct stage2_leaf second = stage2_leaf(page);
    struct access access = access_of(ste, cd, r);
    uint64_t ipa = page->ipa | (r->address & PAGE_MASK);
    struct fault fault = {0};
    if (cd && !stage1_permits(&first, gva(r->address), &access, &fault))
        return tell(&w, &fault, SMMU_CLASS_IN, event);
    if (!(smmu_field(ste->word, STE_CONFIG) & CONFIG_STAGE2))
        return true;
    access.pan = false;
    return stage2_permits(&second, gpa(ipa), &access, &fault) ||
           tell(&w, &fault, SMMU_CLASS_IN, event);
}

/* Without a CD there is nobody who could ask for less than an abort and a record; of stage 2 there
 * is always an abort. */
struct smmu_faults smmu_faults_of(const struct smmu_ste *ste, const struct smmu_cd *cd,
                                  const struct smmu_event *event)
{
    struct smmu_faults faults = {.record = true, .abort = true};
    if (!smmu_event_is_translation(event->type))
        return faults;
    if (event->s2) {
        faults.stall = smmu_field(ste->word, STE_S2S);
        faults.record = faults.stall || smmu_field(ste->word, STE_S2R);
    } else if (cd) {
        faults.stall = smmu_field(cd->word, CD_S);
        faults.record = faults.stall || smmu_field(cd->word, CD_R);
        faults.abort = smmu_field(cd->word, CD_A);
    }
    return faults;
}
