/* Alignment (Arm ARM B2.9.2): of addresses, where stage 1 is off (all data is Device-nGnRnE then),
 * where SCTLR_EL1.A asks for it, and of exclusives, atomics, acquires and releases everywhere; of
 * SP, where SCTLR_EL1.SA and SA0 ask for it (D1.3.10.2). Of memory that stage 1 maps as Device see
 * withheld.c. No model here has FEAT_LSE2. */
#include "cpu/arm64/cpu_internal.h"
#include "emu/machine.h"

static bool all_must_be_aligned(const struct arm64_vcpu *v)
{
    return (v->stage1.sctlr & (SCTLR_M | SCTLR_A)) != SCTLR_M;
}

/* The engine compares registers when it translates, so what it checks may not depend on more. */
void update_checks(struct arm64_vcpu *v)
{
    uint64_t sctlr = v->stage1.sctlr;
    unsigned checks = CHECK_ORDERED | (all_must_be_aligned(v) ? CHECK_ALL : 0u) |
                      (sctlr & SCTLR_M ? 0u : CHECK_ZERO) | (sctlr & SCTLR_SA ? CHECK_SP_EL1 : 0u) |
                      (sctlr & SCTLR_SA0 ? CHECK_SP_EL0 : 0u);
    if (v->cpu.world->quirks & QUIRK_UNALIGNED)
        checks = 0;
    bool made = engine_set_checks(v->cpu.world->engine, checks);
    v->checks_are_ours = checks && !made;
}

bool alignment_is_ours(const struct arm64_vcpu *v)
{
    return v->checks_are_ours && all_must_be_aligned(v);
}

bool is_misaligned(const struct insn_memory *m)
{
    unsigned alignment = insn_alignment(m);
    return alignment && (m->address & (alignment - 1));
}

/* An engine that makes no checks lets acquires and SP pass, but where every page is refused: which
 * pages are refused for other reasons depends on where the run began, and on a debugger. */
static bool sp_is_misaligned(const struct arm64_vcpu *v, const struct insn_memory *m)
{
    struct engine *e = v->cpu.world->engine;
    bool reads_sp = m->rn == 31 && m->class != INSN_NOT_MEMORY;
    return reads_sp && engine_sp(e) % 16 && (!v->checks_are_ours || all_must_be_aligned(v)) &&
           (v->stage1.sctlr & (at_el0(engine_mode(e)) ? SCTLR_SA0 : SCTLR_SA));
}

/* Whatever memory it is to? */
static bool is_checked(const struct arm64_vcpu *v, const struct insn_memory *m)
{
    if (m->class == INSN_ZERO)
        return false;
    return (v->stage1.sctlr & SCTLR_A) || (m->ordered && !v->checks_are_ours) ||
           m->class == INSN_EXCLUSIVE || m->class == INSN_ATOMIC;
}

bool alignment_faults(const struct arm64_vcpu *v, const struct insn_memory *m)
{
    if (v->cpu.world->quirks & QUIRK_UNALIGNED)
        return false;
    bool is_device = !(v->stage1.sctlr & SCTLR_M);
    if (m->class == INSN_ZERO)
        return is_device;
    return sp_is_misaligned(v, m) || ((is_device || is_checked(v, m)) && is_misaligned(m));
}

/* With stage 1 off an address that is too large faults before the type of memory matters
 * (AArch64.S1DisabledOutput). */
static bool is_too_large(struct arm64_vcpu *v, const struct insn_memory *m)
{
    struct access access = {.kind = m->is_write ? ACCESS_WRITE : ACCESS_READ};
    struct stage1_leaf leaf;
    return !(v->stage1.sctlr & SCTLR_M) && !is_checked(v, m) &&
           !stage1_walk(&v->stage1, v->cpu.world->stage2, v->cpu.world->memory, gva(m->address),
                        &access, NULL, &leaf, &v->fault);
}

/* An SP alignment fault comes first, and leaves FAR_EL1 as it is. */
bool take_alignment(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m)
{
    if (!alignment_faults(v, m))
        return false;
    if (sp_is_misaligned(v, m)) {
        take_exception(v, VECTOR_SYNC, esr_of(EC_SP_ALIGNMENT, 0), pc, false, 0);
        return true;
    }
    if (!is_too_large(v, m))
        v->fault = (struct fault){.class = FAULT_ALIGNMENT, .stage = 1};
    take_abort(v, pc, gva(m->class == INSN_ZERO ? m->argument : m->address), m);
    return true;
}
