#include "hv/tree/device_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/check.h"

static void *copy(const void *data, size_t size)
{
    void *kept = malloc(size + 1);
    CHECK_ROOM(kept);
    if (size)
        memcpy(kept, data, size);
    return kept;
}

struct dt_node *dt_node_new(const char *name)
{
    struct dt_node *node = calloc(1, sizeof *node);
    CHECK_ROOM(node);
    node->name = copy(name, strlen(name) + 1);
    return node;
}

static void free_property(struct dt_property *property)
{
    free(property->name);
    free(property->data);
}

void dt_node_free(struct dt_node *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->child_count; i++)
        dt_node_free(node->children[i]);
    for (size_t i = 0; i < node->property_count; i++)
        free_property(&node->properties[i]);
    free(node->children);
    free(node->properties);
    free(node->name);
    free(node);
}

void dt_add_child(struct dt_node *parent, struct dt_node *child)
{
    parent->children = array_grow(parent->children, parent->child_count, sizeof(struct dt_node *));
    parent->children[parent->child_count++] = child;
    child->parent = parent;
}

struct dt_node *dt_child(const struct dt_node *node, const char *name)
{
    for (size_t i = 0; i < node->child_count; i++)
        if (strcmp(node->children[i]->name, name) == 0)
            return node->children[i];
    return NULL;
}

static struct dt_property *find(const struct dt_node *node, const char *name)
{
    for (size_t i = 0; i < node->property_count; i++)
        if (strcmp(node->properties[i].name, name) == 0)
            return &node->properties[i];
    return NULL;
}

const struct dt_property *dt_property(const struct dt_node *node, const char *name)
{
    return find(node, name);
}

void dt_add(struct dt_node *node, const char *name, const void *data, size_t size)
{
    node->properties = array_grow(node->properties, node->property_count, sizeof *node->properties);
    node->properties[node->property_count++] =
        (struct dt_property){copy(name, strlen(name) + 1), copy(data, size), size};
}

void dt_set(struct dt_node *node, const char *name, const void *data, size_t size)
{
    struct dt_property *property = find(node, name);
    if (!property) {
        dt_add(node, name, data, size);
        return;
    }
    uint8_t *kept = copy(data, size);
    free(property->data);
    property->data = kept;
    property->size = size;
}

void dt_set_cell(struct dt_node *node, const char *name, uint32_t value)
{
    const uint8_t cell[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                             (uint8_t)value};
    dt_set(node, name, cell, sizeof cell);
}

void dt_remove(struct dt_node *node, const char *name)
{
    struct dt_property *property = find(node, name);
    if (!property)
        return;
    free_property(property);
    size_t at = (size_t)(property - node->properties);
    memmove(property, property + 1, (--node->property_count - at) * sizeof *property);
}

bool dt_cell(const struct dt_property *property, size_t index, uint32_t *value)
{
    if (index >= property->size / 4)
        return false;
    const uint8_t *at = property->data + 4 * index;
    *value = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return true;
}

bool dt_get_cell(const struct dt_node *node, const char *name, uint32_t *value)
{
    const struct dt_property *property = find(node, name);
    return property && property->size == 4 && dt_cell(property, 0, value);
}

const char *dt_path(const struct dt_node *node, char path[DT_PATH_MAX])
{
    char below[DT_PATH_MAX] = "";
    if (!node->parent)
        return strcpy(path, "/");
    for (; node->parent; node = node->parent) {
        snprintf(path, DT_PATH_MAX, "/%.50s%.148s", node->name, below);
        memcpy(below, path, DT_PATH_MAX);
    }
    return path;
}
