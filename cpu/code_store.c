/* A store to a page that code was translated from (cpu/unicorn_sides.c). Plain ones are made here;
 * the others by the engine, one instruction alone with the page open. Either way the instruction
 * after it is fetched anew. */
#include "cpu/cpu_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "emu/bytes.h"
#include "emu/log.h"

bool is_simple_code_store(const struct vcpu *v, const struct insn_memory *m)
{
    bool plain = m->class == INSN_SINGLE || m->class == INSN_PAIR;
    return plain && m->is_write && !(m->address & (m->access_size - 1)) &&
           (m->address & PAGE_MASK) + m->size <= PAGE_SIZE &&
           !(v->stage1.sctlr & (SCTLR_EE | SCTLR_E0E));
}

void store_to_code(struct vcpu *v, const struct insn_memory *m)
{
    struct engine *e = v->world->engine;
    hpa_t at = hpa(v->code_page.v | (m->address & PAGE_MASK));
    uint64_t value = engine_x(e, m->rt), second = engine_x(e, m->rt2);
    engine_store_begins(e, at, m->size, false);
    uint8_t *to = memory_at(v->world->memory, at, m->size, MEMORY_WRITE);
    store_le(to, value, m->access_size);
    if (m->class == INSN_PAIR)
        store_le(to + m->access_size, second, m->access_size);
    engine_store_ends(e);
    engine_note_send(&v->event, engine_executed(e) - 1);
    write_back(v, m);
}

/* It was counted when it was refused. */
void run_code_store(struct vcpu *v, const struct insn_memory *m, gva_t a)
{
    struct engine *e = v->world->engine;
    uint64_t rest = PAGE_SIZE - (a.v & PAGE_MASK);
    uint64_t size = m->size < 1 ? 1 : m->size < rest ? m->size : rest;
    engine_store_begins(e, hpa(v->code_page.v | (a.v & PAGE_MASK)), size, true);
    run_alone(v);
    engine_store_ends(e);
}

void ran_changed_code(void *cpu, uint64_t pc, const struct engine_change *change)
{
    const struct vcpu *v = cpu;
    char who[40] = "a device";
    if (change->by_guest)
        snprintf(who, sizeof who, "PC 0x%" PRIx64, change->pc);
    log_write(v->world->log, LOG_WARN,
              "PC 0x%" PRIx64 " runs code that was changed at instruction %" PRIu64
              " by %s without IC IVAU: hardware may run the old",
              pc, change->at, who);
}
