/* Self-hosted debug (Arm ARM D2): breakpoints and watchpoints as a guest programs
 * them in DBGBCR, DBGWCR and MDSCR. Blocks are looked at one by one while breakpoints are armed;
 * watched pages are withheld from the engine and their instructions run one at a time. */
#include "cpu/arm64/cpu_internal.h"

#include "emu/machine.h"

bool debug_os_lock(const struct arm64_vcpu *v)
{
    return v->oslsr & 2;
}

/* The engine knows of no step (step.c). Pages that are watched are withheld from now on, or no
 * more.
 */
void debug_regime_changed(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    engine_set_sysreg(e, SYS_MDSCR_EL1, v->mdscr & ~(uint64_t)MDSCR_SS);
    engine_flush_tlb(e);
    watch_changed(v);
}

/* Under the OS Lock none is: D2.4. */
bool debug_enabled_here(const struct arm64_vcpu *v, uint64_t pstate)
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

bool debug_is_active(const struct arm64_vcpu *v)
{
    return (v->mdscr & MDSCR_MDE) && any_armed(v->dbgbcr, DEBUG_BREAKPOINTS);
}

/* HMC = 0, SSC = 0: PMC/PAC says EL1 (bit 0), EL0 (bit 1). Table D2-9. */
static bool privilege_matches(uint32_t control, uint64_t pstate)
{
    unsigned levels = control >> 1 & 3;
    return levels & (at_el0(pstate) ? 2 : 1);
}

static bool breakpoint_matches(const struct arm64_vcpu *v, unsigned n, uint64_t pc, uint64_t pstate)
{
    uint32_t control = v->dbgbcr[n];
    bool address_match = (control >> 20 & 15) == 0;
    return (control & 1) && address_match && privilege_matches(control, pstate) &&
           (v->dbgbvr[n] & 0x0001fffffffffffcu) == (pc & 0x0001fffffffffffcu);
}

bool debug_breakpoint_at(const struct arm64_vcpu *v, uint64_t pc, uint64_t pstate)
{
    for (unsigned i = 0; i < DEBUG_BREAKPOINTS; i++)
        if (breakpoint_matches(v, i, pc, pstate))
            return true;
    return false;
}

uint64_t debug_may_run(struct arm64_vcpu *v, uint64_t pc, unsigned size_bytes)
{
    uint64_t pstate = engine_pstate(v->cpu.world->engine);
    if (!debug_enabled_here(v, pstate))
        return UINT64_MAX;
    for (uint64_t at = pc; at < pc + size_bytes; at += 4)
        if (debug_breakpoint_at(v, at, pstate))
            return (at - pc) / 4;
    return UINT64_MAX;
}

/* Watchpoints ------------------------------------------------------------------------------------
 */

static bool is_old(const struct arm64_vcpu *v)
{
    return v->cpu.world->quirks & QUIRK_WATCH_LESS;
}

/* The watched bytes: a power-of-two block by MASK, else those BAS selects in a doubleword. */
static uint64_t watched_block(const struct arm64_vcpu *v, unsigned n, uint64_t *size)
{
    unsigned mask = v->dbgwcr[n] >> 24 & 31;
    *size = mask >= 3 ? (uint64_t)1 << mask : 8;
    return v->dbgwvr[n] & ~(*size - 1);
}

/* By distances: a block may be the last of the address space. */
static bool overlap(const struct arm64_vcpu *v, uint64_t a, uint64_t a_size, uint64_t b,
                    uint64_t b_size)
{
    if (is_old(v))
        return a < b + b_size && b < a + a_size;
    return b - a < a_size || a - b < b_size;
}

/* Where loads are watched stores are looked at, too: what may be written may be read. */
unsigned debug_watched(const struct arm64_vcpu *v, uint64_t page_va)
{
    unsigned watched = 0;
    if (!(v->mdscr & MDSCR_MDE) || debug_os_lock(v))
        return 0;
    for (unsigned i = 0; i < DEBUG_WATCHPOINTS; i++) {
        uint64_t size, base = watched_block(v, i, &size);
        bool loads = v->dbgwcr[i] >> 3 & 1;
        if ((v->dbgwcr[i] & 1) && overlap(v, base, size, page_va, PAGE_SIZE))
            watched |= loads ? PERMIT_R | PERMIT_W : PERMIT_W;
    }
    return watched;
}

static bool watches_bytes(const struct arm64_vcpu *v, unsigned n, uint64_t address, uint64_t size)
{
    uint64_t block_size, base = watched_block(v, n, &block_size);
    if (block_size > 8)
        return overlap(v, base, block_size, address, size);
    unsigned select = v->dbgwcr[n] >> 5 & 0xff;
    for (uint64_t i = 0; i < 8; i++)
        if ((select >> i & 1) && overlap(v, base + i, 1, address, size))
            return true;
    return false;
}

/* `kinds`: of LSC, which accesses count. */
static bool watchpoint_hit(const struct arm64_vcpu *v, const struct insn_memory *m, unsigned kinds)
{
    uint64_t pstate = engine_pstate(v->cpu.world->engine);
    uint64_t address = is_old(v) ? m->address : stage1_strip_tag(&v->stage1, gva(m->address)).v;
    if (!debug_enabled_here(v, pstate) || m->class == INSN_CACHE)
        return false;
    for (unsigned i = 0; i < DEBUG_WATCHPOINTS; i++) {
        unsigned load_store = v->dbgwcr[i] >> 3 & 3;
        if ((v->dbgwcr[i] & 1) && (load_store & kinds) &&
            privilege_matches(v->dbgwcr[i], m->unprivileged ? PSTATE_EL0 : pstate) &&
            watches_bytes(v, i, address, m->size))
            return true;
    }
    return false;
}

/* Which of LSC sees the access: 1 loads, 2 stores, 0 none. An atomic is reported as a read if its
 * read alone would be (ESR_EL1, WnR of a Watchpoint exception). */
unsigned debug_watchpoint_kind(const struct arm64_vcpu *v, const struct insn_memory *m)
{
    bool read = is_old(v) ? !m->is_write : debug_reads(m);
    if (read && watchpoint_hit(v, m, 1))
        return 1;
    return m->is_write && watchpoint_hit(v, m, 2) ? 2 : 0;
}
