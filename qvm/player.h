/* A recording that is played: from its start or any snapshot, to any instruction. Whoever plays it
 * gives the sinks and looks at the board between runs; inputs come from the trace alone. */
#ifndef QVM_PLAYER_H
#define QVM_PLAYER_H

#include "emu/trace.h"
#include "hv/board.h"
#include "hv/exitlog/exit_log.h"
#include "qvm/host/host.h"

struct player {
    struct host_view file; /* the trace's snapshots are in it */
    struct trace trace;
    struct vm_config *configs; /* owned, one a VM */
    size_t vm_count;
    struct board_config board_config;
    bool has_board; /* else the default one */
    struct journal journal;
    struct board_options options; /* what the recording ran under is in them */
    struct exit_log exit_log;     /* owned, of player_without_engine */
    bool alone_too;      /* a snapshot without a recording is played, too: without inputs */
    struct board *board; /* NULL before player_start */
};

/* Reads a trace: what it says of the machine, nothing assembled. `options` are the caller's limits
 * and digests. False, with the error and its exit status. The caller frees with player_close. */
bool player_open(struct player *p, const char *path, const struct board_options *options,
                 struct error *e);
void player_close(struct player *p);
/* Before player_start: the recorded exits are the guest, as far as they were recorded. */
void player_play_exits(struct player *p, struct exit_log *exit_log,
                       void (*differs)(void *context, const struct exit_log_difference *d));
/* The same for questions that recorded exits can answer, from player_start on, if no engine is
 * built in: what guests do between exits is not known then. */
void player_without_engine(struct player *p);
/* The last snapshot at or before the instruction; NULL: the start of the recording. */
const struct trace_snapshot *player_snapshot(const struct player *p, uint64_t instructions);
/* Assembles the board, at the last snapshot at or before `from`. May be called again: time travel.
 */
bool player_start(struct player *p, uint64_t from, const struct board_sinks *sinks,
                  struct error *e);
/* The same as it was when that snapshot of it was taken, which stays as long as the board. */
bool player_start_at(struct player *p, const void *snapshot, size_t size,
                     const struct board_sinks *sinks, struct error *e);
/* Assembles the board without what would run on it: no images, no inputs, no snapshot. */
bool player_assemble(struct player *p, const struct board_sinks *sinks, struct error *e);
/* The trace is a snapshot (or several) without a recording: `--save-at`, `qvm import`. */
bool player_is_alone(const struct player *p);

#endif
