#include "mmu/smmu/smmu_explain.h"

#include <inttypes.h>

#include "emu/text.h"
#include "mmu/arm64/descriptor.h"
#include "mmu/smmu/smmu_walker.h"

/* Fields ------------------------------------------------------------------------------------------
 */

struct named_field {
    const char *name;
    unsigned word, high, low;
};

/* clang-format off */
static const struct named_field ste_fields[] = {
    {"V", STE_V}, {"Config", STE_CONFIG}, {NULL, 0, 0, 0}};
static const struct named_field ste_stage1[] = {
    {"S1Fmt", STE_S1FMT}, {"S1CDMax", STE_S1CDMAX}, {"S1DSS", STE_S1DSS},
    {"S1STALLD", STE_S1STALLD}, {"PRIVCFG", STE_PRIVCFG}, {"INSTCFG", STE_INSTCFG},
    {NULL, 0, 0, 0}};
static const struct named_field ste_stage2[] = {
    {"S2VMID", STE_S2VMID}, {"S2T0SZ", STE_S2T0SZ}, {"S2SL0", STE_S2SL0}, {"S2TG", STE_S2TG},
    {"S2PS", STE_S2PS}, {"S2AA64", STE_S2AA64}, {"S2ENDI", STE_S2ENDI}, {"S2AFFD", STE_S2AFFD},
    {"S2PTW", STE_S2PTW}, {"S2FWB", STE_S2FWB}, {"S2HD", STE_S2HD}, {"S2HA", STE_S2HA},
    {"S2S", STE_S2S}, {"S2R", STE_S2R}, {NULL, 0, 0, 0}};
static const struct named_field cd_fields[] = {
    {"V", CD_V}, {"AA64", CD_AA64}, {"ASID", CD_ASID}, {"IPS", CD_IPS}, {"T0SZ", CD_T0SZ},
    {"TG0", CD_TG0}, {"EPD0", CD_EPD0}, {"TBI0", CD_TBI0}, {"HAD0", CD_HAD0}, {"T1SZ", CD_T1SZ},
    {"TG1", CD_TG1}, {"EPD1", CD_EPD1}, {"TBI1", CD_TBI1}, {"HAD1", CD_HAD1}, {"ENDI", CD_ENDI},
    {"HA", CD_HA}, {"HD", CD_HD}, {"AFFD", CD_AFFD}, {"WXN", CD_WXN}, {"PAN", CD_PAN},
    {"A", CD_A}, {"R", CD_R}, {"S", CD_S}, {NULL, 0, 0, 0}};
/* clang-format on */

static void put_fields(struct bytes *out, const struct named_field *f, const uint64_t *words)
{
    for (; f->name; f++)
        text_put(out, " %s=%#" PRIx64, f->name, smmu_field(words, f->word, f->high, f->low));
}

static const char *config_name(uint64_t config)
{
    static const char *const names[] = {"neither stage translates", "stage 1", "stage 2",
                                        "stage 1 and stage 2"};
    return config < CONFIG_BYPASS ? "abort, without a record" : names[config & 3];
}

static void put_ste(struct bytes *out, uint64_t at, const uint64_t *w)
{
    uint64_t config = smmu_field(w, STE_CONFIG);
    text_put(out, "STE at 0x%" PRIx64 ":", at);
    put_fields(out, ste_fields, w);
    text_put(out, " (%s)", config_name(config));
    if (config >= CONFIG_BYPASS && config & CONFIG_STAGE1) {
        text_put(out, " S1ContextPtr=0x%" PRIx64, w[0] & STE_S1CTXPTR);
        put_fields(out, ste_stage1, w);
    }
    if (config >= CONFIG_BYPASS && config & CONFIG_STAGE2) {
        text_put(out, " S2TTB=0x%" PRIx64, w[3] & STE_S2TTB);
        put_fields(out, ste_stage2, w);
    }
    text_put(out, "\n");
}

static void put_cd(struct bytes *out, uint64_t at, const uint64_t *w)
{
    text_put(out, "CD at 0x%" PRIx64 ":", at);
    put_fields(out, cd_fields, w);
    text_put(out, " TTB0=0x%" PRIx64 " TTB1=0x%" PRIx64 " MAIR=0x%" PRIx64 "\n", w[1] & CD_TTB,
             w[2] & CD_TTB, w[3]);
}

/* Reads -------------------------------------------------------------------------------------------
 */

/* Whoever reads eight bytes reads a descriptor of a walk, which the walk tells then, or one of
 * level 1 of a configuration table. */
struct teller {
    const struct smmu_space *space;
    struct bytes *out;
    bool is_ste;     /* the stream table is read, not the CDs of a stream */
    bool is_pending; /* of eight bytes: */
    uint64_t at, word;
};

static void put_pending(struct teller *t)
{
    if (t->is_pending && t->is_ste)
        text_put(t->out, "L1STD at 0x%" PRIx64 ": Span=%" PRIu64 " L2Ptr=0x%" PRIx64 "\n", t->at,
                 smmu_field(&t->word, L1STD_SPAN), t->word & L1STD_PTR);
    else if (t->is_pending)
        text_put(t->out, "L1CD at 0x%" PRIx64 ": V=%" PRIu64 " L2Ptr=0x%" PRIx64 "\n", t->at,
                 smmu_field(&t->word, L1CD_V), t->word & L1CD_PTR);
    t->is_pending = false;
}

static bool tell_read(void *context, uint64_t at, void *to, size_t size)
{
    struct teller *t = context;
    uint64_t words[SMMU_WORDS] = {0};
    put_pending(t);
    if (!t->space->read(t->space->context, at, to, size)) {
        text_put(t->out, "nothing can be read at 0x%" PRIx64 "\n", at);
        return false;
    }
    for (size_t i = 0; i < size / 8; i++)
        words[i] = load_le((const uint8_t *)to + 8 * i, 8);
    t->is_pending = size == 8;
    t->at = at;
    t->word = words[0];
    if (size > 8 && t->is_ste)
        put_ste(t->out, at, words);
    else if (size > 8)
        put_cd(t->out, at, words);
    return true;
}

static bool ignore_write(void *context, uint64_t at, const void *from, size_t size)
{
    (void)context, (void)at, (void)from, (void)size;
    return true;
}

static void put_step(void *context, const struct walk_step *w)
{
    struct teller *t = context;
    struct descriptor d;
    t->is_pending = false;
    descriptor_decode(w, &d);
    text_put(t->out, "  stage %u level %d of 0x%" PRIx64 " index %u [%u:%u] at ", w->stage,
             w->level, w->input, w->index, w->index_high, w->index_low);
    if (w->stage == 1 && w->table_gpa.v != w->table_hpa.v)
        text_put(t->out, "IPA 0x%" PRIx64 " ", w->table_gpa.v);
    text_put(t->out, "0x%" PRIx64 ": 0x%016" PRIx64 " %s", w->table_hpa.v, w->descriptor,
             descriptor_kind_name(d.kind));
    if (d.kind != DESCRIPTOR_INVALID)
        text_put(t->out, " -> 0x%" PRIx64, d.output);
    for (size_t i = 0; i < d.field_count; i++)
        text_put(t->out, " %s=%#x", d.fields[i].name, d.fields[i].value);
    text_put(t->out, "\n");
}

/* Results -----------------------------------------------------------------------------------------
 */

static void put_event(struct bytes *out, const struct smmu_event *event,
                      const struct smmu_faults *faults)
{
    uint8_t record[SMMU_EVENT_SIZE];
    char text[200];
    smmu_event_text(event, text, sizeof text);
    text_put(out, "refused: %s\n", text);
    smmu_event_put(event, record);
    text_put(out, "  %s:", faults->record ? "event record" : "not recorded, it would be");
    for (unsigned i = 0; i < SMMU_EVENT_SIZE; i += 8)
        text_put(out, " %016" PRIx64, load_le(record + i, 8));
    text_put(out, "\n  the transaction %s\n",
             faults->stall   ? "is stalled"
             : faults->abort ? "is terminated with an abort"
                             : "reads zeros, or writes nowhere");
}

static bool refuse(struct bytes *out, const struct smmu_ste *ste, const struct smmu_cd *cd,
                   const struct smmu_event *event)
{
    const struct smmu_faults faults = smmu_faults_of(ste, cd, event);
    put_event(out, event, &faults);
    return false;
}

static bool translate(const struct smmu_features *f, const struct smmu_space *space,
                      const struct smmu_ste *ste, const struct smmu_cd *cd,
                      const struct smmu_request *r, struct teller *t, uint64_t *at)
{
    const struct walk_observer observer = {put_step, t};
    struct smmu_event event;
    struct smmu_page page;
    bool ok = smmu_walk(f, space, ste, cd, r, &observer, &page, &event);
    t->is_pending = false;
    if (!ok)
        return refuse(t->out, ste, cd, &event);
    *at = page.page | (r->address & PAGE_MASK);
    text_put(t->out, "leads to 0x%" PRIx64 "\n", *at);
    return true;
}

/* 3.4: nobody translates. */
static bool bypass(const struct smmu_ste *ste, const struct smmu_request *r, struct bytes *out,
                   uint64_t *at)
{
    struct smmu_event event;
    *at = r->address;
    if (r->address >> SMMU_ADDRESS_BITS == 0)
        return text_put(out, "leads to 0x%" PRIx64 "\n", *at), true;
    smmu_event_begin(&event, F_ADDR_SIZE, r);
    event.class = SMMU_CLASS_IN;
    return refuse(out, ste, NULL, &event);
}

bool smmu_explain(const struct smmu_features *f, const struct smmu_stream_table *table,
                  const struct smmu_space *space, const struct smmu_request *r, struct bytes *out,
                  uint64_t *at)
{
    struct teller t = {.space = space, .out = out, .is_ste = true};
    const struct smmu_space own = {tell_read, ignore_write, &t};
    const struct walk_observer observer = {put_step, &t};
    struct smmu_ste ste = {{0}};
    struct smmu_cd cd;
    struct smmu_event event;
    uint32_t index;
    bool found = smmu_find_ste(f, table, &own, r, &ste, &event);
    put_pending(&t);
    t.is_ste = false;
    if (!found)
        return refuse(out, &ste, NULL, &event);
    switch (smmu_decide(f, &ste, r, &index, &event)) {
    case SMMU_ABORTS:
        return text_put(out, "terminated with an abort, without a record\n"), false;
    case SMMU_REFUSES:
        return refuse(out, &ste, NULL, &event);
    case SMMU_BYPASSES:
        return bypass(&ste, r, out, at);
    case SMMU_STAGE2:
        return translate(f, &own, &ste, NULL, r, &t, at);
    case SMMU_TRANSLATES:
        break;
    }
    found = smmu_find_cd(f, &own, &ste, index, r, &observer, &cd, &event);
    put_pending(&t);
    return found ? translate(f, &own, &ste, &cd, r, &t, at) : refuse(out, &ste, NULL, &event);
}
