/* `vdev gic`: options, reset, device tree, restore. The model is in the files gic_internal.h lists.
 *
 *     version 2|3    default 3
 *     gicd ADDR      distributor; default is `loc`, 0x2f000000
 *     gicr ADDR      version 3: array of redistributors; default 0x2f100000
 *     gicc ADDR      version 2: CPU interface; default 0x2c000000
 *     msi A,F,C      message-signalled interrupts (gic_msi.c); default none
 */
#include "vdev/gic/gic_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "emu/check.h"

#define GICD_V2_SIZE 0x1000
#define GICC_V2_SIZE 0x2000 /* GICC_DIR is at 0x1000 */

static const struct field gic_fields[] = {
    FIELD(struct gic, dist_control),
    FIELD_ARRAY(struct gic, pending),
    FIELD_ARRAY(struct gic, active),
    FIELD_ARRAY(struct gic, enabled),
    FIELD_ARRAY(struct gic, group),
    FIELD_ARRAY(struct gic, level),
    FIELD_ARRAY(struct gic, edge),
    FIELD_ARRAY(struct gic, priority),
    FIELD_ARRAY(struct gic, irouter),
    FIELD_ARRAY(struct gic, itargets),
    FIELD_ARRAY(struct gic, sgi_sources),
    FIELD_ARRAY(struct gic, redist_control),
    FIELD_ARRAY_UP_TO(struct gic, asleep, 1),
    FIELD_ARRAY(struct gic, cpu_control),
    FIELD_ARRAY(struct gic, pmr),
    FIELD_ARRAY_UP_TO(struct gic, bpr0, 7),
    FIELD_ARRAY_UP_TO(struct gic, bpr1, 7),
    FIELD_ARRAY(struct gic, active_priorities0),
    FIELD_ARRAY(struct gic, active_priorities1),
    FIELD_END,
};

static bool read_version(const struct vdev *v, unsigned *version, struct error *e)
{
    const struct vdev_option *o = vdev_option_find(v, "version");
    uint64_t number = 3;
    if (!vdev_option_number(v, "version", 10, &number, e))
        return false;
    if (number != 2 && number != 3)
        return error_at(e, o->file, o->line, "vdev gic: version %s is neither 2 nor 3", o->value);
    *version = (unsigned)number;
    return true;
}

/* Frames: IHI 0069H (version 3), IHI 0048B (version 2). */
static bool gic_ranges(struct vdev *v, unsigned vcpus, struct error *e)
{
    unsigned version;
    struct gic_msi msi;
    uint64_t gicd = v->loc ? v->loc : GIC_GICD_DEFAULT, gicr = GIC_GICR_DEFAULT,
             gicc = GIC_GICC_DEFAULT;
    if (!read_version(v, &version, e) || !vdev_option_address(v, "gicd", &gicd, e) ||
        !vdev_option_address(v, "gicr", &gicr, e) || !vdev_option_address(v, "gicc", &gicc, e) ||
        !gic_msi_read(v, &msi, e))
        return false;
    vdev_add_region(v, gicd, version == 3 ? GIC_FRAME : GICD_V2_SIZE, "distributor");
    if (version == 3)
        vdev_add_region(v, gicr, (uint64_t)2 * GIC_FRAME * vcpus, "redistributors");
    else
        vdev_add_region(v, gicc, GICC_V2_SIZE, "CPU interface");
    if (msi.count)
        vdev_add_region(v, msi.frame, GIC_MSI_FRAME, "msi");
    return true;
}

static void reset(struct gic *g)
{
    for (unsigned vcpu = 0; vcpu < g->vcpu_count; vcpu++) {
        g->edge[vcpu] = 0xffff;                          /* SGIs */
        g->enabled[vcpu] = g->version == 2 ? 0xffff : 0; /* SGIs of GICv2 are always enabled */
        g->asleep[vcpu] = gic_starts_asleep(g);
        g->bpr0[vcpu] = GIC_BPR0_MIN;
        g->bpr1[vcpu] = GIC_BPR1_MIN;
    }
    gic_msi_reset(g);
    gic_everything_changed(g);
}

static bool gic_create(struct vdev *v, struct error *e)
{
    struct gic *g = gic_of(v);
    g->vcpu_count = v->env->vcpu_count;
    if (g->vcpu_count < 1 || g->vcpu_count > GIC_VCPUS_MAX)
        return error_set(e, "vdev gic: %u vCPUs, but a GIC serves 1 to %u", g->vcpu_count,
                         (unsigned)GIC_VCPUS_MAX);
    if (!read_version(v, &g->version, e) || !gic_msi_read(v, &g->msi, e))
        return false;
    reset(g);
    return true;
}

static enum bus_answer gic_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct gic *g = gic_of(v);
    CHECK(a->vcpu < g->vcpu_count);
    if (a->offset % a->size)
        return BUS_NOBODY;
    if (region == 0)
        return gic_distributor_access(g, a);
    if (region != 1)
        return gic_msi_access(g, a);
    return g->version == 3 ? gic_redistributor_access(g, a) : gic_cpu_v2_access(g, a);
}

static void describe_v3(const struct describer *d)
{
    uint32_t one = 1;
    static const char compatible[] = "arm,gic-v3";
    d->strings(d->context, "compatible", compatible, sizeof compatible);
    d->cells(d->context, "#redistributor-regions", &one, 1);
}

static void describe_v2(const struct describer *d)
{
    static const char compatible[] = "arm,cortex-a15-gic";
    d->strings(d->context, "compatible", compatible, sizeof compatible);
}

static void gic_describe(struct vdev *v, const struct describer *d)
{
    char name[32];
    uint32_t phandle = PHANDLE_PIC, two = 2, three = 3;
    snprintf(name, sizeof name, "intc@%" PRIx64, v->regions[0].base);
    d->begin_node(d->context, name);
    if (gic_of(v)->version == 3)
        describe_v3(d);
    else
        describe_v2(d);
    d->cells(d->context, "#interrupt-cells", &three, 1);
    d->empty(d->context, "interrupt-controller");
    d->cells(d->context, "#address-cells", &two, 1);
    d->cells(d->context, "#size-cells", &two, 1);
    d->empty(d->context, "ranges");
    vdev_describe_reg(d, v->regions, 2);
    d->cells(d->context, "phandle", &phandle, 1);
    gic_msi_describe(gic_of(v), d);
    d->end_node(d->context);
}

static void gic_restored(struct vdev *v)
{
    gic_everything_changed(gic_of(v));
}

static const struct vdev_option_type gic_options[] = {
    {"version", "2|3", "3", "architecture version", false, false},
    {"gicd", "ADDR", "0x2f000000", "distributor", false, false},
    {"gicc", "ADDR", "0x2c000000", "CPU interface (version 2)", false, false},
    {"gicr", "ADDR", "0x2f100000", "redistributors, one array (version 3)", false, false},
    {"msi", "ADDR,FIRST,COUNT", "none", "message-signalled interrupts", false, false},
    VDEV_OPTIONS_END,
};

const struct vdev_type gic_type = {
    .name = "gic",
    .summary = "Arm generic interrupt controller, GICv3 or GICv2",
    .size = sizeof(struct gic),
    .fields = gic_fields,
    .default_loc = GIC_GICD_DEFAULT,
    .options = gic_options,
    .pic = &gic_pic,
    .ranges = gic_ranges,
    .create = gic_create,
    .access = gic_access,
    .registers = gic_register_names,
    .describe = gic_describe,
    .restored = gic_restored,
};
