/* An architecture, as everything outside its folders sees it: a table of what its vCPUs do and of
 * the names it gives to what they have. Each VM has one (struct vcpu_world); hv/vm_arches.c lists
 * them. */
#ifndef CPU_ARCH_H
#define CPU_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/engine.h"
#include "emu/addr.h"
#include "emu/bytes.h"
#include "emu/cpu_lines.h"
#include "emu/error.h"

struct vcpu;
struct vcpu_world;
struct vcpu_registers;
struct state;

/* A register that people and debuggers see: its id is its place in the architecture's list. */
enum arch_register_class {
    REGISTER_GENERAL, /* also the stack pointer and the program counter */
    REGISTER_STATUS,
    REGISTER_VECTOR,
    REGISTER_SYSTEM, /* shown with the others, and not to be set by a debugger */
};
struct arch_register {
    const char *name; /* as gdb spells it; of system registers, the manual */
    unsigned bits;    /* 32, 64 or 128 */
    enum arch_register_class class;
    const char *alias; /* another name that gdb has for it; or NULL */
};
#define ARCH_REGISTERS_MAX   128
#define ARCH_ARGUMENTS_MAX   8
#define ARCH_INSTRUCTION_MAX 16

/* Why a guest left to the hypervisor. The numbers are in recordings. Architectures give them their
 * own names, and have those that make sense. */
enum exit_reason {
    EXIT_MMIO,        /* data access that the hypervisor's tables do not map */
    EXIT_MMIO_OPAQUE, /* the same by an instruction that the hardware does not decode for it */
    EXIT_FETCH,       /* instruction fetch that they do not map */
    EXIT_STAGE2,      /* they map it, and do not permit it */
    EXIT_CALL,        /* to the hypervisor, */
    EXIT_FIRMWARE,    /* or to the firmware, which it answers as well */
    EXIT_HALT,        /* until an interrupt */
    EXIT_REGISTER,    /* of the interrupt controller, in the CPU */
    EXIT_REGISTER_UNKNOWN,
    EXIT_DEBUG, /* semihosting */
    EXIT_PASS,  /* access to a device of the board that is mapped: the model's, no guest exit */
    EXIT_REASONS
};

/* What the hardware would tell a hypervisor of an exit beside the addresses. */
enum exit_detail {
    EXIT_SYNDROME, /* what it was */
    EXIT_ADDRESS,  /* a register with the guest-physical page */
    EXIT_NUMBER,   /* which register it was about */
    EXIT_MORE,
    EXIT_DETAILS
};

/* What the interrupt controller may signal to one of its CPUs. */
struct arch_signal {
    const char *name; /* NULL: not this one */
    const char *key;  /* the same in lower case, as in texts and JSON of events */
    const char *mask; /* what the CPU masks it with */
};

/* A model of CPU, and the size of its physical addresses. */
struct arch_model {
    const char *name;
    unsigned address_bits;
};

struct arch {
    const char *name; /* "arm64" */
    const struct arch_register *registers;
    unsigned register_count;
    unsigned pc, sp; /* the ids of those two */
    /* Those that tell of the exception that was taken last; NULL behind the last. */
    const char *exception_registers[4];

    struct arch_signal signals[CPU_SIGNALS]; /* in the order of enum cpu_signal's bits */
    unsigned instruction_most;               /* bytes of the longest instruction, */
    unsigned instruction_each;               /* and of each; 0: they differ */
    const char *exit_names[EXIT_REASONS];    /* NULL: it has no such exits */
    const char *detail_names[EXIT_DETAILS];  /* as the manual has them; NULL: there is none */
    /* The registers of a call, the first of which gets its result. */
    unsigned argument_count;
    unsigned argument_ids[ARCH_ARGUMENTS_MAX];
    const char *argument_names[ARCH_ARGUMENTS_MAX];
    /* The register that EXIT_NUMBER says. */
    void (*register_text)(uint64_t number, char *text, size_t size);
    /* gdb's target description, in which registers have their ids as numbers. */
    void (*describe_registers)(struct bytes *out);

    const struct guest_tables_type *tables; /* that VMs of it have */

    /* The models of CPU there are, the first being what a configuration means that names none; no
     * name behind the last. And an engine for a board of them. */
    const struct arch_model *models;
    struct engine *(*new_engine)(const char *model, enum engine_pause pause, struct memory *memory,
                                 struct error *e);

    /* vCPUs: each embeds struct vcpu at its beginning. cpu/vcpu.c calls these for the functions of
     * vcpu.h; unless said otherwise the vCPU's registers are in the engine. */
    struct vcpu *(*new_vcpu)(const struct vcpu_world *world, unsigned index, struct error *e);
    void (*free)(struct vcpu *v); /* in the engine or not, as the next */
    void (*stop_timers)(struct vcpu *v);
    void (*reset)(struct vcpu *v);               /* to begin at reset_entry */
    void (*load)(struct vcpu *v, bool restored); /* it is the one that runs from now on, */
    void (*unload)(struct vcpu *v);              /* or no more */
    bool (*run)(struct vcpu *v, struct engine_budget budget, enum engine_stop *why);
    /* For people: why it takes the same exception for ever; */
    void (*loop_text)(const struct vcpu *v, char *text, size_t size);
    bool (*loop_from)(const struct vcpu *v, uint64_t *pc);
    /* where it waits, and, if it returns true, why, where that is not for the interrupt controller
     * to say; */
    bool (*waiting_text)(const struct vcpu *v, const struct vcpu_registers *r, char *text,
                         size_t size);
    void (*timers_text)(const struct vcpu *v, char *text, size_t size);
    /* whether it branches to itself with interrupts masked, as programs end that cannot otherwise.
     */
    bool (*is_parked)(struct vcpu *v, const struct vcpu_registers *r);
    /* Whether blocks must be looked at one by one may have changed; does nothing unless it is
     * loaded. */
    void (*update_watch)(struct vcpu *v);
    void (*translations_changed)(struct vcpu *v);   /* nothing found before holds */
    void (*visit)(struct vcpu *v, struct state *s); /* all of its state */
    void (*resume)(struct vcpu *v); /* everything else is restored, too: timers run again */
    void (*read_registers)(struct vcpu *v, struct vcpu_registers *r);
    /* From what they are; system registers stay. */
    void (*write_registers)(struct vcpu *v, const struct vcpu_registers *before,
                            const struct vcpu_registers *r);
    bool (*registers_are_possible)(const struct vcpu *v, const struct vcpu_registers *before,
                                   const struct vcpu_registers *r);
    /* Its timers are what the exit log says: the guest's code is not there. */
    void (*write_timer)(struct vcpu *v, unsigned timer, unsigned reg, uint64_t value);
    void (*counters_due)(struct vcpu *v, uint64_t tick);
    bool (*read_memory)(struct vcpu *v, gva_t from, void *to, uint64_t size);
    bool (*write_memory)(struct vcpu *v, gva_t to, const void *from, uint64_t size);
};

/* "?": it has no such exits, and somebody else's log of exits says that there was one. */
static inline const char *arch_exit_name(const struct arch *a, enum exit_reason reason)
{
    return a->exit_names[reason] ? a->exit_names[reason] : "?";
}

#endif
