/* The GIC as the rest of the program knows it: an interrupt controller. */
#include "vdev/gic/gic_internal.h"

/* PPIs of what a CPU has of its own (Arm BSA 4.0, PPI assignment). */
static unsigned local_number(enum cpu_line line)
{
    static const uint8_t ppis[CPU_LINES] = {
        [CPU_LINE_TIMER_VIRTUAL] = 27, [CPU_LINE_TIMER_PHYSICAL] = 30,
        [CPU_LINE_TIMER_SECURE] = 29,  [CPU_LINE_TIMER_HYPERVISOR] = 26,
        [CPU_LINE_PMU] = 23,
    };
    return ppis[line];
}

static void set_local(struct pic *pic, unsigned vcpu, enum cpu_line line, bool level)
{
    gic_set_ppi(&pic->v, vcpu, local_number(line), level);
}

unsigned gic_version(const struct vdev *v)
{
    return ((const struct gic *)(const void *)v)->version;
}

static bool has_cpu_registers(const struct pic *pic)
{
    return gic_version(&pic->v) == 3;
}

static bool cpu_register(struct pic *pic, unsigned vcpu, unsigned id, bool is_write,
                         uint64_t *value)
{
    return is_write ? gic_sysreg_write(&pic->v, vcpu, id, *value)
                    : gic_sysreg_read(&pic->v, vcpu, id, value);
}

static void vcpu_started(struct pic *pic, unsigned vcpu)
{
    gic_vcpu_started(&pic->v, vcpu);
}

static void explain(const struct pic *pic, unsigned vcpu, char *text, size_t size)
{
    gic_explain(&pic->v, vcpu, text, size);
}

/* Linux, Documentation/devicetree/bindings/interrupt-controller/arm,gic-v3.yaml and arm,gic.yaml:
 * kind, number within it, flags; PPIs of version 2 have the set of their CPUs in the flags. */
static size_t cells(const struct pic *pic, unsigned line, bool is_edge,
                    uint32_t cells[PIC_CELLS_MAX])
{
    enum { SPI = 0, PPI = 1, EDGE_RISING = 1, LEVEL_HIGH = 4 };
    const struct gic *g = (const struct gic *)(const void *)pic;
    bool is_private = line < 32;
    uint32_t cpus = is_private && g->version == 2 ? (1u << g->vcpu_count) - 1 : 0;
    cells[0] = is_private ? PPI : SPI;
    cells[1] = line - (is_private ? 16 : 32);
    cells[2] = (is_edge ? EDGE_RISING : LEVEL_HIGH) | cpus << 8;
    return 3;
}

static bool is_message_frame(const struct pic *pic, unsigned region)
{
    return region == GIC_MSI_REGION && ((const struct gic *)(const void *)pic)->msi.count;
}

const struct pic_type gic_pic = {
    .first_line = 16,
    .first_shared = 32,
    .last_line = GIC_LINES - 1,
    .set_line = gic_set_spi,
    .set_local = set_local,
    .local_number = local_number,
    .has_cpu_registers = has_cpu_registers,
    .cpu_register = cpu_register,
    .vcpu_started = vcpu_started,
    .explain = explain,
    .is_message_frame = is_message_frame,
    .cells = cells,
};
