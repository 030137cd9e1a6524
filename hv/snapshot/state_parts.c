#include "hv/snapshot/state_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "hv/snapshot/compare.h"
#include "emu/text.h"
#include "hv/hv_internal.h"

#define NAMES_SHOWN 4

/* A moment
 * -----------------------------------------------------------------------------------------
 */

static void add_part(void *context, const char *name, size_t offset)
{
    struct state_parts *parts = context;
    if (parts->count)
        parts->list[parts->count - 1].end = offset;
    parts->list = array_grow(parts->list, parts->count, sizeof *parts->list);
    struct state_part *part = &parts->list[parts->count++];
    *part = (struct state_part){.begin = offset};
    snprintf(part->name, sizeof part->name, "%s", name);
}

void state_parts_save(struct board *b, struct bytes *out, struct state_parts *parts)
{
    const struct state_listener listener = {.part = add_part, .context = parts};
    struct state s = state_telling(out, &listener);
    board_visit(b, &s);
    parts->list[parts->count - 1].end = out->size - s.start;
}

struct checkpoint {
    struct bytes state;
    struct state_parts parts; /* without memory */
    uint32_t memory_hash;
    struct word_code pages;
};

static uint32_t short_hash(const void *data, size_t size)
{
    return (uint32_t)hash_fast(data, size).low;
}

/* Of the hashes of pages: kept for digests, they cost nothing here. */
static void add_pages(struct memory *m, struct word_code *pages)
{
    for (hpa_t page = {0}; memory_next_touched(m, &page); page.v += PAGE_SIZE) {
        struct hash128 h = memory_page_hash(m, page);
        word_code_add(pages, page.v / PAGE_SIZE, load_le(&h.low, 8));
    }
}

static void add_words(struct memory *m, struct word_code *words)
{
    for (hpa_t page = {0}; memory_next_touched(m, &page); page.v += PAGE_SIZE) {
        const uint8_t *contents = memory_at(m, page, PAGE_SIZE, MEMORY_READ);
        if (contents)
            word_code_add_block(words, page.v / PAGE_SIZE, contents);
    }
}

static void take(struct board *b, struct checkpoint *now)
{
    struct digest memory;
    struct sha256 s;
    *now = (struct checkpoint){0};
    state_parts_save(b, &now->state, &now->parts);
    sha256_init(&s);
    memory_digest(&b->memory, &s);
    engine_flush_tlb(b->engine); /* pages are clean again: their next write must be seen */
    memory = sha256_end(&s);
    now->memory_hash = load_le32(memory.b);
    add_pages(&b->memory, &now->pages);
}

static void drop(struct checkpoint *now)
{
    bytes_free(&now->state);
    free(now->parts.list);
}

static uint32_t hash_of(const struct checkpoint *now, size_t i)
{
    const struct state_part *p = &now->parts.list[i];
    return short_hash(now->state.data + p->begin, p->end - p->begin);
}

static const char *name_of(const struct checkpoint *now, size_t i)
{
    return i < now->parts.count ? now->parts.list[i].name : "memory";
}

/* Writing and reading
 * ------------------------------------------------------------------------------
 */

enum { FLAG_START = 1 };

static void put_part(const struct checkpoint *now, size_t i, bool with_name, struct bytes *out)
{
    bytes_put_int(out, i < now->parts.count ? hash_of(now, i) : now->memory_hash, 4);
    if (with_name)
        bytes_put_string(out, name_of(now, i));
}

void state_parts_put(struct board *b, bool is_start, uint64_t before, struct bytes *out)
{
    struct checkpoint now;
    struct word_code state = {0}, words = {0};
    take(b, &now);
    bytes_put_varint(out, b->vtime.instructions - before);
    bytes_put_int(out, is_start ? FLAG_START : 0, 1);
    bytes_put_varint(out, now.state.size);
    bytes_put_varint(out, now.parts.count + 1);
    for (size_t i = 0; i <= now.parts.count; i++)
        put_part(&now, i, is_start, out);
    word_code_add_bytes(&state, now.state.data, now.state.size);
    word_code_put(out, &state);
    word_code_put(out, &now.pages);
    if (is_start) {
        add_words(&b->memory, &words);
        word_code_put(out, &words);
    }
    drop(&now);
}

static char *get_name(struct reader *in)
{
    char name[256];
    if (!reader_string(in, name, sizeof name))
        return NULL;
    char *copy = malloc(strlen(name) + 1);
    CHECK_ROOM(copy);
    return strcpy(copy, name);
}

/* A part has 4 bytes or more: that many can be there. */
static void get_parts(struct reader *in, struct state_parts_entry *entry)
{
    uint64_t count = reader_varint(in);
    if (count == 0 || count > (in->size - in->at) / 4) {
        in->failed = true;
        return;
    }
    entry->hashes = calloc((size_t)count, sizeof *entry->hashes);
    entry->names = entry->is_start ? calloc((size_t)count, sizeof *entry->names) : NULL;
    CHECK_ROOM(entry->hashes && (entry->names || !entry->is_start));
    for (; entry->count < count && !in->failed; entry->count++) {
        entry->hashes[entry->count] = (uint32_t)reader_int(in, 4);
        if (entry->names)
            entry->names[entry->count] = get_name(in);
    }
}

bool state_parts_get(struct reader *in, uint64_t before, struct state_parts_entry *entry)
{
    *entry = (struct state_parts_entry){0};
    if (reader_at_end(in))
        return false;
    uint64_t delta = reader_varint(in);
    entry->instructions = before + delta;
    in->failed |= entry->instructions < before;
    entry->is_start = reader_int(in, 1) & FLAG_START;
    entry->size = reader_varint(in);
    get_parts(in, entry);
    word_code_get(in, &entry->state);
    word_code_get(in, &entry->pages);
    if (entry->is_start)
        word_code_get(in, &entry->words);
    return !in->failed;
}

void state_parts_free(struct state_parts_entry *entry)
{
    for (uint64_t i = 0; entry->names && i < entry->count; i++)
        free(entry->names[i]);
    free(entry->names);
    free(entry->hashes);
    *entry = (struct state_parts_entry){0};
}

/* Comparing
 * ----------------------------------------------------------------------------------------
 */

static void put(struct bytes *text, const char *what)
{
    text_put(text, "%s%s", text->size ? "; " : "", what);
}

/* With that word changed, is the part as it was recorded? */
static bool explains(struct checkpoint *now, size_t i, uint64_t number, uint64_t change,
                     const struct state_parts_entry *recorded)
{
    uint8_t word[8];
    size_t at = (size_t)number * 8;
    size_t size = now->state.size - at < 8 ? now->state.size - at : 8;
    store_le(word, change, 8);
    for (size_t k = 0; k < size; k++)
        now->state.data[at + k] ^= word[k];
    bool same = hash_of(now, i) == recorded->hashes[i];
    for (size_t k = 0; k < size; k++)
        now->state.data[at + k] ^= word[k];
    return same;
}

static unsigned first_byte_of(uint64_t change)
{
    unsigned byte = 0;
    while (!(change >> (8 * byte) & 0xff))
        byte++;
    return byte;
}

/* The bytes of an item as they were recorded, if that word is all that differs. */
static uint64_t recorded_value(const struct checkpoint *now, const struct state_item *item,
                               uint64_t number, uint64_t change)
{
    uint8_t value[10], word[8];
    memcpy(value, now->state.data + item->offset, item->size);
    store_le(word, change, 8);
    for (size_t i = 0; i < item->size; i++)
        if ((item->offset + i) / 8 == number)
            value[i] ^= word[(item->offset + i) % 8];
    return state_item_value(item, value);
}

/* The one word of the state that differs, as a register or field. */
static bool name_word(struct board *b, struct checkpoint *now,
                      const struct state_parts_entry *recorded, struct bytes *text)
{
    struct word_code ours = {0};
    uint64_t number, change;
    word_code_add_bytes(&ours, now->state.data, now->state.size);
    if (!word_code_find(&recorded->state, &ours, &number, &change))
        return false;
    struct state_search search = {.offset = (size_t)number * 8 + first_byte_of(change)};
    size_t i = 0;
    while (i < now->parts.count && search.offset >= now->parts.list[i].end)
        i++;
    if (i == now->parts.count || !explains(now, i, number, change, recorded))
        return false;
    board_search(b, &search);
    const struct state_item *item = &search.found;
    put(text, search.found_name);
    text_put(text, ": recorded 0x%" PRIx64 ", now 0x%" PRIx64,
             recorded_value(now, item, number, change),
             state_item_value(item, now->state.data + item->offset));
    return true;
}

/* Of a page's words those that were recorded are not here: only that the page differs is known. */
static bool name_page(struct board *b, const struct checkpoint *now,
                      const struct state_parts_entry *recorded, struct bytes *text)
{
    uint64_t number, change;
    char owner[160], sentence[256];
    if (!word_code_find(&recorded->pages, &now->pages, &number, &change))
        return false;
    compare_name_owner(b, hpa(number * PAGE_SIZE), owner, sizeof owner);
    snprintf(sentence, sizeof sentence, "memory page, hpa 0x%" PRIx64 "%s", number * PAGE_SIZE,
             owner);
    put(text, sentence);
    return true;
}

static bool name_byte(struct board *b, const struct state_parts_entry *recorded, struct bytes *text)
{
    struct word_code ours = {0};
    uint64_t number, change;
    char owner[160], sentence[320];
    if (!recorded->is_start)
        return false;
    add_words(&b->memory, &ours);
    if (!word_code_find(&recorded->words, &ours, &number, &change))
        return false;
    unsigned byte = first_byte_of(change);
    hpa_t at = hpa(number * 8 + byte);
    const uint8_t *here = memory_at(&b->memory, at, 1, MEMORY_READ);
    if (!here)
        return false;
    compare_name_owner(b, at, owner, sizeof owner);
    snprintf(sentence, sizeof sentence,
             "memory byte, hpa 0x%" PRIx64 "%s: recorded 0x%02x, now 0x%02x", at.v, owner,
             *here ^ (unsigned)(change >> (8 * byte) & 0xff), *here);
    put(text, sentence);
    return true;
}

/* The first part that only one of the machines has; both have names. */
static bool shape_differs(const struct checkpoint *now, const struct state_parts_entry *recorded,
                          struct bytes *text)
{
    char sentence[400];
    for (size_t i = 0; recorded->names && i < recorded->count && i <= now->parts.count; i++) {
        const char *name = name_of(now, i);
        if (strcmp(name, recorded->names[i]) == 0)
            continue;
        snprintf(sentence, sizeof sentence, "the recorded machine has %.100s where this one has %s",
                 recorded->names[i], name);
        put(text, sentence);
        return true;
    }
    if (recorded->count == now->parts.count + 1)
        return false;
    snprintf(sentence, sizeof sentence, "parts of the machine: recorded %" PRIu64 ", now %zu",
             recorded->count, now->parts.count + 1);
    put(text, sentence);
    return true;
}

static void name_parts(const struct checkpoint *now, const struct state_parts_entry *recorded,
                       struct bytes *text)
{
    unsigned shown = 0, more = 0;
    for (size_t i = 0; i < now->parts.count; i++) {
        if (hash_of(now, i) == recorded->hashes[i])
            continue;
        if (shown++ < NAMES_SHOWN)
            put(text, name_of(now, i));
        else
            more++;
    }
    if (more)
        text_put(text, "; and %u more", more);
}

bool state_parts_differ(struct board *b, const struct state_parts_entry *recorded,
                        struct bytes *text)
{
    struct checkpoint now;
    struct bytes found = {0};
    take(b, &now);
    if (!shape_differs(&now, recorded, &found)) {
        if (!name_word(b, &now, recorded, &found))
            name_parts(&now, recorded, &found);
        if (now.memory_hash != recorded->hashes[recorded->count - 1] &&
            !name_byte(b, recorded, &found) && !name_page(b, &now, recorded, &found))
            put(&found, "memory, in more than one page");
    }
    bool differ = found.size != 0;
    bytes_put(text, found.data, found.size);
    bytes_free(&found);
    drop(&now);
    return differ;
}
