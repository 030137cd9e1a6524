/* Self-hosted debug (Arm ARM D2): breakpoints and watchpoints as a guest programs
 * them in DBGBCR, DBGWCR and MDSCR. Blocks are looked at one by one while breakpoints are armed;
 * watched pages are withheld from the engine and their instructions run one at a time. */
#include "cpu/cpu_internal.h"

bool debug_os_lock(const struct vcpu *v)
{
    return v->oslsr & 2;
}

/* The engine knows of no step (step.c). Pages that are watched are withheld from now on, or no
 * more.
 */
void debug_regime_changed(struct vcpu *v)
{
    struct engine *e = v->world->engine;
    engine_set_sysreg(e, SYS_MDSCR_EL1, v->mdscr & ~(uint64_t)MDSCR_SS);
    engine_flush_tlb(e);
    vcpu_update_watch(v);
}

/* Under the OS Lock none is: D2.4. */
bool debug_enabled_here(const struct vcpu *v, uint64_t pstate)
{
    if (debug_os_lock(v))
        return false;
    return at_el0(pstate) || ((v->mdscr & MDSCR_KDE) && !(pstate & PSTATE_D));
}

static bool any_armed(const uint32_t *control, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (control[i] & 1)
            return true;
    return false;
}

bool debug_is_active(const struct vcpu *v)
{
    return (v->mdscr & MDSCR_MDE) && any_armed(v->dbgbcr, DEBUG_BREAKPOINTS);
}

/* HMC = 0, SSC = 0: PMC/PAC says EL1 (bit 0), EL0 (bit 1). Table D2-9. */
static bool privilege_matches(uint32_t control, uint64_t pstate)
{
    unsigned levels = control >> 1 & 3;
    return levels & (at_el0(pstate) ? 2 : 1);
}

static bool breakpoint_matches(const struct vcpu *v, unsigned n, uint64_t pc, uint64_t pstate)
{
    uint32_t control = v->dbgbcr[n];
    bool address_match = (control >> 20 & 15) == 0;
    return (control & 1) && address_match && privilege_matches(control, pstate) &&
           (v->dbgbvr[n] & 0x0001fffffffffffcu) == (pc & 0x0001fffffffffffcu);
}

bool debug_take_pending(struct vcpu *v)
{
    uint64_t pstate = engine_pstate(v->world->engine), pc = engine_pc(v->world->engine);
    if (!debug_is_active(v) || !debug_enabled_here(v, pstate))
        return false;
    for (unsigned i = 0; i < DEBUG_BREAKPOINTS; i++) {
        if (!breakpoint_matches(v, i, pc, pstate))
            continue;
        enum esr_ec ec = at_el0(pstate) ? EC_BREAKPOINT_LOWER : EC_BREAKPOINT;
        take_exception(v, VECTOR_SYNC, esr_of(ec, 0x22), pc, false, 0);
        return true;
    }
    return false;
}

uint64_t debug_may_run(struct vcpu *v, uint64_t pc, unsigned size_bytes)
{
    uint64_t pstate = engine_pstate(v->world->engine);
    if (!debug_enabled_here(v, pstate))
        return UINT64_MAX;
    for (uint64_t at = pc; at < pc + size_bytes; at += 4)
        for (unsigned i = 0; i < DEBUG_BREAKPOINTS; i++)
            if (breakpoint_matches(v, i, at, pstate))
                return (at - pc) / 4;
    return UINT64_MAX;
}

/* Watchpoints ------------------------------------------------------------------------------------
 */

/* The watched bytes: a power-of-two block by MASK, else those BAS selects in a doubleword. */
static uint64_t watched_block(const struct vcpu *v, unsigned n, uint64_t *size)
{
    unsigned mask = v->dbgwcr[n] >> 24 & 31;
    *size = mask >= 3 ? (uint64_t)1 << mask : 8;
    return v->dbgwvr[n] & ~(*size - 1);
}

bool debug_watches_page(const struct vcpu *v, uint64_t page_va)
{
    if (!(v->mdscr & MDSCR_MDE) || debug_os_lock(v))
        return false;
    for (unsigned i = 0; i < DEBUG_WATCHPOINTS; i++) {
        uint64_t size, base = watched_block(v, i, &size);
        if ((v->dbgwcr[i] & 1) && base < page_va + PAGE_SIZE && page_va < base + size)
            return true;
    }
    return false;
}

static bool watches_bytes(const struct vcpu *v, unsigned n, uint64_t address, uint64_t size)
{
    uint64_t block_size, base = watched_block(v, n, &block_size);
    if (block_size > 8)
        return address < base + block_size && base < address + size;
    unsigned select = v->dbgwcr[n] >> 5 & 0xff;
    for (uint64_t i = 0; i < 8; i++)
        if ((select >> i & 1) && base + i >= address && base + i < address + size)
            return true;
    return false;
}

static bool watchpoint_hit(const struct vcpu *v, const struct insn_memory *m, uint64_t pstate)
{
    if (!debug_enabled_here(v, pstate) || m->class == INSN_CACHE)
        return false;
    for (unsigned i = 0; i < DEBUG_WATCHPOINTS; i++) {
        unsigned load_store = v->dbgwcr[i] >> 3 & 3;
        if ((v->dbgwcr[i] & 1) && (load_store & (m->is_write ? 2 : 1)) &&
            privilege_matches(v->dbgwcr[i], m->unprivileged ? PSTATE_EL0 : pstate) &&
            watches_bytes(v, i, m->address, m->size))
            return true;
    }
    return false;
}

/* The refused access was counted: the instruction's own count is one less. */
bool debug_waits_for_debugger(const struct vcpu *v, const struct insn_memory *m)
{
    struct point access = {
        .kind = m->is_write ? POINT_WRITE : POINT_READ, .address = m->address, .size = m->size};
    return v->world->points && m->class != INSN_CACHE &&
           points_access(v->world->points, v, &access, engine_executed(v->world->engine) - 1);
}

void debug_handle_watched_access(struct vcpu *v, uint64_t pc, const struct insn_memory *m)
{
    struct engine *e = v->world->engine;
    uint64_t pstate = engine_pstate(e);
    if (watchpoint_hit(v, m, pstate)) {
        enum esr_ec ec = at_el0(pstate) ? EC_WATCHPOINT_LOWER : EC_WATCHPOINT;
        take_exception(v, VECTOR_SYNC, esr_of(ec, 0x22 | (uint32_t)m->is_write << 6), pc, true,
                       m->address);
        return;
    }
    if (debug_waits_for_debugger(v, m)) {
        engine_uncount_attempt(e);
        return;
    }
    run_alone(v); /* not this one */
}

void run_alone(struct vcpu *v)
{
    struct engine *e = v->world->engine;
    v->watchpoint_pass = true;
    engine_uncount_attempt(e);
    enum engine_stop why =
        engine_run(e, (struct engine_budget){.exact = 1, .soft = UINT64_MAX, .turn = UINT64_MAX});
    v->watchpoint_pass = false;
    engine_flush_tlb(e);
    if (why == ENGINE_FILL) /* it fails for another reason, such as its second page */
        handle_refused_fill(v);
}
