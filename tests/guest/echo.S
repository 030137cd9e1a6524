/* Says what is typed: a prompt, then each byte back as it comes. A line feed gives another prompt; `q`
 * powers off by PSCI over HVC. */
    .text
    .global start
start:
    movz x1, #0x0900, lsl #16
    mov w2, #'>'
    str w2, [x1]
    mov w2, #' '
    str w2, [x1]
read:
    ldr w3, [x1, #0x18]         // UARTFR
    tbnz w3, #4, read           // RXFE: nothing has come
    ldr w2, [x1]
    str w2, [x1]
    cmp w2, #'\n'
    b.eq start
    cmp w2, #'q'
    b.ne read
    movz w0, #0x8400, lsl #16   // SYSTEM_OFF
    movk w0, #0x0008
    hvc #0
    b .
