/* What gdb is told of a vCPU's registers: a target description ("Target Descriptions", standard
 * AArch64 features and one of our own), and registers by the numbers they have there. */
#ifndef QVM_GDB_GDB_REGISTERS_H
#define QVM_GDB_GDB_REGISTERS_H

#include "qvm/gdb/gdb_target.h"

/* X0 to X30, SP, PC, PSTATE, V0 to V31, FPSR, FPCR; behind them the target's system registers. */
enum { GDB_SP = 31, GDB_PC, GDB_CPSR, GDB_V0, GDB_FPSR = GDB_V0 + 32, GDB_FPCR, GDB_SYSREGS };

/* Bytes of a register below GDB_SYSREGS: 4, 8 or 16. */
size_t register_size(unsigned number);
void register_get(const struct vcpu_registers *r, unsigned number, uint8_t to[16]);
void register_set(struct vcpu_registers *r, unsigned number, const uint8_t from[16]);

/* target.xml */
void registers_describe(const struct gdb_target *target, struct bytes *out);

#endif
