/* A page of memory is executed or written, never both: so what is executed is what was written
 * last, whoever wrote it and whatever address it has.
 *
 *   data   no translated code, and no address under which the library may fetch it
 *   code   no address under which the library may write it: stores are refused and carried out one
 *          at a time (cpu/arm64/withheld.c), which ends the block that they are in
 *
 * A fetch makes a page code. A write from outside of the vCPUs makes it data, and so do some stores
 * of vCPUs in a row: the oftener that was too soon, the more. Sides are not state: what a guest
 * sees is the same on both. */
#include "cpu/unicorn/unicorn_engine.h"

#include "emu/check.h"

#include <stdlib.h>

#define STORES_FIRST 8u /* to code until it becomes data, at first */
#define PATIENCE_MAX 13

static struct page_side *side_of(const struct engine *e, hpa_t page)
{
    return &e->sides[memory_page_number(e->memory, page)];
}

/* Also in callbacks, `fill` included. */
static void become_data(struct engine *e, hpa_t page)
{
    memory_set_code(e->memory, page, false);
    side_of(e, page)->stores = 0;
    pages_drop_code_at(e, page.v, page.v + PAGE_SIZE);
    unicorn_flush_tlb(e);
}

static bool is_stored_to(const struct engine *e, hpa_t page)
{
    for (size_t i = 0; i < e->store_count; i++)
        if ((e->stores[i].at.v & ~PAGE_MASK) == page.v)
            return true;
    return false;
}

static void before_code_changes(void *context, hpa_t a, uint64_t size)
{
    struct engine *e = context;
    hpa_t page = hpa(a.v & ~PAGE_MASK);
    if (is_stored_to(e, page))
        return;
    icache_before_change(e, a, size, false);
    become_data(e, page);
}

void sides_new(struct engine *e)
{
    e->sides = calloc(memory_page_count(e->memory) + 1, sizeof *e->sides);
    CHECK(e->sides);
    e->tlb_number = 1;
    memory_watch_code(e->memory, before_code_changes, e);
}

void side_fetched(struct engine *e, const struct engine_page *page)
{
    hpa_t at = hpa(page->hpa);
    if (!page->coherent || memory_is_code(e->memory, at))
        return;
    if (side_of(e, at)->writable_in == e->tlb_number)
        unicorn_flush_tlb(e);
    memory_set_code(e->memory, at, true);
    if (e->looks_for_pauses)
        e->arch->note_pauses(e, at, PAGE_SIZE);
}

void side_accessed(struct engine *e, struct engine_page *page, enum access_kind kind)
{
    hpa_t at = hpa(page->hpa);
    if (!(page->permits & PERMIT_W))
        return;
    if (memory_is_code(e->memory, at) && !(kind == ACCESS_WRITE && is_stored_to(e, at)))
        page->permits &= ~(unsigned)PERMIT_W;
    else
        side_of(e, at)->writable_in = e->tlb_number;
}

void unicorn_store_begins(struct engine *e, hpa_t a, uint64_t size, bool alone)
{
    hpa_t page = hpa(a.v & ~PAGE_MASK);
    struct page_side *side = side_of(e, page);
    icache_before_change(e, a, size, true);
    side->stores += alone ? STORES_FIRST : 1;
    if (side->stores >= STORES_FIRST << side->patience) {
        if (side->patience < PATIENCE_MAX)
            side->patience++;
        icache_before_change(e, page, PAGE_SIZE, true);
        become_data(e, page);
    } else {
        pages_drop_code_at(e, a.v, a.v + size);
    }
    CHECK(e->store_count < sizeof e->stores / sizeof e->stores[0]);
    hpa_t at = hpa(a.v & ~(uint64_t)3);
    e->stores[e->store_count].at = at;
    e->stores[e->store_count++].size = a.v + size - at.v;
}

void unicorn_store_ends(struct engine *e)
{
    for (size_t i = 0; i < e->store_count && e->looks_for_pauses; i++)
        e->arch->note_pauses(e, e->stores[i].at, (e->stores[i].size + 3) & ~(uint64_t)3);
    e->store_count = 0;
}
