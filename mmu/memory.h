/* The board's physical memory: banks of RAM at host-physical addresses, with reserved regions and
 * holes between them, and the allocator that assembles a guest's memory from scattered chunks.
 *
 * Host memory behind a bank is zeroed and committed lazily (memory_use_host), so a bank costs what
 * is touched. memory_at is the one place that turns an hpa_t into a host pointer, for a checked
 * length, and only inside one bank.
 *
 * Every page remembers whether it was ever written (touched), and for each of those who follow
 * changes (enum memory_follower) whether it was written since that one last forgot its marks.
 * Writers announce themselves by asking for MEMORY_WRITE; the engine does so when it lets the guest
 * write a page. */
#ifndef MMU_MEMORY_H
#define MMU_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/addr.h"
#include "emu/error.h"
#include "emu/hash.h"
#include "emu/state.h"

enum memory_access { MEMORY_READ, MEMORY_WRITE };

/* Who follows changes of memory, by number. Each has its own marks of pages and forgets them when
 * it has seen the pages; what one forgets the others keep. One that never forgets costs nothing but
 * its marks. */
enum memory_follower {
    MEMORY_DIGESTS, /* memory_digest */
    MEMORY_IMAGES,  /* memory_image.h */
    MEMORY_FOLLOWERS,
};

struct memory;

struct memory_bank {
    hpa_t base;
    uint64_t size; /* bytes, a multiple of PAGE_SIZE */
    bool is_store; /* memory_add_store */
    uint8_t *host; /* page-aligned */
    /* Private to memory*.c. Pages are numbered from the 2 MiB boundary at or below `base` and come
     * in groups of 512 (2 MiB), so a group is what a stage 2 block can map. */
    uint64_t floor; /* that boundary */
    size_t group_count;
    void *allocation;
    uint64_t *used;     /* a bit a page: taken, reserved, or outside the bank */
    uint64_t *touched;  /* a bit a page: was ever written */
    uint64_t *seen;     /* a bit a page: it has every follower's mark */
    uint64_t *expected; /* a bit a page: its contents are still to come */
    uint64_t *code;     /* a bit a page: memory_set_code */
    struct memory_marks {
        uint64_t *pages;  /* a bit a page: written since the follower forgot */
        uint64_t *groups; /* a bit a group: has such a page */
    } marks[MEMORY_FOLLOWERS];
    struct hash128 *page_hash;  /* all zero = page of zeros */
    struct hash128 *group_hash; /* all zero = nothing but pages of zeros */
};

/* Where the contents of pages come from that nobody has looked at yet: see memory_expect. */
struct memory_source {
    /* Provides the page, by memory_provide, and may provide others with it. */
    void (*load)(void *context, struct memory *m, hpa_t page);
    void (*release)(void *context);
    void *context;
};

#define MEMORY_BANKS_MAX 16 /* of RAM */
struct memory {
    struct memory_bank banks[MEMORY_BANKS_MAX + 1]; /* by base, ascending, not overlapping */
    size_t bank_count;
    uint64_t scatter_turn; /* allocator state: which end of which bank is next */
    uint64_t free_pages;   /* not taken and not reserved */
    size_t expected_pages; /* whose contents are still to come from `source` */
    struct memory_source source;
    void (*before_code_changes)(void *context, hpa_t a, uint64_t size);
    void *code_context;
    bool is_damaged; /* the source gave something else than what was expected; zeros instead */
};

struct memory_chunk {
    hpa_t base;
    uint64_t size;
};

/* Where the host memory behind banks comes from: zeroed, and committed only where it is touched, or
 * NULL. For the whole process, and before its first bank; without it calloc and free are asked,
 * which do so on many hosts. */
struct memory_host {
    void *(*take)(size_t size);
    void (*give_back)(void *memory, size_t size);
};
void memory_use_host(const struct memory_host *host);
/* Whether that much could be had now. */
bool memory_host_has(size_t size);

/* Adds a bank. Fails (error set) when not page aligned, empty, overlapping, beyond 2^48, one too
 * many, or when the host has no address space left. Not after the first memory_at. */
bool memory_add_bank(struct memory *m, hpa_t base, uint64_t size, struct error *e);
/* Adds what devices keep beside their registers, such as what was written to a disk: behind all
 * banks, in no guest's and no engine's reach, and nobody's to allocate, but followed, digested and
 * saved like them. One at most, the last to be added; fails as memory_add_bank does. `*base` says
 * where it is. */
bool memory_add_store(struct memory *m, uint64_t size, hpa_t *base, struct error *e);
/* The banks that are RAM: the first so many. */
size_t memory_ram_count(const struct memory *m);
void memory_free(struct memory *m);
/* Takes a range (whole pages of one bank) out of the allocator's hands. Fails (error set) when it
 * is not that, or when a part of it was already reserved or taken. */
bool memory_reserve(struct memory *m, hpa_t base, uint64_t size, struct error *e);
/* A host pointer to [a, a+size), or NULL if that is not wholly inside one bank. MEMORY_WRITE marks
 * the pages touched, and for every follower. The pointer stays valid until memory_free. */
void *memory_at(struct memory *m, hpa_t a, uint64_t size, enum memory_access access);
/* Allocates the next chunk of at most `size` bytes (page multiples), 2 MiB aligned and sized where
 * `size` allows, deliberately scattered over the banks, always in the same order for the same
 * requests: from the low and high ends of the banks in turn, with gaps that are used last. The
 * caller asks again until it has all. False when the board is full. Memory is zero. */
bool memory_take(struct memory *m, uint64_t size, struct memory_chunk *chunk);
/* Allocates exactly `size` bytes (a power of two from 4 KiB to 2 MiB) at a multiple of `size`: what
 * translation tables need. Packed, not scattered. Memory is zero. */
bool memory_take_aligned(struct memory *m, uint64_t size, hpa_t *base);
/* Bytes the allocator can still give. */
uint64_t memory_available(const struct memory *m);
/* Has the page every follower's mark, so that nobody has to see its next write? (the engine
 * withholds W until then) */
bool memory_is_dirty(const struct memory *m, hpa_t page);
/* The first page at or after `*page` that was written since the follower forgot, in `*page`; false
 * when there is none. */
bool memory_next_written(const struct memory *m, enum memory_follower who, hpa_t *page);
/* Clears the follower's marks: the engine's write permissions must be taken back. */
void memory_forget_written(struct memory *m, enum memory_follower who);
/* Pages whose contents somebody keeps in another form, as translated code. Whoever asks for
 * MEMORY_WRITE of one has `before` called first, with the part of the page that may change. Of the
 * host, not of the board: in no snapshot, and left as they are by memory_clear. */
void memory_watch_code(struct memory *m, void (*before)(void *context, hpa_t a, uint64_t size),
                       void *context);
void memory_set_code(struct memory *m, hpa_t page, bool is_code);
bool memory_is_code(const struct memory *m, hpa_t page);
/* The pages of all RAM, and the number of one among them: for whoever keeps something of each. */
size_t memory_page_count(const struct memory *m);
size_t memory_page_number(const struct memory *m, hpa_t page);
/* Was the page ever written? */
bool memory_is_touched(const struct memory *m, hpa_t page);
/* The first page at or after `*page` that was ever written, in `*page`; false when there is none.
 * A snapshot holds exactly these. */
bool memory_next_touched(const struct memory *m, hpa_t *page);
/* The allocator's state, without contents: for snapshots. The banks must be the same. */
void memory_visit(struct memory *m, struct state *s);
/* All pages become zero. */
void memory_clear(struct memory *m);
/* Pages that come later. The memory behaves as if it held them already: memory_at has them loaded,
 * a digest takes their hash. The source replaces the one before it, whose pages must not be missing
 * any more: call memory_clear first. It must not touch the memory but by memory_provide. */
void memory_set_source(struct memory *m, struct memory_source source);
/* The page, which is zero and was not looked at since memory_clear, has that memory_page_hash.
 * False: there is no such page, or it is expected already. */
bool memory_expect(struct memory *m, hpa_t page, struct hash128 hash);
/* The contents of an expected page. NULL: there are none. */
void memory_provide(struct memory *m, hpa_t page, const uint8_t *contents);
/* All that are still expected, now. */
void memory_load(struct memory *m);
/* Of a page, as it was at the last digest. */
struct hash128 memory_page_hash(const struct memory *m, hpa_t page);
/* Is a page, as memory_at gives it, all zero? */
bool memory_page_is_zero(const uint8_t *page);
/* Adds the contents to a digest. The contents are a tree of hashes by address: pages, groups of 2
 * MiB, banks (base and hash of each that is not all zero), so a page that was written with zeros
 * counts like one never written, and only what was written since the last one is hashed again.
 * Forgets, as MEMORY_DIGESTS: the engine's write permissions must be taken back. */
void memory_digest(struct memory *m, struct sha256 *s);

#endif
