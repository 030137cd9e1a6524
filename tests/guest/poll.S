/* Polls a device for ever: no UART has raw interrupts that nothing raised. */
    .text
    .global start
start:
    msr daifset, #15
    movz x1, #0x0900, lsl #16
1:  ldr w0, [x1, #0x3c]
    cbz w0, 1b
    b .
