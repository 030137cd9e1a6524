/* Explains one access: every table read of both stages, what they permit together, and what is
 * there or which fault it would be. By the tables as they are now, not by what a TLB remembers;
 * nothing is changed, not even an access flag. */
#ifndef HV_ARM64_EXPLAIN_ARM64_H
#define HV_ARM64_EXPLAIN_ARM64_H

#include "hv/board.h"
#include "hv/explain/guest_place.h"
#include "mmu/arm64/descriptor.h"

struct explain_step {
    struct walk_step walk;
    struct descriptor descriptor;
    bool for_table; /* stage 2 of a stage 1 table's own address */
};

/* 4 levels of stage 1, up to 4 of stage 2 below each, and those of the final address. */
#define EXPLAIN_STEPS_MAX 24

struct explanation {
    /* Asked */
    const struct vm *vm;
    const struct vcpu *vcpu;
    uint64_t address;
    bool is_gpa; /* stage 2 only */
    struct access access;
    struct stage1 regime;
    /* Found */
    struct explain_step steps[EXPLAIN_STEPS_MAX];
    size_t step_count;
    bool has_stage1, has_stage2; /* the walks came to a leaf: */
    struct tlb_leaf stage1;
    struct stage2_leaf stage2;
    bool has_gpa, has_hpa;
    gpa_t gpa;
    hpa_t hpa;
    unsigned el1, el0;        /* PERMIT_*: what both stages permit; if both came to a leaf */
    struct memory_type type;  /* of both stages; if both came to a leaf */
    struct fault fault;       /* FAULT_NONE: permitted */
    bool to_hypervisor;       /* the fault is a guest exit, not an exception at EL1 */
    uint32_t esr;             /* ESR_EL2 or ESR_EL1 */
    uint64_t far_el, hpfar;   /* hpfar of a guest exit only */
    struct guest_place place; /* at gpa, if has_gpa */
};

/* By the vCPU's registers and Exception level. */
void explain_access(struct vm *vm, struct vcpu *v, uint64_t address, bool is_gpa,
                    enum access_kind kind, struct explanation *x);

/* explain_text.c; and without the moment: a board that never ran has none. explain_json.c. */
void explanation_text(const struct explanation *x, struct bytes *out);
void explanation_walk_text(const struct explanation *x, struct bytes *out);
void explanation_json(const struct explanation *x, struct bytes *out);
const char *explanation_fault_name(enum fault_class class);

#endif
