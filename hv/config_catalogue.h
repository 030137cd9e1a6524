/* What is known of the vdev types of qvm, whether this version models them or not: their options,
 * and how much of the guest's address space they take. */
#ifndef HV_CONFIG_CATALOGUE_H
#define HV_CONFIG_CATALOGUE_H

#include "hv/config.h"

struct known_option {
    const char *name;
    bool has_argument;
    bool is_repeatable;
};

struct known_vdev {
    const char *name;
    bool is_x86;
    const struct known_option *options; /* ends with a NULL name; NULL = not listed here */
};

extern const struct known_vdev known_vdevs[];               /* ends with a NULL name */
const struct known_vdev *known_vdev_find(const char *name); /* or NULL */
/* Or NULL: then it has one argument and is not repeatable. */
const struct known_option *known_option_find(const struct known_vdev *vdev, const char *name);
/* Does an option of a modelled type have an argument? */
bool config_option_has_argument(const struct vdev_type *type, const char *name);

#endif
