/* The link to a debugger: a TCP port of this machine, or standard input and output. */
#ifndef QVM_GDB_GDB_LINK_H
#define QVM_GDB_GDB_LINK_H

#include "emu/error.h"
#include "qvm/gdb/gdb_packets.h"
#include "qvm/host/host.h"

/* Waits for a debugger at [HOST:]PORT; without a host only from this machine, and port 0 is any
 * free one. Says on standard error where. False also when a signal ends the wait. */
bool gdb_link_listen(struct gdb_link *link, const char *where, struct error *e);
/* Whoever came was no debugger: waits for the next one. False: a signal ended the wait. */
bool gdb_link_await_another(struct gdb_link *link, struct error *e);
/* For gdb's `target remote | COMMAND`. From then on, what is printed goes to standard error. */
bool gdb_link_standard(struct gdb_link *link, struct error *e);
/* What it goes through: for whoever waits for other things, too. */
const struct host_link *gdb_link_host(const struct gdb_link *link);
void gdb_link_close(struct gdb_link *link);

#endif
