#include "mmu/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "mmu/memory_internal.h"

#define BOARD_SIZE ((uint64_t)1 << 48)

static void *take_zeroed(size_t size)
{
    return calloc(1, size);
}

static void give_back(void *memory, size_t size)
{
    (void)size;
    free(memory);
}

static struct memory_host host = {take_zeroed, give_back};

void memory_use_host(const struct memory_host *h)
{
    host = *h;
}

bool memory_host_has(size_t size)
{
    void *memory = host.take(size);
    if (memory)
        host.give_back(memory, size);
    return memory;
}

/* With room to begin at a page. */
static size_t allocation_size(const struct memory_bank *b)
{
    return b->size + PAGE_SIZE;
}

static bool bank_allocate(struct memory_bank *b)
{
    size_t pages = bank_pages(b);
    bool marks = true;
    b->allocation = host.take(allocation_size(b));
    b->used = calloc(pages / 64, sizeof *b->used);
    b->touched = calloc(pages / 64, sizeof *b->touched);
    b->seen = calloc(pages / 64, sizeof *b->seen);
    b->expected = calloc(pages / 64, sizeof *b->expected);
    b->code = calloc(pages / 64, sizeof *b->code);
    for (unsigned who = 0; who < MEMORY_FOLLOWERS; who++) {
        b->marks[who].pages = calloc(pages / 64, sizeof(uint64_t));
        b->marks[who].groups = calloc(b->group_count / 64 + 1, sizeof(uint64_t));
        marks = marks && b->marks[who].pages && b->marks[who].groups;
    }
    b->page_hash = calloc(pages, sizeof *b->page_hash);
    b->group_hash = calloc(b->group_count, sizeof *b->group_hash);
    return b->allocation && b->used && b->touched && b->seen && b->expected && b->code && marks &&
           b->page_hash && b->group_hash;
}

static void bank_free(struct memory_bank *b)
{
    if (b->allocation)
        host.give_back(b->allocation, allocation_size(b));
    free(b->used);
    free(b->touched);
    free(b->seen);
    free(b->expected);
    free(b->code);
    for (unsigned who = 0; who < MEMORY_FOLLOWERS; who++) {
        free(b->marks[who].pages);
        free(b->marks[who].groups);
    }
    free(b->page_hash);
    free(b->group_hash);
}

/* Pages of the first and last group that lie outside the bank are never free. */
static void bank_trim(struct memory_bank *b)
{
    size_t first = bank_page(b, b->base), pages = bank_pages(b);
    for (size_t p = 0; p < first; p++)
        bit_set(b->used, p);
    for (size_t p = first + (size_t)(b->size >> PAGE_BITS); p < pages; p++)
        bit_set(b->used, p);
}

static bool bank_is_acceptable(const struct memory *m, hpa_t base, uint64_t size, struct error *e)
{
    if (size == 0 || (base.v | size) & PAGE_MASK)
        return error_set(e, "memory at %#" PRIx64 ", %#" PRIx64 " bytes: not whole pages", base.v,
                         size);
    if (!range_inside(base.v, size, BOARD_SIZE))
        return error_set(e, "memory at %#" PRIx64 ", %#" PRIx64 " bytes: beyond 48 bits", base.v,
                         size);
    if (memory_ram_count(m) == MEMORY_BANKS_MAX)
        return error_set(e, "memory at %#" PRIx64 ": more than %d banks", base.v, MEMORY_BANKS_MAX);
    for (size_t i = 0; i < m->bank_count; i++) {
        const struct memory_bank *b = &m->banks[i];
        if (base.v - b->base.v < b->size || b->base.v - base.v < size)
            return error_set(e, "memory at %#" PRIx64 " overlaps memory at %#" PRIx64, base.v,
                             b->base.v);
    }
    return true;
}

static bool bank_make(struct memory_bank *b, hpa_t base, uint64_t size, struct error *e)
{
    *b = (struct memory_bank){.base = base, .size = size, .floor = base.v & ~(GROUP_SIZE - 1)};
    b->group_count = (size_t)((base.v + size - b->floor + GROUP_SIZE - 1) / GROUP_SIZE);
    if (!bank_allocate(b)) {
        bank_free(b);
        return error_set(e, "memory at %#" PRIx64 ", %#" PRIx64 " bytes: the host has no room",
                         base.v, size);
    }
    b->host = (uint8_t *)(((uintptr_t)b->allocation + PAGE_MASK) & ~(uintptr_t)PAGE_MASK);
    return true;
}

bool memory_add_bank(struct memory *m, hpa_t base, uint64_t size, struct error *e)
{
    struct memory_bank b;
    if (!bank_is_acceptable(m, base, size, e) || !bank_make(&b, base, size, e))
        return false;
    bank_trim(&b);
    size_t at = m->bank_count++;
    for (; at > 0 && m->banks[at - 1].base.v > base.v; at--)
        m->banks[at] = m->banks[at - 1];
    m->banks[at] = b;
    m->free_pages += size >> PAGE_BITS;
    return true;
}

size_t memory_ram_count(const struct memory *m)
{
    return m->bank_count - (m->bank_count && m->banks[m->bank_count - 1].is_store);
}

/* In the upper half of the board's addresses, which no board uses for RAM, unless this one does. */
static hpa_t store_base(const struct memory *m)
{
    uint64_t at = BOARD_SIZE / 2;
    for (size_t i = 0; i < m->bank_count; i++)
        if (m->banks[i].base.v + m->banks[i].size > at)
            at = m->banks[i].base.v + m->banks[i].size;
    return hpa((at + GROUP_SIZE - 1) & ~(GROUP_SIZE - 1));
}

bool memory_add_store(struct memory *m, uint64_t size, hpa_t *base, struct error *e)
{
    CHECK(memory_ram_count(m) == m->bank_count);
    *base = store_base(m);
    if (!range_inside(base->v, size, BOARD_SIZE))
        return error_set(e, "%#" PRIx64 " bytes are beyond the board's addresses", size);
    struct memory_bank *b = &m->banks[m->bank_count];
    if (!bank_make(b, *base, size, e))
        return false;
    b->is_store = true;
    memset(b->used, 0xff, b->group_count * GROUP_WORDS * sizeof *b->used);
    m->bank_count++;
    return true;
}

static void release_source(struct memory *m)
{
    if (m->source.release)
        m->source.release(m->source.context);
    m->source = (struct memory_source){0};
}

void memory_free(struct memory *m)
{
    release_source(m);
    for (size_t i = 0; i < m->bank_count; i++)
        bank_free(&m->banks[i]);
    *m = (struct memory){0};
}

static void mark_written(struct memory_bank *b, size_t first, size_t last)
{
    for (size_t p = first; p <= last; p++)
        if (!bit_test(b->seen, p))
            bank_mark(b, p);
}

void memory_set_source(struct memory *m, struct memory_source source)
{
    CHECK(m->expected_pages == 0);
    release_source(m);
    m->source = source;
}

static void load(struct memory *m, struct memory_bank *b, size_t first, size_t last)
{
    for (size_t p = first; p <= last; p++)
        if (bit_test(b->expected, p))
            m->source.load(m->source.context, m, bank_page_address(b, p));
}

void memory_load(struct memory *m)
{
    for (size_t i = 0; i < m->bank_count && m->expected_pages; i++)
        load(m, &m->banks[i], 0, bank_pages(&m->banks[i]) - 1);
}

static void tell_of_code(struct memory *m, const struct memory_bank *b, hpa_t a, uint64_t size)
{
    for (uint64_t part; size; size -= part, a.v += part) {
        uint64_t rest = PAGE_SIZE - (a.v & PAGE_MASK);
        part = rest < size ? rest : size;
        if (bit_test(b->code, bank_page(b, a)) && m->before_code_changes)
            m->before_code_changes(m->code_context, a, part);
    }
}

void memory_watch_code(struct memory *m, void (*before)(void *context, hpa_t a, uint64_t size),
                       void *context)
{
    m->before_code_changes = before;
    m->code_context = context;
}

void memory_set_code(struct memory *m, hpa_t page, bool is_code)
{
    struct memory_bank *b = bank_of(m, page, 1);
    size_t p = b ? bank_page(b, page) : 0;
    CHECK(m->before_code_changes || !is_code);
    if (b && is_code)
        bit_set(b->code, p);
    else if (b)
        bit_clear(b->code, p);
}

bool memory_is_code(const struct memory *m, hpa_t page)
{
    const struct memory_bank *b = bank_of(m, page, 1);
    return b && bit_test(b->code, bank_page(b, page));
}

size_t memory_page_count(const struct memory *m)
{
    size_t count = 0;
    for (size_t i = 0; i < memory_ram_count(m); i++)
        count += (size_t)(m->banks[i].size >> PAGE_BITS);
    return count;
}

size_t memory_page_number(const struct memory *m, hpa_t page)
{
    size_t number = 0, i = 0, banks = memory_ram_count(m);
    for (; i < banks && page.v - m->banks[i].base.v >= m->banks[i].size; i++)
        number += (size_t)(m->banks[i].size >> PAGE_BITS);
    return i < banks ? number + (size_t)((page.v - m->banks[i].base.v) >> PAGE_BITS) : number;
}

void *memory_at(struct memory *m, hpa_t a, uint64_t size, enum memory_access access)
{
    struct memory_bank *b = bank_of(m, a, size);
    if (!b)
        return NULL;
    if (m->expected_pages && size)
        load(m, b, bank_page(b, a), bank_page(b, hpa(a.v + size - 1)));
    if (access == MEMORY_WRITE && size) {
        tell_of_code(m, b, a, size);
        mark_written(b, bank_page(b, a), bank_page(b, hpa(a.v + size - 1)));
    }
    return b->host + (a.v - b->base.v);
}

bool memory_is_dirty(const struct memory *m, hpa_t page)
{
    const struct memory_bank *b = bank_of(m, page, 1);
    return b && bit_test(b->seen, bank_page(b, page));
}

/* Where to look in a bank for what is at or after the address: bank_pages if that is behind it. */
static size_t bank_from(const struct memory_bank *b, hpa_t at)
{
    if (at.v >= b->base.v && at.v - b->base.v >= b->size)
        return bank_pages(b);
    return at.v < b->base.v ? 0 : bank_page(b, at);
}

bool memory_next_touched(const struct memory *m, hpa_t *page)
{
    for (size_t i = 0; i < m->bank_count; i++) {
        const struct memory_bank *b = &m->banks[i];
        size_t next = bit_next(b->touched, bank_from(b, *page), bank_pages(b));
        if (next == bank_pages(b))
            continue;
        *page = bank_page_address(b, next);
        return true;
    }
    return false;
}

bool memory_next_written(const struct memory *m, enum memory_follower who, hpa_t *page)
{
    for (size_t i = 0; i < m->bank_count; i++) {
        const struct memory_bank *b = &m->banks[i];
        size_t next = bank_next_written(b, who, bank_from(b, *page));
        if (next == bank_pages(b))
            continue;
        *page = bank_page_address(b, next);
        return true;
    }
    return false;
}

void memory_forget_written(struct memory *m, enum memory_follower who)
{
    for (size_t i = 0; i < m->bank_count; i++) {
        struct memory_bank *b = &m->banks[i];
        struct memory_marks *marks = &b->marks[who];
        for (size_t g = 0; (g = bit_next(marks->groups, g, b->group_count)) < b->group_count; g++)
            for (size_t w = g * GROUP_WORDS; w < (g + 1) * GROUP_WORDS; w++) {
                b->seen[w] &= ~marks->pages[w];
                marks->pages[w] = 0;
            }
        memset(marks->groups, 0, (b->group_count / 64 + 1) * sizeof *marks->groups);
    }
}

bool memory_page_is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, PAGE_SIZE - 1) == 0;
}

/* What was never loaded is zero as it is. */
static void expect_nothing(struct memory *m)
{
    for (size_t i = 0; i < m->bank_count && m->expected_pages; i++) {
        struct memory_bank *b = &m->banks[i];
        for (size_t w = 0; w < b->group_count * GROUP_WORDS; w++)
            b->expected[w] = 0;
    }
    m->expected_pages = 0;
}

void memory_clear(struct memory *m)
{
    expect_nothing(m);
    for (hpa_t page = {0}; memory_next_touched(m, &page); page.v += PAGE_SIZE)
        memset(memory_at(m, page, PAGE_SIZE, MEMORY_WRITE), 0, PAGE_SIZE);
}

static void visit_bank(struct memory_bank *b, struct state *s)
{
    state_fixed(s, "where a memory bank begins", b->base.v, 8);
    state_fixed(s,
                b->is_store ? "the size of a disk (has its file another one now?)"
                            : "the size of a memory bank",
                b->size, 8);
    if (b->is_store)
        return;
    state_row(s, "which pages are taken", b->used, sizeof b->used[0], b->group_count * GROUP_WORDS);
    if (state_restores(s))
        bank_trim(b); /* what is outside the bank stays outside, whatever the data says */
}

static uint64_t count_free(const struct memory *m)
{
    uint64_t pages = 0;
    for (const struct memory_bank *b = m->banks; b < m->banks + m->bank_count; b++)
        for (size_t w = 0; w < b->group_count * GROUP_WORDS; w++)
            pages += 64 - (unsigned)__builtin_popcountll(b->used[w]);
    return pages;
}

void memory_visit(struct memory *m, struct state *s)
{
    state_fixed(s, "the number of memory banks", m->bank_count, 1);
    m->scatter_turn = state_value(s, "whose turn it is to give memory", m->scatter_turn, 8);
    m->free_pages = state_value(s, "the number of free pages", m->free_pages, 8);
    for (size_t i = 0; i < m->bank_count; i++) {
        state_within(s, "bank %u: ", (unsigned)i);
        visit_bank(&m->banks[i], s);
    }
    state_within(s, NULL, 0);
    if (!state_restores(s) || m->free_pages == count_free(m))
        return;
    m->free_pages = count_free(m);
    state_refuse(s, "the number of free pages");
}

bool memory_is_touched(const struct memory *m, hpa_t page)
{
    hpa_t next = page;
    return memory_next_touched(m, &next) && next.v == page.v;
}
