/* The vdev types of qvm that this version does not model: a configuration that names one of them is
 * told so, instead of that there is no such type. */
#ifndef HV_CONFIG_CONFIG_CATALOGUE_H
#define HV_CONFIG_CONFIG_CATALOGUE_H

#include <stdbool.h>

struct known_vdev {
    const char *name;
    bool is_x86;
};

extern const struct known_vdev known_vdevs[];               /* ends with a NULL name */
const struct known_vdev *known_vdev_find(const char *name); /* or NULL */

#endif
