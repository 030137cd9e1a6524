/* The command queue (IHI 0070, chapter 4, 7.1). A command is done when it is consumed, so CMD_SYNC
 * waits for nothing. */
#include "vdev/smmu/smmu_internal.h"

#include "emu/bytes.h"

/* 7.1: CMDQ_CONS.ERR */
enum { CERROR_NONE, CERROR_ILL, CERROR_ABT };

static unsigned log2_entries(const struct smmu *s)
{
    return smmu_queue_log2(s->cmdq_base, SMMU_CMDQS);
}

static uint64_t bits(uint64_t word, unsigned high, unsigned low)
{
    return word >> low & (~(uint64_t)0 >> (63 - (high - low)));
}

/* Configuration (4.3) -----------------------------------------------------------------------------
 */

/* 4.1.6: a Secure stream is nobody's here. */
static bool is_secure(const uint64_t *w)
{
    return bits(w[0], 10, 10);
}

static int drop_range(struct smmu *s, const uint64_t *w)
{
    uint32_t rest = (uint32_t)((UINT64_C(2) << bits(w[1], 4, 0)) - 1);
    uint32_t stream = (uint32_t)(w[0] >> 32);
    smmu_cache_drop_stes(s, stream & ~rest, stream | rest);
    return CERROR_NONE;
}

static int invalidate_configuration(struct smmu *s, const uint64_t *w)
{
    uint32_t stream = (uint32_t)(w[0] >> 32);
    if (is_secure(w))
        return CERROR_ILL;
    switch (w[0] & 0xff) {
    case CMD_CFGI_STE:
        smmu_cache_drop_stes(s, stream, stream);
        return CERROR_NONE;
    case CMD_CFGI_STE_RANGE:
        return drop_range(s, w);
    case CMD_CFGI_CD:
        smmu_cache_drop_cds(s, stream, (uint32_t)bits(w[0], 31, 12));
        return CERROR_NONE;
    default:
        smmu_cache_drop_cds(s, stream, SMMU_NO_SUBSTREAM);
        return CERROR_NONE;
    }
}

/* Translations (4.4) ------------------------------------------------------------------------------
 */

/* 4.4.1.1: a granule says that it is a range of them. */
static void range_of(const uint64_t *w, struct smmu_scope *scope)
{
    static const uint8_t granules[4] = {0, 12, 14, 16};
    unsigned granule = granules[bits(w[1], 11, 10)], scale = (unsigned)bits(w[0], 24, 20);
    scope->by_address = true;
    scope->first = w[1] & ~(uint64_t)PAGE_MASK;
    uint64_t count = granule ? (bits(w[0], 16, 12) + 1) << scale : 1;
    uint64_t rest = (count << (granule ? granule : 12)) - 1;
    scope->last = rest <= UINT64_MAX - scope->first ? scope->first + rest : UINT64_MAX;
}

static int invalidate_translations(struct smmu *s, const uint64_t *w)
{
    struct smmu_scope scope = {.stage1 = true,
                               .by_vmid = s->features.has_stage2,
                               .vmid = (uint16_t)bits(w[0], 47, 32),
                               .asid = (uint16_t)bits(w[0], 63, 48)};
    switch (w[0] & 0xff) {
    case CMD_TLBI_NH_ASID:
        scope.by_asid = scope.not_global = true;
        break;
    case CMD_TLBI_NH_VA:
        scope.by_asid = true;
        range_of(w, &scope);
        break;
    case CMD_TLBI_NH_VAA:
        range_of(w, &scope);
        break;
    case CMD_TLBI_NSNH_ALL:
        scope.stage2 = true;
        scope.by_vmid = false;
        break;
    default: /* CMD_TLBI_NH_ALL */
        break;
    }
    smmu_cache_invalidate(s, &scope);
    return CERROR_NONE;
}

/* 4.4.3: an IPA finds what stage 2 alone translated; what both did is found by VMID or VA. */
static int invalidate_stage2(struct smmu *s, const uint64_t *w)
{
    struct smmu_scope scope = {
        .stage2 = true, .by_vmid = true, .vmid = (uint16_t)bits(w[0], 47, 32)};
    if (!s->features.has_stage2)
        return CERROR_ILL;
    if ((w[0] & 0xff) == CMD_TLBI_S2_IPA)
        range_of(w, &scope);
    else
        scope.stage1 = true;
    smmu_cache_invalidate(s, &scope);
    return CERROR_NONE;
}

/* Stalls, synchronization (4.7) -------------------------------------------------------------------
 */

static int resume(struct smmu *s, const uint64_t *w)
{
    bool retry = bits(w[0], 12, 12), abort = bits(w[0], 13, 13);
    if (is_secure(w) || !s->features.has_stall)
        return CERROR_ILL;
    smmu_translate_resume(s, (uint32_t)(w[0] >> 32), (uint16_t)w[1],
                          retry   ? STALL_RETRY
                          : abort ? STALL_ABORT
                                  : STALL_RAZWI);
    return CERROR_NONE;
}

static int end_stalls(struct smmu *s, const uint64_t *w)
{
    if (is_secure(w) || !s->features.has_stall)
        return CERROR_ILL;
    smmu_translate_end_stalls(s, false, (uint32_t)(w[0] >> 32));
    return CERROR_NONE;
}

/* 4.7.3. There is no wake-up event (IDR0.SEV); and a source has a wire, messages or both (3.18.2):
 * this one has messages. The consumption has to be seen before the message is. */
static int synchronize(const uint64_t *w)
{
    enum { RESERVED = 3 };
    return bits(w[0], 13, 12) == RESERVED ? CERROR_ILL : CERROR_NONE;
}

static void tell_synchronized(struct smmu *s, const uint64_t *w)
{
    enum { SIG_IRQ = 1 };
    uint64_t address = w[1] & UINT64_C(0x00fffffffffffffc);
    if (bits(w[0], 13, 12) == SIG_IRQ && address &&
        !smmu_events_send_message(s, address, (uint32_t)(w[0] >> 32)))
        smmu_events_global_error(s, GERROR_MSI_CMDQ_ABT_ERR);
}

/* The queue ---------------------------------------------------------------------------------------
 */

static int execute(struct smmu *s, const uint64_t *w)
{
    switch (w[0] & 0xff) {
    case CMD_PREFETCH_CONFIG: /* a hint (4.2) */
    case CMD_PREFETCH_ADDR:
        return is_secure(w) ? CERROR_ILL : CERROR_NONE;
    case CMD_CFGI_STE:
    case CMD_CFGI_STE_RANGE:
    case CMD_CFGI_CD:
    case CMD_CFGI_CD_ALL:
        return invalidate_configuration(s, w);
    case CMD_TLBI_NH_ALL:
    case CMD_TLBI_NH_ASID:
    case CMD_TLBI_NH_VA:
    case CMD_TLBI_NH_VAA:
    case CMD_TLBI_NSNH_ALL:
        return invalidate_translations(s, w);
    case CMD_TLBI_S12_VMALL:
    case CMD_TLBI_S2_IPA:
        return invalidate_stage2(s, w);
    case CMD_RESUME:
        return resume(s, w);
    case CMD_STALL_TERM:
        return end_stalls(s, w);
    case CMD_SYNC:
        return synchronize(w);
    default: /* of features that IDR0 does not have, CMD_ATC_INV too */
        return CERROR_ILL;
    }
}

static bool fetch(struct smmu *s, uint32_t index, uint64_t *w)
{
    uint8_t bytes[SMMU_COMMAND_SIZE];
    struct dma_fault fault;
    uint64_t at = smmu_queue_entry(s->cmdq_base, log2_entries(s), SMMU_COMMAND_SIZE, index);
    if (!dma_read(&s->v.dma, (iova_t){at}, bytes, sizeof bytes, &fault))
        return false;
    w[0] = load_le(bytes, 8);
    w[1] = load_le(bytes + 8, 8);
    return true;
}

static void fail(struct smmu *s, int error, uint64_t command)
{
    s->cmdq_cons = (s->cmdq_cons & 0xfffff) | (uint32_t)error << 24;
    log_guest(s->v.env->log, "%s: command %#x at index %#x: %s", s->v.name,
              (unsigned)(command & 0xff), (unsigned)(s->cmdq_cons & 0xfffff),
              error == CERROR_ILL ? "CERROR_ILL" : "CERROR_ABT: it is not in memory");
    smmu_events_global_error(s, GERROR_CMDQ_ERR);
}

static bool is_stopped(const struct smmu *s)
{
    return !(s->cr0 & CR0_CMDQEN) || (s->gerror ^ s->gerrorn) & GERROR_CMDQ_ERR;
}

/* At most once around the queue and its wrap flag: indices are cut to both. */
void smmu_commands_run(struct smmu *s)
{
    uint32_t mask = (2u << log2_entries(s)) - 1;
    while (!is_stopped(s) && ((s->cmdq_prod ^ s->cmdq_cons) & mask)) {
        uint32_t at = s->cmdq_cons & mask;
        uint64_t w[2] = {0, 0};
        int error = fetch(s, at & (mask >> 1), w) ? execute(s, w) : CERROR_ABT;
        if (error != CERROR_NONE) {
            s->cmdq_cons = at;
            fail(s, error, w[0]);
            return;
        }
        s->cmdq_cons = (at + 1) & mask;
        if ((w[0] & 0xff) == CMD_SYNC)
            tell_synchronized(s, w);
    }
}
