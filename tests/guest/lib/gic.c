#include "gic.h"

#include "trap.h"

enum {
    GICD_CTLR = 0,
    IGROUPR = 0x80,
    ISENABLER = 0x100,
    ICENABLER = 0x180,
    ISPENDR = 0x200,
    ISACTIVER = 0x300,
    IPRIORITYR = 0x400,
    IROUTER = 0x6000,
    GICR_WAKER = 0x14,
    GICR_SGI = 0x10000
};

static uint64_t redistributor(void)
{
    return GICR + 0x20000 * this_cpu()->number;
}

/* The register of a bitmap that holds the interrupt. */
static uint64_t bitmap(unsigned intid, unsigned offset)
{
    return intid < 32 ? redistributor() + GICR_SGI + offset : GICD + offset + intid / 32 * 4;
}

void gic_start_distributor(void)
{
    write32(GICD + GICD_CTLR, 1u << 4);           /* ARE */
    write32(GICD + GICD_CTLR, 1u << 4 | 1u << 1); /* EnableGrp1 */
    while (read32(GICD + GICD_CTLR) & 1u << 31)
        ;
}

void gic_start_cpu(void)
{
    uint64_t r = redistributor();
    write32(r + GICR_WAKER, read32(r + GICR_WAKER) & ~2u);
    while (read32(r + GICR_WAKER) & 4)
        ;
    write32(r + GICR_SGI + ICENABLER, ~0u);
    write32(r + GICR_SGI + IGROUPR, ~0u);
    GIC_WRITE(ICC_SRE, 1);
    GIC_WRITE(ICC_PMR, 0xff);
    GIC_WRITE(ICC_BPR1, 0);
    GIC_WRITE(ICC_CTLR, 0);
    GIC_WRITE(ICC_IGRPEN1, 1);
}

void gic_enable(unsigned intid, unsigned priority)
{
    uint64_t base = intid < 32 ? redistributor() + GICR_SGI : GICD;
    __asm__ volatile("strb %w0, [%1]" ::"r"(priority), "r"(base + IPRIORITYR + intid) : "memory");
    if (intid >= 32) {
        uint64_t group = bitmap(intid, IGROUPR);
        write32(group, read32(group) | 1u << intid % 32);
        write64(GICD + IROUTER + 8 * intid, 0);
    }
    write32(bitmap(intid, ISENABLER), 1u << intid % 32);
    DSB();
}

void gic_disable(unsigned intid)
{
    write32(bitmap(intid, ICENABLER), 1u << intid % 32);
    DSB();
}

bool gic_pending(unsigned intid)
{
    return read32(bitmap(intid, ISPENDR)) >> intid % 32 & 1;
}

bool gic_active(unsigned intid)
{
    return read32(bitmap(intid, ISACTIVER)) >> intid % 32 & 1;
}

void gic_send(unsigned sgi, unsigned cpus)
{
    DSB();
    GIC_WRITE(ICC_SGI1R, (uint64_t)sgi << 24 | cpus);
}
