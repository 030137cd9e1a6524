/* The memory in a snapshot: a table of its pages, with the hash of each, then their contents in
 * small frames that are compressed by themselves. Restoring reads the table; a frame is expanded
 * when the first of its pages is looked at, and checked then. docs/trace-format.md has the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/compress.h"
#include "hv/hv_internal.h"

#define FRAME_PAGES ((size_t)8)
#define ENTRY_SIZE  24 /* address (8), hash (16) */

/* Saving ----------------------------------------------------------------------------------------*/

static void save_entry(const struct memory *m, hpa_t page, struct bytes *out)
{
    struct hash128 hash = memory_page_hash(m, page);
    bytes_put_int(out, page.v, 8);
    bytes_put(out, &hash, sizeof hash);
}

static void save_frame(const uint8_t *contents, size_t size, struct bytes *sizes,
                       struct bytes *frames)
{
    size_t before = frames->size;
    CHECK(compress_zstd(contents, size, frames));
    bytes_put_int(sizes, frames->size - before, 4);
}

/* Of pages that are not all zero. Right after a digest: the hashes are its. */
void snapshot_save_pages(struct memory *m, struct bytes *out)
{
    struct bytes table = {0}, sizes = {0}, frames = {0};
    uint8_t contents[FRAME_PAGES * PAGE_SIZE];
    size_t used = 0;
    for (hpa_t page = {0}; memory_next_touched(m, &page); page.v += PAGE_SIZE) {
        const uint8_t *from = memory_at(m, page, PAGE_SIZE, MEMORY_READ);
        if (memory_page_is_zero(from))
            continue;
        save_entry(m, page, &table);
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
}

/* Loading ---------------------------------------------------------------------------------------*/

struct frame {
    const uint8_t *data;
    size_t size;
};

struct page_source {
    const uint8_t *table; /* ENTRY_SIZE a page, by address */
    size_t count;
    struct frame *frames; /* owned */
    struct expander *expander;
    uint8_t contents[FRAME_PAGES * PAGE_SIZE];
};

static hpa_t page_address(const struct page_source *s, size_t i)
{
    return hpa(load_le(s->table + i * ENTRY_SIZE, 8));
}

/* The frame that holds the page, which the table names. */
static size_t frame_of(const struct page_source *s, hpa_t page)
{
    size_t low = 0, high = s->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (page_address(s, middle).v <= page.v)
            low = middle;
        else
            high = middle;
    }
    return low / FRAME_PAGES;
}

static void load(void *context, struct memory *m, hpa_t page)
{
    struct page_source *s = context;
    size_t frame = frame_of(s, page), first = frame * FRAME_PAGES;
    size_t pages = s->count - first < FRAME_PAGES ? s->count - first : FRAME_PAGES;
    const struct frame *f = &s->frames[frame];
    bool good = expander_expand(s->expander, f->data, f->size, s->contents, pages * PAGE_SIZE);
    for (size_t i = 0; i < pages; i++)
        memory_provide(m, page_address(s, first + i), good ? s->contents + i * PAGE_SIZE : NULL);
}

static void release(void *context)
{
    struct page_source *s = context;
    expander_free(s->expander);
    free(s->frames);
    free(s);
}

static bool expect_pages(const struct page_source *s, struct memory *m)
{
    for (size_t i = 0; i < s->count; i++) {
        struct hash128 hash;
        memcpy(&hash, s->table + i * ENTRY_SIZE + 8, sizeof hash);
        if ((i && page_address(s, i).v <= page_address(s, i - 1).v) ||
            !memory_expect(m, page_address(s, i), hash))
            return false;
    }
    return true;
}

static bool find_frames(struct page_source *s, struct reader *in)
{
    size_t count = (s->count + FRAME_PAGES - 1) / FRAME_PAGES;
    const uint8_t *sizes = reader_bytes(in, count * 4);
    for (size_t i = 0; sizes && i < count; i++) {
        s->frames[i].size = load_le32(sizes + 4 * i);
        s->frames[i].data = reader_bytes(in, s->frames[i].size);
    }
    return !in->failed;
}

bool snapshot_restore_pages(struct memory *m, struct reader *in)
{
    uint64_t count = reader_int(in, 8);
    const uint8_t *table =
        count <= in->size / ENTRY_SIZE ? reader_bytes(in, (size_t)count * ENTRY_SIZE) : NULL;
    memory_clear(m);
    if (!table)
        return false;
    struct page_source *s = calloc(1, sizeof *s);
    CHECK(s);
    *s = (struct page_source){.table = table, .count = (size_t)count, .expander = expander_new()};
    s->frames = calloc(s->count / FRAME_PAGES + 1, sizeof *s->frames);
    CHECK(s->frames);
    memory_set_source(m, (struct memory_source){.load = load, .release = release, .context = s});
    if (find_frames(s, in) && expect_pages(s, m))
        return true;
    memory_clear(m);
    return false;
}
