/* ICC_*_EL1: the system registers of the GICv3 CPU interface (IHI 0069H 12.2), one security state,
 * 5 bits of priority and of preemption, so one active-priorities register for each group. */
#include "vdev/gic/gic_internal.h"

#define ICC(crm, op2) (3u << 14 | 12u << 7 | (crm) << 3 | (op2))

enum {
    ICC_PMR_EL1 = 3u << 14 | 4u << 7 | 6u << 3,
    ICC_IAR0_EL1 = ICC(8, 0),
    ICC_EOIR0_EL1 = ICC(8, 1),
    ICC_HPPIR0_EL1 = ICC(8, 2),
    ICC_BPR0_EL1 = ICC(8, 3),
    ICC_AP0R0_EL1 = ICC(8, 4),
    ICC_AP1R0_EL1 = ICC(9, 0),
    ICC_DIR_EL1 = ICC(11, 1),
    ICC_RPR_EL1 = ICC(11, 3),
    ICC_SGI1R_EL1 = ICC(11, 5),
    ICC_ASGI1R_EL1 = ICC(11, 6),
    ICC_SGI0R_EL1 = ICC(11, 7),
    ICC_IAR1_EL1 = ICC(12, 0),
    ICC_EOIR1_EL1 = ICC(12, 1),
    ICC_HPPIR1_EL1 = ICC(12, 2),
    ICC_BPR1_EL1 = ICC(12, 3),
    ICC_CTLR_EL1 = ICC(12, 4),
    ICC_SRE_EL1 = ICC(12, 5),
    ICC_IGRPEN0_EL1 = ICC(12, 6),
    ICC_IGRPEN1_EL1 = ICC(12, 7),
};

/* ICC_CTLR_EL1: CBPR and EOImode are writable; PRIbits is one less than the number, A3V is set;
 * IDbits 0 = 16 bits. */
#define ICC_CTLR_CBPR    (1u << 0)
#define ICC_CTLR_EOIMODE (1u << 1)
#define ICC_CTLR_FIXED   (4u << 8 | 1u << 15)

/* ICC_SRE_EL1: SRE, DFB and DIB, all RAO/WI: there is no other interface. */
#define ICC_SRE_FIXED 7u

static unsigned shown(const struct gic *g, unsigned vcpu, unsigned group)
{
    const struct gic_choice *c = &g->choice[vcpu];
    return c->intid != GIC_NONE && c->group == group ? c->intid : GIC_NONE;
}

static unsigned acknowledge(struct gic *g, unsigned vcpu, unsigned group)
{
    if (!gic_can_signal(g, vcpu) || shown(g, vcpu, group) == GIC_NONE)
        return GIC_NONE;
    return gic_acknowledge(g, vcpu);
}

/* A write that does not match the highest active priority is UNPREDICTABLE; here it changes
 * nothing (IHI 0069H, ICC_EOIR0_EL1). */
static void end_of_interrupt(struct gic *g, unsigned vcpu, unsigned group, uint64_t value)
{
    unsigned intid = value & 0xffffff;
    if (intid >= GIC_LINES)
        return;
    if (!gic_priority_drop(g, vcpu, 1u << group)) {
        log_guest(g->pic.v.env->log, "gic: vCPU %u ends interrupt %u out of order", vcpu, intid);
        return;
    }
    bool same_group = (g->group[gic_bank(vcpu, intid / 32)] >> (intid & 31) & 1) == group;
    if (!(g->cpu_control[vcpu] & CPU_EOI_MODE) && same_group)
        gic_deactivate(g, vcpu, intid);
}

static void deactivate(struct gic *g, unsigned vcpu, uint64_t value)
{
    if (g->cpu_control[vcpu] & CPU_EOI_MODE)
        gic_deactivate(g, vcpu, value & 0xffffff);
    else
        log_guest(g->pic.v.env->log, "gic: vCPU %u writes ICC_DIR_EL1 with EOImode 0", vcpu);
}

/* Is the vCPU named by the value of ICC_SGI<n>R_EL1? Our affinities are 0.0.0.n, so Aff3-1 and the
 * range selector must be 0. */
static bool sgi_names(uint64_t value, unsigned from, unsigned to)
{
    const uint64_t aff3_rs_aff2_aff1 = UINT64_C(0x00fff0ff00ff0000);
    if (value >> 40 & 1) /* IRM: everyone but the sender */
        return to != from;
    return (value & aff3_rs_aff2_aff1) == 0 && (value >> to & 1);
}

/* With one security state ICC_SGI1R_EL1 generates the SGI whatever the target's group for it;
 * ICC_SGI0R_EL1, and ICC_ASGI1R_EL1 for want of another security state, only if that is Group 0
 * (IHI 0069H, "Use of control registers for SGI forwarding"). */
static void send_sgi(struct gic *g, unsigned from, uint64_t value, bool group0_only)
{
    unsigned intid = value >> 24 & 15;
    for (unsigned to = 0; to < g->vcpu_count; to++)
        if (sgi_names(value, from, to) && !(group0_only && (g->group[to] >> intid & 1)))
            gic_send_sgi(g, from, to, intid);
}

static uint64_t read_control(const struct gic *g, unsigned vcpu)
{
    uint32_t control = g->cpu_control[vcpu];
    return ICC_CTLR_FIXED | (control & CPU_CBPR ? ICC_CTLR_CBPR : 0) |
           (control & CPU_EOI_MODE ? ICC_CTLR_EOIMODE : 0);
}

static void write_control(struct gic *g, unsigned vcpu, uint64_t value)
{
    uint32_t bits =
        (value & ICC_CTLR_CBPR ? CPU_CBPR : 0) | (value & ICC_CTLR_EOIMODE ? CPU_EOI_MODE : 0);
    gic_cpu_control_write(g, vcpu, CPU_CBPR | CPU_EOI_MODE, bits);
}

bool gic_sysreg_read(struct vdev *v, unsigned vcpu, unsigned encoding, uint64_t *value)
{
    struct gic *g = gic_of(v);
    unsigned running;
    if (g->version != 3)
        return false;
    switch (encoding) {
    case ICC_PMR_EL1:
        *value = g->pmr[vcpu];
        return true;
    case ICC_IAR0_EL1:
        *value = acknowledge(g, vcpu, 0);
        return true;
    case ICC_IAR1_EL1:
        *value = acknowledge(g, vcpu, 1);
        return true;
    case ICC_HPPIR0_EL1:
        *value = shown(g, vcpu, 0);
        return true;
    case ICC_HPPIR1_EL1:
        *value = shown(g, vcpu, 1);
        return true;
    case ICC_BPR0_EL1:
        *value = g->bpr0[vcpu];
        return true;
    case ICC_BPR1_EL1:
        *value = gic_bpr1_read(g, vcpu);
        return true;
    case ICC_AP0R0_EL1:
        *value = g->active_priorities0[vcpu];
        return true;
    case ICC_AP1R0_EL1:
        *value = g->active_priorities1[vcpu];
        return true;
    case ICC_RPR_EL1:
        running = gic_running_priority(g, vcpu);
        *value = running < GIC_IDLE_PRIORITY ? running : 0xff;
        return true;
    case ICC_CTLR_EL1:
        *value = read_control(g, vcpu);
        return true;
    case ICC_SRE_EL1:
        *value = ICC_SRE_FIXED;
        return true;
    case ICC_IGRPEN0_EL1:
        *value = g->cpu_control[vcpu] & CPU_ENABLE_GROUP0 ? 1 : 0;
        return true;
    case ICC_IGRPEN1_EL1:
        *value = g->cpu_control[vcpu] & CPU_ENABLE_GROUP1 ? 1 : 0;
        return true;
    default:
        return false;
    }
}

bool gic_sysreg_write(struct vdev *v, unsigned vcpu, unsigned encoding, uint64_t value)
{
    struct gic *g = gic_of(v);
    if (g->version != 3)
        return false;
    switch (encoding) {
    case ICC_PMR_EL1:
        g->pmr[vcpu] = value & GIC_PRIORITY_MASK;
        gic_signal(g, vcpu);
        return true;
    case ICC_EOIR0_EL1:
        end_of_interrupt(g, vcpu, 0, value);
        return true;
    case ICC_EOIR1_EL1:
        end_of_interrupt(g, vcpu, 1, value);
        return true;
    case ICC_BPR0_EL1:
        gic_bpr0_write(g, vcpu, value);
        return true;
    case ICC_BPR1_EL1:
        gic_bpr1_write(g, vcpu, value);
        return true;
    case ICC_AP0R0_EL1:
        g->active_priorities0[vcpu] = (uint32_t)value;
        gic_signal(g, vcpu);
        return true;
    case ICC_AP1R0_EL1:
        g->active_priorities1[vcpu] = (uint32_t)value;
        gic_signal(g, vcpu);
        return true;
    case ICC_DIR_EL1:
        deactivate(g, vcpu, value);
        return true;
    case ICC_SGI1R_EL1:
        send_sgi(g, vcpu, value, false);
        return true;
    case ICC_ASGI1R_EL1:
    case ICC_SGI0R_EL1:
        send_sgi(g, vcpu, value, true);
        return true;
    case ICC_CTLR_EL1:
        write_control(g, vcpu, value);
        return true;
    case ICC_SRE_EL1:
        return true; /* RAO/WI */
    case ICC_IGRPEN0_EL1:
        gic_cpu_control_write(g, vcpu, CPU_ENABLE_GROUP0, value & 1 ? CPU_ENABLE_GROUP0 : 0);
        return true;
    case ICC_IGRPEN1_EL1:
        gic_cpu_control_write(g, vcpu, CPU_ENABLE_GROUP1, value & 1 ? CPU_ENABLE_GROUP1 : 0);
        return true;
    default:
        return false;
    }
}
