/* A file that somebody gave away must neither run commands here nor write files just because it is
 * continued. */
#include "qvm/trust.h"

#include <stdio.h>
#include <string.h>

struct wish {
    char *text;
    size_t size;
};

static bool wishes(const struct wish *w, const char *what, const char *name)
{
    snprintf(w->text, w->size, "%s '%s'", what, name);
    return true;
}

/* `>|COMMAND`, `>FILE` or a device that is read and written; not `-`, `>-`, `<-`, `<FILE`. */
static bool wishes_output(const struct wish *w, const char *hostdev)
{
    const char *name = hostdev + (*hostdev == '>');
    if (*hostdev == '<' || strcmp(name, "-") == 0)
        return false;
    if (name != hostdev && *name == '|')
        return wishes(w, "run the command", name + 1);
    return wishes(w, "write the file", name);
}

/* A disk's file is only read, unless its device says so. */
static bool device_wishes(const struct wish *w, const struct vdev_type *type,
                          const struct vdev_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(options[i].name, "hostdev") == 0 &&
            (*options[i].value == '>' || !type || !type->store) &&
            wishes_output(w, options[i].value))
            return true;
    return false;
}

static bool vm_wishes(const struct wish *w, const struct vm_config *c)
{
    if (c->dump && c->dump[0] == '|')
        return wishes(w, "run the command", c->dump + 1);
    if (c->dump)
        return wishes(w, "write dumps into the folder", c->dump);
    if (c->semihosting_dir && *c->semihosting_dir)
        return wishes(w, "read and write files in the folder", c->semihosting_dir);
    if (c->fdt_dump_file)
        return wishes(w, "write the file", c->fdt_dump_file);
    for (size_t i = 0; i < c->vdev_count; i++)
        if (device_wishes(w, c->vdevs[i].type, c->vdevs[i].options, c->vdevs[i].option_count))
            return true;
    return false;
}

bool trust_is_needed(const struct player *p, char *text, size_t size)
{
    const struct wish w = {text, size};
    const struct board_config *b = &p->board_config;
    for (size_t i = 0; i < p->vm_count; i++)
        if (vm_wishes(&w, &p->configs[i]))
            return true;
    for (size_t i = 0; i < b->device_count; i++)
        if (device_wishes(&w, b->devices[i].type, b->devices[i].options,
                          b->devices[i].option_count))
            return true;
    return false;
}

static void say_disks(const struct vdev_type *type, const struct vdev_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (type && type->store && strcmp(options[i].name, "hostdev") == 0 &&
            *options[i].value == '>')
            fprintf(stderr,
                    "qvm: the disk '%s' is as it is now: what was written to it since the snapshot "
                    "was taken, the guest finds there and does not know of\n",
                    options[i].value + 1);
}

void trust_say_disks_went_on(const struct player *p)
{
    const struct board_config *b = &p->board_config;
    for (size_t i = 0; i < p->vm_count; i++)
        for (size_t k = 0; k < p->configs[i].vdev_count; k++) {
            const struct vdev_config *v = &p->configs[i].vdevs[k];
            say_disks(v->type, v->options, v->option_count);
        }
    for (size_t i = 0; i < b->device_count; i++)
        say_disks(b->devices[i].type, b->devices[i].options, b->devices[i].option_count);
}
