/* The digest of memory is a tree: XXH3 of each page, of the 512 page hashes of a group, of the
 * group hashes of a bank, then SHA-256 over the banks. A digest after little work so costs the
 * dirty pages, their groups (8 KiB of hashes each) and 16 bytes for every 2 MiB of the board. */
#include <string.h>

#include "emu/bytes.h"
#include "emu/check.h"
#include "mmu/memory_internal.h"

static const struct hash128 zero_hash = {0, 0};

static bool hash_is_zero(struct hash128 h)
{
    return (h.low | h.high) == 0;
}

static bool hashes_are_zero(const struct hash128 *h, size_t count)
{
    uint64_t any = 0;
    for (size_t i = 0; i < count; i++)
        any |= h[i].low | h[i].high;
    return any == 0;
}

/* Hashes are kept as little-endian bytes on every host, so that arrays of them can be hashed. */
static struct hash128 hash_stored(const void *data, size_t size)
{
    struct hash128 h = hash_fast(data, size), stored;
    store_le(&stored.low, h.low, 8);
    store_le(&stored.high, h.high, 8);
    return stored;
}

static struct hash128 hash_of_hashes(const struct hash128 *h, size_t count)
{
    return hashes_are_zero(h, count) ? zero_hash : hash_stored(h, count * sizeof *h);
}

static struct hash128 hash_of_page(const uint8_t *page)
{
    /* Equal to itself one byte on, and the first byte 0: all are. */
    return memory_page_is_zero(page) ? zero_hash : hash_stored(page, PAGE_SIZE);
}

static const uint8_t *page_host(const struct memory_bank *b, size_t page)
{
    return b->host + (bank_page_address(b, page).v - b->base.v);
}

struct hash128 memory_page_hash(const struct memory *m, hpa_t page)
{
    const struct memory_bank *b = bank_of(m, page, PAGE_SIZE);
    return b ? b->page_hash[bank_page(b, page)] : zero_hash;
}

bool memory_expect(struct memory *m, hpa_t page, struct hash128 hash)
{
    struct memory_bank *b = page.v & PAGE_MASK ? NULL : bank_of(m, page, PAGE_SIZE);
    size_t p = b ? bank_page(b, page) : 0;
    if (!b || bit_test(b->expected, p))
        return false;
    bit_set(b->expected, p);
    bank_mark(b, p);
    /* Its hash is known, that of its group is not. */
    bit_clear(b->marks[MEMORY_DIGESTS].pages, p);
    bit_clear(b->seen, p);
    b->page_hash[p] = hash;
    m->expected_pages++;
    return true;
}

void memory_provide(struct memory *m, hpa_t page, const uint8_t *contents)
{
    struct memory_bank *b = bank_of(m, page, PAGE_SIZE);
    size_t p = bank_page(b, page);
    CHECK(bit_test(b->expected, p));
    bit_clear(b->expected, p);
    m->expected_pages--;
    struct hash128 hash = contents ? hash_of_page(contents) : zero_hash;
    if (contents && hash.low == b->page_hash[p].low && hash.high == b->page_hash[p].high)
        memcpy((uint8_t *)(uintptr_t)page_host(b, p), contents, PAGE_SIZE);
    else
        m->is_damaged = true;
}

static void update_group(struct memory_bank *b, size_t group)
{
    size_t word = group * GROUP_WORDS;
    const uint64_t *written = b->marks[MEMORY_DIGESTS].pages;
    for (size_t w = word; w < word + GROUP_WORDS; w++)
        for (uint64_t left = written[w]; left; left &= left - 1) {
            size_t page = w * 64 + bit_lowest(left);
            b->page_hash[page] = hash_of_page(page_host(b, page));
        }
    b->group_hash[group] = hash_of_hashes(b->page_hash + group * GROUP_PAGES, GROUP_PAGES);
}

static void update_bank(struct memory_bank *b)
{
    const uint64_t *groups = b->marks[MEMORY_DIGESTS].groups;
    for (size_t g = 0; (g = bit_next(groups, g, b->group_count)) < b->group_count; g++)
        update_group(b, g);
}

void memory_digest(struct memory *m, struct sha256 *s)
{
    for (size_t i = 0; i < m->bank_count; i++) {
        struct memory_bank *b = &m->banks[i];
        update_bank(b);
        struct hash128 h = hash_of_hashes(b->group_hash, b->group_count);
        if (hash_is_zero(h))
            continue;
        uint8_t base[8];
        store_le(base, b->base.v, 8);
        sha256_add(s, base, sizeof base);
        sha256_add(s, &h, sizeof h);
    }
    memory_forget_written(m, MEMORY_DIGESTS);
}
