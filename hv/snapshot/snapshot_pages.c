/* The memory in a snapshot: a table of its pages, with the hash of each, then their contents in
 * small frames that are compressed by themselves. Pages that are as in the snapshot before it in
 * the same file have no contents: they are found there. Restoring reads the tables; a frame is
 * expanded when one of its pages is looked at, and checked then. docs/trace-format.md has the
 * bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/compress.h"
#include "hv/hv_internal.h"

#define FRAME_PAGES ((size_t)8)
#define ENTRY_SIZE  24            /* address (8), hash (16) */
#define INHERITED   ((uint64_t)1) /* in the address: contents are in the snapshot before */

/* Saving ----------------------------------------------------------------------------------------*/

static void save_frame(const uint8_t *contents, size_t size, struct bytes *sizes,
                       struct bytes *frames)
{
    size_t before = frames->size;
    CHECK(compress_zstd(contents, size, COMPRESS_QUICKLY, frames));
    bytes_put_int(sizes, frames->size - before, 4);
}

/* The tables of both are by address: `*at` is where to look from in the one before. */
static bool is_as_before(const struct snapshot_chain *chain, size_t *at, hpa_t page,
                         const struct hash128 *hash)
{
    const struct bytes *table = &chain->pages;
    while (*at < table->size && load_le(table->data + *at, 8) < page.v)
        *at += ENTRY_SIZE;
    return *at < table->size && load_le(table->data + *at, 8) == page.v &&
           memcmp(table->data + *at + 8, hash, sizeof *hash) == 0;
}

/* Of pages that are not all zero. Right after a digest: the hashes are its. */
void snapshot_save_pages(struct memory *m, struct snapshot_chain *chain, struct bytes *out)
{
    struct bytes table = {0}, sizes = {0}, frames = {0}, pages = {0};
    uint8_t contents[FRAME_PAGES * PAGE_SIZE];
    size_t used = 0, at = 0;
    bool may_inherit = chain->pages.size && chain->length + 1 < SNAPSHOT_CHAIN_MAX;
    for (hpa_t page = {0}; memory_next_touched(m, &page); page.v += PAGE_SIZE) {
        const uint8_t *from = memory_at(m, page, PAGE_SIZE, MEMORY_READ);
        if (memory_page_is_zero(from))
            continue;
        struct hash128 hash = memory_page_hash(m, page);
        bool inherited = may_inherit && is_as_before(chain, &at, page, &hash);
        bytes_put_int(&pages, page.v, 8);
        bytes_put(&pages, &hash, sizeof hash);
        bytes_put_int(&table, page.v | (inherited ? INHERITED : 0), 8);
        bytes_put(&table, &hash, sizeof hash);
        if (inherited)
            continue;
        memcpy(contents + used, from, PAGE_SIZE);
        used += PAGE_SIZE;
        if (used == sizeof contents) {
            save_frame(contents, used, &sizes, &frames);
            used = 0;
        }
    }
    if (used)
        save_frame(contents, used, &sizes, &frames);
    bytes_put_int(out, table.size / ENTRY_SIZE, 8);
    bytes_put(out, table.data, table.size);
    bytes_put(out, sizes.data, sizes.size);
    bytes_put(out, frames.data, frames.size);
    bytes_free(&table);
    bytes_free(&sizes);
    bytes_free(&frames);
    bytes_free(&chain->pages);
    chain->pages = pages;
    chain->length = may_inherit ? chain->length + 1 : 0;
}

/* Loading ---------------------------------------------------------------------------------------*/

struct frame {
    const uint8_t *data;
    size_t size;
};

struct part {
    const uint8_t *table; /* ENTRY_SIZE a page, by address */
    size_t count;
    uint32_t *own; /* owned: the places in the table of pages with contents, in order */
    size_t own_count;
    struct frame *frames; /* owned: of FRAME_PAGES of them each */
};

struct page_source {
    struct part parts[SNAPSHOT_CHAIN_MAX];
    size_t count;
    struct expander *expander;
    const struct frame *expanded; /* whose contents these are; NULL: of none */
    uint8_t contents[FRAME_PAGES * PAGE_SIZE];
};

static uint64_t entry_of(const struct part *p, size_t i)
{
    return load_le(p->table + i * ENTRY_SIZE, 8);
}

static hpa_t page_address(const struct part *p, size_t i)
{
    return hpa(entry_of(p, i) & ~INHERITED);
}

/* The place of the page among those with contents; false: it has none here. `*inherited`: but it is
 * in the table. */
static bool find_own(const struct part *p, hpa_t page, size_t *place, bool *inherited)
{
    size_t low = 0, high = p->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (page_address(p, middle).v <= page.v)
            low = middle;
        else
            high = middle;
    }
    bool there = p->count && page_address(p, low).v == page.v;
    *inherited = there && (entry_of(p, low) & INHERITED);
    if (!there || *inherited)
        return false;
    size_t first = 0, last = p->own_count;
    while (last - first > 1) {
        size_t middle = first + (last - first) / 2;
        if (p->own[middle] <= low)
            first = middle;
        else
            last = middle;
    }
    *place = first;
    return true;
}

static size_t frame_pages(const struct part *p, size_t frame)
{
    size_t left = p->own_count - frame * FRAME_PAGES;
    return left < FRAME_PAGES ? left : FRAME_PAGES;
}

static bool expand(struct page_source *s, const struct part *p, size_t frame)
{
    const struct frame *f = &p->frames[frame];
    if (s->expanded == f)
        return true;
    bool good = compress_expander_expand(s->expander, f->data, f->size, s->contents,
                                         frame_pages(p, frame) * PAGE_SIZE);
    s->expanded = good ? f : NULL;
    return good;
}

/* Of the one that is restored all pages of the frame, of those before it the one. */
static void provide(struct page_source *s, struct memory *m, size_t part, hpa_t page, size_t place)
{
    const struct part *p = &s->parts[part];
    size_t frame = place / FRAME_PAGES, first = frame * FRAME_PAGES;
    bool good = expand(s, p, frame);
    bool whole_frame = part + 1 == s->count;
    for (size_t i = 0; i < frame_pages(p, frame); i++)
        if (whole_frame || first + i == place)
            memory_provide(m, whole_frame ? page_address(p, p->own[first + i]) : page,
                           good ? s->contents + i * PAGE_SIZE : NULL);
}

static void load(void *context, struct memory *m, hpa_t page)
{
    struct page_source *s = context;
    for (size_t part = s->count; part-- > 0;) {
        size_t place;
        bool inherited;
        if (find_own(&s->parts[part], page, &place, &inherited)) {
            provide(s, m, part, page, place);
            return;
        }
        if (!inherited)
            break;
    }
    memory_provide(m, page, NULL);
}

static void release(void *context)
{
    struct page_source *s = context;
    for (size_t i = 0; i < s->count; i++) {
        free(s->parts[i].own);
        free(s->parts[i].frames);
    }
    compress_expander_free(s->expander);
    free(s);
}

static bool expect_pages(const struct part *p, struct memory *m)
{
    for (size_t i = 0; i < p->count; i++) {
        struct hash128 hash;
        memcpy(&hash, p->table + i * ENTRY_SIZE + 8, sizeof hash);
        if (!memory_expect(m, page_address(p, i), hash))
            return false;
    }
    return true;
}

static bool find_frames(struct part *p, struct reader *in)
{
    size_t count = (p->own_count + FRAME_PAGES - 1) / FRAME_PAGES;
    const uint8_t *sizes = reader_bytes(in, count * 4);
    p->frames = calloc(count + 1, sizeof *p->frames);
    CHECK_ROOM(p->frames);
    for (size_t i = 0; sizes && i < count; i++) {
        p->frames[i].size = load_le32(sizes + 4 * i);
        p->frames[i].data = reader_bytes(in, p->frames[i].size);
    }
    return !in->failed && reader_at_end(in);
}

static const uint8_t *read_table(struct reader *in, size_t *count)
{
    uint64_t stored = reader_int(in, 8);
    *count = (size_t)stored;
    return stored <= in->size / ENTRY_SIZE ? reader_bytes(in, (size_t)stored * ENTRY_SIZE) : NULL;
}

static bool open_part(struct part *p, struct reader *in)
{
    p->table = read_table(in, &p->count);
    if (!p->table)
        return false;
    p->own = calloc(p->count + 1, sizeof *p->own);
    CHECK_ROOM(p->own);
    for (size_t i = 0; i < p->count; i++) {
        if (i && page_address(p, i).v <= page_address(p, i - 1).v)
            return false;
        if (!(entry_of(p, i) & INHERITED))
            p->own[p->own_count++] = (uint32_t)i;
    }
    return find_frames(p, in);
}

bool snapshot_pages_are_whole(const struct reader *in)
{
    struct reader r = *in;
    size_t count;
    const uint8_t *table = read_table(&r, &count);
    for (size_t i = 0; table && i < count; i++)
        if (load_le(table + i * ENTRY_SIZE, 8) & INHERITED)
            return false;
    return true;
}

bool snapshot_restore_pages(struct memory *m, struct reader *parts, size_t count)
{
    struct page_source *s = calloc(1, sizeof *s);
    CHECK_ROOM(s);
    CHECK(count && count <= SNAPSHOT_CHAIN_MAX);
    s->expander = compress_expander_new();
    s->count = count;
    memory_clear(m);
    memory_set_source(m, (struct memory_source){.load = load, .release = release, .context = s});
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = open_part(&s->parts[i], &parts[i]);
    if (ok && expect_pages(&s->parts[count - 1], m))
        return true;
    memory_clear(m);
    return false;
}
