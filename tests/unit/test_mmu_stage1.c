/* Stage 1 over hand-made tables: every granule, range and first level, each fault of either stage,
 * the whole permission matrix, hardware updates, tags. Expected values are literal tables from the
 * Arm ARM, or computed by division, not by the shifts of the code under test. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/bytes.h"
#include "mmu/arm64/stage1.h"
#include "suite.h"

#define MIB  ((uint64_t)1 << 20)
#define GIB  ((uint64_t)1 << 30)
#define BASE ((uint64_t)0x40000000) /* of memory that guests see where it is */

#define AF     ((uint64_t)1 << 10)
#define NG     ((uint64_t)1 << 11)
#define DBM    ((uint64_t)1 << 51)
#define CONTIG ((uint64_t)1 << 52)
#define AP(x)  ((uint64_t)(x) << 6)
#define PXN(x) ((uint64_t)(x) << 53)
#define UXN(x) ((uint64_t)(x) << 54)
#define IDX(x) ((uint64_t)(x) << 2)
#define TABLE  3u
#define PAGE   3u
#define BLOCK  1u

#define TCR_EPD0 ((uint64_t)1 << 7)
#define TCR_A1   ((uint64_t)1 << 22)
#define TCR_EPD1 ((uint64_t)1 << 23)
#define TCR_IPS  ((uint64_t)5 << 32) /* 48 bits */
#define TCR_AS   ((uint64_t)1 << 36)
#define TCR_TBI0 ((uint64_t)1 << 37)
#define TCR_TBI1 ((uint64_t)1 << 38)
#define TCR_HA   ((uint64_t)1 << 39)
#define TCR_HD   ((uint64_t)1 << 40)
#define TCR_HPD0 ((uint64_t)1 << 41)
#define TCR_HPD1 ((uint64_t)1 << 42)

#define SCTLR_M   ((uint64_t)1 << 0)
#define SCTLR_I   ((uint64_t)1 << 12)
#define SCTLR_WXN ((uint64_t)1 << 19)
#define SCTLR_EE  ((uint64_t)1 << 25)

/* Leaf sizes at levels 0 to 3 (0 = none), encodings of TCR_EL1.TG0 and TG1, and the first level by
 * TxSZ (Arm ARM D8.2: "4KB granule", "16KB granule", "64KB granule", tables of TnSZ by level). */
static const struct granule {
    unsigned page_bits, tg0, tg1;
    uint64_t leaf[4];
    uint64_t entries;
    unsigned last_txsz[4]; /* largest TxSZ whose walk begins at level 0, 1, 2, 3; 0 = never */
} granules[] = {
    {12, 0, 2, {0, 0x40000000, 0x200000, 0x1000}, 512, {24, 33, 39, 0}},
    {14, 2, 1, {0, 0, 0x2000000, 0x4000}, 2048, {16, 27, 38, 39}},
    {16, 1, 3, {0, 0, 0x20000000, 0x10000}, 8192, {0, 21, 34, 39}},
};

static struct memory board;
static struct stage1 s1;
static struct stage2 s2;
static struct fault fault;
static struct tlb_leaf leaf;
static const struct access el1_read = {.kind = ACCESS_READ, .privileged = true};
static const struct access el1_write = {.kind = ACCESS_WRITE, .privileged = true};
static const struct access el1_fetch = {.kind = ACCESS_FETCH, .privileged = true};
static const struct access el0_read = {.kind = ACCESS_READ};
static const struct access el0_write = {.kind = ACCESS_WRITE};

static void set_up(void)
{
    struct error e = {0};
    board = (struct memory){0};
    ck_assert(memory_add_bank(&board, hpa(BASE), 64 * MIB, &e));
    s2 = (struct stage2){.on = false};
    fault = (struct fault){0};
}

static void tear_down(void)
{
    memory_free(&board);
}

static int first_level(const struct granule *g, unsigned txsz)
{
    for (int level = 0; level < 4; level++)
        if (txsz <= g->last_txsz[level])
            return level;
    return -1;
}

static uint64_t swapped(uint64_t v)
{
    uint8_t le[8], be[8];
    store_le(le, v, 8);
    for (int i = 0; i < 8; i++)
        be[i] = le[7 - i];
    return load_le(be, 8);
}

static uint64_t get(uint64_t at)
{
    uint64_t v = load_le(memory_at(&board, hpa(at), 8, MEMORY_READ), 8);
    return s1.sctlr & SCTLR_EE ? swapped(v) : v;
}

static void put(uint64_t at, uint64_t desc)
{
    store_le(memory_at(&board, hpa(at), 8, MEMORY_WRITE),
             s1.sctlr & SCTLR_EE ? swapped(desc) : desc, 8);
}

static uint64_t power(uint64_t base, int exponent)
{
    return exponent ? base * power(base, exponent - 1) : 1;
}

/* A regime with one granule and one size for both ranges; first tables at levels' usual places (see
 * entry_place), TTBR1's 16 MiB further on. */
static void regime(const struct granule *g, unsigned txsz)
{
    uint64_t table = BASE + 2 * MIB * (uint64_t)(1 + first_level(g, txsz));
    s1 = (struct stage1){
        .sctlr = SCTLR_M,
        .tcr = TCR_IPS | txsz | txsz << 16 | (uint64_t)g->tg0 << 14 | (uint64_t)g->tg1 << 30,
        .ttbr0 = table | (uint64_t)0x1234 << 48 | 1 /* CnP */,
        .ttbr1 = (table + 16 * MIB) | (uint64_t)0xabcd << 48,
        .mair = 0xff440c0800040000 | 0xbb,
        .has_ha = true,
        .has_hd = true,
        .has_hpd = true,
        .has_16k = true,
        .has_64k = true,
        .pa_bits = 48,
    };
}

static uint64_t entry_place(const struct granule *g, unsigned txsz, int level, uint64_t a)
{
    uint64_t offset = a & (((uint64_t)1 << (64 - txsz)) - 1);
    uint64_t span = ((uint64_t)1 << g->page_bits) * power(g->entries, 3 - level);
    uint64_t table = BASE + 2 * MIB * (uint64_t)(1 + level) + (a >> 55 & 1) * 16 * MIB;
    return table + 8 * (offset / span % g->entries);
}

/* Tables for one address down to `level`, `table_bits` in every table descriptor. Returns where the
 * descriptor at `level` is. */
static uint64_t build_path(const struct granule *g, unsigned txsz, int level, uint64_t a,
                           uint64_t table_bits, uint64_t desc)
{
    for (int i = first_level(g, txsz); i < level; i++)
        put(entry_place(g, txsz, i, a),
            (BASE + 2 * MIB * (uint64_t)(2 + i) + (a >> 55 & 1) * 16 * MIB) | TABLE | table_bits);
    uint64_t at = entry_place(g, txsz, level, a);
    put(at, desc);
    return at;
}

static uint64_t leaf_type(int level)
{
    return level == 3 ? PAGE : BLOCK;
}

static bool walk(uint64_t a, const struct access *access)
{
    fault = (struct fault){0};
    return stage1_walk(&s1, &s2, &board, gva(a), access, NULL, &leaf, &fault);
}

static bool allowed(uint64_t a, const struct access *access)
{
    return walk(a, access) && stage1_permits(&leaf, gva(a), access, &fault);
}

static bool fault_is(enum fault_class class, unsigned stage, int level, uint64_t a)
{
    return fault.class == class && fault.stage == stage && fault.level == level && fault.gva.v == a;
}

static void ck_fault(enum fault_class class, unsigned stage, int level, uint64_t a)
{
    ck_assert_msg(fault_is(class, stage, level, a), "fault %d stage %d level %d at %#llx",
                  (int)fault.class, fault.stage, fault.level, (unsigned long long)fault.gva.v);
}

/* Every granule, TxSZ, range, leaf level and endianness; lowest, highest, inner addresses. */
START_TEST(every_shape_translates)
{
    const struct granule *g = &granules[_i / 2];
    bool high = _i % 2;
    for (unsigned txsz = 16; txsz <= 39; txsz++) {
        const uint64_t total = (uint64_t)1 << (64 - txsz), low_end = high ? 0 - total : 0;
        const uint64_t offsets[] = {0x321, total - 1, total / 2, total / 16 * 13 + 0x5678};
        regime(g, txsz);
        for (size_t i = 0; i < 8; i++)
            for (int level = first_level(g, txsz); level <= 3; level++) {
                uint64_t size = g->leaf[level], a = low_end + offsets[i / 2];
                uint64_t to = 0x800000000000 + 3 * size;
                if (!size)
                    continue;
                s1.sctlr = SCTLR_M | (i % 2 ? SCTLR_EE : 0);
                uint64_t at = build_path(g, txsz, level, a, 0, to | AF | leaf_type(level));
                bool ok = walk(a, &el1_read);
                ck_assert_msg(ok, "TxSZ %u level %d", txsz, level);
                ck_assert_uint_eq(leaf.page.v, (to + a % size) / PAGE_SIZE * PAGE_SIZE);
                ck_assert_uint_eq(leaf.leaf_size, size);
                ck_assert_uint_eq(leaf.level, (unsigned)level);
                put(at, 0);
                ck_assert(!walk(a, &el1_read));
                ck_fault(FAULT_TRANSLATION, 1, level, a);
            }
    }
}
END_TEST

/* The first address outside either range, and one with a single odd bit above it. */
START_TEST(outside_the_ranges)
{
    for (unsigned txsz = 16; txsz <= 39; txsz++) {
        const uint64_t total = (uint64_t)1 << (64 - txsz);
        const uint64_t outside[] = {total,
                                    (0 - total) - 1,
                                    (uint64_t)1 << 63,
                                    ~(uint64_t)0 >> 1,
                                    total | (uint64_t)1 << 54,
                                    (uint64_t)1 << 55,
                                    (uint64_t)1 << 56,
                                    ~((uint64_t)1 << 56)};
        regime(&granules[0], txsz);
        for (size_t i = 0; i < 8; i++) {
            ck_assert_msg(!walk(outside[i], &el1_read), "TxSZ %u case %zu", txsz, i);
            ck_fault(FAULT_TRANSLATION, 1, 0, outside[i]);
        }
    }
}
END_TEST

START_TEST(txsz_out_of_range)
{
    for (unsigned txsz = 0; txsz < 64; txsz++) {
        if (txsz >= 16 && txsz <= 39)
            continue;
        regime(&granules[0], 30);
        s1.tcr = TCR_IPS | (s1.tcr & ~(uint64_t)0x3f003f) | txsz | txsz << 16;
        ck_assert(!walk(0, &el1_read));
        ck_fault(FAULT_TRANSLATION, 1, 0, 0);
        ck_assert(!walk(~(uint64_t)0, &el1_read));
        ck_fault(FAULT_TRANSLATION, 1, 0, ~(uint64_t)0);
    }
}
END_TEST

START_TEST(ranges_have_their_own_shape)
{
    /* TTBR0: 64 KiB, 42 bits; TTBR1: 4 KiB, 39 bits. */
    regime(&granules[0], 25);
    s1.tcr = TCR_IPS | 22 | (uint64_t)1 << 14 | (uint64_t)25 << 16 | (uint64_t)2 << 30;
    uint64_t low = 0x123456789a, high = 0xffffff8000001000;
    s1.ttbr0 = BASE + 6 * MIB; /* level 2 */
    build_path(&granules[2], 22, 3, low, 0, 0x70000000 | AF | PAGE);
    build_path(&granules[0], 25, 3, high, 0, 0x80000000 | AF | PAGE);
    ck_assert(walk(low, &el1_read));
    ck_assert_uint_eq(leaf.page.v, 0x70007000);
    ck_assert_uint_eq(leaf.leaf_size, 0x10000);
    ck_assert(walk(high, &el1_read));
    ck_assert_uint_eq(leaf.page.v, 0x80000000);
}
END_TEST

START_TEST(missing_granules_read_as_4k)
{
    for (size_t i = 1; i < 3; i++) {
        regime(&granules[0], 25);
        build_path(&granules[0], 25, 3, 0x5000, 0, 0x70000000 | AF | PAGE);
        s1.tcr |= (uint64_t)granules[i].tg0 << 14;
        s1.has_16k = s1.has_64k = false;
        ck_assert(walk(0x5000, &el1_read));
        ck_assert_uint_eq(leaf.page.v, 0x70000000);
    }
}
END_TEST

START_TEST(epd_disables_a_range)
{
    regime(&granules[0], 25);
    build_path(&granules[0], 25, 3, 0, 0, AF | PAGE);
    build_path(&granules[0], 25, 3, ~(uint64_t)0, 0, AF | PAGE);
    ck_assert(walk(0, &el1_read) && walk(~(uint64_t)0, &el1_read));
    s1.tcr |= TCR_EPD0;
    ck_assert(!walk(0, &el1_read));
    ck_fault(FAULT_TRANSLATION, 1, 0, 0);
    ck_assert(walk(~(uint64_t)0, &el1_read));
    s1.tcr ^= TCR_EPD0 | TCR_EPD1;
    ck_assert(walk(0, &el1_read));
    ck_assert(!walk(~(uint64_t)0, &el1_read));
    ck_fault(FAULT_TRANSLATION, 1, 0, ~(uint64_t)0);
}
END_TEST

START_TEST(top_byte_ignored)
{
    const uint64_t low = 0x0000001234567000, high = 0xffffffff87654000;
    for (unsigned i = 0; i < 4; i++) {
        regime(&granules[0], 25);
        s1.tcr |= (i & 1 ? TCR_TBI0 : 0) | (i & 2 ? TCR_TBI1 : 0);
        build_path(&granules[0], 25, 3, low, 0, 0x70000000 | AF | PAGE);
        build_path(&granules[0], 25, 3, high, 0, 0x80000000 | AF | PAGE);
        for (uint64_t tag = 0; tag < 256; tag++) {
            uint64_t a = low | tag << 56, b = (high << 8 >> 8) | tag << 56;
            bool a_ok = tag == 0 || i & 1, b_ok = tag == 255 || i & 2;
            ck_assert_int_eq(walk(a, &el0_read), a_ok);
            ck_assert(a_ok || fault_is(FAULT_TRANSLATION, 1, 0, a)); /* FAR keeps the tag */
            ck_assert_int_eq(walk(b, &el0_read), b_ok);
            ck_assert_uint_eq(stage1_strip_tag(&s1, gva(a)).v, i & 1 ? low : a);
            ck_assert_uint_eq(stage1_strip_tag(&s1, gva(b)).v, i & 2 ? high : b);
        }
    }
}
END_TEST

START_TEST(asid_and_global)
{
    const struct {
        uint64_t tcr;
        unsigned asid;
    } cases[] = {{0, 0x34}, {TCR_AS, 0x1234}, {TCR_A1, 0xcd}, {TCR_A1 | TCR_AS, 0xabcd}};
    for (size_t i = 0; i < 4; i++) {
        regime(&granules[0], 25);
        s1.tcr |= cases[i].tcr;
        build_path(&granules[0], 25, 3, 0, 0, AF | PAGE | (i % 2 ? NG : 0));
        ck_assert(walk(0, &el1_read));
        ck_assert_uint_eq(leaf.asid, cases[i].asid);
        ck_assert_int_eq(leaf.global, i % 2 == 0);
    }
}
END_TEST

START_TEST(memory_type_is_mairs)
{
    regime(&granules[0], 25);
    s1.mair = 0x00ff44bb0c080400;
    static const uint8_t attr[8] = {0x00, 0x04, 0x08, 0x0c, 0xbb, 0x44, 0xff, 0x00};
    for (unsigned i = 0; i < 8; i++) {
        build_path(&granules[0], 25, 3, 0, 0, AF | PAGE | IDX(i));
        ck_assert(walk(0, &el1_read));
        ck_assert_uint_eq(leaf.attr, attr[i]);
        ck_assert_int_eq(leaf.device, attr[i] < 0x10);
    }
}
END_TEST

START_TEST(contiguous_bit_changes_nothing)
{
    regime(&granules[0], 25);
    build_path(&granules[0], 25, 3, 0x3000, 0, 0x70007000 | AF | PAGE | CONTIG);
    ck_assert(walk(0x3000, &el1_read));
    ck_assert_uint_eq(leaf.page.v, 0x70007000);
    ck_assert_uint_eq(leaf.leaf_size, PAGE_SIZE);
}
END_TEST

START_TEST(reserved_descriptors_fault)
{
    const struct granule *g = &granules[_i];
    regime(g, 16);
    for (int level = first_level(g, 16); level <= 3; level++)
        for (unsigned low = 0; low < 4; low++) {
            bool is_leaf = level == 3 ? low == 3 : low == 1 && g->leaf[level];
            if (is_leaf || (level < 3 && low == 3))
                continue;
            build_path(g, 16, level, 0x1000, 0, (BASE + 48 * MIB) | AF | low);
            ck_assert(!walk(0x1000, &el1_write));
            ck_fault(FAULT_TRANSLATION, 1, level, 0x1000);
            ck_assert_uint_eq(fault_status_code(&fault), 4u + (unsigned)level);
            ck_assert(fault.write);
        }
}
END_TEST

/* The output size is the smaller of TCR.IPS and what the CPU has. */
START_TEST(addresses_beyond_the_output_size_fault)
{
    static const unsigned size_of_ips[8] = {32, 36, 40, 42, 44, 48, 48, 48};
    static const unsigned pa_bits[] = {32, 40, 44, 48};
    const struct granule *g = &granules[_i];
    for (unsigned i = 0; i < 32; i++) {
        unsigned ips = i % 8, pa = pa_bits[i / 8];
        unsigned n = size_of_ips[ips] < pa ? size_of_ips[ips] : pa;
        uint64_t over = (uint64_t)1 << n;
        if (n == 48)
            continue; /* descriptors hold no more */
        regime(g, 16);
        s1.tcr = (s1.tcr & ~((uint64_t)7 << 32)) | (uint64_t)ips << 32;
        s1.pa_bits = pa;
        for (int level = first_level(g, 16); level <= 3; level++) {
            uint64_t type = g->leaf[level] ? leaf_type(level) : TABLE;
            uint64_t at = build_path(g, 16, level, 0, 0, over | AF | type);
            ck_assert(!walk(0, &el1_read));
            ck_fault(FAULT_ADDRESS_SIZE, 1, level, 0);
            ck_assert_uint_eq(fault_status_code(&fault), (unsigned)level);
            put(at, over | TABLE); /* as a table; at level 3 a page with AF clear */
            ck_assert(!walk(0, &el1_read));
            ck_fault(FAULT_ADDRESS_SIZE, 1, level, 0);
            if (g->leaf[level]) {
                put(at, (over - g->leaf[level]) | AF | type);
                ck_assert(walk(0, &el1_read));
                ck_assert_uint_eq(leaf.page.v, over - g->leaf[level]);
            }
        }
        s1.ttbr0 = over;
        ck_assert(!walk(0, &el1_read));
        ck_fault(FAULT_ADDRESS_SIZE, 1, 0, 0);
    }
}
END_TEST

START_TEST(wild_tables_are_external_aborts)
{
    const uint64_t nowhere[] = {0, BASE - MIB, BASE + 64 * MIB, 0xffffffff0000};
    const struct granule *g = &granules[_i];
    for (size_t i = 0; i < 4; i++) {
        regime(g, 16);
        for (int level = first_level(g, 16); level < 3; level++) {
            build_path(g, 16, level, 0, 0, nowhere[i] | TABLE);
            ck_assert(!walk(0, &el1_write));
            ck_fault(FAULT_EXTERNAL_ON_WALK, 1, level + 1, 0);
            ck_assert(!fault.write && !fault.s1ptw);
            ck_assert_uint_eq(fault_status_code(&fault), 0x14u + (unsigned)level + 1);
        }
        s1.ttbr0 = nowhere[i];
        ck_assert(!walk(0, &el1_write));
        ck_fault(FAULT_EXTERNAL_ON_WALK, 1, first_level(g, 16), 0);
    }
}
END_TEST

START_TEST(loops_end)
{
    const struct granule *g = &granules[_i];
    regime(g, 16);
    uint64_t table = s1.ttbr0 & 0xfffffffffffe;
    put(table, table | AF | TABLE);
    ck_assert(walk(0x123, &el1_read));
    ck_assert_uint_eq(leaf.page.v, table);
    ck_assert_uint_eq(leaf.level, 3);
}
END_TEST

/* "Data access permissions and instruction access permissions", EL1&0 stage 1 (Arm ARM D8.4), with
 * AP[2:1] the row, (UXN, PXN) and WXN the columns; EL1 then EL0. */
static const char *const effective[4][2][4] = {
    /* WXN = 0:  UXN,PXN = 0,0   0,1            1,0            1,1  ;  WXN = 1: the same order */
    {{"RWX -X", "RW -X", "RWX -", "RW -"}, {"RW -X", "RW -X", "RW -", "RW -"}},
    {{"RW RWX", "RW RWX", "RW RW", "RW RW"}, {"RW RW", "RW RW", "RW RW", "RW RW"}},
    {{"RX -X", "R -X", "RX -", "R -"}, {"RX -X", "R -X", "RX -", "R -"}},
    {{"RX RX", "R RX", "RX R", "R R"}, {"RX RX", "R RX", "RX R", "R R"}},
};
/* APTable[1:0] (row) on AP[2:1] (column): "no effect", "no EL0 access", "no writes", both. */
static const unsigned ap_below_table[4][4] = {
    {0, 1, 2, 3}, {0, 0, 2, 2}, {2, 3, 2, 3}, {2, 2, 2, 2}};

struct attributes {
    unsigned ap, pxn, uxn, wxn, ap_table, pxn_table, uxn_table, hpd;
};

/* What the tables say, as letters for one exception level. */
static const char *letters(const struct attributes *p, bool privileged)
{
    unsigned ap = p->hpd ? p->ap : ap_below_table[p->ap_table][p->ap];
    bool pxn = p->pxn || (p->pxn_table && !p->hpd), uxn = p->uxn || (p->uxn_table && !p->hpd);
    const char *both = effective[ap][p->wxn][2 * uxn + pxn];
    static char text[8];
    const char *space = strchr(both, ' ');
    if (!privileged)
        return space + 1;
    memcpy(text, both, (size_t)(space - both));
    text[space - both] = 0;
    return text;
}

static bool may(const struct attributes *p, const struct access *access)
{
    static const char letter[] = {[ACCESS_READ] = 'R', [ACCESS_WRITE] = 'W', [ACCESS_FETCH] = 'X'};
    /* PAN: EL1 data accesses to what EL0 can access fail; letters tell without looking at AP. */
    bool el0_data = strpbrk(letters(p, false), "RW") != NULL;
    if (access->privileged && access->pan && access->kind != ACCESS_FETCH && el0_data)
        return false;
    return strchr(letters(p, access->privileged), letter[access->kind]) != NULL;
}

static bool matrix_agrees(const struct attributes *p, uint64_t a)
{
    for (unsigned i = 0; i < 12; i++) {
        struct access access = {
            .kind = (enum access_kind)(i % 3), .privileged = i / 3 % 2, .pan = i / 6};
        bool expected = may(p, &access);
        if (allowed(a, &access) != expected)
            return false;
        if (!expected &&
            !(fault_is(FAULT_PERMISSION, 1, 3, a) && fault.write == (access.kind == ACCESS_WRITE) &&
              fault_status_code(&fault) == 0xf))
            return false;
    }
    return true;
}

/* All 2048 combinations of attributes (HPD in both ranges' bits) times 12 kinds of access. */
START_TEST(permission_matrix)
{
    const struct granule *g = &granules[0];
    for (unsigned i = 0; i < 2048; i++) {
        struct attributes p = {i & 3,      i >> 2 & 1, i >> 3 & 1, i >> 4 & 1,
                               i >> 5 & 3, i >> 7 & 1, i >> 8 & 1, i >> 9 & 1};
        uint64_t a = i >> 10 & 1 ? 0xffffffffffff7000 : 0x7000;
        regime(g, 16);
        s1.sctlr |= p.wxn ? SCTLR_WXN : 0;
        s1.tcr |= p.hpd ? (a >> 63 ? TCR_HPD1 : TCR_HPD0) : 0;
        /* The restriction is in one level's table descriptor only; which one varies. */
        uint64_t at = build_path(g, 16, 3, a, 0, AF | AP(p.ap) | PXN(p.pxn) | UXN(p.uxn) | PAGE);
        uint64_t table_bits = (uint64_t)p.ap_table << 61 | (uint64_t)p.pxn_table << 59 |
                              (uint64_t)p.uxn_table << 60 | (uint64_t)1 << 63 /* NSTable */;
        uint64_t table = entry_place(g, 16, (int)(i % 3), a);
        put(table, get(table) | table_bits);
        if (!matrix_agrees(&p, a))
            ck_abort_msg("ap %u pxn %u uxn %u wxn %u tables %u %u %u hpd %u", p.ap, p.pxn, p.uxn,
                         p.wxn, p.ap_table, p.pxn_table, p.uxn_table, p.hpd);
        put(table, 0);
        put(at, 0);
    }
}
END_TEST

START_TEST(hpd_needs_the_feature)
{
    regime(&granules[0], 25);
    s1.tcr |= TCR_HPD0;
    build_path(&granules[0], 25, 3, 0, (uint64_t)2 << 61, AF | PAGE);
    ck_assert(allowed(0, &el1_write));
    s1.has_hpd = false;
    ck_assert(!allowed(0, &el1_write));
}
END_TEST

START_TEST(cache_maintenance_permissions)
{
    const struct access cvac1 = {
        .kind = ACCESS_READ, .privileged = true, .pan = true, .cache_op = true};
    const struct access cvac0 = {.kind = ACCESS_READ, .cache_op = true};
    const struct access ivac1 = {.kind = ACCESS_WRITE, .privileged = true, .cache_op = true};
    static const bool expected[4][3] = {/* by AP: EL1 DC CVAC, EL0 DC CVAC, EL1 DC IVAC */
                                        {true, false, true},
                                        {true, true, true},
                                        {true, false, false},
                                        {true, true, false}};
    for (unsigned ap = 0; ap < 4; ap++) {
        regime(&granules[0], 25);
        build_path(&granules[0], 25, 3, 0, 0, AF | AP(ap) | PAGE);
        ck_assert_int_eq(allowed(0, &cvac1), expected[ap][0]);
        ck_assert_int_eq(allowed(0, &cvac0), expected[ap][1]);
        ck_assert(expected[ap][1] || fault.write); /* WnR is 1 for cache maintenance */
        ck_assert_int_eq(allowed(0, &ivac1), expected[ap][2]);
    }
}
END_TEST

START_TEST(access_flag)
{
    const struct granule *g = &granules[_i];
    const struct access look = {.kind = ACCESS_READ, .privileged = true, .inspect = true};
    const struct access at_read = {.kind = ACCESS_READ, .privileged = true, .translate_only = true};
    for (unsigned i = 0; i < 16; i++) {
        bool has = i & 1, ha = i & 2, big = i & 4;
        const struct access *access = i & 8 ? &at_read : &el0_read;
        regime(g, 16);
        s1.has_ha = has;
        s1.tcr |= ha ? TCR_HA : 0;
        s1.sctlr |= big ? SCTLR_EE : 0;
        for (int level = first_level(g, 16); level <= 3; level++) {
            if (!g->leaf[level])
                continue;
            uint64_t desc = AP(1) | leaf_type(level);
            uint64_t at = build_path(g, 16, level, 0, 0, desc);
            ck_assert(walk(0, &look));
            ck_assert_uint_eq(get(at), desc);
            ck_assert_int_eq(walk(0, access), has && ha);
            ck_assert_uint_eq(get(at), has && ha ? desc | AF : desc);
            if (!(has && ha)) {
                ck_fault(FAULT_ACCESS_FLAG, 1, level, 0);
                ck_assert_uint_eq(fault_status_code(&fault), 8u + (unsigned)level);
            }
        }
    }
}
END_TEST

/* Everything that decides about dirty state; the page is clean (AP[2] = 1) and DBM set, or not. */
START_TEST(dirty_state)
{
    enum { READ_1, WRITE_1, READ_0, WRITE_0, AT_0, AT_1, DC_1, LOOK_1, ACCESSES };
    const struct access accesses[ACCESSES] = {
        el1_read,
        el1_write,
        el0_read,
        el0_write,
        {.kind = ACCESS_WRITE, .translate_only = true},
        {.kind = ACCESS_WRITE, .privileged = true, .translate_only = true},
        {.kind = ACCESS_WRITE, .privileged = true, .cache_op = true},
        {.kind = ACCESS_WRITE, .privileged = true, .inspect = true},
    };
    for (unsigned i = 0; i < 64 * ACCESSES; i++) {
        unsigned n = i / 64;
        bool ha = i & 1, hd = i & 2, has = i & 4, dbm = i & 8, user = i & 16, ro_table = i & 32;
        regime(&granules[0], 25);
        s1.has_hd = has;
        s1.tcr |= (ha ? TCR_HA : 0) | (hd ? TCR_HD : 0);
        uint64_t desc = AF | AP(user ? 3 : 2) | (dbm ? DBM : 0) | PAGE;
        uint64_t at = build_path(&granules[0], 25, 3, 0, ro_table ? (uint64_t)2 << 61 : 0, desc);
        bool managed = ha && hd && has && dbm && !ro_table;
        bool dirties = managed && (n == WRITE_1 || (n == WRITE_0 && user));
        ck_assert(walk(0, &accesses[n]));
        ck_assert_uint_eq(get(at), dirties ? desc & ~AP(2) : desc);
        ck_assert_int_eq(leaf.writable_clean, managed && !dirties);
        ck_assert_int_eq((leaf.privileged & PERMIT_W) != 0, dirties);
        ck_assert_int_eq((leaf.unprivileged & PERMIT_W) != 0, dirties && user);
        bool reads = n == READ_1 || (n == READ_0 && user);
        bool writes =
            managed && (n == WRITE_1 || (user && (n == WRITE_0 || n == AT_0)) || n >= AT_1);
        ck_assert_int_eq(stage1_permits(&leaf, gva(0), &accesses[n], &fault), reads || writes);
    }
}
END_TEST

/* PAN refuses the write, so the page stays clean; WXN and the EL0-writable rule count clean pages
 * as writable. */
START_TEST(dirty_state_and_permissions)
{
    const struct access pan_write = {.kind = ACCESS_WRITE, .privileged = true, .pan = true};
    regime(&granules[0], 25);
    s1.tcr |= TCR_HA | TCR_HD;
    uint64_t desc = AP(3) | DBM | PAGE;
    uint64_t at = build_path(&granules[0], 25, 3, 0, 0, desc);
    ck_assert(!allowed(0, &pan_write));
    ck_fault(FAULT_PERMISSION, 1, 3, 0);
    ck_assert_uint_eq(get(at) & ~AF, desc);
    ck_assert(!allowed(0, &el1_fetch)); /* EL0 could write it */
    put(at, AP(2) | DBM | PAGE);
    ck_assert(allowed(0, &el1_fetch));
    s1.sctlr |= SCTLR_WXN;
    ck_assert(!allowed(0, &el1_fetch));
    ck_assert_uint_eq(get(at), AF | AP(2) | DBM | PAGE);
}
END_TEST

START_TEST(stage1_off)
{
    const uint64_t a = 0x8765432112;
    regime(&granules[0], 25);
    s1.sctlr = 0;
    s1.pa_bits = 40;
    ck_assert(walk(a, &el0_write));
    ck_assert_uint_eq(leaf.page.v, a & ~PAGE_MASK);
    ck_assert(leaf.device && leaf.attr == 0);
    const struct access pan = {.kind = ACCESS_WRITE, .privileged = true, .pan = true};
    s1.sctlr = SCTLR_WXN; /* neither PAN nor WXN means anything here */
    ck_assert(allowed(a, &el0_write) && allowed(a, &pan) && allowed(a, &el1_fetch));
    ck_assert(!leaf.device && leaf.attr == 0x44);
    s1.sctlr = SCTLR_I;
    ck_assert(walk(a, &el1_fetch) && leaf.attr == 0xaa);
    const uint64_t outside[] = {(uint64_t)1 << 40, (uint64_t)1 << 55, (uint64_t)1 << 56,
                                ~(uint64_t)0};
    for (size_t i = 0; i < 4; i++) {
        ck_assert(!walk(outside[i], &el1_read));
        ck_fault(FAULT_ADDRESS_SIZE, 1, 0, outside[i]);
    }
    s1.tcr |= TCR_TBI0;
    ck_assert(walk(a | (uint64_t)0x5a << 56, &el1_read));
    ck_assert_uint_eq(leaf.page.v, a & ~PAGE_MASK);
    ck_assert(!walk((uint64_t)1 << 54, &el1_read));
}
END_TEST

/* Stage 2 below: guest-physical GPA + x is board BASE + x for the first 32 MiB, in pages. */
#define GPA ((uint64_t)0x100000000)
static void stage2_below(void)
{
    struct error e = {0};
    ck_assert(memory_reserve(&board, hpa(BASE), 32 * MIB, &e));
    ck_assert(stage2_new(&s2, &board, 40, &e));
    for (uint64_t x = 0; x < 32 * MIB; x += PAGE_SIZE)
        ck_assert(stage2_map(&s2, &board, gpa(GPA + x), hpa(BASE + x), PAGE_SIZE,
                             PERMIT_R | PERMIT_W | PERMIT_X, &e));
}

/* A 4-level walk of address 0 through tables at GPA: level n's table is in stage 2's pages. */
static void stage1_above(uint64_t desc)
{
    regime(&granules[0], 16);
    for (int level = 0; level < 4; level++)
        put(entry_place(&granules[0], 16, level, 0),
            level < 3 ? (GPA + 2 * MIB * (uint64_t)(2 + level)) | TABLE : desc);
    s1.ttbr0 = GPA + 2 * MIB;
}

/* Where stage 2's descriptor for `a` at `level` is: by its own walk steps. */
static uint64_t found[4];
static void find(void *context, const struct walk_step *step)
{
    (void)context;
    found[step->level] = step->table_hpa.v;
}
static uint64_t stage2_entry(uint64_t a, int level)
{
    const struct walk_observer observer = {find, NULL};
    struct stage2_leaf below;
    struct fault ignored;
    stage2_inspect(&s2, &board, gpa(a), &observer, &below, &ignored);
    return found[level];
}

static bool stage2_fault_is(enum fault_class class, int level, uint64_t a)
{
    return fault_is(class, 2, level, 0x123) && fault.s1ptw && fault.gpa.v == a;
}

START_TEST(walk_goes_through_stage2)
{
    stage2_below();
    stage1_above(0x7654321000 | AF | PAGE);
    ck_assert(walk(0x123, &el1_read));
    ck_assert_uint_eq(leaf.page.v, 0x7654321000); /* guest-physical: stage 2 is the caller's */
}
END_TEST

/* Each fault of stage 2, on the table of each level of stage 1, at each level of stage 2. */
START_TEST(stage2_faults_on_the_walk)
{
    stage2_below();
    stage1_above(AF | PAGE);
    for (int s1_level = 0; s1_level < 4; s1_level++)
        for (int level = 1; level <= 3; level++) {
            uint64_t a = GPA + 2 * MIB * (uint64_t)(1 + s1_level);
            uint64_t at = stage2_entry(a, level), keep = get(at);
            /* What is put there instead, into table descriptors (T) or leaves (L), and what comes
             * of it. */
            const struct {
                const char *where;
                uint64_t desc;
                enum fault_class class;
                int level;
            } cases[] = {
                {"TL", 0, FAULT_TRANSLATION, level},
                {"TL", (uint64_t)1 << 44 | keep, FAULT_ADDRESS_SIZE, level},
                {"T", 0xfffff00000 | TABLE, FAULT_EXTERNAL_ON_WALK, level + 1},
                {"L", keep & ~AF, FAULT_ACCESS_FLAG, level},
                {"L", keep & ~AP(1), FAULT_PERMISSION, level}, /* S2AP[0]: not readable */
            };
            int hit = level == 1 ? 0 : s1_level; /* level 1 has one entry for all tables */
            s2.vtcr = (s2.vtcr & ~((uint64_t)7 << 16)) | (uint64_t)4 << 16; /* 44 bits */
            for (size_t i = 0; i < 5; i++) {
                if (!strchr(cases[i].where, level == 3 ? 'L' : 'T'))
                    continue;
                put(at, cases[i].desc);
                ck_assert(!walk(0x123, &el1_write));
                ck_assert_msg(stage2_fault_is(cases[i].class, cases[i].level,
                                              GPA + 2 * MIB * (uint64_t)(1 + hit)),
                              "levels %d %d case %zu", s1_level, level, i);
                ck_assert(!fault.write); /* reading the table failed, not the write */
                put(at, keep);
            }
            ck_assert(walk(0x123, &el1_write));
        }
}
END_TEST

START_TEST(table_updates_need_stage2_write)
{
    stage2_below();
    uint64_t last = GPA + 8 * MIB, entry = BASE + 8 * MIB, below = stage2_entry(last, 3);
    const struct access look = {.kind = ACCESS_WRITE, .privileged = true, .inspect = true};
    stage1_above(AP(2) | DBM | PAGE);
    s1.tcr |= TCR_HA | TCR_HD;
    uint64_t keep = get(below), desc = get(entry);
    put(below, keep & ~AP(2));          /* stage 2: read only */
    ck_assert(!walk(0x123, &el1_read)); /* must set AF */
    ck_assert(stage2_fault_is(FAULT_PERMISSION, 3, last) && fault.write);
    ck_assert(walk(0x123, &look));
    ck_assert_uint_eq(get(entry), desc);
    /* A write that stage 1 refuses is a stage 1 permission fault, whatever became of AF. */
    ck_assert(!allowed(0x123, &el0_write));
    ck_assert(fault_is(FAULT_PERMISSION, 1, 3, 0x123) && !fault.s1ptw);
    put(entry, desc | AF);
    ck_assert(walk(0x123, &el1_read)); /* nothing to update */
    ck_assert(!walk(0x123, &el1_write));
    ck_assert(stage2_fault_is(FAULT_PERMISSION, 3, last) && fault.write);
    /* With stage 2's own dirty state the update makes stage 2's page dirty too. */
    put(below, (keep & ~AP(2)) | DBM);
    s2.vtcr |= (uint64_t)3 << 21; /* HA, HD */
    ck_assert(walk(0x123, &el1_write));
    ck_assert_uint_eq(get(below), keep | DBM);
    ck_assert_uint_eq(get(entry), (desc | AF) & ~AP(2));
}
END_TEST

START_TEST(updates_mark_memory_dirty)
{
    struct sha256 s;
    regime(&granules[0], 25);
    s1.tcr |= TCR_HA;
    uint64_t at = build_path(&granules[0], 25, 3, 0, 0, PAGE);
    sha256_init(&s);
    memory_digest(&board, &s);
    ck_assert(walk(0, &el1_read));
    ck_assert(memory_is_dirty(&board, hpa(at)));
}
END_TEST

static struct walk_step seen[32];
static unsigned seen_count;
static void see(void *context, const struct walk_step *step)
{
    (void)context;
    ck_assert_uint_lt(seen_count, 32);
    seen[seen_count++] = *step;
}

/* Four stage 1 reads, each after the three stage 2 reads that find it. */
START_TEST(observer_sees_both_stages)
{
    const struct walk_observer observer = {see, NULL};
    stage2_below();
    stage1_above(PAGE);
    s1.tcr |= TCR_HA;
    seen_count = 0;
    ck_assert(stage1_walk(&s1, &s2, &board, gva(0x123), &el1_read, &observer, &leaf, &fault));
    ck_assert_uint_eq(seen_count, 16);
    for (unsigned i = 0; i < 16; i++) {
        unsigned s1_level = i / 4, level = i % 4;
        uint64_t table = GPA + 2 * MIB * (1 + s1_level);
        bool last = level == 3;
        ck_assert_uint_eq(seen[i].stage, last ? 1 : 2);
        ck_assert_int_eq(seen[i].level, (int)(last ? s1_level : level + 1));
        ck_assert_uint_eq(seen[i].input, last ? 0x123 : table);
        ck_assert_uint_eq(seen[i].table_gpa.v, last ? table : 0);
        if (last)
            ck_assert_uint_eq(seen[i].table_hpa.v, table - GPA + BASE);
    }
    ck_assert_uint_eq(seen[15].descriptor, PAGE); /* as it was read */
}
END_TEST

START_TEST(status_codes)
{
    const struct {
        enum fault_class class;
        unsigned code, steps; /* + level */
    } cases[] = {
        {FAULT_NONE, 0, 0},           {FAULT_ADDRESS_SIZE, 0x00, 1},
        {FAULT_TRANSLATION, 0x04, 1}, {FAULT_ACCESS_FLAG, 0x08, 1},
        {FAULT_PERMISSION, 0x0c, 1},  {FAULT_EXTERNAL_ON_WALK, 0x14, 1},
        {FAULT_EXTERNAL, 0x10, 0},    {FAULT_ALIGNMENT, 0x21, 0},
    };
    for (size_t i = 0; i < 8; i++)
        for (unsigned level = 0; level < 4; level++) {
            struct fault f = {.class = cases[i].class, .level = (int8_t)level};
            ck_assert_uint_eq(fault_status_code(&f), cases[i].code + cases[i].steps * level);
        }
}
END_TEST

/* Registers and tables of noise: any answer, but no crash, no hang, and nothing changed by a look.
 */
START_TEST(noise)
{
    uint64_t x = (uint64_t)_i * 0x9e3779b97f4a7c15 + 1;
    for (int i = 0; i < 20000; i++) {
        uint64_t r[8];
        for (size_t k = 0; k < 8; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            r[k] = x;
        }
        regime(&granules[r[0] % 3], 16 + (unsigned)(r[0] >> 8) % 24);
        s1.tcr ^= r[1] & (r[0] >> 16 & 1 ? ~(uint64_t)0 : (uint64_t)0x7ff << 32);
        s1.sctlr = r[2] | (r[0] >> 17 & 3 ? SCTLR_M : 0);
        s1.ttbr0 = BASE + (r[3] & 0x3fff000);
        s1.ttbr1 = r[0] >> 19 & 1 ? r[3] : s1.ttbr0;
        s2.on = r[0] >> 20 & 1;
        s2.vtcr = r[4];
        s2.vttbr = BASE + (r[5] & 0x3fff000);
        for (size_t k = 0; k < 4; k++) /* entries 0 and 511 of two tables, pointing into memory */
            put((r[3 + 2 * (k & 1)] & 0x3fff000) + BASE + (k & 2 ? 4088 : 0),
                (r[k] & ~(uint64_t)0xfffffc000000) | BASE | 1);
        struct access access = {.kind = (enum access_kind)(r[6] % 3),
                                .privileged = r[6] >> 2 & 1,
                                .pan = r[6] >> 3 & 1,
                                .cache_op = r[6] >> 4 & 1,
                                .translate_only = r[6] >> 5 & 1};
        uint64_t a = r[0] >> 21 & 1 ? r[7] : 0 - (r[7] & 1);
        ck_assert(!walk(a, &access) ? fault.class != FAULT_NONE : leaf.leaf_size >= PAGE_SIZE);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("all");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, every_shape_translates, 0, 6);
    tcase_add_test(c, outside_the_ranges);
    tcase_add_test(c, txsz_out_of_range);
    tcase_add_test(c, ranges_have_their_own_shape);
    tcase_add_test(c, missing_granules_read_as_4k);
    tcase_add_test(c, epd_disables_a_range);
    tcase_add_test(c, top_byte_ignored);
    tcase_add_test(c, asid_and_global);
    tcase_add_test(c, memory_type_is_mairs);
    tcase_add_test(c, contiguous_bit_changes_nothing);
    tcase_add_loop_test(c, reserved_descriptors_fault, 0, 3);
    tcase_add_loop_test(c, addresses_beyond_the_output_size_fault, 0, 3);
    tcase_add_loop_test(c, wild_tables_are_external_aborts, 0, 3);
    tcase_add_loop_test(c, loops_end, 0, 3);
    tcase_add_test(c, permission_matrix);
    tcase_add_test(c, hpd_needs_the_feature);
    tcase_add_test(c, cache_maintenance_permissions);
    tcase_add_loop_test(c, access_flag, 0, 3);
    tcase_add_test(c, dirty_state);
    tcase_add_test(c, dirty_state_and_permissions);
    tcase_add_test(c, stage1_off);
    tcase_add_test(c, walk_goes_through_stage2);
    tcase_add_test(c, stage2_faults_on_the_walk);
    tcase_add_test(c, table_updates_need_stage2_write);
    tcase_add_test(c, updates_mark_memory_dirty);
    tcase_add_test(c, observer_sees_both_stages);
    tcase_add_test(c, status_codes);
    tcase_add_loop_test(c, noise, 0, 4);
    return suite_main("stage 1", c);
}
