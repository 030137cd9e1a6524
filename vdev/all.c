/* Every device type there is. A device that is not in this list does not exist. */
#include "vdev/vdev.h"

extern const struct vdev_type gic_type;
extern const struct vdev_type pl011_type;
extern const struct vdev_type pl031_type;
extern const struct vdev_type exit_type;
extern const struct vdev_type pl330_type;
extern const struct vdev_type dma_master_type;
extern const struct vdev_type pvpanic_type;
extern const struct vdev_type shmem_type;
extern const struct vdev_type smmu_page_type;
extern const struct vdev_type smmuv3_type;
extern const struct vdev_type virtio_blk_type;
extern const struct vdev_type virtio_console_type;
extern const struct vdev_type virtio_entropy_type;
extern const struct vdev_type virtio_net_type;
extern const struct vdev_type wdt_sp805_type;

const struct vdev_type *const vdev_types[] = {
    &gic_type,        &pl011_type,          &pl031_type,          &exit_type,
    &pvpanic_type,    &shmem_type,          &smmu_page_type,      &smmuv3_type,
    &virtio_blk_type, &virtio_console_type, &virtio_entropy_type, &virtio_net_type,
    &wdt_sp805_type,  &dma_master_type,     &pl330_type,          NULL,
};
