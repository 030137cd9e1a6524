/* The flattened device tree of an assembled VM: the only file that includes libfdt. Devices write
 * their own nodes through a describer; what belongs to the VM as a whole is here. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/arm64.h"
#include "emu/check.h"
#include "hv/device_tree.h"
#include "hv/fdt.h"

#define TREE_MAX 65536

/* libfdt's sequential writer reports every error again at the end: only that one is looked at. */

static void put_cells(void *fdt, const char *property, const uint32_t *cells, size_t count)
{
    fdt32_t big_endian[64];
    CHECK(count <= 64);
    for (size_t i = 0; i < count; i++)
        big_endian[i] = cpu_to_fdt32(cells[i]);
    fdt_property(fdt, property, big_endian, (int)(count * sizeof big_endian[0]));
}

static void put_u64(void *fdt, const char *property, uint64_t value)
{
    fdt_property_u64(fdt, property, value);
}

static void put_string(void *fdt, const char *property, const char *value)
{
    fdt_property(fdt, property, value, (int)strlen(value) + 1);
}

static void put_strings(void *fdt, const char *property, const char *strings, size_t size)
{
    fdt_property(fdt, property, strings, (int)size);
}

static void begin(void *fdt, const char *name)
{
    fdt_begin_node(fdt, name);
}

static void end(void *fdt)
{
    fdt_end_node(fdt);
}

static void put_empty(void *fdt, const char *property)
{
    fdt_property(fdt, property, NULL, 0);
}

#define CELLS(fdt, property, ...)                                                                  \
    put_cells((fdt), (property), (const uint32_t[]){__VA_ARGS__},                                  \
              sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* Devices that came with a `pass` are behind the configuration's own. A user's tree describes them
 * as the board does, so that they are not described twice. */
static bool is_described(const struct vm *vm, size_t vdev)
{
    const struct vm_config *c = vm->config;
    bool by_user = false;
    for (size_t i = 0; i < c->load_count; i++)
        by_user |= c->loads[i].type == BLOB_FDT;
    return vm->vdevs[vdev]->type->describe && (vdev < c->vdev_count || !by_user);
}

static void put_chosen(struct vm *vm, void *fdt, const struct fdt_inputs *inputs)
{
    begin(fdt, "chosen");
    if (vm->config->cmdline)
        put_string(fdt, "bootargs", vm->config->cmdline);
    if (inputs->initrd_size) {
        put_u64(fdt, "linux,initrd-start", inputs->initrd_start);
        put_u64(fdt, "linux,initrd-end", inputs->initrd_start + inputs->initrd_size);
    }
    for (size_t i = 0; i < vm->vdev_count; i++) {
        if (strcmp(vm->vdevs[i]->type->name, "pl011") != 0 || !is_described(vm, i))
            continue;
        char path[64];
        snprintf(path, sizeof path, "/serial@%llx", (unsigned long long)vm->vdevs[i]->loc);
        put_string(fdt, "stdout-path", path);
        break;
    }
    end(fdt);
}

static void put_memory(struct vm *vm, void *fdt)
{
    for (size_t i = 0; i < vm->config->ram_count; i++) {
        const struct ram_config *ram = &vm->config->rams[i];
        if (ram->is_rom)
            continue;
        char name[64];
        snprintf(name, sizeof name, "memory@%llx", (unsigned long long)ram->start);
        begin(fdt, name);
        put_string(fdt, "device_type", "memory");
        CELLS(fdt, "reg", (uint32_t)(ram->start >> 32), (uint32_t)ram->start,
              (uint32_t)(ram->length >> 32), (uint32_t)ram->length);
        end(fdt);
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

static void put_cpus(struct vm *vm, void *fdt)
{
    begin(fdt, "cpus");
    CELLS(fdt, "#address-cells", 1);
    CELLS(fdt, "#size-cells", 0);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "cpu@%u", i);
        begin(fdt, name);
        put_string(fdt, "device_type", "cpu");
        put_string(fdt, "compatible", cpu_compatible(vm->config->cpu_model));
        CELLS(fdt, "reg", i);
        if (vm->vcpu_count > 1)
            put_string(fdt, "enable-method", "psci");
        end(fdt);
    }
    end(fdt);
}

static void put_firmware(void *fdt)
{
    begin(fdt, "psci");
    put_strings(fdt, "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci", 35);
    put_string(fdt, "method", "hvc");
    CELLS(fdt, "cpu_suspend", 0xc4000001);
    CELLS(fdt, "cpu_off", 0x84000002);
    CELLS(fdt, "cpu_on", 0xc4000003);
    CELLS(fdt, "migrate", 0xc4000005);
    end(fdt);
}

/* PPI cells: <1, line - 16, level high; the vCPU mask only matters for v2>.
 */
static void put_timer(struct vm *vm, void *fdt)
{
    uint32_t flags = 4 | (gic_version(vm->gic) == 2 ? ((1u << vm->vcpu_count) - 1) << 8 : 0);
    begin(fdt, "timer");
    put_strings(fdt, "compatible", "arm,armv8-timer\0arm,armv7-timer", 32);
    /* Secure physical, non-secure physical, virtual, hypervisor. */
    CELLS(fdt, "interrupts", 1, 13, flags, 1, PPI_PHYSICAL_TIMER - 16, flags, 1,
          PPI_VIRTUAL_TIMER - 16, flags, 1, 10, flags);
    put_empty(fdt, "always-on");
    end(fdt);
}

static void put_clock(void *fdt)
{
    begin(fdt, "apb-pclk");
    put_string(fdt, "compatible", "fixed-clock");
    CELLS(fdt, "#clock-cells", 0);
    CELLS(fdt, "clock-frequency", 24000000);
    put_string(fdt, "clock-output-names", "clk24mhz");
    CELLS(fdt, "phandle", PHANDLE_CLOCK_24MHZ);
    end(fdt);
}

static void put_devices(struct vm *vm, void *fdt)
{
    const struct describer describer = {
        .begin_node = begin,
        .end_node = end,
        .cells = put_cells,
        .strings = put_strings,
        .empty = put_empty,
        .context = fdt,
    };
    for (size_t i = 0; i < vm->vdev_count; i++)
        if (is_described(vm, i))
            vm->vdevs[i]->type->describe(vm->vdevs[i], &describer);
}

static void put_root(struct vm *vm, void *fdt, const struct fdt_inputs *inputs)
{
    begin(fdt, "");
    put_string(fdt, "model", "QVM-v8A");
    put_strings(fdt, "compatible", "qvm,v8a\0linux,dummy-virt", 25);
    CELLS(fdt, "#address-cells", 2);
    CELLS(fdt, "#size-cells", 2);
    CELLS(fdt, "interrupt-parent", PHANDLE_GIC);
    put_chosen(vm, fdt, inputs);
    put_memory(vm, fdt);
    put_cpus(vm, fdt);
    put_firmware(fdt);
    put_timer(vm, fdt);
    put_clock(fdt);
    put_devices(vm, fdt);
    end(fdt);
}

bool fdt_build(struct vm *vm, const struct fdt_inputs *inputs, struct bytes *out, struct error *e)
{
    void *fdt = malloc(TREE_MAX);
    CHECK(fdt);
    fdt_create(fdt, TREE_MAX);
    fdt_finish_reservemap(fdt);
    put_root(vm, fdt, inputs);
    int result = fdt_finish(fdt);
    if (result == 0)
        bytes_put(out, fdt, fdt_totalsize(fdt));
    else
        error_set(e, "the device tree: %s", fdt_strerror(result));
    free(fdt);
    return result == 0;
}

/* Trees of users ----------------------------------------------------------------------------------
 */

#define USER_TREE_MAX 0x80000 /* of a real board: 0x10000 to 0x30000 */
#define NODE_NAME_MAX 256

static void read_properties(const void *fdt, int offset, struct dt_node *node)
{
    int at;
    fdt_for_each_property_offset(at, fdt, offset)
    {
        const char *name;
        int size;
        const void *data = fdt_getprop_by_offset(fdt, at, &name, &size);
        if (data)
            dt_add(node, name, data, (size_t)size);
    }
}

/* A tree that fdt_check_full has looked at; NULL if it is too deep. */
static struct dt_node *read_tree(const void *fdt)
{
    struct dt_node *open[DT_DEPTH_MAX] = {0};
    int depth = 0;
    for (int at = 0; at >= 0 && depth >= 0; at = fdt_next_node(fdt, at, &depth)) {
        if (depth >= DT_DEPTH_MAX) {
            dt_node_free(open[0]);
            return NULL;
        }
        const char *name = fdt_get_name(fdt, at, NULL);
        struct dt_node *node = dt_node_new(name && depth ? name : "");
        read_properties(fdt, at, node);
        open[depth] = node;
        if (depth)
            dt_add_child(open[depth - 1], node);
    }
    return open[0];
}

static void write_node(void *fdt, const struct dt_node *node)
{
    begin(fdt, node->name);
    for (size_t i = 0; i < node->property_count; i++)
        fdt_property(fdt, node->properties[i].name, node->properties[i].data,
                     (int)node->properties[i].size);
    for (size_t i = 0; i < node->child_count; i++)
        write_node(fdt, node->children[i]);
    end(fdt);
}

static bool write_tree(const struct dt_node *root, size_t room, struct bytes *out, struct error *e)
{
    void *fdt = malloc(room);
    CHECK(fdt);
    fdt_create(fdt, (int)room);
    fdt_finish_reservemap(fdt);
    write_node(fdt, root);
    int result = fdt_finish(fdt);
    bytes_clear(out);
    if (result == 0)
        bytes_put(out, fdt, fdt_totalsize(fdt));
    free(fdt);
    return result == 0 || error_set(e, "the merged device tree: %s", fdt_strerror(result));
}

/* Do all properties end inside the structure block (Devicetree Specification 0.4, section 5.4)?
 * libfdt 1.6.1 adds their lengths without looking for an overflow: one of -12 bytes leads back to
 * itself, for ever. What else may be wrong fdt_check_full finds. */
static bool lengths_are_sound(const uint8_t *block, size_t size)
{
    for (size_t at = 0; size - at >= FDT_TAGSIZE;) {
        uint32_t tag = fdt32_ld((const fdt32_t *)(const void *)(block + at));
        at += FDT_TAGSIZE;
        if (tag == FDT_PROP) {
            if (size - at < 8)
                return false;
            uint32_t length = fdt32_ld((const fdt32_t *)(const void *)(block + at));
            at += 8;
            if (length > size - at)
                return false;
            at += length;
        } else if (tag == FDT_BEGIN_NODE) {
            const uint8_t *end_of_name = memchr(block + at, 0, size - at);
            if (!end_of_name)
                return false;
            at = (size_t)(end_of_name - block) + 1;
        } else if (tag != FDT_END_NODE && tag != FDT_NOP) {
            return true; /* the end, or nonsense */
        }
        at = (at + 3) & ~(size_t)3;
        if (at > size)
            return false;
    }
    return true;
}

/* Older versions are not known to be read safely: fdt_check_full of libfdt 1.6.1 follows a null
 * pointer in one of version 2. The device-tree compiler has made 17 since 2005. */
static int check_user_tree(const uint8_t *fdt, size_t size)
{
    if (size < sizeof(struct fdt_header))
        return -FDT_ERR_TRUNCATED;
    if (fdt_magic(fdt) != FDT_MAGIC)
        return -FDT_ERR_BADMAGIC;
    if (fdt_version(fdt) < FDT_LAST_SUPPORTED_VERSION)
        return -FDT_ERR_BADVERSION;
    uint32_t start = fdt_off_dt_struct(fdt), length = fdt_size_dt_struct(fdt);
    if (start % FDT_TAGSIZE || start > size || length > size - start)
        return -FDT_ERR_TRUNCATED;
    if (!lengths_are_sound(fdt + start, length))
        return -FDT_ERR_BADSTRUCTURE;
    return fdt_check_full(fdt, size);
}

static struct dt_node *read_user_tree(const struct bytes *file, struct error *e)
{
    if (file->size > USER_TREE_MAX) {
        error_set(e, "larger than 512 KiB");
        return NULL;
    }
    int result = check_user_tree(file->data, file->size);
    if (result != 0) {
        error_set(e, "not a flattened device tree of version %d (%s)", FDT_LAST_SUPPORTED_VERSION,
                  fdt_strerror(result));
        return NULL;
    }
    struct dt_node *root = read_tree(file->data);
    if (!root)
        error_set(e, "its nodes are nested deeper than %d", DT_DEPTH_MAX - 1);
    return root;
}

/* The first node that a device describes. */
struct node_name {
    char text[NODE_NAME_MAX];
    bool known;
};

static void note_node(void *context, const char *name)
{
    struct node_name *first = context;
    if (!first->known)
        snprintf(first->text, sizeof first->text, "%s", name);
    first->known = true;
}

static void note_end(void *context)
{
    (void)context;
}

static void note_cells(void *context, const char *name, const uint32_t *cells, size_t count)
{
    (void)context;
    (void)name;
    (void)cells;
    (void)count;
}

static void note_strings(void *context, const char *name, const char *strings, size_t size)
{
    (void)context;
    (void)name;
    (void)strings;
    (void)size;
}

static void note_empty(void *context, const char *name)
{
    (void)context;
    (void)name;
}

static void name_node(struct vdev *v, struct node_name *name)
{
    const struct describer describer = {
        .begin_node = note_node,
        .end_node = note_end,
        .cells = note_cells,
        .strings = note_strings,
        .empty = note_empty,
        .context = name,
    };
    if (v->type->describe)
        v->type->describe(v, &describer);
}

/* Devices that `qvm,vdev` can name: those with a name, and the interrupt controller. */
static bool merge_trees(struct vm *vm, struct dt_node *ours, struct dt_node *theirs,
                        struct error *e)
{
    static const struct node_name none;
    struct node_name nodes[VM_VDEVS_MAX];
    struct dt_vdev vdevs[VM_VDEVS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < vm->vdev_count; i++) {
        const struct vm_config *c = vm->config;
        if (i > 0 && i < c->vdev_count && !c->vdevs[i].name)
            continue;
        nodes[count] = none;
        name_node(vm->vdevs[i], &nodes[count]);
        vdevs[count] = (struct dt_vdev){vm->vdevs[i]->name, nodes[count].text};
        count++;
    }
    return dt_merge(ours, theirs, vdevs, count, e);
}

/* Names of a user's nodes go into messages. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

bool fdt_merge(struct vm *vm, struct bytes *tree, const struct load_config *load,
               const struct bytes *file, struct error *e)
{
    struct error cause = {0};
    struct dt_node *theirs = read_user_tree(file, &cause), *ours = read_tree(tree->data);
    size_t room = tree->size + 2 * file->size + TREE_MAX;
    bool ok = theirs && ours && merge_trees(vm, ours, theirs, &cause) &&
              write_tree(ours, room, tree, &cause);
    dt_node_free(theirs);
    dt_node_free(ours);
    make_printable(cause.text);
    return ok ||
           error_at(e, load->place.file, load->place.line, "'%s': %s", load->path, cause.text);
}
