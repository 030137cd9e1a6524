/* AArch64 translation as pure functions over the board's memory: stage 1 for the EL1&0 regime and
 * stage 2, by real tables that are read, looked at and corrupted like any memory. Nothing here
 * knows Unicorn, a vCPU or a VM; a regime is a handful of register values.
 *
 *     gva --stage1--> gpa --stage2--> hpa
 *
 * Arm ARM (DDI 0487J.a) chapter D8. Faults are values: class, stage, level, addresses; the ESR, FAR
 * and HPFAR are made from them by the CPU (cpu/arm64/syndrome.h). */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/addr.h"
#include "mmu/memory.h"

enum access_kind { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };

/* What is attempted. */
struct access {
    enum access_kind kind;
    bool privileged;     /* EL1 (false: EL0, or LDTR/STTR at EL1) */
    bool pan;            /* PSTATE.PAN (FEAT_PAN); meaningful when privileged */
    bool cache_op;       /* DC/IC by VA (not DC ZVA, a write): no PAN, no dirty state; kind is
                            ACCESS_WRITE for DC IVAC, else ACCESS_READ; only DC IVAC and EL0's
                            operations are subject to permissions */
    bool translate_only; /* AT: permissions as for `kind`, access flag set, dirty state not */
    bool inspect; /* a debugger's look: nothing is changed, a clear access flag is no fault */
};

/* D8 fault classes that translation can produce. */
enum fault_class {
    FAULT_NONE,
    FAULT_ADDRESS_SIZE,
    FAULT_TRANSLATION,
    FAULT_ACCESS_FLAG,
    FAULT_PERMISSION,
    FAULT_EXTERNAL_ON_WALK, /* a table lies where there is no memory */
    FAULT_EXTERNAL,         /* synchronous external abort, not on a walk */
    FAULT_ALIGNMENT,
};

struct fault {
    enum fault_class class;
    uint8_t stage; /* 1 or 2 */
    int8_t level;  /* 0 to 3 (-1 does not exist at Armv8.2) */
    bool s1ptw;    /* stage 2 fault on a stage 1 table access */
    bool write;    /* WnR: the access was a write or a cache_op; if s1ptw or
                      FAULT_EXTERNAL_ON_WALK: it was an update of a table */
    gva_t gva;     /* what was accessed; unset (0) for a bare stage 2 lookup */
    gpa_t gpa;     /* stage 2 faults: the IPA that failed */
};

/* DFSC / IFSC, 6 bits (Arm ARM, ESR_EL1 ISS encoding for an exception from a Data Abort). */
unsigned fault_status_code(const struct fault *f);

/* One table read of a walk, for whoever wants to look (explain). The stage 2 steps that find a
 * stage 1 descriptor come just before the stage 1 step that reads it. */
struct walk_step {
    uint8_t stage;
    int8_t level;
    uint64_t input;  /* what is being translated: stage 1 a gva, stage 2 a gpa */
    gpa_t table_gpa; /* stage 1: where the descriptor is, guest-physical */
    hpa_t table_hpa; /* where it is on the board */
    unsigned index;
    uint8_t index_high, index_low; /* the bits of `input` that are the index */
    uint8_t granule_bits;          /* 12, 14 or 16 */
    uint64_t descriptor;
};
struct walk_observer {
    void (*step)(void *context, const struct walk_step *step);
    void *context;
};

/* Stage 2 of the EL1&0 regime. off = identity, everything permitted (HCR_EL2.VM = 0). */
struct stage2 {
    bool on;
    bool has_xnx;   /* FEAT_XNX: XN[1:0] tells EL1 from EL0; else bit 54 alone counts */
    uint64_t vttbr; /* VTTBR_EL2: BADDR (host-physical), VMID */
    uint64_t vtcr;  /* VTCR_EL2 */
};

enum { PERMIT_R = 1, PERMIT_W = 2, PERMIT_X = 4 };

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

/* Building stage 2: maps [from, from+size) to [to, to+size) with 1 GiB and 2 MiB blocks where
 * alignment allows, 4 KiB pages elsewhere; replaces what was mapped there. Prepared first (may
 * fail, with the old translations all in force: tables are taken from `m`), then committed.
 * `attributes` = PERMIT_* | STAGE2_DEVICE. The caller drops cached translations. */
#define STAGE2_DEVICE 8
/* A fresh stage 2 with `ipa_bits` (32 to 48) of input: 4 KiB granule, concatenated start tables as
 * VTCR_EL2.SL0/T0SZ allow, AF set by software in every leaf. */
bool stage2_new(struct stage2 *s2, struct memory *m, unsigned ipa_bits, struct error *e);
bool stage2_map(struct stage2 *s2, struct memory *m, gpa_t from, hpa_t to, uint64_t size,
                unsigned attributes, struct error *e);
/* Makes [from, from+size) fault again. May need tables (a block of which a part remains). */
bool stage2_unmap(struct stage2 *s2, struct memory *m, gpa_t from, uint64_t size, struct error *e);
/* Is every table that maps [from, from+size) in the board's memory? Building relies on it. */
bool stage2_is_sound(const struct stage2 *s2, struct memory *m, gpa_t from, uint64_t size);

/* Stage 1 of the EL1&0 regime. */
struct stage1 {
    uint64_t sctlr; /* SCTLR_EL1: M, WXN, EE */
    uint64_t tcr;   /* TCR_EL1 */
    uint64_t ttbr0, ttbr1;
    uint64_t mair;
    /* What the CPU model has (ID_AA64MMFR*): */
    bool has_ha, has_hd; /* hardware access flag / dirty state */
    bool has_hpd;        /* TCR.HPD0/1 hierarchical permission disable */
    bool has_16k, has_64k;
    unsigned pa_bits; /* physical address size, 32 to 48 */
};

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

/* Walks stage 1 for `a`: every descriptor read goes through stage 2 (s1ptw faults). Hardware AF and
 * dirty updates are done if enabled by TCR and has_ha/has_hd. Checks translation, address size and
 * access flag, not permissions. `a` may carry a tag (TBI). observer may be NULL. */
bool stage1_walk(const struct stage1 *s1, const struct stage2 *s2, struct memory *m, gva_t a,
                 const struct access *access, const struct walk_observer *observer,
                 struct stage1_leaf *leaf, struct fault *fault);
bool stage1_permits(const struct stage1_leaf *leaf, gva_t a, const struct access *access,
                    struct fault *fault);
/* The granule of the tables of the high (TTBR1) or low half: 12, 14 or 16 bits. */
unsigned stage1_granule_bits(const struct stage1 *s1, bool high);
/* `a` with a top-byte tag replaced by the sign of bit 55 where TCR.TBI0/1 says so. */
gva_t stage1_strip_tag(const struct stage1 *s1, gva_t a);

#endif
