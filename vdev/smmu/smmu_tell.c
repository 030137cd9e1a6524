/* What becomes of a transaction, for people: by the tables as they are, and beside it what the SMMU
 * has kept, which is what it goes by. */
#include <inttypes.h>

#include "emu/text.h"
#include "mmu/smmu/smmu_explain.h"
#include "vdev/smmu/smmu_internal.h"

/* What is asked, and the answers. */
struct tale {
    const struct smmu *s;
    struct smmu_request r;
    bool passes, is_kept; /* by the tables; by what the SMMU has */
    uint64_t at, kept_at;
};

/* Lines -------------------------------------------------------------------------------------------
 */

static void put_registers(const struct smmu *s, struct bytes *out)
{
    text_put(out, "%s: SMMU_STRTAB_BASE=0x%" PRIx64 " SMMU_STRTAB_BASE_CFG=%#x SMMU_CR0=%#x\n",
             s->v.name, s->strtab_base, (unsigned)s->strtab_base_cfg, (unsigned)s->cr0);
}

static void put_disabled(const struct tale *t, struct bytes *out)
{
    text_put(out, "SMMUEN=0, SMMU_GBPA=%#x: ", (unsigned)t->s->gbpa);
    if (t->passes)
        text_put(out, "leads to 0x%" PRIx64 "\n", t->at);
    else
        text_put(out, "terminated with an abort, without a record\n");
}

/* Only if it is another than that of the tables is it worth a line of its own. */
static void put_kept(const struct tale *t, struct bytes *out)
{
    if (!t->is_kept)
        text_put(out, "kept: %s, no such translation\n",
                 smmu_cache_ste(t->s, t->r.stream) ? "the STE" : "no STE");
    else if (t->passes && t->kept_at == t->at)
        text_put(out, "kept: the same\n");
    else
        text_put(out,
                 "kept, until it is invalidated, and so what happens: leads to 0x%" PRIx64 "\n",
                 t->kept_at);
}

/* JSON --------------------------------------------------------------------------------------------
 */

static void json_registers(const struct smmu *s, struct json *j)
{
    json_open(j, "registers", '{');
    json_number(j, "SMMU_CR0", s->cr0);
    json_number(j, "SMMU_GBPA", s->gbpa);
    json_number(j, "SMMU_STRTAB_BASE", s->strtab_base);
    json_number(j, "SMMU_STRTAB_BASE_CFG", s->strtab_base_cfg);
    json_close(j, '}');
}

static void json_kept(const struct tale *t, struct json *j)
{
    json_open(j, "kept", '{');
    json_bool(j, "ste", smmu_cache_ste(t->s, t->r.stream));
    if (t->is_kept)
        json_number(j, "leads_to", t->kept_at);
    else
        json_string(j, "leads_to", NULL);
    json_close(j, '}');
}

/* Both --------------------------------------------------------------------------------------------
 */

static void tell_disabled(struct tale *t, const struct stream_question *q, struct bytes *out)
{
    t->passes = smmu_translate_cached(t->s, &t->r, &t->at);
    if (q->json)
        json_string(q->json, "outcome", t->passes ? "passed" : "aborted");
    else
        put_disabled(t, out);
}

static void tell_enabled(struct tale *t, const struct stream_question *q, struct bytes *out)
{
    const struct smmu_stream_table table = {t->s->strtab_base, t->s->strtab_base_cfg};
    const struct smmu_space space = {.read = q->read, .context = q->context};
    struct smmu_explanation x;
    smmu_explain(&t->s->features, &table, &space, &t->r, &x);
    /* 6.3.12, CR2.RECINVSID */
    x.faults.record &= x.event.type != C_BAD_STREAMID || t->s->cr2 & CR2_RECINVSID;
    t->passes = x.passes;
    t->at = x.at;
    t->is_kept = smmu_translate_cached(t->s, &t->r, &t->kept_at);
    if (q->json) {
        smmu_explanation_json(&x, q->json);
        json_kept(t, q->json);
    } else {
        smmu_explanation_text(&x, out);
        put_kept(t, out);
    }
}

bool smmu_tell(const struct vdev *v, const struct stream_question *q, struct bytes *out,
               uint64_t *at)
{
    struct tale t = {.s = (const struct smmu *)(const void *)v,
                     .r = {.stream = q->stream,
                           .substream = q->substream,
                           .address = q->at.v,
                           .kind = q->kind == DMA_WRITE ? ACCESS_WRITE : ACCESS_READ}};
    if (q->json)
        json_registers(t.s, q->json);
    else
        put_registers(t.s, out);
    if (t.s->cr0 & CR0_SMMUEN)
        tell_enabled(&t, q, out);
    else
        tell_disabled(&t, q, out);
    *at = t.at;
    return t.passes;
}
