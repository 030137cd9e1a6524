/* Options by name; what devices share when they read theirs and describe themselves. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/number.h"
#include "vdev/vdev.h"

const struct vdev_option_type *vdev_option_type_find(const struct vdev_type *type, const char *name)
{
    for (const struct vdev_option_type *o = type->options; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

const struct vdev_option *vdev_option_find(const struct vdev *v, const char *name)
{
    for (size_t i = v->option_count; i-- > 0;)
        if (strcmp(v->options[i].name, name) == 0)
            return &v->options[i];
    return NULL;
}

static bool begins_port(const struct vdev_option *o)
{
    return strcmp(o->name, VDEV_PORT_OPTION) == 0;
}

/* Where the options of a port begin, behind its own; of the one behind the last, their count. */
static size_t find_port(const struct vdev *v, unsigned port)
{
    size_t i = 0;
    while (port && i < v->option_count)
        port -= begins_port(&v->options[i++]);
    return i;
}

unsigned vdev_port_count(const struct vdev *v)
{
    unsigned count = 1;
    for (size_t i = 0; i < v->option_count; i++)
        count += begins_port(&v->options[i]);
    return count;
}

const struct vdev_option *vdev_port_options(const struct vdev *v, unsigned port, size_t *count)
{
    size_t from = find_port(v, port), end = from;
    while (end < v->option_count && !begins_port(&v->options[end]))
        end++;
    *count = end - from;
    return *count ? &v->options[from] : NULL;
}

const char *vdev_port_name(const struct vdev *v, unsigned port)
{
    return port ? v->options[find_port(v, port) - 1].value : "";
}

bool vdev_number(const char *text, size_t length, unsigned base, uint64_t *value)
{
    uint64_t parsed;
    enum number_kind kind = base == 16 ? NUMBER_ADDRESS : NUMBER_LENGTH;
    if (number_parse(text, length, kind, &parsed) != NUMBER_OK)
        return false;
    *value = parsed;
    return true;
}

bool vdev_option_number(const struct vdev *v, const char *name, unsigned base, uint64_t *value,
                        struct error *e)
{
    const struct vdev_option *o = vdev_option_find(v, name);
    if (!o || vdev_number(o->value, strlen(o->value), base, value))
        return true;
    return error_at(e, o->file, o->line, "vdev %s: %s %s is not a number", v->type->name, name,
                    o->value);
}

bool vdev_option_address(const struct vdev *v, const char *name, uint64_t *value, struct error *e)
{
    const struct vdev_option *o = vdev_option_find(v, name);
    if (!o || (vdev_number(o->value, strlen(o->value), 16, value) && !(*value >> 48)))
        return true;
    return error_at(e, o->file, o->line, "'%.64s' is not a guest-physical address", o->value);
}

bool vdev_check_delayed(const struct vdev *v, struct error *e)
{
    uint64_t seconds;
    for (size_t i = 0; i < v->option_count; i++) {
        const struct vdev_option *o = &v->options[i];
        if (strcmp(o->name, "delayed") == 0 && strcmp(o->value, "forever") != 0 &&
            !vdev_number(o->value, strlen(o->value), 10, &seconds))
            return error_at(e, o->file, o->line,
                            "vdev %s: delayed %s is neither seconds nor forever", v->type->name,
                            o->value);
    }
    return true;
}

void vdev_describe_reg(const struct describer *d, const struct vdev_region *regions, size_t count)
{
    uint32_t cells[4 * VDEV_REGIONS_MAX];
    for (size_t i = 0; i < count; i++) {
        cells[4 * i] = (uint32_t)(regions[i].base >> 32);
        cells[4 * i + 1] = (uint32_t)regions[i].base;
        cells[4 * i + 2] = (uint32_t)(regions[i].size >> 32);
        cells[4 * i + 3] = (uint32_t)regions[i].size;
    }
    d->cells(d->context, "reg", cells, 4 * count);
}

void vdev_describe_begin(const struct vdev *v, const struct describer *d, const char *name,
                         const char *compatible, size_t size)
{
    char node[64];
    snprintf(node, sizeof node, "%s@%" PRIx64, name, v->loc);
    d->begin_node(d->context, node);
    d->strings(d->context, "compatible", compatible, size);
    vdev_describe_reg(d, v->regions, v->region_count);
}
