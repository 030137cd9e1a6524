/* An SMMUv3 as a device (Arm IHI 0070, cited by section): registers, command queue, event queue,
 * caches, and the ports of the devices that are behind it. What tables make of a transaction is
 * mmu/smmu/smmu_tables.h.
 *
 * An SMMU is a device that masters: its own port, `dma` of its `struct vdev`, leads to the space in
 * which its tables, its queues and what it lets through are. Behind a guest's that is the VM's
 * guest-physical space, and it translates at stage 1 alone; behind a board's (smmu_board_type) the
 * board's own, and it translates at both.
 *
 * Whoever masters through it gets a port from its type's `stream_port`. A translation that was made
 * stays until a command invalidates it: the caches are part of the state, and what a device holds
 * by a mapping is always in them. */
#ifndef VDEV_SMMU_SMMU_H
#define VDEV_SMMU_SMMU_H

#include "vdev/vdev.h"

/* `vdev smmuv3`, a guest's. */
extern const struct vdev_type smmuv3_type;
/* `vdev smmu`: smmuman for a guest's own (vdev/smmu/smmu_client.h). */
extern const struct vdev_type smmu_page_type;
/* A board's: not in the list of types. Whoever assembles one makes it like any device (`dma` is
 * board_dma_port of hv/hv_internal.h, `env` needs a log), programs it by `access`, as any driver
 * does, and keeps its `fields` in a snapshot; devices behind it get `stream_port`. */
extern const struct vdev_type smmu_board_type;

#define SMMU_REGISTERS_SIZE 0x20000 /* two pages of 64 KiB */
#define SMMU_STREAM_BITS    16      /* SIDSIZE */

#endif
