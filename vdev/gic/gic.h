/* The Arm interrupt controller: GICv3 (IHI 0069H: distributor, redistributors, system-register CPU
 * interface) or GICv2 (IHI 0048B: distributor, memory-mapped CPU interface), chosen by the option
 * `version`. Line numbers are INTIDs: 0-15 SGI, 16-31 PPI, 32 and up SPI. One security state
 * (GICD_CTLR.DS = 1). The program knows it as a `struct pic` (gic_pic.c); this is what its files
 * and its tests know. */
#ifndef VDEV_GIC_GIC_H
#define VDEV_GIC_GIC_H

#include "vdev/vdev.h"

#define GIC_VCPUS_MAX 8
#define GIC_LINES     288 /* INTIDs 0 to 287; `intr gic:LINE` takes 16 to 287 */

/* Where the frames are unless the options say otherwise. */
#define GIC_GICD_DEFAULT 0x2f000000
#define GIC_GICR_DEFAULT 0x2f100000
#define GIC_GICC_DEFAULT 0x2c000000

/* The device behind `vdev gic`; `v` must be of that type. */
unsigned gic_version(const struct vdev *v);
/* Firmware starts the vCPU, and wakes its redistributor (GICR_WAKER) before. */
void gic_vcpu_started(struct vdev *v, unsigned vcpu);
/* An input line: SPIs (line >= 32) are shared, PPIs (16-31) belong to `vcpu`. Level or edge is what
 * the guest configured (GICD_ICFGR / GICR_ICFGR1). */
void gic_set_spi(void *v, unsigned intid, bool level); /* has struct wire's shape */
void gic_set_ppi(struct vdev *v, unsigned vcpu, unsigned intid, bool level);
/* GICv3 CPU interface registers, ICC_*_EL1, by encoding (op0<<14|op1<<11|CRn<<7|CRm<<3|op2).
 * False: no such register (also for version 2): the instruction is UNDEFINED. */
bool gic_sysreg_read(struct vdev *v, unsigned vcpu, unsigned encoding, uint64_t *value);
bool gic_sysreg_write(struct vdev *v, unsigned vcpu, unsigned encoding, uint64_t value);
/* Why the vCPU gets no interrupt: what is pending and what holds it, or that nothing is. */
void gic_explain(const struct vdev *v, unsigned vcpu, char *text, size_t size);
/* MPIDR affinity of vCPU n: Aff0 = n. */

#endif
