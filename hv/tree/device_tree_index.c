/* The nodes of a tree by their phandles. */
#include <stdlib.h>

#include "emu/array.h"
#include "hv/tree/device_tree.h"

static bool read_phandle(struct dt_index *index, struct dt_node *node, struct error *e)
{
    char path[DT_PATH_MAX];
    const char *name = dt_property(node, "phandle") ? "phandle" : "linux,phandle";
    node->old_phandle = node->new_phandle = 0;
    if (!dt_property(node, name))
        return true;
    if (!dt_get_cell(node, name, &node->old_phandle) || node->old_phandle == 0 ||
        node->old_phandle == UINT32_MAX)
        return error_set(e, "the phandle of node '%s' is not one", dt_path(node, path));
    index->nodes = array_grow(index->nodes, index->count, sizeof(struct dt_node *));
    index->nodes[index->count++] = node;
    return true;
}

static bool collect(struct dt_index *index, struct dt_node *node, struct error *e)
{
    if (!read_phandle(index, node, e))
        return false;
    for (size_t i = 0; i < node->child_count; i++)
        if (!collect(index, node->children[i], e))
            return false;
    return true;
}

static int by_phandle(const void *left, const void *right)
{
    uint32_t a = (*(struct dt_node *const *)left)->old_phandle;
    uint32_t b = (*(struct dt_node *const *)right)->old_phandle;
    return (a > b) - (a < b);
}

struct dt_node *dt_node_of_phandle(const struct dt_index *index, uint32_t phandle)
{
    const struct dt_node key = {.old_phandle = phandle}, *at = &key;
    struct dt_node **found =
        index->count ? bsearch(&at, index->nodes, index->count, sizeof index->nodes[0], by_phandle)
                     : NULL;
    return found ? *found : NULL;
}

bool dt_index_phandles(struct dt_index *index, struct dt_node *root, struct error *e)
{
    char path[DT_PATH_MAX], other[DT_PATH_MAX];
    if (!collect(index, root, e))
        return false;
    if (index->count)
        qsort(index->nodes, index->count, sizeof index->nodes[0], by_phandle);
    for (size_t i = 1; i < index->count; i++)
        if (index->nodes[i]->old_phandle == index->nodes[i - 1]->old_phandle)
            return error_set(e, "the nodes '%s' and '%s' have the same phandle",
                             dt_path(index->nodes[i - 1], other), dt_path(index->nodes[i], path));
    return true;
}
