/* Snapshots: the whole machine at an instruction boundary as bytes, and back. A snapshot is
 * restored into a board that was assembled from the same configuration; the board runs on from
 * there exactly as the one it was taken of. Taking one changes nothing. docs/trace-format.md has
 * the bytes. */
#ifndef HV_SNAPSHOT_H
#define HV_SNAPSHOT_H

#include "hv/board.h"

/* Appends a snapshot. Only between runs. */
void snapshot_take(struct board *b, struct bytes *out);
/* The board becomes what the snapshot holds, its journal (in a replay) included; then its digest is
 * compared. False, with the error, if the data is damaged or of another board: the board is of no
 * use then.
 *
 * The contents of memory are taken from `data` when they are first looked at: it stays until the
 * board is freed or another snapshot is restored. */
bool snapshot_restore(struct board *b, const void *data, size_t size, struct error *e);

#endif
