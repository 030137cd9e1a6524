/* All state of a vCPU, in the order in which it is kept. */
#include "cpu/arm64/cpu_internal.h"
#include "emu/machine.h"

/* In the byte of engine_sequence. */
#define SEQUENCE_REPEATS 4u

static const struct field own_fields[] = {
    FIELD(struct arm64_vcpu, timer_virtual.cval),
    FIELD_UP_TO(struct arm64_vcpu, timer_virtual.ctl, TIMER_CTL_MOST),
    FIELD(struct arm64_vcpu, timer_virtual.line),
    FIELD(struct arm64_vcpu, timer_physical.cval),
    FIELD_UP_TO(struct arm64_vcpu, timer_physical.ctl, TIMER_CTL_MOST),
    FIELD(struct arm64_vcpu, timer_physical.line),
    FIELD(struct arm64_vcpu, cntkctl),
    FIELD(struct arm64_vcpu, oslsr),
    FIELD_ARRAY(struct arm64_vcpu, dbgbvr),
    FIELD_ARRAY(struct arm64_vcpu, dbgbcr),
    FIELD_ARRAY(struct arm64_vcpu, dbgwvr),
    FIELD_ARRAY(struct arm64_vcpu, dbgwcr),
    FIELD(struct arm64_vcpu, pmcr),
    FIELD(struct arm64_vcpu, pmcntenset),
    FIELD(struct arm64_vcpu, pmuserenr),
    FIELD(struct arm64_vcpu, pmintenset),
    FIELD(struct arm64_vcpu, pmovsset),
    FIELD_UP_TO(struct arm64_vcpu, pmselr, PMSELR_MOST),
    FIELD(struct arm64_vcpu, pmccfiltr),
    FIELD(struct arm64_vcpu, pmccntr_base),
    FIELD(struct arm64_vcpu, pmccntr_since),
    FIELD_END,
};

/* What the engine holds, apart from the system registers. */
struct engine_registers {
    uint64_t x[31], sp[2], pc, pstate;
    uint64_t vectors[32][2];
    unsigned sequence;
    uint32_t fpcr, fpsr;
    struct arm64_monitor monitor;
};

static void get(struct arm64_vcpu *v, struct engine_registers *r)
{
    struct engine *e = v->cpu.world->engine;
    r->pc = engine_pc(e);
    r->pstate = engine_pstate(e);
    unsigned in_use = sp_in_use(r->pstate);
    for (unsigned i = 0; i < 31; i++)
        r->x[i] = engine_x(e, i);
    r->sp[in_use] = engine_sp(e);
    r->sp[!in_use] = engine_banked_sp(e, !in_use);
    for (unsigned i = 0; i < 32; i++)
        engine_vector(e, i, r->vectors[i]);
    r->sequence = engine_sequence(e) | (v->cpu.repeats ? SEQUENCE_REPEATS : 0u);
    r->fpcr = (uint32_t)engine_get(e, ARM64_FPCR);
    r->fpsr = (uint32_t)engine_get(e, ARM64_FPSR);
    r->monitor = engine_monitor(e);
}

static void visit_engine(struct engine_registers *r, struct state *s)
{
    for (unsigned i = 0; i < 31; i++)
        r->x[i] = state_numbered(s, "X%u", i, r->x[i], 8);
    for (unsigned i = 0; i < 2; i++)
        r->sp[i] = state_numbered(s, "SP_EL%u", i, r->sp[i], 8);
    r->pc = state_value(s, "PC", r->pc, 8);
    r->pstate = state_value(s, "PSTATE", r->pstate, 8);
    if (!arm64_pstate_is_possible(r->pstate))
        state_refuse(s, "PSTATE");
    for (unsigned i = 0; i < 32; i++) {
        r->vectors[i][0] = state_numbered(s, "V%u bits 63:0", i, r->vectors[i][0], 8);
        r->vectors[i][1] = state_numbered(s, "V%u bits 127:64", i, r->vectors[i][1], 8);
    }
    r->sequence =
        (unsigned)state_up_to(s, "how PC was reached", r->sequence, 1, 2 * SEQUENCE_REPEATS - 1);
    r->fpcr = (uint32_t)state_value(s, "FPCR", r->fpcr, 4);
    r->fpsr = (uint32_t)state_value(s, "FPSR", r->fpsr, 4);
    r->monitor.address = state_value(s, "monitor's address", r->monitor.address, 8);
    r->monitor.value = state_value(s, "monitor's value", r->monitor.value, 8);
    r->monitor.value_high = state_value(s, "monitor's value, high", r->monitor.value_high, 8);
}

/* PSTATE takes effect with the first system register behind it. */
static void visit_system(struct arm64_vcpu *v, struct state *s)
{
    for (unsigned i = 0; i < ARM64_SYSTEM_COUNT; i++) {
        unsigned encoding = arm64_system_encoding(i);
        uint64_t value = state_restores(s) ? 0 : sysreg_value(v, encoding);
        value = state_value(s, arm64_registers[ARM64_SYSTEM + i].name, value, 8);
        if (state_restores(s))
            sysreg_restored(v, encoding, value);
    }
}

static void set(struct arm64_vcpu *v, const struct engine_registers *r)
{
    struct engine *e = v->cpu.world->engine;
    unsigned in_use = sp_in_use(r->pstate);
    for (unsigned i = 0; i < 31; i++)
        engine_set_x(e, i, r->x[i]);
    engine_set_sp(e, r->sp[in_use]);
    engine_set_banked_sp(e, !in_use, r->sp[!in_use]);
    engine_set_monitor(e, r->monitor);
    engine_set_pc(e, r->pc);
    engine_set_sequence(e, r->sequence & ~SEQUENCE_REPEATS);
    v->cpu.repeats = r->sequence & SEQUENCE_REPEATS;
    v->cpu.repetition_is_said = false;
    v->chain = (struct exception_chain){
        .vector = r->pc,
        .last_esr = (uint32_t)engine_sysreg(e, SYS_ESR_EL1),
        .last_far = engine_sysreg(e, SYS_FAR_EL1),
    };
}

static void visit_registers(struct arm64_vcpu *v, struct state *s)
{
    struct engine *e = v->cpu.world->engine;
    struct engine_registers r = {.pc = 0};
    if (!state_restores(s))
        get(v, &r);
    visit_engine(&r, s);
    if (!state_is_good(s))
        return;
    if (state_restores(s)) {
        for (unsigned i = 0; i < 32; i++)
            engine_set_vector(e, i, r.vectors[i]);
        engine_set(e, ARM64_FPCR, r.fpcr);
        engine_set(e, ARM64_FPSR, r.fpsr);
        engine_set_pstate(e, r.pstate);
    }
    visit_system(v, s);
    if (state_restores(s)) {
        sysregs_restored(v);
        set(v, &r);
    }
}

void arm64_visit(struct vcpu *cpu, struct state *s)
{
    struct arm64_vcpu *v = arm64_of(cpu);
    vcpu_visit_common(cpu, s);
    state_fields(s, own_fields, v);
    if (!state_is_good(s))
        return;
    visit_registers(v, s);
    if (!(v->cpu.world->quirks & QUIRK_WFE_RUNS)) /* on those WFE does not wait */
        vcpu_visit_event(cpu, s);
    pmu_visit(v, s);
    if (!state_restores(s))
        return;
    v->tags_seen = true; /* it may have been: more is flushed, nothing else */
    v->watchpoint_pass = false;
    new_regime(v);
}
