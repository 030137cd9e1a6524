/* Line state and the choice of what to signal (IHI 0069H chapter 4, IHI 0048B chapter 3).
 *
 * For every vCPU a bitmap of candidates is kept up to date: lines that are pending, enabled,
 * inactive, of an enabled group, and routed to it. A change of one line touches one word of each;
 * only when that word differs is the choice made again, from the few candidates there are. */
#include "vdev/gic/gic_internal.h"

#include "emu/check.h"

static unsigned lowest_bit(uint32_t bits)
{
    return (unsigned)__builtin_ctz(bits);
}

/* A level-sensitive line is pending while its input is high, or since software said so; an
 * edge-triggered one since the edge (IHI 0069H chapter 4, IHI 0048B 4.3.7). */
uint32_t gic_pending_of(const struct gic *g, unsigned bank)
{
    return g->pending[bank] | (g->level[bank] & ~g->edge[bank]);
}

/* Groups (bit n: Group n) that distributor and CPU interface both enable for this vCPU. */
static uint32_t enabled_groups(const struct gic *g, unsigned vcpu)
{
    return g->asleep[vcpu] ? 0 : g->dist_control & g->cpu_control[vcpu] & 3;
}

unsigned gic_running_priority(const struct gic *g, unsigned vcpu)
{
    uint32_t active = g->active_priorities0[vcpu] | g->active_priorities1[vcpu];
    return active ? lowest_bit(active) * 8 : GIC_IDLE_PRIORITY;
}

/* The bits of a priority that take part in preemption. A binary point of n leaves [7:n+1] for
 * Group 0, and [7:n] for Group 1 unless CBPR makes both use the first (IHI 0069H 4.8,
 * IHI 0048B 3.3.3). */
unsigned gic_group_priority(const struct gic *g, unsigned vcpu, unsigned group, unsigned priority)
{
    unsigned shift =
        group == 1 && !(g->cpu_control[vcpu] & CPU_CBPR) ? g->bpr1[vcpu] : g->bpr0[vcpu] + 1u;
    return priority & (0xffu << shift);
}

/* Masking and preemption: higher than PMR, and its group priority higher than what runs. */
bool gic_can_signal(const struct gic *g, unsigned vcpu)
{
    const struct gic_choice *c = &g->choice[vcpu];
    return c->priority < g->pmr[vcpu] &&
           gic_group_priority(g, vcpu, c->group, c->priority) < gic_running_priority(g, vcpu);
}

/* Group 0 is FIQ in version 3, and in version 2 if GICC_CTLR.FIQEn says so. */
static bool chosen_is_fiq(const struct gic *g, unsigned vcpu)
{
    return g->choice[vcpu].group == 0 &&
           (g->version == 3 || (g->cpu_control[vcpu] & CPU_FIQ_EN) != 0);
}

static void send_output(struct gic *g, unsigned vcpu)
{
    const struct gic_choice *c = &g->choice[vcpu];
    pic_signal(&g->pic, vcpu,
               (c->irq ? (unsigned)CPU_SIGNAL_IRQ : 0) | (c->fiq ? (unsigned)CPU_SIGNAL_FIQ : 0));
}

void gic_signal(struct gic *g, unsigned vcpu)
{
    struct gic_choice *c = &g->choice[vcpu];
    bool any = c->intid != GIC_NONE && gic_can_signal(g, vcpu);
    bool fiq = any && chosen_is_fiq(g, vcpu);
    bool irq = any && !fiq;
    if (irq == c->irq && fiq == c->fiq)
        return;
    c->irq = irq;
    c->fiq = fiq;
    send_output(g, vcpu);
}

/* The highest priority; among equals the lowest INTID (an order the manual leaves open). */
static void choose(struct gic *g, unsigned vcpu)
{
    struct gic_choice *c = &g->choice[vcpu];
    c->intid = GIC_NONE;
    c->priority = GIC_IDLE_PRIORITY;
    for (uint32_t words = c->words; words; words &= words - 1) {
        unsigned word = lowest_bit(words), bank = gic_bank(vcpu, word);
        for (uint32_t lines = c->candidates[word]; lines; lines &= lines - 1) {
            unsigned line = lowest_bit(lines);
            if (g->priority[bank * 32 + line] < c->priority) {
                c->priority = g->priority[bank * 32 + line];
                c->intid = word * 32 + line;
                c->bank = bank;
            }
        }
    }
    if (c->intid != GIC_NONE)
        c->group = g->group[c->bank] >> (c->intid & 31) & 1;
    gic_signal(g, vcpu);
}

/* True if the vCPU's candidates changed. */
static bool update_word(struct gic *g, unsigned vcpu, unsigned word)
{
    struct gic_choice *c = &g->choice[vcpu];
    unsigned bank = gic_bank(vcpu, word);
    uint32_t groups = enabled_groups(g, vcpu);
    uint32_t accepted = (groups & 1 ? ~g->group[bank] : 0) | (groups & 2 ? g->group[bank] : 0);
    uint32_t candidates = gic_pending_of(g, bank) & g->enabled[bank] & ~g->active[bank] & accepted &
                          g->routed[vcpu][word];
    if (candidates == c->candidates[word])
        return false;
    c->candidates[word] = candidates;
    c->words = candidates ? c->words | 1u << word : c->words & ~(1u << word);
    return true;
}

void gic_bank_changed(struct gic *g, unsigned bank)
{
    if (bank < GIC_VCPUS_MAX) {
        if (update_word(g, bank, 0))
            choose(g, bank);
        return;
    }
    for (unsigned vcpu = 0; vcpu < g->vcpu_count; vcpu++)
        if (update_word(g, vcpu, bank - GIC_VCPUS_MAX + 1))
            choose(g, vcpu);
}

void gic_priority_changed(struct gic *g, unsigned bank)
{
    if (bank < GIC_VCPUS_MAX) {
        choose(g, bank);
        return;
    }
    for (unsigned vcpu = 0; vcpu < g->vcpu_count; vcpu++)
        if (g->choice[vcpu].candidates[bank - GIC_VCPUS_MAX + 1])
            choose(g, vcpu);
}

void gic_cpu_changed(struct gic *g, unsigned vcpu)
{
    for (unsigned word = 0; word < GIC_WORDS; word++)
        update_word(g, vcpu, word);
    choose(g, vcpu);
}

/* 1-of-N: which one of the eligible vCPUs is the implementation's choice; here the lowest number
 * (IHI 0069H, GICD_IROUTER; GICR_CTLR.DPG0 is bit 24, DPG1NS bit 25). */
static uint32_t one_of_n_target(const struct gic *g, unsigned group)
{
    for (unsigned vcpu = 0; vcpu < g->vcpu_count; vcpu++) {
        bool refuses = (g->redist_control[vcpu] >> (24 + group) & 1) != 0;
        if (!g->asleep[vcpu] && !refuses && (g->cpu_control[vcpu] >> group & 1))
            return 1u << vcpu;
    }
    return 0;
}

#define IROUTER_IRM      ((uint64_t)1 << 31)
#define IROUTER_AFFINITY UINT64_C(0xff00ffffff)

static uint32_t targets_of(const struct gic *g, unsigned spi)
{
    if (g->version == 2) /* a uniprocessor has no targets to choose: IHI 0048B 4.3.12 */
        return g->vcpu_count == 1 ? 1 : g->itargets[spi];
    if (g->irouter[spi] & IROUTER_IRM)
        return one_of_n_target(g, g->group[gic_bank(0, spi / 32 + 1)] >> (spi & 31) & 1);
    uint64_t affinity = g->irouter[spi] & IROUTER_AFFINITY;
    return affinity < g->vcpu_count ? 1u << affinity : 0;
}

void gic_route_spi(struct gic *g, unsigned spi)
{
    uint32_t targets = targets_of(g, spi);
    uint32_t bit = 1u << (spi & 31);
    for (unsigned vcpu = 0; vcpu < g->vcpu_count; vcpu++) {
        uint32_t *routed = &g->routed[vcpu][spi / 32 + 1];
        *routed = targets >> vcpu & 1 ? *routed | bit : *routed & ~bit;
    }
}

void gic_eligibility_changed(struct gic *g)
{
    if (g->version == 2)
        return;
    for (unsigned spi = 0; spi < GIC_SPIS; spi++) {
        if (!(g->irouter[spi] & IROUTER_IRM))
            continue;
        gic_route_spi(g, spi);
        gic_bank_changed(g, gic_bank(0, spi / 32 + 1));
    }
}

void gic_everything_changed(struct gic *g)
{
    for (unsigned spi = 0; spi < GIC_SPIS; spi++)
        gic_route_spi(g, spi);
    for (unsigned vcpu = 0; vcpu < g->vcpu_count; vcpu++) {
        g->routed[vcpu][0] = UINT32_MAX;
        gic_cpu_changed(g, vcpu);
        send_output(g, vcpu);
    }
}

static void set_input(struct gic *g, unsigned bank, unsigned line, bool level)
{
    uint32_t bit = 1u << line;
    if (((g->level[bank] & bit) != 0) == level)
        return;
    g->level[bank] ^= bit;
    if (g->edge[bank] & bit) {
        if (!level)
            return; /* only the rising edge counts */
        g->pending[bank] |= bit;
    }
    gic_bank_changed(g, bank);
}

void gic_set_spi(void *v, unsigned intid, bool level)
{
    CHECK(intid >= 32 && intid < GIC_LINES);
    set_input(gic_of(v), gic_bank(0, intid / 32), intid & 31, level);
}

void gic_set_ppi(struct vdev *v, unsigned vcpu, unsigned intid, bool level)
{
    struct gic *g = gic_of(v);
    CHECK(intid >= 16 && intid < 32 && vcpu < g->vcpu_count);
    set_input(g, vcpu, intid, level);
}

void gic_send_sgi(struct gic *g, unsigned from, unsigned to, unsigned intid)
{
    if (g->version == 2)
        g->sgi_sources[to * 16 + intid] |= (uint8_t)(1u << from);
    g->pending[to] |= 1u << intid;
    gic_bank_changed(g, to);
}
