/* What an architecture knows of guest exits that were seen elsewhere: what their syndromes say, how
 * texts of other programs tell them, and what the model gives for them (struct vm_arch). */
#ifndef HV_FOREIGN_OBSERVED_ARCH_H
#define HV_FOREIGN_OBSERVED_ARCH_H

#include "hv/foreign/import_ftrace.h"
#include "hv/foreign/observed_exit.h"
#include "hv/vm_arch.h"
#include "mmu/walk.h"

struct board_event;
struct import_verdict;

/* A load, a store or a fetch that was refused. */
struct observed_access {
    enum access_kind kind; /* as far as the direction is known, else a read */
    bool has_direction;
    unsigned size; /* bytes; 0: not known */
};

struct observed_arch {
    enum observed_kind kind; /* its traps' */
    /* Of syndromes: their highest bits, from this one on, are the class; what it is called, and the
     * bits that both of two exits know. */
    unsigned class_shift;
    const char *class_name, *part_name;
    const char *(*class_text)(unsigned class);
    bool (*is_abort)(unsigned class);
    unsigned access_class; /* of a load or store that the hypervisor's tables do not map */
    /* As the syndrome of an abort has it. */
    struct observed_access (*access)(const struct observed_exit *x);
    /* What it was, in words, without the access and the addresses. */
    void (*trap_text)(const struct observed_exit *x, struct bytes *out);

    /* Kernel trace class 10. As traceprinter prints `hw_reason`, and as `reason` is documented:
     * false, and what it is not: it is nothing that an exit can have. `payload` goes with
     * `reason`. */
    bool (*take_hw_reason)(struct observed_exit *x, uint64_t hw_reason);
    bool (*take_reason)(struct observed_exit *x, uint64_t reason);
    void (*take_payload)(struct observed_exit *x, uint64_t payload);
    const char *hw_reason_name, *reason_name; /* "exception class of ... (0 to 9)" */

    /* Linux' tracepoints of KVM: its own ones, to a name of NULL, and its form of kvm_exit; */
    const struct ftrace_event *tracepoints;
    ftrace_take take_kvm_exit;
    /* the lines of an entry or an exit, each begun by export_ftrace_begin, the exit's with the
     * first argument of a call. */
    void (*put_entry)(const struct board_event *e, struct bytes *out);
    void (*put_exit)(const struct board_event *e, uint64_t argument, struct bytes *out);

    /* import_verdict, of a trap. */
    void (*verdict)(struct vm *vm, struct vcpu *v, const struct observed_exit *x, bool lazy,
                    struct import_verdict *j);
};

/* observed_exit.c: whose trap it is; NULL: no trap, or of no architecture that is modelled. */
const struct vm_arch *observed_vm_arch(const struct observed_exit *x);
/* Of one whose architecture is known: the class is, and nothing else of the syndrome; or all of it.
 */
void observed_set_class(struct observed_exit *x, unsigned class);
void observed_set_syndrome(struct observed_exit *x, uint32_t syndrome);

#endif
