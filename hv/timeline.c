#include "hv/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/hv_internal.h"

#define MOMENT_EVERY 10000000           /* instructions; doubles when there is no more room */
#define PAGES_MAX    ((size_t)768 << 8) /* 768 MiB of copies */
#define MOMENTS_MAX  4096

struct page_copy {
    hpa_t page;
    uint8_t *contents; /* owned; NULL: zeros */
};

struct moment {
    uint64_t instructions;
    struct bytes machine;
    struct page_copy *pages; /* by address */
    size_t page_count;
};

struct timeline {
    struct board *board;
    struct moment moments[MOMENTS_MAX]; /* by instruction */
    size_t count;
    size_t base; /* the moment since which the memory's changes are counted */
    uint64_t every;
    size_t pages; /* in all moments */
};

/* Moments -----------------------------------------------------------------------------------------
 */

static void add_page(struct moment *m, struct memory *memory, hpa_t page)
{
    const uint8_t *contents = memory_at(memory, page, PAGE_SIZE, MEMORY_READ);
    struct page_copy copy = {.page = page};
    if (!memory_page_is_zero(contents)) {
        copy.contents = malloc(PAGE_SIZE);
        CHECK(copy.contents);
        memcpy(copy.contents, contents, PAGE_SIZE);
    }
    if ((m->page_count & (m->page_count - 1)) == 0) { /* room for the next power of two */
        m->pages = realloc(m->pages, (m->page_count ? 2 * m->page_count : 1) * sizeof *m->pages);
        CHECK(m->pages);
    }
    m->pages[m->page_count++] = copy;
}

static void free_moment(struct moment *m)
{
    for (size_t i = 0; i < m->page_count; i++)
        free(m->pages[i].contents);
    free(m->pages);
    bytes_free(&m->machine);
    *m = (struct moment){0};
}

static struct page_copy *find_page(const struct moment *m, hpa_t page)
{
    size_t low = 0, high = m->page_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->pages[middle].page.v < page.v)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->page_count && m->pages[low].page.v == page.v ? &m->pages[low] : NULL;
}

/* The digest finds every page that was written, marks included that the engine keeps. */
static void settle(struct board *b)
{
    board_digest(b);
}

static void note(struct timeline *t)
{
    struct board *b = t->board;
    struct moment *m = &t->moments[t->count];
    settle(b);
    *m = (struct moment){.instructions = b->vtime.instructions};
    for (hpa_t page = {0}; memory_next_changed(&b->memory, &page); page.v += PAGE_SIZE)
        add_page(m, &b->memory, page);
    snapshot_save_machine(b, &m->machine);
    memory_forget_changes(&b->memory);
    t->pages += m->page_count;
    t->base = t->count++;
}

/* The next moment takes over what it has not got itself: both lists are in order. */
static void merge_into(struct moment *next, struct moment *m)
{
    struct page_copy *all = malloc((m->page_count + next->page_count + 1) * sizeof *all);
    size_t count = 0, i = 0, k = 0, room = 1;
    CHECK(all);
    while (i < m->page_count || k < next->page_count) {
        bool mine = k == next->page_count ||
                    (i < m->page_count && m->pages[i].page.v < next->pages[k].page.v);
        bool both = !mine && i < m->page_count && m->pages[i].page.v == next->pages[k].page.v;
        if (both)
            free(m->pages[i++].contents);
        all[count++] = mine ? m->pages[i++] : next->pages[k++];
    }
    free(m->pages);
    free(next->pages);
    while (room < count)
        room *= 2;
    next->pages = realloc(all, room * sizeof *all);
    CHECK(next->pages);
    next->page_count = count;
    bytes_free(&m->machine);
}

/* Every other moment goes, but for the first and the last. */
static void thin(struct timeline *t)
{
    size_t kept = 1;
    t->pages = t->moments[0].page_count;
    for (size_t i = 1; i < t->count; i++) {
        if (i % 2 == 1 && i + 1 < t->count) {
            merge_into(&t->moments[i + 1], &t->moments[i]);
            continue;
        }
        t->moments[kept] = t->moments[i];
        t->pages += t->moments[kept++].page_count;
    }
    t->count = kept;
    t->base = kept - 1;
    t->every *= 2;
}

struct timeline *timeline_new(struct board *b)
{
    struct timeline *t = calloc(1, sizeof *t);
    CHECK(t);
    t->board = b;
    t->every = MOMENT_EVERY;
    note(t);
    return t;
}

void timeline_free(struct timeline *t)
{
    for (size_t i = 0; t && i < t->count; i++)
        free_moment(&t->moments[i]);
    free(t);
}

uint64_t timeline_start(const struct timeline *t)
{
    return t->moments[0].instructions;
}

/* Travel ------------------------------------------------------------------------------------------
 */

/* The last moment at or before the instruction. */
static size_t moment_at(const struct timeline *t, uint64_t instructions)
{
    size_t at = t->count - 1;
    while (at > 0 && t->moments[at].instructions > instructions)
        at--;
    return at;
}

static const uint8_t *contents_at(const struct timeline *t, size_t moment, hpa_t page)
{
    for (size_t i = moment + 1; i-- > 0;) {
        const struct page_copy *copy = find_page(&t->moments[i], page);
        if (copy)
            return copy->contents;
    }
    return NULL;
}

static void put_page(struct timeline *t, size_t moment, hpa_t page)
{
    static const uint8_t zeros[PAGE_SIZE];
    const uint8_t *contents = contents_at(t, moment, page);
    uint8_t *to = memory_at(&t->board->memory, page, PAGE_SIZE, MEMORY_WRITE);
    memcpy(to, contents ? contents : zeros, PAGE_SIZE);
    engine_drop_code(t->board->engine, page, PAGE_SIZE);
}

/* What was written since the base, and what lies between the base and the moment. */
static void go_to_moment(struct timeline *t, size_t moment)
{
    struct memory *m = &t->board->memory;
    settle(t->board);
    for (hpa_t page = {0}; memory_next_changed(m, &page); page.v += PAGE_SIZE)
        put_page(t, moment, page);
    size_t from = moment < t->base ? moment : t->base, to = moment < t->base ? t->base : moment;
    for (size_t i = from + 1; i <= to; i++)
        for (size_t k = 0; k < t->moments[i].page_count; k++)
            put_page(t, moment, t->moments[i].pages[k].page);
    struct reader in = reader_of(t->moments[moment].machine.data, t->moments[moment].machine.size);
    CHECK(snapshot_restore_machine(t->board, &in) && reader_at_end(&in));
    settle(t->board);
    memory_forget_changes(m);
    t->base = moment;
}

bool timeline_run_to(struct timeline *t, uint64_t instructions)
{
    struct board *b = t->board;
    for (;;) {
        uint64_t last = t->moments[t->count - 1].instructions, next = instructions;
        if (b->vtime.instructions >= last && instructions - last > t->every)
            next = last + t->every;
        bool ended = board_run_to(b, next);
        if (ended || b->vtime.instructions < next)
            return false;
        if (next == instructions)
            return true;
        if (t->pages > PAGES_MAX || t->count == MOMENTS_MAX)
            thin(t);
        note(t);
    }
}

bool timeline_seek(struct timeline *t, uint64_t instructions)
{
    uint64_t now = t->board->vtime.instructions;
    if (instructions < timeline_start(t))
        return false;
    size_t moment = moment_at(t, instructions);
    if (instructions < now || t->moments[moment].instructions > now)
        go_to_moment(t, moment);
    return t->board->vtime.instructions == instructions || timeline_run_to(t, instructions);
}

/* What is left of the moments ends with the present, as it is now. */
void timeline_fork(struct timeline *t)
{
    uint64_t now = t->board->vtime.instructions;
    while (t->count > 1 && t->moments[t->count - 1].instructions > now) {
        size_t last = t->count - 1;
        if (t->base == last) { /* its pages belong to the past of the present */
            merge_into(&t->moments[last], &t->moments[last - 1]);
            t->moments[last - 1] = t->moments[last];
            t->moments[last] = (struct moment){0};
            t->base = last - 1;
        } else {
            free_moment(&t->moments[last]);
        }
        t->count--;
    }
    if (t->count == MOMENTS_MAX)
        thin(t);
    size_t last = t->count - 1;
    bool again = last > 0 && t->moments[last].instructions == now;
    note(t); /* moment_at finds the later one of two */
    if (again) {
        merge_into(&t->moments[last + 1], &t->moments[last]);
        t->moments[last] = t->moments[last + 1];
        t->base = last;
        t->count--;
    }
}

uint64_t timeline_moment_before(const struct timeline *t, uint64_t instructions)
{
    return instructions ? t->moments[moment_at(t, instructions - 1)].instructions : 0;
}
