/* The model's TLB of a guest's own translations, one per vCPU: what they are between two of the
 * guest's invalidations.
 *
 * The engine refills its own TLB at moments that depend on the host. Were those refills walks, then
 * what they see of tables that the guest changed without invalidating would not be reproducible.
 * This TLB is the architectural one instead: an entry is inserted at the first access, the vCPU's
 * own or (tlb_offer) another's, and stays until the guest invalidates it, or until the TLB has
 * taken TLB_ENTRIES insertions since it was last empty and is emptied whole. What it holds is a
 * function of the guest's accesses and invalidations alone (Arm ARM chapter D8, "Translation
 * Lookaside Buffers"; Intel SDM volume 3, "Caching Translation Information").
 *
 * How a CPU uses it, while its guest translates:
 *
 *     leaf = tlb_lookup(tlb, a, asid);
 *     if (!leaf || (leaf->writable_clean && the access is a write)) {
 *         walk the guest's tables;     on a fault: raise it, insert nothing
 *         if (tlb_insert(tlb, a, &walked))
 *             flush the engine's TLB;
 *     }
 *     what the leaf permits; the hypervisor's tables...
 *
 * A writable_clean leaf must be walked again for a write, because the walk sets dirty state in the
 * guest's table; inserting the result replaces the clean entry. Leaves depend on the registers that
 * control translation as they were at the walk: as on hardware, a guest that changes those
 * invalidates (or does not, and sees the old ones). Another table's address keeps entries of other
 * ASIDs, and global ones. An ASID is what the architecture tags translations with.
 *
 * Entries are kept at the size of their leaf, so invalidating any address in a block drops the
 * whole block. Each function that drops entries says whether one larger than 4 KiB was among them:
 * the engine knows 4 KiB pages only and must then flush everything. (It may also say so when such
 * an entry had been dropped already.) */
#ifndef MMU_TLB_H
#define MMU_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/addr.h"
#include "emu/state.h"
#include "mmu/walk.h"

/* What a walk of the guest's own tables gives for a page. */
struct tlb_leaf {
    gpa_t page;         /* of the 4 KiB page that holds the gva */
    uint64_t leaf_size; /* bytes mapped by the descriptor (4K to 1G; contiguous not counted) */
    uint8_t level;
    uint8_t attr;  /* the type of memory, as the architecture encodes it: a MAIR byte */
    bool device;   /* attr is Device memory (or nothing translates: data accesses are such) */
    bool global;   /* of every ASID */
    uint16_t asid; /* the current one */
    /* PERMIT_* for either by the guest's tables, with all that inherits and forbids. */
    uint8_t privileged, unprivileged;
    bool unprivileged_any; /* any unprivileged read or write: what PAN asks for */
    bool writable_clean;   /* a write must set dirty state; walk again for it */
};

#define TLB_ENTRIES 16384

struct tlb;

/* An empty TLB, about 1.5 MiB; NULL when the host has no memory. Nothing is allocated later. */
struct tlb *tlb_new(void);
void tlb_free(struct tlb *t);

/* The leaf that translates `a` for `asid`, its `page` that of `a`; NULL when there is none. Valid
 * until the next call. `a` without a tag. */
const struct tlb_leaf *tlb_lookup(struct tlb *t, gva_t a, uint16_t asid);
/* Will the next tlb_insert empty it? */
bool tlb_is_full(const struct tlb *t);
/* Adds the leaf of `a` under leaf->asid (or for every ASID if leaf->global), in place of what
 * translated `a` so far. True if other pages' entries were dropped for it (the TLB was full, or a
 * block was replaced): the engine must flush. */
bool tlb_insert(struct tlb *t, gva_t a, const struct tlb_leaf *leaf);

/* The same for another vCPU's walk, if nothing translates `a` and no entry must go for it: true if
 * the leaf is in it now. */
bool tlb_offer(struct tlb *t, gva_t a, const struct tlb_leaf *leaf);

/* The guest invalidates; all return whether an entry larger than 4 KiB was dropped. Of `va` only
 * bits 55 to 12 count. */
bool tlb_invalidate_all(struct tlb *t);
bool tlb_invalidate_asid(struct tlb *t, uint16_t asid);         /* not global entries */
bool tlb_invalidate_va(struct tlb *t, gva_t va, uint16_t asid); /* global entries too */
bool tlb_invalidate_va_all_asids(struct tlb *t, gva_t va);

/* The state for snapshots and digests: the live entries in the order of insertion, and how many
 * insertions there were. Equal states give equal bytes, restored or not. A TLB that cannot be
 * restored is empty. */
void tlb_visit(struct tlb *t, struct state *s);

#endif
