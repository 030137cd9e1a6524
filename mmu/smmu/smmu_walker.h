/* Shared inside mmu/smmu/ only. */
#ifndef MMU_SMMU_SMMU_WALKER_H
#define MMU_SMMU_SMMU_WALKER_H

#include "mmu/smmu/smmu_format.h"
#include "mmu/smmu/smmu_tables.h"

/* A walk for a request, by what an STE says. */
struct smmu_walker {
    const struct smmu_features *f;
    const struct smmu_space *space;
    const struct smmu_ste *ste;
    const struct smmu_request *r;
    const struct walk_observer *observer;
    uint64_t failed_at; /* the last descriptor that could not be read or written */
};

/* Of that type, for that transaction: nothing but whose it is. */
void smmu_event_begin(struct smmu_event *event, enum smmu_event_type type,
                      const struct smmu_request *r);
/* From the IPA of a CD or L1CD to where it is. */
bool smmu_walk_for_cd(const struct smmu_walker *w, uint64_t ipa, uint64_t *physical,
                      struct smmu_event *event);

#endif
