/* The guest-physical address space as the configuration lays it out. */
#ifndef HV_CONFIG_CONFIG_RANGES_H
#define HV_CONFIG_CONFIG_RANGES_H

#include "hv/config/config.h"

enum range_kind { RANGE_RAM, RANGE_ROM, RANGE_VDEV, RANGE_PASS };

struct config_range {
    uint64_t start, size;
    enum range_kind kind;
    struct place place; /* line 0: nobody wrote it, it is a default */
    char what[96];      /* beyond the kind: "", "pl011 'console'", "from host 0xfd120000" */
};

/* Every range the guest can reach, by start address. The caller frees the array. Ranges with a bad
 * address are left out. */
struct config_range *config_ranges(const struct vm_config *config, size_t *count);
/* Where a device will answer: its type fills the regions of `v`, which has nothing else afterwards
 * than type, place and options. None if the address is bad. False: an option is. */
bool config_vdev_ranges(const struct vdev_config *c, size_t vcpus, struct vdev *v, struct error *e);
const char *range_kind_name(enum range_kind kind);

#endif
