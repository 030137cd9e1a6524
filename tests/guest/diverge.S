/* What can go another way in a replay, a little of each and in a fixed order: the clock, the CPU's
 * identity, an address where nothing is, a timer interrupt, console input, a call. It stands alone,
 * so that the instructions are always the same: tests/divergence.py counts on them. */
    .text
    .global start
start:
    ldr x19, =0x09000000 /* PL011 */
    ldr x20, =0x09010000 /* PL031 */
    adr x0, vectors
    msr vbar_el1, x0

clock:
    ldr w0, [x20] /* RTCDR */
    adr x21, scratch
    str w0, [x21]

identity:
    mrs x0, midr_el1
    ubfx x0, x0, #4, #4
    add w0, w0, #'0'
    str w0, [x19] /* UARTDR */
    mrs x0, cntfrq_el0
    str x0, [x21, #8]

nothing:
    mov x0, #0x0a000000
    ldr w0, [x0]

interrupt:
    msr daifset, #15
    ldr x22, =0x080a0000
    str wzr, [x22, #0x14] /* GICR_WAKER */
    add x22, x22, #0x10000
    mov w0, #1 << 27
    str w0, [x22, #0x80]  /* GICR_IGROUPR0 */
    str w0, [x22, #0x100] /* GICR_ISENABLER0 */
    ldr x23, =0x08000000
    mov w0, #2
    str w0, [x23] /* GICD_CTLR */
    mov x0, #0xff
    msr S3_0_C4_C6_0, x0 /* ICC_PMR_EL1 */
    mov x0, #1
    msr S3_0_C12_C12_7, x0 /* ICC_IGRPEN1_EL1 */
    isb
    mov x24, #0
    mov x0, #10
    msr cntv_tval_el0, x0
    mov x0, #1
    msr cntv_ctl_el0, x0
    msr daifclr, #2
wait:
    add x25, x25, #1
    cbz x24, wait

console:
    msr daifset, #15
    mov w0, #1 << 4
    str w0, [x19, #0x38] /* UARTIMSC: received */
    mov w0, #1 << 1
    str w0, [x23, #0x84]  /* GICD_IGROUPR1 */
    str w0, [x23, #0x104] /* GICD_ISENABLER1 */
    mov w26, #2 /* characters */
poll:
    ldr w0, [x19, #0x18] /* UARTFR */
    tbz w0, #4, got
    wfi
    b poll
got:
    ldr w0, [x19] /* UARTDR */
    str w0, [x19]
    subs w26, w26, #1
    b.ne poll

call:
    ldr w0, =0x84000000 /* PSCI_VERSION */
    hvc #0
    ldr w0, =0x84000008 /* SYSTEM_OFF */
    hvc #0
    b .

handler:
    mrs x27, S3_0_C12_C12_0 /* ICC_IAR1_EL1 */
    mov x28, #2
    msr cntv_ctl_el0, x28
    msr S3_0_C12_C12_1, x27 /* ICC_EOIR1_EL1 */
    mov x24, #1
    eret

    .balign 2048
vectors:
    .rept 16
    .balign 128
    b handler
    .endr

    .balign 16
scratch:
    .quad 0, 0
    .ltorg
