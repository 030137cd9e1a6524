/* What AArch64 has of an engine (cpu/engine.h): its registers by their names, system registers by
 * their encodings, exceptions by QEMU's numbers. */
#ifndef CPU_ARM64_ENGINE_ARM64_H
#define CPU_ARM64_ENGINE_ARM64_H

#include "cpu/arm64/arm64.h"
#include "cpu/engine.h"

/* The numbers that `exception` gets (QEMU's EXCP_*). PC is at the instruction except after SVC, HVC
 * and SMC, where it is behind it. */
enum arm64_exception {
    ENGINE_UNDEFINED = 1,
    ENGINE_SVC = 2,
    ENGINE_PREFETCH_ABORT = 3,
    ENGINE_DATA_ABORT = 4, /* alignment, as translation never faults inside the engine */
    ENGINE_BREAKPOINT = 7,
    ENGINE_HVC = 11,
    ENGINE_SMC = 13,
};

/* Accesses that are to raise ENGINE_DATA_ABORT (Arm ARM B2.9.2); with CHECK_ZERO, DC ZVA raises
 * ENGINE_UNDEFINED. */
enum arm64_check {
    CHECK_ALL = 1,     /* unaligned ones */
    CHECK_ORDERED = 2, /* unaligned ones with acquire or release semantics */
    CHECK_ZERO = 4,
    CHECK_SP_EL0 = 8,  /* based on SP that is not a multiple of 16, at EL0 */
    CHECK_SP_EL1 = 16, /* at EL1; or ENGINE_FILL because of an address that nobody has */
    CHECK_STXR = 32,   /* both of exclusive stores, before the monitor is asked */
};

/* Registers that only the engine and we know, beyond those of the list. */
enum {
    ARM64_SP_EL0 = ARM64_REGISTERS, /* the stack pointers; stale for the one in use */
    ARM64_SP_EL1,
    ARM64_MONITOR,         /* struct arm64_monitor; setting one word clears it */
    ARM64_SYSREG = 0x10000 /* + SYSREG() */
};

/* n = 31: zero */
static inline uint64_t engine_x(struct engine *e, unsigned n)
{
    return n < 31 ? engine_get(e, ARM64_X0 + n) : 0;
}
static inline void engine_set_x(struct engine *e, unsigned n, uint64_t value)
{
    if (n < 31)
        engine_set(e, ARM64_X0 + n, value);
}

/* The stack pointer in use. */
static inline uint64_t engine_sp(struct engine *e)
{
    return engine_get(e, ARM64_SP);
}
static inline void engine_set_sp(struct engine *e, uint64_t value)
{
    engine_set(e, ARM64_SP, value);
}

static inline uint64_t engine_banked_sp(struct engine *e, unsigned el)
{
    return engine_get(e, ARM64_SP_EL0 + el);
}
static inline void engine_set_banked_sp(struct engine *e, unsigned el, uint64_t value)
{
    engine_set(e, ARM64_SP_EL0 + el, value);
}

static inline uint64_t engine_pstate(struct engine *e)
{
    return engine_get(e, ARM64_PSTATE);
}
/* Takes effect at the next engine_set_sysreg, which must follow. */
static inline void engine_set_pstate(struct engine *e, uint64_t value)
{
    engine_set(e, ARM64_PSTATE, value);
}

/* Of PSTATE, EL, SP and PAN. */
#define PSTATE_MODE (0xdu | PSTATE_PAN)
static inline uint64_t engine_mode(struct engine *e)
{
    return engine_get(e, ARM64_PSTATE | ENGINE_MODE) & PSTATE_MODE;
}

static inline uint64_t engine_sysreg(struct engine *e, unsigned encoding)
{
    return engine_get(e, ARM64_SYSREG + encoding);
}
static inline void engine_set_sysreg(struct engine *e, unsigned encoding, uint64_t value)
{
    engine_set(e, ARM64_SYSREG + encoding, value);
}

/* PSTATE with effect at once. */
static inline void engine_change_pstate(struct engine *e, uint64_t value)
{
    uint64_t spsr = engine_sysreg(e, SYS_SPSR_EL1);
    engine_set_pstate(e, value);
    engine_set_sysreg(e, SYS_SPSR_EL1, spsr);
}

static inline void engine_vector(struct engine *e, unsigned n, uint64_t value[2])
{
    engine_get_wide(e, ARM64_V0 + n, value, 2);
}
static inline void engine_set_vector(struct engine *e, unsigned n, const uint64_t value[2])
{
    engine_set_wide(e, ARM64_V0 + n, value, 2);
}

/* The exclusive monitor (Arm ARM B2.9): what LDXR marked, and what was there; address all ones: it
 * is open. Between runs. */
struct arm64_monitor {
    uint64_t address, value, value_high;
};
static inline struct arm64_monitor engine_monitor(struct engine *e)
{
    uint64_t words[3];
    engine_get_wide(e, ARM64_MONITOR, words, 3);
    return (struct arm64_monitor){words[0], words[1], words[2]};
}
static inline void engine_set_monitor(struct engine *e, struct arm64_monitor m)
{
    engine_set_wide(e, ARM64_MONITOR, (const uint64_t[]){m.address, m.value, m.value_high}, 3);
}
/* Allowed at any time (B2.9). */
static inline void engine_clear_monitor(struct engine *e)
{
    engine_set(e, ARM64_MONITOR, UINT64_MAX);
}

#endif
