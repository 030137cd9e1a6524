/* Numbers that C and assembly share. */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define CPUS_MAX        8
#define EXCEPTION_STACK 0x4000
#define CPU_AREA        0x8000

/* Offsets in struct cpu and struct frame (trap.h). */
#define CPU_SCRATCH  0
#define CPU_TRAP     8
#define CPU_RECOVER  16
#define FRAME_SP     248
#define FRAME_SP_EL0 256
#define FRAME_SPSR   272
#define FRAME_FAR    288
#define FRAME_VECTOR 296
#define FRAME_SIZE   304

/* SCTLR_EL1 with everything off: the bits that are RES1 at Armv8.0. */
#define SCTLR_BASE 0x30d00800

#endif
