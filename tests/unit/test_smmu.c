/* The SMMU against IHI 0070: what configurations make of a transaction, every event record with its
 * fields, what stays until it is invalidated, both queues, errors, stalls, mappings, snapshots. */
#include "smmu_world.h"

#include "emu/json.h"

#include "vdev/smmu/smmu.h"

static struct smmu_world s; /* large */

#define V         UINT64_C(1)
#define CONFIG(n) ((uint64_t)(n) << 1)
#define CDMAX(n)  ((uint64_t)(n) << 59)
#define FMT(n)    ((uint64_t)(n) << 4)
#define NO_SUB    SMMU_NO_SUBSTREAM
#define IOVA      UINT64_C(0x123456000)
#define IPA       UINT64_C(0x40007000)

static uint64_t ttb0, s2ttb, frame, leaf_at, leaf2_at; /* of the stream 1 that set_up makes */

/* Stream 1 of that configuration: IOVA (or, without stage 1, IPA) leads to `frame`. */
static void set_up(const struct vdev_type *type, unsigned config, uint64_t cd_word)
{
    sw_open(&s, type);
    ttb0 = sw_take(&s, 4096);
    s2ttb = sw_take(&s, 8192);
    frame = sw_take(&s, 4096);
    bool nested = config == CONFIG_NESTED;
    leaf_at = sw_map_to(&s, ttb0, 12, 1, 3, IOVA, LEAF1 | (nested ? IPA : frame));
    leaf2_at = sw_map_to(&s, s2ttb, 12, 1, 3, IPA, LEAF2 | frame);
    uint64_t cd = sw_cd(&s, cd_word, ttb0);
    if (nested) /* where stage 1's tables and the CD are, as IPAs */
        for (uint64_t at = MEMORY_AT; at < s.next; at += 4096)
            sw_map_to(&s, s2ttb, 12, 1, 3, at, LEAF2 | at);
    sw_set_ste(&s, 1, (uint64_t[]){V | CONFIG(config) | cd, 0, S2_WORD, s2ttb});
    memcpy(s.memory + (frame - MEMORY_AT), "what is in the frame", 20);
}

static bool reads(uint64_t iova, struct dma_fault *fault)
{
    char text[20];
    if (!dma_read(&s.port, (iova_t){iova}, text, sizeof text, fault))
        return false;
    ck_assert_mem_eq(text, "what is in the frame", 20);
    return true;
}

static bool writes(uint64_t iova)
{
    struct dma_fault fault;
    return dma_write(&s.port, (iova_t){iova}, "W", 1, &fault);
}

static bool is_read(uint64_t iova)
{
    struct dma_fault fault;
    return reads(iova, &fault);
}

/* Configurations ----------------------------------------------------------------------------------
 */

enum { PASSES = 0x100, SILENT = 0x200 };
static const struct configuration {
    uint64_t ste0, ste1, ste2; /* ored into valid ones; words of a STE */
    uint64_t cd_flip;
    uint32_t substream;
    unsigned config;
    unsigned result; /* an event's type, or one of the two */
} configurations[] = {
    {0, 0, 0, 0, NO_SUB, 0, SILENT},
    {0, 0, 0, 0, NO_SUB, 3, SILENT},
    {0, 0, 0, 0, 3, 0, SILENT},
    {0, 0, 0, 0, NO_SUB, CONFIG_S1, PASSES},
    {0, 0, 0, 0, NO_SUB, CONFIG_NESTED, PASSES},
    {0, 0, 0, 0, NO_SUB, CONFIG_S2, PASSES},
    {0, 0, 0, 0, 3, CONFIG_S1, C_BAD_SUBSTREAMID},
    {0, 0, 0, 0, 3, 4, C_BAD_SUBSTREAMID},
    {0, 0, 0, 0, 3, CONFIG_S2, C_BAD_SUBSTREAMID},
    /* S1CDMax, S1DSS */
    {CDMAX(17), 0, 0, 0, NO_SUB, CONFIG_S1, C_BAD_STE},
    {CDMAX(4), 0, 0, 0, NO_SUB, CONFIG_S1, F_STREAM_DISABLED},
    {CDMAX(4), 3, 0, 0, NO_SUB, CONFIG_S1, F_STREAM_DISABLED},
    {CDMAX(4), 2, 0, 0, NO_SUB, CONFIG_S1, PASSES},
    {CDMAX(4), 2, 0, 0, 0, CONFIG_S1, F_STREAM_DISABLED},
    {CDMAX(4), 0, 0, 0, 0, CONFIG_S1, PASSES},
    {CDMAX(4), 0, 0, 0, 16, CONFIG_S1, C_BAD_SUBSTREAMID},
    {CDMAX(4), 0, 0, 0, 15, CONFIG_S1, C_BAD_CD},
    {CDMAX(4), 1, 0, 0, NO_SUB, CONFIG_NESTED, F_TRANSLATION}, /* IOVA as an IPA */
    /* stage 2 */
    {0, 0, UINT64_C(3) << 38, 0, NO_SUB, CONFIG_S2, C_BAD_STE},     /* S2SL0 */
    {0, 0, UINT64_C(1) << 46, 0, NO_SUB, CONFIG_S2, F_TRANSLATION}, /* 64 KiB: legal */
    {0, 0, UINT64_C(3) << 46, 0, NO_SUB, CONFIG_S2, C_BAD_STE},
    {0, 0, UINT64_C(0x27) << 32, 0, NO_SUB, CONFIG_S2, C_BAD_STE}, /* S2T0SZ */
    {0, 0, UINT64_C(1) << 52, 0, NO_SUB, CONFIG_S2, C_BAD_STE},    /* S2ENDI */
    {0, 0, UINT64_C(1) << 52, 0, NO_SUB, CONFIG_S1, PASSES},       /* IGNORED */
    /* CDs */
    {0, 0, 0, UINT64_C(1) << 31, NO_SUB, CONFIG_S1, C_BAD_CD},      /* V */
    {0, 0, 0, UINT64_C(1) << 41, NO_SUB, CONFIG_S1, C_BAD_CD},      /* AA64 */
    {0, 0, 0, UINT64_C(1) << 15, NO_SUB, CONFIG_S1, C_BAD_CD},      /* ENDI */
    {0, 0, 0, UINT64_C(3) << 6, NO_SUB, CONFIG_S1, C_BAD_CD},       /* TG0 */
    {0, 0, 0, UINT64_C(0x31), NO_SUB, CONFIG_S1, C_BAD_CD},         /* T0SZ 40 */
    {0, 0, 0, UINT64_C(0x16), NO_SUB, CONFIG_S1, C_BAD_CD},         /* T0SZ 15 */
    {0, 0, 0, UINT64_C(1) << 14, NO_SUB, CONFIG_S1, F_TRANSLATION}, /* EPD0 */
    {0, 0, 0, UINT64_C(1) << 14 | UINT64_C(3) << 6, NO_SUB, CONFIG_S1, F_TRANSLATION},
    {0, UINT64_C(1) << 27, 0, UINT64_C(1) << 44, NO_SUB, CONFIG_S1, C_BAD_CD}, /* S1STALLD and S */
};

START_TEST(what_a_configuration_makes_of_a_read)
{
    const struct configuration *c = &configurations[_i];
    struct smmu_event event;
    struct dma_fault fault;
    set_up(&smmu_board_type, c->config, CD_WORD ^ c->cd_flip);
    uint64_t cd = sw_load(&s, sw_ste_at(&s, 1)) & UINT64_C(0xffffffffffc0);
    if (c->ste0) { /* a table of them, the first as it was */
        uint64_t table = sw_take(&s, 64 * 16);
        memcpy(s.memory + (table - MEMORY_AT), s.memory + (cd - MEMORY_AT), 64);
        sw_store(&s, sw_ste_at(&s, 1), V | CONFIG(c->config) | table);
        if (c->config == CONFIG_NESTED)
            sw_map_to(&s, s2ttb, 12, 1, 3, table, LEAF2 | (table & ~UINT64_C(0xfff)));
    }
    sw_store(&s, sw_ste_at(&s, 1), sw_load(&s, sw_ste_at(&s, 1)) | c->ste0);
    sw_store(&s, sw_ste_at(&s, 1) + 8, c->ste1);
    sw_store(&s, sw_ste_at(&s, 1) + 16, S2_WORD | c->ste2);
    s.port.substream = c->substream;
    bool passes = reads(c->config == CONFIG_S2 || c->config == 4 ? IPA : IOVA, &fault);
    ck_assert_int_eq(passes, c->result == PASSES);
    if (passes || c->result == SILENT) {
        ck_assert(!sw_event(&s, &event));
    } else {
        ck_assert(sw_event(&s, &event));
        ck_assert_str_eq(smmu_event_name(event.type),
                         smmu_event_name((enum smmu_event_type)c->result));
        ck_assert_uint_eq(event.stream, 1);
        ck_assert(event.ssv == (c->substream != NO_SUB) || event.type == F_STREAM_DISABLED);
    }
    ck_assert(!sw_event(&s, &event));
    sw_close(&s);
}
END_TEST

static bool cd_is_valid(uint64_t word, uint64_t low, uint64_t high)
{
    const struct smmu_features f = {.has_stage2 = true, .has_stall = true};
    const struct smmu_ste ste = {{V | CONFIG(CONFIG_S1)}};
    const struct smmu_cd cd = {{word, low, high}};
    return smmu_cd_is_valid(&f, &ste, &cd);
}

static bool ste_is_valid(uint64_t word, uint64_t s2ttb_then)
{
    const struct smmu_features f = {.has_stage2 = true, .has_stall = true};
    const struct smmu_ste ste = {{V | CONFIG(CONFIG_S2), 0, word, s2ttb_then}};
    return smmu_ste_is_valid(&f, &ste);
}

/* S2TTB, TTB0 and TTB1 (5.2, 5.4): where S2PS and IPS, or the OAS, end, and below. */
START_TEST(tables_beyond_the_size_of_their_addresses)
{
    static const unsigned sizes[] = {32, 36, 40, 42, 44, 48, 48, 48};
    const uint64_t high = UINT64_C(25) << 16 | UINT64_C(2) << 22; /* T1SZ, TG1; EPD1 is 0 */
    uint64_t size = (uint64_t)_i, end = UINT64_C(1) << sizes[_i], last = end - 4096;
    uint64_t low = (CD_WORD & ~(UINT64_C(7) << 32)) | size << 32;
    uint64_t both = (low & ~(UINT64_C(1) << 30)) | high;
    uint64_t second = (S2_WORD & ~(UINT64_C(7) << 48)) | size << 48;
    ck_assert(cd_is_valid(low, last, end) && !cd_is_valid(low, end, last));
    ck_assert(cd_is_valid(both, last, last) && !cd_is_valid(both, last, end));
    ck_assert(cd_is_valid(low | UINT64_C(1) << 14, end, end)); /* EPD0: IGNORED */
    ck_assert(ste_is_valid(second, last) && !ste_is_valid(second, end));
}
END_TEST

START_TEST(a_guests_smmu_has_one_stage)
{
    struct smmu_event event;
    set_up(&smmuv3_type, CONFIG_S1, CD_WORD);
    ck_assert_uint_eq(sw_get32(&s, IDR0) & 3, 2);
    ck_assert_uint_eq(sw_get32(&s, IDR0) >> 24 & 3, 1); /* no stalls */
    ck_assert(is_read(IOVA));
    for (unsigned config = CONFIG_S2; config <= CONFIG_NESTED; config++) {
        sw_store(&s, sw_ste_at(&s, 1), V | CONFIG(config));
        sw_command(&s, 0x03 | UINT64_C(1) << 32, 1);
        ck_assert(!is_read(IOVA) && sw_event(&s, &event));
        ck_assert_int_eq(event.type, C_BAD_STE);
    }
    /* and its commands are those of stage 1 */
    ck_assert_uint_eq(sw_command(&s, 0x2a, 0), 1);
    sw_close(&s);
}
END_TEST

START_TEST(without_smmuen)
{
    char byte;
    struct dma_fault fault;
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    sw_put(&s, CR0, 4, EVENTQEN | CMDQEN);
    ck_assert(is_read(frame) && !is_read(IOVA));
    ck_assert(!dma_read(&s.port, (iova_t){UINT64_C(1) << 48}, &byte, 1, &fault));
    sw_put(&s, GBPA, 4, 1 << 20); /* without Update: nothing */
    ck_assert(is_read(frame));
    sw_put(&s, GBPA, 4, 0x80000000u | 1 << 20);
    ck_assert_uint_eq(sw_get32(&s, GBPA), 1 << 20);
    ck_assert(!is_read(frame));
    struct smmu_event event;
    ck_assert(!sw_event(&s, &event));
    sw_close(&s);
}
END_TEST

/* Stream tables -----------------------------------------------------------------------------------
 */

START_TEST(stream_tables_of_two_levels)
{
    static const struct {
        uint32_t stream;
        unsigned span; /* of each array of level 2 */
        unsigned type; /* PASSES, or an event */
    } rows[] = {
        {0x05, 9, PASSES},          {0x05, 3, C_BAD_STREAMID},   {0x103, 9, PASSES},
        {0x103, 0, C_BAD_STREAMID}, {0x103, 10, C_BAD_STREAMID}, {0x103, 12, C_BAD_STREAMID},
        {0x403, 9, C_BAD_STREAMID}, /* LOG2SIZE is 10 */
    };
    struct smmu_event event;
    char byte;
    struct dma_fault fault;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_up(&smmu_board_type, 4, CD_WORD);
        uint64_t first = sw_take(&s, 64), second = sw_take(&s, 64 << 8);
        sw_put(&s, CR0, 4, 0);
        sw_put(&s, STRTAB, 8, first);
        sw_put(&s, STRTAB_CFG, 4, 1 << 16 | 8 << 6 | 10); /* SPLIT 8 */
        sw_put(&s, CR0, 4, SMMUEN | EVENTQEN | CMDQEN);
        for (unsigned k = 0; k < 4; k++)
            sw_store(&s, first + 8 * k, second | rows[i].span);
        sw_store(&s, second + 64 * (rows[i].stream & 0xff), V | CONFIG(4));
        s.port.stream = rows[i].stream;
        bool passes = dma_read(&s.port, (iova_t){frame}, &byte, 1, &fault);
        ck_assert_int_eq(passes, rows[i].type == PASSES);
        ck_assert_int_eq(sw_event(&s, &event), !passes);
        ck_assert(passes || event.type == rows[i].type);
        sw_close(&s);
    }
}
END_TEST

START_TEST(cd_tables_of_two_levels)
{
    static const unsigned leaf_bits[] = {0, 6, 10};
    struct smmu_event event;
    for (unsigned fmt = 1; fmt <= 2; fmt++) {
        set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
        unsigned bits = leaf_bits[fmt];
        uint64_t cd = sw_load(&s, sw_ste_at(&s, 1)) & UINT64_C(0xffffffffffc0);
        uint64_t first = sw_take(&s, 64), second = sw_take(&s, 64u << bits);
        sw_store(&s, first + 16, second | 1);
        memcpy(s.memory + (second + 64 * 5 - MEMORY_AT), s.memory + (cd - MEMORY_AT), 64);
        sw_store(&s, sw_ste_at(&s, 1), V | CONFIG(CONFIG_S1) | FMT(fmt) | CDMAX(13) | first);
        s.port.substream = 2u << bits | 5;
        ck_assert(is_read(IOVA));
        s.port.substream = 1u << bits | 5; /* L1CD.V is 0 */
        ck_assert(!is_read(IOVA) && sw_event(&s, &event));
        ck_assert(event.type == C_BAD_SUBSTREAMID && event.substream == (1u << bits | 5));
        s.port.substream = 2u << bits | 6; /* CD.V is 0 */
        ck_assert(!is_read(IOVA) && sw_event(&s, &event));
        ck_assert(event.type == C_BAD_CD && event.ssv && event.substream == (2u << bits | 6));
        sw_close(&s);
    }
}
END_TEST

/* Event records -----------------------------------------------------------------------------------
 */

enum change {
    NO_LEAF1,
    NO_LEAF2,
    NO_ACCESS1,
    NO_ACCESS2,
    READ_ONLY1,
    READ_ONLY2,
    FAR1, /* an output beyond IPS, S2PS */
    FAR2,
    TABLE1_NOWHERE,
    TABLE2_NOWHERE,
    TABLE1_NOT_IN_STAGE2,
    CD_NOT_IN_STAGE2,
    CD_NOWHERE,
    STE_NOWHERE,
    HIGH, /* an address that no half has */
};
static const struct fault_row {
    enum change change;
    unsigned config;
    bool write;
    enum smmu_event_type type;
    bool s2;
    enum smmu_class class;
    enum { NOTHING, AN_IPA, THE_CD, THE_TABLE, THE_TABLE2, THE_STE } more;
} faults[] = {
    {NO_LEAF1, CONFIG_S1, false, F_TRANSLATION, false, SMMU_CLASS_IN, NOTHING},
    {NO_LEAF1, CONFIG_S1, true, F_TRANSLATION, false, SMMU_CLASS_IN, NOTHING},
    {HIGH, CONFIG_S1, false, F_TRANSLATION, false, SMMU_CLASS_IN, NOTHING},
    {NO_ACCESS1, CONFIG_S1, false, F_ACCESS, false, SMMU_CLASS_IN, NOTHING},
    {READ_ONLY1, CONFIG_S1, true, F_PERMISSION, false, SMMU_CLASS_IN, NOTHING},
    {FAR1, CONFIG_S1, false, F_ADDR_SIZE, false, SMMU_CLASS_IN, NOTHING},
    {TABLE1_NOWHERE, CONFIG_S1, false, F_WALK_EABT, false, SMMU_CLASS_TT, THE_TABLE},
    {CD_NOWHERE, CONFIG_S1, false, F_CD_FETCH, false, SMMU_CLASS_CD, THE_CD},
    {STE_NOWHERE, CONFIG_S1, false, F_STE_FETCH, false, SMMU_CLASS_CD, THE_STE},
    {NO_LEAF2, CONFIG_S2, false, F_TRANSLATION, true, SMMU_CLASS_IN, AN_IPA},
    {NO_ACCESS2, CONFIG_S2, true, F_ACCESS, true, SMMU_CLASS_IN, AN_IPA},
    {READ_ONLY2, CONFIG_S2, true, F_PERMISSION, true, SMMU_CLASS_IN, AN_IPA},
    {FAR2, CONFIG_S2, false, F_ADDR_SIZE, true, SMMU_CLASS_IN, AN_IPA},
    {TABLE2_NOWHERE, CONFIG_S2, false, F_WALK_EABT, true, SMMU_CLASS_IN, THE_TABLE2},
    {HIGH, CONFIG_S2, false, F_ADDR_SIZE, false, SMMU_CLASS_IN, NOTHING},
    {HIGH, 4, false, F_ADDR_SIZE, false, SMMU_CLASS_IN, NOTHING},
    {NO_LEAF1, CONFIG_NESTED, false, F_TRANSLATION, false, SMMU_CLASS_IN, NOTHING},
    {NO_LEAF2, CONFIG_NESTED, false, F_TRANSLATION, true, SMMU_CLASS_IN, AN_IPA},
    {READ_ONLY2, CONFIG_NESTED, true, F_PERMISSION, true, SMMU_CLASS_IN, AN_IPA},
    {TABLE1_NOT_IN_STAGE2, CONFIG_NESTED, false, F_TRANSLATION, true, SMMU_CLASS_TT, THE_TABLE},
    {CD_NOT_IN_STAGE2, CONFIG_NESTED, false, F_TRANSLATION, true, SMMU_CLASS_CD, THE_CD},
};

/* Of the first table: the descriptor that leads to IOVA or IPA. */
static uint64_t first_of(uint64_t table, uint64_t input)
{
    return table + 8 * (input >> 30);
}

static void change(enum change change, uint64_t *at, uint64_t cd)
{
    uint64_t leaf1 = sw_load(&s, leaf_at), leaf2 = sw_load(&s, leaf2_at);
    switch (change) {
    case NO_LEAF1:
        sw_store(&s, leaf_at, 0);
        break;
    case NO_LEAF2:
        sw_store(&s, leaf2_at, 0);
        break;
    case NO_ACCESS1:
        sw_store(&s, leaf_at, leaf1 & ~(UINT64_C(1) << 10));
        break;
    case NO_ACCESS2:
        sw_store(&s, leaf2_at, leaf2 & ~(UINT64_C(1) << 10));
        break;
    case READ_ONLY1:
        sw_store(&s, leaf_at, leaf1 | UINT64_C(1) << 7);
        break;
    case READ_ONLY2:
        sw_store(&s, leaf2_at, leaf2 & ~(UINT64_C(1) << 7));
        break;
    case FAR1: /* beyond the 40 bits that the CD says then */
        sw_store(&s, cd, CD_WORD ^ UINT64_C(7) << 32);
        sw_store(&s, leaf_at, leaf1 | UINT64_C(1) << 45);
        break;
    case FAR2:
        sw_store(&s, sw_ste_at(&s, 1) + 16, S2_WORD ^ UINT64_C(7) << 48);
        sw_store(&s, leaf2_at, leaf2 | UINT64_C(1) << 45);
        break;
    case TABLE1_NOWHERE:
        sw_store(&s, first_of(ttb0, IOVA), NOWHERE | 3);
        break;
    case TABLE2_NOWHERE:
        sw_store(&s, first_of(s2ttb, IPA), NOWHERE | 3);
        break;
    case TABLE1_NOT_IN_STAGE2:
        sw_store(&s, first_of(ttb0, IOVA), UINT64_C(0x70000000) | 3);
        break;
    case CD_NOT_IN_STAGE2:
        sw_store(&s, sw_ste_at(&s, 1), V | CONFIG(CONFIG_NESTED) | UINT64_C(0x70000040));
        break;
    case CD_NOWHERE:
        sw_store(&s, sw_ste_at(&s, 1), V | CONFIG(CONFIG_S1) | NOWHERE);
        break;
    case STE_NOWHERE:
        sw_put(&s, CR0, 4, 0);
        sw_put(&s, STRTAB, 8, NOWHERE + 0x4000);
        sw_put(&s, CR0, 4, SMMUEN | EVENTQEN | CMDQEN);
        break;
    case HIGH:
        *at |= UINT64_C(1) << 50;
        break;
    }
}

static uint64_t more_of(const struct fault_row *row, uint64_t at)
{
    unsigned l2 = (unsigned)(at >> 21 & 0x1ff);
    switch (row->more) {
    case AN_IPA:
        return row->config == CONFIG_NESTED ? IPA : at & ~UINT64_C(0xfff);
    case THE_CD:
        return row->change == CD_NOWHERE ? NOWHERE : UINT64_C(0x70000000);
    case THE_TABLE: /* of an IPA the page */
        return row->change == TABLE1_NOWHERE ? NOWHERE + 8 * l2 : UINT64_C(0x70000000);
    case THE_TABLE2:
        return NOWHERE + 8 * l2;
    case THE_STE:
        return NOWHERE + 0x4000 + 64;
    default:
        return 0;
    }
}

START_TEST(every_record_has_its_fields)
{
    const struct fault_row *row = &faults[_i];
    uint64_t at = (row->config == CONFIG_S2 || row->config == 4 ? IPA : IOVA) + 0x10;
    struct smmu_event event;
    uint8_t record[SMMU_EVENT_SIZE];
    set_up(&smmu_board_type, row->config, CD_WORD);
    uint64_t cd = sw_load(&s, sw_ste_at(&s, 1)) & UINT64_C(0xffffffffffc0);
    change(row->change, &at, cd);
    ck_assert(!(row->write ? writes(at) : is_read(at)));
    ck_assert(sw_event(&s, &event));
    ck_assert_str_eq(smmu_event_name(event.type), smmu_event_name(row->type));
    ck_assert(event.stream == 1 && !event.ssv && !event.stall && !event.ind && !event.pnu);
    ck_assert_uint_eq(event.more, more_of(row, at));
    if (row->type != F_CD_FETCH && row->type != F_STE_FETCH) {
        ck_assert_uint_eq(event.address, at);
        ck_assert_int_eq(event.rnw, !row->write);
        ck_assert_int_eq(event.s2, row->s2);
        ck_assert_int_eq(event.class, row->class);
    }
    /* what was read is what would be written */
    smmu_event_put(&event, record);
    ck_assert_mem_eq(record, s.memory + (s.events - MEMORY_AT), sizeof record);
    ck_assert(!sw_event(&s, &event));
    sw_close(&s);
}
END_TEST

/* CD.A and CD.R (5.5); STE.S2R. */
/* A record comes from memory, where anything may be. */
START_TEST(a_record_that_no_smmu_writes_has_a_text)
{
    struct smmu_event event = {.type = F_TRANSLATION, .s2 = true, .class = SMMU_CLASS_IN};
    uint8_t record[SMMU_EVENT_SIZE];
    char text[160], other[160];
    smmu_event_put(&event, record);
    smmu_event_get(record, &event);
    smmu_event_text(&event, text, sizeof text);
    record[13] |= 3; /* CLASS */
    smmu_event_get(record, &event);
    smmu_event_text(&event, other, sizeof other);
    ck_assert_str_eq(text, other);
}
END_TEST

START_TEST(faults_as_they_are_configured)
{
    struct smmu_event event;
    char text[4] = "old";
    struct dma_fault fault;
    for (unsigned ar = 0; ar < 4; ar++) {
        bool record = ar & 1, abort = ar & 2;
        uint64_t word = (CD_WORD & ~(UINT64_C(3) << 45)) | (uint64_t)ar << 45;
        set_up(&smmu_board_type, CONFIG_S1, word);
        ck_assert_int_eq(dma_read(&s.port, (iova_t){IOVA + 4096}, text, 4, &fault), !abort);
        ck_assert_mem_eq(text, abort ? "old" : "\0\0\0", 4);
        ck_assert_int_eq(writes(IOVA + 4096), !abort);
        ck_assert(sw_event(&s, &event) == record && sw_event(&s, &event) == record);
        memcpy(text, "old", 4);
        sw_close(&s);
    }
    set_up(&smmu_board_type, CONFIG_S2, CD_WORD);
    sw_store(&s, sw_ste_at(&s, 1) + 16, S2_WORD & ~(UINT64_C(1) << 58));
    ck_assert(!is_read(IPA + 4096) && !sw_event(&s, &event));
    sw_close(&s);
}
END_TEST

/* PRIVCFG, INSTCFG, PAN. */
START_TEST(attributes_as_they_are_overridden)
{
    struct smmu_event event;
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    sw_store(&s, leaf_at, sw_load(&s, leaf_at) & ~(UINT64_C(1) << 6)); /* EL0 has nothing */
    ck_assert(!is_read(IOVA) && sw_event(&s, &event) && !event.pnu);
    sw_store(&s, sw_ste_at(&s, 1) + 8, UINT64_C(3) << 48); /* privileged */
    sw_invalidate_all(&s);
    ck_assert(is_read(IOVA));
    sw_store(&s, sw_ste_at(&s, 1) + 8, UINT64_C(3) << 48 | UINT64_C(3) << 50); /* instruction */
    sw_store(&s, leaf_at, sw_load(&s, leaf_at) | UINT64_C(1) << 53);           /* PXN */
    sw_invalidate_all(&s);
    ck_assert(!is_read(IOVA) && sw_event(&s, &event));
    ck_assert(event.type == F_PERMISSION && event.ind && event.pnu && event.rnw);
    ck_assert(writes(IOVA)); /* a write is data */
    sw_close(&s);
}
END_TEST

/* Translation -------------------------------------------------------------------------------------
 */

START_TEST(granules_and_blocks)
{
    static const struct {
        unsigned granule, tg0, t0sz;
        int start, level;
    } rows[] = {{12, 0, 25, 1, 3}, {12, 0, 25, 1, 2}, {14, 2, 28, 2, 3},
                {14, 2, 28, 2, 2}, {16, 1, 28, 2, 3}, {16, 1, 28, 2, 2}};
    struct dma_fault fault;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned shift = rows[i].granule + (unsigned)(3 - rows[i].level) * (rows[i].granule - 3);
        uint64_t inside = ((UINT64_C(1) << shift) - 1) & ~UINT64_C(0xfff);
        uint64_t input = (UINT64_C(0x523456000) & ~inside) | (MEMORY_AT & inside);
        uint64_t word = (CD_WORD & ~UINT64_C(0x3f)) | rows[i].t0sz | rows[i].tg0 << 6;
        char byte;
        set_up(&smmu_board_type, CONFIG_S1, word);
        uint64_t table = sw_take(&s, UINT64_C(1) << rows[i].granule);
        sw_map_to(&s, table, rows[i].granule, rows[i].start, rows[i].level, input,
                  LEAF1 | (MEMORY_AT & ~((UINT64_C(1) << shift) - 1)));
        sw_store(&s, (sw_load(&s, sw_ste_at(&s, 1)) & UINT64_C(0xffffffffffc0)) + 8, table);
        uint64_t offset = (input | inside) == input ? 0 : (frame - MEMORY_AT) & inside;
        s.memory[offset & (MEMORY_SIZE - 1)] = 'g';
        ck_assert(dma_read(&s.port, (iova_t){input + offset}, &byte, 1, &fault));
        ck_assert_int_eq(byte, 'g');
        sw_close(&s);
    }
}
END_TEST

/* HA and HD: the access flag, and the dirty state of a page whose DBM is set. */
START_TEST(flags_by_hardware)
{
    const uint64_t af = UINT64_C(1) << 10, ro = UINT64_C(1) << 7, dbm = UINT64_C(1) << 51;
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD | UINT64_C(3) << 42);
    uint64_t clean = (sw_load(&s, leaf_at) & ~af) | ro | dbm;
    sw_store(&s, leaf_at, clean);
    ck_assert(is_read(IOVA));
    ck_assert_uint_eq(sw_load(&s, leaf_at), clean | af);
    ck_assert(writes(IOVA));
    ck_assert_uint_eq(sw_load(&s, leaf_at), (clean | af) & ~ro);
    sw_close(&s);
    /* stage 2's, through a nested write */
    set_up(&smmu_board_type, CONFIG_NESTED, CD_WORD);
    sw_store(&s, sw_ste_at(&s, 1) + 16, S2_WORD | UINT64_C(3) << 55);
    clean = (sw_load(&s, leaf2_at) & ~(af | ro)) | dbm;
    sw_store(&s, leaf2_at, clean);
    ck_assert(is_read(IOVA));
    ck_assert_uint_eq(sw_load(&s, leaf2_at), clean | af);
    ck_assert(writes(IOVA));
    ck_assert_uint_eq(sw_load(&s, leaf2_at), clean | af | ro);
    sw_close(&s);
}
END_TEST

/* AFFD; TBI. */
START_TEST(what_a_cd_takes_lightly)
{
    const uint64_t tag = UINT64_C(0x5a) << 56;
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD | UINT64_C(1) << 35);
    sw_store(&s, leaf_at, sw_load(&s, leaf_at) & ~(UINT64_C(1) << 10));
    ck_assert(is_read(IOVA) && !is_read(IOVA | tag));
    sw_close(&s);
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD | UINT64_C(1) << 38);
    ck_assert(is_read(IOVA) && is_read(IOVA | tag));
    unsigned accesses = s.accesses;
    ck_assert(is_read(IOVA | tag << 1));
    ck_assert_uint_eq(s.accesses, accesses + 1); /* of the data alone */
    sw_close(&s);
}
END_TEST

/* Invalidation ------------------------------------------------------------------------------------
 */

#define SID1    (UINT64_C(1) << 32)
#define ASID(n) ((uint64_t)(n) << 48)
#define VMID(n) ((uint64_t)(n) << 32)

/* Of a translation that is kept, whose leaf is gone: does the command drop it? */
static const struct invalidation {
    unsigned config;
    bool is_global;
    uint64_t low, high;
    bool drops;
} invalidations[] = {
    {CONFIG_S1, false, 0x10 | VMID(9), 0, true},
    {CONFIG_S1, false, 0x10 | VMID(8), 0, false},
    {CONFIG_S1, false, 0x11 | VMID(9) | ASID(7), 0, true},
    {CONFIG_S1, false, 0x11 | VMID(9) | ASID(6), 0, false},
    {CONFIG_S1, true, 0x11 | VMID(9) | ASID(7), 0, false},
    {CONFIG_S1, false, 0x12 | VMID(9) | ASID(7), IOVA, true},
    {CONFIG_S1, false, 0x12 | VMID(9) | ASID(7), IOVA | 1, true}, /* Leaf */
    {CONFIG_S1, false, 0x12 | VMID(9) | ASID(7), IOVA + 4096, false},
    {CONFIG_S1, false, 0x12 | VMID(9) | ASID(6), IOVA, false},
    {CONFIG_S1, true, 0x12 | VMID(9) | ASID(6), IOVA, true},
    {CONFIG_S1, false, 0x13 | VMID(9), IOVA, true},
    {CONFIG_S1, false, 0x13 | VMID(9), IOVA - 4096, false},
    {CONFIG_S1, false, 0x13 | VMID(8), IOVA, false},
    /* ranges of granules (4.4.1.1): TG; NUM + 1 times 2 to the SCALE of them */
    {CONFIG_S1, false, 0x13 | VMID(9) | 2 << 12, (IOVA - 2 * 4096) | 1 << 10, true},
    {CONFIG_S1, false, 0x13 | VMID(9) | 1 << 12, (IOVA - 2 * 4096) | 1 << 10, false},
    {CONFIG_S1, false, 0x12 | VMID(9) | ASID(7) | 2 << 20, (IOVA - 3 * 4096) | 1 << 10, true},
    {CONFIG_S1, false, 0x12 | VMID(9) | ASID(7) | 2 << 20, (IOVA - 4 * 4096) | 1 << 10, false},
    {CONFIG_S1, false, 0x13 | VMID(9), (IOVA & ~UINT64_C(0xffff)) | 3 << 10, true},
    {CONFIG_S1, false, 0x13 | VMID(9) | 31 << 12 | 31 << 20, 3 << 10, true},
    {CONFIG_S1, false, 0x2a | VMID(9), IOVA, false}, /* of stage 2 alone */
    {CONFIG_S1, false, 0x28 | VMID(9), 0, true},
    {CONFIG_S1, false, 0x28 | VMID(8), 0, false},
    {CONFIG_S1, false, 0x30, 0, true},
    {CONFIG_S1, false, 0x03 | SID1, 1, false},
    {CONFIG_S1, false, 0x04, 31, false},
    {CONFIG_NESTED, false, 0x2a | VMID(9), IPA, false}, /* 4.4.3.1 */
    {CONFIG_NESTED, false, 0x12 | VMID(9) | ASID(7), IOVA, true},
    {CONFIG_NESTED, false, 0x28 | VMID(9), 0, true},
    {CONFIG_S2, false, 0x2a | VMID(9), IPA, true},
    {CONFIG_S2, false, 0x2a | VMID(9), IPA + 4096, false},
    {CONFIG_S2, false, 0x2a | VMID(8), IPA, false},
    {CONFIG_S2, false, 0x12 | VMID(9), IPA, false},
    {CONFIG_S2, false, 0x10 | VMID(9), 0, false},
    {CONFIG_S2, false, 0x28 | VMID(9), 0, true},
    {CONFIG_S2, false, 0x30, 0, true},
};

START_TEST(translations_stay_until_they_are_invalidated)
{
    const struct invalidation *row = &invalidations[_i];
    uint64_t at = row->config == CONFIG_S2 ? IPA : IOVA;
    struct smmu_event event;
    set_up(&smmu_board_type, row->config, CD_WORD);
    if (row->is_global)
        sw_store(&s, leaf_at, sw_load(&s, leaf_at) & ~(UINT64_C(1) << 11));
    ck_assert(is_read(at));
    sw_store(&s, row->config == CONFIG_S1 ? leaf_at : leaf2_at, 0);
    ck_assert(is_read(at));
    ck_assert_uint_eq(sw_command(&s, row->low, row->high), 0);
    ck_assert_int_eq(is_read(at), !row->drops);
    ck_assert_int_eq(sw_event(&s, &event), row->drops);
    sw_close(&s);
}
END_TEST

/* What a block maps goes whole. */
START_TEST(an_address_in_a_block_drops_its_pages)
{
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    uint64_t block = UINT64_C(0x40000000);
    uint64_t at = sw_map_to(&s, ttb0, 12, 1, 2, block, LEAF1 | MEMORY_AT);
    ck_assert(is_read(block + (frame - MEMORY_AT)));
    sw_store(&s, at, 0);
    sw_command(&s, 0x12 | VMID(9) | ASID(7), block + (UINT64_C(2) << 20));
    ck_assert(is_read(block + (frame - MEMORY_AT)));
    sw_command(&s, 0x12 | VMID(9) | ASID(7), block + (UINT64_C(1) << 20));
    ck_assert(!is_read(block + (frame - MEMORY_AT)));
    sw_close(&s);
}
END_TEST

static const struct {
    uint64_t low, high;
    bool drops_ste, drops_cd;
} configuration_commands[] = {
    {0x03 | SID1, 1, true, true},
    {0x03 | SID1, 0, true, true},
    {0x03 | SID1 << 1, 1, false, false},
    {0x04 | SID1, 0, true, true},        /* streams 0 and 1 */
    {0x04 | SID1 << 2, 0, false, false}, /* 4 and 5 */
    {0x04 | SID1 << 2, 2, true, true},   /* 0 to 7 */
    {0x04, 31, true, true},
    {0x05 | SID1, 1, false, true},
    {0x05 | SID1 | 1 << 12, 1, false, false},
    {0x05 | SID1 << 1, 1, false, false},
    {0x06 | SID1, 0, false, true},
    {0x30, 0, false, false},
};

START_TEST(configuration_stays_until_it_is_invalidated)
{
    struct smmu_event event;
    for (unsigned part = 0; part < 2; part++) {
        set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
        uint64_t cd = sw_load(&s, sw_ste_at(&s, 1)) & UINT64_C(0xffffffffffc0);
        ck_assert(is_read(IOVA));
        sw_store(&s, part ? cd : sw_ste_at(&s, 1), 0);
        ck_assert(is_read(IOVA));
        sw_command(&s, configuration_commands[_i].low, configuration_commands[_i].high);
        bool drops =
            part ? configuration_commands[_i].drops_cd : configuration_commands[_i].drops_ste;
        ck_assert_int_eq(is_read(IOVA), !drops);
        if (drops) {
            ck_assert(sw_event(&s, &event));
            ck_assert_int_eq(event.type, part ? C_BAD_CD : C_BAD_STE);
        }
        sw_close(&s);
    }
}
END_TEST

/* Queues ------------------------------------------------------------------------------------------
 */

START_TEST(the_command_queue_wraps)
{
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    for (unsigned i = 1; i <= 40; i++) {
        ck_assert_uint_eq(sw_command(&s, 0x46, 0), 0);
        ck_assert_uint_eq(sw_get32(&s, CMDQ_CONS), i % (2u << QUEUE_LOG2));
    }
    sw_close(&s);
}
END_TEST

static const struct {
    uint64_t low, high;
    unsigned error;
} bad_commands[] = {
    {0x00, 0, 1},           {0x07, 0, 1},           {0x40, 0, 1},           {0x41, 0, 1},
    {0x18, 0, 1},           {0x20, 0, 1},           {0x46 | 3 << 12, 0, 1}, {0x03 | 1 << 10, 0, 1},
    {0x44 | 1 << 10, 0, 1}, {0x45 | 1 << 10, 0, 1}, {0x01 | 1 << 10, 0, 1},
};

START_TEST(commands_that_are_none_stop_the_queue)
{
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    ck_assert(is_read(IOVA));
    sw_store(&s, leaf_at, 0);
    ck_assert_uint_eq(sw_command(&s, bad_commands[_i].low, bad_commands[_i].high), 1);
    ck_assert_uint_eq(sw_get32(&s, CMDQ_CONS), bad_commands[_i].error << 24);
    sw_command(&s, 0x30, 0); /* waits behind it */
    ck_assert(is_read(IOVA));
    sw_store(&s, s.commands, 0x46); /* mended */
    sw_put(&s, GERRORN, 4, 1);
    ck_assert_uint_eq(sw_get32(&s, CMDQ_CONS) & 0xfffff, 2);
    ck_assert(!is_read(IOVA));
    sw_close(&s);
}
END_TEST

START_TEST(a_queue_that_is_nowhere)
{
    struct smmu_event event;
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    sw_put(&s, CR0, 4, SMMUEN);
    sw_put(&s, CMDQ, 8, NOWHERE | QUEUE_LOG2);
    sw_put(&s, EVENTQ, 8, NOWHERE | QUEUE_LOG2);
    sw_put(&s, CR0, 4, SMMUEN | EVENTQEN | CMDQEN);
    sw_put(&s, CMDQ_PROD, 4, 1);
    ck_assert_uint_eq(sw_get32(&s, GERROR), 1);
    ck_assert_uint_eq(sw_get32(&s, CMDQ_CONS), 2 << 24); /* CERROR_ABT */
    ck_assert(!is_read(0));
    ck_assert_uint_eq(sw_get32(&s, GERROR), 5); /* EVENTQ_ABT_ERR */
    ck_assert(!sw_event(&s, &event));
    sw_close(&s);
}
END_TEST

START_TEST(the_event_queue_overflows_once)
{
    struct smmu_event event;
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    for (unsigned i = 0; i < 8; i++)
        ck_assert(!is_read(i << 12));
    ck_assert_uint_eq(sw_get32(&s, EVENTQ_PROD), 8);
    for (unsigned i = 0; i < 2; i++)
        ck_assert(!is_read(0x99000));
    ck_assert_uint_eq(sw_get32(&s, EVENTQ_PROD), 0x80000008u);
    for (unsigned i = 0; i < 8; i++)
        ck_assert(sw_event(&s, &event) && event.address == i << 12);
    ck_assert(!sw_event(&s, &event));
    ck_assert(!is_read(0x77000) && sw_event(&s, &event) && event.address == 0x77000);
    ck_assert_uint_eq(sw_get32(&s, EVENTQ_PROD), 0x80000009u);
    sw_close(&s);
}
END_TEST

/* Interrupts --------------------------------------------------------------------------------------
 */

START_TEST(interrupts_by_wire_and_by_message)
{
    struct smmu_event event;
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    ck_assert(!is_read(0));
    ck_assert_uint_eq(s.w.irq_changes, 0); /* not enabled */
    ck_assert(sw_event(&s, &event));
    sw_put(&s, IRQ_CTRL, 4, 5);
    ck_assert(!is_read(0) && !is_read(0));
    ck_assert_uint_eq(s.w.irq_changes, 2); /* an edge, as the queue is not empty any more */
    ck_assert(sw_event(&s, &event) && sw_event(&s, &event));
    sw_command(&s, 0xff, 0);
    ck_assert_uint_eq(s.w.irq_changes, 4);    /* CMDQ_ERR */
    sw_put(&s, EVENTQ_IRQ, 8, frame + 0x100); /* guarded */
    ck_assert(!is_read(0) && sw_event(&s, &event));
    ck_assert_uint_eq(s.w.irq_changes, 6);
    sw_put(&s, IRQ_CTRL, 4, 0);
    sw_put(&s, EVENTQ_IRQ, 8, frame + 0x100);
    sw_put(&s, EVENTQ_IRQ + 8, 4, 0x1234);
    sw_put(&s, IRQ_CTRL, 4, 5);
    ck_assert(!is_read(0) && sw_event(&s, &event));
    ck_assert_uint_eq(s.w.irq_changes, 6);
    ck_assert_uint_eq(sw_load(&s, frame + 0x100), 0x1234);
    sw_close(&s);
    /* a message that leads nowhere, and CMD_SYNC's */
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    sw_put(&s, EVENTQ_IRQ, 8, NOWHERE);
    sw_put(&s, IRQ_CTRL, 4, 4);
    ck_assert(!is_read(0));
    ck_assert_uint_eq(sw_get32(&s, GERROR), 1 << 5);
    ck_assert_uint_eq(sw_command(&s, 0x46 | 1 << 12 | UINT64_C(0x5678) << 32, frame + 0x200),
                      1 << 5);
    ck_assert_uint_eq(sw_load(&s, frame + 0x200), 0x5678);
    ck_assert_uint_eq(sw_command(&s, 0x46 | 1 << 12, NOWHERE), 1 << 5 | 1 << 4);
    sw_close(&s);
}
END_TEST

/* Stalls ------------------------------------------------------------------------------------------
 */

#define STALLING (CD_WORD | UINT64_C(1) << 44)

static bool stalls(uint64_t at)
{
    struct dma_fault fault;
    return !reads(at, &fault) && fault.kind == DMA_FAULT_STALLED;
}

static uint64_t resume(const struct smmu_event *event, unsigned action)
{
    sw_command(&s, 0x44 | SID1 | action << 12, event->stag);
    return s.generation;
}

START_TEST(a_stalled_transaction_waits_for_its_command)
{
    enum { RETRY = 1, ABORT = 2, RAZWI = 0 };
    struct smmu_event event;
    char text[4] = "old";
    struct dma_fault fault;
    const uint64_t away = IOVA + 4096;
    set_up(&smmu_board_type, CONFIG_S1, STALLING);
    ck_assert(stalls(away) && stalls(away));
    ck_assert(sw_event(&s, &event) && event.stall && event.type == F_TRANSLATION);
    struct smmu_event other = event;
    ck_assert(!sw_event(&s, &event)); /* one record for one transaction */
    /* another one's, or nobody's */
    other.stag++;
    resume(&other, ABORT);
    ck_assert(stalls(away));
    other.stag--;
    uint64_t before = s.generation;
    ck_assert_uint_ne(resume(&other, RETRY), before);
    ck_assert(stalls(away) && sw_event(&s, &event)); /* anew */
    sw_map_to(&s, ttb0, 12, 1, 3, away, LEAF1 | frame);
    resume(&event, RETRY);
    ck_assert(is_read(away) && !sw_event(&s, &event));
    ck_assert(stalls(away + 4096) && sw_event(&s, &event));
    resume(&event, ABORT);
    ck_assert(!reads(away + 4096, &fault) && fault.kind == DMA_FAULT_PERMISSION);
    ck_assert(stalls(away + 4096) && sw_event(&s, &event));
    resume(&event, RAZWI);
    ck_assert(dma_read(&s.port, (iova_t){away + 4096}, text, 4, &fault));
    ck_assert_mem_eq(text, "\0\0\0", 4);
    /* all of a stream; all */
    ck_assert(stalls(away + 4096) && sw_event(&s, &event));
    sw_command(&s, 0x45 | SID1 << 1, 0);
    ck_assert(stalls(away + 4096));
    sw_command(&s, 0x45 | SID1, 0);
    ck_assert(!reads(away + 4096, &fault) && fault.kind == DMA_FAULT_PERMISSION);
    sw_close(&s);
}
END_TEST

START_TEST(a_stall_is_not_lost_in_a_full_queue)
{
    struct smmu_event event;
    set_up(&smmu_board_type, CONFIG_S1, STALLING);
    for (unsigned i = 0; i < 9; i++)
        ck_assert(stalls(IOVA + 4096 * (i + 1)));
    ck_assert_uint_eq(sw_get32(&s, EVENTQ_PROD), 8); /* no overflow */
    for (unsigned i = 0; i < 8; i++)
        ck_assert(sw_event(&s, &event));
    ck_assert(!sw_event(&s, &event));
    ck_assert(stalls(IOVA + 4096 * 9) && sw_event(&s, &event));
    ck_assert_uint_eq(event.address, IOVA + 4096 * 9);
    sw_close(&s);
}
END_TEST

/* More than there is room for: the rest waits, and comes when there is. */
START_TEST(more_stalls_than_there_is_room_for)
{
    struct dma_fault fault;
    set_up(&smmu_board_type, CONFIG_S1, STALLING);
    for (unsigned i = 0; i < 100; i++)
        ck_assert(stalls(IOVA + 4096 * (i + 1)));
    sw_put(&s, CR0, 4, EVENTQEN | CMDQEN); /* ends all */
    sw_put(&s, CR0, 4, SMMUEN | EVENTQEN | CMDQEN);
    ck_assert(!reads(IOVA + 4096, &fault) && fault.kind == DMA_FAULT_PERMISSION);
    ck_assert(stalls(IOVA + 4096 * 99));
    sw_close(&s);
}
END_TEST

/* Devices -----------------------------------------------------------------------------------------
 */

START_TEST(mappings_have_what_the_caches_have)
{
    struct dma_mapping m;
    struct dma_fault fault;
    char text[20];
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    dma_mapping_set(&m, (iova_t){IOVA}, 4096, DMA_READ);
    for (unsigned i = 0; i < 3; i++)
        ck_assert(dma_mapped_read(&m, &s.port, 0, text, sizeof text, &fault));
    unsigned accesses = s.accesses;
    ck_assert(dma_mapped_read(&m, &s.port, 0, text, sizeof text, &fault));
    ck_assert_uint_eq(s.accesses, accesses); /* by its pointer */
    ck_assert_mem_eq(text, "what is in the frame", 20);
    sw_store(&s, leaf_at, 0);
    ck_assert(dma_mapped_read(&m, &s.port, 0, text, sizeof text, &fault));
    sw_command(&s, 0x30, 0);
    ck_assert(!dma_mapped_read(&m, &s.port, 0, text, sizeof text, &fault));
    ck_assert(fault.kind == DMA_FAULT_TRANSLATION && fault.at.v == IOVA);
    ck_assert_str_eq(fault.where, "stage 1 of the SMMU");
    sw_close(&s);
}
END_TEST

/* A page's place is taken: what a device held of it is looked up again. */
START_TEST(nothing_is_held_that_is_not_cached)
{
    struct dma_mapping m;
    struct dma_fault fault;
    char byte;
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    dma_mapping_set(&m, (iova_t){IOVA}, 4096, DMA_READ);
    ck_assert(dma_mapped_read(&m, &s.port, 0, &byte, 1, &fault));
    ck_assert(dma_mapped_read(&m, &s.port, 0, &byte, 1, &fault));
    sw_store(&s, leaf_at, 0);
    for (unsigned i = 0; i < 4096; i++) { /* more pages than there are places */
        uint64_t at = UINT64_C(0x2000000000) + 4096 * (uint64_t)i;
        if (i % 512 == 0)
            sw_map_to(&s, ttb0, 12, 1, 2, at, LEAF1 | MEMORY_AT);
        ck_assert(dma_read(&s.port, (iova_t){at}, &byte, 1, &fault));
    }
    ck_assert(!dma_mapped_read(&m, &s.port, 0, &byte, 1, &fault));
    sw_close(&s);
}
END_TEST

START_TEST(transfers_of_several_pages)
{
    uint8_t bytes[3 * 4096], back[3 * 4096];
    struct dma_fault fault;
    set_up(&smmu_board_type, CONFIG_S1, CD_WORD);
    for (unsigned i = 0; i < 3; i++) /* backwards */
        sw_map_to(&s, ttb0, 12, 1, 3, IOVA + 4096 * i, LEAF1 | (sw_take(&s, 4096) ^ 0));
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    ck_assert(dma_write(&s.port, (iova_t){IOVA + 100}, bytes, 2 * 4096, &fault));
    ck_assert(dma_read(&s.port, (iova_t){IOVA + 100}, back, 2 * 4096, &fault));
    ck_assert_mem_eq(bytes, back, 2 * 4096);
    ck_assert(!dma_read(&s.port, (iova_t){IOVA + 4096}, back, 2 * 4096 + 1, &fault));
    ck_assert_uint_eq(fault.at.v, IOVA + 3 * 4096);
    sw_close(&s);
}
END_TEST

/* Explanations ------------------------------------------------------------------------------------
 */

static bool read_memory(void *context, uint64_t at, void *to, size_t size)
{
    (void)context;
    if (sw_is_memory(at, size))
        memcpy(to, s.memory + (at - MEMORY_AT), size);
    return sw_is_memory(at, size);
}

/* What is said of a read by stream 1; nothing changes by that. */
static bool explains(uint64_t iova, bool json, struct bytes *out, uint64_t *at)
{
    struct json j = {.out = out};
    struct bytes before = {0}, after = {0};
    const struct stream_question q = {.stream = 1,
                                      .substream = DMA_NO_SUBSTREAM,
                                      .at = {iova},
                                      .read = read_memory,
                                      .json = json ? &j : NULL};
    bytes_clear(out);
    world_save(&s.w, &before);
    bool passes = s.w.v->type->explain_stream(s.w.v, &q, out, at);
    world_save(&s.w, &after);
    ck_assert(before.size == after.size && !memcmp(before.data, after.data, before.size));
    bytes_free(&before);
    bytes_free(&after);
    bytes_put_int(out, 0, 1);
    return passes;
}

static unsigned count(const struct bytes *text, const char *what)
{
    unsigned found = 0;
    for (const char *at = (const char *)text->data; (at = strstr(at, what)); at++)
        found++;
    return found;
}

/* Stage 1 has three tables, each of which stage 2 finds by three, as it does the CD and the page.
 */
START_TEST(an_explanation_has_every_row)
{
    struct bytes out = {0};
    uint64_t at;
    set_up(&smmu_board_type, CONFIG_NESTED, CD_WORD);
    ck_assert(explains(IOVA + 8, true, &out, &at));
    ck_assert_uint_eq(at, frame + 8);
    ck_assert_uint_eq(count(&out, "\"stage\":1,"), 3);
    ck_assert_uint_eq(count(&out, "\"class\":\"CD\",\"of_table\":true"), 3);
    ck_assert_uint_eq(count(&out, "\"class\":\"TT\",\"of_table\":true"), 9);
    ck_assert_uint_eq(count(&out, "\"class\":\"IN\",\"of_table\":false"), 3 + 3);
    ck_assert_uint_eq(count(&out, "\"name\":\"STE\"") + count(&out, "\"name\":\"CD\""), 2);
    ck_assert(explains(IOVA + 8, false, &out, &at));
    ck_assert_uint_eq(count(&out, "\n  stage 1 "), 3);
    ck_assert_uint_eq(count(&out, "\n  stage 2 "), 15);
    bytes_free(&out);
    sw_close(&s);
}
END_TEST

/* A table of stage 1 that stage 2 does not map: the rows that ended there are of the table. */
START_TEST(an_explanation_has_the_record)
{
    struct bytes out = {0};
    struct smmu_event event;
    uint64_t at;
    set_up(&smmu_board_type, CONFIG_NESTED, CD_WORD);
    sw_store(&s, sw_map_to(&s, s2ttb, 12, 1, 3, ttb0, 0), 0);
    ck_assert(!explains(IOVA, true, &out, &at));
    ck_assert_uint_eq(count(&out, "\"name\":\"F_TRANSLATION\",\"type\":16,"), 1);
    ck_assert_uint_eq(count(&out, "\"stage\":2,\"class\":\"TT\",\"level\":3,\"recorded\":true"), 1);
    ck_assert_uint_eq(count(&out, "\"class\":\"TT\",\"of_table\":true"), 3);
    ck_assert_uint_eq(count(&out, "\"outcome\":\"aborted\""), 1);
    ck_assert(!is_read(IOVA) && sw_event(&s, &event));
    ck_assert(event.type == F_TRANSLATION && event.s2 && event.class == SMMU_CLASS_TT);
    ck_assert(!explains(IOVA, false, &out, &at));
    ck_assert_uint_eq(count(&out, "\n  event record: 0000000100000010 "), 1);
    /* Without CR2.RECINVSID there is none of a stream beyond the table (6.3.12). */
    sw_put(&s, CR0, 4, 0);
    sw_put(&s, STRTAB_CFG, 4, 0);
    sw_put(&s, CR2, 4, 0);
    sw_put(&s, CR0, 4, SMMUEN | EVENTQEN | CMDQEN);
    ck_assert(!explains(IOVA, false, &out, &at));
    ck_assert_uint_eq(count(&out, "not recorded, it would be: 0000000100000002"), 1);
    bytes_free(&out);
    sw_close(&s);
}
END_TEST

START_TEST(a_restored_one_goes_on_alike)
{
    struct bytes saved = {0}, again = {0};
    struct smmu_event event;
    set_up(&smmu_board_type, CONFIG_NESTED, CD_WORD);
    ck_assert(is_read(IOVA) && !is_read(IOVA + 4096));
    world_save(&s.w, &saved);
    sw_store(&s, leaf_at, 0); /* what is kept is in the state */
    sw_invalidate_all(&s);
    ck_assert(!is_read(IOVA));
    struct reader in = reader_of(saved.data, saved.size);
    ck_assert(world_restore(&s.w, &in));
    s.w.v->type->restored(s.w.v);
    ck_assert(is_read(IOVA));
    world_save(&s.w, &again);
    ck_assert(saved.size == again.size && !memcmp(saved.data, again.data, saved.size));
    ck_assert(sw_event(&s, &event));
    bytes_free(&saved);
    bytes_free(&again);
    sw_close(&s);
}
END_TEST

#define ROWS(rows) (int)(sizeof(rows) / sizeof(rows)[0])

int main(void)
{
    TCase *t = tcase_create("smmu");
    tcase_add_loop_test(t, what_a_configuration_makes_of_a_read, 0, ROWS(configurations));
    tcase_add_loop_test(t, tables_beyond_the_size_of_their_addresses, 0, 8);
    tcase_add_test(t, a_guests_smmu_has_one_stage);
    tcase_add_test(t, without_smmuen);
    tcase_add_test(t, stream_tables_of_two_levels);
    tcase_add_test(t, cd_tables_of_two_levels);
    tcase_add_loop_test(t, every_record_has_its_fields, 0, ROWS(faults));
    tcase_add_test(t, a_record_that_no_smmu_writes_has_a_text);
    tcase_add_test(t, faults_as_they_are_configured);
    tcase_add_test(t, attributes_as_they_are_overridden);
    tcase_add_test(t, granules_and_blocks);
    tcase_add_test(t, flags_by_hardware);
    tcase_add_test(t, what_a_cd_takes_lightly);
    tcase_add_loop_test(t, translations_stay_until_they_are_invalidated, 0, ROWS(invalidations));
    tcase_add_test(t, an_address_in_a_block_drops_its_pages);
    tcase_add_loop_test(t, configuration_stays_until_it_is_invalidated, 0,
                        ROWS(configuration_commands));
    tcase_add_test(t, the_command_queue_wraps);
    tcase_add_loop_test(t, commands_that_are_none_stop_the_queue, 0, ROWS(bad_commands));
    tcase_add_test(t, a_queue_that_is_nowhere);
    tcase_add_test(t, the_event_queue_overflows_once);
    tcase_add_test(t, interrupts_by_wire_and_by_message);
    tcase_add_test(t, a_stalled_transaction_waits_for_its_command);
    tcase_add_test(t, a_stall_is_not_lost_in_a_full_queue);
    tcase_add_test(t, more_stalls_than_there_is_room_for);
    tcase_add_test(t, mappings_have_what_the_caches_have);
    tcase_add_test(t, nothing_is_held_that_is_not_cached);
    tcase_add_test(t, transfers_of_several_pages);
    tcase_add_test(t, an_explanation_has_every_row);
    tcase_add_test(t, an_explanation_has_the_record);
    tcase_add_test(t, a_restored_one_goes_on_alike);
    return suite_main("vdev/smmu", t);
}
