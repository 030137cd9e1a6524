/* Software step (Arm ARM D2.12) as a guest programs it in MDSCR_EL1.SS and SPSR_EL1.SS. The engine
 * is not told of it, as it looks at PSTATE.D too rarely: while it is on, blocks are looked at one
 * by one, what is stepped runs alone, and so does ERET, which alone may set PSTATE.SS.
 *
 *     inactive             debug exceptions are disabled here: runs on, up to an ERET
 *     active, SS = 1       one instruction; then SS = 0 and the exception, if they still are
 * enabled active, SS = 0       the exception, before the instruction */
#include "cpu/arm64/cpu_internal.h"

#include "emu/machine.h"

#define ISS_STEP (1u << 24 | 0x22u) /* ISV, and the status of a debug exception */
#define ISS_EX   (1u << 6)          /* an exclusive load was stepped */

bool step_is_on(const struct arm64_vcpu *v)
{
    return (v->mdscr & MDSCR_SS) && !debug_os_lock(v);
}

static void set_ss(struct arm64_vcpu *v, bool ss)
{
    struct engine *e = v->cpu.world->engine;
    uint64_t pstate = engine_pstate(e) & ~(uint64_t)PSTATE_SS;
    engine_change_pstate(e, pstate | (ss ? PSTATE_SS : 0));
}

static void take_step(struct arm64_vcpu *v, uint64_t pstate, uint32_t iss)
{
    struct engine *e = v->cpu.world->engine;
    engine_count_attempt(e);
    exception_take(v, VECTOR_SYNC, esr_of(at_el0(pstate) ? EC_STEP_LOWER : EC_STEP, iss),
                   engine_pc(e), false, 0);
}

bool step_take_pending(struct arm64_vcpu *v)
{
    uint64_t pstate = engine_pstate(v->cpu.world->engine);
    if (!step_is_on(v) || !debug_enabled_here(v, pstate) || (pstate & PSTATE_SS))
        return false;
    take_step(v, pstate, ISS_STEP & ~(1u << 24));
    return true;
}

uint64_t step_may_run(struct arm64_vcpu *v, uint64_t pc, unsigned size_bytes, uint64_t pstate)
{
    uint32_t word;
    if (v->step.alone)
        return UINT64_MAX;
    if (debug_enabled_here(v, pstate))
        return 0;
    for (uint64_t at = pc; at < pc + size_bytes; at += 4)
        if (translate_read_instruction(v, at, &word) && word == INSN_ERET)
            return (at - pc) / 4;
    return UINT64_MAX;
}

/* DebugExceptionReturnSS (J1): only a return from where they are disabled to where they are
 * enabled takes SS from SPSR_EL1. */
bool step_ss_after_return(const struct arm64_vcpu *v, uint64_t from, uint64_t spsr, uint64_t to)
{
    return step_is_on(v) && !debug_enabled_here(v, from) && debug_enabled_here(v, to) &&
           (spsr & PSTATE_SS);
}

void step_begin(struct arm64_vcpu *v, struct engine_budget *budget)
{
    struct engine *e = v->cpu.world->engine;
    uint32_t word = 0;
    if (!step_is_on(v) || v->cpu.world->plays_exit_log)
        return;
    uint64_t pstate = engine_pstate(e);
    bool active = debug_enabled_here(v, pstate);
    bool readable = translate_read_instruction(v, engine_pc(e), &word),
         is_return = word == INSN_ERET;
    if (!active && !is_return)
        return;
    v->step = (struct arm64_step){
        .alone = true,
        .active = active,
        .is_return = is_return,
        .exclusive = readable && insn_is_load_exclusive(word),
        .from_pstate = pstate,
        .from = engine_executed(e),
        .spsr = engine_sysreg(e, SYS_SPSR_EL1),
    };
    budget->exact = 1;
    if (v->cpu.world->quirks & QUIRK_FETCHES_FIRST)
        budget->fetch = ENGINE_FETCH_FIRST;
}

void step_over_call(struct arm64_vcpu *v)
{
    if (v->step.alone && v->step.active)
        set_ss(v, false);
}

void step_end(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    struct arm64_step step = v->step;
    v->step = (struct arm64_step){.alone = false};
    if (!step.alone || step.excepted || engine_executed(e) == step.from)
        return;
    uint64_t pstate = engine_pstate(e);
    set_ss(v, step.is_return && step_ss_after_return(v, step.from_pstate, step.spsr, pstate));
    if (!step.active || !step_is_on(v) || !debug_enabled_here(v, pstate))
        return;
    v->cpu.halted = false; /* a WFI or WFE that is stepped does not wait */
    waiting_end(v);
    take_step(v, pstate, ISS_STEP | (step.exclusive ? ISS_EX : 0));
}
