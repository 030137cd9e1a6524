/* The event register (Arm ARM D1.16.1). The library has none, and does not say what sets it. So
 * what is executed behind a WFE is looked at, until the next one or until that is far away: loops
 * that wait are short. What is known does not depend on blocks: their instructions are looked at
 * before they run, and count when they did. */
#include "cpu/arm64/insn.h"
#include "cpu/unicorn/arm64/unicorn_arm64.h"

#include "emu/bytes.h"

void arm64_look_for_events(struct engine *e, uint64_t address, uint32_t size, uint64_t now)
{
    hpa_t at;
    const uint8_t *code =
        pages_find_code(e, address, &at) ? memory_at(e->memory, at, size, MEMORY_READ) : NULL;
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
