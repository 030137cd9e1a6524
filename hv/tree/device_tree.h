/* A device tree as a structure: what hv/tree/fdt.c reads from and writes to flattened trees, and
 * what hv/tree/device_tree_merge.c puts together. A node owns its name, its properties and its
 * children. */
#ifndef HV_TREE_DEVICE_TREE_H
#define HV_TREE_DEVICE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/error.h"

struct dt_property {
    char *name;
    uint8_t *data;
    size_t size;
};

/* Deeper trees are refused, so that a tree can be walked by recursion. */
#define DT_DEPTH_MAX 64

/* What becomes of a node of a user's tree. */
enum dt_fate {
    DT_ADDED,    /* goes into ours, below the counterpart of its parent */
    DT_MERGED,   /* ours has a node of this path: it gets the properties that it has not */
    DT_REPLACED, /* gone; references to it go to `counterpart`, if there is one */
};

struct dt_node {
    char *name; /* "" for the root */
    struct dt_node *parent;
    struct dt_property *properties;
    size_t property_count;
    struct dt_node **children;
    size_t child_count;
    /* Of nodes that are being merged: */
    enum dt_fate fate;
    struct dt_node *counterpart;       /* in our tree; NULL: none */
    uint32_t old_phandle, new_phandle; /* 0: none */
    bool is_movable;                   /* of our tree: no user's tree knows its phandle */
};

struct dt_node *dt_node_new(const char *name);
void dt_node_free(struct dt_node *node); /* with its children; NULL is fine */
/* The child goes to the end and belongs to the parent. */
void dt_add_child(struct dt_node *parent, struct dt_node *child);
struct dt_node *dt_child(const struct dt_node *node, const char *name);

const struct dt_property *dt_property(const struct dt_node *node, const char *name);
/* Adds one that the node has not; copies. */
void dt_add(struct dt_node *node, const char *name, const void *data, size_t size);
/* Sets or replaces; copies. */
void dt_set(struct dt_node *node, const char *name, const void *data, size_t size);
void dt_set_cell(struct dt_node *node, const char *name, uint32_t value);
void dt_remove(struct dt_node *node, const char *name);
/* A cell of a property; false if it is not that long. */
bool dt_cell(const struct dt_property *property, size_t index, uint32_t *value);
/* A property of one cell; false if it is absent or something else. */
bool dt_get_cell(const struct dt_node *node, const char *name, uint32_t *value);
/* "/soc/uart@1000" */
#define DT_PATH_MAX 200
const char *dt_path(const struct dt_node *node, char path[DT_PATH_MAX]);

/* A device of the VM, as the target of `qvm,vdev` nodes. */
struct dt_vdev {
    const char *name;
    const char *node; /* its node's name, below the root; "": it has none */
};

/* The VM's own tree, before anything is merged into it. */
void dt_mark_movable(struct dt_node *ours);
/* Adds what `theirs` has to `ours`, by the rules in docs/configuration.md ("The device tree"), and
 * takes it apart: it is only good for dt_node_free then. On failure `ours` is not usable. The error
 * is one sentence without a place. `renumbers_all`: as machines with QUIRK_OLD_LOADS did, every
 * phandle of `theirs` gets a new number. */
bool dt_merge(struct dt_node *ours, struct dt_node *theirs, const struct dt_vdev *vdevs,
              size_t vdev_count, bool renumbers_all, struct error *e);

/* The nodes of a tree that have a phandle, by `old_phandle`. */
struct dt_index {
    struct dt_node **nodes; /* owned */
    size_t count;
};
/* device_tree_index.c: those of the tree. False: one is no phandle, or is there twice. */
bool dt_index_phandles(struct dt_index *index, struct dt_node *root, struct error *e);
struct dt_node *dt_node_of_phandle(const struct dt_index *index, uint32_t phandle);
/* device_tree_phandles.c: gives every node of `theirs` that references can go to its `new_phandle`,
 * which is in its property then; nodes of `ours` that get another number get it in all references,
 * too. `index` is that of `theirs`. */
bool dt_number_phandles(struct dt_node *ours, struct dt_node *theirs, const struct dt_index *index,
                        bool renumbers_all, struct error *e);
/* device_tree_references.c: rewrites phandles in the properties of one node. */
bool dt_rewrite_references(const struct dt_index *index, struct dt_node *node, struct error *e);
/* device_tree_cells.c: addresses and sizes of a root with other cells than ours become as ours are.
 */
bool dt_widen_cells(const struct dt_node *ours, struct dt_node *theirs, struct error *e);

#endif
