/* What the library has of the board's memory, and what drops it: pages in its TLB, and translated
 * code. */
#include "cpu/unicorn/unicorn_engine.h"

bool pages_find_code(struct engine *e, uint64_t va, hpa_t *at)
{
    struct engine_page page;
    if (!e->callbacks->fill(e->callbacks->cpu, va & ~PAGE_MASK, ACCESS_FETCH, &page))
        return false;
    *at = hpa(page.hpa + (va & PAGE_MASK));
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

/* An invalidation extends the address from bit 55: a page under an address with a tag is not
 * reached by it. */
void pages_note_local(struct engine *e, uint64_t page_va)
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
