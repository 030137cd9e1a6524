/* The smallest guest: prints through the PL011 and powers off by PSCI over HVC. */
    .text
    .global start
start:
    ldr x1, =0x09000000
    adr x2, text
1:  ldrb w3, [x2], #1
    cbz w3, 2f
    str w3, [x1] /* UARTDR */
    b 1b
2:  ldr w0, =0x84000008 /* SYSTEM_OFF */
    hvc #0
    b .

text:
    .asciz "Hello from EL1\n"
