/* Stage 1 of AArch64, for the EL1&0 regime: virtual to guest-physical addresses.
 *
 * Arm ARM (DDI 0487J.a) chapter D8. By real tables that are read, looked at and corrupted like any
 * memory; nothing here knows Unicorn, a vCPU or a VM: a regime is a handful of register values. */
#ifndef MMU_ARM64_STAGE1_H
#define MMU_ARM64_STAGE1_H

#include "mmu/arm64/stage2.h"
#include "mmu/tlb.h"

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
    unsigned pa_bits;     /* physical address size, 32 to 48 */
    bool no_access_fault; /* of an SMMU, CD.AFFD: a clear access flag is no fault */
};

/* Walks stage 1 for `a`: every descriptor read goes through stage 2 (s1ptw faults). Hardware AF and
 * dirty updates are done if enabled by TCR and has_ha/has_hd. Checks translation, address size and
 * access flag, not permissions. `a` may carry a tag (TBI). observer may be NULL. */
bool stage1_walk(const struct stage1 *s1, const struct stage2 *s2, struct memory *m, gva_t a,
                 const struct access *access, const struct walk_observer *observer,
                 struct tlb_leaf *leaf, struct fault *fault);
bool stage1_permits(const struct tlb_leaf *leaf, gva_t a, const struct access *access,
                    struct fault *fault);
/* The granule of the tables of the high (TTBR1) or low half: 12, 14 or 16 bits. */
unsigned stage1_granule_bits(const struct stage1 *s1, bool high);
/* The current address space: TCR_EL1.A1 and AS. */
static inline uint16_t stage1_asid(const struct stage1 *s1)
{
    bool a1 = s1->tcr >> 22 & 1, as = s1->tcr >> 36 & 1;
    uint16_t asid = (uint16_t)((a1 ? s1->ttbr1 : s1->ttbr0) >> 48);
    return as ? asid : asid & 0xff;
}
/* `a` with a top-byte tag replaced by the sign of bit 55 where TCR.TBI0/1 says so. */
gva_t stage1_strip_tag(const struct stage1 *s1, gva_t a);

#endif
