/* vcpus: 1  model: a57  ends: limit */
/* Waits for its virtual timer longer and longer: until there is no more time. */
    .text
    .global start
start:
    mov x1, #(1 << 58)
1:  msr cntv_cval_el0, x1
    mov x0, #1
    msr cntv_ctl_el0, x0
    wfi
    lsl x1, x1, #1
    b 1b
