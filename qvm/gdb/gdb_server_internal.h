/* Shared by the files of the gdb server: gdb_server.c (sessions, threads, registers, memory,
 * breakpoints), gdb_query.c (q and Q packets), gdb_run.c (what lets the target run), gdb_answer.c
 * (what all answers have in common). */
#ifndef QVM_GDB_GDB_SERVER_INTERNAL_H
#define QVM_GDB_GDB_SERVER_INTERNAL_H

#include "qvm/gdb/gdb_points.h"
#include "qvm/gdb/gdb_server.h"

struct gdb_server {
    struct gdb_target *target;
    struct gdb_packets packets;
    struct gdb_points points;
    struct bytes description; /* target.xml */
    unsigned numbers;         /* of registers in it, */
    unsigned general_numbers; /* and of those that are not system registers: they come first */
    struct bytes answer;      /* to the packet in work */
    bool silent;              /* it gets none */
    struct gdb_stop stop;     /* the last one */
    unsigned general;         /* Hg: the thread of registers and memory */
    unsigned control;         /* Hc: the thread that steps; 0: the one that stopped */
    unsigned listed;          /* qfThreadInfo has got so far */
    enum gdb_space space;     /* of memory packets */
    bool no_acks_next;        /* once this packet is answered */
    bool knows_swbreak, knows_hwbreak;
    bool over;
    enum gdb_end end;
};

/* An answer to a packet: `arguments` is what follows its name. */
typedef void gdb_answer(struct gdb_server *s, struct reader *arguments);

/* gdb_answer.c: a thread, or 0 for "any" and "all". False: there is no such thread. */
bool answer_take_thread(struct gdb_server *s, struct reader *r, unsigned *thread);
void answer_ok(struct gdb_server *s);
void answer_fail(struct gdb_server *s);

/* gdb_query.c */
gdb_answer query_supported, query_no_acks, query_features, query_attached, query_host,
    query_watchpoints, query_current_thread, query_first_threads, query_next_threads,
    query_thread_text, query_monitor;

/* gdb_run.c */
gdb_answer run_why, run_continue, run_step, run_reverse_continue, run_reverse_step, run_actions,
    run_known_actions;

#endif
