/* The cycle counter (PMCCNTR_EL0) as a count of instructions, which it is on this machine and not
 * on others. */
#ifndef GUEST_CYCLES_H
#define GUEST_CYCLES_H

#include "trap.h"

/* Calls the code so often; how many calls took another number of cycles than the first. */
static inline uint64_t calls_of_another_length(const void *code, uint64_t x0, uint64_t x1,
                                               unsigned calls)
{
    uint64_t first = 0, wrong = 0;
    WRITE(pmcr_el0, 1u << 6 | 1); /* LC, E */
    WRITE(pmcntenset_el0, 1u << 31);
    ISB();
    for (unsigned i = 0; i < calls; i++) {
        struct trap t = {.x = {x0, x1}};
        uint64_t from = READ(pmccntr_el0);
        trap_call(&t, code);
        uint64_t count = READ(pmccntr_el0) - from;
        first = i ? first : count;
        wrong += count != first;
    }
    WRITE(pmcntenclr_el0, 1u << 31);
    return on_qemu() ? 0 : wrong;
}

#endif
