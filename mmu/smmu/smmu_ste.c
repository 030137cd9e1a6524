/* The STE of a stream that a hypervisor contains. */
#include "mmu/arm64/stage2.h"
#include "mmu/smmu/smmu_format.h"
#include "mmu/smmu/smmu_tables.h"

static void put(struct smmu_ste *ste, uint64_t value, unsigned word, unsigned high, unsigned low)
{
    (void)high;
    ste->word[word] |= value << low;
}

/* VTCR_EL2 and VTTBR_EL2 as the fields of 5.2 that hold the same: stage 2 alone, the access flag as
 * software set it, and a refusal is recorded. */
void smmu_ste_contain(struct smmu_ste *ste, const struct guest_tables *tables, uint16_t vmid)
{
    const struct stage2 *s2 = stage2_of(tables);
    *ste = (struct smmu_ste){0};
    put(ste, 1, STE_V);
    put(ste, CONFIG_BYPASS | CONFIG_STAGE2, STE_CONFIG);
    put(ste, vmid, STE_S2VMID);
    put(ste, s2->vtcr & 0x3f, STE_S2T0SZ);
    put(ste, s2->vtcr >> 6 & 3, STE_S2SL0);
    put(ste, s2->vtcr >> 14 & 3, STE_S2TG);
    put(ste, s2->vtcr >> 16 & 7, STE_S2PS);
    put(ste, 1, STE_S2AA64);
    put(ste, 1, STE_S2R);
    ste->word[3] = s2->vttbr & STE_S2TTB;
}
