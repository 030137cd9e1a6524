/* The allocator. It hands memory out so that what is contiguous for a guest is not on the board: a
 * wrong translation or a DMA that skips it then hits something else at once. The order is a fixed
 * function of the requests. */
#include <inttypes.h>

#include "emu/check.h"
#include "mmu/memory_internal.h"

/* Where a chunk was found. */
struct run {
    size_t first, count;
};

static bool group_is_free(const struct memory_bank *b, size_t group)
{
    uint64_t any = 0;
    for (size_t w = 0; w < GROUP_WORDS; w++)
        any |= b->used[group * GROUP_WORDS + w];
    return any == 0;
}

static bool group_is_full(const struct memory_bank *b, size_t group)
{
    uint64_t all = UINT64_MAX;
    for (size_t w = 0; w < GROUP_WORDS; w++)
        all &= b->used[group * GROUP_WORDS + w];
    return all == UINT64_MAX;
}

/* A view of the groups of a bank, or of the pages of one group, that can be read from either end.
 */
struct span {
    const struct memory_bank *bank;
    bool groups;
    size_t first, count; /* units */
    bool from_high;
};

static bool span_free(const struct span *s, size_t i)
{
    size_t unit = s->first + (s->from_high ? s->count - 1 - i : i);
    return s->groups ? group_is_free(s->bank, unit) : !bit_test(s->bank->used, unit);
}

/* May unit i be taken? With a gap, only if what precedes and follows it is free or the edge too. */
static bool span_usable(const struct span *s, size_t i, bool gap)
{
    if (!span_free(s, i))
        return false;
    return !gap || ((i == 0 || span_free(s, i - 1)) && (i + 1 == s->count || span_free(s, i + 1)));
}

/* The first run of at most `want` usable units, in the span's direction. */
static bool span_find(const struct span *s, size_t want, bool gap, struct run *run)
{
    size_t i = 0, n = 0;
    while (i < s->count && !span_usable(s, i, gap))
        i++;
    while (n < want && i + n < s->count && span_usable(s, i + n, gap))
        n++;
    run->first = s->first + (s->from_high ? s->count - i - n : i);
    run->count = n;
    return n > 0;
}

static void take_pages(struct memory *m, struct memory_bank *b, size_t first, size_t count)
{
    for (size_t p = first; p < first + count; p++) {
        CHECK(!bit_test(b->used, p));
        bit_set(b->used, p);
    }
    m->free_pages -= count;
}

static struct memory_chunk chunk_of(const struct memory_bank *b, size_t first_page, size_t pages)
{
    return (struct memory_chunk){bank_page_address(b, first_page), (uint64_t)pages << PAGE_BITS};
}

/* Up to `want` whole free groups, at the end of the bank whose turn it is, or at the next that has
 * any. */
static bool find_groups(struct memory *m, size_t want, bool gap, struct memory_bank **bank,
                        struct run *run)
{
    for (uint64_t i = 0; i < 2 * memory_ram_count(m); i++) {
        uint64_t turn = m->scatter_turn + i;
        struct memory_bank *b = &m->banks[turn % memory_ram_count(m)];
        struct span s = {b, true, 0, b->group_count, turn / memory_ram_count(m) % 2 == 1};
        if (span_find(&s, want, gap, run)) {
            *bank = b;
            return true;
        }
    }
    return false;
}

/* Groups with a gap to what was taken before as long as there are any, then the gaps. */
static bool find_groups_anywhere(struct memory *m, size_t want, struct memory_bank **bank,
                                 struct run *run)
{
    return find_groups(m, want, true, bank, run) || find_groups(m, want, false, bank, run);
}

static bool take_groups(struct memory *m, uint64_t size, struct memory_chunk *chunk)
{
    static const uint8_t lengths[] = {1, 4, 2, 8, 3, 6};
    size_t want = lengths[m->scatter_turn % sizeof lengths];
    struct memory_bank *b;
    struct run run;
    if (want > size / GROUP_SIZE)
        want = (size_t)(size / GROUP_SIZE);
    if (!find_groups_anywhere(m, want, &b, &run))
        return false;
    take_pages(m, b, run.first * GROUP_PAGES, run.count * GROUP_PAGES);
    *chunk = chunk_of(b, run.first * GROUP_PAGES, run.count * GROUP_PAGES);
    return true;
}

/* Single pages come out of groups that are in use already, to keep whole groups for blocks. */
static bool find_pages(struct memory *m, size_t want, bool gap, struct memory_bank **bank,
                       struct run *run)
{
    for (size_t i = 0; i < memory_ram_count(m); i++) {
        struct memory_bank *b = &m->banks[i];
        for (size_t g = 0; g < b->group_count; g++) {
            if (group_is_free(b, g) || group_is_full(b, g))
                continue;
            struct span s = {b, false, g * GROUP_PAGES, GROUP_PAGES, m->scatter_turn % 2 == 1};
            if (span_find(&s, want, gap, run)) {
                *bank = b;
                return true;
            }
        }
    }
    return false;
}

static bool take_small(struct memory *m, uint64_t size, struct memory_chunk *chunk)
{
    enum { LONGEST = 16 };
    size_t want = size >> PAGE_BITS < LONGEST ? (size_t)(size >> PAGE_BITS) : LONGEST;
    struct memory_bank *b;
    struct run run, group;
    if (!find_pages(m, want, true, &b, &run)) {
        if (find_groups_anywhere(m, 1, &b, &group))
            run = (struct run){group.first * GROUP_PAGES, want};
        else if (!find_pages(m, want, false, &b, &run))
            return false;
    }
    take_pages(m, b, run.first, run.count);
    *chunk = chunk_of(b, run.first, run.count);
    return true;
}

bool memory_take(struct memory *m, uint64_t size, struct memory_chunk *chunk)
{
    CHECK(size && !(size & PAGE_MASK));
    bool done = (size >= GROUP_SIZE && take_groups(m, size, chunk)) || take_small(m, size, chunk);
    m->scatter_turn += done;
    return done;
}

/* The first `pages` free pages of a group at a multiple of `pages`. */
static bool group_find_aligned(const struct memory_bank *b, size_t group, size_t pages,
                               struct run *run)
{
    for (size_t p = group * GROUP_PAGES; p < (group + 1) * GROUP_PAGES; p += pages) {
        size_t n = 0;
        while (n < pages && !bit_test(b->used, p + n))
            n++;
        if (n == pages) {
            *run = (struct run){p, pages};
            return true;
        }
    }
    return false;
}

static bool find_aligned(struct memory *m, size_t pages, struct memory_bank **bank, struct run *run)
{
    for (size_t i = 0; i < memory_ram_count(m); i++) {
        struct memory_bank *b = &m->banks[i];
        for (size_t g = 0; g < b->group_count; g++)
            if (!group_is_free(b, g) && !group_is_full(b, g) &&
                group_find_aligned(b, g, pages, run)) {
                *bank = b;
                return true;
            }
    }
    return false;
}

bool memory_take_aligned(struct memory *m, uint64_t size, hpa_t *base)
{
    CHECK(size >= PAGE_SIZE && size <= GROUP_SIZE && !(size & (size - 1)));
    size_t pages = (size_t)(size >> PAGE_BITS);
    struct memory_bank *b;
    struct run run, group;
    if (!find_aligned(m, pages, &b, &run)) {
        if (!find_groups_anywhere(m, 1, &b, &group))
            return false;
        run = (struct run){group.first * GROUP_PAGES, pages};
    }
    take_pages(m, b, run.first, pages);
    *base = bank_page_address(b, run.first);
    return true;
}

uint64_t memory_available(const struct memory *m)
{
    return m->free_pages << PAGE_BITS;
}

static bool any_used(const struct memory_bank *b, size_t first, size_t count)
{
    for (size_t p = first; p < first + count; p++)
        if (bit_test(b->used, p))
            return true;
    return false;
}

bool memory_reserve(struct memory *m, hpa_t base, uint64_t size, struct error *e)
{
    struct memory_bank *b = bank_of(m, base, size);
    if (size == 0 || (base.v | size) & PAGE_MASK)
        return error_set(e, "reserved memory at %#" PRIx64 ", %#" PRIx64 " bytes: not whole pages",
                         base.v, size);
    if (!b)
        return error_set(
            e, "reserved memory at %#" PRIx64 ", %#" PRIx64 " bytes: not inside the board's memory",
            base.v, size);
    size_t first = bank_page(b, base), count = (size_t)(size >> PAGE_BITS);
    if (any_used(b, first, count))
        return error_set(
            e, "reserved memory at %#" PRIx64 ", %#" PRIx64 " bytes: a part is already in use",
            base.v, size);
    take_pages(m, b, first, count);
    return true;
}
