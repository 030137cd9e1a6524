#include "cpu/vcpu.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/arm64/cpu_internal.h"
#include "emu/check.h"
#include "emu/machine.h"

const char *exit_reason_name(enum exit_reason reason)
{
    static const char *const names[EXIT_REASONS] = {
        [EXIT_MMIO] = "mmio",
        [EXIT_MMIO_OPAQUE] = "mmio-opaque",
        [EXIT_FETCH] = "fetch",
        [EXIT_STAGE2] = "stage2",
        [EXIT_HVC] = "hvc",
        [EXIT_SMC] = "smc",
        [EXIT_WFI] = "wfi",
        [EXIT_SYSREG] = "sysreg",
        [EXIT_SYSREG_UNKNOWN] = "sysreg-unknown",
        [EXIT_SEMIHOSTING] = "semihosting",
        [EXIT_PASS] = "pass-through",
    };
    return names[reason];
}

const char *exit_result_name(enum exit_result result)
{
    switch (result) {
    case EXIT_DONE:
        return "done";
    case EXIT_UNDEFINED:
        return "undefined";
    case EXIT_ABORT:
        return "abort";
    case EXIT_STOPPED:
        return "stopped";
    }
    return "?";
}

/* Interrupts and traps that stop at an instruction -----------------------------------------------
 */

/* CPACR_EL1.FPEN: 0b11 traps nothing, 0b01 EL0, else both. */
static unsigned fpen(const struct vcpu *v)
{
    return v->cpacr >> 20 & 3;
}

static bool fp_is_trapped(const struct vcpu *v, uint64_t pstate)
{
    return fpen(v) == 3 ? false : fpen(v) == 1 ? at_el0(pstate) : true;
}

static bool interrupt_is_deliverable(const struct vcpu *v, uint64_t pstate)
{
    return (v->irq && !(pstate & PSTATE_I)) || (v->fiq && !(pstate & PSTATE_F));
}

/* Before the instruction at PC. FIQ first: D1.3.6 leaves the order to us. */
static bool take_interrupt(struct vcpu *v)
{
    if (!v->irq && !v->fiq)
        return false;
    uint64_t pstate = engine_pstate(v->world->engine);
    if (!interrupt_is_deliverable(v, pstate))
        return false;
    bool fiq = v->fiq && !(pstate & PSTATE_F);
    take_exception(v, fiq ? VECTOR_FIQ : VECTOR_IRQ, 0, engine_pc(v->world->engine), false, 0);
    return true;
}

static bool take_fp_trap(struct vcpu *v)
{
    struct engine *e = v->world->engine;
    uint32_t word;
    if (fpen(v) == 3 || !fp_is_trapped(v, engine_pstate(e)) ||
        !read_instruction(v, engine_pc(e), &word) || !insn_is_fp(word))
        return false;
    engine_count_attempt(e);
    /* CV = 1, COND = 0b1110: D19.2.37, EC 0x07. */
    take_exception(v, VECTOR_SYNC, esr_of(EC_FP, 1u << 24 | 0xeu << 20), engine_pc(e), false, 0);
    return true;
}

static uint64_t fp_may_run(struct vcpu *v, uint64_t pc, unsigned size_bytes)
{
    uint32_t word;
    for (uint64_t at = pc; at < pc + size_bytes; at += 4)
        if (read_instruction(v, at, &word) && insn_is_fp(word))
            return (at - pc) / 4;
    return UINT64_MAX;
}

static uint64_t watch(void *cpu, uint64_t pc, unsigned size_bytes)
{
    struct vcpu *v = cpu;
    uint64_t pstate = engine_pstate(v->world->engine);
    if (interrupt_is_deliverable(v, pstate) || pmu_level_changed(v, pstate))
        return 0;
    uint64_t may_run = UINT64_MAX;
    if (fp_is_trapped(v, pstate))
        may_run = fp_may_run(v, pc, size_bytes);
    if (debug_is_active(v)) {
        uint64_t debug = debug_may_run(v, pc, size_bytes);
        may_run = debug < may_run ? debug : may_run;
    }
    if (step_is_on(v)) {
        uint64_t step = step_may_run(v, pc, size_bytes, pstate);
        may_run = step < may_run ? step : may_run;
    }
    if (v->world->points) {
        uint64_t points =
            points_may_run(v->world->points, pc, size_bytes, engine_executed(v->world->engine));
        may_run = points < may_run ? points : may_run;
    }
    if (v->spsr_is_odd) {
        uint64_t legal = illegal_may_run(v, pc, size_bytes, pstate);
        may_run = legal < may_run ? legal : may_run;
    }
    return may_run;
}

void vcpu_update_watch(struct vcpu *v)
{
    const struct points *points = v->world->points;
    if (v->loaded)
        engine_watch(v->world->engine,
                     v->irq || v->fiq || fpen(v) != 3 || debug_is_active(v) || v->spsr_is_odd ||
                         step_is_on(v) || v->pmu_filters,
                     points ? points->code : NULL, points ? points->code_count : 0);
}

void vcpu_set_interrupts(struct vcpu *v, bool irq, bool fiq)
{
    v->irq = irq;
    v->fiq = fiq;
    vcpu_update_watch(v);
}

bool vcpu_is_runnable(const struct vcpu *v)
{
    const struct vcpu_wait *w = &v->wait;
    bool may_go_on = !w->is_on || !v->event.known_until || (v->irq && !w->irq_is_masked) ||
                     (v->fiq && !w->fiq_is_masked);
    return v->on && (!v->halted || v->irq || v->fiq) && may_go_on;
}

const char *vcpu_activity(const struct vcpu *v)
{
    return !v->on ? "off" : v->halted || v->wait.is_on ? "waits" : "runs";
}

/* Events (D1.16.1) --------------------------------------------------------------------------------
 */

void vcpu_send_event(struct vcpu *v)
{
    v->event.known_until = 0;
}

void vcpu_wait(struct vcpu *v, const struct vcpu_wait *wait)
{
    v->wait = *wait;
    v->event.known_until = UINT64_MAX;
}

/* SCTLR_EL1.nTWE = 0: what would wait at EL0 is trapped (D1.16.1). PC is behind it. */
static bool trap_wait(struct vcpu *v)
{
    struct engine *e = v->world->engine;
    if (!at_el0(engine_mode(e)) || (v->stage1.sctlr & SCTLR_NTWE))
        return false;
    /* CV = 1, COND = 0b1110, TI: D19.2.37, EC 0x01. */
    take_exception(v, VECTOR_SYNC, esr_of(EC_WFX, 1u << 24 | 0xeu << 20 | 1), engine_pc(e) - 4,
                   false, 0);
    return true;
}

/* The event stream may have had an event since the register was cleared: then it is due now. */
static void wait_for_event(struct vcpu *v)
{
    struct engine *e = v->world->engine;
    uint64_t pstate = engine_pstate(e), now = vtime_ticks(v->world->vtime);
    now += engine_executed(e) - v->world->vtime->instructions;
    struct vcpu_wait wait = {
        .is_on = true,
        .irq_is_masked = pstate & PSTATE_I,
        .fiq_is_masked = pstate & PSTATE_F,
        .is_quiet = v->event.is_quiet,
        .until_ticks = timer_next_event(v, now - (engine_executed(e) - v->event.cleared_at)),
    };
    vcpu_wait(v, &wait);
}

void end_wait(struct vcpu *v)
{
    if (!v->wait.is_on)
        return;
    v->wait = (struct vcpu_wait){.is_on = false};
    engine_clear_event(&v->event, engine_executed(v->world->engine));
    v->event.is_quiet = true;
}

/* Life --------------------------------------------------------------------------------------------
 */

struct vcpu *vcpu_new(const struct vcpu_world *world, unsigned index, struct error *e)
{
    struct vcpu *v = calloc(1, sizeof *v);
    CHECK_ROOM(v);
    v->world = world;
    v->index = index;
    v->regime = 1;
    v->sysregs = sysregs_new(world->engine);
    v->callbacks = (struct engine_callbacks){
        .fill = fill_page,
        .fill_as = fill_page_as,
        .sysop = system_operation,
        .exception = take_engine_exception,
        .watch = watch,
        .ran_changed_code = ran_changed_code,
        .asked = sysregs_asked(v->sysregs),
        .carry_out = carry_out,
        .event = &v->event,
        .cpu = v,
    };
    v->tlb = tlb_new();
    v->context = engine_context_new(world->engine);
    if (!v->tlb) {
        vcpu_free(v);
        error_set(e, "the host has no room for a vCPU");
        error_exit_status(e, CHECK_SHORTAGE_STATUS);
        return NULL;
    }
    timers_add(v);
    pmu_add(v);
    return v;
}

void vcpu_free(struct vcpu *v)
{
    if (!v)
        return;
    engine_context_free(v->world->engine, v->context);
    tlb_free(v->tlb);
    sysregs_free(v->sysregs);
    free(v);
}

void vcpu_power_on(struct vcpu *v, uint64_t entry, uint64_t x0)
{
    v->on = true;
    v->halted = false;
    v->repeats = false;
    v->wait = (struct vcpu_wait){.is_on = false};
    vcpu_send_event(v);
    v->reset_pending = true;
    v->reset_entry = entry;
    v->reset_x0 = x0;
}

void vcpu_power_off(struct vcpu *v)
{
    v->on = false;
    engine_stop_soon(v->world->engine);
}

void vcpu_stop_timers(struct vcpu *v)
{
    timers_reset(v);
}

static void reset(struct vcpu *v)
{
    struct engine *e = v->world->engine;
    static const uint64_t zero[2];
    v->reset_pending = false;
    v->spsr_is_odd = v->spsr_is_illegal = false;
    v->chain = (struct exception_chain){.vector = UINT64_MAX};
    sysregs_reset(v);
    timers_reset(v);
    for (unsigned i = 0; i < 31; i++)
        engine_set_x(e, i, 0);
    for (unsigned i = 0; i < 32; i++)
        engine_set_vector(e, i, zero);
    engine_set_fpcr(e, 0);
    engine_set_fpsr(e, 0);
    engine_set_sp(e, 0);
    engine_set_banked_sp(e, 0, 0);
    engine_set_banked_sp(e, 1, 0);
    engine_set_x(e, 0, v->reset_x0);
    engine_set_pc(e, v->reset_entry);
    engine_set_pstate(e, PSTATE_EL1H | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F);
    engine_set_sysreg(e, SYS_SPSR_EL1, 0);
    engine_continue_at(e, v->reset_entry);
}

void vcpu_load(struct vcpu *v, struct vcpu *before)
{
    struct engine *e = v->world->engine;
    if (before && before->loaded && before != v) {
        engine_clear_monitor(e);
        engine_context_save(e, before->context);
        pmu_unload(before);
        before->loaded = false;
        if (!before->wait.is_on)
            vcpu_send_event(before); /* others may send it one from here on */
    }
    if (!v->loaded) {
        engine_context_load(e, v->context);
        engine_use(e, &v->callbacks);
        update_checks(v);
        pmu_load(v);
        v->loaded = true;
        if (before && before != v && before->world == v->world && !v->reset_pending)
            engine_change_space(e);
        else
            engine_flush_tlb(e);
    }
    if (v->reset_pending)
        reset(v);
}

/* Before the instruction at PC. True: something was taken that uses one instruction of the budget,
 * and the caller has to look. */
static bool take_pending(struct vcpu *v)
{
    if (take_interrupt(v))
        return false;
    return step_take_pending(v) ||
           (!debug_take_pending(v) && (illegal_take_pending(v) || take_fp_trap(v)));
}

bool vcpu_run(struct vcpu *v, struct engine_budget budget, enum engine_stop *why)
{
    struct engine *e = v->world->engine;
    if (!vcpu_is_runnable(v))
        return false;
    v->halted = false;
    end_wait(v);
    *why = ENGINE_SOFT;
    bool repeated = v->repeats;
    v->repeats = false;
    if (pmu_looks_again(v))
        return true;
    if (!v->world->plays_exit_log && take_pending(v))
        return true;
    if (v->world->points && points_before(v->world->points, v, engine_pc(e), engine_executed(e))) {
        v->repeats = repeated;
        return true;
    }
    step_begin(v, &budget);
    vcpu_update_watch(v);
    uint64_t before = engine_executed(e);
    *why = engine_run(e, budget);
    switch (*why) {
    case ENGINE_FILL:
        handle_refused_fill(v);
        break;
    case ENGINE_HALT: {
        struct guest_exit x = {
            .reason = EXIT_WFI,
            .pc = gva(engine_pc(e) - 4),
            .value = v->step.alone && v->step.active,
            .esr = esr_of(EC_WFX, 1u << 24 | 0xeu << 20), /* CV, COND = always, TI = WFI */
        };
        v->world->exit(v->world->context, v, &x);
        v->halted = true;
        break;
    }
    case ENGINE_WAIT:
        if (!v->world->plays_exit_log && !trap_wait(v)) /* then the exit log says how it waits */
            wait_for_event(v);
        break;
    case ENGINE_UNALIGNED: {
        uint64_t pc = engine_pc(e);
        engine_count_attempt(e);
        take_exception(v, VECTOR_SYNC, esr_of(EC_PC_ALIGNMENT, 0), pc, true, pc);
        break;
    }
    default:
        break;
    }
    if (engine_executed(e) == before) /* it was stopped before it could try again */
        v->repeats |= repeated;
    step_end(v);
    return true;
}

/* State
 * -------------------------------------------------------------------------------------------- */

static const unsigned saved_sysregs[] = {
    SYS_SCTLR_EL1, SYS_ACTLR_EL1,   SYS_CPACR_EL1, SYS_TTBR0_EL1,      SYS_TTBR1_EL1,
    SYS_TCR_EL1,   SYS_SPSR_EL1,    SYS_ELR_EL1,   SYS_ESR_EL1,        SYS_FAR_EL1,
    SYS_PAR_EL1,   SYS_MAIR_EL1,    SYS_VBAR_EL1,  SYS_CONTEXTIDR_EL1, SYS_TPIDR_EL1,
    SYS_TPIDR_EL0, SYS_TPIDRRO_EL0, SYS_MDSCR_EL1, SYS_CSSELR_EL1,     SYS_AMAIR_EL1,
    SYS_AFSR0_EL1, SYS_AFSR1_EL1,
};

const struct field vcpu_fields[] = {
    FIELD(struct vcpu, on),
    FIELD(struct vcpu, halted),
    FIELD(struct vcpu, reset_pending),
    FIELD(struct vcpu, reset_entry),
    FIELD(struct vcpu, reset_x0),
    FIELD(struct vcpu, irq),
    FIELD(struct vcpu, fiq),
    FIELD(struct vcpu, timer_virtual.cval),
    FIELD_UP_TO(struct vcpu, timer_virtual.ctl, TIMER_CTL_MOST),
    FIELD(struct vcpu, timer_virtual.line),
    FIELD(struct vcpu, timer_physical.cval),
    FIELD_UP_TO(struct vcpu, timer_physical.ctl, TIMER_CTL_MOST),
    FIELD(struct vcpu, timer_physical.line),
    FIELD(struct vcpu, cntkctl),
    FIELD(struct vcpu, oslsr),
    FIELD_ARRAY(struct vcpu, dbgbvr),
    FIELD_ARRAY(struct vcpu, dbgbcr),
    FIELD_ARRAY(struct vcpu, dbgwvr),
    FIELD_ARRAY(struct vcpu, dbgwcr),
    FIELD(struct vcpu, pmcr),
    FIELD(struct vcpu, pmcntenset),
    FIELD(struct vcpu, pmuserenr),
    FIELD(struct vcpu, pmintenset),
    FIELD(struct vcpu, pmovsset),
    FIELD(struct vcpu, pmselr),
    FIELD(struct vcpu, pmccfiltr),
    FIELD(struct vcpu, pmccntr_base),
    FIELD(struct vcpu, pmccntr_since),
    FIELD_END,
};

/* In the byte of engine_sequence. */
#define SEQUENCE_REPEATS 4u

/* Behind everything else: machines on which WFE does not wait have none of it. */
const struct field vcpu_event_fields[] = {
    FIELD(struct vcpu, event.known_until),  FIELD(struct vcpu, event.cleared_at),
    FIELD(struct vcpu, event.is_set),       FIELD(struct vcpu, event.is_quiet),
    FIELD(struct vcpu, wait.is_on),         FIELD(struct vcpu, wait.irq_is_masked),
    FIELD(struct vcpu, wait.fiq_is_masked), FIELD(struct vcpu, wait.is_quiet),
    FIELD(struct vcpu, wait.until_ticks),   FIELD_END,
};

static bool wfe_waits(const struct vcpu *v)
{
    return !(v->world->quirks & QUIRK_WFE_RUNS);
}

static void save_engine_registers(struct vcpu *v, struct bytes *out)
{
    struct engine *e = v->world->engine;
    uint64_t pstate = engine_pstate(e), vector[2];
    bool sp_el0_in_use = !(pstate & PSTATE_SP);
    for (unsigned i = 0; i < 31; i++)
        bytes_put_int(out, engine_x(e, i), 8);
    bytes_put_int(out, sp_el0_in_use ? engine_sp(e) : engine_banked_sp(e, 0), 8);
    bytes_put_int(out, sp_el0_in_use ? engine_banked_sp(e, 1) : engine_sp(e), 8);
    bytes_put_int(out, engine_pc(e), 8);
    bytes_put_int(out, pstate, 8);
    for (unsigned i = 0; i < 32; i++) {
        engine_vector(e, i, vector);
        bytes_put_int(out, vector[0], 8);
        bytes_put_int(out, vector[1], 8);
    }
    bytes_put_int(out, engine_sequence(e) | (v->repeats ? SEQUENCE_REPEATS : 0u), 1);
    bytes_put_int(out, engine_fpcr(e), 4);
    bytes_put_int(out, engine_fpsr(e), 4);
    struct engine_monitor monitor = engine_monitor(e);
    bytes_put_int(out, monitor.address, 8);
    bytes_put_int(out, monitor.value, 8);
    bytes_put_int(out, monitor.value_high, 8);
    for (size_t i = 0; i < sizeof saved_sysregs / sizeof saved_sysregs[0]; i++)
        bytes_put_int(out, sysreg_value(v, saved_sysregs[i]), 8);
}

/* No instruction runs between the two loads, so nothing of the loaded vCPU changes. */
static bool borrow(struct vcpu *v, struct vcpu *loaded)
{
    struct engine *e = v->world->engine;
    if (v == loaded)
        return false;
    if (loaded)
        engine_context_save(e, loaded->context);
    engine_context_load(e, v->context);
    return true;
}

static void give_back(struct vcpu *loaded, bool borrowed)
{
    if (borrowed && loaded)
        engine_context_load(loaded->world->engine, loaded->context);
}

void vcpu_save(struct vcpu *v, struct vcpu *loaded, struct bytes *out)
{
    fields_save(vcpu_fields, v, out);
    bool borrowed = borrow(v, loaded);
    save_engine_registers(v, out);
    give_back(loaded, borrowed);
    if (wfe_waits(v))
        fields_save(vcpu_event_fields, v, out);
    pmu_save(v, out);
}

/* EL0 and EL1 in AArch64 state are all there is. */
static bool pstate_is_possible(uint64_t pstate)
{
    uint64_t mode = pstate & PSTATE_M;
    return pstate <= UINT32_MAX &&
           (mode == PSTATE_EL0 || mode == PSTATE_EL1 || mode == PSTATE_EL1H);
}

static void restore_engine_registers(struct vcpu *v, struct reader *in)
{
    struct engine *e = v->world->engine;
    uint64_t x[31], sp[2], vector[2];
    for (unsigned i = 0; i < 31; i++)
        x[i] = reader_int(in, 8);
    sp[0] = reader_int(in, 8);
    sp[1] = reader_int(in, 8);
    uint64_t pc = reader_int(in, 8), pstate = reader_int(in, 8);
    for (unsigned i = 0; i < 32; i++) {
        vector[0] = reader_int(in, 8);
        vector[1] = reader_int(in, 8);
        engine_set_vector(e, i, vector);
    }
    if (!pstate_is_possible(pstate)) {
        reader_refuse(in, "PSTATE");
        return;
    }
    unsigned sequence = (unsigned)reader_int(in, 1);
    if (sequence >= SEQUENCE_REPEATS << 1) {
        reader_refuse(in, "how PC was reached");
        return;
    }
    engine_set_fpcr(e, (uint32_t)reader_int(in, 4));
    engine_set_fpsr(e, (uint32_t)reader_int(in, 4));
    struct engine_monitor monitor = {
        .address = reader_int(in, 8), .value = reader_int(in, 8), .value_high = reader_int(in, 8)};
    engine_set_pstate(e, pstate);
    for (size_t i = 0; i < sizeof saved_sysregs / sizeof saved_sysregs[0]; i++) {
        uint64_t value = reader_int(in, 8);
        sysreg_restored(v, saved_sysregs[i], value);
    }
    sysregs_restored(v);
    for (unsigned i = 0; i < 31; i++)
        engine_set_x(e, i, x[i]);
    bool sp_el0_in_use = !(pstate & PSTATE_SP);
    engine_set_sp(e, sp[sp_el0_in_use ? 0 : 1]);
    engine_set_banked_sp(e, sp_el0_in_use ? 1 : 0, sp[sp_el0_in_use ? 1 : 0]);
    engine_set_monitor(e, monitor);
    engine_set_pc(e, pc);
    engine_set_sequence(e, sequence & ~SEQUENCE_REPEATS);
    v->repeats = sequence & SEQUENCE_REPEATS;
    v->chain = (struct exception_chain){
        .vector = pc,
        .last_esr = (uint32_t)engine_sysreg(e, SYS_ESR_EL1),
        .last_far = engine_sysreg(e, SYS_FAR_EL1),
    };
}

bool vcpu_restore(struct vcpu *v, struct reader *in)
{
    struct engine *e = v->world->engine;
    v->loaded = false;
    if (!fields_restore(vcpu_fields, v, in))
        return false;
    engine_context_load(e, v->context);
    restore_engine_registers(v, in);
    engine_context_save(e, v->context);
    if (wfe_waits(v) && !fields_restore(vcpu_event_fields, v, in))
        return false;
    v->tags_seen = true; /* it may have been: more is flushed, nothing else */
    v->watchpoint_pass = false;
    new_regime(v);
    return pmu_restore(v, in) && !in->failed;
}

void vcpu_resume(struct vcpu *v, bool in_engine)
{
    struct engine *e = v->world->engine;
    timers_restored(v);
    pmu_resume(v);
    if (!in_engine)
        return;
    engine_context_load(e, v->context);
    engine_use(e, &v->callbacks);
    update_checks(v);
    v->loaded = true;
    engine_flush_tlb(e);
    vcpu_update_watch(v);
}

/* As reset() makes them. */
static void registers_after_reset(const struct vcpu *v, struct vcpu_registers *r)
{
    *r = (struct vcpu_registers){
        .pc = v->reset_entry,
        .pstate = PSTATE_EL1H | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F,
    };
    r->x[0] = v->reset_x0;
}

void vcpu_read_registers(struct vcpu *v, struct vcpu *loaded, struct vcpu_registers *r)
{
    struct engine *e = v->world->engine;
    if (v->reset_pending) {
        registers_after_reset(v, r);
        return;
    }
    bool borrowed = borrow(v, loaded);
    for (unsigned i = 0; i < 31; i++)
        r->x[i] = engine_x(e, i);
    r->sp = engine_sp(e);
    r->pc = engine_pc(e);
    r->pstate = engine_pstate(e);
    for (unsigned i = 0; i < 32; i++)
        engine_vector(e, i, r->v[i]);
    r->fpsr = engine_fpsr(e);
    r->fpcr = engine_fpcr(e);
    give_back(loaded, borrowed);
}

/* What software sets at EL1, by MSR or by returning from an exception; the rest of PSTATE is what
 * was executed, or belongs to extensions. */
bool vcpu_registers_are_possible(struct vcpu *v, struct vcpu *loaded,
                                 const struct vcpu_registers *r)
{
    uint64_t settable = PSTATE_NZCV | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F | PSTATE_EL |
                        PSTATE_SP | (v->has_pan ? PSTATE_PAN : 0);
    struct vcpu_registers now;
    vcpu_read_registers(v, loaded, &now);
    return pstate_is_possible(r->pstate) && !((now.pstate ^ r->pstate) & ~settable);
}

static unsigned stack_pointer(uint64_t pstate)
{
    return pstate & PSTATE_SP ? 1 : 0;
}

static void change_pstate(struct vcpu *v, uint64_t from, uint64_t to)
{
    struct engine *e = v->world->engine;
    uint64_t spsr = engine_sysreg(e, SYS_SPSR_EL1);
    if (stack_pointer(from) != stack_pointer(to)) {
        engine_set_banked_sp(e, stack_pointer(from), engine_sp(e));
        engine_set_sp(e, engine_banked_sp(e, stack_pointer(to)));
    }
    engine_set_pstate(e, to);
    engine_set_sysreg(e, SYS_SPSR_EL1, spsr); /* makes PSTATE effective */
}

void vcpu_write_registers(struct vcpu *v, struct vcpu *loaded, const struct vcpu_registers *r)
{
    struct engine *e = v->world->engine;
    struct vcpu_registers before;
    vcpu_read_registers(v, loaded, &before);
    bool borrowed = borrow(v, loaded);
    if (v->reset_pending)
        reset(v);
    v->repeats = false;
    change_pstate(v, before.pstate, r->pstate);
    vcpu_send_event(v); /* what it waits for is another matter now */
    for (unsigned i = 0; i < 31; i++)
        engine_set_x(e, i, r->x[i]);
    if (r->sp != before.sp)
        engine_set_sp(e, r->sp);
    engine_set_pc(e, r->pc);
    for (unsigned i = 0; i < 32; i++)
        engine_set_vector(e, i, r->v[i]);
    engine_set_fpsr(e, r->fpsr);
    engine_set_fpcr(e, r->fpcr);
    if (borrowed)
        engine_context_save(e, v->context);
    give_back(loaded, borrowed);
    new_regime(v);
}

const char *vcpu_sysreg_name(unsigned index)
{
    return index < sizeof saved_sysregs / sizeof saved_sysregs[0]
               ? sysreg_name(saved_sysregs[index])
               : NULL;
}

uint64_t vcpu_read_sysreg(struct vcpu *v, struct vcpu *loaded, unsigned index)
{
    bool borrowed = borrow(v, loaded);
    uint64_t value = sysreg_value(v, saved_sysregs[index]);
    give_back(loaded, borrowed);
    return value;
}

void vcpu_points_changed(struct vcpu *v)
{
    new_regime(v);
    vcpu_update_watch(v);
}

void vcpu_stage2_changed(struct vcpu *v)
{
    new_regime(v);
}
