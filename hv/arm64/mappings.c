/* A guest's memory by its own addresses, as stage 1 translates them: for those who only look. */
#include "cpu/arm64/arm64_vcpu.h"
#include "hv/arm64/vm_arm64.h"
#include "hv/board.h"

#define WALKS_MAX ((uint64_t)1 << 24) /* tables that refer to each other map for ever */

static const struct access look = {.kind = ACCESS_READ, .privileged = true, .inspect = true};

struct stage1 arm64_regime(const struct vcpu *v)
{
    struct stage1 regime = arm64_of_const(v)->stage1;
    if (v->reset_pending || !regime.pa_bits)
        regime = (struct stage1){.pa_bits = 48};
    return regime;
}

bool arm64_locate(struct vm *vm, const struct vcpu *v, gva_t at, gpa_t *place)
{
    struct stage1 regime = arm64_regime(v);
    struct tlb_leaf leaf;
    struct fault fault = {0};
    if (!stage1_walk(&regime, stage2_of(vm->tables), &vm->board->memory, at, &look, NULL, &leaf,
                     &fault))
        return false;
    *place = gpa(leaf.page.v | (at.v & PAGE_MASK));
    return true;
}

bool arm64_is_mapping(const struct vcpu *v)
{
    return arm64_of_const(v)->stage1.sctlr & SCTLR_M;
}

/* What an entry at this level covers. */
static uint64_t span(unsigned granule_bits, int level)
{
    return (uint64_t)1 << (granule_bits + (granule_bits - 3) * (unsigned)(3 - level));
}

/* One half of the addresses, from mapping to mapping; whatever is not there is passed over by the
 * level at which the walk ended. */
static bool each_of_half(struct vm *vm, const struct stage1 *s1, bool upper,
                         bool (*mapping)(void *context, const struct guest_mapping *m),
                         void *context)
{
    uint64_t txsz = s1->tcr >> (upper ? 16 : 0) & 63;
    if (txsz < 16)
        return true;
    uint64_t size = (uint64_t)1 << (64 - txsz), base = upper ? -size : 0, step, walks = 0;
    bool more = true;
    for (uint64_t at = 0; at < size && more && walks < WALKS_MAX; at += step, walks++) {
        struct tlb_leaf leaf;
        struct fault fault = {0};
        if (stage1_walk(s1, stage2_of(vm->tables), &vm->board->memory, gva(base + at), &look, NULL,
                        &leaf, &fault)) {
            step = leaf.leaf_size;
            more = mapping(context, &(struct guest_mapping){base + at, leaf.page.v, step});
        } else {
            step = span(stage1_granule_bits(s1, upper), fault.level < 0 ? 0 : fault.level);
        }
    }
    return more;
}

void arm64_each_mapping(struct vm *vm, const struct vcpu *v,
                        bool (*mapping)(void *context, const struct guest_mapping *m),
                        void *context)
{
    const struct stage1 *s1 = &arm64_of_const(v)->stage1;
    if (each_of_half(vm, s1, false, mapping, context))
        each_of_half(vm, s1, true, mapping, context);
}
