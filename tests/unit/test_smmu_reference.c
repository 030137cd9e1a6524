/* The SMMU against another one that is written to be read: it caches nothing and goes from bit to
 * bit. Random stream tables, contexts and translation tables of both stages, changed again and
 * again; each access must pass or not as there, to the same byte, with the same event. */
#include "smmu_world.h"

static struct smmu_world s;
static uint64_t seed;
static int number; /* of the test */
static unsigned passed, refused[32];

static uint64_t rnd(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static bool one_in(unsigned n)
{
    return rnd(n) == 0;
}

/* The reference ---------------------------------------------------------------------------------
 */

struct naive {
    bool ok, is_open; /* the CD is where none was made: anything may come of it */
    unsigned event;   /* 0: silently */
    uint64_t at;
    bool s2;
    unsigned class;
};

static bool fetch(uint64_t at, uint64_t *value)
{
    *value = sw_is_memory(at, 8) ? sw_load(&s, at) : 0;
    return sw_is_memory(at, 8);
}

static uint64_t field(uint64_t word, unsigned low, unsigned count)
{
    return word >> low & ((UINT64_C(1) << count) - 1);
}

static struct naive bad(unsigned event, bool s2, unsigned class)
{
    return (struct naive){.event = event, .s2 = s2, .class = class};
}

/* What is in both kinds of tables: from the first one, of `top` input bits, down to a leaf. */
struct leaf {
    unsigned event; /* 0: found */
    uint64_t at, descriptor;
    bool read_only, no_user; /* by the tables above */
};

static struct leaf down(uint64_t table, unsigned granule, unsigned top, int level,
                        unsigned output_bits, uint64_t input, uint64_t (*place)(uint64_t, bool *))
{
    struct leaf l = {0};
    for (;; level++) {
        unsigned shift = granule + (unsigned)(3 - level) * (granule - 3);
        uint64_t at = table + 8 * field(input, shift, top - shift);
        bool placed = true;
        uint64_t d;
        if (place)
            at = place(at, &placed);
        if (!placed)
            return (struct leaf){.event = 0xffff};
        if (!fetch(at, &d))
            return (struct leaf){.event = F_WALK_EABT};
        bool is_table = level < 3 && (d & 3) == 3;
        bool is_leaf = level == 3 ? (d & 3) == 3
                                  : (d & 3) == 1 && (level == 2 || (level == 1 && granule == 12));
        if (!is_table && !is_leaf)
            return (struct leaf){.event = F_TRANSLATION};
        uint64_t low = is_table ? granule : shift;
        uint64_t out = field(d, 0, 48) >> low << low;
        if (out >> output_bits)
            return (struct leaf){.event = F_ADDR_SIZE};
        if (is_leaf) {
            l.descriptor = d;
            l.at = out | (input & ((UINT64_C(1) << shift) - 1));
            if (!field(d, 10, 1))
                l.event = F_ACCESS;
            return l;
        }
        l.read_only = l.read_only || field(d, 62, 1);
        l.no_user = l.no_user || field(d, 61, 1);
        table = out;
        top = shift;
    }
}

static unsigned bits_of(uint64_t ps)
{
    static const unsigned sizes[] = {32, 36, 40, 42, 44, 48, 48, 48};
    return sizes[ps];
}

enum { PAGES = 64, CDS = 8 };
static uint64_t pages, cds; /* of tables and data alike: 16 KiB apart, so that each may be any */
static uint64_t ste[4];

static struct naive stage2(uint64_t ipa, bool write, unsigned class)
{
    unsigned granules[] = {12, 16, 14};
    unsigned granule = granules[field(ste[2], 46, 2)], bits = 64 - (unsigned)field(ste[2], 32, 6);
    int start = (granule == 12 ? 2 : 3) - (int)field(ste[2], 38, 2);
    if (ipa >> bits)
        return bad(F_TRANSLATION, true, class);
    unsigned shift = granule + (unsigned)(3 - start) * (granule - 3);
    uint64_t size = UINT64_C(8) << (bits - shift);
    struct leaf l = down(field(ste[3], 0, 48) & ~(size - 1), granule, bits, start,
                         bits_of(field(ste[2], 48, 3)), ipa, NULL);
    if (!l.event && !field(l.descriptor, write ? 7 : 6, 1))
        l.event = F_PERMISSION;
    return l.event ? bad(l.event, true, class) : (struct naive){.ok = true, .at = l.at};
}

static struct naive refusal; /* of stage 2, on the way of stage 1 */

static uint64_t through_stage2(uint64_t ipa, bool *placed)
{
    struct naive n = stage2(ipa, false, SMMU_CLASS_TT);
    *placed = n.ok;
    if (!n.ok)
        refusal = n;
    return n.at;
}

static struct naive stage1(uint64_t cd, uint64_t va, bool write, bool nested)
{
    uint64_t word = sw_load(&s, cd);
    unsigned granules[] = {12, 16, 14}, granule = granules[field(word, 6, 2)];
    unsigned bits = 64 - (unsigned)field(word, 0, 6);
    if (va >> bits || field(word, 14, 1))
        return bad(F_TRANSLATION, false, SMMU_CLASS_IN);
    int start = 3 - (int)((bits - 1 - granule) / (granule - 3));
    unsigned shift = granule + (unsigned)(3 - start) * (granule - 3);
    uint64_t size = UINT64_C(8) << (bits - shift), ttb = field(sw_load(&s, cd + 8), 0, 48);
    ttb &= ~(size - 1);
    if (ttb >> bits_of(field(word, 32, 3)))
        return bad(F_ADDR_SIZE, false, SMMU_CLASS_IN);
    struct leaf l = down(ttb, granule, bits, start, bits_of(field(word, 32, 3)), va,
                         nested ? through_stage2 : NULL);
    if (l.event == 0xffff)
        return refusal;
    if (l.event == F_WALK_EABT)
        return bad(F_WALK_EABT, false, SMMU_CLASS_TT);
    bool user = field(l.descriptor, 6, 1) && !l.no_user;
    bool writable = !field(l.descriptor, 7, 1) && !l.read_only;
    if (!l.event && !(user && (!write || writable)))
        l.event = F_PERMISSION;
    return l.event ? bad(l.event, false, SMMU_CLASS_IN) : (struct naive){.ok = true, .at = l.at};
}

static struct naive naive(uint32_t stream, uint64_t address, bool write)
{
    struct naive n = {.ok = true, .at = address};
    if (stream >> STREAMS_LOG2)
        return bad(C_BAD_STREAMID, false, 0);
    for (unsigned i = 0; i < 4; i++)
        ste[i] = sw_load(&s, sw_ste_at(&s, stream) + 8 * i);
    uint64_t config = field(ste[0], 1, 3), cd = field(ste[0], 0, 48) & ~UINT64_C(63);
    if (!(ste[0] & 1))
        return bad(C_BAD_STE, false, 0);
    if (config < 4)
        return bad(0, false, 0);
    if (!(config & 1) && address >> 48)
        return bad(F_ADDR_SIZE, false, SMMU_CLASS_IN);
    if (config == 7) {
        n = stage2(cd, false, SMMU_CLASS_CD);
        if (!n.ok)
            return n;
        cd = n.at;
    }
    if (config & 1) {
        if (!sw_is_memory(cd, 64))
            return bad(F_CD_FETCH, false, 0);
        if (cd < cds || cd >= cds + 64 * CDS)
            return (struct naive){.is_open = true};
        if (!field(sw_load(&s, cd), 31, 1))
            return bad(C_BAD_CD, false, 0);
        n = stage1(cd, address, write, config == 7);
        if (!n.ok)
            return n;
    }
    return config & 2 ? stage2(config & 1 ? n.at : address, write, SMMU_CLASS_IN) : n;
}

/* Random tables -----------------------------------------------------------------------------------
 */

static uint64_t some_page(void)
{
    return pages + 0x4000 * rnd(PAGES);
}

/* Within reach: few indices, so that walks meet what was put there. */
static uint64_t some_input(void)
{
    uint64_t a = rnd(2) << 30 | rnd(2) << 25 | rnd(2) << 21 | rnd(2) << 16 | rnd(4) << 12;
    if (one_in(4))
        return MEMORY_AT + rnd(MEMORY_SIZE);
    if (one_in(40))
        a |= UINT64_C(1) << (31 + rnd(32));
    return a | rnd(4096);
}

static uint64_t some_descriptor(void)
{
    uint64_t d = some_page() | UINT64_C(1) << 10 | UINT64_C(3) << 6;
    d |= one_in(3) ? 1 : 3;
    if (one_in(8))
        d ^= UINT64_C(1) << 7;
    if (one_in(16))
        d ^= UINT64_C(1) << (rnd(2) ? 6 : 10);
    if (one_in(24))
        d ^= UINT64_C(1) << (45 + rnd(3));
    if (one_in(24))
        d |= UINT64_C(1) << (61 + rnd(2));
    if (one_in(24))
        d = d + MEMORY_SIZE;
    return one_in(16) ? 0 : d;
}

static void change_tables(unsigned count)
{
    for (unsigned i = 0; i < count;
         i++) { /* indices of some_input, and of the memory's addresses */
        static const unsigned indices[] = {0, 1, 2, 3, 4, 16, 17, 32, 512, 513, 1024};
        uint64_t at = some_page() + 8 * (one_in(3) ? rnd(2048) : indices[rnd(11)] % 2048);
        sw_store(&s, at, some_descriptor());
    }
}

/* What leads stage 2 to the tables of stage 1, mostly: blocks of themselves. */
static void map_memory(uint64_t table)
{
    for (unsigned i = 0; i < 4; i++)
        sw_store(&s, table + 8 * i, (uint64_t)i << 30 | 1 | UINT64_C(1) << 10 | UINT64_C(3) << 6);
}

static void change_streams(void)
{
    static const unsigned t0sz[] = {25, 25, 28, 31, 32};
    for (unsigned i = 0; i < CDS; i++) {
        uint64_t word = (CD_WORD & ~UINT64_C(0x3f)) | t0sz[rnd(5)] | rnd(3) << 6;
        if (one_in(8))
            word ^= UINT64_C(1) << (one_in(2) ? 31 : 14);
        if (one_in(8))
            word ^= UINT64_C(5) << 32;
        sw_store(&s, cds + 64 * i, word);
        sw_store(&s, cds + 64 * i + 8, some_page());
    }
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t config = one_in(6) ? rnd(8) : 4 + rnd(4);
        uint64_t cd = one_in(20) ? NOWHERE : cds + 64 * rnd(CDS);
        /* Who shares a VMID and an ASID shares translations (3.17): each has its own. */
        uint64_t second = (S2_WORD & ~UINT64_C(0xffff)) | i;
        if (one_in(2)) /* 64 KiB, or 16: from level 2 on */
            second |= (1 + rnd(2)) << 46;
        uint64_t table = some_page();
        if (!one_in(3))
            map_memory(table);
        sw_set_ste(&s, i, (uint64_t[]){(one_in(12) ? 0 : 1) | config << 1 | cd, 0, second, table});
    }
}

/* Comparing ---------------------------------------------------------------------------------------
 */

static void compare(void)
{
    uint32_t stream = one_in(50) ? (uint32_t)(256 + rnd(9)) : (uint32_t)rnd(8);
    uint64_t address = some_input();
    bool write = rnd(2);
    uint8_t byte = 0;
    struct dma_fault fault;
    struct smmu_event event = {0};
    struct naive expected = naive(stream, address, write);
    s.port.stream = stream;
    if (expected.is_open)
        return;
    bool in_memory = expected.ok && sw_is_memory(expected.at, 1);
    uint8_t before = in_memory ? s.memory[expected.at - MEMORY_AT] : 0;
    bool ok = write ? dma_write(&s.port, (iova_t){address}, &before, 1, &fault)
                    : dma_read(&s.port, (iova_t){address}, &byte, 1, &fault);
    bool recorded = sw_event(&s, &event);
    if (ok != in_memory || (ok && !write && byte != before) ||
        recorded != (!expected.ok && expected.event) || event.type != expected.event)
        ck_abort_msg("seed %d: stream %u, %s of %#llx: %d %s, and not %d %s", number, stream,
                     write ? "write" : "read", (unsigned long long)address, ok,
                     smmu_event_name(event.type), expected.ok,
                     smmu_event_name((enum smmu_event_type)expected.event));
    passed += ok;
    refused[event.type]++;
    if (event.type >= F_WALK_EABT &&
        (event.s2 != expected.s2 || event.class != expected.class || event.address != address ||
         event.rnw == write || event.stream != stream))
        ck_abort_msg("seed %d: another event", number);
}

static void run(unsigned rounds, unsigned accesses)
{
    sw_open(&s, &smmu_board_type);
    cds = sw_take(&s, 64 * CDS);
    pages = sw_take(&s, UINT64_C(1) << 20);
    for (unsigned round = 0; round < rounds; round++) {
        change_tables(600);
        change_streams();
        sw_invalidate_all(&s);
        for (unsigned i = 0; i < accesses; i++)
            compare();
    }
    sw_close(&s);
}

START_TEST(as_the_reference_says)
{
    number = _i;
    seed = (uint64_t)_i * 977 + 5;
    run(40, 500);
    /* Were it all the same event, nothing would be compared. */
    static const enum smmu_event_type types[] = {C_BAD_STREAMID, C_BAD_STE,   F_CD_FETCH,
                                                 C_BAD_CD,       F_WALK_EABT, F_TRANSLATION,
                                                 F_ADDR_SIZE,    F_ACCESS,    F_PERMISSION};
    ck_assert_uint_gt(passed, 1000);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!refused[types[i]])
            ck_abort_msg("no %s", smmu_event_name(types[i]));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("reference");
    tcase_add_loop_test(t, as_the_reference_says, 0, 16);
    return suite_main("vdev/smmu_reference", t);
}
