/* A file that somebody gave away must not run commands here just because it is continued. */
#include "qvm/trust.h"

#include <string.h>

static const char *command_among(const struct vdev_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(options[i].value, ">|", 2) == 0)
            return options[i].value + 2;
    return NULL;
}

const char *trust_command_in(const struct player *p)
{
    const char *command = NULL;
    for (size_t i = 0; i < p->vm_count && !command; i++) {
        const struct vm_config *c = &p->configs[i];
        if (c->dump && c->dump[0] == '|')
            command = c->dump + 1;
        for (size_t k = 0; k < c->vdev_count && !command; k++)
            command = command_among(c->vdevs[k].options, c->vdevs[k].option_count);
    }
    const struct board_config *b = &p->board_config;
    for (size_t i = 0; i < b->device_count && !command; i++)
        command = command_among(b->devices[i].options, b->devices[i].option_count);
    return command;
}
