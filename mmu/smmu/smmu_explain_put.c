/* An explained transaction as lines, and as members of a JSON object. */
#include "mmu/smmu/smmu_explain.h"

#include <inttypes.h>

#include "emu/text.h"
#include "mmu/arm64/descriptor.h"
#include "mmu/smmu/smmu_format.h"

/* Fields ------------------------------------------------------------------------------------------
 */

/* Bits of a word; or, with a mask, an address. */
struct named_field {
    const char *name;
    unsigned word, high, low;
    uint64_t mask;
};

/* clang-format off */
#define BITS(name, ...) {name, __VA_ARGS__, 0}
#define POINTER(name, word, mask) {name, word, 0, 0, mask}
#define END {NULL, 0, 0, 0, 0}
static const struct named_field l1std_fields[] = {
    BITS("Span", L1STD_SPAN), POINTER("L2Ptr", 0, L1STD_PTR), END};
static const struct named_field ste_fields[] = {
    BITS("V", STE_V), BITS("Config", STE_CONFIG), END};
static const struct named_field ste_stage1[] = {
    POINTER("S1ContextPtr", 0, STE_S1CTXPTR), BITS("S1Fmt", STE_S1FMT),
    BITS("S1CDMax", STE_S1CDMAX), BITS("S1DSS", STE_S1DSS), BITS("S1STALLD", STE_S1STALLD),
    BITS("PRIVCFG", STE_PRIVCFG), BITS("INSTCFG", STE_INSTCFG), END};
static const struct named_field ste_stage2[] = {
    POINTER("S2TTB", 3, STE_S2TTB), BITS("S2VMID", STE_S2VMID), BITS("S2T0SZ", STE_S2T0SZ),
    BITS("S2SL0", STE_S2SL0), BITS("S2TG", STE_S2TG), BITS("S2PS", STE_S2PS),
    BITS("S2AA64", STE_S2AA64), BITS("S2ENDI", STE_S2ENDI), BITS("S2AFFD", STE_S2AFFD),
    BITS("S2PTW", STE_S2PTW), BITS("S2FWB", STE_S2FWB), BITS("S2HD", STE_S2HD),
    BITS("S2HA", STE_S2HA), BITS("S2S", STE_S2S), BITS("S2R", STE_S2R), END};
static const struct named_field l1cd_fields[] = {
    BITS("V", L1CD_V), POINTER("L2Ptr", 0, L1CD_PTR), END};
static const struct named_field cd_fields[] = {
    BITS("V", CD_V), BITS("AA64", CD_AA64), BITS("ASID", CD_ASID), BITS("IPS", CD_IPS),
    BITS("T0SZ", CD_T0SZ), BITS("TG0", CD_TG0), BITS("EPD0", CD_EPD0), BITS("TBI0", CD_TBI0),
    BITS("HAD0", CD_HAD0), BITS("T1SZ", CD_T1SZ), BITS("TG1", CD_TG1), BITS("EPD1", CD_EPD1),
    BITS("TBI1", CD_TBI1), BITS("HAD1", CD_HAD1), BITS("ENDI", CD_ENDI), BITS("HA", CD_HA),
    BITS("HD", CD_HD), BITS("AFFD", CD_AFFD), BITS("WXN", CD_WXN), BITS("PAN", CD_PAN),
    BITS("A", CD_A), BITS("R", CD_R), BITS("S", CD_S), POINTER("TTB0", 1, CD_TTB),
    POINTER("TTB1", 2, CD_TTB), POINTER("MAIR", 3, UINT64_MAX), END};
/* clang-format on */

static uint64_t value_of(const struct named_field *f, const uint64_t *words)
{
    return f->mask ? words[f->word] & f->mask : smmu_field(words, f->word, f->high, f->low);
}

static const char *name_of(enum smmu_read what)
{
    static const char *const names[] = {
        [SMMU_READ_NOTHING] = NULL, [SMMU_READ_L1STD] = "L1STD", [SMMU_READ_STE] = "STE",
        [SMMU_READ_L1CD] = "L1CD",  [SMMU_READ_CD] = "CD",       [SMMU_READ_ROW] = NULL,
    };
    return names[what];
}

static uint64_t config_of(const struct smmu_explain_step *ste)
{
    return smmu_field(ste->words, STE_CONFIG);
}

static const char *config_name(uint64_t config)
{
    static const char *const names[] = {"neither stage translates", "stage 1", "stage 2",
                                        "stage 1 and stage 2"};
    return config < CONFIG_BYPASS ? "abort, without a record" : names[config & 3];
}

/* One list after the other: a stage that an STE does not have has no fields. */
enum { LISTS = 3 };
static void lists_of(const struct smmu_explain_step *s, const struct named_field *lists[LISTS])
{
    static const struct named_field none[] = {END};
    static const struct named_field *const first[] = {[SMMU_READ_L1STD] = l1std_fields,
                                                      [SMMU_READ_STE] = ste_fields,
                                                      [SMMU_READ_L1CD] = l1cd_fields,
                                                      [SMMU_READ_CD] = cd_fields};
    bool translates = s->what == SMMU_READ_STE && config_of(s) >= CONFIG_BYPASS;
    lists[0] = first[s->what];
    lists[1] = translates && config_of(s) & CONFIG_STAGE1 ? ste_stage1 : none;
    lists[2] = translates && config_of(s) & CONFIG_STAGE2 ? ste_stage2 : none;
}

/* Lines -------------------------------------------------------------------------------------------
 */

static void put_structure(const struct smmu_explain_step *s, struct bytes *out)
{
    const struct named_field *lists[LISTS];
    lists_of(s, lists);
    text_put(out, "%s at 0x%" PRIx64 ":", name_of(s->what), s->at);
    for (unsigned i = 0; i < LISTS; i++) {
        for (const struct named_field *f = lists[i]; f->name; f++)
            text_put(out, " %s=%#" PRIx64, f->name, value_of(f, s->words));
        if (i == 0 && s->what == SMMU_READ_STE)
            text_put(out, " (%s)", config_name(config_of(s)));
    }
    text_put(out, "\n");
}

static void put_row(const struct walk_step *w, struct bytes *out)
{
    struct descriptor d;
    descriptor_decode(w, &d);
    text_put(out, "  stage %u level %d of 0x%" PRIx64 " index %u [%u:%u] at ", w->stage, w->level,
             w->input, w->index, w->index_high, w->index_low);
    if (w->stage == 1 && w->table_gpa.v != w->table_hpa.v)
        text_put(out, "IPA 0x%" PRIx64 " ", w->table_gpa.v);
    text_put(out, "0x%" PRIx64 ": 0x%016" PRIx64 " %s", w->table_hpa.v, w->descriptor,
             descriptor_kind_name(d.kind));
    if (d.kind != DESCRIPTOR_INVALID)
        text_put(out, " -> 0x%" PRIx64, d.output);
    for (size_t i = 0; i < d.field_count; i++)
        text_put(out, " %s=%#x", d.fields[i].name, d.fields[i].value);
    text_put(out, "\n");
}

static void put_step(const struct smmu_explain_step *s, struct bytes *out)
{
    if (s->what == SMMU_READ_NOTHING)
        text_put(out, "nothing can be read at 0x%" PRIx64 "\n", s->at);
    else if (s->what == SMMU_READ_ROW)
        put_row(&s->walk, out);
    else
        put_structure(s, out);
}

static void put_event(const struct smmu_explanation *x, struct bytes *out)
{
    uint8_t record[SMMU_EVENT_SIZE];
    char text[200];
    smmu_event_text(&x->event, text, sizeof text);
    text_put(out, "refused: %s\n", text);
    smmu_event_put(&x->event, record);
    text_put(out, "  %s:", x->faults.record ? "event record" : "not recorded, it would be");
    for (unsigned i = 0; i < SMMU_EVENT_SIZE; i += 8)
        text_put(out, " %016" PRIx64, load_le(record + i, 8));
    text_put(out, "\n  the transaction %s\n",
             x->faults.stall   ? "is stalled"
             : x->faults.abort ? "is terminated with an abort"
                               : "reads zeros, or writes nowhere");
}

void smmu_explanation_text(const struct smmu_explanation *x, struct bytes *out)
{
    for (size_t i = 0; i < x->step_count; i++)
        put_step(&x->steps[i], out);
    if (x->passes)
        text_put(out, "leads to 0x%" PRIx64 "\n", x->at);
    else if (x->event.type == SMMU_EVENT_NONE)
        text_put(out, "terminated with an abort, without a record\n");
    else
        put_event(x, out);
}

/* JSON --------------------------------------------------------------------------------------------
 */

static void json_structure(const struct smmu_explain_step *s, struct json *j)
{
    const struct named_field *lists[LISTS];
    lists_of(s, lists);
    json_open(j, NULL, '{');
    json_string(j, "name", name_of(s->what));
    json_number(j, "at", s->at);
    if (s->what == SMMU_READ_STE)
        json_string(j, "config", config_name(config_of(s)));
    json_open(j, "fields", '{');
    for (unsigned i = 0; i < LISTS; i++)
        for (const struct named_field *f = lists[i]; f->name; f++)
            json_number(j, f->name, value_of(f, s->words));
    json_close(j, '}');
    json_close(j, '}');
}

/* What a row of stage 2 is for: whatever is read next, or else what the event says. */
static enum smmu_class class_of(const struct smmu_explanation *x, size_t row)
{
    for (size_t i = row; i < x->step_count; i++) {
        const struct smmu_explain_step *s = &x->steps[i];
        if (s->what == SMMU_READ_L1CD || s->what == SMMU_READ_CD)
            return SMMU_CLASS_CD;
        if (s->what == SMMU_READ_ROW && s->walk.stage == 1)
            return SMMU_CLASS_TT;
    }
    return x->event.s2 ? x->event.class : SMMU_CLASS_IN;
}

static const char *class_name(enum smmu_class class)
{
    static const char *const names[] = {
        [SMMU_CLASS_CD] = "CD", [SMMU_CLASS_TT] = "TT", [SMMU_CLASS_IN] = "IN"};
    return names[class];
}

static void json_row(const struct smmu_explanation *x, size_t row, struct json *j)
{
    const struct walk_step *w = &x->steps[row].walk;
    enum smmu_class class = w->stage == 2 ? class_of(x, row) : SMMU_CLASS_IN;
    struct descriptor d;
    descriptor_decode(w, &d);
    json_open(j, NULL, '{');
    json_number(j, "stage", w->stage);
    json_number(j, "level", (uint64_t)w->level);
    json_string(j, "class", class_name(class));
    json_bool(j, "of_table", class != SMMU_CLASS_IN);
    json_number(j, "input", w->input);
    json_number(j, "index", w->index);
    json_number(j, "index_high", w->index_high);
    json_number(j, "index_low", w->index_low);
    if (w->stage == 1)
        json_number(j, "ipa", w->table_gpa.v);
    json_number(j, "at", w->table_hpa.v);
    json_number(j, "descriptor", w->descriptor);
    json_string(j, "type", descriptor_kind_name(d.kind));
    json_number(j, "output", d.output);
    json_open(j, "fields", '{');
    for (size_t i = 0; i < d.field_count; i++)
        json_number(j, d.fields[i].name, d.fields[i].value);
    json_close(j, '}');
    json_close(j, '}');
}

static void json_event(const struct smmu_explanation *x, struct json *j)
{
    uint8_t record[SMMU_EVENT_SIZE];
    char text[200];
    smmu_event_text(&x->event, text, sizeof text);
    smmu_event_put(&x->event, record);
    json_open(j, "event", '{');
    json_string(j, "name", smmu_event_name(x->event.type));
    json_number(j, "type", x->event.type);
    json_string(j, "text", text);
    if (x->event.type == F_WALK_EABT || smmu_event_is_translation(x->event.type)) {
        json_number(j, "stage", x->event.s2 ? 2 : 1);
        json_string(j, "class", class_name(x->event.class));
    }
    if (x->event.level >= 0)
        json_number(j, "level", (uint64_t)x->event.level);
    json_bool(j, "recorded", x->faults.record);
    json_open(j, "record", '[');
    for (unsigned i = 0; i < SMMU_EVENT_SIZE; i += 8)
        json_number(j, NULL, load_le(record + i, 8));
    json_close(j, ']');
    json_close(j, '}');
}

static const char *outcome_of(const struct smmu_explanation *x)
{
    if (x->passes)
        return "passed";
    if (x->event.type == SMMU_EVENT_NONE || (x->faults.abort && !x->faults.stall))
        return "aborted";
    return x->faults.stall ? "stalled" : "ignored";
}

void smmu_explanation_json(const struct smmu_explanation *x, struct json *j)
{
    json_open(j, "structures", '[');
    for (size_t i = 0; i < x->step_count; i++)
        if (name_of(x->steps[i].what))
            json_structure(&x->steps[i], j);
    json_close(j, ']');
    json_open(j, "steps", '[');
    for (size_t i = 0; i < x->step_count; i++)
        if (x->steps[i].what == SMMU_READ_ROW)
            json_row(x, i, j);
    json_close(j, ']');
    if (x->event.type == SMMU_EVENT_NONE)
        json_string(j, "event", NULL);
    else
        json_event(x, j);
    json_string(j, "outcome", outcome_of(x));
}
