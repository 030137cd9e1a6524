/* Stage 2: the walk over hand-made tables of every shape, each fault, permissions, hardware
 * updates, and the builder against a naive map. Expected values are literal tables from the Arm ARM
 * or are computed by division, not by the shifts of the code under test. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/bytes.h"
#include "mmu/arm64/stage1.h"
#include "suite.h"

#define MIB  ((uint64_t)1 << 20)
#define GIB  ((uint64_t)1 << 30)
#define BASE ((uint64_t)0x40000000) /* of the bank that holds the tables */

#define AF         ((uint64_t)1 << 10)
#define DBM        ((uint64_t)1 << 51)
#define S2AP(x)    ((uint64_t)(x) << 6)
#define XN(x)      ((uint64_t)(x) << 53)
#define MEMATTR(x) ((uint64_t)(x) << 2)
#define TABLE      3u
#define PAGE       3u
#define BLOCK      1u
#define VTCR_HA    ((uint64_t)1 << 21)
#define VTCR_HD    ((uint64_t)1 << 22)
#define PS_48      ((uint64_t)5 << 16)
#define RWX        (AF | S2AP(3) | MEMATTR(15))

/* VTCR_EL2.TG0 of each granule, and the size of what an entry maps at levels 0 to 3 (Arm ARM D8.2,
 * tables of each granule); 0 = no leaf there. */
static const struct granule {
    unsigned page_bits, tg0;
    uint64_t leaf[4];
    uint64_t entries;
} granules[] = {
    {12, 0, {0, 0x40000000, 0x200000, 0x1000}, 512},
    {14, 2, {0, 0, 0x2000000, 0x4000}, 2048},
    {16, 1, {0, 0, 0x20000000, 0x10000}, 8192},
};

/* First level by SL0, with the input sizes it may be used for: the T0SZ ranges of "Implications of
 * the effective minimum and maximum 64-TxSZ for stage 2", concatenation included. */
static const struct start {
    unsigned granule, sl0;
    int level;
    unsigned least, most; /* bits of input */
} starts[] = {
    {0, 2, 0, 40, 48}, {0, 1, 1, 31, 43}, {0, 0, 2, 25, 34}, {1, 2, 1, 37, 48}, {1, 1, 2, 26, 40},
    {1, 0, 3, 25, 29}, {2, 2, 1, 43, 48}, {2, 1, 2, 30, 46}, {2, 0, 3, 25, 33},
};
#define STARTS (sizeof starts / sizeof *starts)

static struct memory board;
static struct fault fault;
static struct stage2_leaf leaf;

static void set_up(void)
{
    struct error e = {0};
    board = (struct memory){0};
    ck_assert(memory_add_bank(&board, hpa(BASE), 64 * MIB, &e));
    fault = (struct fault){0};
}

static void tear_down(void)
{
    memory_free(&board);
}

static uint64_t get(uint64_t at)
{
    return load_le(memory_at(&board, hpa(at), 8, MEMORY_READ), 8);
}

static void put(uint64_t at, uint64_t desc)
{
    store_le(memory_at(&board, hpa(at), 8, MEMORY_WRITE), desc, 8);
}

static uint64_t power(uint64_t base, int exponent)
{
    return exponent ? base * power(base, exponent - 1) : 1;
}

/* What one entry covers at `level`. */
static uint64_t entry_span(const struct granule *g, int level)
{
    return ((uint64_t)1 << g->page_bits) * power(g->entries, 3 - level);
}

/* Tables for one address, one a level, from `first` in steps of 2 MiB; returns where the descriptor
 * at `level` is. The first table may be up to 16 tables long. */
static uint64_t entry_place(const struct granule *g, int start, int level, uint64_t input)
{
    uint64_t table = BASE + 2 * MIB * (uint64_t)(1 + level);
    uint64_t number = input / entry_span(g, level);
    return table + 8 * (level == start ? number : number % g->entries);
}

static uint64_t build_path(const struct granule *g, int start, int level, uint64_t input,
                           uint64_t desc)
{
    for (int i = start; i < level; i++)
        put(entry_place(g, start, i, input), (BASE + 2 * MIB * (uint64_t)(2 + i)) | TABLE);
    uint64_t at = entry_place(g, start, level, input);
    put(at, desc);
    return at;
}

static struct stage2 regime(const struct start *s, unsigned input_bits)
{
    return (struct stage2){.on = true,
                           .vttbr = (BASE + 2 * MIB * (uint64_t)(1 + s->level)) |
                                    (uint64_t)0x1234 << 48 /* VMID */ | 1 /* CnP */,
                           .vtcr = PS_48 | (uint64_t)granules[s->granule].tg0 << 14 |
                                   (uint64_t)s->sl0 << 6 | (64 - input_bits)};
}

static bool walk(const struct stage2 *s2, uint64_t a)
{
    fault = (struct fault){0};
    return stage2_walk(s2, &board, gpa(a), false, NULL, &leaf, &fault);
}

static void ck_fault(enum fault_class class, int level, uint64_t a)
{
    ck_assert_int_eq(fault.class, class);
    ck_assert_int_eq(fault.level, level);
    ck_assert_uint_eq(fault.stage, 2);
    ck_assert_uint_eq(fault.gpa.v, a);
    ck_assert(!fault.s1ptw);
}

static uint64_t leaf_type(int level)
{
    return level == 3 ? PAGE : BLOCK;
}

START_TEST(off_is_the_identity)
{
    struct stage2 s2 = {.on = false, .vtcr = ~(uint64_t)0};
    ck_assert(walk(&s2, 0x123456789));
    ck_assert_uint_eq(leaf.page.v, 0x123456000);
    ck_assert_uint_eq(leaf.permits, PERMIT_R | PERMIT_W | PERMIT_X);
    ck_assert(leaf.x_el1 && leaf.x_el0 && !leaf.device);
}
END_TEST

/* Every granule, first level and input size the architecture has; the lowest, highest and a middle
 * address; every level at which a leaf can be. */
START_TEST(every_shape_translates)
{
    const struct start *s = &starts[_i];
    const struct granule *g = &granules[s->granule];
    for (unsigned n = s->least; n <= s->most; n++) {
        const uint64_t total = (uint64_t)1 << n;
        const uint64_t inputs[] = {0x321, total - 1, total / 2 - 1, total / 16 * 15 + 0x5678};
        struct stage2 s2 = regime(s, n);
        for (size_t i = 0; i < 4; i++)
            for (int level = s->level; level <= 3; level++) {
                uint64_t size = g->leaf[level], a = inputs[i], to = 0x800000000000 + 3 * size;
                if (!size)
                    continue;
                uint64_t at = build_path(g, s->level, level, a, to | RWX | leaf_type(level));
                ck_assert_msg(walk(&s2, a), "start %d bits %u level %d", _i, n, level);
                ck_assert_uint_eq(leaf.page.v, (to + a % size) / PAGE_SIZE * PAGE_SIZE);
                ck_assert_uint_eq(leaf.leaf_size, size);
                ck_assert_uint_eq(leaf.level, (unsigned)level);
                put(at, 0);
                ck_assert(!walk(&s2, a));
                ck_fault(FAULT_TRANSLATION, level, a);
            }
        ck_assert(!walk(&s2, total)); /* just beyond the input size */
        ck_fault(FAULT_TRANSLATION, 0, total);
        ck_assert(!walk(&s2, ~(uint64_t)0));
        ck_fault(FAULT_TRANSLATION, 0, ~(uint64_t)0);
    }
}
END_TEST

static bool is_shape(unsigned tg0, unsigned sl0, unsigned input_bits)
{
    for (size_t i = 0; i < STARTS; i++)
        if (granules[starts[i].granule].tg0 == tg0 && starts[i].sl0 == sl0 &&
            starts[i].least <= input_bits && input_bits <= starts[i].most)
            return true;
    return false;
}

/* All 4 x 4 x 64 values of TG0, SL0, T0SZ: what is not a shape is a translation fault at level 0.
 * The table refers to itself, so that a shape leads to a page, with AF clear. */
START_TEST(every_other_vtcr_faults)
{
    put(BASE, BASE | TABLE);
    for (unsigned tg0 = 0; tg0 < 4; tg0++)
        for (unsigned sl0 = 0; sl0 < 4; sl0++)
            for (unsigned t0sz = 0; t0sz < 64; t0sz++) {
                struct stage2 s2 = {.on = true, .vttbr = BASE};
                s2.vtcr = PS_48 | tg0 << 14 | sl0 << 6 | t0sz;
                ck_assert(!walk(&s2, 0));
                if (is_shape(tg0, sl0, 64 - t0sz))
                    ck_fault(FAULT_ACCESS_FLAG, 3, 0);
                else
                    ck_fault(FAULT_TRANSLATION, 0, 0);
            }
}
END_TEST

/* At every level of every granule: descriptors that are no descriptors there. */
START_TEST(reserved_descriptors_fault)
{
    const struct start *s = &starts[_i];
    const struct granule *g = &granules[s->granule];
    struct stage2 s2 = regime(s, s->least + 1);
    for (int level = s->level; level <= 3; level++)
        for (unsigned low = 0; low < 4; low++) {
            /* 0b00 and 0b10 are invalid everywhere; 0b01 is a block where there are blocks. */
            bool is_leaf = level == 3 ? low == 3 : low == 1 && g->leaf[level];
            bool is_table = level < 3 && low == 3;
            if (is_leaf || is_table)
                continue;
            build_path(g, s->level, level, 0x1000, (BASE + 32 * MIB) | RWX | low);
            ck_assert(!walk(&s2, 0x1000));
            ck_fault(FAULT_TRANSLATION, level, 0x1000);
        }
}
END_TEST

/* VTCR_EL2.PS: one bit too many in the table base, in a table descriptor, in a leaf. */
START_TEST(addresses_beyond_ps_fault)
{
    static const unsigned size_of_ps[8] = {32, 36, 40, 42, 44, 48, 48, 48};
    const struct start *s = &starts[_i];
    const struct granule *g = &granules[s->granule];
    for (unsigned ps = 0; ps < 5; ps++) {
        uint64_t over = (uint64_t)1 << size_of_ps[ps];
        struct stage2 s2 = regime(s, s->least + 1), wild = s2;
        wild.vtcr = s2.vtcr = (s2.vtcr & ~((uint64_t)7 << 16)) | (uint64_t)ps << 16;
        for (int level = s->level; level <= 3; level++) {
            uint64_t type = g->leaf[level] ? leaf_type(level) : TABLE;
            uint64_t at = build_path(g, s->level, level, 0, over | RWX | type);
            ck_assert(!walk(&s2, 0));
            ck_fault(FAULT_ADDRESS_SIZE, level, 0);
            put(at, over | TABLE); /* as a table (at level 3, a page with AF clear) */
            ck_assert(!walk(&s2, 0));
            ck_fault(FAULT_ADDRESS_SIZE, level, 0); /* comes before the access flag */
            if (g->leaf[level]) {
                put(at, (over - g->leaf[level]) | RWX | type); /* the last leaf that fits */
                ck_assert(walk(&s2, 0));
                ck_assert_uint_eq(leaf.page.v, over - g->leaf[level]);
            }
        }
        wild.vttbr = over;
        ck_assert(!walk(&wild, 0));
        ck_fault(FAULT_ADDRESS_SIZE, 0, 0);
    }
}
END_TEST

START_TEST(wild_tables_are_external_aborts)
{
    const struct start *s = &starts[_i];
    const struct granule *g = &granules[s->granule];
    const uint64_t nowhere[] = {0, BASE - MIB, BASE + 64 * MIB, 0xffffffff0000};
    struct stage2 s2 = regime(s, s->least + 1), wild = s2;
    for (size_t i = 0; i < 4; i++) {
        for (int level = s->level; level < 3; level++) {
            build_path(g, s->level, level, 0, nowhere[i] | TABLE);
            ck_assert(!walk(&s2, 0));
            ck_fault(FAULT_EXTERNAL_ON_WALK, level + 1, 0);
            ck_assert_uint_eq(fault_status_code(&fault), 0x14u + (unsigned)level + 1);
        }
        wild.vttbr = nowhere[i];
        ck_assert(!walk(&wild, 0));
        ck_fault(FAULT_EXTERNAL_ON_WALK, s->level, 0);
    }
}
END_TEST

/* A table that refers to itself is read once a level, and then is a page. */
START_TEST(loops_end)
{
    const struct start *s = &starts[_i];
    struct stage2 s2 = regime(s, s->least + 1);
    uint64_t table = BASE + 2 * MIB * (uint64_t)(1 + s->level);
    put(table, table | RWX | TABLE);
    ck_assert(walk(&s2, 0x123));
    ck_assert_uint_eq(leaf.page.v, table);
    ck_assert_uint_eq(leaf.level, 3);
    put(table, table | TABLE); /* AF clear: matters at level 3 only */
    ck_assert(!walk(&s2, 0x123));
    ck_fault(FAULT_ACCESS_FLAG, 3, 0x123);
}
END_TEST

START_TEST(access_flag)
{
    const struct start *s = &starts[_i];
    const struct granule *g = &granules[s->granule];
    struct stage2 s2 = regime(s, s->least + 1), ha = s2;
    ha.vtcr |= VTCR_HA;
    for (int level = s->level; level <= 3; level++) {
        if (!g->leaf[level])
            continue;
        uint64_t desc = (RWX & ~AF) | leaf_type(level);
        uint64_t at = build_path(g, s->level, level, 0, desc);
        ck_assert(!walk(&s2, 0));
        ck_fault(FAULT_ACCESS_FLAG, level, 0);
        ck_assert_uint_eq(get(at), desc);
        ck_assert(stage2_inspect(&ha, &board, gpa(0), NULL, &leaf, &fault));
        ck_assert(stage2_inspect(&s2, &board, gpa(0), NULL, &leaf, &fault));
        ck_assert_uint_eq(get(at), desc);
        ck_assert(walk(&ha, 0));
        ck_assert_uint_eq(get(at), desc | AF);
        ck_assert(walk(&s2, 0));
    }
}
END_TEST

/* HA, HD, DBM, S2AP[1] and the kind of access: only the one combination changes S2AP[1]. */
START_TEST(dirty_state)
{
    const struct start *s = &starts[1];
    for (unsigned i = 0; i < 32; i++) {
        bool ha = i & 1, hd = i & 2, dbm = i & 4, writable = i & 8, write = i & 16;
        struct stage2 s2 = regime(s, 40);
        s2.vtcr |= (ha ? VTCR_HA : 0) | (hd ? VTCR_HD : 0);
        uint64_t desc = AF | S2AP(writable ? 3 : 1) | MEMATTR(15) | (dbm ? DBM : 0) | PAGE;
        uint64_t at = build_path(&granules[0], 1, 3, 0x5000, desc);
        bool managed = ha && hd && dbm && !writable;
        ck_assert(stage2_inspect(&s2, &board, gpa(0x5000), NULL, &leaf, &fault));
        ck_assert_uint_eq(get(at), desc);
        ck_assert(stage2_walk(&s2, &board, gpa(0x5000), write, NULL, &leaf, &fault));
        ck_assert_uint_eq(get(at), managed && write ? desc | S2AP(2) : desc);
        ck_assert_int_eq(leaf.writable_clean, managed && !write);
        ck_assert_int_eq((leaf.permits & PERMIT_W) != 0, writable || (managed && write));
        struct access at_write = {.kind = ACCESS_WRITE, .translate_only = true};
        ck_assert_int_eq(stage2_permits(&leaf, gpa(0x5000), &at_write, &fault),
                         writable || managed);
    }
}
END_TEST

/* S2AP (00 none, 01 RO, 10 WO, 11 RW) and XN with and without FEAT_XNX: who executes. */
START_TEST(permissions)
{
    static const char *const data[4] = {"", "R", "W", "RW"};
    static const struct {
        bool xnx;
        unsigned xn;
        const char *who; /* executes: 1 = EL1, 0 = EL0 */
    } exec[] = {
        {true, 0, "10"},  {true, 1, "0"},   {true, 2, ""},  {true, 3, "1"},
        {false, 0, "10"}, {false, 1, "10"}, {false, 2, ""}, {false, 3, ""},
    };
    for (unsigned ap = 0; ap < 4; ap++)
        for (size_t x = 0; x < 8; x++)
            for (int level = 1; level <= 3; level++)
                for (unsigned who = 0; who < 2; who++) {
                    struct stage2 s2 = regime(&starts[1], 40);
                    s2.has_xnx = exec[x].xnx;
                    build_path(&granules[0], 1, level, 0,
                               AF | S2AP(ap) | XN(exec[x].xn) | leaf_type(level));
                    ck_assert(walk(&s2, 0));
                    const bool allowed[] = {
                        strchr(data[ap], 'R') != NULL,
                        strchr(data[ap], 'W') != NULL,
                        strchr(exec[x].who, who ? '1' : '0') != NULL,
                    };
                    const enum access_kind kinds[] = {ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH};
                    for (size_t k = 0; k < 3; k++) {
                        struct access a = {.kind = kinds[k], .privileged = who};
                        ck_assert_int_eq(stage2_permits(&leaf, gpa(0x77), &a, &fault), allowed[k]);
                        if (!allowed[k]) {
                            ck_fault(FAULT_PERMISSION, level, 0x77);
                            ck_assert_int_eq(fault.write, kinds[k] == ACCESS_WRITE);
                        }
                    }
                    ck_assert_int_eq(leaf.permits & PERMIT_X ? 1 : 0, strlen(exec[x].who) == 2);
                }
}
END_TEST

START_TEST(cache_maintenance)
{
    /* S2AP, EL1 DC CVAC, EL0 DC CVAC, EL1 DC IVAC */
    static const bool expected[4][3] = {
        {true, false, false}, {true, true, false}, {true, false, true}, {true, true, true}};
    for (unsigned ap = 0; ap < 4; ap++) {
        struct stage2 s2 = regime(&starts[1], 40);
        build_path(&granules[0], 1, 3, 0, AF | S2AP(ap) | PAGE);
        ck_assert(walk(&s2, 0));
        const struct access ops[] = {
            {.kind = ACCESS_READ, .privileged = true, .cache_op = true},
            {.kind = ACCESS_READ, .privileged = false, .cache_op = true},
            {.kind = ACCESS_WRITE, .privileged = true, .cache_op = true},
        };
        for (size_t i = 0; i < 3; i++) {
            ck_assert_int_eq(stage2_permits(&leaf, gpa(0), &ops[i], &fault), expected[ap][i]);
            ck_assert(expected[ap][i] || fault.write); /* WnR is 1 for cache maintenance */
        }
    }
}
END_TEST

START_TEST(memory_attributes)
{
    for (unsigned attr = 0; attr < 16; attr++) {
        struct stage2 s2 = regime(&starts[1], 40);
        build_path(&granules[0], 1, 3, 0, AF | S2AP(3) | MEMATTR(attr) | PAGE);
        ck_assert(walk(&s2, 0));
        ck_assert_uint_eq(leaf.memattr, attr);
        ck_assert_int_eq(leaf.device, attr < 4); /* 0b00xx */
    }
}
END_TEST

static struct walk_step seen[16];
static unsigned seen_count;
static void see(void *context, const struct walk_step *step)
{
    ck_assert_ptr_null(context);
    seen[seen_count++] = *step;
}

START_TEST(observer_sees_each_read)
{
    const struct walk_observer observer = {see, NULL};
    struct stage2 s2 = regime(&starts[1], 40);
    uint64_t a = 0xff5a7c4123;
    uint64_t at = build_path(&granules[0], 1, 3, a, RWX | PAGE);
    seen_count = 0;
    ck_assert(stage2_walk(&s2, &board, gpa(a), false, &observer, &leaf, &fault));
    ck_assert_uint_eq(seen_count, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(seen[i].stage, 2);
        ck_assert_int_eq(seen[i].level, i + 1);
        ck_assert_uint_eq(seen[i].input, a);
        ck_assert_uint_eq(seen[i].table_hpa.v, entry_place(&granules[0], 1, i + 1, a));
        ck_assert_uint_eq(seen[i].descriptor, get(seen[i].table_hpa.v));
    }
    ck_assert_uint_eq(seen[0].index, 1021); /* two concatenated tables: 10 bits */
    ck_assert_uint_eq(seen[2].table_hpa.v, at);
}
END_TEST

/* The builder. A naive map of the first 3 GiB is kept at 4 KiB grain. */
#define MAP_PAGES (3 * GIB / PAGE_SIZE)
static struct {
    uint64_t to; /* 0 = not mapped; board addresses start above 0 */
    unsigned attributes;
} map[MAP_PAGES];

static uint64_t random_state;
static uint64_t random_below(uint64_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 20) % limit;
}

/* One assertion a page at most: Check makes a system call for each. */
static bool page_is_as_mapped(const struct stage2 *s2, uint64_t page)
{
    unsigned attributes = map[page].attributes;
    if (!walk(s2, page * PAGE_SIZE + 0x10))
        return map[page].to == 0 && fault.class == FAULT_TRANSLATION;
    return leaf.page.v == map[page].to && leaf.permits == (attributes & 7) &&
           leaf.device == ((attributes & GUEST_TABLES_DEVICE) != 0) &&
           leaf.memattr == (attributes & GUEST_TABLES_DEVICE ? 1 : 15);
}

static void check_page(const struct stage2 *s2, uint64_t page)
{
    if (!page_is_as_mapped(s2, page))
        ck_abort_msg("page %#llx", (unsigned long long)page);
}

static void random_map(struct stage2 *s2)
{
    static const uint64_t units[] = {1, 512, 262144};
    uint64_t unit = units[random_below(3)], span = unit * (1 + random_below(3));
    uint64_t from = random_below(MAP_PAGES) / unit * unit, to;
    to = (1 + random_below(1000)) * (random_below(2) ? unit : 1);
    if (random_below(4) == 0) {
        span = 1 + random_below(2000);
        from = random_below(MAP_PAGES);
    }
    if (span > MAP_PAGES - from)
        span = MAP_PAGES - from;
    unsigned attributes = (unsigned)random_below(16);
    bool unmap = random_below(4) == 0;
    struct error e = {0};
    gpa_t at = gpa(from * PAGE_SIZE);
    ck_assert(
        unmap ? stage2_unmap(s2, &board, at, span * PAGE_SIZE, &e)
              : stage2_map(s2, &board, at, hpa(to * PAGE_SIZE), span * PAGE_SIZE, attributes, &e));
    for (uint64_t i = 0; i < span; i++) {
        map[from + i].to = unmap ? 0 : (to + i) * PAGE_SIZE;
        map[from + i].attributes = attributes;
    }
}

START_TEST(builder_matches_a_naive_map)
{
    struct stage2 s2;
    struct error e = {0};
    memset(map, 0, sizeof map);
    random_state = (uint64_t)_i;
    ck_assert(stage2_new(&s2, &board, 32 + 4 * (unsigned)_i, &e));
    for (int round = 0; round < 60; round++) {
        random_map(&s2);
        for (int i = 0; i < 2000; i++)
            check_page(&s2, random_below(MAP_PAGES));
    }
    for (uint64_t page = 0; page < MAP_PAGES; page++)
        check_page(&s2, page);
}
END_TEST

START_TEST(new_covers_exactly_its_input)
{
    for (unsigned n = 32; n <= 48; n++) {
        struct stage2 s2;
        struct error e = {0};
        uint64_t last = ((uint64_t)1 << n) - PAGE_SIZE;
        ck_assert(stage2_new(&s2, &board, n, &e));
        ck_assert(is_shape(s2.vtcr >> 14 & 3, s2.vtcr >> 6 & 3, n));
        ck_assert(!walk(&s2, last));
        ck_assert(stage2_map(&s2, &board, gpa(last), hpa(BASE), PAGE_SIZE, PERMIT_R, &e));
        ck_assert(stage2_map(&s2, &board, gpa(0), hpa(BASE), PAGE_SIZE, PERMIT_R, &e));
        ck_assert(walk(&s2, last) && leaf.page.v == BASE && leaf.permits == PERMIT_R);
        ck_assert(walk(&s2, 0));
        ck_assert(!stage2_map(&s2, &board, gpa(last), hpa(BASE), 2 * PAGE_SIZE, PERMIT_R, &e));
        ck_assert(!walk(&s2, last + PAGE_SIZE));
        ck_fault(FAULT_TRANSLATION, 0, last + PAGE_SIZE);
    }
}
END_TEST

START_TEST(blocks_where_alignment_allows)
{
    struct stage2 s2;
    struct error e = {0};
    ck_assert(stage2_new(&s2, &board, 40, &e));
    /* From 2 MiB - 4 KiB to 2 GiB + 2 MiB + 4 KiB, equally aligned on both sides. */
    uint64_t from = 2 * MIB - PAGE_SIZE, size = 2 * GIB + 2 * PAGE_SIZE;
    ck_assert(stage2_map(&s2, &board, gpa(from), hpa(4 * GIB + from), size, 7, &e));
    const struct {
        uint64_t at, size;
    } expected[] = {
        {from, PAGE_SIZE},
        {2 * MIB, 2 * MIB},
        {GIB - 1, 2 * MIB},
        {GIB, GIB},
        {2 * GIB - 1, GIB},
        {2 * GIB, 2 * MIB},
        {2 * GIB + 2 * MIB, PAGE_SIZE},
    };
    for (size_t i = 0; i < 7; i++) {
        ck_assert(walk(&s2, expected[i].at));
        ck_assert_uint_eq(leaf.leaf_size, expected[i].size);
        ck_assert_uint_eq(leaf.page.v, 4 * GIB + (expected[i].at & ~PAGE_MASK));
    }
    ck_assert(!walk(&s2, from - 1));
    ck_assert(!walk(&s2, from + size));
    /* There are no blocks at level 0, however large the mapping. */
    struct stage2 large;
    ck_assert(stage2_new(&large, &board, 48, &e));
    ck_assert(stage2_map(&large, &board, gpa(512 * GIB), hpa(0), 1024 * GIB, 7, &e));
    ck_assert(walk(&large, 1536 * GIB - 1) && leaf.leaf_size == GIB);
    ck_assert_uint_eq(leaf.page.v, 1024 * GIB - PAGE_SIZE);
    /* The same with the output 4 KiB off: pages only. */
    ck_assert(stage2_map(&s2, &board, gpa(8 * GIB), hpa(8 * GIB + PAGE_SIZE), 4 * MIB, 7, &e));
    ck_assert(walk(&s2, 8 * GIB) && leaf.leaf_size == PAGE_SIZE);
}
END_TEST

START_TEST(bad_mappings_are_refused)
{
    const struct {
        uint64_t from, to, size;
    } bad[] = {
        {1, 0, PAGE_SIZE},
        {0, 0x800, PAGE_SIZE},
        {0, 0, 0x1800},
        {(uint64_t)1 << 40, 0, PAGE_SIZE},
        {0, (uint64_t)1 << 48, PAGE_SIZE},
        {0, ((uint64_t)1 << 48) - PAGE_SIZE, 2 * PAGE_SIZE},
        {0x1000, 0, ~PAGE_MASK},
    };
    struct stage2 s2;
    struct error e = {0};
    ck_assert(stage2_new(&s2, &board, 40, &e));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        e = (struct error){0};
        ck_assert(!stage2_map(&s2, &board, gpa(bad[i].from), hpa(bad[i].to), bad[i].size, 7, &e));
        ck_assert(e.text[0]);
    }
}
END_TEST

/* Prepared, then committed: when memory for tables ends, what was mapped translates as before. */
START_TEST(failing_to_map_changes_no_translation)
{
    struct stage2 s2;
    struct error e = {0};
    hpa_t page;
    ck_assert(stage2_new(&s2, &board, 40, &e));
    ck_assert(stage2_map(&s2, &board, gpa(0), hpa(BASE), GIB, PERMIT_R, &e));
    while (memory_available(&board) > 3 * PAGE_SIZE)
        ck_assert(memory_take_aligned(&board, PAGE_SIZE, &page));
    /* Splits the block of 1 GiB, one of 2 MiB, needs the third for another, and lacks a fourth. */
    ck_assert(!stage2_map(&s2, &board, gpa(PAGE_SIZE), hpa(0), 4 * MIB, PERMIT_W, &e));
    ck_assert(e.text[0]);
    for (uint64_t a = 0; a < 8 * MIB; a += PAGE_SIZE) {
        ck_assert(walk(&s2, a));
        ck_assert_uint_eq(leaf.page.v, BASE + a);
        ck_assert_uint_eq(leaf.permits, PERMIT_R);
    }
    ck_assert(walk(&s2, GIB - 1) && leaf.page.v == BASE + GIB - PAGE_SIZE);
    struct stage2 other;
    while (memory_take_aligned(&board, PAGE_SIZE, &page))
        ;
    ck_assert(!stage2_new(&other, &board, 40, &e));
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("all");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, off_is_the_identity);
    tcase_add_loop_test(c, every_shape_translates, 0, STARTS);
    tcase_add_test(c, every_other_vtcr_faults);
    tcase_add_loop_test(c, reserved_descriptors_fault, 0, STARTS);
    tcase_add_loop_test(c, addresses_beyond_ps_fault, 0, STARTS);
    tcase_add_loop_test(c, wild_tables_are_external_aborts, 0, STARTS);
    tcase_add_loop_test(c, loops_end, 0, STARTS);
    tcase_add_loop_test(c, access_flag, 0, STARTS);
    tcase_add_test(c, dirty_state);
    tcase_add_test(c, permissions);
    tcase_add_test(c, cache_maintenance);
    tcase_add_test(c, memory_attributes);
    tcase_add_test(c, observer_sees_each_read);
    tcase_add_loop_test(c, builder_matches_a_naive_map, 0, 4);
    tcase_add_test(c, new_covers_exactly_its_input);
    tcase_add_test(c, blocks_where_alignment_allows);
    tcase_add_test(c, bad_mappings_are_refused);
    tcase_add_test(c, failing_to_map_changes_no_translation);
    return suite_main("stage 2", c);
}
