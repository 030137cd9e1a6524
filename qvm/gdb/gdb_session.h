/* gdb on a recording or on a run. */
#ifndef QVM_GDB_GDB_SESSION_H
#define QVM_GDB_GDB_SESSION_H

#include "qvm/console.h"
#include "qvm/gdb/gdb_events.h"
#include "qvm/gdb/gdb_server.h"
#include "qvm/session.h"

/* `qvm gdb TRACE`: waits for gdb at `where` ([HOST:]PORT), or with NULL on standard input and
 * output
 * (`target remote |`). Returns the exit status. */
int debug_trace(const char *path, const char *where, const struct session_options *options);
/* A live board that has not run yet and tells `events` of its events. True: the debugger is gone,
 * and the board is to run on. Meanwhile the console's waits end when the debugger says something.
 */
bool debug_live(struct board *b, const char *where, struct gdb_events *events, struct console *c,
                struct error *e);

#endif
