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
    update_watch(v);
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

/* An Instruction Abort comes first (D1.3.5, synchronous exception prioritization). */
static bool can_be_fetched(struct arm64_vcpu *v, uint64_t pc)
{
    uint32_t word;
    return (v->cpu.world->quirks & QUIRK_FETCHES_FIRST) || read_instruction(v, pc, &word);
}

bool debug_take_pending(struct arm64_vcpu *v)
{
    uint64_t pstate = engine_pstate(v->cpu.world->engine), pc = engine_pc(v->cpu.world->engine);
    if (!debug_is_active(v) || !debug_enabled_here(v, pstate))
        return false;
    for (unsigned i = 0; i < DEBUG_BREAKPOINTS; i++) {
        if (!breakpoint_matches(v, i, pc, pstate) || !can_be_fetched(v, pc))
            continue;
        enum esr_ec ec = at_el0(pstate) ? EC_BREAKPOINT_LOWER : EC_BREAKPOINT;
        take_exception(v, VECTOR_SYNC, esr_of(ec, 0x22), pc, false, 0);
        return true;
    }
    return false;
}

uint64_t debug_may_run(struct arm64_vcpu *v, uint64_t pc, unsigned size_bytes)
{
    uint64_t pstate = engine_pstate(v->cpu.world->engine);
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

/* What an instruction does to the memory that is watched. Atomics read and write (D2.10.4). */
static bool reads(const struct insn_memory *m)
{
    return !m->is_write || m->class == INSN_ATOMIC;
}

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
static unsigned watchpoint_kind(const struct arm64_vcpu *v, const struct insn_memory *m)
{
    bool read = is_old(v) ? !m->is_write : reads(m);
    if (read && watchpoint_hit(v, m, 1))
        return 1;
    return m->is_write && watchpoint_hit(v, m, 2) ? 2 : 0;
}

static void take_watchpoint(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m,
                            bool write)
{
    bool lower = at_el0(engine_pstate(v->cpu.world->engine));
    enum esr_ec ec = lower ? EC_WATCHPOINT_LOWER : EC_WATCHPOINT;
    take_exception(v, VECTOR_SYNC, esr_of(ec, 0x22 | (uint32_t)write << 6), pc, true, m->address);
}

/* The part of the access that lies in the page which its first or its last byte is in; where that
 * is on the board if it is memory. */
static struct point_access part_of(struct arm64_vcpu *v, const struct insn_memory *m, bool last)
{
    uint64_t in_page = PAGE_SIZE - (m->address & PAGE_MASK);
    uint64_t first_size = m->size < in_page ? m->size : in_page;
    uint64_t at = last ? m->address + first_size : m->address;
    struct access access = v->fault_access;
    struct point_access part = {.address = stage1_strip_tag(&v->stage1, gva(at)).v,
                                .size = last ? m->size - first_size : first_size,
                                .reads = reads(m),
                                .writes = m->is_write};
    access.kind = m->is_write ? ACCESS_WRITE : ACCESS_READ;
    struct aside found = {.page = v->withheld.page};
    if (part.size && v->fault.class == FAULT_NONE)
        part.has_place = first_size == m->size || translate_aside(v, gva(at), &access, &found);
    part.place = found.page.v | (at & PAGE_MASK);
    return part;
}

/* The refused access was counted: the instruction's own count is one less. */
bool debug_waits_for_debugger(struct arm64_vcpu *v, const struct insn_memory *m)
{
    struct points *points = v->cpu.world->points;
    if (!points || !points_have_watched(points) || m->class == INSN_CACHE)
        return false;
    uint64_t before = engine_executed(v->cpu.world->engine) - 1;
    bool waits = false;
    for (unsigned i = 0; i < 2 && !waits; i++) {
        struct point_access part = part_of(v, m, i);
        waits = part.size && points_access(points, &v->cpu, &part, before);
    }
    return waits;
}

bool debug_minds_access(struct arm64_vcpu *v, const struct insn_memory *m)
{
    return v->withheld.is_watched && (watchpoint_kind(v, m) || debug_waits_for_debugger(v, m));
}

void run_alone(struct arm64_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    v->watchpoint_pass = true;
    engine_uncount_attempt(e);
    struct engine_budget one = {.exact = 1, .soft = UINT64_MAX, .turn = UINT64_MAX};
    if (v->cpu.world->quirks & QUIRK_FETCHES_FIRST)
        one.fetch = ENGINE_FETCH_FIRST;
    enum engine_stop why = engine_run(e, one);
    v->watchpoint_pass = false;
    engine_flush_tlb(e);
    if (why == ENGINE_FILL) /* it fails for another reason, such as its second page */
        handle_refused_fill(v);
}

bool debug_stops_access(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m)
{
    unsigned kind = v->withheld.is_watched ? watchpoint_kind(v, m) : 0;
    if (kind)
        take_watchpoint(v, pc, m, kind == 2);
    else if (debug_waits_for_debugger(v, m))
        engine_uncount_attempt(v->cpu.world->engine);
    else
        return false;
    return true;
}
