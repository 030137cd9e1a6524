/* Exceptions: run a piece of code at EL1 or EL0 and see which exception it took; or handle
 * interrupts by a hook.
 *
 *     TRAP_CODE(read_it, "ldr x1, [x0]");
 *     struct trap t = trap_el1(read_it, address, 0, 0);
 *     if (t.taken) ... t.esr, t.far, t.elr, t.spsr, t.vector, t.x[1] at that moment
 *
 * An exception abandons the code: control returns from trap_el1 with the stack as it was. Code for
 * EL0 is in the section .el0.text and ends by SVC #0, which counts as "not taken". */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include "guest.h"

struct trap {
    uint64_t x[31]; /* x0-x7 are set before; after a normal return only those are valid */
    uint64_t taken, vector, esr, far, elr, spsr, sp, sp_el0;
};

struct frame {
    uint64_t x[31];
    uint64_t sp; /* SP_EL1 */
    uint64_t sp_el0, elr, spsr, esr, far, vector;
};

struct cpu {
    uint64_t scratch;
    struct trap *trap;   /* set while trap_el1 or trap_el0 runs something */
    uint64_t recover_sp; /* where its stack was */
    uint64_t recover_daif;
    uint64_t number;
    void (*irq)(struct frame *);  /* IRQs, in any mode; with interrupts masked */
    bool (*sync)(struct frame *); /* asked before `trap`; true: handled, return to frame->elr */
    void (*run)(void *argument);  /* what a secondary CPU is for */
    void *argument;
};
_Static_assert(offsetof(struct cpu, scratch) == CPU_SCRATCH, "start.S");
_Static_assert(offsetof(struct cpu, trap) == CPU_TRAP, "start.S");
_Static_assert(offsetof(struct cpu, recover_sp) == CPU_RECOVER, "start.S");
_Static_assert(offsetof(struct frame, sp) == FRAME_SP, "start.S");
_Static_assert(offsetof(struct frame, sp_el0) == FRAME_SP_EL0, "start.S");
_Static_assert(offsetof(struct frame, spsr) == FRAME_SPSR, "start.S");
_Static_assert(offsetof(struct frame, far) == FRAME_FAR, "start.S");
_Static_assert(offsetof(struct frame, vector) == FRAME_VECTOR, "start.S");
_Static_assert(sizeof(struct frame) == FRAME_SIZE, "start.S");

static inline struct cpu *this_cpu(void)
{
    return (struct cpu *)READ(tpidr_el1);
}
struct cpu *cpu_of(unsigned number);

/* A function of the given instructions, for EL1 and for EL0. */
#define TRAP_CODE(name, text)                                                                      \
    extern const uint32_t name[];                                                                  \
    __asm__(".pushsection .text\n.balign 4\n" #name ":\n" text "\nret\n.popsection\n")
#define EL0_CODE(name, text)                                                                       \
    extern const uint32_t name[];                                                                  \
    __asm__(".pushsection .el0.text, \"ax\"\n.balign 4\n" #name ":\n" text                         \
            "\nsvc #0\n.popsection\n")

/* With x0-x7 from t->x. */
void trap_call(struct trap *t, const void *code);
struct trap trap_el1(const void *code, uint64_t x0, uint64_t x1, uint64_t x2);
struct trap trap_el0(const void *code, uint64_t x0, uint64_t x1, uint64_t x2);
/* By ERET to any PC and PSTATE, with x0-x7 from t->x; `sp_el0` for SP_EL0. */
void trap_eret(struct trap *t, uint64_t pc, uint64_t spsr, uint64_t sp_el0);
extern const uint32_t el0_return[], vectors[];
/* A 4 KiB stack that EL0 may use (its end). */
extern uint64_t el0_stack_top[];

#define SPSR_EL0T 0x3c0u
#define SPSR_EL1T 0x3c4u
#define SPSR_EL1H 0x3c5u
#define SPSR_IL   (1u << 20)
#define SPSR_SS   (1u << 21)
#define SPSR_PAN  (1u << 22)

/* ESR_EL1 */
enum {
    EC_UNKNOWN = 0x00,
    EC_WFX = 0x01,
    EC_FP = 0x07,
    EC_ILLEGAL = 0x0e,
    EC_SVC = 0x15,
    EC_SYSREG = 0x18,
    EC_IABORT_EL0 = 0x20,
    EC_IABORT_EL1 = 0x21,
    EC_PC_ALIGNMENT = 0x22,
    EC_DABORT_EL0 = 0x24,
    EC_DABORT_EL1 = 0x25,
    EC_SP_ALIGNMENT = 0x26,
    EC_BREAKPOINT_EL0 = 0x30,
    EC_BREAKPOINT_EL1 = 0x31,
    EC_STEP_EL0 = 0x32,
    EC_STEP_EL1 = 0x33,
    EC_WATCHPOINT_EL0 = 0x34,
    EC_WATCHPOINT_EL1 = 0x35,
    EC_BRK = 0x3c,
};
#define ESR(ec, iss) ((uint64_t)(ec) << 26 | 1u << 25 | (uint64_t)(iss))
#define ESR_EC(esr)  ((unsigned)((esr) >> 26 & 0x3f))
#define ESR_WNR      (1u << 6)
#define ESR_CM       (1u << 8)
/* Fault status codes; the level is added. */
enum {
    FSC_ADDRESS_SIZE = 0,
    FSC_TRANSLATION = 4,
    FSC_ACCESS_FLAG = 8,
    FSC_PERMISSION = 12,
    FSC_EXTERNAL = 0x10,
    FSC_EXTERNAL_WALK = 0x14,
    FSC_ALIGNMENT = 0x21
};
/* ISS of EC 0x18. */
#define SYSREG_ISS(op0, op1, crn, crm, op2, rt, read)                                              \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (rt) << 5 | (crm) << 1 | (read))

/* Checks of a trap, each printing what it is about. */
#define CHECK_NO_TRAP(what, t)                                                                     \
    (check_eq(what ": exception taken", __LINE__, (t).taken, 0) ||                                 \
     check_eq(what ": its ESR", __LINE__, (t).esr, 0))
#define CHECK_TRAP(what, t, esr_, vector_, elr_)                                                   \
    do {                                                                                           \
        if (CHECK_EQ(what ": exception taken", (t).taken, 1)) {                                    \
            CHECK_EQ(what ": ESR", (t).esr, esr_);                                                 \
            CHECK_EQ(what ": vector", (t).vector, vector_);                                        \
            CHECK_EQ(what ": ELR", (t).elr, elr_);                                                 \
        }                                                                                          \
    } while (0)

#endif
