/* Entry, vectors and the assembly half of the trap facility (trap.h).
 *
 * Each CPU has a 32 KiB area: 16 KiB of exception stack, then its struct cpu, then its main stack
 * growing down from the end. TPIDR_EL1 points to the struct cpu. Exceptions save a struct frame on
 * the exception stack, never on the interrupted stack, so a bad SP can be tested; a nested one
 * continues below the frame of the first. TPIDRRO_EL0 is scratch of the vectors. */
#include "layout.h"

    .section .text.start, "ax"
    .global start
start:
    msr daifset, #15
    msr spsel, #1
    ldr x0, =SCTLR_BASE
    msr sctlr_el1, x0
    isb
    ldr x0, =bss_start
    ldr x1, =bss_end
1:  cmp x0, x1
    b.hs 2f
    stp xzr, xzr, [x0], #16
    b 1b
2:  ldr x0, =cpu_areas + EXCEPTION_STACK
    bl cpu_enter
    bl cpu_first
    bl main
    b finish

/* x0 = struct cpu: its stack, vectors and TPIDR_EL1. */
cpu_enter:
    msr tpidr_el1, x0
    add x1, x0, #CPU_AREA - EXCEPTION_STACK
    mov sp, x1
    ldr x1, =vectors
    msr vbar_el1, x1
    msr cpacr_el1, xzr
    isb
    ret

/* CPU_ON enters here, with x0 = struct cpu and everything else off. */
    .global start_secondary
start_secondary:
    msr daifset, #15
    msr spsel, #1
    mov x19, x0
    ldr x1, =SCTLR_BASE
    msr sctlr_el1, x1
    isb
    bl cpu_enter
    mov x0, x19
    bl cpu_secondary
    b .

/* void trap_call(struct trap *t, const void *code): runs code at EL1 with x0-x7 from t->x. When it
 * returns, t->x has x0-x7 again; when it takes an exception, trap_caught fills t and the handler
 * returns to trap_return. */
    .text
    .macro trap_prologue
    stp x29, x30, [sp, #-96]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    mrs x9, tpidr_el1
    mov x10, sp
    mrs x11, daif
    str x0, [x9, #CPU_TRAP]
    stp x10, x11, [x9, #CPU_RECOVER]
    .endm
    .macro trap_arguments
    ldp x2, x3, [x17, #16]
    ldp x4, x5, [x17, #32]
    ldp x6, x7, [x17, #48]
    ldp x0, x1, [x17]
    .endm

    .global trap_call
trap_call:
    trap_prologue
    mov x16, x1
    mov x17, x0
    trap_arguments
    blr x16
    mrs x16, tpidr_el1
    ldr x17, [x16, #CPU_TRAP]
    str xzr, [x16, #CPU_TRAP]
    stp x0, x1, [x17]
    stp x2, x3, [x17, #16]
    stp x4, x5, [x17, #32]
    stp x6, x7, [x17, #48]
    .global trap_return
trap_return:
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #96
    ret

/* void trap_eret(struct trap *t, uint64_t pc, uint64_t spsr, uint64_t sp_el0): the same by ERET. */
    .global trap_eret
trap_eret:
    trap_prologue
    msr daifset, #15 /* an interrupt would overwrite ELR and SPSR; the old DAIF comes back */
    msr elr_el1, x1
    msr spsr_el1, x2
    msr sp_el0, x3
    mov x17, x0
    trap_arguments
    .global trap_eret_instruction
trap_eret_instruction:
    eret

/* Code for EL0: returns by SVC #0 at once. */
    .section .el0.text, "ax"
    .global el0_return
el0_return:
    svc #0

/* Vectors --------------------------------------------------------------------------------------*/
    .text
    .balign 2048
    .global vectors
vectors:
    .macro vector offset
    .org vectors + \offset
    msr tpidrro_el0, x0
    mrs x0, tpidr_el1
    str x1, [x0, #CPU_SCRATCH]
    mov x1, sp
    sub x1, x0, x1
    sub x1, x1, #1
    cmp x1, #EXCEPTION_STACK
    mov x1, sp
    csel x0, x1, x0, lo
    sub x0, x0, #FRAME_SIZE
    str x1, [x0, #FRAME_SP]
    mov x1, #\offset
    str x1, [x0, #FRAME_VECTOR]
    b save_frame
    .endm
    .irp offset, 0x000, 0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400, 0x480, 0x500, \
                 0x580, 0x600, 0x680, 0x700, 0x780
    vector \offset
    .endr
    .org vectors + 0x800

/* x0 = frame with SP and vector; x0 and x1 of the interrupted code are in the scratch places. The
 * flags are in SPSR_EL1. */
save_frame:
    stp x2, x3, [x0, #16]
    stp x4, x5, [x0, #32]
    stp x6, x7, [x0, #48]
    stp x8, x9, [x0, #64]
    stp x10, x11, [x0, #80]
    stp x12, x13, [x0, #96]
    stp x14, x15, [x0, #112]
    stp x16, x17, [x0, #128]
    stp x18, x19, [x0, #144]
    stp x20, x21, [x0, #160]
    stp x22, x23, [x0, #176]
    stp x24, x25, [x0, #192]
    stp x26, x27, [x0, #208]
    stp x28, x29, [x0, #224]
    str x30, [x0, #240]
    mrs x1, tpidr_el1
    ldr x2, [x1, #CPU_SCRATCH]
    mrs x1, tpidrro_el0
    stp x1, x2, [x0]
    mrs x1, sp_el0
    mrs x2, elr_el1
    stp x1, x2, [x0, #FRAME_SP_EL0]
    mrs x1, spsr_el1
    mrs x2, esr_el1
    stp x1, x2, [x0, #FRAME_SPSR]
    mrs x1, far_el1
    str x1, [x0, #FRAME_FAR]
    mov sp, x0
    mov x19, x0
    bl exception_taken

    /* Whatever the handler allowed, the way back is not interruptible. */
    msr daifset, #15
    mov x0, x19
    ldp x1, x2, [x0, #FRAME_SP_EL0]
    msr sp_el0, x1
    msr elr_el1, x2
    ldr x1, [x0, #FRAME_SPSR]
    msr spsr_el1, x1
    ldr x1, [x0, #FRAME_SP]
    mov sp, x1
    ldp x2, x3, [x0, #16]
    ldp x4, x5, [x0, #32]
    ldp x6, x7, [x0, #48]
    ldp x8, x9, [x0, #64]
    ldp x10, x11, [x0, #80]
    ldp x12, x13, [x0, #96]
    ldp x14, x15, [x0, #112]
    ldp x16, x17, [x0, #128]
    ldp x18, x19, [x0, #144]
    ldp x20, x21, [x0, #160]
    ldp x22, x23, [x0, #176]
    ldp x24, x25, [x0, #192]
    ldp x26, x27, [x0, #208]
    ldp x28, x29, [x0, #224]
    ldr x30, [x0, #240]
    ldp x0, x1, [x0]
    eret

    .section .noinit, "aw", %nobits
    .balign 4096
    .global cpu_areas
cpu_areas:
    .skip CPU_AREA * CPUS_MAX
