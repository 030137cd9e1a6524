/* A VM with another interrupt controller than those of the program: what devices, vCPUs, the
 * configuration, the tree and the exit logic want of one is in vdev/pic.h, and nothing else is. */
#include <stdio.h>

#include "test_board_fixture.h"

#include "hv/config/config_ranges.h"
#include "hv/hv_internal.h"
#include "hv/tree/device_tree.h"
#include "hv/tree/fdt.h"

/* The controller ------------------------------------------------------------------------------
 *
 * Lines 0 to 4 are a vCPU's own, 5 to 15 go to vCPU 0. All are levels; 15 is not maskable. One
 * register, at 0 of its page: the shared lines. Register ICC_IAR1_EL1 of a CPU: the highest line.
 */

enum { LINES_OWN = CPU_LINES, LINE_LAST = 15, LINE_NMI = 15, NONE = 255 };

struct fake {
    struct pic pic;
    uint32_t shared;
    uint32_t own[2];
    unsigned started; /* vCPUs, by bit: no state */
};
static const struct field fake_fields[] = {FIELD(struct fake, shared),
                                           FIELD_ARRAY(struct fake, own), FIELD_END};

static struct fake *fake_of(void *pic)
{
    return pic;
}

static uint32_t lines_of(const struct fake *f, unsigned vcpu)
{
    return f->own[vcpu] | (vcpu == 0 ? f->shared : 0);
}

static void signal_to(struct fake *f, unsigned vcpu)
{
    uint32_t lines = lines_of(f, vcpu), nmi = 1u << LINE_NMI;
    pic_signal(&f->pic, vcpu,
               (lines & ~nmi ? CPU_SIGNAL_IRQ : 0u) | (lines & nmi ? CPU_SIGNAL_NMI : 0u));
}

static void set_bit(uint32_t *bits, unsigned bit, bool value)
{
    *bits = value ? *bits | 1u << bit : *bits & ~(1u << bit);
}

static void fake_set_line(void *pic, unsigned line, bool level)
{
    ck_assert(line >= LINES_OWN && line <= LINE_LAST);
    set_bit(&fake_of(pic)->shared, line, level);
    signal_to(pic, 0);
}

static unsigned fake_local_number(enum cpu_line line)
{
    return line;
}

static void fake_set_local(struct pic *pic, unsigned vcpu, enum cpu_line line, bool level)
{
    set_bit(&fake_of(pic)->own[vcpu], fake_local_number(line), level);
    signal_to(fake_of(pic), vcpu);
}

static unsigned fake_acknowledge(struct pic *pic, unsigned vcpu)
{
    uint32_t lines = lines_of(fake_of(pic), vcpu);
    return lines ? 31 - (unsigned)__builtin_clz(lines) : NONE;
}

static bool fake_cpu_register(struct pic *pic, unsigned vcpu, unsigned id, bool is_write,
                              uint64_t *value)
{
    if (id != (3u << 14 | 12u << 7 | 12u << 3) || is_write)
        return false;
    *value = pic->v.type->pic->acknowledge(pic, vcpu);
    return true;
}

static bool yes(const struct pic *pic)
{
    (void)pic;
    return true;
}

static void fake_vcpu_started(struct pic *pic, unsigned vcpu)
{
    fake_of(pic)->started |= 1u << vcpu;
}

static void fake_explain(const struct pic *pic, unsigned vcpu, char *text, size_t size)
{
    (void)pic;
    snprintf(text, size, "the fake has nothing for vCPU %u", vcpu);
}

static size_t fake_cells(const struct pic *pic, unsigned line, bool is_edge,
                         uint32_t cells[PIC_CELLS_MAX])
{
    (void)pic, (void)is_edge;
    cells[0] = 0xfa4e;
    cells[1] = line;
    return 2;
}

static enum bus_answer fake_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    (void)region;
    a->value = a->is_write ? a->value : fake_of(v)->shared;
    return BUS_HANDLED;
}

static bool fake_ranges(struct vdev *v, unsigned vcpus, struct error *e)
{
    (void)e;
    vdev_add_region(v, v->loc, PAGE_SIZE * vcpus, "pages");
    return true;
}

static void fake_describe(struct vdev *v, const struct describer *d)
{
    uint32_t two = 2, phandle = PHANDLE_PIC;
    d->begin_node(d->context, "fake");
    vdev_describe_reg(d, v->regions, v->region_count);
    d->cells(d->context, "#interrupt-cells", &two, 1);
    d->cells(d->context, "phandle", &phandle, 1);
    d->end_node(d->context);
}

static void fake_restored(struct vdev *v)
{
    for (unsigned i = 0; i < v->env->vcpu_count; i++)
        signal_to(fake_of(v), i);
}

static const struct pic_type fake_pic = {
    .first_line = 1,
    .first_shared = LINES_OWN,
    .last_line = LINE_LAST,
    .set_line = fake_set_line,
    .set_local = fake_set_local,
    .local_number = fake_local_number,
    .has_cpu_registers = yes,
    .cpu_register = fake_cpu_register,
    .acknowledge = fake_acknowledge,
    .vcpu_started = fake_vcpu_started,
    .explain = fake_explain,
    .cells = fake_cells,
};
static const struct vdev_type fake_type = {
    .name = "fake",
    .summary = "an interrupt controller",
    .size = sizeof(struct fake),
    .fields = fake_fields,
    .default_loc = 0x30000000,
    .pic = &fake_pic,
    .ranges = fake_ranges,
    .access = fake_access,
    .describe = fake_describe,
    .restored = fake_restored,
};

/* The devices of this program: vdev/all.c is not in it, nor is the GIC. */
extern const struct vdev_type exit_type, pl011_type;
const struct vdev_type *const vdev_types[] = {&exit_type, &fake_type, &pl011_type, NULL};

/* By itself ------------------------------------------------------------------------------------ */

struct signalled {
    unsigned of[2], times;
};

static void note_signals(void *context, unsigned vcpu, unsigned signals)
{
    struct signalled *s = context;
    s->of[vcpu] = signals;
    s->times++;
}

static bool write_at(struct bus *bus, uint64_t at, uint64_t value)
{
    struct bus_access a = {.value = value, .size = 4, .is_write = true};
    return bus_access(bus, gpa(at), &a) == BUS_HANDLED;
}

#define UART 0x1c090000
START_TEST(a_device_on_the_bus_reaches_the_outputs)
{
    struct vtime vtime = {.rate_hz = 1000000000};
    struct event_queue events = {0};
    struct vdev_env env = {.vtime = &vtime, .events = &events, .vcpu_count = 2};
    struct fake f = {.pic.v = {.type = &fake_type, .env = &env, .loc = 0x30000000}};
    struct vdev *uart = calloc(1, pl011_type.size);
    struct signalled s = {0};
    struct bus bus = {0};
    struct error e = {0};
    ck_assert_ptr_nonnull(uart);
    pic_connect(pic_of(&f.pic.v), (struct pic_outputs){note_signals, &s});
    uart->type = &pl011_type;
    uart->env = &env;
    uart->loc = UART;
    uart->irq = pic_wire(&f.pic, LINE_LAST - 1);
    ck_assert(vdev_create(&f.pic.v, &e) && vdev_create(uart, &e));
    ck_assert(bus_add(&bus, &f.pic.v, &e) && bus_add(&bus, uart, &e));
    ck_assert_uint_eq(bus.regions[1].size, 2 * PAGE_SIZE);
    ck_assert_uint_eq(s.times, 0);
    ck_assert(write_at(&bus, UART + 0x38, 0x20) && write_at(&bus, UART, 'x')); /* IMSC, DR: TX */
    ck_assert_uint_eq(s.of[0], CPU_SIGNAL_IRQ);
    ck_assert_uint_eq(fake_pic.acknowledge(&f.pic, 0), LINE_LAST - 1);
    ck_assert(write_at(&bus, UART + 0x44, 0x20)); /* ICR */
    ck_assert_uint_eq(s.of[0], 0);
    pic_set_local(&f.pic, 1, CPU_LINE_PMU, true);
    ck_assert_uint_eq(s.of[1], CPU_SIGNAL_IRQ);
    pic_wire(&f.pic, LINE_NMI).set(&f.pic, LINE_NMI, true);
    ck_assert_uint_eq(s.of[0], CPU_SIGNAL_NMI);
    uart->type->destroy(uart);
    bus_free(&bus);
    free(uart);
}
END_TEST

START_TEST(what_a_controller_leaves_out)
{
    static const struct pic_type none = {.set_line = fake_set_line};
    static const struct vdev_type type = {.name = "none", .pic = &none};
    struct pic pic = {.v = {.type = &type}};
    uint64_t value = 5;
    ck_assert(!pic_has_cpu_registers(&pic));
    ck_assert(!pic_cpu_register(&pic, 0, 0, false, &value));
    ck_assert_uint_eq(value, 5);
    pic_vcpu_started(&pic, 0);
    pic_signal(&pic, 0, CPU_SIGNAL_IRQ); /* nobody listens */
}
END_TEST

/* In a configuration -------------------------------------------------------------------------- */

#define RAM "vdev fake ram 0x40000000,4M load 0x40000000,image "
static const struct {
    const char *text, *error;
} refused[] = {
    {"vdev fake vdev pl011 loc 0x1000 intr gic:7",
     "unknown interrupt controller 'gic' (known here: 'fake')"},
    {"vdev fake vdev pl011 loc 0x1000 intr fake:0",
     "interrupt line '0' is not in the range 1 to 15"},
    {"vdev fake vdev pl011 loc 0x1000 intr fake:16",
     "interrupt line '16' is not in the range 1 to 15"},
    {"vdev fake vdev fake", "a second 'vdev fake'; the first is at [cmdline:1]"},
    {"vdev fake name a:b",
     "the name of an interrupt controller has letters, digits, '_', '-', '.' only"},
    {"vdev fake vdev pl011 loc 0x1000 intr fake:7 vdev pl011 loc 0x2000 intr fake:7",
     "vdev pl011: interrupt line 7 belongs to vdev pl011 already [cmdline:1]"},
    {"vdev fake vdev pl011 loc 0x30001000 intr fake:7 cpu cpu",
     "vdev pl011 0x30001000-0x30001fff overlaps vdev fake pages 0x30000000-0x30001fff "
     "[cmdline:1]"},
};

START_TEST(refused_by_the_configuration)
{
    struct vm_config config;
    struct config_reader reader = {0};
    struct error e = {0};
    char expected[160];
    snprintf(expected, sizeof expected, "[cmdline:1] %s", refused[_i].error);
    ck_assert(!config_parse(&config, &refused[_i].text, 1, &reader, &e));
    ck_assert_str_eq(e.text, expected);
}
END_TEST

START_TEST(refused_by_others)
{
    static const char *const device[] = {"board b ram 0x40000000,4M device fake"};
    struct board_config board;
    struct config_reader reader = {0};
    struct error e = {0};
    ck_assert(!board_config_parse(&board, device, 1, &reader, &e));
    ck_assert_str_eq(e.text, "[cmdline:1] a board has its interrupt controller by itself");
    struct machine m = {0};
    e = (struct error){0};
    ck_assert(!machine_try(&m, RAM "vdev pl011 loc 0x1000 intr fake:2", NULL, 0, &e));
    ck_assert_str_eq(
        e.text,
        "[cmdline:1] vdev pl011: line 2 of the fake belongs to each vCPU; devices use 5 and up");
    machine_close(&m);
}
END_TEST

/* Under a guest ------------------------------------------------------------------------------- */

#define DEVICES "vdev pl011 loc 0x1c090000 intr fake:7 vdev exit loc 0x1c0a0000"
static const uint32_t program[] = {
    0xd2a38121, /* movz x1, #0x1c09, lsl #16    the UART */
    0xd2a38143, /* movz x3, #0x1c0a, lsl #16    the exit device */
    0x52800404, /* mov w4, #0x20 */
    0xb9003824, /* str w4, [x1, #0x38]          IMSC: TX */
    0xb9000024, /* str w4, [x1]                 DR */
    0xd503207f, /* wfi */
    0xd538cc05, /* mrs x5, ICC_IAR1_EL1 */
    0xb900383f, /* str wzr, [x1, #0x38] */
    0xd2800c86, /* mov x6, #100 */
    0xd51be306, /* msr CNTV_TVAL_EL0, x6 */
    0xd2800026, /* mov x6, #1 */
    0xd51be326, /* msr CNTV_CTL_EL0, x6 */
    0xd503207f, /* wfi */
    0xd538cc07, /* mrs x7, ICC_IAR1_EL1 */
    0x8b070ca5, /* add x5, x5, x7, lsl #3 */
    0xb9000065, /* str w5, [x3] */
    0x14000000, /* b . */
};

/* Interrupts stay masked: WFI goes on all the same (D1.7.2). */
START_TEST(a_guest_gets_its_interrupts)
{
    struct machine m = {0};
    struct error e = {0};
    ck_assert_msg(machine_try(&m, RAM DEVICES, program, sizeof program / sizeof program[0], &e),
                  "%s", e.text);
    ck_assert_int_eq(board_run(m.board), STATUS_USER + 7 + 8 * CPU_LINE_TIMER_VIRTUAL);
    ck_assert_uint_eq(m.board->vms[0]->exits[EXIT_REGISTER], 2);
    machine_close(&m);
}
END_TEST

START_TEST(a_guest_that_waits_for_ever)
{
    static const uint32_t wfi[] = {0xd503207f};
    struct machine m = {0};
    struct error e = {0};
    ck_assert_msg(machine_try(&m, RAM, wfi, 1, &e), "%s", e.text);
    ck_assert_int_eq(board_run(m.board), STATUS_UNEXPECTED);
    ck_assert_ptr_nonnull(strstr(m.board->vms[0]->ending, "the fake has nothing for vCPU 0"));
    machine_close(&m);
}
END_TEST

/* PSCI CPU_ON of vCPU 1, for ever. */
START_TEST(firmware_tells_it_of_vcpus)
{
    static const uint32_t start[] = {
        0xd2b88000, /* movz x0, #0xc400, lsl #16 */
        0xf2800060, /* movk x0, #3 */
        0xd2800021, /* mov x1, #1 */
        0xd2a80002, /* movz x2, #0x4000, lsl #16 */
        0xd4000002, /* hvc #0 */
        0xd503207f, /* wfi */
    };
    struct machine m = {0};
    struct error e = {0};
    ck_assert_msg(machine_try(&m, RAM "cpu cpu", start, 6, &e), "%s", e.text);
    board_run_to(m.board, 6);
    ck_assert_uint_eq(fake_of(m.board->vms[0]->pic)->started, 2);
    machine_close(&m);
}
END_TEST

static void assert_interrupts(const struct dt_node *root, const char *node, size_t count,
                              unsigned first)
{
    const struct dt_property *p = NULL;
    for (size_t i = 0; i < root->child_count; i++)
        if (strcmp(root->children[i]->name, node) == 0)
            p = dt_property(root->children[i], "interrupts");
    ck_assert_msg(p != NULL, "%s", node);
    ck_assert_uint_eq(p->size, 8 * count);
    const uint8_t expected[8] = {0, 0, 0xfa, 0x4e, 0, 0, 0, (uint8_t)first};
    ck_assert_mem_eq(p->data, expected, sizeof expected);
}

START_TEST(the_tree_has_its_cells)
{
    struct machine m = {0};
    struct bytes flat = {0};
    struct error e = {0};
    struct fdt_inputs inputs = {0};
    ck_assert_msg(machine_try(&m, RAM DEVICES, program, 1, &e), "%s", e.text);
    ck_assert(vm_arches[0]->build_tree(m.board->vms[0], &inputs, &flat, &e));
    struct dt_node *root = fdt_read(&flat, &e);
    ck_assert_msg(root != NULL, "%s", e.text);
    assert_interrupts(root, "timer", 4, CPU_LINE_TIMER_SECURE);
    assert_interrupts(root, "pmu", 1, CPU_LINE_PMU);
    assert_interrupts(root, "serial@1c090000", 1, 7);
    dt_node_free(root);
    bytes_free(&flat);
    machine_close(&m);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("pic");
    tcase_add_test(t, a_device_on_the_bus_reaches_the_outputs);
    tcase_add_test(t, what_a_controller_leaves_out);
    tcase_add_loop_test(t, refused_by_the_configuration, 0, sizeof refused / sizeof refused[0]);
    tcase_add_test(t, refused_by_others);
    tcase_add_test(t, a_guest_gets_its_interrupts);
    tcase_add_test(t, a_guest_that_waits_for_ever);
    tcase_add_test(t, firmware_tells_it_of_vcpus);
    tcase_add_test(t, the_tree_has_its_cells);
    return suite_main("pic", t);
}
