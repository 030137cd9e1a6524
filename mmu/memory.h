/* The board's physical memory: banks of RAM at host-physical addresses, with reserved regions and
 * holes between them, and the allocator that assembles a guest's memory from scattered chunks.
 *
 * Host memory behind a bank is zeroed and committed lazily by the operating system, so a bank costs
 * what is touched. memory_at is the one place that turns an hpa_t into a host pointer, for a
 * checked length, and only inside one bank.
 *
 * Every page remembers whether it was ever written (touched) and whether it was written since the
 * last digest (dirty). Writers announce themselves by asking for MEMORY_WRITE; the engine does so
 * when it lets the guest write a page. */
#ifndef MMU_MEMORY_H
#define MMU_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/addr.h"
#include "emu/error.h"
#include "emu/hash.h"

enum memory_access { MEMORY_READ, MEMORY_WRITE };

struct memory_bank {
    hpa_t base;
    uint64_t size; /* bytes, a multiple of PAGE_SIZE */
    uint8_t *host; /* page-aligned */
    /* private to memory.c */
    void *allocation;
    uint8_t *page_flags;
    struct hash128 *page_hash;
    uint8_t *page_used; /* by the allocator or reserved */
};

#define MEMORY_BANKS_MAX 16
struct memory {
    struct memory_bank banks[MEMORY_BANKS_MAX]; /* by base, ascending, not overlapping */
    size_t bank_count;
    uint64_t scatter_turn; /* allocator state: which end of which bank is next */
};

struct memory_chunk {
    hpa_t base;
    uint64_t size;
};

/* Adds a bank. Fails (error set) when not page aligned, empty, overlapping, beyond 2^48, or when
 * the host has no address space left. */
bool memory_add_bank(struct memory *m, hpa_t base, uint64_t size, struct error *e);
void memory_free(struct memory *m);
/* Takes a range out of the allocator's hands. */
bool memory_reserve(struct memory *m, hpa_t base, uint64_t size, struct error *e);
/* A host pointer to [a, a+size), or NULL if that is not wholly inside one bank. MEMORY_WRITE marks
 * the pages touched and dirty. The pointer stays valid until memory_free. */
void *memory_at(struct memory *m, hpa_t a, uint64_t size, enum memory_access access);
/* Allocates the next chunk of at most `size` bytes (page multiples), 2 MiB aligned and sized where
 * `size` allows, deliberately scattered over the banks, always in the same order for the same
 * requests. False when the board is full. Memory is zero. */
bool memory_take(struct memory *m, uint64_t size, struct memory_chunk *chunk);
/* Bytes the allocator can still give. */
uint64_t memory_available(const struct memory *m);
/* Was the page written since the last memory_digest? (the engine withholds W until then) */
bool memory_is_dirty(const struct memory *m, hpa_t page);
/* Adds the contents to a digest: for each bank and each page that is not all zero, its number and
 * hash (a page that was written with zeros counts like one never written). Only dirty pages are
 * hashed again. Clears the dirty marks: the engine's write permissions must be taken back. */
void memory_digest(struct memory *m, struct sha256 *s);

#endif
