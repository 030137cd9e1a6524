/* Does a replay do what was recorded? It is compared with everything that the trace tells: the
 * machine at the start, every guest exit, every digest and snapshot, the end. The first difference
 * is one sentence, with the place and the thing by its name. If that was the start, the first
 * effect is another. docs/command-line.md, "What a replay says". */
#ifndef QVM_ASK_DIVERGENCE_H
#define QVM_ASK_DIVERGENCE_H

#include "hv/snapshot/state_parts.h"
#include "hv/exitlog/exit_log.h"
#include "qvm/player.h"

struct divergence {
    struct player *player;
    bool stops; /* at the first difference */
    bool found;
    /* Told: a sentence, without a line end. */
    void (*say)(void *context, const char *sentence);
    void *context;
    /* Private. */
    bool has_effect, is_equal_somewhere;
    bool has_looked; /* at the recording's snapshot of where the difference was found */
    struct exit_log exit_log;
    size_t next_digest;
    uint64_t equal_at; /* the last instruction at which states are known to be equal */
    struct reader parts;
    struct state_parts_entry entry; /* the next one */
    bool has_entry;
    uint64_t last_entry;
};

/* Before player_start: the replay's options are what it needs. */
void divergence_begin(struct divergence *d, struct player *p);
/* The board is assembled, or restored. */
void divergence_started(struct divergence *d);
/* Runs to the end of the recording, or of the replay. The board's digests must come to
 * divergence_digest. Returns the exit status of the run. */
int divergence_run(struct divergence *d);
void divergence_digest(struct divergence *d, uint64_t instructions, struct digest state);
/* The run has ended so. */
void divergence_ended(struct divergence *d, const struct trace_end *end);
void divergence_free(struct divergence *d);

#endif
