/* The board's memory: banks, marks, the allocator, the incremental digest. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/memory.h"
#include "suite.h"

#define MIB ((uint64_t)1 << 20)

/* A fixed linear congruential sequence (Knuth, TAOCP 3.3.4), so that failures repeat. */
static uint64_t random_state;
static uint64_t random_below(uint64_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 20) % limit;
}

static struct memory board_of(const struct memory_chunk *banks, size_t count)
{
    struct memory m = {0};
    struct error e = {0};
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(memory_add_bank(&m, banks[i].base, banks[i].size, &e), "%s", e.text);
    return m;
}

/* Two ordinary banks, one that begins and ends inside 2 MiB groups, and a single page. */
static struct memory odd_board(void)
{
    const struct memory_chunk banks[] = {
        {{0x8000000000}, 32 * MIB},
        {{0x40000000}, 64 * MIB},
        {{0x101ff000}, 5 * MIB + 0x3000},
        {{0x1000}, PAGE_SIZE},
    };
    return board_of(banks, 4);
}

static struct digest digest_of(struct memory *m)
{
    struct sha256 s;
    sha256_init(&s);
    memory_digest(m, &s);
    return sha256_end(&s);
}

static bool equal(struct digest a, struct digest b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

START_TEST(banks_are_sorted_and_zero)
{
    struct memory m = odd_board();
    ck_assert_uint_eq(m.bank_count, 4);
    for (size_t i = 0; i + 1 < m.bank_count; i++)
        ck_assert_uint_lt(m.banks[i].base.v, m.banks[i + 1].base.v);
    for (size_t i = 0; i < m.bank_count; i++) {
        const uint8_t *p = memory_at(&m, m.banks[i].base, m.banks[i].size, MEMORY_READ);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p & PAGE_MASK, 0);
        ck_assert_uint_eq(p[0] | p[m.banks[i].size - 1], 0);
    }
    memory_free(&m);
    ck_assert_uint_eq(m.bank_count, 0);
}
END_TEST

START_TEST(bad_banks_are_refused)
{
    const struct memory_chunk bad[] = {
        {{0x40000000}, 0},
        {{0x40000800}, PAGE_SIZE},
        {{0x50000000}, PAGE_SIZE + 1},
        {{0x40000000}, PAGE_SIZE},                            /* same as an existing one */
        {{0x3ffff000}, 2 * PAGE_SIZE},                        /* overlaps its start */
        {{0x40000000 + 64 * MIB - PAGE_SIZE}, 4 * PAGE_SIZE}, /* its end */
        {{0x30000000}, 0x80000000},                           /* contains it */
        {{(uint64_t)1 << 48}, PAGE_SIZE},
        {{((uint64_t)1 << 48) - PAGE_SIZE}, 2 * PAGE_SIZE},
        {{0xfffffffffffff000}, PAGE_SIZE},
    };
    struct memory m = odd_board();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error e = {0};
        ck_assert_msg(!memory_add_bank(&m, bad[i].base, bad[i].size, &e), "case %zu", i);
        ck_assert_msg(e.text[0], "case %zu", i);
    }
    struct error e = {0};
    ck_assert(memory_add_bank(&m, hpa(0x40000000 + 64 * MIB), PAGE_SIZE, &e));  /* just behind */
    ck_assert(memory_add_bank(&m, hpa(0x40000000 - PAGE_SIZE), PAGE_SIZE, &e)); /* just before */
    memory_free(&m);
}
END_TEST

START_TEST(no_more_banks_than_there_is_room_for)
{
    struct memory m = {0};
    struct error e = {0};
    for (uint64_t i = 0; i < MEMORY_BANKS_MAX; i++)
        ck_assert(memory_add_bank(&m, hpa((MEMORY_BANKS_MAX - i) * 16 * MIB), PAGE_SIZE, &e));
    ck_assert(!memory_add_bank(&m, hpa(0), PAGE_SIZE, &e));
    memory_free(&m);
}
END_TEST

static struct {
    size_t taken, given, limit;
} asked;

static void *take_up_to(size_t size)
{
    if (size > asked.limit)
        return NULL;
    asked.taken += size;
    return calloc(1, size);
}

static void give_up(void *memory, size_t size)
{
    asked.given += size;
    free(memory);
}

START_TEST(the_host_gives_the_memory)
{
    const struct memory_host host = {take_up_to, give_up};
    struct memory m = {0};
    struct error e = {0};
    memory_use_host(&host);
    asked.limit = 8 * MIB;
    ck_assert(memory_add_bank(&m, hpa(0x40000000), 4 * MIB, &e));
    ck_assert(!memory_add_bank(&m, hpa(0x80000000), 16 * MIB, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "the host has no room"));
    ck_assert_uint_eq(asked.given, 0);
    ck_assert_uint_ge(asked.taken, 4 * MIB);
    ck_assert_uint_lt(asked.taken, 5 * MIB);
    ck_assert_ptr_nonnull(memory_at(&m, hpa(0x40000000), 4 * MIB, MEMORY_WRITE));
    memory_free(&m);
    ck_assert_uint_eq(asked.given, asked.taken);
    asked.limit = SIZE_MAX;
}
END_TEST

START_TEST(pointers_only_inside_one_bank)
{
    const uint64_t base = 0x40000000, size = 64 * MIB;
    const struct {
        uint64_t at, size;
        bool inside;
    } cases[] = {
        {base, 1, true},
        {base, size, true},
        {base, size + 1, false},
        {base - 1, 1, false},
        {base - 1, 2, false},
        {base + size - 8, 8, true},
        {base + size - 7, 8, false},
        {base + size, 1, false},
        {base + 5, UINT64_MAX, false},
        {UINT64_MAX, 8, false},
        {0x1000, PAGE_SIZE, true},
        {0x1fff, 2, false},
        {0, 8, false},
        {0x8000000000 + 32 * MIB - 1, 1, true},
    };
    struct memory m = odd_board();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *p = memory_at(&m, hpa(cases[i].at), cases[i].size, MEMORY_READ);
        ck_assert_msg((p != NULL) == cases[i].inside, "case %zu", i);
    }
    uint8_t *first = memory_at(&m, hpa(base), 1, MEMORY_READ);
    ck_assert_ptr_eq(memory_at(&m, hpa(base + 0x12345), 1, MEMORY_READ), first + 0x12345);
    memory_free(&m);
}
END_TEST

START_TEST(writes_mark_exactly_their_pages)
{
    struct memory m = odd_board();
    const uint64_t base = 0x101ff000;
    memory_at(&m, hpa(base), PAGE_SIZE, MEMORY_READ);
    ck_assert(!memory_is_dirty(&m, hpa(base)));
    memory_at(&m, hpa(base + 2 * PAGE_SIZE - 1), 2, MEMORY_WRITE);
    const bool expected[] = {false, true, true, false};
    for (uint64_t i = 0; i < 4; i++)
        ck_assert_int_eq(memory_is_dirty(&m, hpa(base + i * PAGE_SIZE)), expected[i]);
    ck_assert(!memory_is_dirty(&m, hpa(0xdead000))); /* no memory there */
    digest_of(&m);
    for (uint64_t i = 0; i < 4; i++)
        ck_assert(!memory_is_dirty(&m, hpa(base + i * PAGE_SIZE)));
    memory_free(&m);
}
END_TEST

static size_t written_pages(const struct memory *m, enum memory_follower who, uint64_t *first)
{
    size_t count = 0;
    for (hpa_t page = {0}; memory_next_written(m, who, &page); page.v += PAGE_SIZE)
        if (!count++)
            *first = page.v;
    return count;
}

static void forget(struct memory *m, enum memory_follower who)
{
    if (who == MEMORY_DIGESTS)
        digest_of(m);
    else
        memory_forget_written(m, who);
}

/* What one forgets the others keep; and a page is dirty only while all of them have its mark. */
START_TEST(followers_forget_alone)
{
    const uint64_t pages[] = {0x1000, 0x10200000, 0x105ff000, 0x40000000, 0x8000000000};
    const size_t count = sizeof pages / sizeof *pages;
    struct memory m = odd_board();
    uint64_t first = 0;
    for (size_t i = 0; i < count; i++)
        memory_at(&m, hpa(pages[i]), 1, MEMORY_WRITE);
    for (unsigned who = 0; who < MEMORY_FOLLOWERS; who++) {
        for (unsigned other = 0; other < MEMORY_FOLLOWERS; other++)
            ck_assert_uint_eq(written_pages(&m, other, &first), other < who ? 0 : count);
        ck_assert_int_eq(memory_is_dirty(&m, hpa(pages[1])), who == 0);
        forget(&m, who);
    }
    for (unsigned who = 0; who < MEMORY_FOLLOWERS; who++) {
        memory_at(&m, hpa(pages[2] + 8), 1, MEMORY_WRITE);
        ck_assert(memory_is_dirty(&m, hpa(pages[2])));
        ck_assert_uint_eq(written_pages(&m, who, &first), 1);
        ck_assert_uint_eq(first, pages[2]);
        forget(&m, who);
        ck_assert_uint_eq(written_pages(&m, who, &first), 0);
        ck_assert(!memory_is_dirty(&m, hpa(pages[2])));
    }
    memory_free(&m);
}
END_TEST

/* A page that comes later is new to everybody but digests, which know its hash. */
START_TEST(what_is_expected_is_written)
{
    struct memory m = odd_board();
    struct hash128 hash = {1, 2};
    uint64_t first = 0;
    ck_assert(memory_expect(&m, hpa(0x40003000), hash));
    for (unsigned who = 0; who < MEMORY_FOLLOWERS; who++)
        ck_assert_uint_eq(written_pages(&m, who, &first), who != MEMORY_DIGESTS);
    ck_assert_uint_eq(first, 0x40003000);
    ck_assert(!memory_is_dirty(&m, hpa(0x40003000)));
    memory_free(&m);
}
END_TEST

START_TEST(touched_pages_are_listed_in_order)
{
    const uint64_t pages[] = {0x1000,     0x101ff000, 0x10200000, 0x105ff000,  0x40000000,
                              0x4003f000, 0x40040000, 0x43fff000, 0x8000000000};
    const size_t count = sizeof pages / sizeof *pages;
    struct memory m = odd_board();
    for (size_t i = count; i-- > 0;)
        memory_at(&m, hpa(pages[i] + 5), 1, MEMORY_WRITE);
    digest_of(&m); /* clean, but touched */
    hpa_t page = hpa(0);
    for (size_t i = 0; i < count; i++, page.v += PAGE_SIZE) {
        ck_assert(memory_next_touched(&m, &page));
        ck_assert_uint_eq(page.v, pages[i]);
    }
    ck_assert(!memory_next_touched(&m, &page));
    page = hpa(UINT64_MAX & ~PAGE_MASK);
    ck_assert(!memory_next_touched(&m, &page));
    memory_free(&m);
}
END_TEST

/* Marks the chunk's pages as handed out; fails if one was before, or is not memory. */
static uint64_t claim(struct memory *m, const struct memory_chunk *c)
{
    ck_assert_uint_eq((c->base.v | c->size) & PAGE_MASK, 0);
    for (uint64_t at = 0; at < c->size; at += PAGE_SIZE) {
        uint8_t *p = memory_at(m, hpa(c->base.v + at), PAGE_SIZE, MEMORY_READ);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq(*p, 0);
        *p = 1;
    }
    return c->size;
}

START_TEST(allocator_gives_everything_once)
{
    const uint64_t requests[] = {512 * MIB, PAGE_SIZE, 3 * MIB, 0x7000, 2 * MIB, 100 * PAGE_SIZE};
    struct memory m = odd_board();
    struct error e = {0};
    const uint64_t total = 101 * MIB + 0x4000;
    ck_assert_uint_eq(memory_available(&m), total);
    ck_assert(memory_reserve(&m, hpa(0x40100000), MIB, &e));
    ck_assert(memory_reserve(&m, hpa(0x40000000), PAGE_SIZE, &e));
    uint64_t got = 0, expected = total - MIB - PAGE_SIZE;
    struct memory_chunk c;
    for (size_t i = 0; memory_take(&m, requests[i % 6], &c); i++) {
        ck_assert_uint_le(c.size, requests[i % 6]);
        ck_assert(c.base.v + c.size <= 0x40100000 || c.base.v >= 0x40200000);
        ck_assert_uint_ne(c.base.v, 0x40000000);
        got += claim(&m, &c);
        ck_assert_uint_eq(memory_available(&m), expected - got);
    }
    ck_assert_uint_eq(got, expected);
    hpa_t page;
    ck_assert(!memory_take_aligned(&m, PAGE_SIZE, &page));
    memory_free(&m);
}
END_TEST

START_TEST(large_requests_get_whole_aligned_groups_while_there_are_any)
{
    struct memory m = odd_board();
    struct memory_chunk c;
    uint64_t in_groups = 0;
    while (memory_take(&m, 512 * MIB, &c) && c.size >= 2 * MIB) {
        ck_assert_uint_eq((c.base.v | c.size) & (2 * MIB - 1), 0);
        in_groups += claim(&m, &c);
    }
    ck_assert_uint_eq(in_groups, 64 * MIB + 32 * MIB + 4 * MIB);
    memory_free(&m);
}
END_TEST

static struct memory_chunk told[8];
static unsigned told_count;

static void note_change(void *context, hpa_t a, uint64_t size)
{
    ck_assert_ptr_eq(context, told);
    told[told_count++] = (struct memory_chunk){a, size};
}

/* Whoever keeps code is told of its part before it changes, and only of pages of code. */
START_TEST(changes_of_code_are_told)
{
    struct memory m = odd_board();
    uint64_t base = m.banks[1].base.v;
    told_count = 0;
    memory_watch_code(&m, note_change, told);
    memory_at(&m, hpa(base), 3 * PAGE_SIZE, MEMORY_WRITE);
    ck_assert_uint_eq(told_count, 0);
    memory_set_code(&m, hpa(base), true);
    memory_set_code(&m, hpa(base + 2 * PAGE_SIZE), true);
    ck_assert(memory_is_code(&m, hpa(base + 8)) && !memory_is_code(&m, hpa(base + PAGE_SIZE)));
    ck_assert(!memory_is_code(&m, hpa(UINT64_MAX & ~PAGE_MASK)));
    memory_at(&m, hpa(base + 8), 3 * PAGE_SIZE - 16, MEMORY_READ);
    ck_assert_uint_eq(told_count, 0);
    memory_at(&m, hpa(base + 8), 3 * PAGE_SIZE - 16, MEMORY_WRITE);
    ck_assert_uint_eq(told_count, 2);
    ck_assert(told[0].base.v == base + 8 && told[0].size == PAGE_SIZE - 8);
    ck_assert(told[1].base.v == base + 2 * PAGE_SIZE && told[1].size == PAGE_SIZE - 8);
    memory_set_code(&m, hpa(base), false);
    memory_at(&m, hpa(base), PAGE_SIZE, MEMORY_WRITE);
    ck_assert_uint_eq(told_count, 2);
    memory_free(&m);
}
END_TEST

START_TEST(pages_have_numbers_of_their_own)
{
    struct memory m = odd_board();
    size_t number = 0;
    for (size_t i = 0; i < m.bank_count; i++)
        for (uint64_t at = 0; at < m.banks[i].size; at += PAGE_SIZE)
            ck_assert_uint_eq(memory_page_number(&m, hpa(m.banks[i].base.v + at + 8)), number++);
    ck_assert_uint_eq(memory_page_count(&m), number);
    memory_free(&m);
}
END_TEST

START_TEST(memory_is_scattered)
{
    const struct memory_chunk banks[] = {{{0x80000000}, 512 * MIB}, {{0x8000000000}, 512 * MIB}};
    struct memory m = board_of(banks, 2);
    struct memory_chunk c, before = {{0}, 0};
    unsigned chunks = 0, banks_seen[2] = {0, 0};
    for (uint64_t left = 256 * MIB; left; left -= c.size, chunks++, before = c) {
        ck_assert(memory_take(&m, left, &c));
        ck_assert_uint_ne(c.base.v, before.base.v + before.size);
        banks_seen[c.base.v >= 0x8000000000]++;
    }
    ck_assert_uint_gt(chunks, 20);
    ck_assert_uint_gt(banks_seen[0], 8);
    ck_assert_uint_gt(banks_seen[1], 8);
    memory_free(&m);
}
END_TEST

START_TEST(no_two_chunks_touch_while_there_is_room)
{
    const struct memory_chunk banks[] = {{{0x80000000}, 512 * MIB}};
    struct memory m = board_of(banks, 1);
    struct memory_chunk c[40];
    for (size_t i = 0; i < 40; i++)
        ck_assert(memory_take(&m, i % 4 ? 64 * MIB : 8 * PAGE_SIZE, &c[i]));
    for (size_t i = 0; i < 40; i++)
        for (size_t j = 0; j < 40; j++)
            ck_assert_uint_ne(c[i].base.v + c[i].size, c[j].base.v);
    memory_free(&m);
}
END_TEST

START_TEST(same_requests_same_memory)
{
    struct memory a = odd_board(), b = odd_board();
    struct memory_chunk x, y;
    random_state = 7;
    for (int i = 0; i < 200; i++) {
        uint64_t size = (1 + random_below(1000)) * PAGE_SIZE;
        bool got = memory_take(&a, size, &x);
        ck_assert_int_eq(memory_take(&b, size, &y), got);
        ck_assert(!got || (x.base.v == y.base.v && x.size == y.size));
    }
    memory_free(&a);
    memory_free(&b);
}
END_TEST

START_TEST(aligned_memory_is_aligned_and_all_given)
{
    const struct memory_chunk banks[] = {{{0x40000000}, 8 * MIB}};
    for (uint64_t size = PAGE_SIZE; size <= 2 * MIB; size *= 2) {
        struct memory m = board_of(banks, 1);
        uint64_t got = 0;
        for (hpa_t at; memory_take_aligned(&m, size, &at);) {
            struct memory_chunk c = {at, size};
            ck_assert_uint_eq(at.v & (size - 1), 0);
            got += claim(&m, &c);
        }
        ck_assert_uint_eq(got, 8 * MIB);
        memory_free(&m);
    }
}
END_TEST

START_TEST(bad_reservations_are_refused)
{
    const struct memory_chunk bad[] = {
        {{0x40000000}, 0},
        {{0x40000800}, PAGE_SIZE},
        {{0x40000000}, 12},
        {{0x3ffff000}, 2 * PAGE_SIZE},
        {{0x40000000}, 64 * MIB + PAGE_SIZE},
        {{0x20000000}, PAGE_SIZE},
        {{0x40200000}, 4 * PAGE_SIZE}, /* a part is reserved */
    };
    struct memory m = odd_board();
    struct error e = {0};
    ck_assert(memory_reserve(&m, hpa(0x40203000), PAGE_SIZE, &e));
    uint64_t before = memory_available(&m);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        e = (struct error){0};
        ck_assert_msg(!memory_reserve(&m, bad[i].base, bad[i].size, &e), "case %zu", i);
        ck_assert_msg(e.text[0], "case %zu", i);
    }
    ck_assert_uint_eq(memory_available(&m), before);
    memory_free(&m);
}
END_TEST

/* The digest of a new board with the same contents. */
static struct digest digest_from_scratch(struct memory *m)
{
    struct memory copy = odd_board();
    for (size_t i = 0; i < m->bank_count; i++) {
        hpa_t base = m->banks[i].base;
        uint64_t size = m->banks[i].size;
        memcpy(memory_at(&copy, base, size, MEMORY_WRITE), memory_at(m, base, size, MEMORY_READ),
               size);
    }
    struct digest d = digest_of(&copy);
    memory_free(&copy);
    return d;
}

static void write_somewhere(struct memory *m)
{
    const struct memory_bank *b = &m->banks[random_below(m->bank_count)];
    uint64_t at = random_below(b->size), size = 1 + random_below(20000);
    if (size > b->size - at)
        size = b->size - at;
    memset(memory_at(m, hpa(b->base.v + at), size, MEMORY_WRITE), (int)random_below(3), size);
}

START_TEST(incremental_digest_is_the_one_from_scratch)
{
    struct memory m = odd_board();
    struct digest before = digest_of(&m);
    random_state = 1;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 10; i++)
            write_somewhere(&m);
        struct digest d = digest_of(&m);
        ck_assert(equal(d, digest_of(&m)));
        ck_assert(equal(d, digest_from_scratch(&m)));
        ck_assert(!equal(d, before));
        before = d;
    }
    memory_free(&m);
}
END_TEST

START_TEST(zeros_written_count_as_never_written)
{
    struct memory m = odd_board();
    struct digest empty = digest_of(&m);
    memset(memory_at(&m, hpa(0x40000000), 4 * MIB, MEMORY_WRITE), 0, 4 * MIB);
    ck_assert(equal(digest_of(&m), empty));
    uint8_t *p = memory_at(&m, hpa(0x40000fff), 1, MEMORY_WRITE);
    *p = 1;
    ck_assert(!equal(digest_of(&m), empty));
    memory_at(&m, hpa(0x40000fff), 1, MEMORY_WRITE);
    *p = 0;
    ck_assert(equal(digest_of(&m), empty));
    memory_free(&m);
}
END_TEST

/* A page of equal bytes is a page of zeros only if they are. */
START_TEST(digest_sees_uniform_pages)
{
    struct memory m = odd_board();
    struct digest empty = digest_of(&m);
    memset(memory_at(&m, hpa(0x40000000), PAGE_SIZE, MEMORY_WRITE), 0xff, PAGE_SIZE);
    ck_assert(!equal(digest_of(&m), empty));
    memory_free(&m);
}
END_TEST

/* Contents count where they are on the board; banks of zeros do not count. */
START_TEST(digest_sees_banks_by_address)
{
    const struct memory_chunk banks[] = {{{0x40000000}, 4 * MIB}, {{0x50000000}, 4 * MIB}};
    struct digest d[3];
    for (size_t i = 0; i < 3; i++) {
        /* The first bank alone, with the second, the second alone; written in the first of them. */
        struct memory m = board_of(&banks[i / 2], i == 1 ? 2 : 1);
        *(uint8_t *)memory_at(&m, banks[i / 2].base, 1, MEMORY_WRITE) = 1;
        d[i] = digest_of(&m);
        memory_free(&m);
    }
    ck_assert(equal(d[0], d[1]));
    ck_assert(!equal(d[0], d[2]));
}
END_TEST

/* Each single byte at a place where a level of the tree might lose it, and where it is, must show.
 */
START_TEST(digest_sees_value_and_place)
{
    const uint64_t places[] = {0x1000,     0x1fff,     0x101ff000,   0x10200000,  0x10702000 - 1,
                               0x40000000, 0x40000001, 0x401fffff,   0x40200000,  0x43ffffff,
                               0x40001000, 0x40000fff, 0x8000000000, 0x8001ffffff};
    const size_t count = sizeof places / sizeof *places;
    struct digest d[2 * sizeof places / sizeof *places];
    for (size_t i = 0; i < 2 * count; i++) {
        struct memory m = odd_board();
        *(uint8_t *)memory_at(&m, hpa(places[i / 2]), 1, MEMORY_WRITE) = (uint8_t)(1 + i % 2);
        d[i] = digest_of(&m);
        memory_free(&m);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(!equal(d[i], d[j]), "places %zu and %zu", i / 2, j / 2);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("all");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, banks_are_sorted_and_zero);
    tcase_add_test(c, bad_banks_are_refused);
    tcase_add_test(c, no_more_banks_than_there_is_room_for);
    tcase_add_test(c, the_host_gives_the_memory);
    tcase_add_test(c, pointers_only_inside_one_bank);
    tcase_add_test(c, writes_mark_exactly_their_pages);
    tcase_add_test(c, followers_forget_alone);
    tcase_add_test(c, what_is_expected_is_written);
    tcase_add_test(c, touched_pages_are_listed_in_order);
    tcase_add_test(c, allocator_gives_everything_once);
    tcase_add_test(c, large_requests_get_whole_aligned_groups_while_there_are_any);
    tcase_add_test(c, changes_of_code_are_told);
    tcase_add_test(c, pages_have_numbers_of_their_own);
    tcase_add_test(c, memory_is_scattered);
    tcase_add_test(c, no_two_chunks_touch_while_there_is_room);
    tcase_add_test(c, same_requests_same_memory);
    tcase_add_test(c, aligned_memory_is_aligned_and_all_given);
    tcase_add_test(c, bad_reservations_are_refused);
    tcase_add_test(c, incremental_digest_is_the_one_from_scratch);
    tcase_add_test(c, zeros_written_count_as_never_written);
    tcase_add_test(c, digest_sees_uniform_pages);
    tcase_add_test(c, digest_sees_banks_by_address);
    tcase_add_test(c, digest_sees_value_and_place);
    return suite_main("memory", c);
}
