/* Accesses to memory that the engine does not get for itself: to watched pages (debug.c), stores to
 * pages that code was translated from (cpu/unicorn/unicorn_sides.c), and everything in RAM that
 * stage 1 maps as Device, where alignment is checked (Arm ARM B2.9.2), which the engine cannot tell
 * from other memory; all RAM where it can make no checks (alignment.c). Plain ones are made here,
 * the others by the engine, one instruction alone with the page open. */
#include "cpu/arm64/cpu_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "emu/bytes.h"
#include "emu/log.h"
#include "emu/machine.h"

/* One or two whole registers, as the engine would move them: what it checks before it asks for a
 * page (alignment, of SP too) and forms that are rare are left to it. */
bool withheld_is_simple(const struct arm64_vcpu *v, const struct refused *r)
{
    const struct insn_memory *m = &r->insn;
    bool is_checked = m->ordered || r->is_device || alignment_is_of_all(v);
    if (!m->registers || !is_in_page(m) || (is_checked && is_misaligned(m)) ||
        (v->stage1.sctlr & (SCTLR_EE | SCTLR_E0E)))
        return false;
    return m->rn != 31 || engine_sp(v->cpu.world->engine) % 16 == 0;
}

static bool faults(const struct refused *r)
{
    return r->withheld.is_device && (is_misaligned(&r->insn) || r->insn.class == INSN_ZERO);
}

static void store_vector(struct engine *e, unsigned n, uint8_t *to, unsigned size)
{
    uint64_t value[2];
    engine_vector(e, n, value);
    store_le(to, value[0], size < 8 ? size : 8);
    if (size == 16)
        store_le(to + 8, value[1], 8);
}

static void load_vector(struct engine *e, unsigned n, const uint8_t *from, unsigned size)
{
    uint64_t value[2] = {load_le(from, size < 8 ? size : 8), size == 16 ? load_le(from + 8, 8) : 0};
    engine_set_vector(e, n, value);
}

static void store(struct arm64_vcpu *v, const struct insn_memory *m, hpa_t at)
{
    struct engine *e = v->cpu.world->engine;
    bool is_code = memory_is_code(v->cpu.world->memory, at);
    if (is_code)
        engine_store_begins(e, at, m->size, false);
    uint8_t *to = memory_at(v->cpu.world->memory, at, m->size, MEMORY_WRITE);
    for (unsigned i = 0; i < m->registers; i++, to += m->access_size)
        if (m->class == INSN_VECTOR)
            store_vector(e, i ? m->rt2 : m->rt, to, m->access_size);
        else
            store_le(to, engine_x(e, i ? m->rt2 : m->rt), m->access_size);
    if (is_code)
        engine_store_ends(e);
    else if (!v->cpu.world->coherent) /* the engine sees what it stores itself */
        engine_drop_code(e, at, m->size);
    engine_note_send(&v->cpu.event, engine_executed(e) - 1);
}

static void load(struct arm64_vcpu *v, const struct insn_memory *m, hpa_t at)
{
    struct engine *e = v->cpu.world->engine;
    const uint8_t *from = memory_at(v->cpu.world->memory, at, m->size, MEMORY_READ);
    for (unsigned i = 0; i < m->registers; i++, from += m->access_size)
        if (m->class == INSN_VECTOR)
            load_vector(e, i ? m->rt2 : m->rt, from, m->access_size);
        else
            engine_set_x(e, i ? m->rt2 : m->rt, insn_extended(load_le(from, m->access_size), m));
}

static void carry_out(struct arm64_vcpu *v, const struct refused *r)
{
    const struct insn_memory *m = &r->insn;
    hpa_t at = hpa(r->withheld.page.v | (m->address & PAGE_MASK));
    (m->is_write ? store : load)(v, m, at);
    insn_write_back(v->cpu.world->engine, m);
}

static void store_begins(struct arm64_vcpu *v, const struct refused *r, uint64_t address,
                         uint64_t size)
{
    struct found_page to = {.page = r->withheld.page};
    bool is_refused = (address & ~PAGE_MASK) == r->withheld.page_va;
    if ((is_refused || translate_page(v, gva(address), &r->access, &to)) &&
        memory_is_code(v->cpu.world->memory, to.page))
        engine_store_begins(v->cpu.world->engine, hpa(to.page.v | (address & PAGE_MASK)), size,
                            true);
}

/* Both pages that it is to may have code. */
void withheld_stores_begin(struct arm64_vcpu *v, const struct refused *r)
{
    const struct insn_memory *m = &r->insn;
    uint64_t address = m->size ? m->address : r->withheld.page_va;
    uint64_t rest = PAGE_SIZE - (address & PAGE_MASK), size = m->size ? m->size : 1;
    store_begins(v, r, address, size < rest ? size : rest);
    if (size > rest)
        store_begins(v, r, address + rest, size - rest);
}

/* An access over two pages is looked at in both, though it was refused for one of them. Where the
 * other one is not permitted that comes first, but for what is in this one: `part` is what of the
 * access may be watched then. */
static const struct insn_memory *look_at_both(struct arm64_vcpu *v, struct refused *r,
                                              struct insn_memory *part)
{
    const struct insn_memory *m = &r->insn;
    uint64_t first_size = PAGE_SIZE - (m->address & PAGE_MASK);
    bool is_first = (m->address & ~PAGE_MASK) == r->withheld.page_va;
    struct found_page other;
    if (m->size <= first_size || v->cpu.world->quirks & QUIRK_ONE_PAGE)
        return m;
    gva_t elsewhere = gva(is_first ? m->address + first_size : m->address);
    if (translate_page(v, elsewhere, &r->access, &other)) {
        r->withheld.is_device |= other.is_device;
        r->withheld.is_watched = true; /* perhaps it is */
        return m;
    }
    *part = *m;
    part->address = is_first ? m->address : m->address + first_size;
    part->size = is_first ? first_size : m->size - first_size;
    return part;
}

enum performed withheld_perform(struct arm64_vcpu *v, uint64_t pc, struct refused *r)
{
    const struct insn_memory *m = &r->insn;
    struct insn_memory part;
    const struct insn_memory *watched = look_at_both(v, r, &part);
    if (faults(r)) {
        r->fault = (struct fault){.class = FAULT_ALIGNMENT, .stage = 1};
        abort_take(v, pc, gva(m->class == INSN_ZERO ? m->argument : m->address), m, r);
        return PERFORM_LEFT;
    }
    enum debug_answer answer = debug_stops_access(v, pc, watched, r);
    if (answer != DEBUG_PASSES)
        return answer == DEBUG_WAITS ? PERFORM_AGAIN : PERFORM_LEFT;
    if (!withheld_is_simple(v, r))
        return PERFORM_ALONE;
    carry_out(v, r);
    return PERFORM_DONE;
}

void withheld_ran_changed_code(void *cpu, uint64_t pc, const struct engine_change *change)
{
    const struct arm64_vcpu *v = cpu;
    char who[40] = "a device";
    if (change->by_guest)
        snprintf(who, sizeof who, "PC 0x%" PRIx64, change->pc);
    log_write(v->cpu.world->log, LOG_SEVERITY_WARN,
              "PC 0x%" PRIx64 " runs code that was changed at instruction %" PRIu64
              " by %s without IC IVAU: hardware may run the old",
              pc, change->at, who);
}
