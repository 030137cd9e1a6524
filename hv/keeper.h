/* The record of a run that nobody wanted recorded, kept in memory until the run ends badly. Its
 * inputs are few, as a rule; where they are not, the record's start moves on: to a snapshot of the
 * machine, with the inputs from there. Two snapshots take turns, so that there is always some way
 * back, and half of the budget's inputs at least. */
#ifndef HV_KEEPER_H
#define HV_KEEPER_H

#include "emu/trace.h"
#include "hv/board.h"

#define KEEPER_BUDGET ((size_t)64 << 20) /* bytes of inputs */

struct keeper_start {
    uint64_t instructions;
    const uint8_t *data; /* NULL: the start of the run */
    size_t size;
    struct bytes owned; /* what `data` points into, unless it is somebody else's */
};

struct keeper {
    size_t budget;             /* 0: nothing is kept */
    struct keeper_start start; /* of the record */
    struct keeper_start next;  /* of the record when it has grown once more */
    struct journal_mark mark;  /* where `next` is in the journal */
    bool has_next;
    bool wanted; /* a snapshot was asked for */
};

/* Before the run. `from`: the snapshot that it goes on from, whose data stays; NULL: none. */
void keeper_begin(struct keeper *k, size_t budget, const struct journal *j,
                  const struct trace_snapshot *from);
void keeper_free(struct keeper *k);
/* The record begins with the machine as it is, before any input. */
void keeper_start_here(struct keeper *k, struct board *b);
/* Between two instructions: should keeper_take be called? True once. */
bool keeper_wants(struct keeper *k, const struct journal *j);
/* The machine as it is becomes a place where the record may begin. */
void keeper_take(struct keeper *k, struct board *b, struct journal *j);
/* The record's first chunk, before the inputs. False: the writer refused. */
bool keeper_write(const struct keeper *k, struct trace_writer *w);

#endif
