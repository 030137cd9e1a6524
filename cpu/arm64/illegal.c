/* Illegal exception returns (Arm ARM D1.3.4, D1.3.5). The engine would follow some of them (to
 * AArch32, which does not exist here) and ignores PSTATE.IL, so an SPSR_EL1 that is illegal or has
 * IL set puts blocks under watch until it is replaced: the ERET that uses it is carried out here,
 * and whatever has PSTATE.IL set takes an Illegal State exception. */
#include "cpu/arm64/cpu_internal.h"
#include "emu/machine.h"

uint64_t illegal_may_run(struct arm64_vcpu *v, uint64_t pc, unsigned size_bytes, uint64_t pstate)
{
    uint32_t word;
    if (pstate & PSTATE_IL)
        return 0;
    if (at_el0(pstate)) /* ERET is undefined there */
        return UINT64_MAX;
    for (uint64_t at = pc; v->spsr_is_illegal && at < pc + size_bytes; at += 4)
        if (translate_read_instruction(v, at, &word) && word == INSN_ERET)
            return (at - pc) / 4;
    return UINT64_MAX;
}

/* The return itself: flags and masks come from SPSR, EL and SP stay, IL is set. */
static void return_illegally(struct arm64_vcpu *v, uint64_t spsr)
{
    struct engine *e = v->cpu.world->engine;
    uint64_t kept = engine_pstate(e) & (PSTATE_EL | PSTATE_SP | PSTATE_PAN | PSTATE_UAO);
    uint64_t taken = spsr & (PSTATE_NZCV | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F);
    engine_count_attempt(e);
    engine_set_pc(e, engine_sysreg(e, SYS_ELR_EL1));
    uint64_t from = engine_pstate(e), to = kept | taken | PSTATE_IL;
    engine_change_pstate(e, to | (step_ss_after_return(v, from, spsr, to) ? PSTATE_SS : 0));
}

/* A misaligned PC and Instruction Aborts come first (D1.3.5): the engine raises those. */
static bool comes_first(struct arm64_vcpu *v, uint64_t pc)
{
    uint32_t word;
    return v->cpu.world->quirks & QUIRK_ILLEGAL_FIRST ||
           (pc % 4 == 0 && translate_peek(v, pc, &word));
}

bool illegal_take_pending(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    uint32_t word;
    if (!v->spsr_is_odd)
        return false;
    uint64_t pstate = engine_pstate(e);
    if (pstate & PSTATE_IL) {
        if (!comes_first(v, engine_pc(e)))
            return false;
        engine_count_attempt(e);
        exception_take(v, VECTOR_SYNC, esr_of(EC_ILLEGAL_STATE, 0), engine_pc(e), false, 0);
        return true;
    }
    if (!v->spsr_is_illegal || at_el0(pstate) ||
        !translate_read_instruction(v, engine_pc(e), &word) || word != INSN_ERET)
        return false;
    return_illegally(v, engine_sysreg(e, SYS_SPSR_EL1));
    return true;
}
