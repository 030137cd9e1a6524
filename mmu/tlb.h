/* The model's stage 1 TLB, one per vCPU: what the guest's translations are between two TLBIs.
 *
 * The engine refills its own TLB at moments that depend on the host. Were those refills walks, then
 * what they see of tables that the guest changed without a TLBI would not be reproducible. This TLB
 * is the architectural one instead: an entry is inserted at the first access, the vCPU's own or
 * (tlb_offer) another's, and stays until the guest invalidates it, or until the TLB has taken
 * TLB_ENTRIES insertions since it was last empty and is emptied whole. What it holds is a function
 * of the guest's accesses and TLBIs alone (Arm ARM chapter D8, "Translation Lookaside Buffers").
 *
 * How the CPU uses it, for a stage 1 that is on (with SCTLR_EL1.M = 0 there is nothing to cache):
 *
 *     a = stage1_strip_tag(s1, a);
 *     leaf = tlb_lookup(tlb, a, asid);
 *     if (!leaf || (leaf->writable_clean && the access is a write)) {
 *         stage1_walk(...);            on a fault: raise it, insert nothing
 *         if (tlb_insert(tlb, a, &walked))
 *             flush the engine's TLB;
 *     }
 *     stage1_permits(...); stage2...
 *
 * A writable_clean leaf must be walked again for a write, because the walk sets dirty state in the
 * guest's table; inserting the result replaces the clean entry. Leaves depend on TCR, SCTLR.WXN,
 * MAIR as they were at the walk: as on hardware, a guest that changes those invalidates (or does
 * not, and sees the old ones). TTBR changes keep entries of other ASIDs, and global ones.
 *
 * Entries are kept at the size of their leaf, so a TLBI of any address in a block drops the whole
 * block. Each function that drops entries says whether one larger than 4 KiB was among them: the
 * engine knows 4 KiB pages only and must then flush everything. (It may also say so when such an
 * entry had been dropped already.) */
#ifndef MMU_TLB_H
#define MMU_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/addr.h"
#include "emu/state.h"
#include "mmu/walk.h"

/* What a walk of the guest's own tables gives for a page. */
struct stage1_leaf {
    gpa_t page;         /* of the 4 KiB page that holds the gva */
    uint64_t leaf_size; /* bytes mapped by the descriptor (4K to 1G; contiguous not counted) */
    uint8_t level;
    uint8_t attr;     /* the MAIR byte */
    bool device;      /* attr is Device memory (or stage 1 off: data accesses are Device-nGnRnE) */
    bool global;      /* nG = 0 */
    uint16_t asid;    /* the current ASID (TCR.A1, AS) */
    uint8_t el1, el0; /* PERMIT_* by stage 1 tables (APTable, PXNTable, UXNTable, WXN included) */
    bool el0_any;     /* any EL0 read or write access: what PAN and the EL1 fetch rule look at */
    bool writable_clean; /* DBM: a write must set AP[2]; walk again for write */
};

#define TLB_ENTRIES 16384

struct stage1_tlb;

/* An empty TLB, about 1.5 MiB; NULL when the host has no memory. Nothing is allocated later. */
struct stage1_tlb *tlb_new(void);
void tlb_free(struct stage1_tlb *t);

/* The leaf that translates `a` for `asid`, its `page` that of `a`; NULL when there is none. Valid
 * until the next call. `a` without a tag. */
const struct stage1_leaf *tlb_lookup(struct stage1_tlb *t, gva_t a, uint16_t asid);
/* Will the next tlb_insert empty it? */
bool tlb_is_full(const struct stage1_tlb *t);
/* Adds the leaf of `a` under leaf->asid (or for every ASID if leaf->global), in place of what
 * translated `a` so far. True if other pages' entries were dropped for it (the TLB was full, or a
 * block was replaced): the engine must flush. */
bool tlb_insert(struct stage1_tlb *t, gva_t a, const struct stage1_leaf *leaf);

/* The same for another vCPU's walk, if nothing translates `a` and no entry must go for it: true if
 * the leaf is in it now. */
bool tlb_offer(struct stage1_tlb *t, gva_t a, const struct stage1_leaf *leaf);

/* The guest's TLBIs; all return whether an entry larger than 4 KiB was dropped. Of `va` only bits
 * 55 to 12 count, as in the operand of TLBI. */
bool tlb_invalidate_all(struct stage1_tlb *t);                 /* VMALLE1, ALLE1 */
bool tlb_invalidate_asid(struct stage1_tlb *t, uint16_t asid); /* ASIDE1: not global entries */
bool tlb_invalidate_va(struct stage1_tlb *t, gva_t va,
                       uint16_t asid); /* VAE1, VALE1: global entries too */
bool tlb_invalidate_va_all_asids(struct stage1_tlb *t, gva_t va); /* VAAE1, VAALE1 */

/* The state for snapshots and digests: the live entries in the order of insertion, and how many
 * insertions there were. Equal states give equal bytes, restored or not. A TLB that cannot be
 * restored is empty. */
void tlb_visit(struct stage1_tlb *t, struct state *s);

#endif
