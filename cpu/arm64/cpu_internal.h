/* Shared inside cpu/ only. */
#ifndef CPU_ARM64_CPU_INTERNAL_H
#define CPU_ARM64_CPU_INTERNAL_H

#include "cpu/arm64/arm64_vcpu.h"
#include "cpu/arm64/insn.h"

static inline bool at_el0(uint64_t pstate)
{
    return (pstate & PSTATE_EL) == PSTATE_EL0;
}

/* arm64_state.c */
void arm64_visit(struct vcpu *v, struct state *s);
bool pstate_is_possible(uint64_t pstate);

/* arm64_registers.c */
unsigned arm64_system_encoding(unsigned n); /* of the register ARM64_SYSTEM + n */
void arm64_read_registers(struct vcpu *v, struct vcpu_registers *r);
void arm64_write_registers(struct vcpu *v, const struct vcpu_registers *before,
                           const struct vcpu_registers *r);
bool arm64_registers_are_possible(const struct vcpu *v, const struct vcpu_registers *before,
                                  const struct vcpu_registers *r);

/* arm64_gdb.c */
void arm64_describe_registers(struct bytes *out);

/* translate.c: gva to hpa for an access with the current regime and EL; a fault is recorded in
 * v->fault. `permits` gets all rights of the page for this EL. */
bool translate_page(struct arm64_vcpu *v, gva_t a, const struct access *access, hpa_t *page,
                    unsigned *permits);
/* Guest memory by gva, page by page, with the current rights; false at the first fault. */
bool arm64_read_memory(struct vcpu *v, gva_t from, void *to, uint64_t size);
bool arm64_write_memory(struct vcpu *v, gva_t to, const void *from, uint64_t size);
bool fill_page(void *cpu, uint64_t page_va, enum access_kind kind, struct engine_page *page);
bool fill_page_as(void *cpu, uint64_t page_va, enum access_kind kind, bool unprivileged,
                  struct engine_page *page);
uint16_t current_asid(const struct stage1 *s1);
/* What an access of the current EL to the page finds. */
enum found {
    FOUND_MEMORY,
    FOUND_WITHHELD, /* memory that the engine does not get: v->withheld */
    FOUND_DEVICE,   /* it ends at stage 2, in v->fault */
    FOUND_NOTHING,  /* v->fault */
};
enum found find_data(struct arm64_vcpu *v, uint64_t page_va, enum access_kind kind);
/* Where the page is on the board; without a trace in what a refused fill left. */
struct aside {
    hpa_t page;
    bool is_device; /* memory that stage 1 maps as Device, where alignment is checked */
};
bool translate_aside(struct arm64_vcpu *v, gva_t a, const struct access *access,
                     struct aside *found);
/* Translations may have changed. */
static inline void new_regime(struct arm64_vcpu *v)
{
    v->regime++;
}
bool read_instruction(struct arm64_vcpu *v, uint64_t pc, uint32_t *word);
/* The same without a trace in the TLB: where one build looks, and another need not. */
bool peek_instruction(struct arm64_vcpu *v, uint64_t pc, uint32_t *word);
/* Would a load by the instruction that was refused fail, too? */
bool read_fails(struct arm64_vcpu *v, gva_t a);
/* AT S1E1R ...: PAR_EL1 for the address. */
uint64_t address_translation(struct arm64_vcpu *v, gva_t a, const struct access *access);

/* exception.c: enters EL1. `far` is written when `has_far`. PC becomes the vector. */
void take_exception(struct arm64_vcpu *v, enum vector_kind kind, uint32_t esr, uint64_t return_pc,
                    bool has_far, uint64_t far);
bool take_engine_exception(void *cpu, unsigned number);
/* The instruction at `pc` exits, and may be left to carry_out the next time, which asks for Xn. */
void expect_exit(struct arm64_vcpu *v, uint64_t pc, unsigned n);
/* An instruction that exits, and that the engine does not try. */
enum engine_outcome carry_out(void *cpu, uint64_t pc);
void take_undefined(struct arm64_vcpu *v, uint64_t pc);
uint32_t esr_of(enum esr_ec ec, uint32_t iss);
/* The synchronous exception of an abort recorded in v->fault, at the exact address. */
void take_abort(struct arm64_vcpu *v, uint64_t pc, gva_t address, const struct insn_memory *m);
/* WnR of that abort, or of one that a hypervisor sees. */
bool abort_is_by_write(struct arm64_vcpu *v, gva_t a, const struct insn_memory *m);
/* mmio.c: after ENGINE_FILL. */
void handle_refused_fill(struct arm64_vcpu *v);
/* An access to a device or to watched memory that the engine does not try. */
enum engine_outcome carry_out_access(struct arm64_vcpu *v, uint64_t pc, uint32_t word);

/* loop.c */
void arm64_loop_text(const struct vcpu *v, char *text, size_t size);
bool arm64_loop_from(const struct vcpu *v, uint64_t *pc);
/* An exception is about to be entered: `attempt` was the instruction, PSTATE `from` becomes
 * `to`, PC `vector`. */
struct exception_entry {
    enum vector_kind kind;
    uint32_t esr;
    uint64_t attempt, return_pc, vector;
    bool has_far;
    uint64_t far;
    uint64_t from, to;
};
void loop_note(struct arm64_vcpu *v, const struct exception_entry *x);

/* What an access that we carry out does to its base register. */
void write_back(struct arm64_vcpu *v, const struct insn_memory *m);

uint64_t extended(uint64_t value, const struct insn_memory *m);

/* alignment.c: has the engine check what SCTLR_EL1 asks for (Arm ARM B2.9.2, D1.3.10.2). */
void update_checks(struct arm64_vcpu *v);
/* Must all accesses be aligned, whatever memory they are to, and are they ours to check? */
bool alignment_is_ours(const struct arm64_vcpu *v);
bool is_misaligned(const struct insn_memory *m);
/* Does the access fault before it is translated? */
bool alignment_faults(const struct arm64_vcpu *v, const struct insn_memory *m);
/* Then takes the exception. */
bool take_alignment(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m);
/* What is checked though no page is refused, where that is ours: looked at before it runs. */
uint64_t alignment_may_run(void *cpu, uint64_t pc, unsigned size_bytes, enum engine_look *kind);
/* Must the instruction at PC take such a fault? Takes it. Uses one instruction. */
bool alignment_take_pending(struct arm64_vcpu *v);

/* withheld.c: accesses to memory that fill_page refused without a fault; v->withheld says why. */
void handle_withheld(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m);
/* Can withheld_carry_out make it? */
bool withheld_is_simple(const struct arm64_vcpu *v, const struct insn_memory *m);
bool withheld_faults(const struct arm64_vcpu *v, const struct insn_memory *m);
void withheld_carry_out(struct arm64_vcpu *v, const struct insn_memory *m);
void ran_changed_code(void *cpu, uint64_t pc, const struct engine_change *change);

/* illegal.c: illegal exception returns and PSTATE.IL. */
void illegal_note_spsr(struct arm64_vcpu *v, uint64_t spsr);
uint64_t illegal_may_run(struct arm64_vcpu *v, uint64_t pc, unsigned size_bytes, uint64_t pstate);
/* Carries out an illegal return at PC, or takes the Illegal State exception. Uses one instruction.
 */
bool illegal_take_pending(struct arm64_vcpu *v);

/* sysreg.c */
struct sysreg_map *sysregs_new(struct engine *e);
void sysregs_free(struct sysreg_map *map);
const struct engine_asked *sysregs_asked(const struct sysreg_map *map);
bool system_operation(void *cpu, const struct engine_system *op);
/* Does the engine find it undefined, and is it for undefined_sysreg? */
bool sysreg_is_undefined(struct arm64_vcpu *v, uint32_t word);
/* A register access that the engine found undefined. True: done, go on behind it. */
bool undefined_sysreg(struct arm64_vcpu *v, uint32_t word);
const char *sysreg_name(unsigned encoding); /* "?": it is in no table */
void sysregs_reset(struct arm64_vcpu *v);
/* Of the loaded vCPU, whoever holds it. */
uint64_t sysreg_value(struct arm64_vcpu *v, unsigned encoding);
/* A register was restored; then what follows from all of them, and those of
 * ours that the engine has to know. */
void sysreg_restored(struct arm64_vcpu *v, unsigned encoding, uint64_t value);
void sysregs_restored(struct arm64_vcpu *v);
/* What a trapped EL0 access to a system register or instruction is reported as. */
uint32_t esr_of_undefined(struct arm64_vcpu *v, uint32_t word);

/* waiting.c */
bool arm64_waiting_text(const struct vcpu *v, const struct vcpu_registers *r, char *text,
                        size_t size);
void arm64_timers_text(const struct vcpu *v, char *text, size_t size);
bool arm64_is_parked(struct vcpu *v, const struct vcpu_registers *r);

/* timer.c */
void timers_add(struct arm64_vcpu *v);
#define TIMER_CTL_MOST 3 /* ENABLE and IMASK */
uint64_t timer_counter(const struct arm64_vcpu *v);
uint64_t timer_read(struct arm64_vcpu *v, struct vcpu_timer *t, unsigned op2);
void timer_write(struct arm64_vcpu *v, struct vcpu_timer *t, unsigned op2, uint64_t value);
void timers_reset(struct arm64_vcpu *v);
void timers_restored(struct arm64_vcpu *v);
/* The tick at which the event stream has its first event behind that one; EVENT_NEVER: it is off.
 */
uint64_t timer_next_event(const struct arm64_vcpu *v, uint64_t after_ticks);

/* pmu.c */
#define PMSELR_MOST 0x1f
enum pmu_register {
    PMU_CONTROL,
    PMU_ENABLE_SET,
    PMU_ENABLE_CLEAR,
    PMU_INTEN_SET,
    PMU_INTEN_CLEAR,
    PMU_OVERFLOW_SET,
    PMU_OVERFLOW_CLEAR,
    PMU_SOFTWARE_INCREMENT,
    PMU_EVENTS, /* PMCEID0_EL0 */
    PMU_CYCLE_COUNTER,
    PMU_CYCLE_FILTER,
    PMU_SELECTED_TYPE,
    PMU_SELECTED_COUNTER,
    PMU_TYPE,    /* PMEVTYPER<n>_EL0 */
    PMU_COUNTER, /* PMEVCNTR<n>_EL0 */
};
uint64_t pmu_read(const struct arm64_vcpu *v, enum pmu_register r, unsigned n);
void pmu_write(struct arm64_vcpu *v, enum pmu_register r, unsigned n, uint64_t value);
bool pmu_el0_may(const struct arm64_vcpu *v, enum pmu_register r, bool is_read);
void pmu_add(struct arm64_vcpu *v);
void pmu_reset(struct arm64_vcpu *v);
/* The vCPU is in the engine from now on, or no more; `retired` is that of now then. */
void pmu_load(struct arm64_vcpu *v);
void pmu_unload(struct arm64_vcpu *v);
/* Instructions of this vCPU that were not abandoned. */
uint64_t pmu_retired(const struct arm64_vcpu *v);
/* Before a run. True: something is due earlier than the caller knows. */
bool pmu_looks_again(struct arm64_vcpu *v);
/* Before a block with that PSTATE. True: counters count otherwise now, and the run has to stop. */
bool pmu_level_changed(struct arm64_vcpu *v, uint64_t pstate);
/* An exception is taken; the instruction that was counted is `abandoned` for it, or not. */
void pmu_exception(struct arm64_vcpu *v, bool abandoned);
void pmu_visit(struct arm64_vcpu *v, struct state *s);
void pmu_resume(struct arm64_vcpu *v);

/* debug.c: breakpoints and watchpoints that the guest programs. */
bool debug_is_active(const struct arm64_vcpu *v);
/* Must a debug exception be taken before the instruction at PC? Takes it. */
bool debug_take_pending(struct arm64_vcpu *v);
uint64_t debug_may_run(struct arm64_vcpu *v, uint64_t pc, unsigned size_bytes);
/* Which accesses to the page must be looked at: of PERMIT_R and PERMIT_W. */
unsigned debug_watched(const struct arm64_vcpu *v, uint64_t page_va);
/* Of an access to a watched page: is it a guest's watchpoint, or must it wait for the debugger? */
bool debug_minds_access(struct arm64_vcpu *v, const struct insn_memory *m);
/* The same when it was refused and counted: takes the exception, or has it tried again. Points of a
 * debugger are looked for in any page. */
bool debug_stops_access(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m);
/* The instruction at PC, of which the count knows, with no page withheld. */
void run_alone(struct arm64_vcpu *v);
/* Must the access that was refused wait for the debugger of the whole board (points.h)? */
bool debug_waits_for_debugger(struct arm64_vcpu *v, const struct insn_memory *m);
/* MDSCR_EL1 or the OS Lock were written. */
void debug_regime_changed(struct arm64_vcpu *v);
/* Are debug exceptions enabled with that PSTATE? */
bool debug_enabled_here(const struct arm64_vcpu *v, uint64_t pstate);
bool debug_os_lock(const struct arm64_vcpu *v);

/* step.c: software step that the guest programs. */
bool step_is_on(const struct arm64_vcpu *v);
/* Must a step exception be taken before the instruction at PC? Takes it. Uses one instruction. */
bool step_take_pending(struct arm64_vcpu *v);
uint64_t step_may_run(struct arm64_vcpu *v, uint64_t pc, unsigned size_bytes, uint64_t pstate);
/* Around a run of the engine: of one instruction, where that is what may run, with what follows. */
void step_begin(struct arm64_vcpu *v, struct engine_budget *budget);
void step_end(struct arm64_vcpu *v);
/* SVC: the step is over before its exception is taken (SSAdvance). */
void step_over_call(struct arm64_vcpu *v);
/* PSTATE.SS behind an exception return. */
bool step_ss_after_return(const struct arm64_vcpu *v, uint64_t from, uint64_t spsr, uint64_t to);

/* arm64_vcpu.c: a WFE is complete. */
void end_wait(struct arm64_vcpu *v);
/* arm64_vcpu.c: decides whether blocks must be looked at one by one. */
void update_watch(struct arm64_vcpu *v);

#endif
