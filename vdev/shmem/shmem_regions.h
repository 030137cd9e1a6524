/* The named regions of memory that guests share (reference 8.1): one registry a board, borrowed by
 * every `vdev shmem` of every VM on it. It knows names, sizes, which clients are attached, and what
 * each of them has not read yet; not who a client is, nor where it maps the region.
 *
 * All memory is taken from the board when the registry is made, and handed out in the order in
 * which regions are created. A region lives as long as the board and keeps its contents after the
 * last client has left (not documented: our choice). So nothing is allocated while a guest runs,
 * and a guest that creates regions for ever is told at some point that there is no memory.
 *
 * Regions are numbered from 0 in the order of their creation, clients of a region from 0 to 15. */
#ifndef VDEV_SHMEM_SHMEM_REGIONS_H
#define VDEV_SHMEM_SHMEM_REGIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/error.h"
#include "emu/state.h"
#include "mmu/memory.h"

#define SHMEM_REGIONS_MAX 64 /* our choice */
#define SHMEM_CLIENTS_MAX 16 /* 8.1 */
#define SHMEM_NAME_MAX    32 /* 8.1: bytes, without a NUL */
/* What guests can create themselves, beyond the regions of `create` (our choice). */
#define SHMEM_POOL_BYTES ((uint64_t)32 << 20)

struct shmem_regions;

/* Told whenever what its client would read changes. Borrowed until the client leaves. */
struct shmem_listener {
    void (*changed)(void *context);
    void *context;
};

/* Takes `size` bytes (a multiple of 4 KiB) of `m` for all regions together. NULL, with the error
 * set, if there are not so many. The caller frees it before `m`. */
struct shmem_regions *shmem_regions_new(struct memory *m, uint64_t size, struct error *e);
void shmem_regions_free(struct shmem_regions *r);
/* The state of all regions; their contents are the board's memory. Nobody listens to what is
 * restored. */
void shmem_regions_visit(struct shmem_regions *r, struct state *s);

/* The region of that name; false if there is none. */
bool shmem_regions_find(const struct shmem_regions *r, const char *name, unsigned *region);
/* A new region of zeros. The name must be a new one of 1 to SHMEM_NAME_MAX bytes, and pages not 0.
 * False: too little memory is left, or there are SHMEM_REGIONS_MAX already. */
bool shmem_regions_create(struct shmem_regions *r, const char *name, uint64_t pages,
                          unsigned *region);
/* Undoes the latest creation: nobody has used it. */
void shmem_regions_uncreate(struct shmem_regions *r);
const char *shmem_regions_name(const struct shmem_regions *r, unsigned region);
uint64_t shmem_regions_pages(const struct shmem_regions *r, unsigned region);
/* The board's memory at an offset in the region, as far as it is contiguous. */
struct memory_chunk shmem_regions_chunk(const struct shmem_regions *r, unsigned region,
                                        uint64_t offset);

/* One client more: the lowest free number. The others see their status change. False: there are
 * SHMEM_CLIENTS_MAX. */
bool shmem_regions_attach(struct shmem_regions *r, unsigned region, struct shmem_listener listener,
                          unsigned *client);
bool shmem_regions_is_full(const struct shmem_regions *r, unsigned region);
/* One less; the others see their status change. */
void shmem_regions_detach(struct shmem_regions *r, unsigned region, unsigned client);
/* After a restore: is there such a client? If so, this is its listener from now on. */
bool shmem_regions_listen(struct shmem_regions *r, unsigned region, unsigned client,
                          struct shmem_listener listener);

/* The control page (8.3). Notifying takes a set of clients, ~0 for everybody but oneself. */
void shmem_regions_notify(struct shmem_regions *r, unsigned region, unsigned client,
                          uint32_t clients);
/* Clients that notified since the last read in the low half, clients attached in the high one. */
uint32_t shmem_regions_read_status(struct shmem_regions *r, unsigned region, unsigned client);
/* Has it changed since then? */
bool shmem_regions_is_unread(const struct shmem_regions *r, unsigned region, unsigned client);

#endif
