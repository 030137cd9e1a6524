/* Exception entry to EL1 (Arm ARM D1.3) and what each exception class reports. */
#include "cpu/arm64/cpu_internal.h"

#include "emu/check.h"
#include "emu/machine.h"

uint32_t esr_of(enum esr_ec ec, uint32_t iss)
{
    return (uint32_t)ec << ESR_EC_SHIFT | ESR_IL | iss;
}

static uint64_t vector_base(uint64_t pstate)
{
    if (at_el0(pstate))
        return 0x400;
    return pstate & PSTATE_SP ? 0x200 : 0;
}

/* AArch64.TakeException: D1.3.1. */
void take_exception(struct arm64_vcpu *v, enum vector_kind kind, uint32_t esr, uint64_t return_pc,
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
    illegal_note_spsr(v, old);
    vcpu_send_event(&v->cpu);
}

void take_undefined(struct arm64_vcpu *v, uint64_t pc)
{
    take_exception(v, VECTOR_SYNC, esr_of(EC_UNKNOWN, 0), pc, false, 0);
}

/* ISS of a Data Abort or Instruction Abort taken to EL1 (D19.2.37). */
static uint32_t abort_iss(const struct fault *f, const struct insn_memory *m)
{
    uint32_t iss = fault_status_code(f);
    if (m)
        iss |= (uint32_t)f->write << 6 | (insn_syndrome(m) & ISS_CM);
    return iss;
}

/* D19.2.37, WnR: of an instruction that reads and writes it is 0 if a read would have failed, too;
 * it is only for want of permission that a write alone fails. */
bool abort_is_by_write(struct arm64_vcpu *v, gva_t a, const struct insn_memory *m)
{
    if (m->class == INSN_NOT_MEMORY) /* new code in the place of what the engine runs */
        return v->fault_access.kind == ACCESS_WRITE;
    if (m->class != INSN_ATOMIC || (v->cpu.world->quirks & QUIRK_ATOMICS_WRITE))
        return m->is_write;
    return v->fault.class == FAULT_PERMISSION && !read_fails(v, a);
}

void take_abort(struct arm64_vcpu *v, uint64_t pc, gva_t address, const struct insn_memory *m)
{
    bool lower = at_el0(engine_mode(v->cpu.world->engine));
    enum esr_ec ec = m ? (lower ? EC_DATA_ABORT_LOWER : EC_DATA_ABORT)
                       : (lower ? EC_INSN_ABORT_LOWER : EC_INSN_ABORT);
    if (m)
        v->fault.write = abort_is_by_write(v, address, m);
    take_exception(v, VECTOR_SYNC, esr_of(ec, abort_iss(&v->fault, m)), pc, true, address.v);
}

static struct insn_memory decode_at(struct arm64_vcpu *v, uint64_t pc)
{
    uint32_t word = 0;
    bool readable = read_instruction(v, pc, &word);
    return readable ? insn_memory_decode(v->cpu.world->engine, pc, word) : (struct insn_memory){0};
}

/* What the engine found misaligned; or other code than it has translated is in memory by now. */
static void take_found_alignment(struct arm64_vcpu *v, uint64_t pc)
{
    struct insn_memory m = decode_at(v, pc);
    if (take_alignment(v, pc, &m))
        return;
    v->fault = (struct fault){.class = FAULT_ALIGNMENT, .stage = 1};
    take_abort(v, pc, gva(m.address), &m);
}

#define INSN_HLT_SEMIHOSTING 0xd45e0000u
#define INSN_HVC             0xd4000002u
#define INSN_SMC             0xd4000003u

/* What the hypervisor decided about an instruction that exited, which PC may be behind already. */
static void finish_exit(struct arm64_vcpu *v, enum exit_result result, uint64_t pc,
                        uint64_t next_pc)
{
    struct engine *e = v->cpu.world->engine;
    switch (result) {
    case EXIT_DONE:
        engine_set_pc(e, next_pc);
        break;
    case EXIT_UNDEFINED:
        take_undefined(v, pc);
        break;
    case EXIT_ABORT:
        v->fault = (struct fault){.class = FAULT_EXTERNAL};
        take_abort(v, pc, gva(pc), NULL);
        break;
    case EXIT_STOPPED:
        engine_set_pc(e, next_pc);
        engine_stop_soon(e);
        break;
    }
}

static void take_undefined_instruction(struct arm64_vcpu *v, uint64_t pc)
{
    uint32_t word = 0;
    if (!read_instruction(v, pc, &word)) {
        take_undefined(v, pc);
        return;
    }
    if (word == INSN_HLT_SEMIHOSTING && v->cpu.world->semihosting) {
        struct guest_exit x = {.reason = EXIT_DEBUG, .pc = gva(pc), .next_pc = gva(pc + 4)};
        finish_exit(v, v->cpu.world->exit(v->cpu.world->context, &v->cpu, &x), pc, pc + 4);
        return;
    }
    struct insn_memory m = insn_memory_decode(v->cpu.world->engine, pc, word);
    bool is_zero = m.class == INSN_ZERO; /* undefined to the engine where it faults, or at EL0 */
    if (is_zero && (!at_el0(engine_mode(v->cpu.world->engine)) || (v->stage1.sctlr & SCTLR_DZE)) &&
        take_alignment(v, pc, &m))
        return;
    if (sysreg_is_undefined(v, word) && undefined_sysreg(v, word)) {
        engine_set_pc(v->cpu.world->engine, pc + 4);
        expect_exit(v, pc, word & 31);
        return;
    }
    take_exception(v, VECTOR_SYNC, esr_of_undefined(v, word), pc, false, 0);
}

static enum exit_result exit_for_call(struct arm64_vcpu *v, enum exit_reason reason, uint64_t pc,
                                      uint32_t word)
{
    struct guest_exit x = {
        .reason = reason, .pc = gva(pc), .next_pc = gva(pc + 4), .value = word >> 5 & 0xffff};
    x.detail[EXIT_SYNDROME] = esr_of(reason == EXIT_CALL ? EC_HVC : EC_SMC, (uint32_t)x.value);
    return v->cpu.world->exit(v->cpu.world->context, &v->cpu, &x);
}

/* HVC and SMC: the engine reports them with PC behind. */
static void take_call(struct arm64_vcpu *v, enum exit_reason reason, uint64_t next_pc)
{
    uint32_t word = 0;
    read_instruction(v, next_pc - 4, &word);
    finish_exit(v, exit_for_call(v, reason, next_pc - 4, word), next_pc - 4, next_pc);
    expect_exit(v, next_pc - 4, 0);
}

bool take_engine_exception(void *cpu, unsigned number)
{
    struct arm64_vcpu *v = cpu;
    uint64_t pc = engine_pc(v->cpu.world->engine);
    uint32_t word = 0;
    switch (number) {
    case ENGINE_SVC:
        read_instruction(v, pc - 4, &word);
        step_over_call(v);
        take_exception(v, VECTOR_SYNC, esr_of(EC_SVC, word >> 5 & 0xffff), pc, false, 0);
        break;
    case ENGINE_BREAKPOINT:
        read_instruction(v, pc, &word);
        take_exception(v, VECTOR_SYNC, esr_of(EC_BRK, word >> 5 & 0xffff), pc, false, 0);
        break;
    case ENGINE_UNDEFINED:
        take_undefined_instruction(v, pc);
        break;
    case ENGINE_DATA_ABORT:
        take_found_alignment(v, pc);
        break;
    case ENGINE_HVC:
        take_call(v, EXIT_CALL, pc);
        break;
    case ENGINE_SMC:
        take_call(v, EXIT_FIRMWARE, pc);
        break;
    default:
        return false;
    }
    /* A new regime of interrupts and traps: have them looked at before the next block. */
    update_watch(v);
    return true;
}

/* Exits that the engine does not try ------------------------------------------------------------
 */

void expect_exit(struct arm64_vcpu *v, uint64_t pc, unsigned n)
{
    if (!step_is_on(v)) /* what the guest steps runs alone */
        engine_expect_exit(v->cpu.world->engine, pc, n);
}

static enum engine_outcome carry_out_call(struct arm64_vcpu *v, enum exit_reason reason,
                                          uint64_t pc, uint32_t word)
{
    enum exit_result result = exit_for_call(v, reason, pc, word);
    if (result == EXIT_DONE)
        return ENGINE_DONE;
    engine_continue_at(v->cpu.world->engine, pc + 4);
    finish_exit(v, result, pc, pc + 4);
    return ENGINE_LEFT;
}

static enum engine_outcome carry_out_sysreg(struct arm64_vcpu *v, uint64_t pc, uint32_t word)
{
    if (undefined_sysreg(v, word))
        return ENGINE_DONE;
    engine_continue_at(v->cpu.world->engine, pc + 4);
    take_exception(v, VECTOR_SYNC, esr_of_undefined(v, word), pc, false, 0);
    return ENGINE_LEFT;
}

enum engine_outcome carry_out(void *cpu, uint64_t pc)
{
    struct arm64_vcpu *v = cpu;
    uint32_t word;
    if (!read_instruction(v, pc, &word) || step_is_on(v))
        return ENGINE_REFUSED;
    bool is_hvc = (word & 0xffe0001f) == INSN_HVC, is_smc = (word & 0xffe0001f) == INSN_SMC;
    if (!is_hvc && !is_smc)
        return sysreg_is_undefined(v, word) ? carry_out_sysreg(v, pc, word)
                                            : carry_out_access(v, pc, word);
    if (at_el0(engine_mode(v->cpu.world->engine)))
        return ENGINE_REFUSED; /* undefined there */
    return carry_out_call(v, is_hvc ? EXIT_CALL : EXIT_FIRMWARE, pc, word);
}
