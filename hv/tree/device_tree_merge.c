/* A user's tree is added to ours. First every node's fate is decided and every phandle gets its
 * number, then references are rewritten, and only then nodes move: until then both trees can be
 * looked at as they were. */
#include <stdlib.h>
#include <string.h>

#include "hv/tree/device_tree.h"

struct merge {
    struct dt_node *ours, *theirs;
    const struct dt_vdev *vdevs;
    size_t vdev_count;
    struct dt_index index;
    struct error *e;
};

/* What a user's tree may hold
 * -----------------------------------------------------------------------
 */

/* What is in `__overlay__` is for a tree that is not here; what is in `__fixups__`, too. */
static bool is_overlay(const struct dt_node *root, const char **by)
{
    *by = dt_child(root, "__fixups__") ? "__fixups__" : "__overlay__";
    bool found = dt_child(root, "__fixups__") != NULL;
    for (size_t i = 0; i < root->child_count && !found; i++)
        found = dt_child(root->children[i], "__overlay__") != NULL;
    return found;
}

static bool is_mergeable(struct merge *m)
{
    const char *by;
    if (is_overlay(m->theirs, &by))
        return error_set(m->e, "it is an overlay (it has %s); a complete tree is needed", by);
    if (dt_child(m->theirs, "images") && dt_child(m->theirs, "configurations"))
        return error_set(m->e, "it is a FIT image of U-Boot: `dumpimage` takes out what is in it");
    return true;
}

/* Fates
 * --------------------------------------------------------------------------------------------
 */

static bool property_is(const struct dt_node *node, const char *name, const char *value)
{
    const struct dt_property *p = dt_property(node, name);
    return p && p->size == strlen(value) + 1 && memcmp(p->data, value, p->size) == 0;
}

/* One of the strings of a property. */
static bool has_string(const struct dt_node *node, const char *name, const char *value)
{
    const struct dt_property *p = dt_property(node, name);
    size_t size = strlen(value) + 1;
    for (size_t at = 0; p && at + size <= p->size; at++)
        if ((at == 0 || p->data[at - 1] == 0) && memcmp(p->data + at, value, size) == 0)
            return true;
    return false;
}

/* Below the root: what the VM's own tree says and a board's tree cannot know. */
static bool is_ours_alone(const struct dt_node *node)
{
    return strcmp(node->name, "cpus") == 0 || strcmp(node->name, "psci") == 0 ||
           strcmp(node->name, "memory") == 0 || strncmp(node->name, "memory@", 7) == 0 ||
           property_is(node, "device_type", "memory") ||
           has_string(node, "compatible", "arm,armv8-timer") ||
           strcmp(node->name, "__symbols__") == 0 || strcmp(node->name, "__local_fixups__") == 0;
}

static bool find_vdev(struct merge *m, struct dt_node *node, const struct dt_property *alias)
{
    char path[DT_PATH_MAX];
    if (!alias->size || memchr(alias->data, 0, alias->size) != alias->data + alias->size - 1)
        return error_set(m->e, "'qvm,vdev' of node '%s' is not a string", dt_path(node, path));
    for (size_t i = 0; i < m->vdev_count; i++) {
        if (strcmp(m->vdevs[i].name, (const char *)alias->data) != 0)
            continue;
        node->counterpart = m->vdevs[i].node[0] ? dt_child(m->ours, m->vdevs[i].node) : NULL;
        return node->counterpart ||
               error_set(m->e, "'qvm,vdev' of node '%s': vdev '%s' has no node in the VM's tree",
                         dt_path(node, path), m->vdevs[i].name);
    }
    return error_set(m->e, "'qvm,vdev' of node '%s': the VM has no vdev of the name '%.60s'",
                     dt_path(node, path), (const char *)alias->data);
}

static bool decide(struct merge *m, struct dt_node *node)
{
    const struct dt_node *parent = node->parent;
    const struct dt_property *alias = parent ? dt_property(node, "qvm,vdev") : NULL;
    if (alias) {
        node->fate = DT_REPLACED;
        if (!find_vdev(m, node, alias))
            return false;
    } else if (parent) {
        node->counterpart = parent->counterpart ? dt_child(parent->counterpart, node->name) : NULL;
        if (parent->fate == DT_REPLACED)
            node->counterpart = dt_property(parent, "qvm,vdev") ? NULL : node->counterpart;
        node->fate = parent->fate == DT_REPLACED || (!parent->parent && is_ours_alone(node))
                         ? DT_REPLACED
                     : node->counterpart ? DT_MERGED
                                         : DT_ADDED;
    } else {
        node->fate = DT_MERGED;
        node->counterpart = m->ours;
    }
    for (size_t i = 0; i < node->child_count; i++)
        if (!decide(m, node->children[i]))
            return false;
    return true;
}

/* References
 * ---------------------------------------------------------------------------------------
 */

static bool rewrite(struct merge *m, struct dt_node *node)
{
    if (node->fate != DT_REPLACED && !dt_rewrite_references(&m->index, node, m->e))
        return false;
    for (size_t i = 0; i < node->child_count; i++)
        if (!rewrite(m, node->children[i]))
            return false;
    return true;
}

/* Paths
 * --------------------------------------------------------------------------------------------
 */

static struct dt_node *node_of_path(struct dt_node *root, const struct dt_property *p)
{
    struct dt_node *node = root;
    if (p->size < 2 || p->data[0] != '/' || p->data[p->size - 1] != 0)
        return NULL;
    const char *at = (const char *)p->data + 1;
    while (node && *at) {
        size_t size = strcspn(at, "/");
        struct dt_node *next = NULL;
        for (size_t i = 0; i < node->child_count && !next; i++)
            if (strlen(node->children[i]->name) == size &&
                memcmp(node->children[i]->name, at, size) == 0)
                next = node->children[i];
        node = next;
        at += size + (at[size] == '/');
    }
    return node;
}

/* /aliases names nodes by path: of a node that is replaced, that of what replaces it. */
static void redirect_paths(struct merge *m)
{
    struct dt_node *aliases = dt_child(m->theirs, "aliases");
    char path[DT_PATH_MAX];
    for (size_t i = aliases ? aliases->property_count : 0; i-- > 0;) {
        const struct dt_node *node = node_of_path(m->theirs, &aliases->properties[i]);
        if (!node || node->fate != DT_REPLACED)
            continue;
        if (node->counterpart) {
            dt_path(node->counterpart, path);
            dt_set(aliases, aliases->properties[i].name, path, strlen(path) + 1);
        } else {
            dt_remove(aliases, aliases->properties[i].name);
        }
    }
}

/* Moving
 * -------------------------------------------------------------------------------------------
 */

/* Of the board's firmware, not of this VM. */
static bool is_stale(const struct dt_node *node, const char *property)
{
    return node->parent && !node->parent->parent && strcmp(node->name, "chosen") == 0 &&
           (strcmp(property, "linux,initrd-start") == 0 ||
            strcmp(property, "linux,initrd-end") == 0);
}

static void add_properties(struct dt_node *ours, const struct dt_node *theirs)
{
    for (size_t i = 0; i < theirs->property_count; i++) {
        const struct dt_property *p = &theirs->properties[i];
        if (!dt_property(ours, p->name) && !is_stale(theirs, p->name) &&
            strcmp(p->name, "phandle") != 0)
            dt_set(ours, p->name, p->data, p->size);
    }
}

/* Takes the replaced nodes out of a node that is added. */
static void prune(struct dt_node *node)
{
    size_t kept = 0;
    for (size_t i = 0; i < node->child_count; i++) {
        struct dt_node *child = node->children[i];
        if (child->fate == DT_REPLACED) {
            dt_node_free(child);
            continue;
        }
        prune(child);
        node->children[kept++] = child;
    }
    node->child_count = kept;
}

static void move_children(struct dt_node *node)
{
    size_t kept = 0;
    for (size_t i = 0; i < node->child_count; i++) {
        struct dt_node *child = node->children[i];
        if (child->fate == DT_ADDED) {
            prune(child);
            dt_add_child(node->counterpart, child);
            continue;
        }
        if (child->fate == DT_MERGED) {
            add_properties(child->counterpart, child);
            move_children(child);
        }
        node->children[kept++] = child;
    }
    node->child_count = kept;
}

/* What the root of the user's tree says to the nodes below it goes with them. */
static void keep_interrupt_parent(struct merge *m)
{
    uint32_t theirs, ours = 0;
    dt_get_cell(m->ours, "interrupt-parent", &ours);
    if (!dt_get_cell(m->theirs, "interrupt-parent", &theirs) || theirs == ours)
        return;
    for (size_t i = 0; i < m->theirs->child_count; i++)
        if (m->theirs->children[i]->fate == DT_ADDED &&
            !dt_property(m->theirs->children[i], "interrupt-parent"))
            dt_set_cell(m->theirs->children[i], "interrupt-parent", theirs);
}

bool dt_merge(struct dt_node *ours, struct dt_node *theirs, const struct dt_vdev *vdevs,
              size_t vdev_count, bool renumbers_all, struct error *e)
{
    struct merge m = {
        .ours = ours, .theirs = theirs, .vdevs = vdevs, .vdev_count = vdev_count, .e = e};
    bool ok = is_mergeable(&m) && dt_widen_cells(ours, theirs, e) && decide(&m, theirs) &&
              dt_index_phandles(&m.index, theirs, e) &&
              dt_number_phandles(ours, theirs, &m.index, renumbers_all, e) && rewrite(&m, theirs);
    if (ok) {
        redirect_paths(&m);
        keep_interrupt_parent(&m);
        add_properties(ours, theirs);
        move_children(theirs);
    }
    free(m.index.nodes);
    return ok;
}
