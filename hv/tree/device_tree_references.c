/* Phandles in the properties of a tree. A flattened tree does not say which cells are
 * phandles; the names of properties do (Devicetree Specification 0.4, sections 2.4 and 2.5, and the
 * common bindings). */
#include <stdio.h>
#include <string.h>

#include "hv/tree/device_tree.h"

/* Where phandles are in a property. */
struct reference_form {
    const char *name; /* of the property; "*" in front: names that end so */
    /* Each phandle is followed by as many cells as its node says in this property; NULL: by none.
     */
    const char *cells;
    bool may_be_absent; /* and that is none then */
    unsigned before;    /* cells in front of each phandle */
    unsigned behind;    /* cells behind its arguments */
};

static const struct reference_form forms[] = {
    {"interrupt-parent", NULL, false, 0, 0},
    {"interrupts-extended", "#interrupt-cells", false, 0, 0},
    {"clocks", "#clock-cells", false, 0, 0},
    {"assigned-clocks", "#clock-cells", false, 0, 0},
    {"assigned-clock-parents", "#clock-cells", false, 0, 0},
    {"*gpios", "#gpio-cells", false, 0, 0},
    {"*-gpio", "#gpio-cells", false, 0, 0},
    {"gpio", "#gpio-cells", false, 0, 0},
    {"iommus", "#iommu-cells", false, 0, 0},
    {"msi-parent", "#msi-cells", true, 0, 0},
    {"iommu-map", "#iommu-cells", true, 1, 1},
    {"msi-map", "#msi-cells", true, 1, 1},
    {"dmas", "#dma-cells", false, 0, 0},
    {"resets", "#reset-cells", false, 0, 0},
    {"power-domains", "#power-domain-cells", false, 0, 0},
    {"phys", "#phy-cells", false, 0, 0},
    {"pwms", "#pwm-cells", false, 0, 0},
    {"mboxes", "#mbox-cells", false, 0, 0},
    {"hwlocks", "#hwlock-cells", false, 0, 0},
    {"io-channels", "#io-channel-cells", false, 0, 0},
    {"interconnects", "#interconnect-cells", false, 0, 0},
    {"thermal-sensors", "#thermal-sensor-cells", false, 0, 0},
    {"cooling-device", "#cooling-cells", false, 0, 0},
    {"sound-dai", "#sound-dai-cells", false, 0, 0},
    {"nvmem-cells", "#nvmem-cell-cells", true, 0, 0},
    {"memory-region", NULL, false, 0, 0},
    {"phy-handle", NULL, false, 0, 0},
    {"remote-endpoint", NULL, false, 0, 0},
    {"next-level-cache", NULL, false, 0, 0},
    {"operating-points-v2", NULL, false, 0, 0},
    {"interrupt-affinity", NULL, false, 0, 0},
    {"affinity", NULL, false, 0, 0},
    {"cpu", NULL, false, 0, 0},
    {"cpus", NULL, false, 0, 0},
    {"cpu-idle-states", NULL, false, 0, 0},
    {"trip", NULL, false, 0, 0},
    {"*-supply", NULL, false, 0, 0},
};

static bool matches(const char *name, const char *pattern)
{
    if (pattern[0] != '*')
        return strcmp(name, pattern) == 0;
    size_t size = strlen(name), tail = strlen(++pattern);
    return size >= tail && strcmp(name + size - tail, pattern) == 0;
}

static bool is_pin_control(const char *name)
{
    static const char prefix[] = "pinctrl-";
    size_t digits = sizeof prefix - 1;
    return strncmp(name, prefix, digits) == 0 && name[digits] >= '0' && name[digits] <= '9';
}

/* NULL: no phandles in it. */
static const struct reference_form *form_of(const struct dt_node *node, const char *name)
{
    static const struct reference_form phandles = {"", NULL, false, 0, 0};
    if (strcmp(name, "nr-gpios") == 0 || strcmp(name, "ngpios") == 0)
        return NULL;
    if (strcmp(name, "gpios") == 0 && dt_property(node, "gpio-hog"))
        return NULL; /* lines of the parent, which is not named */
    if (is_pin_control(name))
        return &phandles;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (matches(name, forms[i].name))
            return &forms[i];
    return NULL;
}

/* One property being rewritten. */
struct cursor {
    const struct dt_index *index;
    struct dt_node *node;
    const struct dt_property *property;
    size_t at; /* in cells */
    struct error *e;
};

static bool wrong(const struct cursor *c, const char *what)
{
    char path[DT_PATH_MAX];
    return error_set(c->e, "'%.40s' of node '%s' %s", c->property->name, dt_path(c->node, path),
                     what);
}

static bool skip(struct cursor *c, size_t cells)
{
    if (cells > c->property->size / 4 - c->at)
        return wrong(c, "ends in the middle of an entry");
    c->at += cells;
    return true;
}

static void replace_cell(struct cursor *c, uint32_t value)
{
    uint8_t *at = c->property->data + 4 * c->at;
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Replaces the phandle at the cursor and moves on; its node in *target, NULL for an empty entry. */
static bool rewrite_one(struct cursor *c, struct dt_node **target)
{
    uint32_t phandle;
    char text[DT_PATH_MAX + 80], path[DT_PATH_MAX];
    *target = NULL;
    if (!dt_cell(c->property, c->at, &phandle))
        return wrong(c, "ends in the middle of an entry");
    if (phandle != 0 && phandle != UINT32_MAX) {
        *target = dt_node_of_phandle(c->index, phandle);
        if (!*target) {
            snprintf(text, sizeof text, "refers to phandle 0x%lx, which no node has",
                     (unsigned long)phandle);
            return wrong(c, text);
        }
        if (!(*target)->new_phandle) {
            snprintf(text, sizeof text, "refers to node '%s', which the VM's own tree replaces",
                     dt_path(*target, path));
            return wrong(c, text);
        }
        replace_cell(c, (*target)->new_phandle);
    }
    c->at++;
    return true;
}

/* How many cells follow a phandle of this node. The guest will ask the node that is there in the
 * end, so an alias may not say something else. */
static bool cell_count(struct cursor *c, const struct dt_node *target, const char *cells,
                       bool may_be_absent, uint32_t *count)
{
    char text[160];
    uint32_t here;
    bool has_here = dt_get_cell(target, cells, &here), is_ours = target->fate != DT_ADDED;
    *count = 0;
    if (is_ours && dt_get_cell(target->counterpart, cells, count)) {
        if (!has_here || here == *count)
            return true;
        snprintf(text, sizeof text, "refers to a node with %s = <%lu>, which is %lu in the VM",
                 cells, (unsigned long)here, (unsigned long)*count);
        return wrong(c, text);
    }
    *count = has_here ? here : 0;
    snprintf(text, sizeof text, "refers to a node without %s", cells);
    return has_here || may_be_absent || wrong(c, text);
}

static bool rewrite_list(struct cursor *c, const struct reference_form *form)
{
    while (c->at < c->property->size / 4) {
        struct dt_node *target;
        uint32_t arguments = 0;
        if (!skip(c, form->before) || !rewrite_one(c, &target))
            return false;
        if (target && form->cells &&
            !cell_count(c, target, form->cells, form->may_be_absent, &arguments))
            return false;
        /* A map's entries have an argument even if the node does not say so. */
        if (form->before && !arguments)
            arguments = 1;
        if (!skip(c, arguments) || !skip(c, form->behind))
            return false;
    }
    return true;
}

/* interrupt-map: child address and interrupt, phandle, parent address and interrupt. */
static bool rewrite_interrupt_map(struct cursor *c)
{
    uint32_t address = 0, interrupt = 0;
    dt_get_cell(c->node, "#address-cells", &address);
    dt_get_cell(c->node, "#interrupt-cells", &interrupt);
    while (c->at < c->property->size / 4) {
        struct dt_node *target;
        uint32_t parent_address = 0, parent_interrupt = 0;
        if (!skip(c, address) || !skip(c, interrupt) || !rewrite_one(c, &target))
            return false;
        if (target && (!cell_count(c, target, "#address-cells", true, &parent_address) ||
                       !cell_count(c, target, "#interrupt-cells", false, &parent_interrupt)))
            return false;
        if (!skip(c, parent_address) || !skip(c, parent_interrupt))
            return false;
    }
    return true;
}

bool dt_rewrite_references(const struct dt_index *index, struct dt_node *node, struct error *e)
{
    for (size_t i = 0; i < node->property_count; i++) {
        struct cursor c = {.index = index, .node = node, .property = &node->properties[i], .e = e};
        const struct reference_form *form = form_of(node, c.property->name);
        bool is_map = strcmp(c.property->name, "interrupt-map") == 0;
        if (!form && !is_map)
            continue;
        if (c.property->size % 4)
            return wrong(&c, "is not a list of cells");
        if (is_map ? !rewrite_interrupt_map(&c) : !rewrite_list(&c, form))
            return false;
    }
    return true;
}
