/* Fuzzes the merging of a user's device tree: an input is such a tree, flattened. It is merged into
 * a small one with an interrupt controller that aliases can name; the result must be a sound tree,
 * and a refusal one sentence. */
#include <libfdt.h>
#include <string.h>

#include "emu/check.h"
#include "hv/tree/fdt.h"
#include "tests/fuzz/fuzz.h"

static void describe(struct vdev *v, const struct describer *d)
{
    (void)v;
    d->begin_node(d->context, "intc@2f000000");
    d->end_node(d->context);
}

static const struct vdev_type controller_type = {.name = "gic", .describe = describe};
static struct vdev controller = {.type = &controller_type, .name = "gic"};

static void end_tree(void *fdt, struct bytes *out)
{
    CHECK(fdt_finish(fdt) == 0);
    bytes_put(out, fdt, fdt_totalsize(fdt));
}

static void begin_tree(void *fdt, size_t size)
{
    CHECK(fdt_create(fdt, (int)size) == 0);
    fdt_finish_reservemap(fdt);
    fdt_begin_node(fdt, "");
    fdt_property_u32(fdt, "#address-cells", 2);
    fdt_property_u32(fdt, "#size-cells", 2);
}

/* Like the one that the program makes. */
static void put_base(struct bytes *out)
{
    char fdt[1024];
    begin_tree(fdt, sizeof fdt);
    fdt_property_u32(fdt, "interrupt-parent", 1);
    fdt_begin_node(fdt, "cpus");
    fdt_begin_node(fdt, "cpu@0");
    fdt_end_node(fdt);
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "intc@2f000000");
    fdt_property_u32(fdt, "#interrupt-cells", 3);
    fdt_property_u32(fdt, "phandle", 1);
    fdt_end_node(fdt);
    fdt_end_node(fdt);
    end_tree(fdt, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vm_config config;
    static struct board board;
    static struct vm vm = {
        .config = &config, .board = &board, .vdevs = {&controller}, .vdev_count = 1};
    const struct load_config load = {.place = {"fuzz", 1}, .path = (char[]){"f"}};
    struct bytes tree = {0};
    struct user_tree theirs[2] = {{.load = &load}, {.load = &load}};
    struct error e = {0};
    put_base(&tree);
    for (size_t i = 0; i < 2; i++)
        bytes_put(&theirs[i].file, data, size);
    /* Twice, so that its numbers are taken. */
    if (fdt_merge(&vm, &tree, theirs, 2, &e))
        CHECK(fdt_check_full(tree.data, tree.size) == 0);
    else
        CHECK(e.text[0] && !strchr(e.text, '\n'));
    for (size_t i = 0; i < 2; i++)
        bytes_free(&theirs[i].file);
    bytes_free(&tree);
    return 0;
}

static void put_reference(void *fdt, const char *name, uint32_t a, uint32_t b, uint32_t c,
                          uint32_t d)
{
    const fdt32_t cells[] = {cpu_to_fdt32(a), cpu_to_fdt32(b), cpu_to_fdt32(c), cpu_to_fdt32(d)};
    fdt_property(fdt, name, cells, sizeof cells);
}

static void put_nodes(void *fdt)
{
    fdt_begin_node(fdt, "aliases");
    fdt_property_string(fdt, "serial0", "/gic");
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "gic");
    fdt_property_string(fdt, "qvm,vdev", "gic");
    fdt_property_u32(fdt, "phandle", 9);
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "osc");
    fdt_property_u32(fdt, "#clock-cells", 1);
    fdt_property_u32(fdt, "phandle", 3);
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "soc");
    fdt_property_u32(fdt, "#address-cells", 1);
    fdt_property_u32(fdt, "#interrupt-cells", 1);
    fdt_begin_node(fdt, "uart@1000");
    put_reference(fdt, "clocks", 3, 0, 3, 1);
    put_reference(fdt, "interrupts-extended", 9, 0, 5, 4);
    put_reference(fdt, "iommu-map", 0, 3, 0, 8);
    put_reference(fdt, "interrupt-map", 9, 0, 5, 4);
    fdt_end_node(fdt);
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "cpus");
    fdt_begin_node(fdt, "cpu@0");
    fdt_property_u32(fdt, "linux,phandle", 4);
    fdt_end_node(fdt);
    fdt_end_node(fdt);
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    char fdt[2048];
    if (number > 2)
        return false;
    if (number == 2) {
        put_base(out);
        return true;
    }
    begin_tree(fdt, sizeof fdt);
    if (number == 0)
        put_nodes(fdt);
    fdt_end_node(fdt);
    end_tree(fdt, out);
    return true;
}
