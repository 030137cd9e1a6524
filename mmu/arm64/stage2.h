/* Stage 2 of AArch64: guest-physical to host-physical addresses.
 *
 * Arm ARM (DDI 0487J.a) chapter D8. By real tables that are read, looked at and corrupted like any
 * memory; nothing here knows Unicorn, a vCPU or a VM: a regime is a handful of register values. */
#ifndef MMU_ARM64_STAGE2_H
#define MMU_ARM64_STAGE2_H

#include "mmu/guest_tables.h"
#include "mmu/walk.h"

/* TCR_EL1.IPS, VTCR_EL2.PS (AArch64.PhysicalAddressSize); 52 bits need FEAT_LPA, so all else
 * means 48. */
static inline unsigned output_size_bits(uint64_t ps)
{
    static const uint8_t sizes[8] = {32, 36, 40, 42, 44, 48, 48, 48};
    return sizes[ps & 7];
}

/* Stage 2 of the EL1&0 regime. off = identity, everything permitted (HCR_EL2.VM = 0). */
struct stage2 {
    struct guest_tables head; /* first */
    bool on;
    bool has_xnx;   /* FEAT_XNX: XN[1:0] tells EL1 from EL0; else bit 54 alone counts */
    uint64_t vttbr; /* VTTBR_EL2: BADDR (host-physical), VMID */
    uint64_t vtcr;  /* VTCR_EL2 */
    /* For an SMMU: how tables of both stages are reached, NULL: in the board's memory; a clear
     * access flag is no fault (STE.S2AFFD); stage 1's tables may not lie in Device memory
     * (STE.S2PTW). */
    const struct walk_memory *via;
    bool no_access_fault, no_device_tables;
    bool forced_write_back; /* STE.S2FWB: MemAttr is encoded so that it tells Device by one bit */
};

struct stage2_leaf {
    hpa_t page; /* of the 4 KiB page that holds the gpa */
    uint64_t leaf_size;
    uint8_t level;
    uint8_t permits;     /* PERMIT_*; X = executable at both EL1 and EL0 */
    bool x_el1, x_el0;   /* differ only with FEAT_XNX */
    bool writable_clean; /* DBM: not W yet, but a walk for_write makes it so */
    uint8_t memattr;     /* MemAttr[3:0] */
    bool device;         /* MemAttr says Device */
};

/* Walks stage 2 for `a`. Sets access flag / dirty state when VTCR says hardware does. Checks only
 * translation, address size and access flag; permissions are the caller's (stage2_permits).
 * observer may be NULL. The contiguous bit is ignored. Misprogrammed VTCR (reserved TG0 or SL0,
 * T0SZ outside 16 to 39, SL0 inconsistent with T0SZ): translation fault, level 0. */
bool stage2_walk(const struct stage2 *s2, struct memory *m, gpa_t a, bool for_write,
                 const struct walk_observer *observer, struct stage2_leaf *leaf,
                 struct fault *fault);
/* The same without any effect on the tables, a clear access flag being no fault: for debuggers. */
bool stage2_inspect(const struct stage2 *s2, struct memory *m, gpa_t a,
                    const struct walk_observer *observer, struct stage2_leaf *leaf,
                    struct fault *fault);
/* Permission check; fills `fault` (stage 2 permission fault at the leaf's level) and returns false.
 * fault->gva is the caller's to fill. */
bool stage2_permits(const struct stage2_leaf *leaf, gpa_t a, const struct access *access,
                    struct fault *fault);

/* DFSC / IFSC, 6 bits (Arm ARM, ESR_EL1 ISS encoding for an exception from a Data Abort). */
unsigned fault_status_code(const struct fault *f);

/* Building stage 2: maps [from, from+size) to [to, to+size) with 1 GiB and 2 MiB blocks where
 * alignment allows, 4 KiB pages elsewhere; replaces what was mapped there. Prepared first (may
 * fail, with the old translations all in force: tables are taken from `m`), then committed.
 * `attributes` = PERMIT_* | GUEST_TABLES_DEVICE. The caller drops cached translations. */
/* A fresh stage 2 with `ipa_bits` (32 to 48) of input: 4 KiB granule, concatenated start tables as
 * VTCR_EL2.SL0/T0SZ allow, AF set by software in every leaf. */
bool stage2_new(struct stage2 *s2, struct memory *m, unsigned ipa_bits, struct error *e);
bool stage2_map(struct stage2 *s2, struct memory *m, gpa_t from, hpa_t to, uint64_t size,
                unsigned attributes, struct error *e);
/* Makes [from, from+size) fault again. May need tables (a block of which a part remains). */
bool stage2_unmap(struct stage2 *s2, struct memory *m, gpa_t from, uint64_t size, struct error *e);

/* The same as guest tables. */
extern const struct guest_tables_type stage2_tables;
static inline const struct stage2 *stage2_of(const struct guest_tables *t)
{
    return (const struct stage2 *)t;
}

#endif
