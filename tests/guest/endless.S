/* Counts for ever: for runs with a limit, and for signals. */
    .text
    .global start
start:
    mov x0, #0
1:  add x0, x0, #1
    b 1b
