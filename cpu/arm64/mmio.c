/* What becomes of an access the engine could not make: an abort into the guest, a watchpoint, or a
 * guest exit that is carried out register by register. */
#include "cpu/arm64/cpu_internal.h"

uint64_t extended(uint64_t value, const struct insn_memory *m)
{
    if (m->sign_extend && m->access_size < 8) {
        uint64_t sign = (uint64_t)1 << (8 * m->access_size - 1);
        value = (value ^ sign) - sign;
    }
    return m->to_64 ? value : (uint32_t)value;
}

static uint64_t truncated(uint64_t value, unsigned size)
{
    return size == 8 ? value : value & (((uint64_t)1 << 8 * size) - 1);
}

/* ESR_EL2 for the abort as a hypervisor would see it: ISS of a Data Abort from a lower EL. */
static uint32_t hypervisor_esr(struct arm64_vcpu *v, const struct insn_memory *m, gva_t a)
{
    return esr_of(EC_DATA_ABORT_LOWER, insn_syndrome(m) | fault_status_code(&v->fault) |
                                           (uint32_t)abort_is_by_write(v, a, m) << 6);
}

static enum exit_result exit_for_register(struct arm64_vcpu *v, const struct insn_memory *m,
                                          struct guest_exit *x, unsigned rt)
{
    struct engine *e = v->cpu.world->engine;
    x->value = m->is_write ? truncated(engine_x(e, rt), m->access_size) : 0;
    enum exit_result result = v->cpu.world->exit(v->cpu.world->context, &v->cpu, x);
    if (result == EXIT_DONE && !m->is_write)
        engine_set_x(e, rt, extended(truncated(x->value, m->access_size), m));
    return result;
}

static enum exit_result exit_for_access(struct arm64_vcpu *v, const struct insn_memory *m, gva_t a)
{
    uint64_t pc = engine_pc(v->cpu.world->engine);
    struct guest_exit x = {
        .reason = v->fault.class == FAULT_TRANSLATION ? EXIT_MMIO
                  : v->fault.class == FAULT_EXTERNAL  ? EXIT_PASS
                                                      : EXIT_STAGE2,
        .pc = gva(pc),
        .next_pc = gva(pc + 4),
        .gva = a,
        .gpa = {v->fault_gpa_page.v + (a.v & PAGE_MASK)},
        .size = (uint8_t)m->access_size,
        .is_write = m->is_write,
        .detail[EXIT_SYNDROME] = hypervisor_esr(v, m, a),
        .detail[EXIT_ADDRESS] = v->fault_gpa_page.v >> 12 << 4,
    };
    if (m->class == INSN_CACHE) /* nothing is cached: maintenance of a device page does nothing */
        return EXIT_DONE;
    bool crosses = (m->address & PAGE_MASK) + m->size > PAGE_SIZE;
    if (crosses || (m->class != INSN_SINGLE && m->class != INSN_PAIR)) {
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

void write_back(struct arm64_vcpu *v, const struct insn_memory *m)
{
    struct engine *e = v->cpu.world->engine;
    if (!m->writeback)
        return;
    if (m->rn == 31)
        engine_set_sp(e, m->writeback_value);
    else
        engine_set_x(e, m->rn, m->writeback_value);
}

static void external_abort(struct arm64_vcpu *v, uint64_t pc, gva_t a, const struct insn_memory *m)
{
    v->fault = (struct fault){.class = FAULT_EXTERNAL};
    take_abort(v, pc, a, m);
}

/* A data access whose stage 2 translation failed: a virtual device or nothing at all. */
static enum engine_outcome handle_stage2(struct arm64_vcpu *v, uint64_t pc, gva_t a,
                                         const struct insn_memory *m)
{
    struct engine *e = v->cpu.world->engine;
    unsigned alignment = insn_alignment(m);
    if (alignment && (a.v & (alignment - 1)) && v->fault_is_device) {
        v->fault = (struct fault){.class = FAULT_ALIGNMENT, .stage = 1};
        take_abort(v, pc, a, m);
        return ENGINE_LEFT;
    }
    switch (exit_for_access(v, m, a)) {
    case EXIT_DONE:
        write_back(v, m);
        return ENGINE_DONE;
    case EXIT_UNDEFINED:
        take_undefined(v, pc);
        v->cpu.repeats = false;
        break;
    case EXIT_ABORT:
        external_abort(v, pc, a, m);
        v->cpu.repeats = false; /* a device was asked, and may answer the next time */
        break;
    case EXIT_STOPPED:
        engine_set_pc(e, pc + 4);
        break;
    }
    return ENGINE_LEFT;
}

static bool is_in_page(const struct insn_memory *m)
{
    return (m->address & PAGE_MASK) + m->size <= PAGE_SIZE;
}

/* Accesses that the engine does not try ----------------------------------------------------------
 */

enum engine_outcome carry_out_access(struct arm64_vcpu *v, uint64_t pc, uint32_t word)
{
    struct insn_memory m = insn_memory_decode(v->cpu.world->engine, pc, word);
    enum access_kind kind = m.is_write ? ACCESS_WRITE : ACCESS_READ;
    if (!m.registers || m.unprivileged || !is_in_page(&m) || alignment_faults(v, &m))
        return ENGINE_REFUSED;
    enum found found = find_data(v, m.address & ~PAGE_MASK, kind);
    if (found == FOUND_DEVICE && m.class == INSN_SINGLE && !debug_waits_for_debugger(v, &m))
        return handle_stage2(v, pc, gva(m.address), &m);
    if (found != FOUND_WITHHELD || !withheld_is_simple(v, &m) || debug_minds_access(v, &m))
        return ENGINE_REFUSED;
    withheld_carry_out(v, &m);
    return ENGINE_DONE;
}

static bool is_plain(const struct insn_memory *m)
{
    return m->class == INSN_SINGLE && !m->unprivileged && is_in_page(m);
}

static void handle_refused_fetch(struct arm64_vcpu *v, uint64_t pc)
{
    if (pc & 3) {
        take_exception(v, VECTOR_SYNC, esr_of(EC_PC_ALIGNMENT, 0), pc, true, pc);
        return;
    }
    if (v->fault.stage == 2) {
        struct guest_exit x = {
            .reason = EXIT_FETCH,
            .pc = gva(pc),
            .next_pc = gva(pc + 4),
            .gva = gva(pc),
            .gpa = {v->fault_gpa_page.v + (pc & PAGE_MASK)},
            .size = 4,
            .detail[EXIT_SYNDROME] = esr_of(EC_INSN_ABORT_LOWER, fault_status_code(&v->fault)),
            .detail[EXIT_ADDRESS] = v->fault_gpa_page.v >> 12 << 4,
        };
        if (v->cpu.world->exit(v->cpu.world->context, &v->cpu, &x) == EXIT_STOPPED)
            return;
        v->fault = (struct fault){.class = FAULT_EXTERNAL};
    }
    take_abort(v, pc, gva(pc), NULL);
}

/* The failing address: what the instruction says if that is in the failing page, else (a page
 * crossing access whose second page failed) the page's start. Of DC it is the register's value
 * (D19.2.40, FAR_EL1). */
static gva_t failing_address(const struct arm64_vcpu *v, const struct insn_memory *m)
{
    uint64_t page = v->fault.gva.v & ~PAGE_MASK;
    if (m->class == INSN_ZERO || m->class == INSN_CACHE)
        return gva(m->argument);
    return gva((m->address & ~PAGE_MASK) == page ? m->address : page);
}

void handle_refused_fill(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    uint64_t pc = engine_pc(e);
    engine_count_attempt(e);
    /* A stage 1 table that lies where the guest has no memory: an external abort on the walk. */
    if (v->fault.s1ptw) {
        v->fault.class = FAULT_EXTERNAL_ON_WALK;
        v->fault.stage = 1;
    }
    if (v->fault_access.kind == ACCESS_FETCH) {
        handle_refused_fetch(v, pc);
        return;
    }
    if (!v->fault_has_word)
        read_instruction(v, pc, &v->fault_word);
    struct insn_memory m = insn_memory_decode(e, pc, v->fault_word);
    if (take_alignment(v, pc, &m))
        return;
    gva_t a = failing_address(v, &m);
    if (v->fault.class == FAULT_NONE) {
        handle_withheld(v, pc, &m);
        return;
    }
    if (v->fault.stage != 2)
        take_abort(v, pc, a, &m);
    else if (debug_waits_for_debugger(v, &m)) /* registers of devices are watched, too */
        engine_uncount_attempt(e);
    else if (handle_stage2(v, pc, a, &m) == ENGINE_DONE) {
        engine_set_pc(e, pc + 4);
        engine_continue_at(e, pc + 4);
        if (is_plain(&m))
            expect_exit(v, pc, m.rn);
    }
}
