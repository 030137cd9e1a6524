/* Functions of Unicorn that ours replace, where that is built in (QVM_INTERPOSE) and works. They
 * lean on internal names, so results are the same with and without, and tests say so. */
#ifndef CPU_INTERPOSE_H
#define CPU_INTERPOSE_H

#include <stdint.h>

/* engine_unicorn.c: a system instruction that the library would show to a hook of ours. `registers`
 * is its own record of the vCPU that runs. 0: the library goes on with it, else it is done. */
uint32_t engine_system_instruction(void *registers, uint32_t word);

#endif
