/* What an SMMU keeps of its tables: STEs by StreamID, CDs by StreamID and index, translations by
 * VMID, ASID and address (IHI 0070, 3.17, 3.21, 4.3, 4.4). Only what is valid is kept, and no
 * fault.
 *
 * What is kept is used until a command drops it or something else needs its place; which place that
 * is depends on what came before alone. A device may hold pointers to what is kept here
 * (smmu_port.c): it is told of everything that goes.
 *
 * A translation is kept for a page of 4 KiB; what one entry of the tables maps is kept with it, so
 * that an address anywhere within drops all its pages. */
#include <string.h>

#include "vdev/smmu/smmu_internal.h"

void smmu_cache_changed(struct smmu *s)
{
    s->was_missed = false;
    if (s->v.dma.changed)
        s->v.dma.changed(&s->v.dma);
}

/* Whoever could not map something may look again. */
static void added(struct smmu *s, bool replaced)
{
    if (replaced || s->was_missed)
        smmu_cache_changed(s);
}

/* Configuration -----------------------------------------------------------------------------------
 */

static unsigned ste_slot(uint32_t stream)
{
    return stream % SMMU_STES;
}

static unsigned cd_slot(uint32_t stream, uint32_t index)
{
    return (stream + 17 * index) % SMMU_CDS;
}

const struct smmu_ste *smmu_cache_ste(const struct smmu *s, uint32_t stream)
{
    unsigned i = ste_slot(stream);
    bool is_here = s->ste_valid[i] && s->ste_stream[i] == stream;
    return is_here ? (const struct smmu_ste *)&s->ste_words[i * SMMU_WORDS] : NULL;
}

const struct smmu_cd *smmu_cache_cd(const struct smmu *s, uint32_t stream, uint32_t index)
{
    unsigned i = cd_slot(stream, index);
    bool is_here = s->cd_valid[i] && s->cd_stream[i] == stream && s->cd_index[i] == index;
    return is_here ? (const struct smmu_cd *)&s->cd_words[i * SMMU_WORDS] : NULL;
}

void smmu_cache_keep_ste(struct smmu *s, uint32_t stream, const struct smmu_ste *ste)
{
    unsigned i = ste_slot(stream);
    bool replaced = s->ste_valid[i];
    s->ste_valid[i] = true;
    s->ste_stream[i] = stream;
    memcpy(&s->ste_words[i * SMMU_WORDS], ste->word, sizeof ste->word);
    added(s, replaced);
}

void smmu_cache_keep_cd(struct smmu *s, uint32_t stream, uint32_t index, const struct smmu_cd *cd)
{
    unsigned i = cd_slot(stream, index);
    bool replaced = s->cd_valid[i];
    s->cd_valid[i] = true;
    s->cd_stream[i] = stream;
    s->cd_index[i] = index;
    memcpy(&s->cd_words[i * SMMU_WORDS], cd->word, sizeof cd->word);
    added(s, replaced);
}

/* A slot that is empty is all zero: equal states are equal bytes. */
static void drop_cd(struct smmu *s, unsigned i)
{
    s->cd_valid[i] = false;
    s->cd_stream[i] = s->cd_index[i] = 0;
    memset(&s->cd_words[i * SMMU_WORDS], 0, 8 * SMMU_WORDS);
}

/* 4.3.1, 4.3.2: with them go the CDs that were found by them. */
void smmu_cache_drop_stes(struct smmu *s, uint32_t first, uint32_t last)
{
    for (unsigned i = 0; i < SMMU_STES; i++) {
        if (!s->ste_valid[i] || s->ste_stream[i] < first || s->ste_stream[i] > last)
            continue;
        s->ste_valid[i] = false;
        s->ste_stream[i] = 0;
        memset(&s->ste_words[i * SMMU_WORDS], 0, 8 * SMMU_WORDS);
    }
    for (unsigned i = 0; i < SMMU_CDS; i++)
        if (s->cd_valid[i] && s->cd_stream[i] >= first && s->cd_stream[i] <= last)
            drop_cd(s, i);
    smmu_cache_changed(s);
}

void smmu_cache_drop_cds(struct smmu *s, uint32_t stream, uint32_t index)
{
    for (unsigned i = 0; i < SMMU_CDS; i++)
        if (s->cd_valid[i] && s->cd_stream[i] == stream &&
            (index == SMMU_NO_SUBSTREAM || s->cd_index[i] == index))
            drop_cd(s, i);
    smmu_cache_changed(s);
}

/* The TLB -----------------------------------------------------------------------------------------
 */

/* tlb_bits: what an entry is and permits. Zero: there is none. */
enum {
    BIT_VALID = 0,
    BIT_STAGE1,
    BIT_STAGE2,
    BIT_GLOBAL,
    BIT_ANY,
    BIT_CLEAN1,
    BIT_CLEAN2,
    BIT_X_EL1,
    BIT_X_EL0,
    AT_PRIVILEGED,
    AT_UNPRIVILEGED = 12,
    AT_PERMITS2 = 15,
    AT_LEVEL1 = 18,
    AT_LEVEL2 = 20,
    AT_SIZE = 22, /* log2 */
};

static bool bit(uint32_t bits, unsigned at)
{
    return bits >> at & 1;
}

static unsigned log2_of(uint64_t size)
{
    return (unsigned)__builtin_ctzll(size);
}

static uint32_t pack(struct smmu_tag tag, const struct smmu_page *p)
{
    return 1u << BIT_VALID | (uint32_t)tag.stage1 << BIT_STAGE1 |
           (uint32_t)tag.stage2 << BIT_STAGE2 | (uint32_t)p->global << BIT_GLOBAL |
           (uint32_t)p->unprivileged_any << BIT_ANY | (uint32_t)p->clean1 << BIT_CLEAN1 |
           (uint32_t)p->clean2 << BIT_CLEAN2 | (uint32_t)p->x_el1 << BIT_X_EL1 |
           (uint32_t)p->x_el0 << BIT_X_EL0 | (uint32_t)p->privileged << AT_PRIVILEGED |
           (uint32_t)p->unprivileged << AT_UNPRIVILEGED | (uint32_t)p->stage2 << AT_PERMITS2 |
           (uint32_t)p->level1 << AT_LEVEL1 | (uint32_t)p->level2 << AT_LEVEL2 |
           log2_of(p->input_size) << AT_SIZE;
}

static void unpack(const struct smmu *s, size_t i, struct smmu_page *p)
{
    uint32_t bits = s->tlb_bits[i];
    *p = (struct smmu_page){
        .page = s->tlb_page[i],
        .ipa = s->tlb_ipa[i],
        .input_size = UINT64_C(1) << (bits >> AT_SIZE & 63),
        .level1 = bits >> AT_LEVEL1 & 3,
        .level2 = bits >> AT_LEVEL2 & 3,
        .privileged = bits >> AT_PRIVILEGED & 7,
        .unprivileged = bits >> AT_UNPRIVILEGED & 7,
        .stage2 = bits >> AT_PERMITS2 & 7,
        .unprivileged_any = bit(bits, BIT_ANY),
        .clean1 = bit(bits, BIT_CLEAN1),
        .clean2 = bit(bits, BIT_CLEAN2),
        .x_el1 = bit(bits, BIT_X_EL1),
        .x_el0 = bit(bits, BIT_X_EL0),
        .global = bit(bits, BIT_GLOBAL),
    };
}

static uint16_t vmid_of(const struct smmu *s, size_t i)
{
    return (uint16_t)s->tlb_tag[i];
}

static uint16_t asid_of(const struct smmu *s, size_t i)
{
    return (uint16_t)(s->tlb_tag[i] >> 16);
}

static size_t set_of(uint64_t input)
{
    uint64_t page = input / PAGE_SIZE;
    return (size_t)((page ^ page >> 7 ^ page >> 19) % SMMU_TLB_SETS) * SMMU_TLB_WAYS;
}

static bool is_for(const struct smmu *s, size_t i, struct smmu_tag tag, uint64_t input)
{
    uint32_t bits = s->tlb_bits[i];
    return bit(bits, BIT_VALID) && s->tlb_input[i] == input &&
           bit(bits, BIT_STAGE1) == tag.stage1 && vmid_of(s, i) == tag.vmid &&
           (!tag.stage1 || bit(bits, BIT_GLOBAL) || asid_of(s, i) == tag.asid);
}

/* The place of the entry; SMMU_TLB_SIZE: there is none. */
static size_t place_of(const struct smmu *s, struct smmu_tag tag, uint64_t input)
{
    size_t set = set_of(input);
    for (size_t i = set; i < set + SMMU_TLB_WAYS; i++)
        if (is_for(s, i, tag, input))
            return i;
    return SMMU_TLB_SIZE;
}

bool smmu_cache_find(const struct smmu *s, struct smmu_tag tag, uint64_t input,
                     struct smmu_page *page)
{
    size_t i = place_of(s, tag, input);
    if (i < SMMU_TLB_SIZE)
        unpack(s, i, page);
    return i < SMMU_TLB_SIZE;
}

static size_t free_place(struct smmu *s, uint64_t input)
{
    size_t set = set_of(input);
    for (size_t i = set; i < set + SMMU_TLB_WAYS; i++)
        if (!s->tlb_bits[i])
            return i;
    uint8_t *next = &s->tlb_next[set / SMMU_TLB_WAYS];
    size_t place = set + *next;
    *next = (uint8_t)((*next + 1) % SMMU_TLB_WAYS);
    return place;
}

void smmu_cache_keep(struct smmu *s, struct smmu_tag tag, uint64_t input,
                     const struct smmu_page *page)
{
    size_t i = place_of(s, tag, input);
    if (i == SMMU_TLB_SIZE)
        i = free_place(s, input);
    bool replaced = s->tlb_bits[i];
    s->tlb_input[i] = input;
    s->tlb_page[i] = page->page;
    s->tlb_ipa[i] = page->ipa;
    s->tlb_tag[i] = (uint32_t)tag.asid << 16 | tag.vmid;
    s->tlb_bits[i] = pack(tag, page);
    added(s, replaced);
}

/* Does what an entry of the tables maps here reach into the range? */
static bool reaches(const struct smmu *s, size_t i, const struct smmu_scope *scope)
{
    uint64_t rest = (UINT64_C(1) << (s->tlb_bits[i] >> AT_SIZE & 63)) - 1;
    uint64_t first = s->tlb_input[i] & ~rest, last = s->tlb_input[i] | rest;
    return first <= scope->last && last >= scope->first;
}

static bool is_in(const struct smmu *s, size_t i, const struct smmu_scope *scope)
{
    uint32_t bits = s->tlb_bits[i];
    bool global = bit(bits, BIT_GLOBAL);
    if (bit(bits, BIT_STAGE1) ? !scope->stage1 : !scope->stage2)
        return false;
    if ((scope->by_vmid && vmid_of(s, i) != scope->vmid) || (scope->not_global && global))
        return false;
    if (scope->by_asid && !global && asid_of(s, i) != scope->asid)
        return false;
    return !scope->by_address || reaches(s, i, scope);
}

void smmu_cache_invalidate(struct smmu *s, const struct smmu_scope *scope)
{
    for (size_t i = 0; i < SMMU_TLB_SIZE; i++) {
        if (!s->tlb_bits[i] || !is_in(s, i, scope))
            continue;
        s->tlb_input[i] = s->tlb_page[i] = s->tlb_ipa[i] = 0;
        s->tlb_tag[i] = s->tlb_bits[i] = 0;
    }
    smmu_cache_changed(s);
}
