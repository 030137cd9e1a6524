/* A virtual CPU, of whatever architecture (cpu/arch.h): it runs guest code in an engine, and turns
 * what a hypervisor must see into guest exits.
 *
 * One vCPU is loaded into the engine at a time (vcpu_load); vcpu_run runs it until something is due
 * or it cannot go on. */
#ifndef CPU_VCPU_H
#define CPU_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/arch.h"
#include "cpu/engine.h"
#include "cpu/footprint.h"
#include "cpu/points.h"
#include "emu/cpu_lines.h"
#include "emu/event.h"
#include "emu/log.h"
#include "emu/state.h"
#include "emu/vtime.h"
#include "mmu/memory.h"
#include "mmu/guest_tables.h"
#include "mmu/walk.h"
#include "mmu/tlb.h"

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
    gva_t pc;      /* of the instruction, */
    gva_t next_pc; /* and where the guest goes on if it is complete */
    gva_t gva;
    gpa_t gpa;
    uint64_t value; /* written, or the result; of calls the immediate; EXIT_HALT: 1 if it does not
                     * wait, as it is stepped */
    uint8_t size;   /* bytes */
    bool is_write;
    uint64_t detail[EXIT_DETAILS]; /* enum exit_detail */
    const char *handler;           /* who answered; set by the hypervisor, for records */
};

struct vcpu;
struct vcpu_registers;

struct vcpu_world {
    const struct arch *arch;
    struct engine *engine;
    struct memory *memory;
    const struct guest_tables *tables; /* of the VM */
    struct vtime *vtime;
    struct event_queue *events;
    bool pic_registers; /* the interrupt controller's are the CPU's: ID_AA64PFR0_EL1, [27:24] */
    bool semihosting;
    bool coherent;       /* fetches see what was stored, without IC instructions */
    bool plays_exit_log; /* the engine executes nothing: interrupts and traps are in its exit log */
    uint32_t quirks;     /* of an older machine (emu/machine.h) */
    uint64_t counter_offset; /* guest counter = board counter - offset */
    struct vcpu **vcpus;     /* all of the VM: broadcasts go there */
    unsigned vcpu_count;
    enum exit_result (*exit)(void *context, struct vcpu *v, struct guest_exit *x);
    /* One of the vCPU's own lines into the interrupt controller has changed. */
    void (*set_line)(void *context, unsigned vcpu, enum cpu_line line, bool level);
    /* The monitors' event is about to be handled; `changes`: their interrupt does. */
    void (*pmu_due)(void *context, unsigned vcpu, uint64_t due_ticks, bool changes);
    /* The guest writes a register of a timer, both numbered by the architecture: about to be done.
     */
    void (*timer)(void *context, unsigned vcpu, unsigned timer, unsigned reg, uint64_t value);
    void *context;
    const struct log *log;
    struct points *points;       /* a debugger's; NULL: there is none */
    struct footprint *footprint; /* of what runs now: its data; NULL: nobody wants it */
};

/* Waiting for an event. */
struct vcpu_wait {
    bool is_on;
    unsigned masked; /* CPU_SIGNAL_*: such an interrupt does not end it */
    bool is_quiet;   /* since the wait before this one the vCPU did nothing another may wait for */
    uint64_t until_ticks; /* the event stream's next event, or EVENT_NEVER */
};

/* What every architecture's vCPU begins with. */
struct vcpu {
    const struct vcpu_world *world;
    struct engine_callbacks callbacks;
    unsigned index;
    struct engine_context *context; /* while not loaded */
    bool loaded;
    bool on;     /* powered on */
    bool halted; /* until an interrupt */
    struct vcpu_wait wait;
    struct engine_event event;
    bool reset_pending;
    uint64_t reset_entry, reset_argument;
    unsigned signals;        /* CPU_SIGNAL_*, of the interrupt controller */
    bool repeats;            /* the last attempt was an exception that left all as it was */
    bool repetition_is_said; /* for whoever reports it: no state */
    struct tlb *tlb;
};

struct vcpu *vcpu_new(const struct vcpu_world *world, unsigned index, struct error *e);
void vcpu_free(struct vcpu *v);
/* In the architecture's state after reset, at `entry` with `argument` in its first register. Takes
 * effect when the vCPU is loaded next. Allowed in exits of other vCPUs. */
void vcpu_power_on(struct vcpu *v, uint64_t entry, uint64_t argument);
void vcpu_power_off(struct vcpu *v);
/* Its timers stand still until it is powered on again. */
void vcpu_stop_timers(struct vcpu *v);
/* Makes this the vCPU in the engine; the one before it is put away. */
void vcpu_load(struct vcpu *v, struct vcpu *before);

/* Runs until the budget is used, or earlier after any exit or exception that the engine could not
 * take in its stride. False: it waits, and nothing has come. */
bool vcpu_run(struct vcpu *v, struct engine_budget budget, enum engine_stop *why);
/* Would it go on if it ran: not halted, or an interrupt is signalled (masked or not); not waiting,
 * or there was an event or an interrupt that is not masked? */
bool vcpu_is_runnable(const struct vcpu *v);
/* Of one that `repeats`, which exceptions it takes, and why for ever. */
void vcpu_loop_text(const struct vcpu *v, char *text, size_t size);
/* Where the first of them was; false: it does not repeat, or nobody knows. */
bool vcpu_loop_from(const struct vcpu *v, uint64_t *pc);
/* Of one that waits: where, and why. True: that is all there is to say but for its timers; else the
 * interrupt controller knows why. */
bool vcpu_waiting_text(const struct vcpu *v, const struct vcpu_registers *r, char *text,
                       size_t size);
void vcpu_timers_text(const struct vcpu *v, char *text, size_t size);
/* Of the one that is in the engine: does it branch to itself, with interrupts masked? */
bool vcpu_is_parked(struct vcpu *v, const struct vcpu_registers *r);
/* Off, waiting or running, in a word. */
const char *vcpu_activity(const struct vcpu *v);
/* It executed a pause, with the event register clear. */
void vcpu_wait(struct vcpu *v, const struct vcpu_wait *wait);
/* Something happened that its event register notices: what waits goes on. */
void vcpu_send_event(struct vcpu *v);
/* The debugger's points were changed. The caller flushes the engine's TLB. */
void vcpu_points_changed(struct vcpu *v);
/* The VM's tables were changed: nothing found before holds. The caller flushes the engine's TLB. */
void vcpu_tables_changed(struct vcpu *v);
/* A replay of its exits: what the guest's instruction would do. */
void vcpu_write_timer(struct vcpu *v, unsigned timer, unsigned reg, uint64_t value);
/* The same: the event of its performance monitors. */
void vcpu_counters_due(struct vcpu *v, uint64_t tick);
/* The interrupt controller's outputs. */
void vcpu_set_signals(struct vcpu *v, unsigned signals);
/* A set of them in words: "IRQ, FIQ", or "none". */
void vcpu_signals_text(const struct arch *arch, unsigned signals, char *text, size_t size);

/* Every register, for digests and snapshots. Saving: `loaded` is the vCPU that is in the engine
 * now, or NULL; it still is afterwards. Restoring, of a vCPU of the same model: none is in the
 * engine afterwards. */
void vcpu_visit(struct vcpu *v, struct vcpu *loaded, struct state *s);
/* Parts of every vCPU's state, for its architecture: the first of all, and of those that wait for
 * events what is behind the registers. A set of signals is a bool for each that there is. */
void vcpu_visit_common(struct vcpu *v, struct state *s);
void vcpu_visit_event(struct vcpu *v, struct state *s);
unsigned vcpu_visit_signals(const struct arch *arch, struct state *s, unsigned signals);
/* After every vCPU, device and the time are restored: timers run again, and one vCPU is put back
 * into the engine. */
void vcpu_resume(struct vcpu *v, bool in_engine);

/* The registers of the architecture's list, for people and debuggers; one of up to 64 bits is in
 * value[id][0]. `loaded` as above. */
struct vcpu_registers {
    const struct arch *arch;
    uint64_t value[ARCH_REGISTERS_MAX][2];
};
static inline uint64_t vcpu_registers_pc(const struct vcpu_registers *r)
{
    return r->value[r->arch->pc][0];
}
void vcpu_read_registers(struct vcpu *v, struct vcpu *loaded, struct vcpu_registers *r);
/* All but the system registers. */
void vcpu_write_registers(struct vcpu *v, struct vcpu *loaded, const struct vcpu_registers *r);
/* Could software have made these of what there is? */
bool vcpu_registers_are_possible(struct vcpu *v, struct vcpu *loaded,
                                 const struct vcpu_registers *r);
/* The id of the register of that name, in upper or lower case; the list's length: there is none. */
unsigned vcpu_register_find(const struct arch *arch, const char *name);

/* Guest memory by gva, page by page, with the current rights; false at the first fault. */
bool vcpu_read_memory(struct vcpu *v, gva_t from, void *to, uint64_t size);
bool vcpu_write_memory(struct vcpu *v, gva_t to, const void *from, uint64_t size);

#endif
