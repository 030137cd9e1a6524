/* An instruction of a guest in words, for people. */
#ifndef HV_EXPLAIN_INSTRUCTION_H
#define HV_EXPLAIN_INSTRUCTION_H

#include "hv/board.h"

#define INSTRUCTION_TEXT_SIZE 256 /* bytes that have room for one */

/* "0x40080000 <main+0x10>: ldr x0, [x1]", as the vCPU sees it now; the name is there if an image
 * has it (hv/images/symbols.h). */
void instruction_text(struct vm *vm, unsigned vcpu, uint64_t pc, char *text, size_t size);

#endif
