/* A debugger's look at a guest: its memory as a vCPU sees it, without any effect on tables, TLBs or
 * devices, and whatever the permissions. */
#ifndef HV_EXPLAIN_INSPECT_H
#define HV_EXPLAIN_INSPECT_H

#include "hv/board.h"

/* Where a guest-virtual address is on the board; false: nowhere. */
bool inspect_place(struct vm *vm, const struct vcpu *v, gva_t at, hpa_t *place);
/* The same of a guest-physical one. */
bool inspect_gpa(struct vm *vm, gpa_t at, hpa_t *place);
/* False if not all of it is memory. */
bool inspect_memory(struct vm *vm, const struct vcpu *v, gva_t from, void *to, uint64_t size);

#endif
