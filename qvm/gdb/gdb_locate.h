/* Where the addresses that a debugger names are on the board. */
#ifndef QVM_GDB_GDB_LOCATE_H
#define QVM_GDB_GDB_LOCATE_H

#include "qvm/gdb/gdb_board.h"

/* Of a byte as the thread's vCPU sees it, looked up without any effect. A vCPU that is off
 * translates nothing. False: it is nowhere. */
bool gdb_locate(struct gdb_board *g, unsigned thread, enum gdb_space space, uint64_t address,
                hpa_t *at);

#endif
