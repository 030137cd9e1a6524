/* What an SMMU makes of a transaction, for people: each structure that it reads with its fields by
 * the manual's names, each row of the walk, where it leads, or the event record with its words. By
 * the tables as they are now: what an SMMU has kept of them is its own to tell. */
#ifndef MMU_SMMU_SMMU_EXPLAIN_H
#define MMU_SMMU_SMMU_EXPLAIN_H

#include "emu/bytes.h"
#include "mmu/smmu/smmu_tables.h"

/* Appends lines. `space` is read, and never written: flags that hardware would set stay clear.
 * True, with where it leads: the transaction would pass. */
bool smmu_explain(const struct smmu_features *f, const struct smmu_stream_table *table,
                  const struct smmu_space *space, const struct smmu_request *r, struct bytes *out,
                  uint64_t *at);

#endif
