/* Instructions as text, by Capstone: for messages, explanations and traces; never for execution. */
#ifndef CPU_DISASM_H
#define CPU_DISASM_H

#include <stddef.h>
#include <stdint.h>

/* "ldr x0, [x1]", or ".word 0x..." for what is no instruction of that architecture (its name in
 * struct arch). `text` always ends with a NUL. How many of the `size` bytes it has: at least one.
 */
size_t disasm_text(const char *arch, uint64_t pc, const uint8_t *bytes, size_t size, char *text,
                   size_t room);
const char *disasm_version(void);

#endif
