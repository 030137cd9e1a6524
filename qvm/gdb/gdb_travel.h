/* How the gdb server's board moves in time: runs, steps, goes back, and comes back exactly to where
 * it was. */
#ifndef QVM_GDB_GDB_TRAVEL_H
#define QVM_GDB_GDB_TRAVEL_H

#include "qvm/gdb/gdb_board.h"

/* All vCPUs look at these points, or at none. */
void gdb_travel_use(struct gdb_board *g, struct points *points);
/* To the instruction, stopping nowhere; afterwards the debugger's points hold again. */
void gdb_travel_to(struct gdb_board *g, uint64_t instructions);
/* The same, or as far as it comes before the user interrupts. */
void gdb_travel_towards(struct gdb_board *g, uint64_t instructions);
unsigned gdb_travel_current_thread(const struct gdb_board *g);
unsigned gdb_travel_thread_of(const struct gdb_board *g, const struct vcpu *v);
/* As gdb_target.resume. */
struct gdb_stop gdb_travel_resume(struct gdb_board *g, enum gdb_resume how, unsigned thread);

struct gdb_place gdb_travel_place(const struct gdb_board *g);
void gdb_travel_return(struct gdb_board *g, const struct gdb_place *place);

#endif
