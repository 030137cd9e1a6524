/* The device tree of an assembled VM. Devices write their own nodes through a describer; what
 * belongs to the VM as a whole is here. */
#include <stdio.h>
#include <string.h>

#include "emu/check.h"
#include "emu/machine.h"
#include "hv/tree/device_tree.h"
#include "hv/tree/fdt.h"

/* The node that is being written, behind a describer's untyped context. */
struct cursor {
    struct dt_node *node;
};

static struct dt_node *node_of(void *tree)
{
    return ((struct cursor *)tree)->node;
}

static void put_cells(void *tree, const char *property, const uint32_t *cells, size_t count)
{
    uint8_t big_endian[64 * 4];
    CHECK(count <= 64);
    for (size_t i = 0; i < 4 * count; i++)
        big_endian[i] = (uint8_t)(cells[i / 4] >> (24 - 8 * (i % 4)));
    dt_set(node_of(tree), property, big_endian, 4 * count);
}

static void put_u64(void *tree, const char *property, uint64_t value)
{
    put_cells(tree, property, (const uint32_t[]){(uint32_t)(value >> 32), (uint32_t)value}, 2);
}

static void put_strings(void *tree, const char *property, const char *strings, size_t size)
{
    dt_set(node_of(tree), property, strings, size);
}

static void put_string(void *tree, const char *property, const char *value)
{
    put_strings(tree, property, value, strlen(value) + 1);
}

static void put_empty(void *tree, const char *property)
{
    put_strings(tree, property, "", 0);
}

static void begin(void *tree, const char *name)
{
    struct dt_node *node = dt_node_new(name);
    dt_add_child(node_of(tree), node);
    ((struct cursor *)tree)->node = node;
}

static void end(void *tree)
{
    ((struct cursor *)tree)->node = node_of(tree)->parent;
}

#define CELLS(tree, property, ...)                                                                 \
    put_cells((tree), (property), (const uint32_t[]){__VA_ARGS__},                                 \
              sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* Devices that came with a `pass` are behind the configuration's own. A user's tree describes them
 * as the board does, so that they are not described twice. */
static bool is_described(const struct vm *vm, const struct fdt_inputs *inputs, size_t vdev)
{
    return (vdev < vm->config->vdev_count || !inputs->has_user_tree) &&
           vm->vdevs[vdev]->type->describe;
}

/* What Linux asks for so early that no device can give it: where to put its kernel, and the first
 * numbers of its generator. Machines of the past had neither. */
static void put_seeds(struct vm *vm, void *tree)
{
    uint8_t kaslr[8], rng[32];
    if ((vm->board->options.quirks & QUIRK_NO_SEEDS) ||
        !vdev_env_entropy(vm, kaslr, sizeof kaslr) || !vdev_env_entropy(vm, rng, sizeof rng))
        return;
    dt_set(node_of(tree), "kaslr-seed", kaslr, sizeof kaslr);
    dt_set(node_of(tree), "rng-seed", rng, sizeof rng);
}

void arm64_pass_seeds(struct vm *vm)
{
    for (unsigned i = 0; i < 2 && !(vm->board->options.quirks & QUIRK_NO_SEEDS); i++)
        vdev_env_pass_entropy(vm);
}

static void put_chosen(struct vm *vm, void *tree, const struct fdt_inputs *inputs)
{
    begin(tree, "chosen");
    if (vm->config->cmdline)
        put_string(tree, "bootargs", vm->config->cmdline);
    if (inputs->initrd_size) {
        put_u64(tree, "linux,initrd-start", inputs->initrd_start);
        put_u64(tree, "linux,initrd-end", inputs->initrd_start + inputs->initrd_size);
    }
    for (size_t i = 0; i < vm->vdev_count; i++) {
        if (strcmp(vm->vdevs[i]->type->name, "pl011") != 0 || !is_described(vm, inputs, i))
            continue;
        char path[64];
        snprintf(path, sizeof path, "/serial@%llx", (unsigned long long)vm->vdevs[i]->loc);
        put_string(tree, "stdout-path", path);
        break;
    }
    put_seeds(vm, tree);
    end(tree);
}

static void put_memory(struct vm *vm, void *tree)
{
    struct memory_range r;
    for (size_t i = 0; config_memory(vm->config, i, &r); i++) {
        if (r.is_rom)
            continue;
        char name[64];
        snprintf(name, sizeof name, "memory@%llx", (unsigned long long)r.start);
        begin(tree, name);
        put_string(tree, "device_type", "memory");
        CELLS(tree, "reg", (uint32_t)(r.start >> 32), (uint32_t)r.start, (uint32_t)(r.length >> 32),
              (uint32_t)r.length);
        end(tree);
    }
}

static const char *cpu_compatible(const char *model)
{
    static const char *const names[][2] = {
        {"a53", "arm,cortex-a53"}, {"a57", "arm,cortex-a57"}, {"a72", "arm,cortex-a72"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(model, names[i][0]) == 0)
            return names[i][1];
    return "arm,armv8";
}

static void put_cpus(struct vm *vm, void *tree)
{
    begin(tree, "cpus");
    CELLS(tree, "#address-cells", 1);
    CELLS(tree, "#size-cells", 0);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "cpu@%u", i);
        begin(tree, name);
        put_string(tree, "device_type", "cpu");
        put_string(tree, "compatible", cpu_compatible(vm->config->cpu_model));
        CELLS(tree, "reg", i);
        if (vm->vcpu_count > 1)
            put_string(tree, "enable-method", "psci");
        end(tree);
    }
    end(tree);
}

static void put_firmware(void *tree)
{
    begin(tree, "psci");
    put_strings(tree, "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci", 35);
    put_string(tree, "method", "hvc");
    CELLS(tree, "cpu_suspend", 0xc4000001);
    CELLS(tree, "cpu_off", 0x84000002);
    CELLS(tree, "cpu_on", 0xc4000003);
    CELLS(tree, "migrate", 0xc4000005);
    end(tree);
}

static void put_interrupts(struct vm *vm, void *tree, const enum cpu_line *lines, size_t count)
{
    uint32_t cells[CPU_LINES * PIC_CELLS_MAX];
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += pic_local_cells(vm->pic, lines[i], &cells[used]);
    put_cells(tree, "interrupts", cells, used);
}

static void put_timer(struct vm *vm, void *tree)
{
    static const enum cpu_line lines[] = {CPU_LINE_TIMER_SECURE, CPU_LINE_TIMER_PHYSICAL,
                                          CPU_LINE_TIMER_VIRTUAL, CPU_LINE_TIMER_HYPERVISOR};
    begin(tree, "timer");
    put_strings(tree, "compatible", "arm,armv8-timer\0arm,armv7-timer", 32);
    put_interrupts(vm, tree, lines, sizeof lines / sizeof lines[0]);
    put_empty(tree, "always-on");
    end(tree);
}

static void put_pmu(struct vm *vm, void *tree)
{
    static const char *const models[] = {"a53", "a57", "a72"};
    char compatible[64] = "";
    size_t size = 0;
    if (vm->board->options.quirks & QUIRK_OLD_PMU)
        return;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(vm->config->cpu_model, models[i]) == 0)
            size = (size_t)sprintf(compatible, "arm,cortex-%s-pmu", models[i]) + 1;
    size += (size_t)sprintf(compatible + size, "arm,armv8-pmuv3") + 1;
    begin(tree, "pmu");
    put_strings(tree, "compatible", compatible, size);
    put_interrupts(vm, tree, (const enum cpu_line[]){CPU_LINE_PMU}, 1);
    end(tree);
}

static void put_clock(void *tree)
{
    begin(tree, "apb-pclk");
    put_string(tree, "compatible", "fixed-clock");
    CELLS(tree, "#clock-cells", 0);
    CELLS(tree, "clock-frequency", 24000000);
    put_string(tree, "clock-output-names", "clk24mhz");
    CELLS(tree, "phandle", PHANDLE_CLOCK_24MHZ);
    end(tree);
}

/* Linux, Documentation/devicetree/bindings/iommu/iommu.txt: of the node that was written last. */
static void put_stream(const struct vm *vm, size_t vdev, void *tree)
{
    const struct vdev_config *c = vdev < vm->config->vdev_count ? &vm->config->vdevs[vdev] : NULL;
    struct cursor at = {node_of(tree)->children[node_of(tree)->child_count - 1]};
    if (c && c->has_stream)
        CELLS(&at, "iommus", PHANDLE_VDEVS + (uint32_t)c->smmu_index, c->stream);
}

/* The frame has a phandle if somebody refers to it. */
static uint32_t message_frame(const struct vm *vm)
{
    bool is_wanted = false;
    for (size_t i = 0; i < vm->config->vdev_count; i++)
        is_wanted |= vm->vdevs[i]->type->sends_messages;
    return is_wanted && pic_has_message_frame(vm->pic) ? PHANDLE_VDEVS + vm->pic->v.channel : 0;
}

static void put_devices(struct vm *vm, void *tree, const struct fdt_inputs *inputs)
{
    const struct describer describer = {
        .begin_node = begin,
        .end_node = end,
        .cells = put_cells,
        .strings = put_strings,
        .empty = put_empty,
        .context = tree,
        .pic = vm->pic,
        .message_frame = message_frame(vm),
    };
    for (size_t i = 0; i < vm->vdev_count; i++)
        if (is_described(vm, inputs, i)) {
            vm->vdevs[i]->type->describe(vm->vdevs[i], &describer);
            put_stream(vm, i, tree);
        }
}

static void put_root(struct vm *vm, void *tree, const struct fdt_inputs *inputs)
{
    put_string(tree, "model", "QVM-v8A");
    put_strings(tree, "compatible", "qvm,v8a\0linux,dummy-virt", 25);
    CELLS(tree, "#address-cells", 2);
    CELLS(tree, "#size-cells", 2);
    CELLS(tree, "interrupt-parent", PHANDLE_PIC);
    put_chosen(vm, tree, inputs);
    put_memory(vm, tree);
    put_cpus(vm, tree);
    put_firmware(tree);
    put_timer(vm, tree);
    put_pmu(vm, tree);
    put_clock(tree);
    put_devices(vm, tree, inputs);
}

bool arm64_build_tree(struct vm *vm, const struct fdt_inputs *inputs, struct bytes *out,
                      struct error *e)
{
    struct cursor root = {dt_node_new("")};
    put_root(vm, &root, inputs);
    bool ok = fdt_write(root.node, out, e);
    dt_node_free(root.node);
    return ok;
}
