/* The architectures of targets that read configurations and run nothing: models of CPUs alone. */
#include "hv/vm_arch.h"

static const struct arch_model models[] = {
    {"a57", 44}, {"a53", 40}, {"a72", 44}, {"max", 44}, {NULL, 0}};
static const struct arch arch = {.name = "none", .models = models};
extern const struct vdev_type gic_type;
static const struct vm_arch vm_arch = {.cpu = &arch, .pic = &gic_type};

const struct vm_arch *const vm_arches[] = {&vm_arch, NULL};
