/* Registers as gdb gets them: by their ids, which are their numbers in the architecture's target
 * description, with little-endian bytes. */
#ifndef QVM_GDB_GDB_REGISTERS_H
#define QVM_GDB_GDB_REGISTERS_H

#include "cpu/vcpu.h"

/* The first so many are those that a `g` packet has; system registers are behind them. */
unsigned registers_general(const struct arch *arch);
/* Bytes: 4, 8 or 16. */
size_t register_size(const struct arch *arch, unsigned number);
void register_get(const struct vcpu_registers *r, unsigned number, uint8_t to[16]);
void register_set(struct vcpu_registers *r, unsigned number, const uint8_t from[16]);

#endif
