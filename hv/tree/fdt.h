/* Flattened device trees (Devicetree Specification 0.4, chapter 5), and those of users. */
#ifndef HV_TREE_FDT_H
#define HV_TREE_FDT_H

#include "hv/tree/device_tree.h"
#include "hv/hv_internal.h"

/* fdt.c: the tree that is in a file, which may hold anything; NULL and one sentence if it is none.
 * The caller frees it. */
struct dt_node *fdt_read(const struct bytes *file, struct error *e);
/* Replaces what is in `out`. */
bool fdt_write(const struct dt_node *root, struct bytes *out, struct error *e);

/* user_tree.c: adds trees of users to the VM's `tree`, in order. The error has the place of the
 * `load` that names the one that is wrong. */
struct user_tree {
    const struct load_config *load;
    struct bytes file; /* owned */
};
bool fdt_merge(struct vm *vm, struct bytes *tree, const struct user_tree *trees, size_t count,
               struct error *e);

#endif
