/* What the library has of the board's memory: pages in its TLB, and translated code. */
#include "cpu/unicorn/unicorn_engine.h"

bool pages_find_code(struct engine *e, uint64_t va, hpa_t *at)
{
    struct engine_page page;
    if (!e->callbacks->fill(e->callbacks->cpu, va & ~PAGE_MASK, ACCESS_FETCH, &page))
        return false;
    *at = hpa(page.hpa + (va & PAGE_MASK));
    return true;
}

/* An invalidation extends the address from bit 55: a page under an address with a tag is not
 * reached by it. */
static void note_local(struct engine *e, uint64_t page_va)
{
    if ((uint64_t)((int64_t)(page_va << 8) >> 8) != page_va)
        e->local_count = LOCAL_PAGES + 1;
    if (e->local_count && e->local_count <= LOCAL_PAGES && e->local[e->local_count - 1] == page_va)
        return;
    if (e->local_count < LOCAL_PAGES)
        e->local[e->local_count] = page_va;
    if (e->local_count <= LOCAL_PAGES)
        e->local_count++;
}

/* Before code of the page runs; what IC instructions make new is looked through then. */
static void note_pauses_once(struct engine *e, uint64_t page_hpa)
{
    uint64_t *looked = &e->looked_through[page_hpa / PAGE_SIZE % LOOKED_SLOTS];
    if (*looked == (page_hpa | 1))
        return;
    *looked = page_hpa | 1;
    e->arch->note_pauses(e, hpa(page_hpa), PAGE_SIZE);
}

/* What becomes of a page that the guest may use so. */
static void hand_out(struct engine *e, uint64_t va, enum access_kind kind, struct engine_page *page)
{
    if (kind == ACCESS_FETCH)
        page_set_add(&e->code_pages, page->hpa);
    if (e->looks_for_pauses && kind == ACCESS_FETCH)
        note_pauses_once(e, page->hpa);
    if (page->local)
        note_local(e, va & ~PAGE_MASK);
    if (kind == ACCESS_FETCH)
        side_fetched(e, page);
    else
        side_accessed(e, page, kind);
    /* Never W and X together: that makes every store to the page several times slower. */
    page->permits &= kind == ACCESS_FETCH ? ~(unsigned)PERMIT_W : ~(unsigned)PERMIT_X;
}

/* What is due comes before this page is asked for. And behind a refusal the library looks for the
 * places at which it was to stop: what the refusal left is needed yet. */
static bool is_ending(const struct engine *e)
{
    return e->leaving || (e->inside && e->fill_refused);
}

bool pages_fill_tlb_as(struct engine *e, uint64_t va, enum access_kind kind, bool unprivileged,
                       struct engine_page *page)
{
    if (e->window_is_open || is_ending(e) ||
        !e->callbacks->fill_as(e->callbacks->cpu, va & ~PAGE_MASK, kind, unprivileged, page))
        return false;
    hand_out(e, va, kind, page);
    return true;
}

bool pages_fill_tlb(struct engine *e, uint64_t va, enum access_kind kind, struct engine_page *page)
{
    if (e->window_is_open && (va & WINDOW_MASK) == WINDOW) {
        *page = (struct engine_page){.hpa = va & ~WINDOW_MASK & ~PAGE_MASK,
                                     .permits = PERMIT_R | PERMIT_X};
        return true;
    }
    if (!e->callbacks) /* the engine is new, and tries NOWHERE */
        return false;
    if (is_ending(e))
        return false;
    if (!e->callbacks->fill(e->callbacks->cpu, va & ~PAGE_MASK, kind, page)) {
        e->fill_refused = true;
        /* A fetch happens between blocks: the last block ran to its end. */
        e->tail_counted = kind == ACCESS_FETCH;
        if (e->inside && kind == ACCESS_FETCH)
            blocks_stop_before_fetch(e);
        return false;
    }
    hand_out(e, va, kind, page);
    return true;
}

void unicorn_flush_tlb(struct engine *e)
{
    library_flush_tlb(e);
    e->local_count = 0;
    e->tlb_number++;
}

void pages_close_window(struct engine *e, uint64_t hpa)
{
    e->window_is_open = false;
    e->arch->drop_page(e, WINDOW | hpa);
}

void unicorn_change_space(struct engine *e)
{
    if (e->local_count > LOCAL_PAGES) {
        unicorn_flush_tlb(e);
        return;
    }
    for (size_t i = 0; i < e->local_count; i++)
        e->arch->drop_page(e, e->local[i]);
    e->local_count = 0;
}

void pages_drop_code_at(struct engine *e, uint64_t from, uint64_t to)
{
    e->window_is_open = true;
    library_drop_code(e, WINDOW | from, WINDOW | to);
    pages_close_window(e, from);
}

void pages_drop_translated(struct engine *e, hpa_t a, uint64_t size)
{
    if (page_set_has(&e->code_pages, a.v))
        pages_drop_code_at(e, a.v, a.v + size);
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
        icache_invalidate(e, hpa(at), until - at);
        at = until;
    }
}

void unicorn_flush_code_soon(struct engine *e)
{
    icache_invalidate_all(e);
    e->flush_code_wanted = true;
    blocks_look_at_next(e);
}
