/* GICv3 with system-register CPU interface (IHI 0069), one security state, all in group 1. */
#ifndef GUEST_GIC_H
#define GUEST_GIC_H

#include "guest.h"

#define ICC_IAR1              S3_0_C12_C12_0
#define ICC_EOIR1             S3_0_C12_C12_1
#define ICC_HPPIR1            S3_0_C12_C12_2
#define ICC_BPR1              S3_0_C12_C12_3
#define ICC_CTLR              S3_0_C12_C12_4
#define ICC_SRE               S3_0_C12_C12_5
#define ICC_IGRPEN1           S3_0_C12_C12_7
#define ICC_DIR               S3_0_C12_C11_1
#define ICC_SGI1R             S3_0_C12_C11_5
#define ICC_RPR               S3_0_C12_C11_3
#define ICC_PMR               S3_0_C4_C6_0
#define GIC_READ(reg)         GIC_READ_(reg)
#define GIC_READ_(reg)        READ(reg)
#define GIC_WRITE(reg, value) GIC_WRITE_(reg, value)
#define GIC_WRITE_(reg, value)                                                                     \
    do {                                                                                           \
        WRITE(reg, value);                                                                         \
        ISB();                                                                                     \
    } while (0)

#define GIC_NONE 1023

void gic_start_distributor(void);
/* This CPU's redistributor and interface: priorities down to 0xff pass, EOI also deactivates. */
void gic_start_cpu(void);
/* SGI and PPI (of this CPU) and SPI (to CPU 0). */
void gic_enable(unsigned intid, unsigned priority);
void gic_disable(unsigned intid);
bool gic_pending(unsigned intid);
bool gic_active(unsigned intid);
/* To the CPUs in the mask (Aff0). */
void gic_send(unsigned sgi, unsigned cpus);

#endif
