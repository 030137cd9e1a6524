#include "test_vdev_fixture.h"

enum { GICD, GICC };
enum {
    CTLR = 0x0,
    TYPER = 0x4,
    GROUP = 0x80,
    ISENABLE = 0x100,
    ICENABLE = 0x180,
    ISPEND = 0x200,
    ICPEND = 0x280,
    ISACTIVE = 0x300,
    PRIORITY = 0x400,
    TARGETS = 0x800,
    SGIR = 0xf00,
    CPENDSGI = 0xf10,
    SPENDSGI = 0xf20,
};
enum {
    C_CTLR = 0x00,
    PMR = 0x04,
    BPR = 0x08,
    IAR = 0x0c,
    EOIR = 0x10,
    RPR = 0x14,
    HPPIR = 0x18,
    ABPR = 0x1c,
    AIAR = 0x20,
    AEOIR = 0x24,
    AHPPIR = 0x28,
    APR0 = 0xd0,
    NSAPR0 = 0xe0,
    DIR = 0x1000,
};

static struct world w;
static const char *const version_2[] = {"version", "2", NULL};

static uint64_t cpu_get(unsigned vcpu, uint64_t offset)
{
    return get_as(&w, vcpu, GICC, offset, 4);
}

static void cpu_put(unsigned vcpu, uint64_t offset, uint64_t value)
{
    put_as(&w, vcpu, GICC, offset, 4, value);
}

static void enable_spi(unsigned intid)
{
    put(&w, ISENABLE + intid / 32 * 4, 1u << (intid & 31));
    put_as(&w, 0, GICD, TARGETS + intid, 1, 1);
}

/* As a simple driver leaves it: everything in Group 0, signalled as IRQ. */
static void open_running(unsigned vcpus)
{
    world_open(&w, "gic", vcpus, version_2);
    put(&w, CTLR, 3);
    for (unsigned vcpu = 0; vcpu < vcpus; vcpu++) {
        cpu_put(vcpu, PMR, 0xf0);
        cpu_put(vcpu, C_CTLR, 3);
    }
}

static void close_world(void)
{
    world_close(&w);
}

START_TEST(identification)
{
    uint64_t value;
    world_open(&w, "gic", 4, version_2);
    ck_assert_uint_eq(w.v->regions[GICD].base, 0x2f000000);
    ck_assert_uint_eq(w.v->regions[GICC].base, 0x2c000000);
    ck_assert_uint_eq(get(&w, TYPER), 3u << 5 | 8);
    ck_assert_uint_eq(get(&w, 0xfe8) >> 4 & 15, 2);    /* ArchRev */
    ck_assert_uint_eq(cpu_get(0, 0xfc) >> 16 & 15, 2); /* GICC_IIDR: architecture */
    ck_assert_uint_eq(cpu_get(0, IAR), 1023);
    ck_assert_uint_eq(gic_version(w.v), 2);
    ck_assert(!gic_sysreg_read(w.v, 0, 3u << 14 | 12u << 7 | 12u << 3 | 5, &value));
    ck_assert(!gic_sysreg_write(w.v, 0, 3u << 14 | 4u << 7 | 6u << 3, 0));
    close_world();
}
END_TEST

START_TEST(interrupt_from_line_to_inactive)
{
    open_running(1);
    put(&w, ISENABLE + 4, 1u << 5); /* one processor: no target to set */
    gic_set_spi(w.v, 37, true);
    ck_assert(w.vcpu_irq[0] && !w.vcpu_fiq[0]);
    ck_assert_uint_eq(cpu_get(0, HPPIR), 37);
    ck_assert_uint_eq(cpu_get(0, IAR), 37);
    ck_assert(!w.vcpu_irq[0]);
    ck_assert_uint_eq(cpu_get(0, IAR), 1023);
    gic_set_spi(w.v, 37, false);
    cpu_put(0, EOIR, 37);
    ck_assert(!w.vcpu_irq[0]);
    ck_assert_uint_eq(get(&w, ISACTIVE + 4), 0);
    ck_assert_uint_eq(cpu_get(0, RPR), 0xff);
    close_world();
}
END_TEST

START_TEST(sgis_remember_their_sender)
{
    open_running(3);
    put_as(&w, 1, GICD, SGIR, 4, 1u << 16 | 4); /* from 1 to 0 */
    put_as(&w, 2, GICD, SGIR, 4, 1u << 16 | 4); /* from 2 to 0 */
    ck_assert(w.vcpu_irq[0] && !w.vcpu_irq[1] && !w.vcpu_irq[2]);
    ck_assert_uint_eq(get_as(&w, 0, GICD, SPENDSGI + 4, 1), 6);
    ck_assert_uint_eq(cpu_get(0, HPPIR), 1u << 10 | 4);
    ck_assert_uint_eq(cpu_get(0, IAR), 1u << 10 | 4);
    ck_assert_uint_eq(cpu_get(0, IAR), 1023);
    cpu_put(0, EOIR, 1u << 10 | 4);
    ck_assert(w.vcpu_irq[0]);
    ck_assert_uint_eq(cpu_get(0, IAR), 2u << 10 | 4);
    cpu_put(0, EOIR, 2u << 10 | 4);
    ck_assert(!w.vcpu_irq[0]);
    close_world();
}
END_TEST

START_TEST(sgi_target_filters)
{
    open_running(3);
    put_as(&w, 1, GICD, SGIR, 4, 1u << 24 | 9); /* all but the sender */
    ck_assert(w.vcpu_irq[0] && !w.vcpu_irq[1] && w.vcpu_irq[2]);
    put_as(&w, 1, GICD, SGIR, 4, 2u << 24 | 9); /* the sender */
    ck_assert(w.vcpu_irq[1]);
    for (unsigned vcpu = 0; vcpu < 3; vcpu++)
        ck_assert_uint_eq(cpu_get(vcpu, IAR), 1u << 10 | 9);
    put_as(&w, 1, GICD, SGIR, 4, 3u << 24 | 7u << 16 | 8); /* reserved filter */
    ck_assert(!w.vcpu_irq[0] && !w.vcpu_irq[1] && !w.vcpu_irq[2]);
    close_world();
}
END_TEST

START_TEST(sgi_pending_registers)
{
    open_running(2);
    put_as(&w, 0, GICD, SPENDSGI + 5, 1, 3);
    ck_assert(w.vcpu_irq[0]);
    ck_assert_uint_eq(get(&w, ISPEND), 1u << 5);
    put(&w, ICPEND, 1u << 5); /* read-only for SGIs */
    put(&w, ISPEND, 1u << 6);
    ck_assert_uint_eq(get(&w, ISPEND), 1u << 5);
    put_as(&w, 0, GICD, CPENDSGI + 4, 4, 1u << 8);
    ck_assert_uint_eq(get_as(&w, 0, GICD, CPENDSGI + 4, 4), 2u << 8);
    put_as(&w, 0, GICD, CPENDSGI + 5, 1, 2);
    ck_assert(!w.vcpu_irq[0]);
    ck_assert_uint_eq(get(&w, ISPEND), 0);
    put(&w, ICENABLE, 0xffff); /* SGIs stay enabled */
    ck_assert_uint_eq(get(&w, ISENABLE), 0xffff);
    close_world();
}
END_TEST

START_TEST(targets)
{
    open_running(3);
    put(&w, ISENABLE + 4, 1u << 8);
    for (unsigned vcpu = 0; vcpu < 3; vcpu++)
        ck_assert_uint_eq(get_as(&w, vcpu, GICD, TARGETS, 4), 0x01010101u << vcpu);
    gic_set_spi(w.v, 40, true);
    ck_assert(!w.vcpu_irq[0] && !w.vcpu_irq[1] && !w.vcpu_irq[2]);
    put_as(&w, 0, GICD, TARGETS + 40, 1, 0xfe); /* only existing ones are stored */
    ck_assert_uint_eq(get_as(&w, 0, GICD, TARGETS + 40, 1), 6);
    ck_assert(!w.vcpu_irq[0] && w.vcpu_irq[1] && w.vcpu_irq[2]);
    ck_assert_uint_eq(cpu_get(2, IAR), 40); /* 1-N: who asks first has it */
    ck_assert(!w.vcpu_irq[1] && !w.vcpu_irq[2]);
    ck_assert_uint_eq(cpu_get(1, IAR), 1023);
    close_world();
    open_running(1);
    put_as(&w, 0, GICD, TARGETS + 40, 4, 0x01010101);
    ck_assert_uint_eq(get_as(&w, 0, GICD, TARGETS + 40, 4), 0);
    ck_assert_uint_eq(get_as(&w, 0, GICD, TARGETS, 4), 0);
    close_world();
}
END_TEST

START_TEST(private_lines_are_banked)
{
    open_running(2);
    put_as(&w, 1, GICD, ISENABLE, 4, 1u << 27);
    put_as(&w, 1, GICD, PRIORITY + 27, 1, 0x40);
    ck_assert_uint_eq(get_as(&w, 0, GICD, ISENABLE, 4), 0xffff);
    ck_assert_uint_eq(get_as(&w, 0, GICD, PRIORITY + 27, 1), 0);
    gic_set_ppi(w.v, 0, 27, true);
    gic_set_ppi(w.v, 1, 27, true);
    ck_assert(!w.vcpu_irq[0] && w.vcpu_irq[1]);
    ck_assert_uint_eq(cpu_get(1, IAR), 27);
    ck_assert_uint_eq(cpu_get(1, RPR), 0x40);
    ck_assert_uint_eq(cpu_get(1, APR0), 1u << 8);
    ck_assert_uint_eq(get_as(&w, 0, GICD, ISACTIVE, 4), 0);
    ck_assert_uint_eq(get_as(&w, 1, GICD, ISACTIVE, 4), 1u << 27);
    close_world();
}
END_TEST

START_TEST(group_0_is_fiq_if_asked)
{
    open_running(1);
    enable_spi(40);
    gic_set_spi(w.v, 40, true);
    ck_assert(w.vcpu_irq[0] && !w.vcpu_fiq[0]);
    cpu_put(0, C_CTLR, 3 | 8);
    ck_assert(!w.vcpu_irq[0] && w.vcpu_fiq[0]);
    put(&w, GROUP + 4, 1u << 8);
    ck_assert(w.vcpu_irq[0] && !w.vcpu_fiq[0]);
    cpu_put(0, C_CTLR, 1 | 8); /* Group 1 disabled here */
    ck_assert(!w.vcpu_irq[0] && !w.vcpu_fiq[0]);
    close_world();
}
END_TEST

START_TEST(group_1_through_the_aliases)
{
    open_running(1);
    enable_spi(40);
    put(&w, GROUP + 4, 1u << 8);
    gic_set_spi(w.v, 40, true);
    ck_assert_uint_eq(cpu_get(0, IAR), 1022);
    ck_assert_uint_eq(cpu_get(0, HPPIR), 1022);
    ck_assert_uint_eq(cpu_get(0, AHPPIR), 40);
    ck_assert_uint_eq(cpu_get(0, AIAR), 40);
    ck_assert_uint_eq(cpu_get(0, NSAPR0), 1);
    ck_assert_uint_eq(cpu_get(0, APR0), 0);
    gic_set_spi(w.v, 40, false);
    cpu_put(0, AEOIR, 40);
    ck_assert_uint_eq(cpu_get(0, NSAPR0), 0);
    cpu_put(0, C_CTLR, 3 | 4); /* AckCtl: the plain ones serve both */
    gic_set_spi(w.v, 40, true);
    ck_assert_uint_eq(cpu_get(0, HPPIR), 40);
    ck_assert_uint_eq(cpu_get(0, IAR), 40);
    gic_set_spi(w.v, 40, false);
    cpu_put(0, EOIR, 40);
    ck_assert_uint_eq(cpu_get(0, RPR), 0xff);
    put(&w, GROUP + 4, 0);
    gic_set_spi(w.v, 40, true);
    ck_assert_uint_eq(cpu_get(0, AIAR), 1023);
    close_world();
}
END_TEST

START_TEST(preemption)
{
    open_running(1);
    enable_spi(40);
    enable_spi(41);
    put_as(&w, 0, GICD, PRIORITY + 40, 1, 0xa0);
    put_as(&w, 0, GICD, PRIORITY + 41, 1, 0x80);
    cpu_put(0, BPR, 6); /* [7:7]: both the same */
    gic_set_spi(w.v, 40, true);
    ck_assert_uint_eq(cpu_get(0, IAR), 40);
    ck_assert_uint_eq(cpu_get(0, RPR), 0x80);
    gic_set_spi(w.v, 41, true);
    ck_assert(!w.vcpu_irq[0]);
    gic_set_spi(w.v, 41, false);
    cpu_put(0, EOIR, 40);
    cpu_put(0, BPR, 3);
    ck_assert_uint_eq(cpu_get(0, IAR), 40);
    ck_assert_uint_eq(cpu_get(0, RPR), 0xa0);
    gic_set_spi(w.v, 41, true);
    ck_assert(w.vcpu_irq[0]);
    ck_assert_uint_eq(cpu_get(0, IAR), 41);
    gic_set_spi(w.v, 41, false);
    cpu_put(0, EOIR, 41);
    ck_assert_uint_eq(cpu_get(0, RPR), 0xa0);
    close_world();
}
END_TEST

START_TEST(binary_points)
{
    open_running(1);
    cpu_put(0, BPR, 0);
    cpu_put(0, ABPR, 0);
    ck_assert_uint_eq(cpu_get(0, BPR), 2);
    ck_assert_uint_eq(cpu_get(0, ABPR), 3);
    cpu_put(0, C_CTLR, 3 | 0x10); /* CBPR */
    cpu_put(0, BPR, 5);
    ck_assert_uint_eq(cpu_get(0, ABPR), 6);
    close_world();
}
END_TEST

START_TEST(split_drop_and_deactivation)
{
    open_running(1);
    cpu_put(0, C_CTLR, 3 | 1u << 9);
    enable_spi(40);
    gic_set_spi(w.v, 40, true);
    ck_assert_uint_eq(cpu_get(0, IAR), 40);
    cpu_put(0, EOIR, 40);
    ck_assert_uint_eq(cpu_get(0, RPR), 0xff);
    ck_assert(!w.vcpu_irq[0]);
    cpu_put(0, DIR, 40);
    ck_assert(w.vcpu_irq[0]);
    close_world();
}
END_TEST

START_TEST(only_words)
{
    world_open(&w, "gic", 1, version_2);
    ck_assert_int_eq(try_access(&w, GICC, IAR, 1, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, GICC, IAR, 8, false), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, GICD, SGIR, 2, true), BUS_NOBODY);
    ck_assert_int_eq(try_access(&w, GICD, CPENDSGI, 2, true), BUS_NOBODY);
    ck_assert_uint_eq(cpu_get(0, 0x200), 0);
    close_world();
}
END_TEST

START_TEST(device_tree)
{
    struct tree_text t;
    static const char *const moved[] = {"version", "2",         "gicd", "0x8000000",
                                        "gicc",    "0x8010000", NULL};
    world_open(&w, "gic", 2, moved);
    tree_of(w.v, &t);
    ck_assert_ptr_nonnull(strstr(t.text, "intc@8000000 {"));
    ck_assert_ptr_nonnull(strstr(t.text, "compatible = arm,cortex-a15-gic\n"));
    ck_assert_ptr_nonnull(strstr(t.text, "reg = <0 8000000 0 1000 0 8010000 0 2000>\n"));
    close_world();
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("gic_v2");
    tcase_add_test(t, identification);
    tcase_add_test(t, interrupt_from_line_to_inactive);
    tcase_add_test(t, sgis_remember_their_sender);
    tcase_add_test(t, sgi_target_filters);
    tcase_add_test(t, sgi_pending_registers);
    tcase_add_test(t, targets);
    tcase_add_test(t, private_lines_are_banked);
    tcase_add_test(t, group_0_is_fiq_if_asked);
    tcase_add_test(t, group_1_through_the_aliases);
    tcase_add_test(t, preemption);
    tcase_add_test(t, binary_points);
    tcase_add_test(t, split_drop_and_deactivation);
    tcase_add_test(t, only_words);
    tcase_add_test(t, device_tree);
    return suite_main("vdev/gic version 2", t);
}
