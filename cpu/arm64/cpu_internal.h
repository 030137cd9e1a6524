/* Shared inside cpu/arm64/ only. */
#ifndef CPU_ARM64_CPU_INTERNAL_H
#define CPU_ARM64_CPU_INTERNAL_H

#include "cpu/arm64/arm64_vcpu.h"
#include "cpu/arm64/insn.h"

/* 0: SP_EL0, 1: SP_EL1. */
static inline unsigned sp_in_use(uint64_t pstate)
{
    return pstate & PSTATE_SP ? 1 : 0;
}

static inline uint32_t esr_of(enum esr_ec ec, uint32_t iss)
{
    return (uint32_t)ec << ESR_EC_SHIFT | ESR_IL | iss;
}

/* arm64_state.c */
void arm64_visit(struct vcpu *v, struct state *s);

/* arm64_registers.c */
bool arm64_pstate_is_possible(uint64_t pstate);
unsigned arm64_system_encoding(unsigned n); /* of the register ARM64_SYSTEM + n */
void arm64_read_registers(struct vcpu *v, struct vcpu_registers *r);
void arm64_write_registers(struct vcpu *v, const struct vcpu_registers *before,
                           const struct vcpu_registers *r);
bool arm64_registers_are_possible(const struct vcpu *v, const struct vcpu_registers *before,
                                  const struct vcpu_registers *r);

/* arm64_gdb.c */
void arm64_describe_registers(struct bytes *out);

/* Where a page is on the board. */
struct found_page {
    hpa_t page;
    bool is_device; /* memory that stage 1 maps as Device, where alignment is checked */
};
/* translate.c: of an access with the current regime and EL. False: it faults. */
bool translate_page(struct arm64_vcpu *v, gva_t a, const struct access *access,
                    struct found_page *found);
/* Guest memory by gva, page by page, with the current rights; false at the first fault. */
bool arm64_read_memory(struct vcpu *v, gva_t from, void *to, uint64_t size);
bool arm64_write_memory(struct vcpu *v, gva_t to, const void *from, uint64_t size);
bool translate_fill(void *cpu, uint64_t page_va, enum access_kind kind, struct engine_page *page);
bool translate_fill_as(void *cpu, uint64_t page_va, enum access_kind kind, bool unprivileged,
                       struct engine_page *page);
/* What an access of the current EL to the page finds; `r` is filled unless it is plain memory. */
enum found {
    FOUND_MEMORY,
    FOUND_WITHHELD, /* memory that the engine does not get */
    FOUND_DEVICE,   /* it ends at stage 2 */
    FOUND_NOTHING,
};
enum found translate_data(struct arm64_vcpu *v, uint64_t page_va, enum access_kind kind,
                          struct refused *r);
/* Translations may have changed. */
static inline void new_regime(struct arm64_vcpu *v)
{
    v->regime++;
}
bool translate_read_instruction(struct arm64_vcpu *v, uint64_t pc, uint32_t *word);
/* The same without a trace in the TLB: where one build looks, and another need not. */
bool translate_peek(struct arm64_vcpu *v, uint64_t pc, uint32_t *word);
/* Would a load by the instruction that was refused have succeeded? */
bool translate_could_read(struct arm64_vcpu *v, gva_t a, const struct refused *r);
/* AT S1E1R ...: PAR_EL1 for the address. */
uint64_t translate_address(struct arm64_vcpu *v, gva_t a, const struct access *access);

/* exception.c: enters EL1. `far` is written when `has_far`. PC becomes the vector. */
void exception_take(struct arm64_vcpu *v, enum vector_kind kind, uint32_t esr, uint64_t return_pc,
                    bool has_far, uint64_t far);
void exception_take_undefined(struct arm64_vcpu *v, uint64_t pc);
/* SPSR_EL1 has changed: whether an ERET with it is illegal (illegal.c). */
void exception_note_spsr(struct arm64_vcpu *v, uint64_t spsr);

/* abort.c: the synchronous exception of what was refused, at the exact address; `m` NULL: of a
 * fetch. */
void abort_take(struct arm64_vcpu *v, uint64_t pc, gva_t address, const struct insn_memory *m,
                const struct refused *r);
/* WnR of that abort, or of one that a hypervisor sees. */
bool abort_is_by_write(struct arm64_vcpu *v, gva_t a, const struct insn_memory *m,
                       const struct refused *r);

/* What became of an instruction that exits, or of an access that was refused. */
enum performed {
    PERFORM_DONE,  /* it is complete: the guest goes on behind it, once the caller says so */
    PERFORM_LEFT,  /* PC is where the guest goes on: an exception was taken, or the VM has ended */
    PERFORM_AGAIN, /* a debugger comes first; then it is tried again */
    PERFORM_ALONE, /* the engine can make it, alone, with no page withheld */
};
/* exit_perform.c: the instruction at `pc`; `r`: the access by it, decoded, or NULL: it is no access
 * that makes it exit. `r` is used up. */
enum performed exit_perform(struct arm64_vcpu *v, uint64_t pc, uint32_t word, struct refused *r);
/* After ENGINE_FILL: PC and the count are as they must be, unless the answer is PERFORM_ALONE. */
enum performed exit_refused(struct arm64_vcpu *v);
/* An exception that the engine raises; false: it is none that exists here. */
bool exit_exception(void *cpu, unsigned number);
/* An instruction that exits, and that the engine does not try. */
enum engine_outcome exit_inside(void *cpu, uint64_t pc);
/* mmio.c: the part of exit_perform that is about accesses. */
enum performed mmio_perform(struct arm64_vcpu *v, uint64_t pc, struct refused *r);

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

/* alignment.c: has the engine check what SCTLR_EL1 asks for (Arm ARM B2.9.2, D1.3.10.2). */
void alignment_update_checks(struct arm64_vcpu *v);
/* Must all accesses be aligned, whatever memory they are to; and are they ours to check? */
static inline bool alignment_is_of_all(const struct arm64_vcpu *v)
{
    return (v->stage1.sctlr & (SCTLR_M | SCTLR_A)) != SCTLR_M;
}
static inline bool alignment_is_ours(const struct arm64_vcpu *v)
{
    return v->checks_are_ours && alignment_is_of_all(v);
}
static inline bool is_misaligned(const struct insn_memory *m)
{
    unsigned alignment = insn_alignment(m);
    return alignment && (m->address & (alignment - 1));
}
static inline bool is_in_page(const struct insn_memory *m)
{
    return (m->address & PAGE_MASK) + m->size <= PAGE_SIZE;
}
/* Does the access fault before it is translated? */
bool alignment_faults(const struct arm64_vcpu *v, const struct insn_memory *m);
/* Then takes the exception. */
bool alignment_take(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m);
/* What is checked though no page is refused, where that is ours: looked at before it runs. */
uint64_t alignment_may_run(void *cpu, uint64_t pc, unsigned size_bytes, enum engine_look *kind);
/* Must the instruction at PC take such a fault? Takes it. Uses one instruction. */
bool alignment_take_pending(struct arm64_vcpu *v);

/* withheld.c: accesses to memory that translate_fill refused without a fault. */
enum performed withheld_perform(struct arm64_vcpu *v, uint64_t pc, struct refused *r);
/* Is it made here, and not by the engine alone? */
bool withheld_is_simple(const struct arm64_vcpu *v, const struct refused *r);
/* The engine will make the store alone; engine_store_ends ends it. */
void withheld_stores_begin(struct arm64_vcpu *v, const struct refused *r);
void withheld_ran_changed_code(void *cpu, uint64_t pc, const struct engine_change *change);

/* illegal.c: illegal exception returns and PSTATE.IL. */
uint64_t illegal_may_run(struct arm64_vcpu *v, uint64_t pc, unsigned size_bytes, uint64_t pstate);
/* Carries out an illegal return at PC, or takes the Illegal State exception. Uses one instruction.
 */
bool illegal_take_pending(struct arm64_vcpu *v);

/* sysreg.c */
struct sysreg_map *sysregs_new(struct engine *e);
void sysregs_free(struct sysreg_map *map);
const struct engine_asked *sysregs_asked(const struct sysreg_map *map);
bool sysreg_operation(void *cpu, const struct engine_system *op);
/* Does the engine find it undefined, and is it for sysreg_undefined? */
bool sysreg_is_undefined(struct arm64_vcpu *v, uint32_t word);
/* A register access that the engine found undefined. True: done, go on behind it. */
bool sysreg_undefined(struct arm64_vcpu *v, uint32_t word);
const char *sysreg_name(unsigned encoding); /* "?": it is in no table */
void sysregs_reset(struct arm64_vcpu *v);
/* Of the loaded vCPU, whoever holds it. */
uint64_t sysreg_value(struct arm64_vcpu *v, unsigned encoding);
/* A register was restored; then what follows from all of them, and those of
 * ours that the engine has to know. */
void sysreg_restored(struct arm64_vcpu *v, unsigned encoding, uint64_t value);
void sysregs_restored(struct arm64_vcpu *v);
/* What a trapped EL0 access to a system register or instruction is reported as. */
uint32_t sysreg_esr_of_undefined(struct arm64_vcpu *v, uint32_t word);

/* waiting.c */
void waiting_end(struct arm64_vcpu *v); /* a WFE is complete */
bool arm64_waiting_text(const struct vcpu *v, const struct vcpu_registers *r, char *text,
                        size_t size);
void arm64_timers_text(const struct vcpu *v, char *text, size_t size);
bool arm64_is_parked(struct vcpu *v, const struct vcpu_registers *r);

/* timer.c */
void timers_add(struct arm64_vcpu *v);
/* CNTV_CTL_EL0, CNTP_CTL_EL0: D19.12. */
enum { TIMER_CTL_ENABLE = 1, TIMER_CTL_IMASK = 2, TIMER_CTL_ISTATUS = 4 };
#define TIMER_CTL_MOST (TIMER_CTL_ENABLE | TIMER_CTL_IMASK) /* what is kept */
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
uint64_t debug_may_run(struct arm64_vcpu *v, uint64_t pc, unsigned size_bytes);
/* Which accesses to the page must be looked at: of PERMIT_R and PERMIT_W. */
unsigned debug_watched(const struct arm64_vcpu *v, uint64_t page_va);
bool debug_breakpoint_at(const struct arm64_vcpu *v, uint64_t pc, uint64_t pstate);
/* Atomics read and write (D2.10.4). */
static inline bool debug_reads(const struct insn_memory *m)
{
    return !m->is_write || m->class == INSN_ATOMIC;
}
/* Which of LSC sees the access: 1 loads, 2 stores, 0 none. */
unsigned debug_watchpoint_kind(const struct arm64_vcpu *v, const struct insn_memory *m);
/* MDSCR_EL1 or the OS Lock were written. */
void debug_regime_changed(struct arm64_vcpu *v);
/* Are debug exceptions enabled with that PSTATE? */
bool debug_enabled_here(const struct arm64_vcpu *v, uint64_t pstate);
bool debug_os_lock(const struct arm64_vcpu *v);

/* debug_take.c: must a debug exception be taken before the instruction at PC? Takes it. */
bool debug_take_pending(struct arm64_vcpu *v);
/* Of an access that was refused and counted. Points of a debugger are looked for in any page. */
enum debug_answer {
    DEBUG_PASSES,
    DEBUG_TAKEN, /* the guest's watchpoint: its exception was taken */
    DEBUG_WAITS, /* for the debugger of the whole board (points.h) */
};
enum debug_answer debug_stops_access(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m,
                                     const struct refused *r);
bool debug_is_watched(struct arm64_vcpu *v, const struct insn_memory *m, const struct refused *r);
static inline bool debug_waits_for_debugger(struct arm64_vcpu *v, const struct insn_memory *m,
                                            const struct refused *r)
{
    return v->cpu.world->points && debug_is_watched(v, m, r);
}

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

/* What decides whether blocks are looked at one by one has changed: arm64_vcpu.c looks at it before
 * the next block. */
static inline void watch_changed(struct arm64_vcpu *v)
{
    v->watch_is_stale = true;
}

#endif
