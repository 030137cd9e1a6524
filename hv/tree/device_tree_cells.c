/* A root may count cells otherwise than ours does (Devicetree Specification 0.4, section 2.3.5):
 * what it says of the nodes right below it is written anew with as many cells as the VM's. Deeper
 * nodes have cells of their own, but in /reserved-memory, which Linux wants to have those of the
 * root. */
#include <string.h>

#include "emu/bytes.h"
#include "hv/tree/device_tree.h"

struct cells {
    uint32_t address, size;
};

/* Part of an entry: so many cells, which become so many. */
struct part {
    uint32_t from, to;
};

static struct cells cells_of(const struct dt_node *node, struct cells otherwise)
{
    dt_get_cell(node, "#address-cells", &otherwise.address);
    dt_get_cell(node, "#size-cells", &otherwise.size);
    return otherwise;
}

/* False: the property is no list of such entries. */
static bool widen(struct dt_node *node, const char *name, const struct part parts[3],
                  struct error *e)
{
    const struct dt_property *p = dt_property(node, name);
    size_t entry = 4 * (size_t)(parts[0].from + parts[1].from + parts[2].from);
    char path[DT_PATH_MAX];
    struct bytes out = {0};
    if (!p || !p->size)
        return true;
    if (!entry || p->size % entry)
        return error_set(e, "'%s' of node '%s' is no list of entries of %zu bytes", name,
                         dt_path(node, path), entry);
    const uint8_t *at = p->data;
    while (at < p->data + p->size)
        for (unsigned i = 0; i < 3; i++) {
            for (uint32_t c = parts[i].from; c < parts[i].to; c++)
                bytes_put_int(&out, 0, 4);
            bytes_put(&out, at, 4 * (size_t)parts[i].from);
            at += 4 * (size_t)parts[i].from;
        }
    dt_set(node, name, out.data, out.size);
    bytes_free(&out);
    return true;
}

static bool widen_ranges(struct dt_node *node, struct part child_address, struct part parent,
                         struct part size, struct error *e)
{
    const struct part parts[3] = {child_address, parent, size};
    return widen(node, "ranges", parts, e) && widen(node, "dma-ranges", parts, e);
}

/* The binding of reserved-memory: reg, or size with alignment and alloc-ranges. */
static bool widen_reserved(struct dt_node *node, struct cells root, struct cells ours,
                           struct error *e)
{
    static const struct cells usual = {2, 1};
    const struct cells own = cells_of(node, usual);
    const struct part address = {own.address, ours.address}, size = {own.size, ours.size};
    const struct part parent = {root.address, ours.address};
    const struct part pair[3] = {address, size, {0, 0}}, length[3] = {size, {0, 0}, {0, 0}};
    if (own.address > ours.address || own.size > ours.size)
        return true; /* as wrong as it was */
    for (size_t i = 0; i < node->child_count; i++) {
        struct dt_node *child = node->children[i];
        if (!widen(child, "reg", pair, e) || !widen(child, "alloc-ranges", pair, e) ||
            !widen(child, "size", length, e) || !widen(child, "alignment", length, e))
            return false;
    }
    dt_set_cell(node, "#address-cells", ours.address);
    dt_set_cell(node, "#size-cells", ours.size);
    return widen_ranges(node, address, parent, size, e);
}

static bool widen_child(struct dt_node *node, struct cells root, struct cells ours, struct error *e)
{
    static const struct cells usual = {2, 1}; /* what a node without them has */
    const struct cells own = cells_of(node, usual);
    const struct part parent = {root.address, ours.address};
    const struct part reg[3] = {parent, {root.size, ours.size}, {0, 0}};
    if (!widen(node, "reg", reg, e))
        return false;
    return strcmp(node->name, "reserved-memory") == 0
               ? widen_reserved(node, root, ours, e)
               : widen_ranges(node, (struct part){own.address, own.address}, parent,
                              (struct part){own.size, own.size}, e);
}

bool dt_widen_cells(const struct dt_node *ours, struct dt_node *theirs, struct error *e)
{
    const struct cells vm = cells_of(ours, (struct cells){0}), root = cells_of(theirs, vm);
    if (root.address == vm.address && root.size == vm.size)
        return true;
    if (!root.address || root.address > vm.address || !root.size || root.size > vm.size)
        return error_set(e,
                         "its root has #address-cells = <%lu>, #size-cells = <%lu>: the VM's has "
                         "room for %lu and %lu",
                         (unsigned long)root.address, (unsigned long)root.size,
                         (unsigned long)vm.address, (unsigned long)vm.size);
    for (size_t i = 0; i < theirs->child_count; i++)
        if (!widen_child(theirs->children[i], root, vm, e))
            return false;
    return true;
}
