/* A server of gdb's remote serial protocol (the appendix of that name in gdb's manual): all-stop,
 * one process, threads are vCPUs, forwards and backwards. What it debugs is a gdb_target; what it
 * speaks through is a gdb_link. The peer may send anything. */
#ifndef QVM_GDB_GDB_SERVER_H
#define QVM_GDB_GDB_SERVER_H

#include "qvm/gdb/gdb_packets.h"
#include "qvm/gdb/gdb_target.h"

enum gdb_end {
    GDB_DETACHED, /* the target shall run on */
    GDB_KILLED,   /* it shall end */
    GDB_LOST,     /* the link ended */
    GDB_NOT_MET,  /* the same, before the peer spoke the protocol */
    GDB_EXITED,   /* the target ended, and gdb knows */
};

/* Serves one debugger. Afterwards the target stands still and has no breakpoints. */
enum gdb_end gdb_serve(struct gdb_target *target, const struct gdb_link *link);

#endif
