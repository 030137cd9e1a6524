/* `monitor why` and `qvm why`: who last wrote this address or this register, by going through the
 * recording's past. */
#ifndef QVM_GDB_GDB_WHY_H
#define QVM_GDB_GDB_WHY_H

#include "qvm/gdb/gdb_board.h"

/* `what` is a register of the thread's vCPU, or ADDR[,LEN] of that kind. The board comes back to
 * where it was. Where the user interrupts the answer is how far the search came. False: it is no
 * question. */
bool gdb_why(struct gdb_board *g, unsigned thread, enum gdb_space space, const char *what,
             struct bytes *out, struct error *e);

#endif
