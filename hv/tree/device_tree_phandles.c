/* Numbers of phandles. A user's nodes keep theirs, so that properties that nobody knows lead where
 * they led; the VM's own nodes get out of the way, and one that replaces a user's node takes its
 * number. What two users' trees both have, the second gives up. */
#include <stdlib.h>

#include "hv/tree/device_tree.h"

void dt_mark_movable(struct dt_node *ours)
{
    ours->is_movable = true;
    for (size_t i = 0; i < ours->child_count; i++)
        dt_mark_movable(ours->children[i]);
}

/* Both trees, and the first number above all of them. */
struct numbers {
    struct dt_index ours;
    const struct dt_index *theirs;
    uint32_t next;
    struct error *e;
};

static uint32_t highest(const struct dt_index *index)
{
    return index->count ? index->nodes[index->count - 1]->old_phandle : 0;
}

static bool take_next(struct numbers *n, uint32_t *number)
{
    if (n->next == UINT32_MAX)
        return error_set(n->e, "its phandles leave no numbers for those of the VM's nodes");
    *number = n->next++;
    return true;
}

/* The VM's node in place of a user's gets that one's number, as far as no other node has it. */
static void lend_numbers(struct numbers *n)
{
    for (size_t i = 0; i < n->theirs->count; i++) {
        struct dt_node *theirs = n->theirs->nodes[i], *ours = theirs->counterpart;
        struct dt_node *holder = dt_node_of_phandle(&n->ours, theirs->old_phandle);
        if (theirs->fate == DT_ADDED || !ours || !ours->is_movable ||
            (holder && !holder->is_movable))
            continue;
        ours->new_phandle = theirs->old_phandle;
        ours->is_movable = false;
    }
}

static bool move_ours(struct numbers *n)
{
    for (size_t i = 0; i < n->ours.count; i++) {
        struct dt_node *ours = n->ours.nodes[i];
        if (ours->new_phandle)
            continue;
        ours->new_phandle = ours->old_phandle;
        if (ours->is_movable && dt_node_of_phandle(n->theirs, ours->old_phandle) &&
            !take_next(n, &ours->new_phandle))
            return false;
    }
    return true;
}

static bool apply(struct numbers *n, struct dt_node *node)
{
    if (!dt_rewrite_references(&n->ours, node, n->e))
        return false;
    for (size_t i = 0; i < node->child_count; i++)
        if (!apply(n, node->children[i]))
            return false;
    if (node->new_phandle)
        dt_set_cell(node, "phandle", node->new_phandle);
    return true;
}

/* A number of theirs is free unless a user's earlier tree has it. */
static bool is_free(const struct numbers *n, uint32_t phandle)
{
    const struct dt_node *holder = dt_node_of_phandle(&n->ours, phandle);
    return !holder || holder->new_phandle != phandle;
}

/* Where references to the node go. */
static bool number(struct numbers *n, struct dt_node *node, bool keeps)
{
    struct dt_node *target = node->fate == DT_ADDED ? node : node->counterpart;
    dt_remove(node, "linux,phandle");
    if (!target || !node->old_phandle)
        return true;
    if (node->fate != DT_ADDED && dt_get_cell(target, "phandle", &node->new_phandle))
        return true;
    node->new_phandle = node->old_phandle;
    if ((!keeps || !is_free(n, node->old_phandle)) && !take_next(n, &node->new_phandle))
        return false;
    dt_set_cell(target, "phandle", node->new_phandle);
    return true;
}

/* In the order of the tree. */
static bool number_below(struct numbers *n, struct dt_node *node, bool keeps)
{
    if (!number(n, node, keeps))
        return false;
    for (size_t i = 0; i < node->child_count; i++)
        if (!number_below(n, node->children[i], keeps))
            return false;
    return true;
}

static bool number_all(struct numbers *n, struct dt_node *ours, struct dt_node *theirs,
                       bool renumbers_all)
{
    if (!dt_index_phandles(&n->ours, ours, n->e))
        return false;
    n->next = highest(&n->ours) + 1;
    if (!renumbers_all) {
        n->next = highest(n->theirs) >= n->next ? highest(n->theirs) + 1 : n->next;
        lend_numbers(n);
        if (!move_ours(n) || !apply(n, ours))
            return false;
    }
    return number_below(n, theirs, !renumbers_all);
}

bool dt_number_phandles(struct dt_node *ours, struct dt_node *theirs, const struct dt_index *index,
                        bool renumbers_all, struct error *e)
{
    struct numbers n = {.theirs = index, .e = e};
    bool ok = number_all(&n, ours, theirs, renumbers_all);
    free(n.ours.nodes);
    return ok;
}
