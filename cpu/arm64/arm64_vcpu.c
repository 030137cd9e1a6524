#include "cpu/arm64/cpu_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "emu/check.h"
#include "emu/machine.h"

/* Interrupts and traps that stop at an instruction -----------------------------------------------
 */

/* CPACR_EL1.FPEN: 0b11 traps nothing, 0b01 EL0, else both. */
static unsigned fpen(const struct arm64_vcpu *v)
{
    return v->cpacr >> 20 & 3;
}

static bool fp_is_trapped(const struct arm64_vcpu *v, uint64_t pstate)
{
    return fpen(v) == 3 ? false : fpen(v) == 1 ? at_el0(pstate) : true;
}

/* Sets of CPU_SIGNAL_*: those that PSTATE masks, and those that do come. */
static unsigned masked_signals(uint64_t pstate)
{
    return (pstate & PSTATE_I ? CPU_SIGNAL_IRQ : 0u) | (pstate & PSTATE_F ? CPU_SIGNAL_FIQ : 0u);
}
static unsigned deliverable_signals(const struct arm64_vcpu *v, uint64_t pstate)
{
    return v->cpu.signals & ~masked_signals(pstate);
}

/* Before the instruction at PC. FIQ first: D1.3.6 leaves the order to us. */
static bool take_interrupt(struct arm64_vcpu *v)
{
    if (!v->cpu.signals)
        return false;
    uint64_t pstate = engine_pstate(v->cpu.world->engine);
    unsigned signals = deliverable_signals(v, pstate);
    if (!signals)
        return false;
    bool fiq = signals & CPU_SIGNAL_FIQ;
    exception_take(v, fiq ? VECTOR_FIQ : VECTOR_IRQ, 0, engine_pc(v->cpu.world->engine), false, 0);
    return true;
}

static bool take_fp_trap(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    uint32_t word;
    if (fpen(v) == 3 || !fp_is_trapped(v, engine_pstate(e)) ||
        !translate_read_instruction(v, engine_pc(e), &word) || !insn_is_fp(word))
        return false;
    engine_count_attempt(e);
    exception_take(v, VECTOR_SYNC, esr_of(EC_FP, ISS_ALWAYS), engine_pc(e), false, 0);
    return true;
}

static uint64_t fp_may_run(struct arm64_vcpu *v, uint64_t pc, unsigned size_bytes)
{
    uint32_t word;
    for (uint64_t at = pc; at < pc + size_bytes; at += 4)
        if (translate_read_instruction(v, at, &word) && insn_is_fp(word))
            return (at - pc) / 4;
    return UINT64_MAX;
}

static uint64_t watch(void *cpu, uint64_t pc, unsigned size_bytes)
{
    struct arm64_vcpu *v = cpu;
    uint64_t pstate = engine_pstate(v->cpu.world->engine);
    if (deliverable_signals(v, pstate) || pmu_level_changed(v, pstate))
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
    if (v->cpu.world->points) {
        uint64_t points = points_may_run(v->cpu.world->points, pc, size_bytes, 4,
                                         engine_executed(v->cpu.world->engine));
        may_run = points < may_run ? points : may_run;
    }
    if (v->spsr_is_odd) {
        uint64_t legal = illegal_may_run(v, pc, size_bytes, pstate);
        may_run = legal < may_run ? legal : may_run;
    }
    return may_run;
}

/* What comes before an Instruction Abort or a misaligned PC (D1.3.5). */
static enum engine_before_fetch before_fetch(void *cpu, uint64_t pc)
{
    struct arm64_vcpu *v = cpu;
    struct engine *e = v->cpu.world->engine;
    uint64_t pstate = engine_pstate(e);
    if (deliverable_signals(v, pstate) || pmu_level_changed(v, pstate) ||
        (step_is_on(v) && step_may_run(v, pc, 0, pstate) == 0) ||
        (v->cpu.world->quirks & QUIRK_ILLEGAL_FIRST && v->spsr_is_odd &&
         illegal_may_run(v, pc, 0, pstate) == 0))
        return ENGINE_BEFORE_MACHINE;
    const struct points *points = v->cpu.world->points;
    bool is_point = points && points_may_run(points, pc, 4, 4, engine_executed(e)) == 0;
    return is_point ? ENGINE_BEFORE_POINT : ENGINE_BEFORE_NOTHING;
}

/* Decides whether blocks must be looked at one by one. */
static void update_watch(struct arm64_vcpu *v)
{
    v->watch_is_stale = false;
    const struct points *points = v->cpu.world->points;
    if (v->cpu.loaded)
        engine_watch(v->cpu.world->engine,
                     v->cpu.signals || fpen(v) != 3 || debug_is_active(v) || v->spsr_is_odd ||
                         step_is_on(v) || v->pmu_filters,
                     points ? points->code : NULL, points ? points->code_count : 0);
}

/* What the engine asks for: afterwards the next block is looked at if it has to be. */
static void settle(struct arm64_vcpu *v)
{
    if (v->watch_is_stale)
        update_watch(v);
}

static bool asked_system(void *cpu, const struct engine_system *op)
{
    bool done = sysreg_operation(cpu, op);
    settle(cpu);
    return done;
}

static bool asked_exception(void *cpu, unsigned number)
{
    bool taken = exit_exception(cpu, number);
    settle(cpu);
    return taken;
}

static enum engine_outcome asked_exit(void *cpu, uint64_t pc)
{
    enum engine_outcome outcome = exit_inside(cpu, pc);
    settle(cpu);
    return outcome;
}

/* Events (D1.16.1) --------------------------------------------------------------------------------
 */

/* SCTLR_EL1.nTWE = 0: what would wait at EL0 is trapped (D1.16.1). PC is behind it. */
static bool trap_wait(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    if (!at_el0(engine_mode(e)) || (v->stage1.sctlr & SCTLR_NTWE))
        return false;
    uint32_t esr = esr_of(EC_WFX, ISS_ALWAYS | 1); /* TI: WFE */
    exception_take(v, VECTOR_SYNC, esr, engine_pc(e) - 4, false, 0);
    return true;
}

/* The event stream may have had an event since the register was cleared: then it is due now. */
static void wait_for_event(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    uint64_t pstate = engine_pstate(e), now = vtime_ticks(v->cpu.world->vtime);
    now += engine_executed(e) - v->cpu.world->vtime->instructions;
    struct vcpu_wait wait = {
        .is_on = true,
        .masked = masked_signals(pstate),
        .is_quiet = v->cpu.event.is_quiet,
        .until_ticks = timer_next_event(v, now - (engine_executed(e) - v->cpu.event.cleared_at)),
    };
    vcpu_wait(&v->cpu, &wait);
}

/* Life --------------------------------------------------------------------------------------------
 */

static void free_vcpu(struct vcpu *cpu)
{
    struct arm64_vcpu *v = arm64_of(cpu);
    engine_context_free(cpu->world->engine, cpu->context);
    tlb_free(cpu->tlb);
    sysregs_free(v->sysregs);
    free(v);
}

static struct vcpu *new_vcpu(const struct vcpu_world *world, unsigned index, struct error *e)
{
    struct arm64_vcpu *v = calloc(1, sizeof *v);
    CHECK_ROOM(v);
    v->cpu.world = world;
    v->cpu.index = index;
    v->regime = 1;
    v->sysregs = sysregs_new(world->engine);
    v->cpu.callbacks = (struct engine_callbacks){
        .fill = translate_fill,
        .fill_as = translate_fill_as,
        .system = asked_system,
        .exception = asked_exception,
        .watch = watch,
        .look = alignment_may_run,
        .regime = &v->regime,
        .before_fetch = before_fetch,
        .ran_changed_code = withheld_ran_changed_code,
        .asked = sysregs_asked(v->sysregs),
        .carry_out = asked_exit,
        .event = &v->cpu.event,
        .cpu = v,
    };
    v->cpu.tlb = tlb_new();
    v->cpu.context = engine_context_new(world->engine);
    if (!v->cpu.tlb) {
        free_vcpu(&v->cpu);
        error_set(e, "the host has no room for a vCPU");
        error_exit_status(e, CHECK_SHORTAGE_STATUS);
        return NULL;
    }
    timers_add(v);
    pmu_add(v);
    return &v->cpu;
}

static void stop_timers(struct vcpu *v)
{
    timers_reset(arm64_of(v));
}

static void reset(struct vcpu *cpu)
{
    struct arm64_vcpu *v = arm64_of(cpu);
    struct engine *e = cpu->world->engine;
    static const uint64_t zero[2];
    v->spsr_is_odd = v->spsr_is_illegal = false;
    v->chain = (struct exception_chain){.vector = UINT64_MAX};
    cpu->repetition_is_said = false;
    sysregs_reset(v);
    timers_reset(v);
    for (unsigned i = 0; i < 31; i++)
        engine_set_x(e, i, 0);
    for (unsigned i = 0; i < 32; i++)
        engine_set_vector(e, i, zero);
    engine_set(e, ARM64_FPCR, 0);
    engine_set(e, ARM64_FPSR, 0);
    engine_set_sp(e, 0);
    engine_set_banked_sp(e, 0, 0);
    engine_set_banked_sp(e, 1, 0);
    engine_set_x(e, 0, cpu->reset_argument);
    engine_set_pc(e, cpu->reset_entry);
    engine_set_pstate(e, PSTATE_RESET);
    engine_set_sysreg(e, SYS_SPSR_EL1, 0);
    engine_continue_at(e, cpu->reset_entry);
}

static void load(struct vcpu *cpu, bool restored)
{
    struct arm64_vcpu *v = arm64_of(cpu);
    alignment_update_checks(v);
    if (!restored)
        pmu_load(v);
}

/* Another may store where its monitor is. */
static void unload(struct vcpu *cpu)
{
    engine_clear_monitor(cpu->world->engine);
    pmu_unload(arm64_of(cpu));
}

static void resume(struct vcpu *cpu)
{
    struct arm64_vcpu *v = arm64_of(cpu);
    timers_restored(v);
    pmu_resume(v);
}

/* Before the instruction at PC. True: something was taken that uses one instruction of the budget,
 * and the caller has to look. */
static bool take_pending(struct arm64_vcpu *v)
{
    if (take_interrupt(v))
        return false;
    return step_take_pending(v) ||
           (!debug_take_pending(v) &&
            (illegal_take_pending(v) || take_fp_trap(v) || alignment_take_pending(v)));
}

/* The instruction at PC with no page withheld from it. It was counted when it was refused. */
static enum engine_stop run_alone(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    struct engine_budget one = {.exact = 1, .soft = UINT64_MAX, .turn = UINT64_MAX};
    bool is_store = v->refused.access.kind == ACCESS_WRITE;
    if (v->cpu.world->quirks & QUIRK_FETCHES_FIRST)
        one.fetch = ENGINE_FETCH_FIRST;
    if (is_store)
        withheld_stores_begin(v, &v->refused);
    v->watchpoint_pass = true;
    engine_uncount_attempt(e);
    enum engine_stop why = engine_run(e, one);
    v->watchpoint_pass = false;
    engine_flush_tlb(e);
    if (is_store)
        engine_store_ends(e);
    return why;
}

/* What runs alone may fail for another reason, such as its second page. */
static void handle_refusal(struct arm64_vcpu *v)
{
    while (exit_refused(v) == PERFORM_ALONE && run_alone(v) == ENGINE_FILL)
        ;
}

static bool run(struct vcpu *cpu, struct engine_budget budget, enum engine_stop *why)
{
    struct arm64_vcpu *v = arm64_of(cpu);
    struct engine *e = cpu->world->engine;
    if (!vcpu_is_runnable(&v->cpu))
        return false;
    v->cpu.halted = false;
    waiting_end(v);
    *why = ENGINE_SOFT;
    bool repeated = v->cpu.repeats;
    v->cpu.repeats = false;
    if (pmu_looks_again(v))
        return true;
    if (!v->cpu.world->plays_exit_log && take_pending(v))
        return true;
    if (v->cpu.world->points &&
        points_before(v->cpu.world->points, &v->cpu, engine_pc(e), engine_executed(e))) {
        v->cpu.repeats = repeated;
        return true;
    }
    step_begin(v, &budget);
    update_watch(v);
    uint64_t before = engine_executed(e);
    *why = engine_run(e, budget);
    switch (*why) {
    case ENGINE_FILL:
        handle_refusal(v);
        break;
    case ENGINE_HALT: {
        struct guest_exit x = {
            .reason = EXIT_HALT,
            .pc = gva(engine_pc(e) - 4),
            .value = v->step.alone && v->step.active,
            .next_pc = gva(engine_pc(e)),
            .detail[EXIT_SYNDROME] = esr_of(EC_WFX, ISS_ALWAYS), /* TI: WFI */
        };
        v->cpu.world->exit(v->cpu.world->context, &v->cpu, &x);
        v->cpu.halted = true;
        break;
    }
    case ENGINE_WAIT:
        if (!v->cpu.world->plays_exit_log &&
            !trap_wait(v)) /* then the exit log says how it waits */
            wait_for_event(v);
        break;
    case ENGINE_UNALIGNED: {
        uint64_t pc = engine_pc(e);
        engine_count_attempt(e);
        exception_take(v, VECTOR_SYNC, esr_of(EC_PC_ALIGNMENT, 0), pc, true, pc);
        break;
    }
    default:
        break;
    }
    if (engine_executed(e) == before) /* it was stopped before it could try again */
        v->cpu.repeats |= repeated;
    step_end(v);
    return true;
}

/* S3_0_C12_C12_0 (C5.1.2, "op0, op1, CRn, CRm, op2"). */
static void register_text(uint64_t encoding, char *text, size_t size)
{
    unsigned e = (unsigned)encoding;
    snprintf(text, size, "S%u_%u_C%u_C%u_%u", e >> 14 & 3, e >> 11 & 7, e >> 7 & 15, e >> 3 & 15,
             e & 7);
}

static void write_timer(struct vcpu *cpu, unsigned timer, unsigned reg, uint64_t value)
{
    struct arm64_vcpu *v = arm64_of(cpu);
    timer_write(v, timer ? &v->timer_physical : &v->timer_virtual, reg, value);
}

static void counters_due(struct vcpu *cpu, uint64_t tick)
{
    event_at(cpu->world->events, &arm64_of(cpu)->pmu_event, tick);
}

static void update_watch_of(struct vcpu *v)
{
    update_watch(arm64_of(v));
}

static void translations_changed(struct vcpu *v)
{
    new_regime(arm64_of(v));
}

/* With ID_AA64MMFR0_EL1.PARange. */
static const struct arch_model models[] = {
    {"a57", 44}, {"a53", 40}, {"a72", 44}, {"max", 44}, {NULL, 0}};

static struct engine *new_engine(const char *model, enum engine_pause pause, struct memory *memory,
                                 struct error *e)
{
    return engine_unicorn_new(arch_arm64.name, model, pause, memory, e);
}

const struct arch arch_arm64 = {
    .name = "arm64",
    .registers = arm64_registers,
    .register_count = ARM64_REGISTERS,
    .pc = ARM64_PC,
    .sp = ARM64_SP,
    .exception_registers = {"ESR_EL1", "FAR_EL1", "ELR_EL1"},
    .signals = {{"IRQ", "irq", "PSTATE.I"}, {"FIQ", "fiq", "PSTATE.F"}},
    .instruction_most = 4,
    .instruction_each = 4,
    .exit_names =
        {
            [EXIT_MMIO] = "mmio",
            [EXIT_MMIO_OPAQUE] = "mmio-opaque",
            [EXIT_FETCH] = "fetch",
            [EXIT_STAGE2] = "stage2",
            [EXIT_CALL] = "hvc",
            [EXIT_FIRMWARE] = "smc",
            [EXIT_HALT] = "wfi",
            [EXIT_REGISTER] = "sysreg",
            [EXIT_REGISTER_UNKNOWN] = "sysreg-unknown",
            [EXIT_DEBUG] = "semihosting",
            [EXIT_PASS] = "pass-through",
        },
    .detail_names = {[EXIT_SYNDROME] = "ESR_EL2",
                     [EXIT_ADDRESS] = "HPFAR_EL2",
                     [EXIT_NUMBER] = "the system register"},
    .argument_count = 8,
    .argument_ids = {0, 1, 2, 3, 4, 5, 6, 7},
    .argument_names = {"X0", "X1", "X2", "X3", "X4", "X5", "X6", "X7"},
    .register_text = register_text,
    .describe_registers = arm64_describe_registers,
    .tables = &stage2_tables,
    .models = models,
    .new_engine = new_engine,
    .new_vcpu = new_vcpu,
    .free = free_vcpu,
    .stop_timers = stop_timers,
    .reset = reset,
    .load = load,
    .unload = unload,
    .run = run,
    .loop_text = arm64_loop_text,
    .loop_from = arm64_loop_from,
    .waiting_text = arm64_waiting_text,
    .timers_text = arm64_timers_text,
    .is_parked = arm64_is_parked,
    .update_watch = update_watch_of,
    .translations_changed = translations_changed,
    .visit = arm64_visit,
    .resume = resume,
    .read_registers = arm64_read_registers,
    .write_registers = arm64_write_registers,
    .registers_are_possible = arm64_registers_are_possible,
    .write_timer = write_timer,
    .counters_due = counters_due,
    .read_memory = arm64_read_memory,
    .write_memory = arm64_write_memory,
};
