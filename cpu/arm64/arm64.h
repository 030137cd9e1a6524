/* Names and encodings of the AArch64 architecture that the CPU model uses. Arm ARM DDI 0487:
 * C5.2 and D19 (registers), D1 (exceptions). Everything is spelled as in the manual. */
#ifndef CPU_ARM64_ARM64_H
#define CPU_ARM64_ARM64_H

#include "cpu/arch.h"
#include "cpu/engine.h"

/* A system register, or an instruction of that group (C5.1.2). */
#define SYSREG(op0, op1, crn, crm, op2)                                                            \
    ((unsigned)((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2)))

/* Of an MRS, MSR (register), SYS or SYSL (C4.1.90). */
static inline unsigned sysreg_encoding(uint32_t word)
{
    return word >> 5 & 0xffff;
}

/* PSTATE as laid out in SPSR_EL1 (C5.2.18). */
#define PSTATE_SP   0x1u  /* PSTATE.SP: 1 = SP_ELx */
#define PSTATE_M    0x1fu /* EL, SP, and AArch32 */
#define PSTATE_EL   0xcu
#define PSTATE_EL0  0x0u
#define PSTATE_EL1  0x4u
#define PSTATE_EL1H 0x5u
#define PSTATE_F    (1u << 6)
#define PSTATE_I    (1u << 7)
#define PSTATE_A    (1u << 8)
#define PSTATE_D    (1u << 9)
#define PSTATE_IL   (1u << 20)
#define PSTATE_SS   (1u << 21)
#define PSTATE_PAN  (1u << 22)
#define PSTATE_UAO  (1u << 23)
#define PSTATE_NZCV 0xf0000000u

static inline bool at_el0(uint64_t pstate)
{
    return (pstate & PSTATE_EL) == PSTATE_EL0;
}

/* After reset, at EL1 with everything masked. */
#define PSTATE_RESET (PSTATE_EL1H | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F)

/* Registers by id (struct arch). */
enum {
    ARM64_X0 = 0,
    ARM64_SP = 31,
    ARM64_PC,
    ARM64_PSTATE,
    ARM64_V0,
    ARM64_FPSR = ARM64_V0 + 32,
    ARM64_FPCR,
    ARM64_SYSTEM, /* and those behind it: what the engine holds of them */
    ARM64_SYSTEM_COUNT = 22,
    ARM64_REGISTERS = ARM64_SYSTEM + ARM64_SYSTEM_COUNT
};

/* ESR_EL1.EC (D19.2.37). */
enum esr_ec {
    EC_UNKNOWN = 0x00,
    EC_WFX = 0x01,
    EC_FP = 0x07,
    EC_ILLEGAL_STATE = 0x0e,
    EC_SVC = 0x15,
    EC_HVC = 0x16,
    EC_SMC = 0x17,
    EC_SYSREG = 0x18,
    EC_INSN_ABORT_LOWER = 0x20,
    EC_INSN_ABORT = 0x21,
    EC_PC_ALIGNMENT = 0x22,
    EC_DATA_ABORT_LOWER = 0x24,
    EC_DATA_ABORT = 0x25,
    EC_SP_ALIGNMENT = 0x26,
    EC_BREAKPOINT_LOWER = 0x30,
    EC_BREAKPOINT = 0x31,
    EC_STEP_LOWER = 0x32,
    EC_STEP = 0x33,
    EC_WATCHPOINT_LOWER = 0x34,
    EC_WATCHPOINT = 0x35,
    EC_BRK = 0x3c,
};
#define ESR_EC_SHIFT 26
#define ESR_IL       (1u << 25)
/* Of the traps of EC_WFX and EC_FP: CV = 1, COND = 0b1110. */
#define ISS_ALWAYS (1u << 24 | 0xeu << 20)

#define INSN_ERET 0xd69f03e0u

/* Vector offsets from VBAR_EL1 (D1.3.1.5): kind plus where it came from. */
enum vector_kind { VECTOR_SYNC = 0x000, VECTOR_IRQ = 0x080, VECTOR_FIQ = 0x100 };

/* MDSCR_EL1 bits (D19.3). */
#define MDSCR_SS  (1u << 0)
#define MDSCR_KDE (1u << 13)
#define MDSCR_MDE (1u << 15)

/* SCTLR_EL1 bits (D19.2.118). */
#define SCTLR_M    (1u << 0)
#define SCTLR_A    (1u << 1)
#define SCTLR_SA   (1u << 3)
#define SCTLR_SA0  (1u << 4)
#define SCTLR_UMA  (1u << 9)
#define SCTLR_DZE  (1u << 14)
#define SCTLR_UCT  (1u << 15)
#define SCTLR_NTWI (1u << 16)
#define SCTLR_NTWE (1u << 18)
#define SCTLR_SPAN (1u << 23)
#define SCTLR_E0E  (1u << 24)
#define SCTLR_EE   (1u << 25)
#define SCTLR_UCI  (1u << 26)

/* Registers the engine holds. */
#define SYS_MDSCR_EL1      SYSREG(2, 0, 0, 2, 2)
#define SYS_SCTLR_EL1      SYSREG(3, 0, 1, 0, 0)
#define SYS_ACTLR_EL1      SYSREG(3, 0, 1, 0, 1)
#define SYS_CPACR_EL1      SYSREG(3, 0, 1, 0, 2)
#define CPACR_ZEN          (3u << 16)
#define SYS_TTBR0_EL1      SYSREG(3, 0, 2, 0, 0)
#define SYS_TTBR1_EL1      SYSREG(3, 0, 2, 0, 1)
#define SYS_TCR_EL1        SYSREG(3, 0, 2, 0, 2)
#define SYS_SPSR_EL1       SYSREG(3, 0, 4, 0, 0)
#define SYS_ELR_EL1        SYSREG(3, 0, 4, 0, 1)
#define SYS_SP_EL0         SYSREG(3, 0, 4, 1, 0)
#define SYS_AFSR0_EL1      SYSREG(3, 0, 5, 1, 0)
#define SYS_AFSR1_EL1      SYSREG(3, 0, 5, 1, 1)
#define SYS_ESR_EL1        SYSREG(3, 0, 5, 2, 0)
#define SYS_FAR_EL1        SYSREG(3, 0, 6, 0, 0)
#define SYS_PAR_EL1        SYSREG(3, 0, 7, 4, 0)
#define SYS_MAIR_EL1       SYSREG(3, 0, 10, 2, 0)
#define SYS_AMAIR_EL1      SYSREG(3, 0, 10, 3, 0)
#define SYS_VBAR_EL1       SYSREG(3, 0, 12, 0, 0)
#define SYS_CONTEXTIDR_EL1 SYSREG(3, 0, 13, 0, 1)
#define SYS_TPIDR_EL1      SYSREG(3, 0, 13, 0, 4)
#define SYS_CSSELR_EL1     SYSREG(3, 2, 0, 0, 0)
#define SYS_TPIDR_EL0      SYSREG(3, 3, 13, 0, 2)
#define SYS_TPIDRRO_EL0    SYSREG(3, 3, 13, 0, 3)

#define COUNTER_HZ 62500000u /* CNTFRQ_EL0 */

extern const struct arch arch_arm64;
extern const struct arch_register arm64_registers[ARM64_REGISTERS];

#endif
