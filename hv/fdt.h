/* Flattened device trees of users, merged into the one that fdt_build made. */
#ifndef HV_FDT_H
#define HV_FDT_H

#include "hv/hv_internal.h"

/* Adds the tree in `file`, which `load` names, to `tree`. The error has the place of `load`. */
bool fdt_merge(struct vm *vm, struct bytes *tree, const struct load_config *load,
               const struct bytes *file, struct error *e);

#endif
