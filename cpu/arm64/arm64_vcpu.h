/* An AArch64 vCPU: EL1 and EL0 around an engine. It owns the system registers that the engine must
 * not answer (timers, debug, PMU, identification), takes exceptions, translates addresses for the
 * engine, and turns what a hypervisor must see into guest exits. */
#ifndef CPU_ARM64_ARM64_VCPU_H
#define CPU_ARM64_ARM64_VCPU_H

#include "cpu/arch.h"
#include "cpu/arm64/engine_arm64.h"
#include "cpu/arm64/insn.h"
#include "mmu/arm64/stage1.h"
#include "cpu/vcpu.h"

#define DEBUG_BREAKPOINTS  6
#define DEBUG_WATCHPOINTS  4
#define DEVICE_PAGES       8
#define PMU_EVENT_COUNTERS 6

struct vcpu_timer {
    uint64_t cval;
    uint32_t ctl;
    bool line; /* what the interrupt controller was told */
    struct event event;
    struct arm64_vcpu *vcpu;
};

/* An access that is not permitted, or that is and that the engine is not to make. */
struct refused {
    struct access access;
    struct fault fault; /* class FAULT_NONE: the memory is withheld */
    gpa_t gpa_page;     /* where stage 1 leads */
    bool is_device;     /* stage 1 says Device memory */
    /* Memory that the engine does not get, although the access is permitted. */
    struct withheld {
        uint64_t page_va;
        hpa_t page;
        bool is_watched;
        bool is_device; /* Device memory that is RAM: alignment is checked */
    } withheld;
    bool has_word; /* translate_fill read the instruction */
    uint32_t word;
    struct insn_memory insn; /* what it does, once somebody has decoded it */
};

struct arm64_vcpu {
    struct vcpu cpu; /* first */
    struct exception_chain {
        uint64_t vector; /* where the last exception entry went: the next one there belongs to it */
        bool is_known;   /* its beginning is; otherwise that was before a snapshot */
        uint64_t first_instruction, first_pc, first_far, last_far;
        uint32_t first_esr, last_esr; /* `last`: of those that repeat */
        gpa_t no_memory;              /* where a fetch that repeats finds nothing */
    } chain;                          /* no state */

    /* Copies of engine registers that translation and exceptions need at once. */
    struct stage1 stage1;
    uint64_t cpacr, mdscr, vbar;
    bool spsr_is_illegal; /* an ERET with it would be an illegal return (illegal.c) */
    bool spsr_is_odd;     /* SPSR_EL1 would make an illegal return, or has IL set (illegal.c) */

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

    struct arm64_step {
        bool alone;     /* the next instruction runs alone, since */
        uint64_t from;  /* that many were attempted; */
        bool active;    /* it is stepped; */
        bool is_return; /* it is an ERET, with */
        uint64_t from_pstate, spsr;
        bool exclusive; /* it is LDXR, or one like it */
        bool excepted;  /* an exception was taken meanwhile */
    } step;

    struct refused refused; /* by translate_fill: the engine has stopped for it, or soon will */
    bool watchpoint_pass;   /* the next instruction may touch watched pages, and those of code */

    /* What was found for pages that are used again and again; each is good for one `regime`, a
     * number that changes whenever a translation may. */
    uint64_t regime;
    bool tags_seen; /* a page was used under an address with a tag (TBI) */
    struct code_page {
        uint64_t regime, page_va;
        const uint8_t *host;
    } code, peeked;
    bool leaves_tlb; /* what is translated is for nobody's TLB */
    struct device_page {
        uint64_t regime, page_va;
        struct access access;
        struct fault fault;
        gpa_t gpa_page;
        bool is_device;
    } device_pages[DEVICE_PAGES];

    bool has_pan;
    bool watch_is_stale;  /* what update_watch looks at has changed */
    bool checks_are_ours; /* of alignment: the engine does not make them */
    struct sysreg_map *sysregs;
};

static inline struct arm64_vcpu *arm64_of(struct vcpu *v)
{
    return (struct arm64_vcpu *)v;
}
static inline const struct arm64_vcpu *arm64_of_const(const struct vcpu *v)
{
    return (const struct arm64_vcpu *)v;
}

/* The name of a system register (SYSREG) that the vCPU answers itself; NULL: it would exit. */
const char *arm64_own_sysreg(const struct arm64_vcpu *v, unsigned encoding);
/* Whether the model has stage 1 pages of 4, 16 or 64 KiB (ID_AA64MMFR0_EL1); also before reset. */
bool arm64_has_granule(const struct arm64_vcpu *v, unsigned kib);

#endif
