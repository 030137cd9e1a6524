/* Trace files (*.qtrace): a recording in one file, written while the machine runs and read back as
 * a whole. docs/trace-format.md has every byte.
 *
 * A file is a header and a row of chunks, each with a type, its sizes and checksums, compressed
 * with zstd where that is smaller. A recorder that was killed leaves a readable prefix. The reader
 * takes the file for hostile: it checks every size before it allocates, knows limits, and answers
 * anything wrong with one sentence. Nothing here opens a file: writing goes through a sink, reading
 * parses memory. */
#ifndef EMU_TRACE_H
#define EMU_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"
#include "emu/error.h"
#include "emu/hash.h"
#include "emu/journal.h"
#include "emu/log.h"

/* Limits of the reader, which the writer keeps, too. */
#define TRACE_CHUNK_MAX     ((uint64_t)1 << 30) /* bytes a chunk expands to */
#define TRACE_TOTAL_MAX     ((uint64_t)4 << 30) /* bytes all chunks expand to */
#define TRACE_TEXTS_MAX     4096                /* configurations; machine properties */
#define TRACE_IMAGES_MAX    (1 << 20)
#define TRACE_SNAPSHOTS_MAX 4096

/* A configuration (VM name, canonical text) or a property of the recording program ("unicorn",
 * "2.1.3"). */
struct trace_text {
    char *name, *text;
};

/* The whole machine's state after so many instructions. */
struct trace_digest {
    uint64_t instructions;
    struct digest state;
};

/* The whole machine after so many instructions (hv/snapshot/snapshot.h). */
struct trace_snapshot {
    uint64_t instructions;
    const uint8_t *data; /* in `chunk`, or in the file's data */
    size_t size;
    struct bytes chunk; /* owned: if it was compressed */
    bool is_start;      /* the recording began with it: no input came before */
    size_t before;      /* how many come before it, in the array that it is in */
};

/* How the recording ended. */
struct trace_end {
    int32_t exit_status;
    uint64_t instructions, ticks;
    struct digest state;  /* of the whole machine */
    struct digest output; /* of everything that went to sinks */
    const char *sentence; /* why, for people; borrowed */
};

/* ---- Writing ---- */

struct trace_sink {
    /* Appends to the file; false if the host cannot. */
    bool (*write)(void *context, const void *data, size_t size);
    /* Writes over the file's last bytes, from the offset on, and beyond; all at once, as a recorder
     * may be killed. False: it is as it was. NULL: that cannot be done. */
    bool (*replace)(void *context, uint64_t offset, const void *data, size_t size);
    void *context;
};

struct trace_writer {
    struct trace_sink sink;
    bool no_images; /* may be set after trace_writer_begin: only digest and size of each image */
    bool failed;    /* the sink refused once, or a limit is reached: nothing more is written */
    bool too_large; /* why, if it was a limit */
    uint64_t offset;
    uint64_t raw_total;
    uint64_t last_digest; /* instructions, plus one; 0 = none yet */
    bool ended;
    struct bytes index;
    uint64_t index_count;
    unsigned images_written, snapshots_written;
    size_t images_done, pulls_done, pushes_done; /* how much of the journal is written */
    struct bytes tail;    /* what the PUSH chunk holds that was written last: it may grow */
    uint64_t tail_offset; /* where it is */
    uint64_t tail_end;    /* and ends: the end of the file, or it is not the last chunk any more */
};

/* All of these give false if the sink refused, now or before, or if a limit above is reached.
 * Pieces are written at once, as one chunk; a piece without contents writes nothing.
 *
 * Begins a file: initialises *w and writes the header, with the quirks of the machine that is
 * recorded (emu/machine.h). The writer is freed by trace_writer_finish
 * or, if the file is given up, by trace_writer_free. */
bool trace_writer_begin(struct trace_writer *w, struct trace_sink sink, uint32_t quirks);
/* Once, before the machine runs: the resolved configuration of each VM, in order. */
bool trace_write_config(struct trace_writer *w, const struct trace_text *configs, size_t count);
/* At most once: the board, in canonical form, if it is not the default one. */
bool trace_write_board(struct trace_writer *w, const struct trace_text *board);
/* Once: about the program that records, for people; and how it ran the VMs, where that is not the
 * default. */
bool trace_write_machine(struct trace_writer *w, const struct trace_text *properties, size_t count);
/* The contents of a file or of a range of one, or with no_images only its digest and size. */
bool trace_write_image(struct trace_writer *w, struct digest digest, const void *data, size_t size);
/* What the journal's streams got since the last call, in whole records. */
bool trace_write_pulls(struct trace_writer *w, const void *data, size_t size);
bool trace_write_pushes(struct trace_writer *w, const void *data, size_t size);
/* Instruction counts rise strictly, over all calls. */
bool trace_write_digests(struct trace_writer *w, const struct trace_digest *digests, size_t count);
/* The machine at this moment; the recording's inputs so far must be written already. */
bool trace_write_snapshot(struct trace_writer *w, uint64_t instructions, const void *data,
                          size_t size);
/* Guest exits; their format is not fixed yet. */
bool trace_write_exits(struct trace_writer *w, const void *data, size_t size);
/* Parts of the machine beside digests (hv/snapshot/state_parts.h). */
bool trace_write_parts(struct trace_writer *w, const void *data, size_t size);
/* Once, last. */
bool trace_write_end(struct trace_writer *w, const struct trace_end *end);
/* Writes the index and frees the writer. Without it the file reads as truncated. */
bool trace_writer_finish(struct trace_writer *w);
void trace_writer_free(struct trace_writer *w);

/* A recorder's step: writes what is new in the journal since the last call, each image before the
 * pull that names it. To be called whenever an input may have come in: what is not written is lost
 * if the recorder dies. */
bool trace_record_step(struct trace_writer *w, const struct journal *j, struct error *e);

/* ---- Reading ---- */

struct trace_image {
    struct journal_image image; /* contents empty while not here */
    uint64_t size;
    bool here; /* embedded, or supplied; digest checked */
};

struct trace {
    uint32_t quirks;            /* of the machine that was recorded (emu/machine.h) */
    struct trace_text *configs; /* at least one */
    size_t config_count;
    struct trace_text *board; /* NULL: the default one */
    size_t board_count;       /* 0 or 1 */
    struct trace_text *machine;
    size_t machine_count;
    struct bytes pulls, pushes; /* whole and well-formed records */
    struct trace_image *images;
    size_t image_count;
    struct digest_index by_digest; /* places of images */
    struct trace_digest *digests;  /* instruction counts rise */
    size_t digest_count;
    struct trace_snapshot *snapshots; /* in the order of the file */
    size_t snapshot_count;
    struct bytes exits, parts;
    bool has_end; /* the recorder came to an end: */
    struct trace_end end;
    char *end_sentence; /* owns end.sentence */
    bool truncated;     /* the file does not end with an index: the recorder was killed, or part of
                         * the file is missing */
    unsigned warnings;  /* messages that went to the log */
};

/* Reads a whole file. On an error *t is empty; else the caller frees with trace_free. What is odd
 * but harmless (unknown chunks, a torn tail) goes to `log` (may be NULL), severity `warn`. Only
 * snapshots point into `data`, which must stay for them. */
bool trace_parse(struct trace *t, const void *data, size_t size, const struct log *log,
                 struct error *e);
void trace_free(struct trace *t);

/* For traces without embedded images: are there contents of that size that it names and lacks? */
bool trace_lacks(const struct trace *t, uint64_t size);
/* The same: gives the contents of the image with that SHA-256. False if
 * the trace lacks no such image. Copies. */
bool trace_supply_image(struct trace *t, const void *data, size_t size);

/* Moves both streams and the images that are here into a journal that replays; the trace keeps
 * everything else. *j is overwritten; free with journal_free. */
void trace_into_journal(struct trace *t, struct journal *j);

#endif
