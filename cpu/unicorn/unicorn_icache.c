/* What an instruction cache might still hold: lines that were executed, and changed since without
 * an IC instruction. Code is coherent here (unicorn_sides.c), so nothing depends on it; it is for
 * telling whoever wrote the guest that hardware need not be. And those instructions: neither the
 * cache nor the library has anything of their lines any more. */
#include "cpu/unicorn/unicorn_engine.h"

#include <stdlib.h>
#include <string.h>

#include "emu/check.h"

#define KEPT_PAGES 64
#define LINE_BITS  6
#define TOLD_MAX   10
/* Instructions in which the guest may make up for it: kernels patch themselves, and maintain the
 * caches a little later. */
#define TELL_AFTER 100000

/* A page as it was executed, by its number % KEPT_PAGES; of lines that were not, anything. */
struct kept_page {
    uint64_t page;                                        /* | 1 */
    struct engine_change changes[PAGE_SIZE >> LINE_BITS]; /* the last one of each line */
    uint8_t bytes[PAGE_SIZE];
};

static uint64_t lines(uint64_t offset, uint64_t size)
{
    unsigned first = (unsigned)(offset >> LINE_BITS);
    unsigned last = (unsigned)((offset + size - 1) >> LINE_BITS);
    return UINT64_MAX << first & UINT64_MAX >> (63 - last);
}

static struct page_side *side_of(const struct engine *e, hpa_t a)
{
    struct page_side *side = &e->sides[memory_page_number(e->memory, a)];
    if (side->icache != e->icache_number) {
        side->icache = e->icache_number;
        side->executed = 0;
    }
    return side;
}

static struct kept_page *slot_of(const struct engine *e, hpa_t a)
{
    return &e->kept[(a.v >> PAGE_BITS) % KEPT_PAGES];
}

void icache_new(struct engine *e)
{
    e->kept = calloc(KEPT_PAGES, sizeof *e->kept);
    CHECK(e->kept);
    e->icache_number = 1;
}

void icache_free(struct engine *e)
{
    free(e->kept);
}

void icache_before_change(struct engine *e, hpa_t a, uint64_t size, bool by_guest)
{
    hpa_t page = hpa(a.v & ~PAGE_MASK);
    uint64_t changed = lines(a.v & PAGE_MASK, size) & side_of(e, a)->executed;
    struct kept_page *kept = slot_of(e, a);
    if (!changed)
        return;
    if (kept->page != (page.v | 1)) {
        kept->page = page.v | 1;
        memcpy(kept->bytes, memory_at(e->memory, page, PAGE_SIZE, MEMORY_READ), PAGE_SIZE);
    }
    struct engine_change change = {
        .at = engine_executed(e), .pc = engine_pc(e), .by_guest = by_guest};
    for (; changed; changed &= changed - 1)
        kept->changes[__builtin_ctzll(changed)] = change;
}

static const struct engine_change *find_change(const struct kept_page *kept, const uint8_t *now,
                                               uint64_t from, uint64_t to, uint64_t executed)
{
    for (uint64_t at = from; at < to; at += 4)
        if ((executed >> (at >> LINE_BITS) & 1) && memcmp(kept->bytes + at, now + at, 4) != 0)
            return &kept->changes[at >> LINE_BITS];
    return NULL;
}

void unicorn_tell_changes(struct engine *e)
{
    struct noticed_change *n = &e->noticed;
    if (!n->is_set)
        return;
    n->is_set = false;
    side_of(e, n->place)->is_told = true;
    if (e->told_count++ < TOLD_MAX)
        n->callbacks->ran_changed_code(n->callbacks->cpu, n->pc, &n->change);
}

void icache_tell_in_time(struct engine *e, uint64_t now)
{
    if (e->noticed.is_set && now - e->noticed.at > TELL_AFTER)
        unicorn_tell_changes(e);
}

static void notice(struct engine *e, hpa_t place, uint64_t pc, const struct engine_change *change)
{
    if (!e->noticed.is_set && !side_of(e, place)->is_told)
        e->noticed = (struct noticed_change){.is_set = true,
                                             .place = place,
                                             .pc = pc,
                                             .at = blocks_counted_to_end(e),
                                             .change = *change,
                                             .callbacks = e->callbacks};
}

/* A block that begins now; the one before it ran to its end. */
void icache_translated(struct engine *e, uint64_t pc, uint64_t size)
{
    hpa_t a;
    icache_tell_in_time(e, blocks_counted_to_end(e));
    if (e->aside || !size || (pc & PAGE_MASK) + size > PAGE_SIZE || !pages_find_code(e, pc, &a))
        return;
    struct page_side *side = side_of(e, a);
    struct kept_page *kept = slot_of(e, a);
    uint64_t offset = a.v & PAGE_MASK, translated = lines(offset, size);
    if (kept->page == ((a.v & ~PAGE_MASK) | 1)) {
        const uint8_t *now = memory_at(e->memory, hpa(a.v & ~PAGE_MASK), PAGE_SIZE, MEMORY_READ);
        const struct engine_change *change =
            find_change(kept, now, offset, offset + size, side->executed);
        if (change)
            notice(e, a, pc, change);
        for (uint64_t left = translated; left; left &= left - 1) {
            size_t line = (size_t)__builtin_ctzll(left) << LINE_BITS;
            memcpy(kept->bytes + line, now + line, (size_t)1 << LINE_BITS);
        }
    }
    side->executed |= translated;
}

static void invalidate(struct engine *e, hpa_t a, uint64_t size)
{
    side_of(e, a)->executed &= ~lines(a.v & PAGE_MASK, size);
    if (e->noticed.place.v - a.v < size)
        e->noticed.is_set = false;
}

void unicorn_drop_code(struct engine *e, hpa_t a, uint64_t size)
{
    uint64_t end = a.v + size;
    for (uint64_t at = a.v; at < end;) {
        uint64_t page_end = (at | PAGE_MASK) + 1;
        uint64_t until = page_end < end ? page_end : end;
        if (e->looks_for_pauses && page_set_has(&e->code_pages, at))
            e->arch->note_pauses(e, hpa(at & ~(uint64_t)3), until - (at & ~(uint64_t)3));
        pages_drop_translated(e, hpa(at), until - at);
        invalidate(e, hpa(at), until - at);
        at = until;
    }
}

void unicorn_flush_code_soon(struct engine *e)
{
    e->icache_number++;
    e->noticed.is_set = false;
    e->flush_code_wanted = true;
    blocks_look_at_next(e);
}
