/* The per-line registers, 0x080-0xeff: the same layout in the distributor of both versions and in a
 * redistributor's SGI frame (IHI 0069H, GICD_* and GICR_*0; IHI 0048B 4.3). Registers of lines
 * that are not in the view read as zero and ignore writes. */
#include "vdev/gic/gic_internal.h"

/* Bits that only hardware decides: IHI 0048B 4.3.5 (SGIs always enabled, our choice), 4.3.7. */
#define SGIS 0xffffu

static bool v2_sgis(const struct gic *g, unsigned bank)
{
    return g->version == 2 && bank < GIC_VCPUS_MAX;
}

/* The group decides who is eligible for a 1-of-N interrupt, which group enable counts, and the
 * kind of signal. */
static void write_group(struct gic *g, unsigned bank, uint32_t value)
{
    g->group[bank] = value;
    if (bank >= GIC_VCPUS_MAX)
        for (unsigned line = 0; line < 32; line++)
            gic_route_spi(g, (bank - GIC_VCPUS_MAX) * 32 + line);
    gic_bank_changed(g, bank);
    gic_priority_changed(g, bank);
}

static uint32_t read_bits(const struct gic *g, unsigned kind, unsigned bank)
{
    switch (kind) {
    case 1: /* IGROUPR */
        return g->group[bank];
    case 2: /* ISENABLER */
    case 3: /* ICENABLER */
        return g->enabled[bank];
    case 4: /* ISPENDR */
    case 5: /* ICPENDR */
        return gic_pending_of(g, bank);
    default: /* ISACTIVER, ICACTIVER */
        return g->active[bank];
    }
}

static void write_bits(struct gic *g, unsigned kind, unsigned bank, uint32_t value)
{
    uint32_t sgis = v2_sgis(g, bank) ? SGIS : 0;
    switch (kind) {
    case 1:
        write_group(g, bank, value);
        return;
    case 2:
        g->enabled[bank] |= value;
        break;
    case 3:
        g->enabled[bank] &= ~value | sgis;
        break;
    case 4:
        g->pending[bank] |= value & ~sgis;
        break;
    case 5:
        g->pending[bank] &= ~value | sgis;
        break;
    case 6:
        g->active[bank] |= value;
        break;
    default:
        g->active[bank] &= ~value;
        break;
    }
    gic_bank_changed(g, bank);
}

/* 0x080-0x3ff: one bit a line, a word of 32 lines a register, 0x80 bytes a kind. */
static enum bus_answer access_bits(struct gic *g, struct gic_view view, struct bus_access *a)
{
    unsigned kind = (unsigned)(a->offset >> 7), word = (unsigned)(a->offset & 0x7f) / 4;
    if (a->size != 4)
        return BUS_NOBODY;
    bool seen = word >= view.first && word <= view.last;
    unsigned bank = seen ? gic_bank(view.vcpu, word) : 0;
    if (!a->is_write)
        a->value = seen ? read_bits(g, kind, bank) : 0;
    else if (seen)
        write_bits(g, kind, bank, (uint32_t)a->value);
    return BUS_HANDLED;
}

/* Registers of one byte a line, accessible as bytes or words: calls back for each byte. */
static enum bus_answer
access_bytes(struct gic *g, struct gic_view view, struct bus_access *a,
             uint8_t (*get)(const struct gic *g, unsigned vcpu, unsigned intid),
             void (*set)(struct gic *g, unsigned vcpu, unsigned intid, uint8_t value))
{
    unsigned first = (unsigned)(a->offset & 0x3ff);
    uint64_t value = 0;
    if (a->size != 1 && a->size != 4)
        return BUS_NOBODY;
    for (unsigned i = 0; i < a->size; i++) {
        unsigned intid = first + i, word = intid / 32;
        if (word < view.first || word > view.last)
            continue;
        if (a->is_write)
            set(g, view.vcpu, intid, (uint8_t)(a->value >> (8 * i)));
        else
            value |= (uint64_t)get(g, view.vcpu, intid) << (8 * i);
    }
    if (!a->is_write)
        a->value = value;
    return BUS_HANDLED;
}

static uint8_t priority_get(const struct gic *g, unsigned vcpu, unsigned intid)
{
    return g->priority[gic_bank(vcpu, intid / 32) * 32 + (intid & 31)];
}

static void priority_set(struct gic *g, unsigned vcpu, unsigned intid, uint8_t value)
{
    unsigned bank = gic_bank(vcpu, intid / 32);
    g->priority[bank * 32 + (intid & 31)] = value & GIC_PRIORITY_MASK;
    gic_priority_changed(g, bank);
}

/* GICD_ITARGETSR (version 2). The private lines' read as the reader's own bit; a uniprocessor's all
 * read as zero and ignore writes (IHI 0048B 4.3.12). With ARE they are reserved. */
static uint8_t target_get(const struct gic *g, unsigned vcpu, unsigned intid)
{
    if (g->version == 3 || g->vcpu_count == 1)
        return 0;
    if (intid < 32)
        return (uint8_t)(1u << vcpu);
    return g->itargets[intid - 32];
}

static void target_set(struct gic *g, unsigned vcpu, unsigned intid, uint8_t value)
{
    (void)vcpu;
    if (g->version == 3 || g->vcpu_count == 1 || intid < 32)
        return;
    g->itargets[intid - 32] = value & (uint8_t)((1u << g->vcpu_count) - 1);
    gic_route_spi(g, intid - 32);
    gic_bank_changed(g, gic_bank(0, intid / 32));
}

/* 0xc00-0xcff: two bits a line, of which the upper says edge-triggered. SGIs always are. */
static enum bus_answer access_config(struct gic *g, struct gic_view view, struct bus_access *a)
{
    unsigned reg = (unsigned)(a->offset & 0xff) / 4, word = reg / 2, shift = reg % 2 * 16;
    if (a->size != 4)
        return BUS_NOBODY;
    bool seen = word >= view.first && word <= view.last;
    uint32_t bits = 0, bank = seen ? gic_bank(view.vcpu, word) : 0;
    if (!a->is_write) {
        for (unsigned line = 0; seen && line < 16; line++)
            bits |= (g->edge[bank] >> (shift + line) & 1) << (2 * line + 1);
        a->value = bits;
    } else if (seen && reg != 0) {
        for (unsigned line = 0; line < 16; line++)
            bits |= (uint32_t)(a->value >> (2 * line + 1) & 1) << line;
        g->edge[bank] = (g->edge[bank] & ~(0xffffu << shift)) | bits << shift;
        gic_bank_changed(g, bank);
    }
    return BUS_HANDLED;
}

enum bus_answer gic_registers_access(struct gic *g, struct gic_view view, struct bus_access *a)
{
    switch (a->offset >> 8) {
    case 0x0:
    case 0x1:
    case 0x2:
    case 0x3:
        return access_bits(g, view, a);
    case 0x4:
    case 0x5:
    case 0x6:
    case 0x7:
        return access_bytes(g, view, a, priority_get, priority_set);
    case 0x8:
    case 0x9:
    case 0xa:
    case 0xb:
        return access_bytes(g, view, a, target_get, target_set);
    case 0xc:
        return access_config(g, view, a);
    default: /* IGRPMODR, NSACR: RAZ/WI in one security state */
        if (!a->is_write)
            a->value = 0;
        return a->size == 4 ? BUS_HANDLED : BUS_NOBODY;
    }
}
