/* The architectures there are; the first is what a VM has whose configuration names none. */
#include "hv/vm_arch.h"

#include <string.h>

extern const struct vm_arch vm_arch_arm64;

const struct vm_arch *const vm_arches[] = {&vm_arch_arm64, NULL};

static bool is_new(size_t arch, enum exit_reason reason)
{
    const char *name = vm_arches[arch]->cpu->exit_names[reason];
    for (size_t i = 0; name && i < arch; i++)
        for (unsigned k = 0; k < EXIT_REASONS; k++) {
            const char *other = vm_arches[i]->cpu->exit_names[k];
            if (other && strcmp(other, name) == 0)
                return false;
        }
    return name != NULL;
}

const char *vm_arches_exit_name(unsigned number)
{
    for (size_t i = 0; vm_arches[i]; i++)
        for (unsigned k = 0; k < EXIT_REASONS; k++)
            if (is_new(i, k) && number-- == 0)
                return vm_arches[i]->cpu->exit_names[k];
    return NULL;
}
