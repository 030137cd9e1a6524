/* What an SMMU makes of a transaction, for people: each structure that it reads with its fields by
 * the manual's names, each row of the walk, where it leads, or the event record with its words. By
 * the tables as they are now: what an SMMU has kept of them is its own to tell. */
#ifndef MMU_SMMU_SMMU_EXPLAIN_H
#define MMU_SMMU_SMMU_EXPLAIN_H

#include "emu/bytes.h"
#include "emu/json.h"
#include "mmu/smmu/smmu_tables.h"

/* What was read, in that order. A row of a walk is an L1 descriptor until the walk tells of it. */
enum smmu_read {
    SMMU_READ_NOTHING, /* nothing can be read there */
    SMMU_READ_L1STD,
    SMMU_READ_STE,
    SMMU_READ_L1CD,
    SMMU_READ_CD,
    SMMU_READ_ROW,
};
struct smmu_explain_step {
    enum smmu_read what;
    uint64_t at;
    uint64_t words[SMMU_WORDS]; /* as many as it has */
    struct walk_step walk;      /* a row */
};

/* An L1CD and a CD at the IPAs that stage 2 translates, four tables of stage 1, and the result. */
#define SMMU_EXPLAIN_STEPS (4 + 7 * 5)
struct smmu_explanation {
    struct smmu_explain_step steps[SMMU_EXPLAIN_STEPS];
    size_t step_count;
    bool passes;
    uint64_t at; /* where it leads then; or else, unless `event` is SMMU_EVENT_NONE, which is an
                    abort without a record: */
    struct smmu_event event;
    struct smmu_faults faults;
};

/* `space` is read, and never written: flags that hardware would set stay clear. */
void smmu_explain(const struct smmu_features *f, const struct smmu_stream_table *table,
                  const struct smmu_space *space, const struct smmu_request *r,
                  struct smmu_explanation *x);
/* Appends lines. */
void smmu_explanation_text(const struct smmu_explanation *x, struct bytes *out);
/* As members of the object that is open. */
void smmu_explanation_json(const struct smmu_explanation *x, struct json *j);

#endif
