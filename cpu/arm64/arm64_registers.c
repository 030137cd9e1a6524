/* The registers that people and debuggers see. */
#include "cpu/arm64/cpu_internal.h"

#define X(n)    [ARM64_X0 + n] = {"x" #n, 64, REGISTER_GENERAL, NULL}
#define V(n)    [ARM64_V0 + n] = {"v" #n, 128, REGISTER_VECTOR, NULL}
#define S(i, n) [ARM64_SYSTEM + i] = {n, 64, REGISTER_SYSTEM, NULL}

/* clang-format off */
const struct arch_register arm64_registers[ARM64_REGISTERS] = {
    X(0),  X(1),  X(2),  X(3),  X(4),  X(5),  X(6),  X(7),  X(8),  X(9),  X(10),
    X(11), X(12), X(13), X(14), X(15), X(16), X(17), X(18), X(19), X(20), X(21),
    X(22), X(23), X(24), X(25), X(26), X(27), X(28),
    [29] = {"x29", 64, REGISTER_GENERAL, "fp"},
    [30] = {"x30", 64, REGISTER_GENERAL, "lr"},
    [ARM64_SP] = {"sp", 64, REGISTER_GENERAL, NULL},
    [ARM64_PC] = {"pc", 64, REGISTER_GENERAL, NULL},
    [ARM64_PSTATE] = {"cpsr", 32, REGISTER_STATUS, NULL},
    V(0),  V(1),  V(2),  V(3),  V(4),  V(5),  V(6),  V(7),  V(8),  V(9),  V(10),
    V(11), V(12), V(13), V(14), V(15), V(16), V(17), V(18), V(19), V(20), V(21),
    V(22), V(23), V(24), V(25), V(26), V(27), V(28), V(29), V(30), V(31),
    [ARM64_FPSR] = {"fpsr", 32, REGISTER_STATUS, NULL},
    [ARM64_FPCR] = {"fpcr", 32, REGISTER_STATUS, NULL},
    S(0, "SCTLR_EL1"),   S(1, "ACTLR_EL1"),     S(2, "CPACR_EL1"),     S(3, "TTBR0_EL1"),
    S(4, "TTBR1_EL1"),   S(5, "TCR_EL1"),       S(6, "SPSR_EL1"),      S(7, "ELR_EL1"),
    S(8, "ESR_EL1"),     S(9, "FAR_EL1"),       S(10, "PAR_EL1"),      S(11, "MAIR_EL1"),
    S(12, "VBAR_EL1"),   S(13, "CONTEXTIDR_EL1"), S(14, "TPIDR_EL1"),  S(15, "TPIDR_EL0"),
    S(16, "TPIDRRO_EL0"), S(17, "MDSCR_EL1"),   S(18, "CSSELR_EL1"),   S(19, "AMAIR_EL1"),
    S(20, "AFSR0_EL1"),  S(21, "AFSR1_EL1"),
};
/* clang-format on */

unsigned arm64_system_encoding(unsigned n)
{
    static const unsigned encodings[ARM64_SYSTEM_COUNT] = {
        SYS_SCTLR_EL1, SYS_ACTLR_EL1,   SYS_CPACR_EL1, SYS_TTBR0_EL1,      SYS_TTBR1_EL1,
        SYS_TCR_EL1,   SYS_SPSR_EL1,    SYS_ELR_EL1,   SYS_ESR_EL1,        SYS_FAR_EL1,
        SYS_PAR_EL1,   SYS_MAIR_EL1,    SYS_VBAR_EL1,  SYS_CONTEXTIDR_EL1, SYS_TPIDR_EL1,
        SYS_TPIDR_EL0, SYS_TPIDRRO_EL0, SYS_MDSCR_EL1, SYS_CSSELR_EL1,     SYS_AMAIR_EL1,
        SYS_AFSR0_EL1, SYS_AFSR1_EL1,
    };
    return encodings[n];
}

/* As the reset (arm64_vcpu.c) makes them. */
static void read_after_reset(const struct arm64_vcpu *v, struct vcpu_registers *r)
{
    r->value[ARM64_X0][0] = v->cpu.reset_argument;
    r->value[ARM64_PC][0] = v->cpu.reset_entry;
    r->value[ARM64_PSTATE][0] = PSTATE_RESET;
}

void arm64_read_registers(struct vcpu *cpu, struct vcpu_registers *r)
{
    struct arm64_vcpu *v = arm64_of(cpu);
    struct engine *e = cpu->world->engine;
    for (unsigned i = 0; i < ARM64_SYSTEM_COUNT; i++)
        r->value[ARM64_SYSTEM + i][0] = sysreg_value(v, arm64_system_encoding(i));
    if (cpu->reset_pending) {
        read_after_reset(v, r);
        return;
    }
    for (unsigned i = 0; i < 31; i++)
        r->value[ARM64_X0 + i][0] = engine_x(e, i);
    r->value[ARM64_SP][0] = engine_sp(e);
    r->value[ARM64_PC][0] = engine_pc(e);
    r->value[ARM64_PSTATE][0] = engine_pstate(e);
    for (unsigned i = 0; i < 32; i++)
        engine_vector(e, i, r->value[ARM64_V0 + i]);
    r->value[ARM64_FPSR][0] = engine_get(e, ARM64_FPSR);
    r->value[ARM64_FPCR][0] = engine_get(e, ARM64_FPCR);
}

/* EL0 and EL1 in AArch64 state are all there is. */
bool arm64_pstate_is_possible(uint64_t pstate)
{
    uint64_t mode = pstate & PSTATE_M;
    return pstate <= UINT32_MAX &&
           (mode == PSTATE_EL0 || mode == PSTATE_EL1 || mode == PSTATE_EL1H);
}

/* What software sets at EL1, by MSR or by returning from an exception; the rest of PSTATE is what
 * was executed, or belongs to extensions. */
bool arm64_registers_are_possible(const struct vcpu *cpu, const struct vcpu_registers *before,
                                  const struct vcpu_registers *r)
{
    const struct arm64_vcpu *v = arm64_of_const(cpu);
    uint64_t settable = PSTATE_NZCV | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F | PSTATE_EL |
                        PSTATE_SP | (v->has_pan ? PSTATE_PAN : 0);
    uint64_t from = before->value[ARM64_PSTATE][0], to = r->value[ARM64_PSTATE][0];
    return arm64_pstate_is_possible(to) && !((from ^ to) & ~settable);
}

/* Another Exception level or stack pointer brings its own SP. */
static void change_pstate(struct engine *e, uint64_t from, uint64_t to)
{
    if (sp_in_use(from) != sp_in_use(to)) {
        engine_set_banked_sp(e, sp_in_use(from), engine_sp(e));
        engine_set_sp(e, engine_banked_sp(e, sp_in_use(to)));
    }
    engine_change_pstate(e, to);
}

void arm64_write_registers(struct vcpu *cpu, const struct vcpu_registers *before,
                           const struct vcpu_registers *r)
{
    struct engine *e = cpu->world->engine;
    change_pstate(e, before->value[ARM64_PSTATE][0], r->value[ARM64_PSTATE][0]);
    for (unsigned i = 0; i < 31; i++)
        engine_set_x(e, i, r->value[ARM64_X0 + i][0]);
    if (r->value[ARM64_SP][0] != before->value[ARM64_SP][0])
        engine_set_sp(e, r->value[ARM64_SP][0]);
    engine_set_pc(e, r->value[ARM64_PC][0]);
    for (unsigned i = 0; i < 32; i++)
        engine_set_vector(e, i, r->value[ARM64_V0 + i]);
    engine_set(e, ARM64_FPSR, (uint32_t)r->value[ARM64_FPSR][0]);
    engine_set(e, ARM64_FPCR, (uint32_t)r->value[ARM64_FPCR][0]);
}
