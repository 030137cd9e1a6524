#include "mmu/smmu/smmu_explain.h"

#include <string.h>

#include "mmu/smmu/smmu_walker.h"

/* Reads -------------------------------------------------------------------------------------------
 */

/* Whoever reads eight bytes reads a descriptor of a walk, which the walk tells then, or one of
 * level 1 of a configuration table. */
struct teller {
    const struct smmu_space *space;
    struct smmu_explanation *x;
    bool is_ste; /* the stream table is read, not the CDs of a stream */
};

/* The last one serves for what is beyond, which is nothing. */
static struct smmu_explain_step *add(struct smmu_explanation *x, enum smmu_read what, uint64_t at)
{
    if (x->step_count < SMMU_EXPLAIN_STEPS)
        x->step_count++;
    struct smmu_explain_step *s = &x->steps[x->step_count - 1];
    *s = (struct smmu_explain_step){.what = what, .at = at};
    return s;
}

static bool tell_read(void *context, uint64_t at, void *to, size_t size)
{
    struct teller *t = context;
    if (!t->space->read(t->space->context, at, to, size)) {
        add(t->x, SMMU_READ_NOTHING, at);
        return false;
    }
    struct smmu_explain_step *s = add(t->x,
                                      size > 8    ? (t->is_ste ? SMMU_READ_STE : SMMU_READ_CD)
                                      : t->is_ste ? SMMU_READ_L1STD
                                                  : SMMU_READ_L1CD,
                                      at);
    for (size_t i = 0; i < size / 8; i++)
        s->words[i] = load_le((const uint8_t *)to + 8 * i, 8);
    return true;
}

static bool ignore_write(void *context, uint64_t at, const void *from, size_t size)
{
    (void)context, (void)at, (void)from, (void)size;
    return true;
}

/* What was read last was this. */
static void tell_step(void *context, const struct walk_step *w)
{
    struct smmu_explanation *x = ((struct teller *)context)->x;
    struct smmu_explain_step *s = &x->steps[x->step_count - 1];
    s->what = SMMU_READ_ROW;
    s->walk = *w;
}

/* Results -----------------------------------------------------------------------------------------
 */

static void refuse(struct smmu_explanation *x, const struct smmu_ste *ste, const struct smmu_cd *cd)
{
    x->faults = smmu_faults_of(ste, cd, &x->event);
}

static void pass(struct smmu_explanation *x, uint64_t at)
{
    x->passes = true;
    x->at = at;
}

/* 3.4: nobody translates. */
static void bypass(const struct smmu_ste *ste, const struct smmu_request *r,
                   struct smmu_explanation *x)
{
    if (r->address >> SMMU_ADDRESS_BITS == 0) {
        pass(x, r->address);
        return;
    }
    smmu_event_begin(&x->event, F_ADDR_SIZE, r);
    x->event.class = SMMU_CLASS_IN;
    refuse(x, ste, NULL);
}

static void translate(const struct smmu_features *f, const struct smmu_space *space,
                      const struct smmu_ste *ste, const struct smmu_cd *cd,
                      const struct smmu_request *r, struct teller *t)
{
    const struct walk_observer observer = {tell_step, t};
    struct smmu_page page;
    if (smmu_walk(f, space, ste, cd, r, &observer, &page, &t->x->event))
        pass(t->x, page.page | (r->address & PAGE_MASK));
    else
        refuse(t->x, ste, cd);
}

void smmu_explain(const struct smmu_features *f, const struct smmu_stream_table *table,
                  const struct smmu_space *space, const struct smmu_request *r,
                  struct smmu_explanation *x)
{
    struct teller t = {.space = space, .x = x, .is_ste = true};
    const struct smmu_space own = {tell_read, ignore_write, &t};
    const struct walk_observer observer = {tell_step, &t};
    struct smmu_ste ste = {{0}};
    struct smmu_cd cd;
    uint32_t index;
    memset(x, 0, sizeof *x);
    if (!smmu_find_ste(f, table, &own, r, &ste, &x->event)) {
        refuse(x, &ste, NULL);
        return;
    }
    t.is_ste = false;
    switch (smmu_decide(f, &ste, r, &index, &x->event)) {
    case SMMU_ABORTS:
        break;
    case SMMU_REFUSES:
        refuse(x, &ste, NULL);
        break;
    case SMMU_BYPASSES:
        bypass(&ste, r, x);
        break;
    case SMMU_STAGE2:
        translate(f, &own, &ste, NULL, r, &t);
        break;
    case SMMU_TRANSLATES:
        if (smmu_find_cd(f, &own, &ste, index, r, &observer, &cd, &x->event))
            translate(f, &own, &ste, &cd, r, &t);
        else
            refuse(x, &ste, NULL);
        break;
    }
}
