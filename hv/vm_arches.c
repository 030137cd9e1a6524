/* The architectures there are; the first is what a VM has whose configuration names none. */
#include "hv/vm_arch.h"

extern const struct vm_arch vm_arch_arm64;

const struct vm_arch *const vm_arches[] = {&vm_arch_arm64, NULL};
