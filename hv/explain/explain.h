/* Explains one access: every table read of both stages, what they permit together, and what is
 * there or which fault it would be. By the tables as they are now, not by what a TLB remembers;
 * nothing is changed, not even an access flag. */
#ifndef HV_EXPLAIN_EXPLAIN_H
#define HV_EXPLAIN_EXPLAIN_H

#include "hv/board.h"
#include "mmu/arm64/descriptor.h"

enum explain_place {
    EXPLAIN_NOTHING, /* `unsupported reference` decides */
    EXPLAIN_RAM,
    EXPLAIN_ROM,
    EXPLAIN_VDEV,   /* a virtual device answers: a guest exit */
    EXPLAIN_DEVICE, /* of the board, passed to the VM */
    EXPLAIN_SHARED, /* mapped, but no RAM or ROM of the configuration: shared memory */
};

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
    struct stage1_leaf stage1;
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
    enum explain_place place; /* at gpa, if has_gpa */
    const char *place_name;   /* of the device */
    uint64_t place_offset;    /* within its region, or within the RAM */
};

/* By the vCPU's registers and Exception level. */
void explain_access(struct vm *vm, struct vcpu *v, uint64_t address, bool is_gpa,
                    enum access_kind kind, struct explanation *x);

#endif
