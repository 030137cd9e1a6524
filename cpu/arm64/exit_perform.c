/* Instructions that exit: calls, registers that are not the engine's, accesses that it does not
 * make. What one does is here once (exit_perform), for the two roads that lead to it: the engine
 * has tried the instruction and stopped, or does not try it and asks from inside a block (engine.h,
 * `carry_out`). They differ in what they do with PC, and in what is too rare for the second. */
#include "cpu/arm64/cpu_internal.h"

#define INSN_HLT_SEMIHOSTING 0xd45e0000u
#define INSN_HVC             0xd4000002u
#define INSN_SMC             0xd4000003u

static bool is_call(uint32_t word, uint32_t call)
{
    return (word & 0xffe0001f) == call;
}

/* What the hypervisor decided about an instruction that exited. */
static enum performed finish_exit(struct arm64_vcpu *v, enum exit_result result, uint64_t pc)
{
    switch (result) {
    case EXIT_DONE:
        return PERFORM_DONE;
    case EXIT_UNDEFINED:
        exception_take_undefined(v, pc);
        break;
    case EXIT_ABORT:
        abort_take(v, pc, gva(pc), NULL, &(struct refused){.fault = {.class = FAULT_EXTERNAL}});
        break;
    case EXIT_STOPPED:
        engine_set_pc(v->cpu.world->engine, pc + 4);
        engine_stop_soon(v->cpu.world->engine);
        break;
    }
    return PERFORM_LEFT;
}

static enum performed perform_call(struct arm64_vcpu *v, uint64_t pc, uint32_t word)
{
    bool is_hvc = is_call(word, INSN_HVC);
    struct guest_exit x = {.reason = is_hvc ? EXIT_CALL : EXIT_FIRMWARE,
                           .pc = gva(pc),
                           .next_pc = gva(pc + 4),
                           .value = word >> 5 & 0xffff};
    x.detail[EXIT_SYNDROME] = esr_of(is_hvc ? EC_HVC : EC_SMC, (uint32_t)x.value);
    enum exit_result result = v->cpu.world->exit(v->cpu.world->context, &v->cpu, &x);
    return result == EXIT_DONE ? PERFORM_DONE : finish_exit(v, result, pc);
}

static enum performed perform_sysreg(struct arm64_vcpu *v, uint64_t pc, uint32_t word)
{
    if (sysreg_undefined(v, word))
        return PERFORM_DONE;
    exception_take(v, VECTOR_SYNC, sysreg_esr_of_undefined(v, word), pc, false, 0);
    return PERFORM_LEFT;
}

enum performed exit_perform(struct arm64_vcpu *v, uint64_t pc, uint32_t word, struct refused *r)
{
    if (r)
        return mmio_perform(v, pc, r);
    if (is_call(word, INSN_HVC) || is_call(word, INSN_SMC))
        return perform_call(v, pc, word);
    return perform_sysreg(v, pc, word);
}

/* The engine has stopped --------------------------------------------------------------------------
 */

/* The instruction may be left to exit_inside the next time, which asks for Xn. */
static void expect_exit(struct arm64_vcpu *v, uint64_t pc, unsigned n)
{
    if (!step_is_on(v)) /* what the guest steps runs alone */
        engine_expect_exit(v->cpu.world->engine, pc, n);
}

static void fetch_refused(struct arm64_vcpu *v, uint64_t pc, struct refused *r)
{
    if (pc & 3) {
        exception_take(v, VECTOR_SYNC, esr_of(EC_PC_ALIGNMENT, 0), pc, true, pc);
        return;
    }
    if (r->fault.stage == 2) {
        struct guest_exit x = {
            .reason = EXIT_FETCH,
            .pc = gva(pc),
            .next_pc = gva(pc + 4),
            .gva = gva(pc),
            .gpa = {r->gpa_page.v + (pc & PAGE_MASK)},
            .size = 4,
            .detail[EXIT_SYNDROME] = esr_of(EC_INSN_ABORT_LOWER, fault_status_code(&r->fault)),
            .detail[EXIT_ADDRESS] = r->gpa_page.v >> 12 << 4,
        };
        if (v->cpu.world->exit(v->cpu.world->context, &v->cpu, &x) == EXIT_STOPPED)
            return;
        r->fault = (struct fault){.class = FAULT_EXTERNAL};
    }
    abort_take(v, pc, gva(pc), NULL, r);
}

/* Would exit_inside make it, if it is often so? */
static bool is_easy(const struct arm64_vcpu *v, const struct refused *r)
{
    return r->fault.class == FAULT_NONE ? withheld_is_simple(v, r) : r->insn.class == INSN_SINGLE;
}

enum performed exit_refused(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    struct refused *r = &v->refused;
    uint64_t pc = engine_pc(e);
    engine_count_attempt(e);
    /* A stage 1 table that lies where the guest has no memory: an external abort on the walk. */
    if (r->fault.s1ptw) {
        r->fault.class = FAULT_EXTERNAL_ON_WALK;
        r->fault.stage = 1;
    }
    if (r->access.kind == ACCESS_FETCH) {
        fetch_refused(v, pc, r);
        return PERFORM_LEFT;
    }
    if (!r->has_word)
        translate_read_instruction(v, pc, &r->word);
    r->insn = insn_memory_decode(e, pc, r->word);
    if (alignment_take(v, pc, &r->insn))
        return PERFORM_LEFT;
    enum performed performed = exit_perform(v, pc, r->word, r);
    if (performed == PERFORM_AGAIN)
        engine_uncount_attempt(e);
    if (performed != PERFORM_DONE)
        return performed;
    engine_set_pc(e, pc + 4);
    engine_continue_at(e, pc + 4);
    if (!r->insn.unprivileged && is_in_page(&r->insn) && is_easy(v, r))
        expect_exit(v, pc, r->insn.rn);
    return PERFORM_DONE;
}

static struct insn_memory decode_at(struct arm64_vcpu *v, uint64_t pc)
{
    uint32_t word = 0;
    bool readable = translate_read_instruction(v, pc, &word);
    return readable ? insn_memory_decode(v->cpu.world->engine, pc, word) : (struct insn_memory){0};
}

/* What the engine found misaligned; or other code than it has translated is in memory by now. */
static void take_found_alignment(struct arm64_vcpu *v, uint64_t pc)
{
    struct insn_memory m = decode_at(v, pc);
    if (alignment_take(v, pc, &m))
        return;
    const struct refused r = {.fault = {.class = FAULT_ALIGNMENT, .stage = 1}};
    abort_take(v, pc, gva(m.address), &m, &r);
}

static void take_undefined_instruction(struct arm64_vcpu *v, uint64_t pc)
{
    uint32_t word = 0;
    if (!translate_read_instruction(v, pc, &word)) {
        exception_take_undefined(v, pc);
        return;
    }
    if (word == INSN_HLT_SEMIHOSTING && v->cpu.world->semihosting) {
        struct guest_exit x = {.reason = EXIT_DEBUG, .pc = gva(pc), .next_pc = gva(pc + 4)};
        if (finish_exit(v, v->cpu.world->exit(v->cpu.world->context, &v->cpu, &x), pc) ==
            PERFORM_DONE)
            engine_set_pc(v->cpu.world->engine, pc + 4);
        return;
    }
    struct insn_memory m = insn_memory_decode(v->cpu.world->engine, pc, word);
    bool is_zero = m.class == INSN_ZERO; /* undefined to the engine where it faults, or at EL0 */
    if (is_zero && (!at_el0(engine_mode(v->cpu.world->engine)) || (v->stage1.sctlr & SCTLR_DZE)) &&
        alignment_take(v, pc, &m))
        return;
    if (!sysreg_is_undefined(v, word)) {
        exception_take(v, VECTOR_SYNC, sysreg_esr_of_undefined(v, word), pc, false, 0);
    } else if (exit_perform(v, pc, word, NULL) == PERFORM_DONE) {
        engine_set_pc(v->cpu.world->engine, pc + 4);
        expect_exit(v, pc, word & 31);
    }
}

#define CALL_IMMEDIATE 0x001fffe0u

/* HVC and SMC: the engine reports them with PC behind. What it has translated it was, whatever is
 * in memory by now. */
static void call_stopped(struct arm64_vcpu *v, uint32_t call, uint64_t next_pc)
{
    uint32_t word = 0;
    translate_read_instruction(v, next_pc - 4, &word);
    word = call | (word & CALL_IMMEDIATE);
    if (exit_perform(v, next_pc - 4, word, NULL) == PERFORM_DONE)
        engine_set_pc(v->cpu.world->engine, next_pc);
    expect_exit(v, next_pc - 4, 0);
}

bool exit_exception(void *cpu, unsigned number)
{
    struct arm64_vcpu *v = cpu;
    uint64_t pc = engine_pc(v->cpu.world->engine);
    uint32_t word = 0;
    switch (number) {
    case ENGINE_SVC:
        translate_read_instruction(v, pc - 4, &word);
        step_over_call(v);
        exception_take(v, VECTOR_SYNC, esr_of(EC_SVC, word >> 5 & 0xffff), pc, false, 0);
        break;
    case ENGINE_BREAKPOINT:
        translate_read_instruction(v, pc, &word);
        exception_take(v, VECTOR_SYNC, esr_of(EC_BRK, word >> 5 & 0xffff), pc, false, 0);
        break;
    case ENGINE_UNDEFINED:
        take_undefined_instruction(v, pc);
        break;
    case ENGINE_DATA_ABORT:
        take_found_alignment(v, pc);
        break;
    case ENGINE_HVC:
        call_stopped(v, INSN_HVC, pc);
        break;
    case ENGINE_SMC:
        call_stopped(v, INSN_SMC, pc);
        break;
    default:
        return false;
    }
    return true;
}

/* The engine asks, and does not try ---------------------------------------------------------------
 */

static enum engine_outcome outcome_of(enum performed performed)
{
    return performed == PERFORM_DONE   ? ENGINE_DONE
           : performed == PERFORM_LEFT ? ENGINE_LEFT
                                       : ENGINE_REFUSED;
}

static enum engine_outcome access_inside(struct arm64_vcpu *v, uint64_t pc, uint32_t word)
{
    struct refused r;
    r.insn = insn_memory_decode(v->cpu.world->engine, pc, word);
    enum access_kind kind = r.insn.is_write ? ACCESS_WRITE : ACCESS_READ;
    if (!r.insn.registers || r.insn.unprivileged || !is_in_page(&r.insn) ||
        alignment_faults(v, &r.insn))
        return ENGINE_REFUSED;
    enum found found = translate_data(v, r.insn.address & ~PAGE_MASK, kind, &r);
    if ((found != FOUND_DEVICE && found != FOUND_WITHHELD) || !is_easy(v, &r))
        return ENGINE_REFUSED;
    return outcome_of(exit_perform(v, pc, word, &r));
}

enum engine_outcome exit_inside(void *cpu, uint64_t pc)
{
    struct arm64_vcpu *v = cpu;
    struct engine *e = v->cpu.world->engine;
    uint32_t word;
    if (!translate_read_instruction(v, pc, &word) || step_is_on(v))
        return ENGINE_REFUSED;
    if (is_call(word, INSN_HVC) || is_call(word, INSN_SMC)) {
        if (at_el0(engine_mode(e)))
            return ENGINE_REFUSED; /* undefined there */
    } else if (!sysreg_is_undefined(v, word)) {
        return access_inside(v, pc, word);
    }
    enum performed performed = exit_perform(v, pc, word, NULL);
    if (performed == PERFORM_LEFT)
        engine_continue_at(e, pc + 4);
    return outcome_of(performed);
}
