/* Snapshots: the whole machine at an instruction boundary as bytes, and back. A snapshot is
 * restored into a board that was assembled from the same configuration; the board runs on from
 * there exactly as the one it was taken of. Taking one changes nothing. docs/trace-format.md has
 * the bytes. */
#ifndef HV_SNAPSHOT_SNAPSHOT_H
#define HV_SNAPSHOT_SNAPSHOT_H

#include "emu/trace.h"
#include "hv/board.h"

/* Which pages the snapshot before it in the same file has: pages that are still the same are not
 * written again. Zero-initialised there is none before; freed with snapshot_chain_free. */
struct snapshot_chain {
    struct bytes pages; /* the table of the last one */
    unsigned length;    /* since the last one that is whole */
};
void snapshot_chain_free(struct snapshot_chain *c);

/* Appends a snapshot, whole; with `chain` one that leans on those before it, and is the last of the
 * chain from then on. Only between runs. */
void snapshot_take(struct board *b, struct bytes *out);
void snapshot_take_next(struct board *b, struct snapshot_chain *chain, struct bytes *out);
/* The board becomes what the snapshot holds, its journal (in a replay) included; then its digest is
 * compared. False, with the error, if the data is damaged or of another board: the board is of no
 * use then.
 *
 * The contents of memory are taken from `data` when they are first looked at: it stays until the
 * board is freed or another snapshot is restored. */
bool snapshot_restore(struct board *b, const void *data, size_t size, struct error *e);
/* The same with one of a trace, which may lean on those before it: all of them stay. */
bool snapshot_restore_from(struct board *b, const struct trace_snapshot *s, struct error *e);
/* Does it lean on others? (also if it is damaged) */
bool snapshot_is_whole(const void *data, size_t size);

#endif
