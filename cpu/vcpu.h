/* A virtual CPU: the AArch64 architecture at EL1 and EL0 around an engine. It owns the system
 * registers the engine must not answer (timers, debug, PMU, identification), takes exceptions,
 * translates addresses for the engine, and turns what a hypervisor must see into guest exits.
 *
 * One vCPU is loaded into the engine at a time (vcpu_load); vcpu_run runs it until something is due
 * or it cannot go on. */
#ifndef CPU_VCPU_H
#define CPU_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/engine.h"
#include "cpu/footprint.h"
#include "cpu/points.h"
#include "emu/event.h"
#include "emu/fields.h"
#include "emu/log.h"
#include "emu/vtime.h"
#include "mmu/memory.h"
#include "mmu/mmu.h"
#include "mmu/tlb.h"

#define DEBUG_BREAKPOINTS  6
#define DEBUG_WATCHPOINTS  4
#define DEVICE_PAGES       8
#define PMU_EVENT_COUNTERS 6

/* Why a guest left to the hypervisor. */
enum exit_reason {
    EXIT_MMIO,        /* data access that stage 2 does not map */
    EXIT_MMIO_OPAQUE, /* the same by an instruction without a syndrome (ESR.ISV = 0) */
    EXIT_FETCH,       /* instruction fetch that stage 2 does not map */
    EXIT_STAGE2,      /* stage 2 permission or access flag fault */
    EXIT_HVC,
    EXIT_SMC,
    EXIT_WFI,
    EXIT_SYSREG, /* interrupt controller's system register */
    EXIT_SYSREG_UNKNOWN,
    EXIT_SEMIHOSTING,
    EXIT_PASS, /* access to a device of the board that stage 2 maps: the model's, no guest exit */
    EXIT_REASONS
};
const char *exit_reason_name(enum exit_reason reason);

/* What becomes of the instruction that exited. */
enum exit_result {
    EXIT_DONE,      /* it is complete: `value` is the result of a read; go on behind it */
    EXIT_UNDEFINED, /* an Undefined Instruction exception into the guest */
    EXIT_ABORT,     /* a synchronous external abort into the guest */
    EXIT_STOPPED,   /* the VM has ended */
};
const char *exit_result_name(enum exit_result result);

struct guest_exit {
    enum exit_reason reason;
    gva_t pc; /* of the instruction */
    gva_t gva;
    gpa_t gpa;
    uint64_t value; /* written, or the result; HVC, SMC: the immediate; WFI: 1 if it does not wait,
                     * as it is stepped */
    uint8_t size;   /* bytes */
    bool is_write;
    unsigned encoding;   /* EXIT_SYSREG*: SYSREG() */
    uint32_t esr;        /* ESR_EL2 a hypervisor would see */
    uint64_t hpfar;      /* HPFAR_EL2, for faults */
    const char *handler; /* who answered; set by the hypervisor, for records */
};

struct vcpu;

struct vcpu_world {
    struct engine *engine;
    struct memory *memory;
    const struct stage2 *stage2;
    struct vtime *vtime;
    struct event_queue *events;
    bool gic_v3; /* ID_AA64PFR0_EL1.GIC */
    bool semihosting;
    bool coherent;       /* fetches see what was stored, without IC instructions */
    bool plays_exit_log; /* the engine executes nothing: interrupts and traps are in its exit log */
    uint32_t quirks;     /* of an older machine (emu/machine.h) */
    uint64_t counter_offset; /* guest counter = board counter - offset */
    struct vcpu **vcpus;     /* all of the VM: broadcasts go there */
    unsigned vcpu_count;
    enum exit_result (*exit)(void *context, struct vcpu *v, struct guest_exit *x);
    void (*ppi)(void *context, unsigned vcpu, unsigned intid, bool level);
    /* The monitors' event is about to be handled; `changes`: their interrupt does. */
    void (*pmu_due)(void *context, unsigned vcpu, uint64_t due_ticks, bool changes);
    /* The guest writes a register of a timer, op2 as in CNTV_TVAL_EL0 (0), CNTV_CTL_EL0 (1),
     * CNTV_CVAL_EL0 (2): about to be done. */
    void (*timer)(void *context, unsigned vcpu, bool physical, unsigned op2, uint64_t value);
    void *context;
    const struct log *log;
    struct points *points;       /* a debugger's; NULL: there is none */
    struct footprint *footprint; /* of what runs now: its data; NULL: nobody wants it */
};

struct vcpu_timer {
    uint64_t cval;
    uint32_t ctl;
    bool line; /* what the interrupt controller was told */
    struct event event;
    struct vcpu *vcpu;
};

/* Waiting for an event, in WFE. */
struct vcpu_wait {
    bool is_on;
    bool irq_is_masked, fiq_is_masked; /* PSTATE: such an interrupt does not end it */
    bool is_quiet; /* since the wait before this one the vCPU did nothing another may wait for */
    uint64_t until_ticks; /* the event stream's next event, or EVENT_NEVER */
};

struct vcpu {
    const struct vcpu_world *world;
    struct engine_callbacks callbacks;
    unsigned index;
    struct engine_context *context; /* while not loaded */
    bool loaded;
    bool on;     /* PSCI: powered on */
    bool halted; /* in WFI */
    struct vcpu_wait wait;
    struct engine_event event;
    bool reset_pending;
    uint64_t reset_entry, reset_x0;
    bool irq, fiq; /* what the interrupt controller signals */
    bool repeats;  /* the last attempt was an exception that left all as it was (loop.c) */
    struct exception_chain {
        uint64_t vector; /* where the last exception entry went: the next one there belongs to it */
        bool is_known;   /* its beginning is; otherwise that was before a snapshot */
        uint64_t first_instruction, first_pc, first_far, last_far;
        uint32_t first_esr, last_esr; /* `last`: of those that repeat */
        gpa_t no_memory;              /* where a fetch that repeats finds nothing */
        bool said;                    /* for whoever reports it */
    } chain;                          /* no state */

    /* Copies of engine registers that translation and exceptions need at once. */
    struct stage1 stage1;
    uint64_t cpacr, mdscr, vbar;
    bool spsr_is_illegal; /* an ERET with it would be an illegal return (illegal.c) */
    bool spsr_is_odd;     /* SPSR_EL1 would make an illegal return, or has IL set (illegal.c) */
    struct stage1_tlb *tlb;

    /* Registers that are ours. */
    struct vcpu_timer timer_virtual, timer_physical;
    uint64_t cntkctl;
    uint64_t oslsr;
    uint64_t dbgbvr[DEBUG_BREAKPOINTS], dbgwvr[DEBUG_WATCHPOINTS];
    uint32_t dbgbcr[DEBUG_BREAKPOINTS], dbgwcr[DEBUG_WATCHPOINTS];
    uint64_t pmcr, pmcntenset, pmuserenr, pmintenset, pmovsset, pmselr, pmccfiltr;
    uint64_t pmccntr_base, pmccntr_since; /* value at instruction count */
    uint32_t pmevcntr[PMU_EVENT_COUNTERS], pmevtyper[PMU_EVENT_COUNTERS];
    uint64_t retired, retired_since; /* by this vCPU, at an instruction count of the board */
    uint64_t pmu_retired_since;      /* when the event counters had those values */
    uint8_t pmu_prescale;            /* cycles that PMCR_EL0.D has not counted yet */
    bool pmu_line;
    bool pmu_el0;     /* counting at EL0, as far as that matters: */
    bool pmu_filters; /* a counter that is enabled counts at one Exception level only */
    bool pmu_stale;   /* the event is to be armed anew */
    uint64_t pmu_armed_at, pmu_due_ticks; /* by engine_executed; of the event, or EVENT_NEVER */
    struct event pmu_event;

    struct vcpu_step {
        bool alone;     /* the next instruction runs alone, since */
        uint64_t from;  /* that many were attempted; */
        bool active;    /* it is stepped; */
        bool is_return; /* it is an ERET, with */
        uint64_t from_pstate, spsr;
        bool exclusive; /* it is LDXR, or one like it */
        bool excepted;  /* an exception was taken meanwhile */
    } step;

    /* A refused fill, handled after the engine stopped. */
    struct fault fault;
    struct access fault_access;
    gpa_t fault_gpa_page;
    bool fault_is_device; /* stage 1 says Device memory */
    /* Memory that the engine does not get, although the access is permitted. */
    struct {
        uint64_t page_va;
        hpa_t page;
        bool is_watched;
        bool is_device; /* Device memory that is RAM: alignment is checked */
        bool is_any;
    } withheld;
    bool watchpoint_pass; /* the next instruction may touch watched pages, and those of code */

    /* What was found for pages that are used again and again; each is good for one `regime`, a
     * number that changes whenever a translation may. */
    uint64_t regime;
    bool tags_seen; /* a page was used under an address with a tag (TBI) */
    struct {
        uint64_t regime, page_va;
        const uint8_t *host;
    } code;
    struct device_page {
        uint64_t regime, page_va;
        struct access access;
        struct fault fault;
        gpa_t gpa_page;
        bool is_device;
    } device_pages[DEVICE_PAGES];
    /* The instruction that asked for the refused page, if fill_page read it. */
    bool fault_has_word;
    uint32_t fault_word;

    bool has_pan;
    bool checks_are_ours; /* of alignment: the engine does not make them */
    struct sysreg_map *sysregs;
};

struct vcpu *vcpu_new(const struct vcpu_world *world, unsigned index, struct error *e);
void vcpu_free(struct vcpu *v);
/* Power-on state: EL1h, MMU off, interrupts masked, at `entry` with `x0` (PSCI CPU_ON, boot). Takes
 * effect when the vCPU is loaded next. Allowed in exits of other vCPUs. */
void vcpu_power_on(struct vcpu *v, uint64_t entry, uint64_t x0);
void vcpu_power_off(struct vcpu *v);
/* Its timers stand still until it is powered on again. */
void vcpu_stop_timers(struct vcpu *v);
/* Makes this the vCPU in the engine; the one before it is put away. */
void vcpu_load(struct vcpu *v, struct vcpu *before);

/* Runs until the budget is used, or earlier after any exit or exception that the engine could not
 * take in its stride. False: it waits (WFI, WFE), and nothing has come. */
bool vcpu_run(struct vcpu *v, struct engine_budget budget, enum engine_stop *why);
/* Would it go on if it ran: not in WFI, or an interrupt is signalled (masked or not); not in WFE,
 * or there was an event or an interrupt that is not masked? */
bool vcpu_is_runnable(const struct vcpu *v);
/* loop.c: of one that `repeats`, which exceptions it takes, and why for ever. */
void vcpu_loop_text(const struct vcpu *v, char *text, size_t size);
/* Neither off nor running, in words. */
const char *vcpu_activity(const struct vcpu *v);
/* It executed a WFE, with the event register clear. */
void vcpu_wait(struct vcpu *v, const struct vcpu_wait *wait);
/* Something happened that its event register notices: what waits in WFE goes on. */
void vcpu_send_event(struct vcpu *v);
/* The debugger's points were changed. The caller flushes the engine's TLB. */
void vcpu_points_changed(struct vcpu *v);
/* Stage 2 tables were changed: nothing found before holds. The caller flushes the engine's TLB. */
void vcpu_stage2_changed(struct vcpu *v);
/* What the guest's MSR would do. */
void vcpu_write_timer(struct vcpu *v, bool physical, unsigned op2, uint64_t value);
/* The interrupt controller's outputs. */
void vcpu_set_interrupts(struct vcpu *v, bool irq, bool fiq);

/* Every register as bytes, the same for every build: for digests and snapshots. `loaded` is the
 * vCPU that is in the engine now, or NULL; it still is afterwards. */
void vcpu_save(struct vcpu *v, struct vcpu *loaded, struct bytes *out);
/* What is at this offset of that (vcpu_state.c): its name, and the bytes it takes. */
struct vcpu_state_item {
    char name[40];
    size_t offset, size;
};
void vcpu_state_item(size_t offset, struct vcpu_state_item *item);
extern const struct field vcpu_fields[];                     /* the first part of it, */
extern const struct field vcpu_event_fields[], pmu_fields[]; /* the last, if it has them */

/* Restores what vcpu_save wrote, into a vCPU of the same model; no vCPU is in the engine
 * afterwards. False: the data is not that. */
bool vcpu_restore(struct vcpu *v, struct reader *in);
/* After every vCPU, device and the time are restored: timers run again, and one vCPU is put back
 * into the engine. */
void vcpu_resume(struct vcpu *v, bool in_engine);

/* The general and FP registers, for people and debuggers. `loaded` as above. */
struct vcpu_registers {
    uint64_t x[31], sp, pc, pstate, v[32][2];
    uint32_t fpsr, fpcr;
};
void vcpu_read_registers(struct vcpu *v, struct vcpu *loaded, struct vcpu_registers *r);
/* Another Exception level or stack pointer brings its own SP, unless `r` has a new one. */
void vcpu_write_registers(struct vcpu *v, struct vcpu *loaded, const struct vcpu_registers *r);
/* Could software have made these of what there is? Not if no vCPU can be in that PSTATE, or bits of
 * it differ that are nobody's to set. */
bool vcpu_registers_are_possible(struct vcpu *v, struct vcpu *loaded,
                                 const struct vcpu_registers *r);
/* System registers that the engine holds, by index from 0; NULL behind the last. */
const char *vcpu_sysreg_name(unsigned index);
uint64_t vcpu_read_sysreg(struct vcpu *v, struct vcpu *loaded, unsigned index);
/* The name of a system register (SYSREG) that the vCPU answers itself; NULL: it would exit. */
const char *vcpu_own_sysreg(const struct vcpu *v, unsigned encoding);
/* Whether the model has stage 1 pages of 4, 16 or 64 KiB (ID_AA64MMFR0_EL1); also before reset. */
bool vcpu_has_granule(const struct vcpu *v, unsigned kib);

/* vcpu_translate: gva to hpa for an access with the current regime and EL; a fault is recorded in
 * v->fault. `permits` gets all rights of the page for this EL. */
bool vcpu_translate(struct vcpu *v, gva_t a, const struct access *access, hpa_t *page,
                    unsigned *permits);
/* Guest memory by gva, page by page, with the current rights; false at the first fault. */
bool vcpu_read_memory(struct vcpu *v, gva_t from, void *to, uint64_t size);
bool vcpu_write_memory(struct vcpu *v, gva_t to, const void *from, uint64_t size);

#endif
