/* What becomes of a transaction, for people: by the tables as they are, and beside it what the SMMU
 * has kept, which is what it goes by. */
#include <inttypes.h>

#include "emu/text.h"
#include "mmu/smmu/smmu_explain.h"
#include "vdev/smmu/smmu_internal.h"

static void put_registers(const struct smmu *s, struct bytes *out)
{
    text_put(out, "%s: SMMU_STRTAB_BASE=0x%" PRIx64 " SMMU_STRTAB_BASE_CFG=%#x SMMU_CR0=%#x\n",
             s->v.name, s->strtab_base, (unsigned)s->strtab_base_cfg, (unsigned)s->cr0);
}

static bool put_disabled(const struct smmu *s, const struct smmu_request *r, struct bytes *out,
                         uint64_t *at)
{
    *at = r->address;
    bool ok = smmu_translate_cached(s, r, at);
    text_put(out, "SMMUEN=0, SMMU_GBPA=%#x: ", (unsigned)s->gbpa);
    if (ok)
        text_put(out, "leads to 0x%" PRIx64 "\n", *at);
    else
        text_put(out, "terminated with an abort, without a record\n");
    return ok;
}

/* Only if it is another than that of the tables is it worth a line of its own. */
static void put_kept(const struct smmu *s, const struct smmu_request *r, bool ok, uint64_t at,
                     struct bytes *out)
{
    uint64_t kept;
    if (!smmu_translate_cached(s, r, &kept))
        text_put(out, "kept: %s, no such translation\n",
                 smmu_cache_ste(s, r->stream) ? "the STE" : "no STE");
    else if (ok && kept == at)
        text_put(out, "kept: the same\n");
    else
        text_put(out,
                 "kept, until it is invalidated, and so what happens: leads to 0x%" PRIx64 "\n",
                 kept);
}

bool smmu_tell(const struct vdev *v, const struct stream_question *q, struct bytes *out,
               uint64_t *at)
{
    const struct smmu *s = (const struct smmu *)(const void *)v;
    const struct smmu_stream_table table = {s->strtab_base, s->strtab_base_cfg};
    const struct smmu_space space = {.read = q->read, .context = q->context};
    const struct smmu_request r = {.stream = q->stream,
                                   .substream = q->substream,
                                   .address = q->at.v,
                                   .kind = q->kind == DMA_WRITE ? ACCESS_WRITE : ACCESS_READ};
    put_registers(s, out);
    if (!(s->cr0 & CR0_SMMUEN))
        return put_disabled(s, &r, out, at);
    bool ok = smmu_explain(&s->features, &table, &space, &r, out, at);
    put_kept(s, &r, ok, *at, out);
    return ok;
}
