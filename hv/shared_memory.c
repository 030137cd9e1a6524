/* The memory that the guests of a board share: how much its VMs' `vdev shmem` need, and the
 * registry of its regions. It is taken before any VM's own memory, so that what `create` asks for
 * is short at assembly if at all, and not when a guest attaches. */
#include <string.h>

#include "hv/hv_internal.h"
#include "vdev/shmem/shmem_names.h"

/* Whole blocks of 2 MiB: the allocator gives those as they are. */
#define SHARED_MEMORY_UNIT ((uint64_t)2 << 20)

/* What the VMs' devices `create`, and how many VMs share anything at all. */
static uint64_t created_bytes(const struct vm_config *configs, size_t count, unsigned *sharers)
{
    uint64_t created = 0;
    *sharers = 0;
    for (size_t i = 0; i < count; i++) {
        bool shares = false;
        for (size_t d = 0; d < configs[i].vdev_count; d++) {
            const struct vdev_config *v = &configs[i].vdevs[d];
            if (strcmp(v->type->name, "shmem") != 0)
                continue;
            shares = true;
            created += shmem_created_bytes(v->options, v->option_count);
        }
        *sharers += shares;
    }
    return created;
}

static uint64_t registry_size(const struct vm_config *configs, size_t count, unsigned *sharers)
{
    uint64_t size = created_bytes(configs, count, sharers) + SHMEM_POOL_BYTES;
    uint64_t units = (size + SHARED_MEMORY_UNIT - 1) / SHARED_MEMORY_UNIT;
    return *sharers ? units * SHARED_MEMORY_UNIT : 0;
}

/* Data pages begin 4 KiB behind a control page, so they are mapped as pages: a table for each 512.
 */
uint64_t shared_memory_need(const struct vm_config *configs, size_t count)
{
    unsigned sharers;
    uint64_t size = registry_size(configs, count, &sharers);
    return size + size / 512 * sharers;
}

bool shared_memory_make(struct board *b, const struct vm_config *configs, size_t count,
                        struct error *e)
{
    unsigned sharers;
    uint64_t size = registry_size(configs, count, &sharers);
    if (!size)
        return true;
    b->shmem = shmem_regions_new(&b->memory, size, e);
    return b->shmem || error_exit_status(e, STATUS_NOT_STARTED);
}
