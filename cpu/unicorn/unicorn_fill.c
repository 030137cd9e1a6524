/* The library needs a page for its TLB: what it gets. */
#include "cpu/unicorn/unicorn_engine.h"

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
        pages_note_local(e, va & ~PAGE_MASK);
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

bool fill_tlb_as(struct engine *e, uint64_t va, enum access_kind kind, bool unprivileged,
                 struct engine_page *page)
{
    if (e->window_is_open || is_ending(e) ||
        !e->callbacks->fill_as(e->callbacks->cpu, va & ~PAGE_MASK, kind, unprivileged, page))
        return false;
    hand_out(e, va, kind, page);
    return true;
}

bool fill_tlb(struct engine *e, uint64_t va, enum access_kind kind, struct engine_page *page)
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
