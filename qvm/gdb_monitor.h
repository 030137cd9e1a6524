/* `monitor COMMAND` of the gdb server. */
#ifndef QVM_GDB_MONITOR_H
#define QVM_GDB_MONITOR_H

#include "qvm/gdb_board.h"

/* Appends the answer. True: the user wants to go to *instructions. */
bool gdb_monitor(struct gdb_board *g, const char *command, uint64_t *instructions,
                 struct bytes *out);

#endif
