/* Why a vCPU gets no interrupt, in words: whoever waits for one wants to know. Of what is pending
 * the line that came farthest on its way to the vCPU is named, with what holds it there. */
#include "vdev/gic/gic_internal.h"

#include "emu/text.h"

/* The stages of a line's way, the last first. */
enum obstacle {
    HELD_BY_PRIORITY,
    HELD_BY_SLEEP,
    HELD_BY_CPU_GROUP,
    HELD_BY_DISTRIBUTOR_GROUP,
    HELD_ACTIVE,
    HELD_DISABLED,
    HELD_ELSEWHERE,
    OBSTACLES,
};

static enum obstacle obstacle_of(const struct gic *g, unsigned vcpu, unsigned intid)
{
    unsigned word = intid / 32, bank = gic_bank(vcpu, word);
    uint32_t bit = 1u << (intid & 31);
    uint32_t group = g->group[bank] & bit ? 2 : 1;
    return !(g->routed[vcpu][word] & bit)    ? HELD_ELSEWHERE
           : !(g->enabled[bank] & bit)       ? HELD_DISABLED
           : g->active[bank] & bit           ? HELD_ACTIVE
           : !(g->dist_control & group)      ? HELD_BY_DISTRIBUTOR_GROUP
           : !(g->cpu_control[vcpu] & group) ? HELD_BY_CPU_GROUP
           : g->asleep[vcpu]                 ? HELD_BY_SLEEP
                                             : HELD_BY_PRIORITY;
}

static void add_priority(const struct gic *g, unsigned vcpu, unsigned intid, char *text,
                         size_t size)
{
    unsigned priority = g->priority[gic_bank(vcpu, intid / 32) * 32 + (intid & 31)];
    if (priority >= g->pmr[vcpu])
        text_add(text, size, "its priority 0x%02x is not above the mask 0x%02x (%s)", priority,
                 g->pmr[vcpu], g->version == 3 ? "ICC_PMR_EL1" : "GICC_PMR");
    else
        text_add(text, size,
                 "its priority 0x%02x is not above the running one, 0x%02x: an earlier "
                 "interrupt has not been ended",
                 priority, gic_running_priority(g, vcpu));
}

static void add_obstacle(const struct gic *g, unsigned vcpu, unsigned intid, char *text,
                         size_t size)
{
    unsigned group = g->group[gic_bank(vcpu, intid / 32)] >> (intid & 31) & 1;
    switch (obstacle_of(g, vcpu, intid)) {
    case HELD_BY_PRIORITY:
        add_priority(g, vcpu, intid, text, size);
        break;
    case HELD_BY_SLEEP:
        text_add(text, size, "the redistributor sleeps (GICR_WAKER.ProcessorSleep)");
        break;
    case HELD_BY_CPU_GROUP:
        text_add(text, size, "the CPU interface does not take group %u (%s)", group,
                 g->version == 2 ? "GICC_CTLR"
                 : group         ? "ICC_IGRPEN1_EL1"
                                 : "ICC_IGRPEN0_EL1");
        break;
    case HELD_BY_DISTRIBUTOR_GROUP:
        text_add(text, size, "the distributor does not forward group %u (GICD_CTLR)", group);
        break;
    case HELD_ACTIVE:
        text_add(text, size, "it is active: it was acknowledged and has not been deactivated");
        break;
    case HELD_DISABLED:
        text_add(text, size, "it is disabled (%s%u)",
                 g->version == 3 && intid < 32 ? "GICR_ISENABLER" : "GICD_ISENABLER", intid / 32);
        break;
    default:
        text_add(text, size, "it goes to another vCPU (%s%u)",
                 g->version == 3 ? "GICD_IROUTER" : "GICD_ITARGETSR",
                 g->version == 3 ? intid : intid / 4);
        break;
    }
}

/* GIC_NONE: nothing is pending. */
static unsigned nearest_pending(const struct gic *g, unsigned vcpu)
{
    unsigned nearest = GIC_NONE;
    enum obstacle least = OBSTACLES;
    for (unsigned intid = 0; intid < GIC_LINES; intid++) {
        if (!(gic_pending_of(g, gic_bank(vcpu, intid / 32)) >> (intid & 31) & 1))
            continue;
        enum obstacle o = obstacle_of(g, vcpu, intid);
        if (o < least) {
            least = o;
            nearest = intid;
        }
    }
    return nearest;
}

/* SGIs of version 2 are always enabled, and say nothing. */
static void add_enabled(const struct gic *g, unsigned vcpu, char *text, size_t size)
{
    unsigned count = 0;
    for (unsigned intid = 16; intid < GIC_LINES; intid++) {
        unsigned bank = gic_bank(vcpu, intid / 32);
        uint32_t lines = g->enabled[bank] & g->routed[vcpu][intid / 32];
        if (lines >> (intid & 31) & 1 && count++ < 4)
            text_add(text, size, "%s%u", count == 1 ? " (enabled: INTID " : ", ", intid);
    }
    text_add(text, size, "%s", count > 4 ? ", ...)" : count ? ")" : ", and none is enabled");
}

void gic_explain(const struct vdev *v, unsigned vcpu, char *text, size_t size)
{
    const struct gic *g = (const struct gic *)(const void *)v;
    unsigned intid = nearest_pending(g, vcpu);
    *text = 0;
    if (intid == GIC_NONE) {
        text_add(text, size, "no interrupt is pending");
        add_enabled(g, vcpu, text, size);
        return;
    }
    text_add(text, size, "INTID %u is pending, but ", intid);
    add_obstacle(g, vcpu, intid, text, size);
}
