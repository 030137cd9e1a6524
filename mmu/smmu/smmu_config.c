/* Configuration structures: from a StreamID to its STE, from that and a SubstreamID to a CD, and
 * which of both are ILLEGAL (IHI 0070, 3.3, 5.1 to 5.5). */
#include "mmu/arm64/stage2.h"
#include "mmu/smmu/smmu_walker.h"

#include "emu/bytes.h"

#define OUTSIDE (~(uint64_t)0 << SMMU_ADDRESS_BITS)

static bool refuse(struct smmu_event *event, const struct smmu_request *r,
                   enum smmu_event_type type, uint64_t fetched_at)
{
    smmu_event_begin(event, type, r);
    event->more = fetched_at;
    return false;
}

static bool read_words(const struct smmu_space *space, uint64_t at, uint64_t *words, size_t count)
{
    uint8_t bytes[8 * SMMU_WORDS];
    if (at & OUTSIDE || !space->read(space->context, at, bytes, 8 * count))
        return false;
    for (size_t i = 0; i < count; i++)
        words[i] = load_le(bytes + 8 * i, 8);
    return true;
}

/* Stream table ------------------------------------------------------------------------------------
 */

/* 6.3.25: reserved split points behave as 6. */
static unsigned split_of(uint32_t cfg)
{
    unsigned split = cfg >> 6 & 0x1f;
    return split == 8 || split == 10 ? split : 6;
}

static uint64_t aligned(uint64_t address, unsigned bits)
{
    return bits < 64 ? address & ~(((uint64_t)1 << bits) - 1) : 0;
}

/* 5.1.1: where the array of level 2 is that has the StreamID's STE; 0: nowhere. */
static bool find_level2(const struct smmu_stream_table *t, const struct smmu_space *space,
                        const struct smmu_request *r, uint64_t *at, struct smmu_event *event)
{
    unsigned log2size = t->cfg & 0x3f, split = split_of(t->cfg);
    unsigned table_bits = log2size > split ? log2size - split + 3 : 3;
    uint64_t l1std = aligned(t->base & L1STD_PTR, table_bits < 6 ? 6 : table_bits) +
                     8 * ((uint64_t)r->stream >> split);
    uint64_t word;
    if (!read_words(space, l1std, &word, 1))
        return refuse(event, r, F_STE_FETCH, l1std);
    unsigned span = (unsigned)smmu_field(&word, L1STD_SPAN);
    uint32_t index = r->stream & ((1u << split) - 1);
    if (span == 0 || span > 11 || span > split + 1 || index >= 1u << (span - 1))
        return refuse(event, r, C_BAD_STREAMID, 0);
    *at = aligned(word & L1STD_PTR, span + 5) + 64 * (uint64_t)index;
    return true;
}

bool smmu_find_ste(const struct smmu_features *f, const struct smmu_stream_table *t,
                   const struct smmu_space *space, const struct smmu_request *r,
                   struct smmu_ste *ste, struct smmu_event *event)
{
    unsigned log2size = t->cfg & 0x3f;
    bool two_levels = (t->cfg >> 16 & 3) == 1;
    if ((log2size < 32 && r->stream >> log2size) ||
        (f->stream_bits < 32 && r->stream >> f->stream_bits))
        return refuse(event, r, C_BAD_STREAMID, 0);
    uint64_t at = aligned(t->base & L1STD_PTR, log2size + 6) + 64 * (uint64_t)r->stream;
    if (two_levels && !find_level2(t, space, r, &at, event))
        return false;
    if (!read_words(space, at, ste->word, SMMU_WORDS))
        return refuse(event, r, F_STE_FETCH, at);
    return smmu_ste_is_valid(f, ste) || refuse(event, r, C_BAD_STE, 0);
}

/* 5.2.2, what stage 1 asks of an STE. A context pointer beyond the OAS is one of the ways of 3.4.3
 * (1, 2). */
static bool stage1_is_legal(const struct smmu_features *f, const struct smmu_ste *ste)
{
    uint64_t cd_max = smmu_field(ste->word, STE_S1CDMAX);
    return cd_max <= f->substream_bits && !(ste->word[0] & STE_S1CTXPTR & OUTSIDE) &&
           (f->has_stall || !smmu_field(ste->word, STE_S1STALLD));
}

/* 5.2 S2TTB, 5.4 TTB0 and TTB1: tables that begin beyond what a stage puts out, which is never more
 * than the OAS. Its walks would call it an Address Size fault; here it is ILLEGAL. */
static bool is_within(uint64_t ttb, uint64_t size)
{
    return ttb >> output_size_bits(size) == 0;
}

static const uint8_t granules[4] = {12, 16, 14, 0};

/* As of VTCR_EL2: the first level resolves at least a bit, and at most 16 tables lie in a row. */
static bool start_is_consistent(const struct smmu_ste *ste)
{
    unsigned granule = granules[smmu_field(ste->word, STE_S2TG)];
    int sl0 = (int)smmu_field(ste->word, STE_S2SL0);
    int start = (granule == 12 ? 2 : 3) - sl0;
    if (!granule || sl0 == 3)
        return false;
    unsigned input = 64 - (unsigned)smmu_field(ste->word, STE_S2T0SZ);
    unsigned below = granule + (unsigned)(3 - start) * (granule - 3);
    return below + 1 <= input && input <= below + granule - 3 + 4;
}

static bool stage2_is_legal(const struct smmu_features *f, const struct smmu_ste *ste)
{
    uint64_t t0sz = smmu_field(ste->word, STE_S2T0SZ);
    return f->has_stage2 && t0sz >= 64 - SMMU_ADDRESS_BITS && t0sz <= 39 &&
           start_is_consistent(ste) && smmu_field(ste->word, STE_S2AA64) &&
           !smmu_field(ste->word, STE_S2ENDI) &&
           is_within(ste->word[3] & STE_S2TTB, smmu_field(ste->word, STE_S2PS)) &&
           (f->has_stall || !smmu_field(ste->word, STE_S2S));
}

bool smmu_ste_is_valid(const struct smmu_features *f, const struct smmu_ste *ste)
{
    uint64_t config = smmu_field(ste->word, STE_CONFIG);
    if (!smmu_field(ste->word, STE_V))
        return false;
    if (config < CONFIG_BYPASS)
        return true;
    return (!(config & CONFIG_STAGE1) || stage1_is_legal(f, ste)) &&
           (!(config & CONFIG_STAGE2) || stage2_is_legal(f, ste));
}

/* Which CD ----------------------------------------------------------------------------------------
 */

static enum smmu_decision refused(struct smmu_event *event, const struct smmu_request *r,
                                  enum smmu_event_type type)
{
    refuse(event, r, type, 0);
    return SMMU_REFUSES;
}

/* 5.2, S1CDMax and S1DSS. */
static enum smmu_decision decide_cd(const struct smmu_ste *ste, const struct smmu_request *r,
                                    enum smmu_decision without, uint32_t *cd_index,
                                    struct smmu_event *event)
{
    enum { BYPASS = 1, USE_FIRST = 2 };
    uint64_t cd_max = smmu_field(ste->word, STE_S1CDMAX), dss = smmu_field(ste->word, STE_S1DSS);
    bool ssv = r->substream != SMMU_NO_SUBSTREAM;
    *cd_index = ssv ? r->substream : 0;
    if (!cd_max)
        return ssv ? refused(event, r, C_BAD_SUBSTREAMID) : SMMU_TRANSLATES;
    if (ssv && r->substream >> cd_max)
        return refused(event, r, C_BAD_SUBSTREAMID);
    if (ssv)
        return r->substream == 0 && dss == USE_FIRST ? refused(event, r, F_STREAM_DISABLED)
                                                     : SMMU_TRANSLATES;
    if (dss == BYPASS)
        return without;
    return dss == USE_FIRST ? SMMU_TRANSLATES : refused(event, r, F_STREAM_DISABLED);
}

enum smmu_decision smmu_decide(const struct smmu_features *f, const struct smmu_ste *ste,
                               const struct smmu_request *r, uint32_t *cd_index,
                               struct smmu_event *event)
{
    uint64_t config = smmu_field(ste->word, STE_CONFIG);
    enum smmu_decision without = config & CONFIG_STAGE2 ? SMMU_STAGE2 : SMMU_BYPASSES;
    (void)f;
    if (config < CONFIG_BYPASS)
        return SMMU_ABORTS;
    if (config & CONFIG_STAGE1)
        return decide_cd(ste, r, without, cd_index, event);
    return r->substream != SMMU_NO_SUBSTREAM ? refused(event, r, C_BAD_SUBSTREAMID) : without;
}

/* Context descriptors -----------------------------------------------------------------------------
 */

/* The address of a CD or L1CD is an IPA where stage 2 translates, and physical behind it. */
static bool read_descriptor(const struct smmu_walker *w, uint64_t at, uint64_t *words, size_t count,
                            struct smmu_event *event)
{
    uint64_t physical = at;
    if (smmu_field(w->ste->word, STE_CONFIG) & CONFIG_STAGE2 &&
        !smmu_walk_for_cd(w, at, &physical, event))
        return false;
    return read_words(w->space, physical, words, count) ||
           refuse(event, w->r, F_CD_FETCH, physical);
}

/* 5.2, S1Fmt: 0b01 has leaf tables of 64 CDs, 0b10 of 1024; everything else is linear. */
static bool find_leaf_table(const struct smmu_walker *w, uint32_t cd_index, uint64_t *table,
                            uint32_t *index, struct smmu_event *event)
{
    uint64_t fmt = smmu_field(w->ste->word, STE_S1FMT),
             cd_max = smmu_field(w->ste->word, STE_S1CDMAX);
    unsigned leaf_bits = fmt == 2 ? 10 : 6;
    uint64_t l1cd;
    *index = cd_index;
    if (!cd_max || fmt == 0 || fmt == 3)
        return true;
    *index = cd_index & ((1u << leaf_bits) - 1);
    if (!read_descriptor(w, *table + 8 * ((uint64_t)cd_index >> leaf_bits), &l1cd, 1, event))
        return false;
    if (smmu_field(&l1cd, L1CD_V) && !(l1cd & L1CD_PTR & OUTSIDE)) {
        *table = l1cd & L1CD_PTR;
        return true;
    }
    refuse(event, w->r, C_BAD_SUBSTREAMID, 0);
    event->ssv = true;
    event->substream = cd_index;
    return false;
}

bool smmu_find_cd(const struct smmu_features *f, const struct smmu_space *space,
                  const struct smmu_ste *ste, uint32_t cd_index, const struct smmu_request *r,
                  const struct walk_observer *observer, struct smmu_cd *cd,
                  struct smmu_event *event)
{
    struct smmu_walker w = {f, space, ste, r, observer, 0};
    uint64_t table = ste->word[0] & STE_S1CTXPTR;
    uint32_t index;
    if (!find_leaf_table(&w, cd_index, &table, &index, event) ||
        !read_descriptor(&w, table + 64 * (uint64_t)index, cd->word, SMMU_WORDS, event))
        return false;
    return smmu_cd_is_valid(f, ste, cd) || refuse(event, r, C_BAD_CD, 0);
}

/* 5.4.2 for one half of the addresses. */
static bool half_is_legal(uint64_t txsz, bool has_granule, uint64_t ttb, uint64_t ips)
{
    return txsz >= 64 - SMMU_ADDRESS_BITS && txsz <= 39 && has_granule &&
           is_within(ttb & CD_TTB, ips);
}

bool smmu_cd_is_valid(const struct smmu_features *f, const struct smmu_ste *ste,
                      const struct smmu_cd *cd)
{
    const uint64_t *w = cd->word;
    uint64_t ips = smmu_field(w, CD_IPS);
    bool low = !smmu_field(w, CD_EPD0), high = !smmu_field(w, CD_EPD1), s = smmu_field(w, CD_S);
    if (!smmu_field(w, CD_V) || !smmu_field(w, CD_AA64) ||
        ((low || high) && smmu_field(w, CD_ENDI)))
        return false;
    if (low && !half_is_legal(smmu_field(w, CD_T0SZ), smmu_field(w, CD_TG0) != 3, w[1], ips))
        return false;
    if (high && !half_is_legal(smmu_field(w, CD_T1SZ), smmu_field(w, CD_TG1) != 0, w[2], ips))
        return false;
    /* 5.5: a CD may not stall where nothing can, or where the STE forbids it. */
    return !s || (f->has_stall && !smmu_field(ste->word, STE_S1STALLD));
}
