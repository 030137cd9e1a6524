/* GICC_*: the memory-mapped CPU interface of GICv2 (IHI 0048B 4.4). One security state with both
 * groups: the plain registers serve Group 0 (and Group 1 if GICC_CTLR.AckCtl), the aliased ones
 * Group 1. */
#include "vdev/gic/gic_internal.h"

enum {
    GICC_CTLR = 0x0000,
    GICC_PMR = 0x0004,
    GICC_BPR = 0x0008,
    GICC_IAR = 0x000c,
    GICC_EOIR = 0x0010,
    GICC_RPR = 0x0014,
    GICC_HPPIR = 0x0018,
    GICC_ABPR = 0x001c,
    GICC_AIAR = 0x0020,
    GICC_AEOIR = 0x0024,
    GICC_AHPPIR = 0x0028,
    GICC_APR0 = 0x00d0,
    GICC_NSAPR0 = 0x00e0,
    GICC_IIDR = 0x00fc,
    GICC_DIR = 0x1000,
};

#define CTLR_BITS 0x3ffu      /* all there are without the Security Extensions */
#define IIDR      0x0512043bu /* product, architecture version 2, revision, implementer */
#define INTID(v)  ((v)&0x3ff) /* the rest of EOIR and DIR names the SGI's source */

/* What a group's acknowledge or highest-pending register shows: the INTID, or why not
 * (IHI 0048B 4.4.4). */
static unsigned shown(const struct gic *g, unsigned vcpu, bool aliased)
{
    const struct gic_choice *c = &g->choice[vcpu];
    if (c->intid == GIC_NONE)
        return GIC_NONE;
    if (c->group == 0)
        return aliased ? GIC_NONE : c->intid;
    return aliased || g->cpu_control[vcpu] & CPU_ACK_CTL ? c->intid : GIC_OTHER_GROUP;
}

static unsigned acknowledge(struct gic *g, unsigned vcpu, bool aliased)
{
    if (!gic_can_signal(g, vcpu))
        return GIC_NONE;
    unsigned intid = shown(g, vcpu, aliased);
    return intid < GIC_LINES ? gic_acknowledge(g, vcpu) : intid;
}

/* GICC_HPPIR names the SGI's source as GICC_IAR would. */
static unsigned highest_pending(const struct gic *g, unsigned vcpu, bool aliased)
{
    unsigned intid = shown(g, vcpu, aliased);
    if (intid >= 16 || !g->sgi_sources[vcpu * 16 + intid])
        return intid;
    return intid | (unsigned)__builtin_ctz(g->sgi_sources[vcpu * 16 + intid]) << 10;
}

static void end_of_interrupt(struct gic *g, unsigned vcpu, unsigned groups, unsigned intid)
{
    if (intid >= GIC_LINES)
        return;
    if (!gic_priority_drop(g, vcpu, groups))
        log_guest(g->pic.v.env->log, "gic: vCPU %u ends interrupt %u out of order", vcpu, intid);
    if (!(g->cpu_control[vcpu] & CPU_EOI_MODE))
        gic_deactivate(g, vcpu, intid);
}

static uint32_t read_register(struct gic *g, unsigned vcpu, uint64_t offset)
{
    unsigned running = gic_running_priority(g, vcpu);
    switch (offset) {
    case GICC_CTLR:
        return g->cpu_control[vcpu];
    case GICC_PMR:
        return g->pmr[vcpu];
    case GICC_BPR:
        return g->bpr0[vcpu];
    case GICC_IAR:
        return acknowledge(g, vcpu, false);
    case GICC_RPR:
        return running < GIC_IDLE_PRIORITY ? running : 0xff;
    case GICC_HPPIR:
        return highest_pending(g, vcpu, false);
    case GICC_ABPR:
        return gic_bpr1_read(g, vcpu);
    case GICC_AIAR:
        return acknowledge(g, vcpu, true);
    case GICC_AHPPIR:
        return highest_pending(g, vcpu, true);
    case GICC_APR0:
        return g->active_priorities0[vcpu];
    case GICC_NSAPR0:
        return g->active_priorities1[vcpu];
    case GICC_IIDR:
        return IIDR;
    default:
        return 0;
    }
}

static void write_register(struct gic *g, unsigned vcpu, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case GICC_CTLR:
        gic_cpu_control_write(g, vcpu, CTLR_BITS, value);
        break;
    case GICC_PMR:
        g->pmr[vcpu] = value & GIC_PRIORITY_MASK;
        gic_signal(g, vcpu);
        break;
    case GICC_BPR:
        gic_bpr0_write(g, vcpu, value);
        break;
    case GICC_EOIR:
        end_of_interrupt(g, vcpu, g->cpu_control[vcpu] & CPU_ACK_CTL ? 3 : 1, INTID(value));
        break;
    case GICC_ABPR:
        gic_bpr1_write(g, vcpu, value);
        break;
    case GICC_AEOIR:
        end_of_interrupt(g, vcpu, 2, INTID(value));
        break;
    case GICC_APR0:
        g->active_priorities0[vcpu] = value;
        gic_signal(g, vcpu);
        break;
    case GICC_NSAPR0:
        g->active_priorities1[vcpu] = value;
        gic_signal(g, vcpu);
        break;
    case GICC_DIR:
        if (g->cpu_control[vcpu] & CPU_EOI_MODE)
            gic_deactivate(g, vcpu, INTID(value));
        break;
    default:
        log_guest(g->pic.v.env->log, "gic: write to read-only or reserved GICC+%#x",
                  (unsigned)offset);
        break;
    }
}

enum bus_answer gic_cpu_v2_access(struct gic *g, struct bus_access *a)
{
    if (a->size != 4)
        return BUS_NOBODY;
    if (a->is_write)
        write_register(g, a->vcpu, a->offset, (uint32_t)a->value);
    else
        a->value = read_register(g, a->vcpu, a->offset);
    return BUS_HANDLED;
}
