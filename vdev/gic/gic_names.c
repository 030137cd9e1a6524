/* Names of the interrupt controller's registers: GICD_* and GICR_* (IHI 0069H, chapter 12), GICC_*
 * (IHI 0048B, chapter 4). */
#include "vdev/gic/gic_internal.h"

/* The per-line registers, in the distributor and in the SGI frame of a redistributor at `at`. */
/* clang-format off */
#define LINES(prefix, at)                                                                          \
    {(at) + 0x080, prefix "IGROUPR", 32}, {(at) + 0x100, prefix "ISENABLER", 32},                  \
    {(at) + 0x180, prefix "ICENABLER", 32}, {(at) + 0x200, prefix "ISPENDR", 32},                  \
    {(at) + 0x280, prefix "ICPENDR", 32}, {(at) + 0x300, prefix "ISACTIVER", 32},                  \
    {(at) + 0x380, prefix "ICACTIVER", 32}, {(at) + 0x400, prefix "IPRIORITYR", 255},              \
    {(at) + 0xc00, prefix "ICFGR", 64}
/* clang-format on */

static const struct vdev_register distributor[] = {
    {0x000, "GICD_CTLR", 0},
    {0x004, "GICD_TYPER", 0},
    {0x008, "GICD_IIDR", 0},
    LINES("GICD_", 0),
    {0x800, "GICD_ITARGETSR", 255},
    {0xf00, "GICD_SGIR", 0},
    {0xf10, "GICD_CPENDSGIR", 4},
    {0xf20, "GICD_SPENDSGIR", 4},
    VDEV_REGISTERS_END,
};

static const struct vdev_register redistributor[] = {
    {0x0000, "GICR_CTLR", 0},      {0x0004, "GICR_IIDR", 0},
    {0x0008, "GICR_TYPER", 2},     {0x0014, "GICR_WAKER", 0},
    {0x0070, "GICR_PROPBASER", 2}, {0x0078, "GICR_PENDBASER", 2},
    LINES("GICR_", GIC_FRAME),     VDEV_REGISTERS_END,
};

static const struct vdev_register cpu_interface[] = {
    {0x0000, "GICC_CTLR", 0},  {0x0004, "GICC_PMR", 0},    {0x0008, "GICC_BPR", 0},
    {0x000c, "GICC_IAR", 0},   {0x0010, "GICC_EOIR", 0},   {0x0014, "GICC_RPR", 0},
    {0x0018, "GICC_HPPIR", 0}, {0x001c, "GICC_ABPR", 0},   {0x0020, "GICC_AIAR", 0},
    {0x0024, "GICC_AEOIR", 0}, {0x0028, "GICC_AHPPIR", 0}, {0x00d0, "GICC_APR", 4},
    {0x00e0, "GICC_NSAPR", 4}, {0x00fc, "GICC_IIDR", 0},   {0x1000, "GICC_DIR", 0},
    VDEV_REGISTERS_END,
};

const struct vdev_register *gic_register_names(const struct vdev *v, unsigned region,
                                               uint64_t *offset)
{
    const struct gic *g = (const struct gic *)(const void *)v;
    if (region == 0)
        return distributor;
    if (region != 1)
        return NULL;
    if (g->version == 2)
        return cpu_interface;
    *offset %= 2 * GIC_FRAME; /* a redistributor for each vCPU */
    return redistributor;
}
