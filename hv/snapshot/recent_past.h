/* The record of a run that nobody wanted recorded, kept in memory until the run ends badly. Its
 * inputs are few, as a rule; where they are not, the record's start moves on: to a snapshot of the
 * machine, with the inputs from there. Two snapshots take turns, so that there is always some way
 * back, and half of the budget's inputs at least. */
#ifndef HV_SNAPSHOT_RECENT_PAST_H
#define HV_SNAPSHOT_RECENT_PAST_H

#include "emu/trace.h"
#include "hv/board.h"

#define RECENT_PAST_BUDGET ((size_t)64 << 20) /* bytes of inputs */

struct recent_past_start {
    uint64_t instructions;
    const uint8_t *data; /* NULL: the start of the run */
    size_t size;
    struct bytes owned; /* what `data` points into, unless it is somebody else's */
};

struct recent_past {
    size_t budget;                  /* 0: nothing is kept */
    struct recent_past_start start; /* of the record */
    struct recent_past_start next;  /* of the record when it has grown once more */
    struct journal_mark mark;       /* where `next` is in the journal */
    bool has_next;
    bool wanted; /* a snapshot was asked for */
};

/* Before the run. `from`: the snapshot that it goes on from, whose data stays; NULL: none. */
void recent_past_begin(struct recent_past *k, size_t budget, const struct journal *j,
                       const struct trace_snapshot *from);
void recent_past_free(struct recent_past *k);
/* The record begins with the machine as it is, before any input. */
void recent_past_start_here(struct recent_past *k, struct board *b);
/* Between two instructions: should recent_past_take be called? True once. */
bool recent_past_wants(struct recent_past *k, const struct journal *j);
/* The machine as it is becomes a place where the record may begin. */
void recent_past_take(struct recent_past *k, struct board *b, struct journal *j);
/* The record's first chunk, before the inputs. False: the writer refused. */
bool recent_past_write(const struct recent_past *k, struct trace_writer *w);

#endif
