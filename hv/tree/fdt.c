/* Flattened device trees: the only file that includes libfdt. */
#include "hv/tree/fdt.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"

#define TREE_MAX 0x80000 /* of a real board: 0x10000 to 0x30000 */

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

/* libfdt's sequential writer reports every error again at the end: only that one is looked at. */
static void write_node(void *fdt, const struct dt_node *node)
{
    fdt_begin_node(fdt, node->name);
    for (size_t i = 0; i < node->property_count; i++)
        fdt_property(fdt, node->properties[i].name, node->properties[i].data,
                     (int)node->properties[i].size);
    for (size_t i = 0; i < node->child_count; i++)
        write_node(fdt, node->children[i]);
    fdt_end_node(fdt);
}

/* What fdt_finish may need: each token and its data, and every name in the strings block. */
static size_t room_for(const struct dt_node *node)
{
    size_t room = strlen(node->name) + 16;
    for (size_t i = 0; i < node->property_count; i++)
        room += node->properties[i].size + strlen(node->properties[i].name) + 20;
    for (size_t i = 0; i < node->child_count; i++)
        room += room_for(node->children[i]);
    return room;
}

bool fdt_write(const struct dt_node *root, struct bytes *out, struct error *e)
{
    size_t room = room_for(root) + 0x1000;
    void *fdt = malloc(room);
    CHECK_ROOM(fdt);
    fdt_create(fdt, (int)room);
    fdt_finish_reservemap(fdt);
    write_node(fdt, root);
    int result = fdt_finish(fdt);
    bytes_clear(out);
    if (result == 0)
        bytes_put(out, fdt, fdt_totalsize(fdt));
    free(fdt);
    return result == 0 || error_set(e, "the device tree: %s", fdt_strerror(result));
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
static int check(const uint8_t *fdt, size_t size)
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

struct dt_node *fdt_read(const struct bytes *file, struct error *e)
{
    if (file->size > TREE_MAX) {
        error_set(e, "larger than 512 KiB");
        return NULL;
    }
    int result = check(file->data, file->size);
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
