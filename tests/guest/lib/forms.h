/* Forms of loads and stores, and what their addresses must be multiples of. */
#ifndef GUEST_FORMS_H
#define GUEST_FORMS_H

#include "trap.h"

struct form {
    const char *name;
    const uint32_t *code; /* TRAP_CODE: one access at X0 */
    unsigned alignment;
    bool is_store;
};

/* For tables X(name, instruction, alignment, store). */
#define FORM_CODE(name, text, alignment, store)  TRAP_CODE(name, text);
#define FORM_ENTRY(name, text, alignment, store) {#name, name, alignment, store},

/* At EL1, at the place and each of 16 bytes behind it: what is misaligned takes its fault there
 * (Arm ARM B2.9.2), and nothing else does. */
void check_forms(const struct form *forms, size_t count, uint64_t place);

#endif
