/* The event register (Arm ARM D1.16.1). The library has none, and does not say what sets it. So
 * what is executed behind a WFE is looked at, until the next one or until that is far away: loops
 * that wait are short. What is known does not depend on blocks: their instructions are looked at
 * before they run, and count when they did. */
#include "cpu/arm64/insn.h"
#include "cpu/unicorn/unicorn_engine.h"

#include "emu/bytes.h"

void note_events(struct engine *e, uint64_t end)
{
    struct engine_event *event = e->callbacks->event;
    if (e->sets_at < end)
        event->is_set = true;
    if (e->sends_at < end)
        event->is_quiet = false;
    e->sets_at = e->sends_at = UINT64_MAX;
}

void look_for_events(struct engine *e, uint64_t address, uint32_t size, uint64_t now)
{
    hpa_t at;
    const uint8_t *code =
        find_code(e, address, &at) ? memory_at(e->memory, at, size, MEMORY_READ) : NULL;
    if (!code) {
        e->callbacks->event->known_until = 0;
        return;
    }
    uint64_t known = e->callbacks->event->known_until - now;
    for (uint64_t n = 0; n < size / 4 && n < known; n++, address += 4, code += 4) {
        enum insn_event what = insn_event(load_le32(code));
        if (what & INSN_SETS_EVENT && e->sets_at == UINT64_MAX)
            e->sets_at = address;
        if (what & INSN_SENDS_EVENT && e->sends_at == UINT64_MAX)
            e->sends_at = address;
    }
}

bool wfe_waits(struct engine *e, uint64_t now)
{
    struct engine_event *event = e->callbacks->event;
    if (!event_is_known(e, now)) {
        event->is_set = true;
        event->is_quiet = false;
    }
    if (!event->is_set)
        return true;
    engine_clear_event(event, now);
    return false;
}
