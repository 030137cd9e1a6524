/* GICD_*: the distributor (IHI 0069H, GICD_*; IHI 0048B 4.3). */
#include "vdev/gic/gic_internal.h"

enum {
    GICD_CTLR = 0x000,
    GICD_TYPER = 0x004,
    GICD_IIDR = 0x008,
    GICD_IGROUPR = 0x080,
    GICD_SGIR = 0xf00,
    GICD_CPENDSGIR = 0xf10,
    GICD_SPENDSGIR = 0xf20,
    GICD_PIDR4_V2 = 0xfd0,
    GICD_IROUTER32 = 0x6100,
    GICD_IROUTER_END = 0x6000 + 8 * GIC_LINES,
    GICD_PIDR4 = 0xffd0,
};

#define CTLR_ENABLES 3u
#define CTLR_ARE     (1u << 4) /* affinity routing is always on: RAO/WI */
#define CTLR_DS      (1u << 6) /* one security state: RAO/WI */

static uint32_t typer(const struct gic *g)
{
    uint32_t value = GIC_WORDS - 1; /* ITLinesNumber */
    if (g->version == 2)
        return value | (g->vcpu_count - 1) << 5; /* CPUNumber */
    return value | 9u << 19 /* IDbits: 10 bits of INTID */ | 1u << 24 /* A3V */;
}

/* Product 'Q', variant and revision 0, implementer Arm (whose architecture it is). */
#define IIDR 0x5100043bu

static void write_control(struct gic *g, uint32_t value)
{
    g->dist_control = value & CTLR_ENABLES;
    for (unsigned vcpu = 0; vcpu < g->vcpu_count; vcpu++)
        gic_cpu_changed(g, vcpu);
}

/* GICD_SGIR (IHI 0048B 4.3.15). */
static void write_sgir(struct gic *g, unsigned from, uint32_t value)
{
    unsigned targets = value >> 16 & 0xff;
    if ((value >> 24 & 3) == 1)
        targets = ~(1u << from);
    else if ((value >> 24 & 3) == 2)
        targets = 1u << from;
    else if ((value >> 24 & 3) == 3)
        return; /* reserved */
    for (unsigned to = 0; to < g->vcpu_count; to++)
        if (targets >> to & 1)
            gic_send_sgi(g, from, to, value & 15);
}

static void write_sgi_sources(struct gic *g, unsigned to, unsigned intid, uint8_t bits, bool set)
{
    uint8_t *sources = &g->sgi_sources[to * 16 + intid];
    uint32_t line = 1u << intid;
    bits &= (uint8_t)((1u << g->vcpu_count) - 1);
    *sources = (uint8_t)(set ? *sources | bits : *sources & ~bits);
    g->pending[to] = *sources ? g->pending[to] | line : g->pending[to] & ~line;
    gic_bank_changed(g, to);
}

/* GICD_CPENDSGIR and GICD_SPENDSGIR: one byte a SGI, one bit a source (IHI 0048B 4.3.16, 4.3.17).
 */
static enum bus_answer access_sgi_sources(struct gic *g, struct bus_access *a)
{
    unsigned first = (unsigned)(a->offset & 15);
    bool set = a->offset >= GICD_SPENDSGIR;
    uint64_t value = 0;
    if (a->size != 1 && a->size != 4)
        return BUS_NOBODY;
    for (unsigned i = 0; i < a->size; i++) {
        if (a->is_write)
            write_sgi_sources(g, a->vcpu, first + i, (uint8_t)(a->value >> (8 * i)), set);
        else
            value |= (uint64_t)g->sgi_sources[a->vcpu * 16 + first + i] << (8 * i);
    }
    if (!a->is_write)
        a->value = value;
    return BUS_HANDLED;
}

/* Aff3 in the upper word; Interrupt_Routing_Mode and Aff2-0 in the lower. */
#define IROUTER_BITS UINT64_C(0xff80ffffff)

static enum bus_answer access_irouter(struct gic *g, struct bus_access *a)
{
    unsigned spi = (unsigned)(a->offset - GICD_IROUTER32) / 8;
    unsigned shift = a->offset & 4 ? 32 : 0;
    uint64_t mask = a->size == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << shift;
    if (!a->is_write) {
        a->value = (g->irouter[spi] & mask) >> shift;
        return BUS_HANDLED;
    }
    g->irouter[spi] = ((g->irouter[spi] & ~mask) | (a->value << shift & mask)) & IROUTER_BITS;
    gic_route_spi(g, spi);
    gic_bank_changed(g, gic_bank(0, spi / 32 + 1));
    return BUS_HANDLED;
}

/* ID registers PIDR4-7, PIDR0-3, CIDR0-3; ArchRev is PIDR2[7:4]. */
static uint32_t id_register(const struct gic *g, unsigned index)
{
    static const uint8_t ids[12] = {0x44, 0, 0, 0, 0x92, 0xb4, 0x0b, 0, 0x0d, 0xf0, 0x05, 0xb1};
    return index == 6 ? ids[6] | g->version << 4 : ids[index];
}

static uint32_t read_word(const struct gic *g, uint64_t offset)
{
    uint64_t ids = g->version == 2 ? GICD_PIDR4_V2 : GICD_PIDR4;
    if (offset >= ids && offset < ids + 0x30)
        return id_register(g, (unsigned)(offset - ids) / 4);
    switch (offset) {
    case GICD_CTLR:
        return g->dist_control | (g->version == 3 ? CTLR_ARE | CTLR_DS : 0);
    case GICD_TYPER:
        return typer(g);
    case GICD_IIDR:
        return IIDR;
    default:
        return 0;
    }
}

enum bus_answer gic_distributor_access(struct gic *g, struct bus_access *a)
{
    uint64_t offset = a->offset;
    struct gic_view view = {a->vcpu, g->version == 3 ? 1 : 0, GIC_WORDS - 1};
    if (offset >= GICD_IGROUPR && offset < GICD_SGIR)
        return gic_registers_access(g, view, a);
    if (g->version == 2 && offset >= GICD_CPENDSGIR && offset < GICD_SPENDSGIR + 16)
        return access_sgi_sources(g, a);
    if (g->version == 3 && offset >= GICD_IROUTER32 && offset < GICD_IROUTER_END &&
        (a->size == 4 || a->size == 8))
        return access_irouter(g, a);
    if (a->size != 4)
        return BUS_NOBODY;
    if (!a->is_write)
        a->value = read_word(g, offset);
    else if (offset == GICD_CTLR)
        write_control(g, (uint32_t)a->value);
    else if (offset == GICD_SGIR && g->version == 2)
        write_sgir(g, a->vcpu, (uint32_t)a->value);
    else
        log_guest(g->pic.v.env->log, "gic: write to read-only or reserved GICD+%#x",
                  (unsigned)offset);
    return BUS_HANDLED;
}
