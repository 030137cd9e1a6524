#include "emu/machine.h"
#include "test_vdev_fixture.h"

enum { GICD, GICR };
enum {
    CTLR = 0x0,
    TYPER = 0x4,
    GROUP = 0x80,
    ISENABLE = 0x100,
    ICENABLE = 0x180,
    ISPEND = 0x200,
    ICPEND = 0x280,
    ISACTIVE = 0x300,
    ICACTIVE = 0x380,
    PRIORITY = 0x400,
    CONFIG = 0xc00,
    IROUTER = 0x6000,
    WAKER = 0x14,
    SGI_BASE = 0x10000,
};

#define ICC(crm, op2) (3u << 14 | 12u << 7 | (crm) << 3 | (op2))
enum {
    PMR = 3u << 14 | 4u << 7 | 6u << 3,
    IAR0 = ICC(8, 0),
    EOIR0 = ICC(8, 1),
    HPPIR0 = ICC(8, 2),
    BPR0 = ICC(8, 3),
    AP0R0 = ICC(8, 4),
    AP0R1 = ICC(8, 5),
    AP1R0 = ICC(9, 0),
    DIR = ICC(11, 1),
    RPR = ICC(11, 3),
    SGI1R = ICC(11, 5),
    ASGI1R = ICC(11, 6),
    SGI0R = ICC(11, 7),
    IAR1 = ICC(12, 0),
    EOIR1 = ICC(12, 1),
    HPPIR1 = ICC(12, 2),
    BPR1 = ICC(12, 3),
    ICTLR = ICC(12, 4),
    SRE = ICC(12, 5),
    IGRPEN0 = ICC(12, 6),
    IGRPEN1 = ICC(12, 7),
};

static struct world w;

static uint64_t mrs(unsigned vcpu, unsigned encoding)
{
    uint64_t value = 0;
    ck_assert(gic_sysreg_read(w.v, vcpu, encoding, &value));
    return value;
}

static void msr(unsigned vcpu, unsigned encoding, uint64_t value)
{
    ck_assert(gic_sysreg_write(w.v, vcpu, encoding, value));
}

static void put_redist(unsigned vcpu, uint64_t offset, uint64_t value)
{
    put_as(&w, vcpu, GICR, vcpu * 0x20000u + offset, 4, value);
}

static uint64_t get_redist(unsigned vcpu, uint64_t offset)
{
    return get_as(&w, vcpu, GICR, vcpu * 0x20000u + offset, 4);
}

static void set_priority(unsigned vcpu, unsigned intid, uint8_t priority)
{
    if (intid < 32)
        put_as(&w, vcpu, GICR, vcpu * 0x20000u + SGI_BASE + PRIORITY + intid, 1, priority);
    else
        put_as(&w, vcpu, GICD, PRIORITY + intid, 1, priority);
}

static void enable_spi(unsigned intid)
{
    put(&w, ISENABLE + intid / 32 * 4, 1u << (intid & 31));
}

/* Everything in Group 1, all groups enabled, every vCPU awake and unmasked; nothing enabled. */
static void open_running_with(unsigned vcpus, const char *const *options)
{
    world_open(&w, "gic", vcpus, options);
    put(&w, CTLR, 3);
    for (unsigned word = 1; word <= 8; word++)
        put(&w, GROUP + 4 * word, 0xffffffff);
    for (unsigned vcpu = 0; vcpu < vcpus; vcpu++) {
        put_redist(vcpu, WAKER, 0);
        put_redist(vcpu, SGI_BASE + GROUP, 0xffffffff);
        msr(vcpu, PMR, 0xff);
        msr(vcpu, IGRPEN0, 1);
        msr(vcpu, IGRPEN1, 1);
    }
}

static void open_running(unsigned vcpus)
{
    open_running_with(vcpus, NULL);
}

static void close_world(void)
{
    world_close(&w);
}

START_TEST(identification)
{
    world_open(&w, "gic", 3, NULL);
    ck_assert_uint_eq(w.v->regions[GICD].base, 0x2f000000);
    ck_assert_uint_eq(w.v->regions[GICR].base, 0x2f100000);
    ck_assert_uint_eq(w.v->regions[GICR].size, 3 * 0x20000);
    ck_assert_uint_eq(get(&w, CTLR), 0x50);          /* ARE, DS */
    ck_assert_uint_eq(get(&w, TYPER) & 0x1f, 8);     /* ITLinesNumber: 288 INTIDs */
    ck_assert_uint_eq(get(&w, TYPER) & 1u << 17, 0); /* LPIS */
    ck_assert_uint_eq(get(&w, 0xffe8) >> 4 & 15, 3); /* ArchRev */
    for (unsigned vcpu = 0; vcpu < 3; vcpu++) {
        uint64_t typer = get_as(&w, 0, GICR, vcpu * 0x20000u + 8, 8);
        ck_assert_uint_eq(typer >> 32, vcpu);         /* affinity */
        ck_assert_uint_eq(typer >> 8 & 0xffff, vcpu); /* processor number */
        ck_assert_uint_eq(typer >> 4 & 1, vcpu == 2); /* Last */
        ck_assert_uint_eq(typer & 1, 0);              /* PLPIS */
        ck_assert_uint_eq(get_redist(vcpu, 8), (uint32_t)typer);
        ck_assert_uint_eq(get_redist(vcpu, 12), typer >> 32);
        ck_assert_uint_eq(get_redist(vcpu, 0xffe8) >> 4 & 15, 3);
    }
    ck_assert_uint_eq(mrs(0, SRE), 7);
    ck_assert_uint_eq(mrs(0, ICTLR) >> 8 & 7, 4); /* PRIbits - 1 */
    ck_assert_uint_eq(mrs(0, RPR), 0xff);
    ck_assert_uint_eq(mrs(0, IAR1), 1023);
    ck_assert_uint_eq(gic_version(w.v), 3);
    close_world();
}
END_TEST

START_TEST(undefined_system_registers)
{
    uint64_t value;
    world_open(&w, "gic", 1, NULL);
    ck_assert(!gic_sysreg_read(w.v, 0, AP0R1, &value)); /* 5 bits: one register of 32 levels */
    ck_assert(!gic_sysreg_read(w.v, 0, EOIR1, &value));
    ck_assert(!gic_sysreg_read(w.v, 0, SGI1R, &value));
    ck_assert(!gic_sysreg_write(w.v, 0, IAR1, 0));
    ck_assert(!gic_sysreg_write(w.v, 0, RPR, 0));
    ck_assert(!gic_sysreg_read(w.v, 0, ICC(12, 4) | 3u << 11, &value)); /* ICC_CTLR_EL3 */
    close_world();
}
END_TEST

START_TEST(level_interrupt_from_line_to_inactive)
{
    open_running(2);
    enable_spi(37);
    gic_set_spi(w.v, 37, true);
    ck_assert(w.vcpu_irq[0] && !w.vcpu_fiq[0] && !w.vcpu_irq[1]);
    ck_assert_uint_eq(mrs(0, HPPIR1), 37);
    ck_assert_uint_eq(get(&w, ISPEND + 4), 1u << 5);
    ck_assert_uint_eq(mrs(0, IAR1), 37);
    ck_assert(!w.vcpu_irq[0]);
    ck_assert_uint_eq(get(&w, ISACTIVE + 4), 1u << 5);
    ck_assert_uint_eq(get(&w, ISPEND + 4), 1u << 5); /* the line is still high */
    ck_assert_uint_eq(mrs(0, RPR), 0);
    ck_assert_uint_eq(mrs(0, IAR1), 1023);
    msr(0, EOIR1, 37);
    ck_assert(w.vcpu_irq[0]); /* and so it comes again */
    ck_assert_uint_eq(mrs(0, IAR1), 37);
    gic_set_spi(w.v, 37, false);
    msr(0, EOIR1, 37);
    ck_assert(!w.vcpu_irq[0]);
    ck_assert_uint_eq(mrs(0, RPR), 0xff);
    ck_assert_uint_eq(w.signals, 4);
    close_world();
}
END_TEST

START_TEST(level_that_goes_away_is_spurious)
{
    open_running(1);
    enable_spi(40);
    gic_set_spi(w.v, 40, true);
    gic_set_spi(w.v, 40, false);
    ck_assert(!w.vcpu_irq[0]);
    ck_assert_uint_eq(mrs(0, IAR1), 1023);
    close_world();
}
END_TEST

START_TEST(edge_is_latched_once)
{
    open_running(1);
    put(&w, CONFIG + 8, 1u << 11); /* INTID 37 */
    ck_assert_uint_eq(get(&w, CONFIG + 8), 1u << 11);
    enable_spi(37);
    gic_set_spi(w.v, 37, true);
    gic_set_spi(w.v, 37, false);
    ck_assert(w.vcpu_irq[0]);
    put_redist(0, SGI_BASE + CONFIG, 0); /* SGIs are always edge-triggered */
    ck_assert_uint_eq(get_redist(0, SGI_BASE + CONFIG), 0xaaaaaaaa);
    ck_assert_uint_eq(mrs(0, IAR1), 37);
    ck_assert_uint_eq(get(&w, ISPEND + 4), 0);
    gic_set_spi(w.v, 37, true); /* a second edge while active is kept */
    ck_assert_uint_eq(get(&w, ISPEND + 4), 1u << 5);
    ck_assert(!w.vcpu_irq[0]);
    msr(0, EOIR1, 37);
    ck_assert_uint_eq(mrs(0, IAR1), 37);
    msr(0, EOIR1, 37);
    ck_assert(!w.vcpu_irq[0]); /* high is not an edge */
    close_world();
}
END_TEST

START_TEST(pending_by_software)
{
    open_running(1);
    enable_spi(50);
    put(&w, ISPEND + 4, 1u << 18);
    ck_assert(w.vcpu_irq[0]);
    put(&w, ICPEND + 4, 1u << 18);
    ck_assert(!w.vcpu_irq[0]);
    put(&w, ISPEND + 4, 1u << 18);
    ck_assert_uint_eq(mrs(0, IAR1), 50); /* acknowledging takes the latch, as for an edge */
    ck_assert_uint_eq(get(&w, ISPEND + 4), 0);
    msr(0, EOIR1, 50);
    gic_set_spi(w.v, 50, true);
    put(&w, ICPEND + 4, 1u << 18); /* cannot clear a level */
    ck_assert(w.vcpu_irq[0]);
    close_world();
}
END_TEST

START_TEST(what_keeps_an_interrupt_away)
{
    open_running(1);
    set_priority(0, 33, 0x80);
    gic_set_spi(w.v, 33, true);
    ck_assert(!w.vcpu_irq[0]); /* not enabled */
    enable_spi(33);
    ck_assert(w.vcpu_irq[0]);
    put(&w, ICENABLE + 4, 2);
    ck_assert(!w.vcpu_irq[0]);
    put(&w, ISENABLE + 4, 2);
    msr(0, PMR, 0x80); /* not higher than the mask */
    ck_assert(!w.vcpu_irq[0]);
    ck_assert_uint_eq(mrs(0, IAR1), 1023);
    ck_assert_uint_eq(mrs(0, HPPIR1), 33);
    msr(0, PMR, 0x88);
    ck_assert(w.vcpu_irq[0]);
    msr(0, IGRPEN1, 0);
    ck_assert(!w.vcpu_irq[0]);
    msr(0, IGRPEN1, 1);
    put(&w, CTLR, 1);
    ck_assert(!w.vcpu_irq[0]);
    put(&w, CTLR, 2);
    ck_assert(w.vcpu_irq[0]);
    put_redist(0, WAKER, 2);
    ck_assert_uint_eq(get_redist(0, WAKER), 6);
    ck_assert(!w.vcpu_irq[0]);
    put_redist(0, WAKER, 0);
    ck_assert(w.vcpu_irq[0]);
    put(&w, ISACTIVE + 4, 2);
    ck_assert(!w.vcpu_irq[0]);
    put(&w, ICACTIVE + 4, 2);
    ck_assert(w.vcpu_irq[0]);
    close_world();
}
END_TEST

/* As firmware leaves them, and as it makes them when it starts a vCPU again. */
START_TEST(redistributors_start_awake)
{
    world_open(&w, "gic", 2, NULL);
    for (unsigned vcpu = 0; vcpu < 2; vcpu++)
        ck_assert_uint_eq(get_redist(vcpu, WAKER), 0);
    close_world();
    open_running(2);
    enable_spi(40);
    put_redist(0, WAKER, 2);
    gic_set_spi(w.v, 40, true);
    ck_assert(!w.vcpu_irq[0]);
    gic_vcpu_started(w.v, 1);
    ck_assert_uint_eq(get_redist(0, WAKER), 6);
    gic_vcpu_started(w.v, 0);
    ck_assert_uint_eq(get_redist(0, WAKER), 0);
    ck_assert(w.vcpu_irq[0]);
    close_world();
}
END_TEST

START_TEST(redistributors_of_the_past_start_asleep)
{
    world_quirks = QUIRK_GICR_ASLEEP;
    world_open(&w, "gic", 2, NULL);
    world_quirks = 0;
    ck_assert_uint_eq(get_redist(1, WAKER), 6);
    gic_vcpu_started(w.v, 1);
    ck_assert_uint_eq(get_redist(1, WAKER), 6);
    close_world();
}
END_TEST

START_TEST(group_0_is_fiq)
{
    open_running(1);
    put(&w, GROUP + 4, ~2u);
    enable_spi(33);
    gic_set_spi(w.v, 33, true);
    ck_assert(w.vcpu_fiq[0] && !w.vcpu_irq[0]);
    ck_assert_uint_eq(mrs(0, IAR1), 1023);
    ck_assert_uint_eq(mrs(0, HPPIR1), 1023);
    ck_assert_uint_eq(mrs(0, HPPIR0), 33);
    put(&w, GROUP + 4, ~0u);
    ck_assert(w.vcpu_irq[0] && !w.vcpu_fiq[0]);
    put(&w, GROUP + 4, ~2u);
    ck_assert_uint_eq(mrs(0, IAR0), 33);
    ck_assert_uint_eq(mrs(0, AP0R0), 1);
    ck_assert_uint_eq(mrs(0, AP1R0), 0);
    msr(0, EOIR1, 33); /* the wrong group's: nothing happens */
    ck_assert_uint_eq(mrs(0, AP0R0), 1);
    gic_set_spi(w.v, 33, false);
    msr(0, EOIR0, 33);
    ck_assert_uint_eq(mrs(0, RPR), 0xff);
    ck_assert_uint_eq(get(&w, ISACTIVE + 4), 0);
    close_world();
}
END_TEST

START_TEST(highest_priority_then_lowest_number)
{
    open_running(1);
    for (unsigned intid = 100; intid < 104; intid++) {
        set_priority(0, intid, 0xa0);
        enable_spi(intid);
        gic_set_spi(w.v, intid, true);
    }
    ck_assert_uint_eq(mrs(0, HPPIR1), 100);
    set_priority(0, 102, 0x98);
    ck_assert_uint_eq(mrs(0, HPPIR1), 102);
    ck_assert_uint_eq(get_as(&w, 0, GICD, PRIORITY + 100, 4), 0xa098a0a0);
    set_priority(0, 103, 0x97); /* three bits are not implemented */
    ck_assert_uint_eq(get_as(&w, 0, GICD, PRIORITY + 103, 1), 0x90);
    ck_assert_uint_eq(mrs(0, HPPIR1), 103);
    close_world();
}
END_TEST

START_TEST(preemption_by_group_priority)
{
    open_running(1);
    msr(0, BPR1, 5); /* group priority [7:5] */
    set_priority(0, 60, 0x48);
    set_priority(0, 61, 0x40);
    set_priority(0, 62, 0x38);
    for (unsigned intid = 60; intid < 63; intid++)
        enable_spi(intid);
    gic_set_spi(w.v, 60, true);
    ck_assert_uint_eq(mrs(0, IAR1), 60);
    ck_assert_uint_eq(mrs(0, RPR), 0x40);
    gic_set_spi(w.v, 61, true); /* higher, but the same group priority */
    ck_assert(!w.vcpu_irq[0]);
    ck_assert_uint_eq(mrs(0, IAR1), 1023);
    gic_set_spi(w.v, 62, true);
    ck_assert(w.vcpu_irq[0]);
    ck_assert_uint_eq(mrs(0, IAR1), 62);
    ck_assert_uint_eq(mrs(0, RPR), 0x20);
    ck_assert_uint_eq(mrs(0, AP1R0), 1u << 4 | 1u << 8);
    gic_set_spi(w.v, 62, false);
    msr(0, EOIR1, 62);
    ck_assert_uint_eq(mrs(0, RPR), 0x40);
    gic_set_spi(w.v, 60, false);
    msr(0, EOIR1, 60);
    ck_assert_uint_eq(mrs(0, IAR1), 61);
    close_world();
}
END_TEST

START_TEST(binary_points)
{
    open_running(1);
    msr(0, BPR0, 0);
    ck_assert_uint_eq(mrs(0, BPR0), 2);
    msr(0, BPR1, 0);
    ck_assert_uint_eq(mrs(0, BPR1), 3);
    msr(0, BPR1, 6);
    msr(0, BPR0, 4);
    msr(0, ICTLR, 1); /* CBPR */
    ck_assert_uint_eq(mrs(0, BPR1), 5);
    msr(0, BPR1, 7);
    ck_assert_uint_eq(mrs(0, BPR1), 5);
    msr(0, BPR0, 7);
    ck_assert_uint_eq(mrs(0, BPR1), 7);
    msr(0, ICTLR, 0);
    ck_assert_uint_eq(mrs(0, BPR1), 6);
    close_world();
}
END_TEST

START_TEST(split_drop_and_deactivation)
{
    open_running(1);
    msr(0, ICTLR, 2); /* EOImode */
    ck_assert_uint_eq(mrs(0, ICTLR) & 3, 2);
    enable_spi(70);
    gic_set_spi(w.v, 70, true);
    ck_assert_uint_eq(mrs(0, IAR1), 70);
    msr(0, EOIR1, 70);
    ck_assert_uint_eq(mrs(0, RPR), 0xff);
    ck_assert_uint_eq(get(&w, ISACTIVE + 8), 1u << 6);
    ck_assert(!w.vcpu_irq[0]); /* still active, though the line is high */
    msr(0, DIR, 70);
    ck_assert_uint_eq(get(&w, ISACTIVE + 8), 0);
    ck_assert(w.vcpu_irq[0]);
    msr(0, ICTLR, 0);
    ck_assert_uint_eq(mrs(0, IAR1), 70);
    msr(0, DIR, 70); /* means nothing without EOImode */
    ck_assert_uint_eq(get(&w, ISACTIVE + 8), 1u << 6);
    close_world();
}
END_TEST

START_TEST(private_interrupts_are_private)
{
    open_running(2);
    put_redist(1, SGI_BASE + ISENABLE, 1u << 27);
    put_redist(0, SGI_BASE + ISENABLE, 1u << 27);
    gic_set_ppi(w.v, 1, 27, true);
    ck_assert(!w.vcpu_irq[0] && w.vcpu_irq[1]);
    ck_assert_uint_eq(get_redist(0, SGI_BASE + ISPEND), 0);
    ck_assert_uint_eq(get_redist(1, SGI_BASE + ISPEND), 1u << 27);
    ck_assert_uint_eq(mrs(0, IAR1), 1023);
    ck_assert_uint_eq(mrs(1, IAR1), 27);
    /* With affinity routing the distributor has no view of them. */
    put(&w, ISENABLE, ~0u);
    ck_assert_uint_eq(get(&w, ISENABLE), 0);
    put_as(&w, 0, GICD, PRIORITY + 3, 1, 0x50);
    ck_assert_uint_eq(get(&w, PRIORITY), 0);
    ck_assert_uint_eq(get_redist(0, SGI_BASE + PRIORITY), 0);
    close_world();
}
END_TEST

START_TEST(sgi_targets)
{
    open_running(4);
    for (unsigned vcpu = 0; vcpu < 4; vcpu++)
        put_redist(vcpu, SGI_BASE + ISENABLE, 0xffff);
    msr(0, SGI1R, 6 | 5ull << 24); /* INTID 5 to vCPU 1 and 2 */
    ck_assert(!w.vcpu_irq[0] && w.vcpu_irq[1] && w.vcpu_irq[2] && !w.vcpu_irq[3]);
    ck_assert_uint_eq(mrs(1, IAR1), 5);
    ck_assert_uint_eq(mrs(2, IAR1), 5);
    msr(1, EOIR1, 5);
    msr(2, EOIR1, 5);
    msr(2, SGI1R, 1ull << 40 | 7ull << 24); /* everyone else */
    ck_assert(w.vcpu_irq[0] && w.vcpu_irq[1] && !w.vcpu_irq[2] && w.vcpu_irq[3]);
    for (unsigned vcpu = 0; vcpu < 4; vcpu++)
        ck_assert_uint_eq(mrs(vcpu, IAR1), vcpu == 2 ? 1023 : 7);
    /* Other clusters, and list members beyond the range, do not exist. */
    msr(0, SGI1R, 8 | 1ull << 16);
    msr(0, SGI1R, 8 | 1ull << 32);
    msr(0, SGI1R, 8 | 1ull << 44);
    msr(0, SGI1R, 8 | 1ull << 48);
    msr(0, SGI1R, 0xfff0);
    ck_assert_uint_eq(get_redist(3, SGI_BASE + ISPEND), 0);
    msr(0, SGI1R, 8);
    ck_assert_uint_eq(get_redist(3, SGI_BASE + ISPEND), 1);
    close_world();
}
END_TEST

START_TEST(sgi_groups)
{
    open_running(2);
    put_redist(1, SGI_BASE + ISENABLE, 0xffff);
    put_redist(1, SGI_BASE + GROUP, ~1u); /* SGI 0 is Group 0, the others Group 1 */
    msr(0, SGI0R, 2 | 1ull << 24);
    msr(0, ASGI1R, 2 | 1ull << 24);
    ck_assert_uint_eq(get_redist(1, SGI_BASE + ISPEND), 0);
    msr(0, SGI0R, 2);
    ck_assert(w.vcpu_fiq[1]);
    ck_assert_uint_eq(mrs(1, IAR0), 0);
    msr(1, EOIR0, 0);
    msr(0, SGI1R, 2); /* one security state: generates either */
    ck_assert(w.vcpu_fiq[1]);
    put_redist(1, SGI_BASE + ICPEND, 1); /* SGIs are ordinary here */
    ck_assert(!w.vcpu_fiq[1]);
    put_redist(1, SGI_BASE + ISPEND, 4);
    ck_assert_uint_eq(mrs(1, IAR1), 2);
    close_world();
}
END_TEST

START_TEST(routing)
{
    open_running(3);
    enable_spi(90);
    put_as(&w, 0, GICD, IROUTER + 8 * 90, 8, 2);
    ck_assert_uint_eq(get_as(&w, 0, GICD, IROUTER + 8 * 90, 8), 2);
    gic_set_spi(w.v, 90, true);
    ck_assert(!w.vcpu_irq[0] && !w.vcpu_irq[1] && w.vcpu_irq[2]);
    put_as(&w, 0, GICD, IROUTER + 8 * 90, 4, 1); /* by halves */
    ck_assert(w.vcpu_irq[1] && !w.vcpu_irq[2]);
    put_as(&w, 0, GICD, IROUTER + 8 * 90 + 4, 4, 1); /* Aff3 = 1: nobody */
    ck_assert(!w.vcpu_irq[0] && !w.vcpu_irq[1] && !w.vcpu_irq[2]);
    ck_assert_uint_eq(get_as(&w, 0, GICD, IROUTER + 8 * 90, 8), 0x100000001);
    put_as(&w, 0, GICD, IROUTER + 8 * 90, 8, UINT64_MAX);
    ck_assert_uint_eq(get_as(&w, 0, GICD, IROUTER + 8 * 90, 8), 0xff80ffffff);
    ck_assert_int_eq(try_access(&w, GICD, IROUTER + 8 * 31, 8, false), BUS_NOBODY);
    ck_assert_uint_eq(get_as(&w, 0, GICD, IROUTER + 8 * 288, 4), 0);
    close_world();
}
END_TEST

START_TEST(one_of_n)
{
    open_running(3);
    enable_spi(90);
    put_as(&w, 0, GICD, IROUTER + 8 * 90, 8, 1u << 31);
    gic_set_spi(w.v, 90, true);
    ck_assert(w.vcpu_irq[0] && !w.vcpu_irq[1]);
    put_redist(0, 0, 1u << 25); /* GICR_CTLR.DPG1NS */
    ck_assert(!w.vcpu_irq[0] && w.vcpu_irq[1]);
    put_redist(1, WAKER, 2);
    ck_assert(!w.vcpu_irq[1] && w.vcpu_irq[2]);
    msr(2, IGRPEN1, 0);
    ck_assert(!w.vcpu_irq[0] && !w.vcpu_irq[1] && !w.vcpu_irq[2]);
    put_redist(0, 0, 1u << 24); /* refuses Group 0 only */
    ck_assert(w.vcpu_irq[0]);
    put(&w, GROUP + 8, 0);
    ck_assert(!w.vcpu_irq[0] && !w.vcpu_fiq[0] && w.vcpu_fiq[2]);
    close_world();
}
END_TEST

START_TEST(widths)
{
    world_open(&w, "gic", 1, NULL);
    ck_assert_int_eq(try_access(&w, GICD, CTLR, 1, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, GICD, CTLR, 8, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, GICD, ISENABLE + 4, 2, true), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, GICD, PRIORITY + 40, 2, true), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, GICD, PRIORITY + 41, 4, true), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, GICD, PRIORITY + 41, 1, true), BUS_HANDLED);
    ck_assert_int_eq(try_access(&w, GICR, 0x70, 8, true), BUS_HANDLED); /* PROPBASER: reserved */
    ck_assert_int_eq(try_access(&w, GICR, WAKER, 2, true), BUS_NOBODY);
    close_world();
}
END_TEST

START_TEST(options)
{
    static const char *const moved[] = {"gicd", "8000000", "gicr", "0x80a0000", NULL};
    static const char *const wrong[][3] = {
        {"version", "4", NULL},      {"version", "x", NULL},   {"gicd", "here", NULL},
        {"msi", "0x30000000", NULL}, {"msi", "1,2,3,4", NULL}, {"msi", "1,,3", NULL},
        {"msi", "0,31,1", NULL},     {"msi", "0,288,1", NULL}, {"msi", "0,32,0", NULL},
    };
    struct error e;
    world_open(&w, "gic", 1, moved);
    ck_assert_uint_eq(w.v->regions[GICD].base, 0x8000000);
    ck_assert_uint_eq(w.v->regions[GICR].base, 0x80a0000);
    close_world();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset(&e, 0, sizeof e);
        ck_assert_msg(!world_try(&w, "gic", 1, wrong[i], &e), "%s %s", wrong[i][0], wrong[i][1]);
        ck_assert_ptr_nonnull(strstr(e.text, "[test:1]"));
        free(w.v);
    }
    memset(&e, 0, sizeof e);
    ck_assert(!world_try(&w, "gic", 9, NULL, &e));
    free(w.v);
}
END_TEST

/* Lines from 0x50 on, as many as there are of the 0x100 that are asked for. */
START_TEST(msi)
{
    static const char *const frame[] = {"msi", "0x30000000,0x50,0x100", NULL};
    enum { MSI = 2, MSI_TYPER = 8, SETSPI = 0x40 };
    struct tree_text t;
    open_running_with(1, frame);
    ck_assert_uint_eq(w.v->regions[MSI].base, 0x30000000);
    ck_assert_uint_eq(get_as(&w, 0, MSI, MSI_TYPER, 4), 0x50u << 16 | (GIC_LINES - 0x50));
    enable_spi(0x50);
    put_as(&w, 0, MSI, SETSPI, 4, 0x4f);
    put_as(&w, 0, MSI, SETSPI, 4, GIC_LINES);
    ck_assert(!w.vcpu_irq[0]);
    put_as(&w, 0, MSI, SETSPI, 4, 0x50);
    ck_assert(w.vcpu_irq[0]);
    tree_of(w.v, &t);
    ck_assert_ptr_nonnull(strstr(t.text, "compatible = arm,gic-v2m-frame\n"));
    close_world();
}
END_TEST

START_TEST(device_tree)
{
    struct tree_text t;
    world_open(&w, "gic", 4, NULL);
    tree_of(w.v, &t);
    ck_assert_ptr_nonnull(strstr(t.text, "intc@2f000000 {"));
    ck_assert_ptr_nonnull(strstr(t.text, "compatible = arm,gic-v3\n"));
    ck_assert_ptr_nonnull(strstr(t.text, "reg = <0 2f000000 0 10000 0 2f100000 0 80000>\n"));
    ck_assert_ptr_nonnull(strstr(t.text, "#interrupt-cells = <3>\n"));
    ck_assert_ptr_nonnull(strstr(t.text, "phandle = <1>\n"));
    close_world();
}
END_TEST

START_TEST(restore_signals_again)
{
    struct bytes saved = {0};
    open_running(2);
    enable_spi(37);
    gic_set_spi(w.v, 37, true);
    world_save(&w, &saved);
    close_world();
    world_open(&w, "gic", 2, NULL);
    struct reader in = reader_of(saved.data, saved.size);
    ck_assert(world_restore(&w, &in));
    ck_assert_uint_eq(w.signals, 0);
    w.v->type->restored(w.v);
    ck_assert(w.vcpu_irq[0] && !w.vcpu_irq[1]);
    ck_assert_uint_eq(mrs(0, IAR1), 37);
    bytes_free(&saved);
    close_world();
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("gic_v3");
    tcase_add_test(t, identification);
    tcase_add_test(t, undefined_system_registers);
    tcase_add_test(t, level_interrupt_from_line_to_inactive);
    tcase_add_test(t, level_that_goes_away_is_spurious);
    tcase_add_test(t, edge_is_latched_once);
    tcase_add_test(t, pending_by_software);
    tcase_add_test(t, what_keeps_an_interrupt_away);
    tcase_add_test(t, redistributors_start_awake);
    tcase_add_test(t, redistributors_of_the_past_start_asleep);
    tcase_add_test(t, group_0_is_fiq);
    tcase_add_test(t, highest_priority_then_lowest_number);
    tcase_add_test(t, preemption_by_group_priority);
    tcase_add_test(t, binary_points);
    tcase_add_test(t, split_drop_and_deactivation);
    tcase_add_test(t, private_interrupts_are_private);
    tcase_add_test(t, sgi_targets);
    tcase_add_test(t, sgi_groups);
    tcase_add_test(t, routing);
    tcase_add_test(t, one_of_n);
    tcase_add_test(t, widths);
    tcase_add_test(t, options);
    tcase_add_test(t, msi);
    tcase_add_test(t, device_tree);
    tcase_add_test(t, restore_signals_again);
    return suite_main("vdev/gic version 3", t);
}
