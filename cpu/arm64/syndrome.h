/* ESR_ELx by the manual's field names, for people. Arm ARM D19.2.37 (ESR_EL1), D19.2.38 (ESR_EL2).
 */
#ifndef CPU_ARM64_SYNDROME_H
#define CPU_ARM64_SYNDROME_H

#include <stddef.h>
#include <stdint.h>

#include "mmu/arm64/stage1.h"

/* "Data Abort from a lower Exception level"; "reserved" for what the model never makes. */
const char *syndrome_class_name(unsigned ec);
/* "EC=0x24 (Data Abort from a lower Exception level) IL=1 ISV=1 SAS=0 ... DFSC=0x05 (translation
 * fault, level 1)". */
void syndrome_text(uint32_t esr, char *text, size_t size);
/* DFSC or IFSC: "translation fault, level 1". */
void syndrome_status_text(unsigned status, char *text, size_t size);

/* EC 0x18, a trapped MSR, MRS or system instruction: which register it was, as SYSREG makes it. */
unsigned syndrome_register(uint32_t esr);

/* ESR of an abort as far as the address alone decides it: taken to EL1 from `lower` or not, or to
 * EL2 (stage 2 faults). What depends on the instruction (ISV and what follows from it) is 0. */
uint32_t syndrome_of_fault(const struct fault *f, enum access_kind kind, bool lower);

#endif
