/* Types of devices by name. Devices do not ask for each other: they read their options with what is
 * in vdev/options.c, and the list of them is above both. */
#include <string.h>

#include "vdev/vdev.h"

const struct vdev_type *vdev_type_find(const char *name)
{
    for (const struct vdev_type *const *t = vdev_types; *t; t++)
        if (strcmp((*t)->name, name) == 0)
            return *t;
    return NULL;
}
