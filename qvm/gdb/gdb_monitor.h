/* `monitor COMMAND` of the gdb server. */
#ifndef QVM_GDB_GDB_MONITOR_H
#define QVM_GDB_GDB_MONITOR_H

#include "qvm/gdb/gdb_board.h"

/* Appends the answer. */
void gdb_monitor(struct gdb_board *g, unsigned thread, enum gdb_space space, const char *command,
                 struct bytes *out);

#endif
