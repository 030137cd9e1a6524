/* GICR_*: one redistributor for each vCPU, two frames of 64 KiB each: RD_base and SGI_base
 * (IHI 0069H, GICR_*). No LPIs. */
#include "emu/machine.h"
#include "vdev/gic/gic_internal.h"

enum {
    GICR_CTLR = 0x0000,
    GICR_IIDR = 0x0004,
    GICR_TYPER = 0x0008,
    GICR_WAKER = 0x0014,
    GICR_PROPBASER = 0x0070, /* with GICR_PENDBASER, 64 bits wide: reserved without LPIs */
    GICR_PENDBASER = 0x0078,
    GICR_PIDR4 = 0xffd0,
    SGI_FIRST = 0x0080,
    SGI_END = 0x0f00,
};

#define CTLR_DPG0      (1u << 24) /* takes no 1-of-N interrupts of Group 0 */
#define CTLR_DPG1NS    (1u << 25) /* takes no 1-of-N interrupts of Group 1 */
#define WAKER_SLEEP    (1u << 1)
#define WAKER_CHILDREN (1u << 2) /* follows ProcessorSleep at once */
#define TYPER_LAST     (1u << 4)
#define TYPER_DPGS     (1u << 5)

static uint64_t typer(const struct gic *g, unsigned vcpu)
{
    uint64_t value = (uint64_t)vcpu << 32; /* Affinity_Value: Aff0 */
    value |= (uint64_t)vcpu << 8;          /* Processor_Number */
    value |= TYPER_DPGS;
    return vcpu == g->vcpu_count - 1 ? value | TYPER_LAST : value;
}

static uint32_t id_register(unsigned index)
{
    static const uint8_t ids[12] = {0x44, 0, 0, 0, 0x93, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};
    return ids[index];
}

static uint32_t read_word(const struct gic *g, unsigned vcpu, uint64_t offset)
{
    if (offset >= GICR_PIDR4)
        return id_register((unsigned)(offset - GICR_PIDR4) / 4);
    switch (offset) {
    case GICR_CTLR:
        return g->redist_control[vcpu];
    case GICR_IIDR:
        return 0x5100043b;
    case GICR_TYPER:
        return (uint32_t)typer(g, vcpu);
    case GICR_TYPER + 4:
        return (uint32_t)(typer(g, vcpu) >> 32);
    case GICR_WAKER:
        return g->asleep[vcpu] ? WAKER_SLEEP | WAKER_CHILDREN : 0;
    default:
        return 0;
    }
}

static void write_word(struct gic *g, unsigned vcpu, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case GICR_CTLR:
        g->redist_control[vcpu] = value & (CTLR_DPG0 | CTLR_DPG1NS);
        gic_eligibility_changed(g);
        break;
    case GICR_WAKER:
        g->asleep[vcpu] = (value & WAKER_SLEEP) != 0;
        gic_eligibility_changed(g);
        gic_cpu_changed(g, vcpu);
        break;
    default:
        log_guest(g->pic.v.env->log, "gic: write to read-only or reserved GICR+%#x",
                  (unsigned)offset);
        break;
    }
}

static enum bus_answer access_rd_64(const struct gic *g, unsigned vcpu, struct bus_access *a)
{
    bool is_64 =
        a->offset == GICR_TYPER || a->offset == GICR_PROPBASER || a->offset == GICR_PENDBASER;
    if (!is_64)
        return BUS_NOBODY;
    if (!a->is_write)
        a->value = a->offset == GICR_TYPER ? typer(g, vcpu) : 0;
    return BUS_HANDLED;
}

static enum bus_answer access_rd(struct gic *g, unsigned vcpu, struct bus_access *a)
{
    if (a->size == 8)
        return access_rd_64(g, vcpu, a);
    if (a->size != 4)
        return BUS_NOBODY;
    if (a->is_write)
        write_word(g, vcpu, a->offset, (uint32_t)a->value);
    else
        a->value = read_word(g, vcpu, a->offset);
    return BUS_HANDLED;
}

static enum bus_answer access_sgi(struct gic *g, unsigned vcpu, struct bus_access *a)
{
    struct gic_view view = {vcpu, 0, 0};
    if (a->offset >= SGI_FIRST && a->offset < SGI_END)
        return gic_registers_access(g, view, a);
    if (a->size != 4)
        return BUS_NOBODY;
    if (!a->is_write)
        a->value = 0;
    return BUS_HANDLED;
}

enum bus_answer gic_redistributor_access(struct gic *g, struct bus_access *a)
{
    unsigned frame = (unsigned)(a->offset / GIC_FRAME), vcpu = frame / 2;
    struct bus_access in_frame = *a;
    in_frame.offset = a->offset % GIC_FRAME;
    enum bus_answer answer =
        frame % 2 ? access_sgi(g, vcpu, &in_frame) : access_rd(g, vcpu, &in_frame);
    a->value = in_frame.value;
    return answer;
}

/* A guest that enters at EL1 finds its redistributors awake: the firmware before it woke that of
 * each CPU it starts. Machines of the past left that to the guest. */
bool gic_starts_asleep(const struct gic *g)
{
    return g->version == 3 && (g->pic.v.env->quirks & QUIRK_GICR_ASLEEP);
}

void gic_vcpu_started(struct vdev *v, unsigned vcpu)
{
    struct gic *g = gic_of(v);
    if (!g->asleep[vcpu] || gic_starts_asleep(g))
        return;
    g->asleep[vcpu] = false;
    gic_eligibility_changed(g);
    gic_cpu_changed(g, vcpu);
}
