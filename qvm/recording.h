/* A trace file that is being written: what the machine is, then its inputs as they come. */
#ifndef QVM_RECORDING_H
#define QVM_RECORDING_H

#include "emu/trace.h"
#include "hv/exitlog/exit_log.h"
#include "hv/foreign/observed_exit.h"
#include "hv/snapshot/snapshot.h"

struct host_file;

struct recording {
    struct host_file *file; /* NULL: nothing is recorded */
    struct trace_writer writer;
    struct snapshot_chain snapshots;
    const char *path; /* borrowed */
    bool failed;
    bool has_parts;
    uint64_t last_parts; /* instructions */
};

/* What is recorded. */
struct recording_source {
    struct board *board; /* assembled */
    const struct vm_config *configs;
    size_t count;
    const struct board_config *board_config; /* NULL: the default board */
    bool no_images;
    const char *imported_from; /* "ftrace kvm.txt": it is no recording of ours; NULL: it is */
};

/* May a file of that name be written? A trace is not replaced by anything but a trace, and nothing
 * else is by a trace: a slip of the hand must not cost a recording, or a kernel. */
bool may_overwrite(const char *path, bool by_a_trace, struct error *e);

/* Creates the file and writes what the machine is. */
bool recording_begin(struct recording *r, const char *path, const struct recording_source *source,
                     struct error *e);
/* The same in a file that was just created, which becomes the recording's. */
bool recording_begin_in(struct recording *r, struct host_file *file, const char *path,
                        const struct recording_source *source, struct error *e);
/* The inputs that came since the last call; says so, once, if they cannot be written. */
void recording_step(struct recording *r, const struct journal *j, struct error *e);
/* The machine as it is. */
bool recording_snapshot(struct recording *r, struct board *b);
/* Exits that were seen elsewhere. */
bool recording_seen(struct recording *r, const struct observed_stream *s);
/* The exit log of the run as far as it is written; it is empty afterwards. */
void recording_exits(struct recording *r, struct exit_log *exit_log);
/* The digest of the machine as it is, and its parts. */
void recording_digest(struct recording *r, const struct trace_digest *digest, struct board *b);
/* The parts of the machine as it is, at the start or not (hv/snapshot/state_parts.h). */
void recording_parts(struct recording *r, struct board *b, bool is_start);
/* `end` NULL: the run goes on without it. False: the file is not complete. */
bool recording_end(struct recording *r, const struct trace_end *end);
/* Gives up: the file keeps what it has. */
void recording_abandon(struct recording *r);

#endif
