/* What becomes of an instruction that a breakpoint or a watchpoint of the guest, or a debugger of
 * the whole board, is waiting for. */
#include "cpu/arm64/cpu_internal.h"

#include "emu/machine.h"

/* An Instruction Abort comes first (D1.3.5, synchronous exception prioritization). */
static bool can_be_fetched(struct arm64_vcpu *v, uint64_t pc)
{
    uint32_t word;
    return (v->cpu.world->quirks & QUIRK_FETCHES_FIRST) || translate_read_instruction(v, pc, &word);
}

bool debug_take_pending(struct arm64_vcpu *v)
{
    uint64_t pstate = engine_pstate(v->cpu.world->engine), pc = engine_pc(v->cpu.world->engine);
    if (!debug_is_active(v) || !debug_enabled_here(v, pstate))
        return false;
    if (!debug_breakpoint_at(v, pc, pstate) || !can_be_fetched(v, pc))
        return false;
    enum esr_ec ec = at_el0(pstate) ? EC_BREAKPOINT_LOWER : EC_BREAKPOINT;
    exception_take(v, VECTOR_SYNC, esr_of(ec, 0x22), pc, false, 0);
    return true;
}

static void take_watchpoint(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m,
                            bool write)
{
    bool lower = at_el0(engine_pstate(v->cpu.world->engine));
    enum esr_ec ec = lower ? EC_WATCHPOINT_LOWER : EC_WATCHPOINT;
    exception_take(v, VECTOR_SYNC, esr_of(ec, 0x22 | (uint32_t)write << 6), pc, true, m->address);
}

/* The part of the access that lies in the page which its first or its last byte is in; where that
 * is on the board if it is memory. */
static struct point_access part_of(struct arm64_vcpu *v, const struct insn_memory *m, bool last,
                                   const struct refused *r)
{
    uint64_t in_page = PAGE_SIZE - (m->address & PAGE_MASK);
    uint64_t first_size = m->size < in_page ? m->size : in_page;
    uint64_t at = last ? m->address + first_size : m->address;
    struct access access = r->access;
    struct point_access part = {.address = stage1_strip_tag(&v->stage1, gva(at)).v,
                                .size = last ? m->size - first_size : first_size,
                                .reads = debug_reads(m),
                                .writes = m->is_write};
    access.kind = m->is_write ? ACCESS_WRITE : ACCESS_READ;
    struct found_page found = {.page = r->withheld.page};
    if (part.size && r->fault.class == FAULT_NONE)
        part.has_place = first_size == m->size || translate_page(v, gva(at), &access, &found);
    part.place = found.page.v | (at & PAGE_MASK);
    return part;
}

/* The refused access was counted: the instruction's own count is one less. */
bool debug_is_watched(struct arm64_vcpu *v, const struct insn_memory *m, const struct refused *r)
{
    struct points *points = v->cpu.world->points;
    if (!points_have_watched(points) || m->class == INSN_CACHE)
        return false;
    uint64_t before = engine_executed(v->cpu.world->engine) - 1;
    bool waits = false;
    for (unsigned i = 0; i < 2 && !waits; i++) {
        struct point_access part = part_of(v, m, i, r);
        waits = part.size && points_access(points, &v->cpu, &part, before);
    }
    return waits;
}

enum debug_answer debug_stops_access(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m,
                                     const struct refused *r)
{
    unsigned kind = r->withheld.is_watched ? debug_watchpoint_kind(v, m) : 0;
    if (!kind)
        return debug_waits_for_debugger(v, m, r) ? DEBUG_WAITS : DEBUG_PASSES;
    take_watchpoint(v, pc, m, kind == 2);
    return DEBUG_TAKEN;
}
