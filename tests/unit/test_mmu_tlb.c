/* The stage 1 TLB against a naive list of entries. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/tlb.h"
#include "suite.h"

static const uint64_t sizes[] = {0x1000,    0x4000,     0x10000,   0x200000,
                                 0x2000000, 0x20000000, 0x40000000};
#define SIZES (sizeof sizes / sizeof *sizes)

static uint64_t random_state;
static uint64_t random_below(uint64_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 20) % limit;
}

static struct tlb_leaf leaf_of(uint64_t page, uint64_t size, uint16_t asid, bool global)
{
    return (struct tlb_leaf){.page = gpa(page),
                             .leaf_size = size,
                             .level = size == 0x1000 ? 3 : 2,
                             .attr = 0xff,
                             .global = global,
                             .asid = asid,
                             .privileged = PERMIT_R | PERMIT_W,
                             .unprivileged = PERMIT_R};
}

static struct tlb *fresh(void)
{
    struct tlb *t = tlb_new();
    ck_assert_ptr_nonnull(t);
    return t;
}

START_TEST(leaf_comes_back_whole)
{
    struct tlb *t = fresh();
    for (unsigned i = 0; i < 16; i++) {
        struct tlb_leaf l = {.page = gpa(0x123456789000),
                             .leaf_size = 0x1000,
                             .level = 3,
                             .attr = 0x44,
                             .device = i & 1,
                             .global = i & 2,
                             .asid = 0xfffe,
                             .privileged = 5,
                             .unprivileged = 2,
                             .unprivileged_any = i & 4,
                             .writable_clean = i & 8};
        gva_t a = gva(0x7000 + i * PAGE_SIZE);
        ck_assert_ptr_null(tlb_lookup(t, a, 0xfffe));
        ck_assert(!tlb_insert(t, a, &l));
        const struct tlb_leaf *got = tlb_lookup(t, a, 0xfffe);
        ck_assert_ptr_nonnull(got);
        ck_assert_uint_eq(got->page.v, l.page.v);
        ck_assert_uint_eq(got->leaf_size, l.leaf_size);
        ck_assert_uint_eq(got->level, l.level);
        ck_assert_uint_eq(got->attr, l.attr);
        ck_assert_int_eq(got->device, l.device);
        ck_assert_int_eq(got->global, l.global);
        ck_assert_uint_eq(got->asid, l.asid);
        ck_assert_uint_eq(got->privileged, l.privileged);
        ck_assert_uint_eq(got->unprivileged, l.unprivileged);
        ck_assert_int_eq(got->unprivileged_any, l.unprivileged_any);
        ck_assert_int_eq(got->writable_clean, l.writable_clean);
    }
    tlb_free(t);
}
END_TEST

START_TEST(entry_covers_its_leaf_and_no_more)
{
    for (size_t i = 0; i < SIZES; i++) {
        struct tlb *t = fresh();
        uint64_t size = sizes[i], base = 0xffff800000000000 + 3 * size, to = 5 * size;
        uint64_t inside = size - PAGE_SIZE;
        struct tlb_leaf l = leaf_of(to + inside, size, 1, false);
        tlb_insert(t, gva(base + inside + 0x123), &l);
        ck_assert_uint_eq(tlb_lookup(t, gva(base), 1)->page.v, to);
        ck_assert_uint_eq(tlb_lookup(t, gva(base + size - 1), 1)->page.v, to + inside);
        ck_assert_uint_eq(tlb_lookup(t, gva(base + size / 2), 1)->page.v,
                          to + ((size / 2) & ~PAGE_MASK));
        ck_assert_ptr_null(tlb_lookup(t, gva(base - 1), 1));
        ck_assert_ptr_null(tlb_lookup(t, gva(base + size), 1));
        ck_assert_ptr_null(tlb_lookup(t, gva(base ^ (uint64_t)1 << 60), 1)); /* not canonical */
        ck_assert_ptr_null(tlb_lookup(t, gva(base), 2));
        tlb_free(t);
    }
}
END_TEST

START_TEST(global_entries_serve_every_asid)
{
    struct tlb *t = fresh();
    struct tlb_leaf l = leaf_of(0x5000, 0x1000, 7, true);
    tlb_insert(t, gva(0x1000), &l);
    ck_assert_ptr_nonnull(tlb_lookup(t, gva(0x1000), 0));
    ck_assert_ptr_nonnull(tlb_lookup(t, gva(0x1000), 65535));
    ck_assert(!tlb_invalidate_asid(t, 7));
    ck_assert_ptr_nonnull(tlb_lookup(t, gva(0x1000), 7));
    ck_assert(!tlb_invalidate_va(t, gva(0x1000), 99)); /* VAE1 drops global entries of any ASID */
    ck_assert_ptr_null(tlb_lookup(t, gva(0x1000), 7));
    tlb_free(t);
}
END_TEST

START_TEST(offer_takes_nothing_away)
{
    struct tlb *t = fresh();
    gva_t a = gva(0xffff800000201000);
    struct tlb_leaf block = leaf_of(0x40200000, 0x200000, 1, true);
    struct tlb_leaf page = leaf_of(0x5000, 0x1000, 2, true);
    ck_assert(tlb_offer(t, a, &block));
    ck_assert(!tlb_offer(t, a, &page)); /* what is there stays, be it another translation */
    ck_assert_uint_eq(tlb_lookup(t, a, 9)->page.v, 0x40201000);
    for (uint64_t i = 1; i < TLB_ENTRIES; i++)
        ck_assert(tlb_offer(t, gva(i * PAGE_SIZE), &page));
    ck_assert(!tlb_offer(t, gva(TLB_ENTRIES * PAGE_SIZE), &page)); /* nor is it emptied */
    ck_assert_uint_eq(tlb_lookup(t, a, 9)->page.v, 0x40201000);
    tlb_free(t);
}
END_TEST

/* Every kind of TLBI, at every leaf size, from any address of the leaf. */
START_TEST(tlbi_drops_the_whole_leaf)
{
    for (size_t i = 0; i < SIZES; i++)
        for (int kind = 0; kind < 4; kind++) {
            struct tlb *t = fresh();
            uint64_t size = sizes[i], base = 0x0000400000000000, other = base + 2 * size;
            struct tlb_leaf mine = leaf_of(0, size, 3, false);
            struct tlb_leaf theirs = leaf_of(0, 0x1000, 4, false);
            tlb_insert(t, gva(base), &mine);
            tlb_insert(t, gva(other), &theirs);
            gva_t middle = gva(base + size / 2);
            bool large = kind == 0   ? tlb_invalidate_all(t)
                         : kind == 1 ? tlb_invalidate_asid(t, 3)
                         : kind == 2 ? tlb_invalidate_va(t, middle, 3)
                                     : tlb_invalidate_va_all_asids(t, middle);
            ck_assert_int_eq(large, size > 0x1000);
            ck_assert_ptr_null(tlb_lookup(t, gva(base), 3));
            ck_assert_ptr_null(tlb_lookup(t, gva(base + size - 1), 3));
            ck_assert_int_eq(tlb_lookup(t, gva(other), 4) != NULL, kind != 0);
            tlb_free(t);
        }
}
END_TEST

START_TEST(tlbi_of_another_asid_or_va_drops_nothing)
{
    struct tlb *t = fresh();
    struct tlb_leaf l = leaf_of(0, 0x200000, 3, false);
    tlb_insert(t, gva(0x200000), &l);
    ck_assert(!tlb_invalidate_asid(t, 4));
    ck_assert(!tlb_invalidate_va(t, gva(0x200000), 4));
    ck_assert(!tlb_invalidate_va(t, gva(0x400000), 3));
    ck_assert(!tlb_invalidate_va_all_asids(t, gva(0x1ff000)));
    ck_assert_ptr_nonnull(tlb_lookup(t, gva(0x3fffff), 3));
    tlb_free(t);
}
END_TEST

START_TEST(tlbi_operand_is_extended_from_bit_55)
{
    struct tlb *t = fresh();
    struct tlb_leaf l = leaf_of(0, 0x1000, 3, false);
    tlb_insert(t, gva(0xffff800000001000), &l);
    tlb_invalidate_va(t, gva(0x0000800000001000), 3); /* another address */
    ck_assert_ptr_nonnull(tlb_lookup(t, gva(0xffff800000001000), 3));
    tlb_invalidate_va(t, gva(0x00ff800000001000), 3); /* bits 55 to 12 are what counts */
    ck_assert_ptr_null(tlb_lookup(t, gva(0xffff800000001000), 3));
    tlb_free(t);
}
END_TEST

START_TEST(all_asids_of_an_address)
{
    struct tlb *t = fresh();
    for (unsigned asid = 0; asid < 500; asid++) {
        struct tlb_leaf l = leaf_of(asid * 0x1000ul, 0x1000, (uint16_t)(asid * 131), false);
        tlb_insert(t, gva(0x400000), &l);
        tlb_insert(t, gva(0x401000), &l);
    }
    for (unsigned asid = 0; asid < 500; asid++)
        ck_assert_uint_eq(tlb_lookup(t, gva(0x400000), (uint16_t)(asid * 131))->page.v,
                          asid * 0x1000ul);
    tlb_invalidate_va_all_asids(t, gva(0x400000));
    for (unsigned asid = 0; asid < 500; asid++) {
        ck_assert_ptr_null(tlb_lookup(t, gva(0x400000), (uint16_t)(asid * 131)));
        ck_assert_ptr_nonnull(tlb_lookup(t, gva(0x401000), (uint16_t)(asid * 131)));
    }
    tlb_free(t);
}
END_TEST

START_TEST(insert_replaces)
{
    struct tlb *t = fresh();
    struct tlb_leaf clean = leaf_of(0x5000, 0x1000, 1, false), dirty = clean;
    clean.writable_clean = true;
    tlb_insert(t, gva(0x1000), &clean);
    ck_assert(!tlb_insert(t, gva(0x1000), &dirty));
    ck_assert(!tlb_lookup(t, gva(0x1000), 1)->writable_clean);
    /* A page in place of a block: the engine may still hold the block's other pages. */
    struct tlb_leaf block = leaf_of(0x200000, 0x200000, 1, false);
    ck_assert(!tlb_insert(t, gva(0x600000), &block));
    ck_assert(tlb_insert(t, gva(0x601000), &dirty));
    ck_assert_uint_eq(tlb_lookup(t, gva(0x601000), 1)->page.v, 0x5000);
    ck_assert_ptr_null(tlb_lookup(t, gva(0x602000), 1));
    tlb_free(t);
}
END_TEST

START_TEST(full_means_emptied_whole)
{
    struct tlb *t = fresh();
    struct tlb_leaf l = leaf_of(0, 0x1000, 1, false);
    for (uint64_t i = 0; i < TLB_ENTRIES; i++)
        ck_assert(!tlb_insert(t, gva(i << PAGE_BITS), &l));
    for (uint64_t i = 0; i < TLB_ENTRIES; i++)
        ck_assert_ptr_nonnull(tlb_lookup(t, gva(i << PAGE_BITS), 1));
    ck_assert(tlb_insert(t, gva((uint64_t)TLB_ENTRIES << PAGE_BITS), &l));
    for (uint64_t i = 0; i < TLB_ENTRIES; i++)
        ck_assert_ptr_null(tlb_lookup(t, gva(i << PAGE_BITS), 1));
    ck_assert_ptr_nonnull(tlb_lookup(t, gva((uint64_t)TLB_ENTRIES << PAGE_BITS), 1));
    tlb_free(t);
}
END_TEST

/* The naive model: all live entries, in order of insertion. */
struct line {
    uint64_t base, size, page;
    uint16_t asid;
    bool global;
};
struct model {
    struct line lines[TLB_ENTRIES];
    size_t count, inserted;
};

static bool covers(const struct line *l, uint64_t a)
{
    return a - l->base < l->size;
}

static bool belongs(const struct line *l, uint16_t asid)
{
    return l->global || l->asid == asid;
}

static bool model_drop(struct model *m, bool by_va, uint64_t a, bool by_asid, uint16_t asid,
                       bool globals)
{
    size_t kept = 0;
    bool large = false;
    for (size_t i = 0; i < m->count; i++) {
        struct line *l = &m->lines[i];
        bool drop = (!by_va || covers(l, a)) && (l->global ? globals : !by_asid || l->asid == asid);
        large |= drop && l->size > 0x1000;
        if (!drop)
            m->lines[kept++] = *l;
    }
    m->count = kept;
    return large;
}

/* Own half's kind first (global in the high half), then the smaller leaf. */
static const struct line *model_lookup(const struct model *m, uint64_t a, uint16_t asid)
{
    const struct line *best = NULL;
    bool high = a >> 63;
    for (size_t i = 0; i < m->count; i++) {
        const struct line *l = &m->lines[i];
        if (!covers(l, a) || !belongs(l, asid))
            continue;
        if (!best || (l->global == high) > (best->global == high) ||
            (l->global == best->global && l->size < best->size))
            best = l;
    }
    return best;
}

static void random_insert(struct tlb *t, struct model *m, uint64_t a, uint16_t asid)
{
    uint64_t size = sizes[random_below(SIZES)], to = random_below(1000) * size;
    bool global = random_below(3) == 0;
    struct tlb_leaf l = leaf_of(to + ((a & (size - 1)) & ~PAGE_MASK), size, asid, global);
    bool flush = model_drop(m, true, a, true, asid, true);
    if (m->inserted == TLB_ENTRIES) {
        m->count = m->inserted = 0;
        flush = true;
    }
    m->lines[m->count++] = (struct line){a & ~(size - 1), size, to, asid, global};
    m->inserted++;
    ck_assert_int_eq(tlb_insert(t, gva(a), &l), flush);
}

/* A large entry that went unnoticed would leave the engine with stale translations; saying so too
 * often only costs a flush. */
static void ck_large(bool said, bool was)
{
    ck_assert(said || !was);
}

static void random_invalidate(struct tlb *t, struct model *m, uint64_t a, uint16_t asid)
{
    uint64_t kind = random_below(40);
    if (kind == 0) {
        ck_large(tlb_invalidate_all(t), model_drop(m, false, 0, false, 0, true));
        m->inserted = 0;
    } else if (kind < 5) {
        ck_large(tlb_invalidate_asid(t, asid), model_drop(m, false, 0, true, asid, false));
    } else if (kind < 25) {
        ck_assert_int_eq(tlb_invalidate_va(t, gva(a), asid),
                         model_drop(m, true, a, true, asid, true));
    } else {
        ck_assert_int_eq(tlb_invalidate_va_all_asids(t, gva(a)),
                         model_drop(m, true, a, false, 0, true));
    }
}

static void compare(struct tlb *t, const struct model *m, uint64_t a, uint16_t asid)
{
    const struct tlb_leaf *got = tlb_lookup(t, gva(a), asid);
    const struct line *expected = model_lookup(m, a, asid);
    ck_assert_int_eq(got != NULL, expected != NULL);
    if (!got)
        return;
    ck_assert_uint_eq(got->page.v, expected->page + ((a - expected->base) & ~PAGE_MASK));
    ck_assert_uint_eq(got->leaf_size, expected->size);
}

static void save(struct tlb *t, struct bytes *out)
{
    struct state s = state_saving(out);
    tlb_visit(t, &s);
}

static bool restore(struct tlb *t, struct reader *in)
{
    struct state s = state_restoring(in);
    tlb_visit(t, &s);
    return state_is_good(&s);
}

/* Saves, restores into a used TLB, and checks that both save the same. */
static struct tlb *reload(struct tlb *t)
{
    struct bytes a = {0}, b = {0};
    struct tlb *other = fresh();
    struct tlb_leaf l = leaf_of(0, 0x1000, 1, false);
    tlb_insert(other, gva(0x1234000), &l);
    save(t, &a);
    struct reader r = reader_of(a.data, a.size);
    ck_assert(restore(other, &r));
    ck_assert(reader_at_end(&r));
    save(other, &b);
    ck_assert_uint_eq(a.size, b.size);
    ck_assert_mem_eq(a.data, b.data, a.size);
    bytes_free(&a);
    bytes_free(&b);
    tlb_free(t);
    return other;
}

static uint64_t random_address(void)
{
    uint64_t a = random_below(64) << PAGE_BITS | random_below(4) << 21 | random_below(2) << 30;
    return a | random_below(PAGE_SIZE) | (random_below(2) ? 0xffff800000000000 : 0);
}

START_TEST(random_operations_match_the_model)
{
    static struct model m;
    struct tlb *t = fresh();
    memset(&m, 0, sizeof m);
    random_state = (uint64_t)_i;
    for (int i = 0; i < 60000; i++) {
        uint16_t asid = (uint16_t)random_below(5);
        uint64_t a = random_address(), what = random_below(_i ? 10 : 100);
        if (what == 0)
            random_invalidate(t, &m, a, asid);
        else if (what < 5)
            random_insert(t, &m, a, asid);
        compare(t, &m, random_address(), asid);
        compare(t, &m, a, asid);
        if (i % 6000 == 0)
            t = reload(t);
    }
    tlb_free(t);
}
END_TEST

START_TEST(bad_snapshots_are_refused)
{
    struct tlb *t = fresh();
    struct bytes good = {0};
    struct tlb_leaf l = leaf_of(0x5000, 0x1000, 1, false);
    tlb_insert(t, gva(0x1000), &l);
    tlb_insert(t, gva(0x2000), &l);
    save(t, &good);
    for (size_t size = 0; size < good.size; size++) {
        struct reader r = reader_of(good.data, size);
        ck_assert(!restore(t, &r));
        ck_assert_ptr_null(tlb_lookup(t, gva(0x1000), 1));
    }
    /* The byte that is nonsense. */
    static const struct {
        size_t at;
        const char *refused;
    } cases[] = {
        {3, "how often a TLB took an entry"}, {7, "how many entries a TLB has"},
        {26, "a TLB entry's size"},           {27, "a TLB entry's level"},
        {29, "a TLB entry's rights"},         {30, "a TLB entry's unprivileged rights"},
        {31, "a TLB entry's flags"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t keep = good.data[cases[i].at];
        good.data[cases[i].at] = 0x7f;
        struct reader r = reader_of(good.data, good.size);
        ck_assert_msg(!restore(t, &r), "byte %zu", cases[i].at);
        ck_assert_str_eq(r.refused, cases[i].refused);
        good.data[cases[i].at] = keep;
    }
    struct reader r = reader_of(good.data, good.size);
    ck_assert(restore(t, &r));
    bytes_free(&good);
    tlb_free(t);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("all");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, leaf_comes_back_whole);
    tcase_add_test(c, entry_covers_its_leaf_and_no_more);
    tcase_add_test(c, global_entries_serve_every_asid);
    tcase_add_test(c, offer_takes_nothing_away);
    tcase_add_test(c, tlbi_drops_the_whole_leaf);
    tcase_add_test(c, tlbi_of_another_asid_or_va_drops_nothing);
    tcase_add_test(c, tlbi_operand_is_extended_from_bit_55);
    tcase_add_test(c, all_asids_of_an_address);
    tcase_add_test(c, insert_replaces);
    tcase_add_test(c, full_means_emptied_whole);
    tcase_add_loop_test(c, random_operations_match_the_model, 0, 4);
    tcase_add_test(c, bad_snapshots_are_refused);
    return suite_main("tlb", c);
}
