/* Exception entry to EL1 (Arm ARM D1.3). Everything that ends in one is above this file. */
#include "cpu/arm64/cpu_internal.h"

static uint64_t vector_base(uint64_t pstate)
{
    if (at_el0(pstate))
        return 0x400;
    return pstate & PSTATE_SP ? 0x200 : 0;
}

/* M[4:0] a return from EL1 may have: EL0t, EL1t, EL1h, all AArch64. */
static bool mode_is_legal(uint64_t spsr)
{
    uint64_t mode = spsr & PSTATE_M;
    return mode == 0 || mode == PSTATE_EL1 || mode == PSTATE_EL1H;
}

void exception_note_spsr(struct arm64_vcpu *v, uint64_t spsr)
{
    v->spsr_is_illegal = !mode_is_legal(spsr);
    v->spsr_is_odd = v->spsr_is_illegal || (spsr & PSTATE_IL);
    watch_changed(v);
}

/* AArch64.TakeException: D1.3.1. */
void exception_take(struct arm64_vcpu *v, enum vector_kind kind, uint32_t esr, uint64_t return_pc,
                    bool has_far, uint64_t far)
{
    struct engine *e = v->cpu.world->engine;
    uint64_t old = engine_pstate(e);
    uint64_t new = (old & ~(uint64_t)(PSTATE_EL | PSTATE_SP | PSTATE_SS | PSTATE_IL | PSTATE_UAO)) |
                   PSTATE_EL1H | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F;
    if (v->has_pan && !(v->stage1.sctlr & SCTLR_SPAN))
        new |= PSTATE_PAN;
    uint64_t vector = v->vbar + vector_base(old) + kind;
    bool is_behind = kind == VECTOR_SYNC && esr >> ESR_EC_SHIFT == EC_SVC;
    loop_note(v, &(struct exception_entry){kind, esr, return_pc - (is_behind ? 4 : 0), return_pc,
                                           vector, has_far, far, old, new});
    v->step.excepted = true;
    unsigned ec = esr >> ESR_EC_SHIFT;
    bool counted = kind == VECTOR_SYNC && ec != EC_BREAKPOINT && ec != EC_BREAKPOINT_LOWER;
    pmu_exception(v, counted && ec != EC_SVC);
    engine_set_sysreg(e, SYS_ELR_EL1, return_pc);
    if (kind == VECTOR_SYNC)
        engine_set_sysreg(e, SYS_ESR_EL1, esr);
    if (has_far)
        engine_set_sysreg(e, SYS_FAR_EL1, far);
    if (!(old & PSTATE_SP)) { /* SP_EL0 was in use */
        engine_set_banked_sp(e, 0, engine_sp(e));
        engine_set_sp(e, engine_banked_sp(e, 1));
    }
    engine_set_pstate(e, new);
    engine_set_pc(e, vector);
    /* Last, because it makes the engine rebuild what it derived from PSTATE. */
    engine_set_sysreg(e, SYS_SPSR_EL1, old);
    exception_note_spsr(v, old);
    vcpu_send_event(&v->cpu);
}

void exception_take_undefined(struct arm64_vcpu *v, uint64_t pc)
{
    exception_take(v, VECTOR_SYNC, esr_of(EC_UNKNOWN, 0), pc, false, 0);
}
