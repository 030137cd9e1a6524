/* Time travel within one run of a replay: checkpoints of the machine in memory, each with an image
 * of its memory that shares with the others what did not change. Going to a checkpoint writes only
 * pages that differ; from there the replay runs on to any instruction.
 *
 * Checkpoints lie at regular distances over the whole run, and closer behind the last place that
 * was gone to, because a step back goes just before it. When they take too much room the regular
 * ones get twice as far apart. */
#ifndef HV_SNAPSHOT_TIMELINE_H
#define HV_SNAPSHOT_TIMELINE_H

#include "hv/board.h"

struct timeline;

#define TIMELINE_BUDGET ((size_t)256 << 20) /* bytes, beside the first checkpoint's */

/* The present is the first checkpoint: the board must not have run since it was assembled or
 * restored. The board is borrowed. */
struct timeline *timeline_new(struct board *b, size_t budget_bytes);
void timeline_free(struct timeline *t);
/* The earliest instruction one can go to. */
uint64_t timeline_start(const struct timeline *t);
/* Runs forward to the instruction, remembering checkpoints on the way. True: it was reached; false:
 * the run ended, or the board paused (board->pause_wanted). */
bool timeline_run_to(struct timeline *t, uint64_t instructions);
/* To the instruction, backwards or forwards. False: it lies outside of the run. */
bool timeline_seek(struct timeline *t, uint64_t instructions);
/* The machine was changed from outside. The future that was is forgotten; the past stays, and from
 * there time leads through the change again, at its instruction. */
void timeline_fork(struct timeline *t);
/* False: there were too many changes to remember another one. */
bool timeline_may_fork(const struct timeline *t);
/* The first change at or after the instruction; UINT64_MAX: there is none. */
uint64_t timeline_next_fork(const struct timeline *t, uint64_t from);
/* The last checkpoint before the instruction: where a search in reverse begins. */
uint64_t timeline_checkpoint_before(const struct timeline *t, uint64_t instructions);
/* Which pages were used between that checkpoint, which timeline_checkpoint_before gave, and the
 * next.
 */
const struct footprint *timeline_footprint(const struct timeline *t, uint64_t checkpoint);

#endif
