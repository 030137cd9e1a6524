/* Event records (IHI 0070, 7.3). */
#include "mmu/smmu/smmu_tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/bytes.h"

const char *smmu_event_name(enum smmu_event_type type)
{
    static const char *const names[] = {
        [F_UUT] = "F_UUT",
        [C_BAD_STREAMID] = "C_BAD_STREAMID",
        [F_STE_FETCH] = "F_STE_FETCH",
        [C_BAD_STE] = "C_BAD_STE",
        [F_BAD_ATS_TREQ] = "F_BAD_ATS_TREQ",
        [F_STREAM_DISABLED] = "F_STREAM_DISABLED",
        [F_TRANSL_FORBIDDEN] = "F_TRANSL_FORBIDDEN",
        [C_BAD_SUBSTREAMID] = "C_BAD_SUBSTREAMID",
        [F_CD_FETCH] = "F_CD_FETCH",
        [C_BAD_CD] = "C_BAD_CD",
        [F_WALK_EABT] = "F_WALK_EABT",
        [F_TRANSLATION] = "F_TRANSLATION",
        [F_ADDR_SIZE] = "F_ADDR_SIZE",
        [F_ACCESS] = "F_ACCESS",
        [F_PERMISSION] = "F_PERMISSION",
    };
    return (size_t)type < sizeof names / sizeof names[0] ? names[type] : NULL;
}

bool smmu_event_is_translation(enum smmu_event_type type)
{
    return type == F_TRANSLATION || type == F_ADDR_SIZE || type == F_ACCESS || type == F_PERMISSION;
}

/* Records about the way a transaction takes through tables, which have its address and kind. */
static bool has_address(enum smmu_event_type type)
{
    return type == F_WALK_EABT || smmu_event_is_translation(type);
}

static bool has_fetch_address(enum smmu_event_type type)
{
    return type == F_STE_FETCH || type == F_CD_FETCH || type == F_WALK_EABT;
}

/* Bits of the second word. */
enum {
    AT_STAG = 0,
    AT_STALL = 31,
    AT_PNU = 33,
    AT_IND = 34,
    AT_RNW = 35,
    AT_S2 = 39,
    AT_CLASS = 40,
    AT_TTRNW = 44,
};
#define IPA_BITS   UINT64_C(0x00fffffffffff000)
#define FETCH_BITS UINT64_C(0x00fffffffffffff8)

static uint64_t second_word(const struct smmu_event *e)
{
    uint64_t word = (uint64_t)e->pnu << AT_PNU | (uint64_t)e->ind << AT_IND |
                    (uint64_t)e->rnw << AT_RNW | (uint64_t)e->s2 << AT_S2 |
                    (uint64_t)e->class << AT_CLASS;
    if (smmu_event_is_translation(e->type))
        word |= (uint64_t)e->stall << AT_STALL | (uint64_t)e->stag << AT_STAG;
    if (e->type == F_PERMISSION)
        word |= (uint64_t)e->ttrnw << AT_TTRNW;
    return word;
}

void smmu_event_put(const struct smmu_event *e, uint8_t record[SMMU_EVENT_SIZE])
{
    /* C_BAD_SUBSTREAMID has no SSV, as there always is one. */
    uint64_t ssv = e->ssv && e->type != C_BAD_SUBSTREAMID;
    uint64_t substream = e->ssv ? e->substream : 0;
    memset(record, 0, SMMU_EVENT_SIZE);
    store_le(record, (uint64_t)e->type | ssv << 11 | substream << 12 | (uint64_t)e->stream << 32,
             8);
    if (has_address(e->type)) {
        store_le(record + 8, second_word(e), 8);
        store_le(record + 16, e->address, 8);
    }
    if (has_fetch_address(e->type))
        store_le(record + 24, e->more & FETCH_BITS, 8);
    else if (has_address(e->type))
        store_le(record + 24, e->s2 ? e->more & IPA_BITS : 0, 8);
}

static bool bit(uint64_t word, unsigned at)
{
    return word >> at & 1;
}

void smmu_event_get(const uint8_t record[SMMU_EVENT_SIZE], struct smmu_event *e)
{
    uint64_t first = load_le(record, 8), second = load_le(record + 8, 8);
    *e = (struct smmu_event){
        .type = (enum smmu_event_type)(first & 0xff),
        .ssv = bit(first, 11),
        .substream = first >> 12 & 0xfffff,
        .stream = (uint32_t)(first >> 32),
        .stag = (uint16_t)second,
        .stall = bit(second, AT_STALL),
        .pnu = bit(second, AT_PNU),
        .ind = bit(second, AT_IND),
        .rnw = bit(second, AT_RNW),
        .s2 = bit(second, AT_S2),
        .class = (enum smmu_class)(second >> AT_CLASS & 3),
        .ttrnw = bit(second, AT_TTRNW),
        .address = load_le(record + 16, 8),
        .more = load_le(record + 24, 8),
        .level = -1,
    };
    e->ssv = e->ssv || e->type == C_BAD_SUBSTREAMID;
}

/* CLASS has two bits, and a fourth value that means nothing. */
static const char *class_name(enum smmu_class class)
{
    return class == SMMU_CLASS_CD   ? ", on the way to the CD"
           : class == SMMU_CLASS_TT ? ", on the way to a table of stage 1"
                                    : "";
}

static void way_text(const struct smmu_event *e, char *text, size_t size)
{
    char level[24] = "", more[48] = "";
    if (e->level >= 0)
        snprintf(level, sizeof level, " level %d", e->level);
    if (has_fetch_address(e->type))
        snprintf(more, sizeof more, ", fetched at %#" PRIx64, e->more);
    else if (e->s2)
        snprintf(more, sizeof more, ", IPA %#" PRIx64, e->more);
    snprintf(text, size, "%s: stage %d%s: %s%s of %#" PRIx64 "%s%s%s", smmu_event_name(e->type),
             e->s2 ? 2 : 1, level, e->pnu ? "privileged " : "",
             e->ind   ? "fetch"
             : e->rnw ? "read"
                      : "write",
             e->address, e->class == SMMU_CLASS_IN || e->s2 ? class_name(e->class) : "", more,
             e->stall ? ", stalled" : "");
}

void smmu_event_text(const struct smmu_event *e, char *text, size_t size)
{
    if (has_address(e->type))
        way_text(e, text, size);
    else if (has_fetch_address(e->type))
        snprintf(text, size, "%s: fetched at %#" PRIx64, smmu_event_name(e->type), e->more);
    else
        snprintf(text, size, "%s", smmu_event_name(e->type) ? smmu_event_name(e->type) : "nothing");
}
