/* Trees of users are merged into the one of the VM. */
#include <stdio.h>

#include "emu/machine.h"
#include "emu/text.h"
#include "hv/tree/device_tree.h"
#include "hv/tree/fdt.h"

#define NODE_NAME_MAX 256

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

static void name_node(const struct pic *pic, struct vdev *v, struct node_name *name)
{
    const struct describer describer = {
        .begin_node = note_node,
        .end_node = note_end,
        .cells = note_cells,
        .strings = note_strings,
        .empty = note_empty,
        .context = name,
        .pic = pic,
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
        name_node(vm->pic, vm->vdevs[i], &nodes[count]);
        vdevs[count] = (struct dt_vdev){vm->vdevs[i]->name, nodes[count].text};
        count++;
    }
    bool renumbers_all = vm->board->options.quirks & QUIRK_OLD_LOADS;
    return dt_merge(ours, theirs, vdevs, count, renumbers_all, e);
}

static bool merge_one(struct vm *vm, struct dt_node *ours, const struct user_tree *tree,
                      struct error *e)
{
    struct error cause = {0};
    struct dt_node *theirs = fdt_read(&tree->file, &cause);
    bool ok = theirs && merge_trees(vm, ours, theirs, &cause);
    dt_node_free(theirs);
    text_make_printable(cause.text); /* names of a user's nodes are in it */
    return ok || error_at(e, tree->load->place.file, tree->load->place.line, "'%s': %s",
                          tree->load->path, cause.text);
}

bool fdt_merge(struct vm *vm, struct bytes *tree, const struct user_tree *trees, size_t count,
               struct error *e)
{
    struct dt_node *ours = fdt_read(tree, e);
    bool ok = ours;
    if (ok)
        dt_mark_movable(ours);
    for (size_t i = 0; ok && i < count; i++)
        ok = merge_one(vm, ours, &trees[i], e);
    ok = ok && fdt_write(ours, tree, e);
    dt_node_free(ours);
    return ok;
}
