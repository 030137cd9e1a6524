/* Instructions as text, by Capstone: for messages, explanations and traces; never for execution. */
#ifndef CPU_ARM64_DISASM_H
#define CPU_ARM64_DISASM_H

#include <stddef.h>
#include <stdint.h>

/* "ldr x0, [x1]", or ".word 0x..." for what is no instruction. `text` always ends with a NUL. */
void disasm_a64(uint64_t pc, uint32_t word, char *text, size_t size);
const char *disasm_version(void);

#endif
