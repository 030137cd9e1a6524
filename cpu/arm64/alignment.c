/* Alignment (Arm ARM B2.9.2): of addresses, where stage 1 is off (all data is Device-nGnRnE then),
 * where SCTLR_EL1.A asks for it, and of exclusives, atomics, acquires and releases everywhere; of
 * SP, where SCTLR_EL1.SA and SA0 ask for it (D1.3.10.2). Of memory that stage 1 maps as Device see
 * withheld.c. No model here has FEAT_LSE2. */
#include "cpu/arm64/cpu_internal.h"
#include "emu/machine.h"

/* The engine compares registers when it translates, so what it checks may not depend on more. */
void alignment_update_checks(struct arm64_vcpu *v)
{
    uint64_t sctlr = v->stage1.sctlr;
    unsigned checks = CHECK_ORDERED | (alignment_is_of_all(v) ? CHECK_ALL : 0u) |
                      (sctlr & SCTLR_M ? 0u : CHECK_ZERO) | (sctlr & SCTLR_SA ? CHECK_SP_EL1 : 0u) |
                      (sctlr & SCTLR_SA0 ? CHECK_SP_EL0 : 0u) |
                      (v->cpu.world->quirks & QUIRK_STXR ? 0u : CHECK_STXR);
    if (v->cpu.world->quirks & QUIRK_UNALIGNED)
        checks = 0;
    bool made = engine_set_checks(v->cpu.world->engine, checks);
    v->checks_are_ours = checks && !made;
}

static bool sp_is_misaligned(const struct arm64_vcpu *v, const struct insn_memory *m)
{
    struct engine *e = v->cpu.world->engine;
    bool reads_sp = m->rn == 31 && m->class != INSN_NOT_MEMORY;
    return reads_sp && engine_sp(e) % 16 &&
           (v->stage1.sctlr & (at_el0(engine_mode(e)) ? SCTLR_SA0 : SCTLR_SA));
}

/* Whatever memory it is to? */
static bool is_checked(const struct arm64_vcpu *v, const struct insn_memory *m)
{
    if (m->class == INSN_ZERO)
        return false;
    return (v->stage1.sctlr & SCTLR_A) || m->ordered || m->class == INSN_EXCLUSIVE ||
           m->class == INSN_ATOMIC;
}

bool alignment_faults(const struct arm64_vcpu *v, const struct insn_memory *m)
{
    if (v->cpu.world->quirks & QUIRK_UNALIGNED)
        return false;
    bool is_device = !(v->stage1.sctlr & SCTLR_M);
    if (m->class == INSN_ZERO)
        return is_device;
    return sp_is_misaligned(v, m) || (is_misaligned(m) && (is_device || is_checked(v, m)));
}

/* With stage 1 off an address that is too large faults before the type of memory matters
 * (AArch64.S1DisabledOutput). */
static bool is_too_large(struct arm64_vcpu *v, const struct insn_memory *m, struct fault *fault)
{
    struct access access = {.kind = m->is_write ? ACCESS_WRITE : ACCESS_READ};
    struct tlb_leaf leaf;
    return !(v->stage1.sctlr & SCTLR_M) && !is_checked(v, m) &&
           !stage1_walk(&v->stage1, stage2_of(v->cpu.world->tables), v->cpu.world->memory,
                        gva(m->address), &access, NULL, &leaf, fault);
}

/* An SP alignment fault comes first, and leaves FAR_EL1 as it is. */
bool alignment_take(struct arm64_vcpu *v, uint64_t pc, const struct insn_memory *m)
{
    if (!alignment_faults(v, m))
        return false;
    if (sp_is_misaligned(v, m)) {
        exception_take(v, VECTOR_SYNC, esr_of(EC_SP_ALIGNMENT, 0), pc, false, 0);
        return true;
    }
    struct refused r = {.fault = {0}};
    if (!is_too_large(v, m, &r.fault))
        r.fault = (struct fault){.class = FAULT_ALIGNMENT, .stage = 1};
    abort_take(v, pc, gva(m->class == INSN_ZERO ? m->argument : m->address), m, &r);
    return true;
}

/* Looks ------------------------------------------------------------------------------------------
 */

/* Where the engine makes no checks each block is looked at before it runs, for acquires, releases
 * and what is based on SP. At an instruction whose base is not known where the block begins the run
 * stops, to look again. */

/* Most instructions need no decoding. */
static bool may_be_looked_at(uint32_t word)
{
    bool is_based_on_sp = (word >> 25 & 5) == 4 && (word >> 5 & 31) == 31;
    return is_based_on_sp || insn_may_be_ordered(word);
}

/* Not one that is undefined on this model. Exclusive stores are checked before the monitor is asked
 * (AArch64.ExclusiveMonitorsPass). */
static bool is_looked_at(const struct arm64_vcpu *v, const struct insn_memory *m, uint32_t word)
{
    if (m->class == INSN_NOT_MEMORY || (insn_is_after_v8_0(word) && !v->has_pan))
        return false;
    if (m->class == INSN_EXCLUSIVE && m->is_write)
        return !(v->cpu.world->quirks & QUIRK_STXR);
    return m->rn == 31 || (m->ordered && m->class == INSN_SINGLE);
}

/* The registers that the instructions before have changed, and what to. SP only counts where it
 * may have moved by something else than multiples of 16. */
struct bases {
    uint32_t changed, known;
    uint64_t value[31];
};

static bool base_is_known(const struct bases *b, unsigned n)
{
    return !(b->changed >> n & 1) || (b->known >> n & 1);
}

static uint64_t base(struct engine *e, const struct bases *b, unsigned n)
{
    if (n == 31) /* SP is never known */
        return engine_sp(e);
    return b->known >> n & 1 ? b->value[n] : engine_x(e, n);
}

/* An addition of a constant to a base that is known gives another one. */
static void follow(struct engine *e, struct bases *b, uint32_t word)
{
    unsigned rd = word & 31, rn = word >> 5 & 31;
    uint32_t changed = insn_may_change_bases(word);
    bool is_add = (word & 0xbf800000) == 0x91000000 && rd != 31 && base_is_known(b, rn);
    uint64_t by = (uint64_t)(word >> 10 & 0xfff) << (word >> 22 & 1 ? 12 : 0);
    if (is_add)
        b->value[rd] = base(e, b, rn) + (word >> 30 & 1 ? -by : by);
    b->changed |= changed;
    b->known &= ~changed;
    b->known |= (uint32_t)is_add << rd;
}

/* `b`: of the block up to there. False: what is there depends on nothing that is looked at. */
static bool decode_looked_at(struct arm64_vcpu *v, uint64_t pc, uint32_t word,
                             const struct bases *b, struct insn_memory *m)
{
    struct engine *e = v->cpu.world->engine;
    if (!may_be_looked_at(word))
        return false;
    *m = insn_memory_decode(e, pc, word);
    if (!is_looked_at(v, m, word))
        return false;
    if (m->rn != 31)
        m->address += base(e, b, m->rn) - engine_x(e, m->rn);
    return true;
}

/* Before the block runs. */
uint64_t alignment_may_run(void *cpu, uint64_t pc, unsigned size_bytes, enum engine_look *kind)
{
    struct arm64_vcpu *v = cpu;
    struct bases b = {.changed = 0};
    uint64_t at = pc;
    uint32_t word;
    *kind = LOOK_AT_NONE;
    for (; at < pc + size_bytes && translate_peek(v, at, &word); at += 4) {
        struct insn_memory m;
        if (decode_looked_at(v, at, word, &b, &m)) {
            bool is_easy = m.rn == 31 && !m.ordered && base_is_known(&b, 31);
            *kind = is_easy && *kind != LOOK_ALWAYS ? LOOK_AT_SP : LOOK_ALWAYS;
            if (!base_is_known(&b, m.rn) || alignment_faults(v, &m))
                break;
        }
        follow(v->cpu.world->engine, &b, word);
    }
    if (at >= pc + size_bytes)
        return UINT64_MAX;
    *kind = LOOK_ALWAYS;
    return (at - pc) / 4;
}

bool alignment_take_pending(struct arm64_vcpu *v)
{
    static const struct bases none;
    struct engine *e = v->cpu.world->engine;
    uint64_t pc = engine_pc(e);
    struct insn_memory m;
    uint32_t word;
    if (!v->checks_are_ours || !translate_peek(v, pc, &word) ||
        !decode_looked_at(v, pc, word, &none, &m) || !alignment_faults(v, &m))
        return false;
    engine_count_attempt(e);
    return alignment_take(v, pc, &m);
}
