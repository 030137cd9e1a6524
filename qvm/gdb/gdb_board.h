/* A board as gdb's target: vCPUs are threads. With a timeline it goes back in time; what the
 * debugger only looks at changes nothing, what it writes makes another run of it from there on, and
 * that is said once. */
#ifndef QVM_GDB_GDB_BOARD_H
#define QVM_GDB_GDB_BOARD_H

#include "cpu/points.h"
#include "hv/snapshot/timeline.h"
#include "qvm/gdb/gdb_events.h"
#include "qvm/gdb/gdb_target.h"

/* An instruction count alone does not say where the board stands: time can pass and an interrupt be
 * taken before the next instruction, and a point stops behind these. */
struct gdb_place {
    uint64_t instructions, idle_ticks, pc;
    uint32_t turn;
    size_t ended; /* VMs */
};

/* The last stop. Whoever goes on from there, in the same direction if it is a watchpoint, was told
 * of it, and passes. */
struct gdb_reported {
    enum gdb_stop_reason reason;
    bool backwards;
    struct gdb_place place;
};

struct gdb_board {
    struct board *board;       /* borrowed */
    struct timeline *timeline; /* borrowed; NULL: a live run */
    struct points points;
    struct gdb_reported reported;
    struct gdb_events *events; /* borrowed */
    bool forked;
    int exit_status; /* of a live run that ended */
    /* While it works: */
    const struct gdb_user *user; /* borrowed; NULL: it does not */
    bool may_pause;              /* where the user interrupts; else it arrives where it goes */
    bool is_interrupted;
};

/* The board gets points; they are taken away by gdb_board_leave. `events` is told of the board's
 * events; of a live run's it notes all. */
struct gdb_target gdb_board_target(struct gdb_board *g, struct board *b, struct timeline *t,
                                   struct gdb_events *events);
void gdb_board_leave(struct gdb_board *g);

#endif
