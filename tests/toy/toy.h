/* An architecture that only a test has: the program is linked with it in place of its own, and all
 * of it works, so nothing else assumes one.
 *
 * One register, A, of 64 bits, and PC; addresses are guest-physical ones, of 16 bits.
 *
 *   01 n        ADD: A += n
 *   02 low high IO: with bit 15 of the address clear A's low 32 bits are stored there, with it set
 *               they are loaded from the rest of it
 *   other       of one byte: waits for an interrupt
 *
 * There are no interrupts but to end such a wait, and no exceptions: what cannot be stored is not,
 * what cannot be loaded or fetched is all ones, or a wait. */
#ifndef TESTS_TOY_TOY_H
#define TESTS_TOY_TOY_H

#include "cpu/engine.h"
#include "cpu/vcpu.h"

enum { TOY_A, TOY_PC, TOY_REGISTERS };

#define TOY_ADDRESS 0x7fffu
#define TOY_LOADS   0x8000u

struct toy_instruction {
    enum { TOY_ADD = 1, TOY_IO = 2, TOY_WAIT } kind;
    unsigned size; /* 1 to 3 */
    unsigned argument;
};
struct toy_instruction toy_decode(const uint8_t *bytes, size_t size);

/* It runs the instructions itself; ENGINE_FILL is an access or a fetch that is the vCPU's. */
struct engine *toy_engine_new(const char *model, enum engine_pause pause, struct memory *memory,
                              struct error *e);

extern const struct arch arch_toy;

#endif
