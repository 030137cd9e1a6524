/* The CPU interface, as far as both versions agree: an interrupt's way from the signal to inactive
 * (IHI 0069H chapter 4, IHI 0048B 3.2 and 3.3). */
#include "vdev/gic/gic_internal.h"

#include "emu/check.h"

static uint32_t *active_priorities(struct gic *g, unsigned vcpu, unsigned group)
{
    return group ? &g->active_priorities1[vcpu] : &g->active_priorities0[vcpu];
}

/* GICv2: an SGI is pending once for each sender; one acknowledge takes one of them, the lowest
 * (IHI 0048B 4.4.4). Returns the sender in its place in GICC_IAR. */
static unsigned take_sgi_source(struct gic *g, unsigned vcpu, unsigned intid)
{
    uint8_t *sources = &g->sgi_sources[vcpu * 16 + intid];
    if (!*sources)
        return 0;
    unsigned from = (unsigned)__builtin_ctz(*sources);
    *sources &= (uint8_t)(*sources - 1);
    if (*sources)
        g->pending[vcpu] |= 1u << intid;
    return from << 10;
}

unsigned gic_acknowledge(struct gic *g, unsigned vcpu)
{
    const struct gic_choice *c = &g->choice[vcpu];
    unsigned intid = c->intid, bank = c->bank, source = 0;
    CHECK(intid != GIC_NONE);
    uint32_t bit = 1u << (intid & 31);
    unsigned level = gic_group_priority(g, vcpu, c->group, c->priority) / 8;
    *active_priorities(g, vcpu, c->group) |= 1u << level;
    g->active[bank] |= bit;
    g->pending[bank] &= ~bit;
    if (g->version == 2 && intid < 16)
        source = take_sgi_source(g, vcpu, intid);
    gic_bank_changed(g, bank); /* no longer a candidate: chooses and signals again */
    return intid | source;
}

bool gic_priority_drop(struct gic *g, unsigned vcpu, unsigned groups)
{
    uint32_t *ap0 = &g->active_priorities0[vcpu], *ap1 = &g->active_priorities1[vcpu];
    uint32_t all = *ap0 | *ap1, highest = all & (0 - all);
    if (groups & 1 && *ap0 & highest)
        *ap0 &= ~highest;
    else if (groups & 2 && *ap1 & highest)
        *ap1 &= ~highest;
    else
        return false;
    gic_signal(g, vcpu);
    return true;
}

void gic_deactivate(struct gic *g, unsigned vcpu, unsigned intid)
{
    if (intid >= GIC_LINES)
        return;
    unsigned bank = gic_bank(vcpu, intid / 32);
    g->active[bank] &= ~(1u << (intid & 31));
    gic_bank_changed(g, bank);
}

/* With CBPR the Group 1 binary point reads as the common one plus one, and ignores writes
 * (IHI 0069H, ICC_BPR1_EL1). */
uint8_t gic_bpr1_read(const struct gic *g, unsigned vcpu)
{
    if (!(g->cpu_control[vcpu] & CPU_CBPR))
        return g->bpr1[vcpu];
    return g->bpr0[vcpu] < 7 ? (uint8_t)(g->bpr0[vcpu] + 1) : 7;
}

/* Values below the minimum set the minimum. */
void gic_bpr0_write(struct gic *g, unsigned vcpu, uint64_t value)
{
    uint8_t point = value & 7;
    g->bpr0[vcpu] = point < GIC_BPR0_MIN ? GIC_BPR0_MIN : point;
    gic_signal(g, vcpu);
}

void gic_bpr1_write(struct gic *g, unsigned vcpu, uint64_t value)
{
    uint8_t point = value & 7;
    if (g->cpu_control[vcpu] & CPU_CBPR)
        return;
    g->bpr1[vcpu] = point < GIC_BPR1_MIN ? GIC_BPR1_MIN : point;
    gic_signal(g, vcpu);
}

void gic_cpu_control_write(struct gic *g, unsigned vcpu, uint32_t mask, uint32_t value)
{
    g->cpu_control[vcpu] = (g->cpu_control[vcpu] & ~mask) | (value & mask);
    gic_eligibility_changed(g);
    gic_cpu_changed(g, vcpu);
}
