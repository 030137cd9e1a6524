/* Secondary CPUs (PSCI CPU_ON; MPIDR.Aff0 = number), with the MMU as on the CPU that starts them.
 */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include "trap.h"

/* Starts a CPU; it runs `run` and goes off. Returns CPU_ON's result, 0 = success. */
int64_t cpu_start(unsigned number, void (*run)(void *argument), void *argument);
/* Waits until AFFINITY_INFO says off. */
bool cpu_wait_off(unsigned number);

/* Words that CPUs wait for each other with. */
static inline void signal_set(volatile uint32_t *flag, uint32_t value)
{
    __atomic_store_n(flag, value, __ATOMIC_RELEASE);
    __asm__ volatile("dsb sy\nsev" ::: "memory");
}
/* False when the value has not come after very long. */
static inline bool signal_wait(volatile uint32_t *flag, uint32_t value)
{
    for (unsigned i = 0; i < 200000000; i++) {
        if (__atomic_load_n(flag, __ATOMIC_ACQUIRE) == value)
            return true;
        __asm__ volatile("yield");
    }
    return false;
}

#endif
