/* VBAR_EL1 points to memory that is not mapped, with the MMU on; then an undefined instruction.
 * Every vector fetch is a translation fault, for ever. */
    .text
    .global start
start:
    /* 1 GiB blocks from 39 bits of address: RAM 1:1, nothing else. */
    ldr x0, =0x41000000
    mov x1, #512
    mov x2, x0
1:  str xzr, [x2], #8
    subs x1, x1, #1
    b.ne 1b
    ldr x1, =0x40000701 /* block, AF, inner shareable, MAIR index 0 */
    str x1, [x0, #8]
    mov x1, #0xff
    msr mair_el1, x1
    ldr x1, =0x200803519 /* T0SZ 25, write-back inner shareable, EPD1, 40 bits */
    msr tcr_el1, x1
    msr ttbr0_el1, x0
    ldr x1, =0x80000000
    msr vbar_el1, x1
    dsb sy
    isb
    tlbi vmalle1
    dsb sy
    isb
    mrs x1, sctlr_el1
    orr x1, x1, #1
    msr sctlr_el1, x1
    isb
    udf #0
