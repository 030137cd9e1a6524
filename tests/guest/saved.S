/* Asks for a snapshot in the middle (HVC 0x86000000), then says what the next input is: one saved
 * machine answers to every input that it is continued with. */
    .text
    .global start
start:
    ldr x1, =0x09000000
    adr x2, before
    bl print
    ldr w0, =0x86000000
    hvc #0
    adr x2, after
    bl print
    mov w5, #0x40000
1:  ldr w3, [x1, #0x18] /* UARTFR.RXFE */
    tbz w3, #4, 2f
    subs w5, w5, #1
    b.ne 1b
    adr x2, nothing
    bl print
    b 3f
2:  ldr w3, [x1]
    str w3, [x1]
    mov w3, #'\n'
    str w3, [x1]
3:  ldr w0, =0x84000008 /* SYSTEM_OFF */
    hvc #0
    b .

print:
    ldrb w3, [x2], #1
    cbz w3, 4f
    str w3, [x1]
    b print
4:  ret

before:
    .asciz "before\n"
after:
    .asciz "input: "
nothing:
    .asciz "nothing\n"
