/* The frame of message-signalled interrupts, `msi ADDR,FIRST,COUNT`: a write of a line's number
 * makes the line pending. Registers of the GICv2m frame (Arm Server Base System Architecture,
 * GICv2m), which guests of either GIC version know. The lines of the frame are edges. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vdev/gic/gic_internal.h"

enum { MSI_TYPER = 0x008, MSI_SETSPI_NS = 0x040, MSI_IIDR = 0xfcc };

/* Three numbers; lines that the GIC does not have are left out. */
bool gic_msi_read(const struct vdev *v, struct gic_msi *msi, struct error *e)
{
    const struct vdev_option *o = vdev_option_find(v, "msi");
    uint64_t numbers[3];
    const char *at = o ? o->value : "";
    *msi = (struct gic_msi){0};
    for (unsigned i = 0; o && i < 3; i++) {
        size_t length = strcspn(at, ",");
        bool last_is_last = (at[length] == '\0') == (i == 2);
        if (!last_is_last || !vdev_number(at, length, i == 0 ? 16 : 10, &numbers[i]) ||
            (i == 0 && numbers[0] >> 48))
            return error_at(e, o->file, o->line, "vdev gic: msi %s is not ADDR,FIRST,COUNT",
                            o->value);
        at += length + 1;
    }
    if (!o)
        return true;
    if (numbers[1] < 32 || numbers[1] >= GIC_LINES || !numbers[2])
        return error_at(e, o->file, o->line,
                        "vdev gic: msi %s: the first line is one of 32 to %d, and there is at "
                        "least one",
                        o->value, GIC_LINES - 1);
    uint64_t room = GIC_LINES - numbers[1];
    msi->frame = numbers[0];
    msi->first = (unsigned)numbers[1];
    msi->count = (unsigned)(numbers[2] < room ? numbers[2] : room);
    return true;
}

void gic_msi_reset(struct gic *g)
{
    for (unsigned line = g->msi.first; line < g->msi.first + g->msi.count; line++)
        g->edge[gic_bank(0, line / 32)] |= 1u << line % 32;
}

static void send(struct gic *g, uint64_t line)
{
    if (line < g->msi.first || line - g->msi.first >= g->msi.count)
        return;
    g->pending[gic_bank(0, (unsigned)line / 32)] |= 1u << line % 32;
    gic_bank_changed(g, gic_bank(0, (unsigned)line / 32));
}

enum bus_answer gic_msi_access(struct gic *g, struct bus_access *a)
{
    if (a->size != 4 && !(a->offset == MSI_SETSPI_NS && a->size == 2))
        return BUS_NOBODY;
    if (a->is_write) {
        if (a->offset == MSI_SETSPI_NS)
            send(g, a->value & 0x3ff);
        return BUS_HANDLED;
    }
    a->value = a->offset == MSI_TYPER ? (uint64_t)g->msi.first << 16 | g->msi.count : 0;
    return BUS_HANDLED;
}

void gic_msi_describe(const struct gic *g, const struct describer *d)
{
    static const char compatible[] = "arm,gic-v2m-frame";
    char name[32];
    if (!g->msi.count)
        return;
    snprintf(name, sizeof name, "v2m@%" PRIx64, g->pic.v.regions[GIC_MSI_REGION].base);
    d->begin_node(d->context, name);
    d->strings(d->context, "compatible", compatible, sizeof compatible);
    d->empty(d->context, "msi-controller");
    if (d->message_frame)
        d->cells(d->context, "phandle", &d->message_frame, 1);
    vdev_describe_reg(d, &g->pic.v.regions[GIC_MSI_REGION], 1);
    d->end_node(d->context);
}
