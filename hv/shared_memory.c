/* The memory that the guests of a board share: how much its VMs' `vdev shmem` need, and the
 * registry of its regions. It is taken before any VM's own memory, so that what `create` asks for
 * is short at assembly if at all, and not when a guest attaches. */
#include <string.h>

#include "hv/hv_internal.h"
#include "vdev/shmem_names.h"

/* Whole blocks of 2 MiB: the allocator gives those as they are. */
#define SHARED_MEMORY_UNIT ((uint64_t)2 << 20)

uint64_t shared_memory_size(const struct vm_config *configs, size_t count)
{
    uint64_t created = 0;
    bool any = false;
    for (size_t i = 0; i < count; i++)
        for (size_t d = 0; d < configs[i].vdev_count; d++) {
            const struct vdev_config *v = &configs[i].vdevs[d];
            if (strcmp(v->type->name, "shmem") != 0)
                continue;
            any = true;
            created += shmem_created_bytes(v->options, v->option_count);
        }
    uint64_t size = created + SHMEM_POOL_BYTES + SHARED_MEMORY_UNIT - 1;
    return any ? size / SHARED_MEMORY_UNIT * SHARED_MEMORY_UNIT : 0;
}

bool make_shared_memory(struct board *b, const struct vm_config *configs, size_t count,
                        struct error *e)
{
    uint64_t size = shared_memory_size(configs, count);
    if (!size)
        return true;
    b->shmem = shmem_regions_new(&b->memory, size, e);
    return b->shmem || error_exit_status(e, STATUS_NOT_STARTED);
}
