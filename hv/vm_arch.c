#include "hv/vm_arch.h"

#include <string.h>

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

static const struct arch_model *find_model(const char *name, const struct vm_arch **arch)
{
    for (size_t i = 0; vm_arches[i]; i++)
        for (const struct arch_model *m = vm_arches[i]->cpu->models; m->name; m++)
            if (strcmp(m->name, name) == 0) {
                *arch = vm_arches[i];
                return m;
            }
    return NULL;
}

const struct vm_arch *vm_arch_of(const char *model)
{
    const struct vm_arch *arch = NULL;
    find_model(model, &arch);
    return arch;
}

const struct arch_model *vm_arch_model(const char *model)
{
    const struct vm_arch *arch;
    return find_model(model, &arch);
}
