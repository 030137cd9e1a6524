/* What becomes of an access the engine does not make: an abort into the guest, a watchpoint, or a
 * guest exit that is carried out register by register. */
#include "cpu/arm64/cpu_internal.h"

static uint64_t truncated(uint64_t value, unsigned size)
{
    return size == 8 ? value : value & (((uint64_t)1 << 8 * size) - 1);
}

/* ESR_EL2 for the abort as a hypervisor would see it: ISS of a Data Abort from a lower EL. */
static uint32_t hypervisor_esr(struct arm64_vcpu *v, const struct refused *r, gva_t a)
{
    return esr_of(EC_DATA_ABORT_LOWER, insn_syndrome(&r->insn) | fault_status_code(&r->fault) |
                                           (uint32_t)abort_is_by_write(v, a, &r->insn, r) << 6);
}

static enum exit_result exit_for_register(struct arm64_vcpu *v, const struct insn_memory *m,
                                          struct guest_exit *x, unsigned rt)
{
    struct engine *e = v->cpu.world->engine;
    x->value = m->is_write ? truncated(engine_x(e, rt), m->access_size) : 0;
    enum exit_result result = v->cpu.world->exit(v->cpu.world->context, &v->cpu, x);
    if (result == EXIT_DONE && !m->is_write)
        engine_set_x(e, rt, insn_extended(truncated(x->value, m->access_size), m));
    return result;
}

static enum exit_result exit_for_access(struct arm64_vcpu *v, const struct refused *r, gva_t a)
{
    const struct insn_memory *m = &r->insn;
    uint64_t pc = engine_pc(v->cpu.world->engine);
    struct guest_exit x = {
        .reason = r->fault.class == FAULT_TRANSLATION ? EXIT_MMIO
                  : r->fault.class == FAULT_EXTERNAL  ? EXIT_PASS
                                                      : EXIT_STAGE2,
        .pc = gva(pc),
        .next_pc = gva(pc + 4),
        .gva = a,
        .gpa = {r->gpa_page.v + (a.v & PAGE_MASK)},
        .size = (uint8_t)m->access_size,
        .is_write = m->is_write,
        .detail[EXIT_SYNDROME] = hypervisor_esr(v, r, a),
        .detail[EXIT_ADDRESS] = r->gpa_page.v >> 12 << 4,
    };
    if (m->class == INSN_CACHE) /* nothing is cached: maintenance of a device page does nothing */
        return EXIT_DONE;
    if (!is_in_page(m) || (m->class != INSN_SINGLE && m->class != INSN_PAIR)) {
        x.reason = EXIT_MMIO_OPAQUE;
        return v->cpu.world->exit(v->cpu.world->context, &v->cpu, &x);
    }
    enum exit_result result = exit_for_register(v, m, &x, m->rt);
    if (m->class == INSN_PAIR && result == EXIT_DONE) {
        x.gva.v += m->access_size;
        x.gpa.v += m->access_size;
        result = exit_for_register(v, m, &x, m->rt2);
    }
    return result;
}

/* A data access whose stage 2 translation failed: a virtual device or nothing at all. */
static enum performed perform_at_stage2(struct arm64_vcpu *v, uint64_t pc, gva_t a,
                                        struct refused *r)
{
    const struct insn_memory *m = &r->insn;
    unsigned alignment = insn_alignment(m);
    if (alignment && (a.v & (alignment - 1)) && r->is_device) {
        r->fault = (struct fault){.class = FAULT_ALIGNMENT, .stage = 1};
        abort_take(v, pc, a, m, r);
        return PERFORM_LEFT;
    }
    switch (exit_for_access(v, r, a)) {
    case EXIT_DONE:
        insn_write_back(v->cpu.world->engine, m);
        return PERFORM_DONE;
    case EXIT_UNDEFINED:
        exception_take_undefined(v, pc);
        v->cpu.repeats = false;
        break;
    case EXIT_ABORT:
        r->fault = (struct fault){.class = FAULT_EXTERNAL};
        abort_take(v, pc, a, m, r);
        v->cpu.repeats = false; /* a device was asked, and may answer the next time */
        break;
    case EXIT_STOPPED:
        engine_set_pc(v->cpu.world->engine, pc + 4);
        break;
    }
    return PERFORM_LEFT;
}

/* The failing address: what the instruction says if that is in the failing page, else (a page
 * crossing access whose second page failed) the page's start. Of DC it is the register's value
 * (D19.2.40, FAR_EL1). */
static gva_t failing_address(const struct refused *r)
{
    const struct insn_memory *m = &r->insn;
    uint64_t page = r->fault.gva.v & ~PAGE_MASK;
    if (m->class == INSN_ZERO || m->class == INSN_CACHE)
        return gva(m->argument);
    return gva((m->address & ~PAGE_MASK) == page ? m->address : page);
}

enum performed mmio_perform(struct arm64_vcpu *v, uint64_t pc, struct refused *r)
{
    if (r->fault.class == FAULT_NONE)
        return withheld_perform(v, pc, r);
    gva_t a = failing_address(r);
    if (r->fault.stage != 2) {
        abort_take(v, pc, a, &r->insn, r);
        return PERFORM_LEFT;
    }
    if (debug_waits_for_debugger(v, &r->insn, r)) /* registers of devices are watched, too */
        return PERFORM_AGAIN;
    return perform_at_stage2(v, pc, a, r);
}
