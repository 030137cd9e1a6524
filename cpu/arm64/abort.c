/* Aborts that the guest takes: what was refused becomes a Data Abort or an Instruction Abort. */
#include "cpu/arm64/cpu_internal.h"

#include "emu/machine.h"

/* ISS of a Data Abort or Instruction Abort taken to EL1 (D19.2.37). */
static uint32_t abort_iss(const struct fault *f, const struct insn_memory *m)
{
    uint32_t iss = fault_status_code(f);
    if (m)
        iss |= (uint32_t)f->write << 6 | (insn_syndrome(m) & ISS_CM);
    return iss;
}

/* D19.2.37, WnR: of an instruction that reads and writes it is 0 if a read would have failed, too;
 * it is only for want of permission that a write alone fails. */
bool abort_is_by_write(struct arm64_vcpu *v, gva_t a, const struct insn_memory *m,
                       const struct refused *r)
{
    if (m->class == INSN_NOT_MEMORY) /* new code in the place of what the engine runs */
        return r->access.kind == ACCESS_WRITE;
    if (m->class != INSN_ATOMIC || (v->cpu.world->quirks & QUIRK_ATOMICS_WRITE))
        return m->is_write;
    return r->fault.class == FAULT_PERMISSION && translate_could_read(v, a, r);
}

void abort_take(struct arm64_vcpu *v, uint64_t pc, gva_t address, const struct insn_memory *m,
                const struct refused *r)
{
    bool lower = at_el0(engine_mode(v->cpu.world->engine));
    enum esr_ec ec = m ? (lower ? EC_DATA_ABORT_LOWER : EC_DATA_ABORT)
                       : (lower ? EC_INSN_ABORT_LOWER : EC_INSN_ABORT);
    struct fault fault = r->fault;
    if (m)
        fault.write = abort_is_by_write(v, address, m, r);
    exception_take(v, VECTOR_SYNC, esr_of(ec, abort_iss(&fault, m)), pc, true, address.v);
}
