/* The journal: the only door for whatever is not computed. *Pulled* inputs are asked for by the
 * machine (the wall clock once at start, entropy, the contents of a host file at open); *pushed*
 * inputs are offered by the host at some tick (console bytes, frames, the power button). Live asks
 * the host; record also keeps what it got; replay never asks. No other code knows which it is.
 *
 * A file that is too large to be pulled whole is opened, and then pulled by ranges: a recording
 * holds what was read of it, each content once, and not the rest.
 *
 * A push of bytes has no borders: the device takes as many as it has room for. A frame, as networks
 * send, has: it arrives whole or not at all.
 *
 * The two streams are apart because they are read by different clocks: a replay must see the next
 * push behind a pull. */
#ifndef EMU_JOURNAL_H
#define EMU_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/digest_index.h"
#include "emu/error.h"
#include "emu/event.h"
#include "emu/hash.h"
#include "emu/state.h"

enum journal_mode { JOURNAL_LIVE, JOURNAL_RECORD, JOURNAL_REPLAY };

enum pull_kind {
    PULL_WALL_CLOCK = 1, /* 8 bytes: seconds since 1970 */
    PULL_ENTROPY = 2,    /* as many bytes as asked for */
    PULL_FILE = 3,       /* the contents of the host file `key` */
    PULL_SIZE = 4,       /* 8 bytes: the size of the host file `key`, which is opened for ranges */
    PULL_RANGE = 5,      /* some bytes of it */
};
/* In the stream, added to a kind: it was asked for, and the host gave none. */
#define PULL_ABSENT 0x80

/* What the host says of a file whose name the guest made up. The numbers are in the stream. */
enum probe_answer {
    PROBE_ABSENT = 0,
    PROBE_REFUSED = 1, /* no regular file, or not below its folder, or the host's user may not */
    PROBE_TOO_LARGE = 2,
    PROBE_PRESENT,
};

/* What became of a range. The numbers are in the stream. */
enum range_answer {
    RANGE_GIVEN = 0,
    RANGE_VANISHED = 1, /* the file has no name any more */
    RANGE_SHORTER = 2,
    RANGE_CHANGED = 3,
    RANGE_UNREADABLE = 4, /* the host cannot */
    RANGE_ANSWERS,
};
#define PULL_RANGE_MAX ((size_t)1 << 20) /* bytes at once */

enum push_kind {
    PUSH_CONSOLE = 1,      /* bytes for the device `target` */
    PUSH_POWER_BUTTON = 2, /* SIGTERM, SIGINT */
    PUSH_POWER_CUT = 3,    /* SIGQUIT */
    PUSH_STATUS = 4,       /* SIGUSR1 */
    PUSH_DUMP = 5,         /* SIGUSR2 */
    PUSH_BREAK = 6,        /* a BREAK on the line of the device `target` */
    PUSH_FRAME = 7,        /* one frame for the device `target` */
    PUSH_RESIZE = 8, /* of the window of the device `target`: columns, rows, of 2 bytes each */
    PUSH_KINDS_END,
};

#define PUSH_BYTES_MAX 256
enum { PUSH_RESIZE_SIZE = 4 };
#define PUSH_FRAME_MAX 65536
struct push {
    uint64_t tick;       /* delivered before anything else of this tick */
    uint8_t kind;        /* enum push_kind */
    uint16_t target;     /* device: VM number << 8 | channel */
    uint32_t size;       /* journal_push_is_good */
    const uint8_t *data; /* borrowed: of the stream, or of the host until it is asked again */
};

/* Bytes of a file whose PULL_SIZE was asked for: `size`, appended to `out`. */
typedef enum range_answer journal_read_fn(void *context, const char *path, uint64_t offset,
                                          size_t size, struct bytes *out);

/* What a live journal asks. */
struct journal_host {
    /* Appends the answer to `out`; `size` is how many bytes are wanted (0: all there are). */
    bool (*pull)(void *context, enum pull_kind kind, const char *key, size_t size,
                 struct bytes *out, struct error *e);
    /* The file `name` below `folder`, if it has at most `limit` bytes. Both together, with a '/',
     * are the input's key. NULL: there are no such files. */
    enum probe_answer (*probe)(void *context, const char *folder, const char *name, size_t limit,
                               struct bytes *out);
    journal_read_fn *read;
    /* The tick of an input that the host has already, and offers then; EVENT_NEVER: none. NULL: it
     * never does. */
    uint64_t (*next)(void *context);
    /* Something the host offers now (kind, target, size, data)? Does not wait. */
    bool (*poll)(void *context, struct push *p);
    void *context;
};

/* A file, or a range of one, that came through the journal; kept apart so that a trace holds each
 * content once. */
struct journal_image {
    struct digest digest;
    struct bytes contents; /* owned; size 0 in a replay without embedded images */
    bool is_range;         /* and of no whole file */
};

struct journal {
    enum journal_mode mode;
    struct journal_host host;
    struct bytes pulls, pushes; /* as in the trace: docs/trace-format.md */
    struct journal_image *images;
    size_t image_count;
    uint64_t contents_bytes;                /* that came, ever */
    size_t ranges_released;                 /* those among the first so many images */
    bool leaves_ranges;                     /* record: see journal_leave_ranges */
    struct digest_index by_digest;          /* places of images */
    struct reader pull_reader, push_reader; /* replay */
    struct push next_push;                  /* replay: read ahead */
    bool has_next_push;
    uint64_t next_push_at,
        next_push_base;      /* where its record begins, and the tick it counts from */
    uint64_t last_push_tick; /* for the deltas in the stream */
    bool begins_here;        /* replay: see journal_begins_here */
    bool has_strayed;        /* replay: see there, too */
    uint64_t polled_tick;    /* live: the host was asked at this tick, plus one */
    struct bytes lent;       /* live: what journal_pull_file gave */
};

void journal_live(struct journal *j, enum journal_mode live_or_record, struct journal_host host);
/* Replays the streams in `pulls`, `pushes` and `images`, which the caller has filled; again from
 * the start if it is called again. */
void journal_replay(struct journal *j);
void journal_free(struct journal *j);

/* Appends the input to `out`. In a replay the kind and key must be those recorded next; anything
 * else is an error (the machine asks for other things than it did). */
bool journal_pull(struct journal *j, enum pull_kind kind, const char *key, size_t size,
                  struct bytes *out, struct error *e);
/* The same for a file that need not be there: see journal_host. That there is none is an answer,
 * too, recorded and replayed like any other; false only if a replay does not fit. */
bool journal_probe(struct journal *j, const char *folder, const char *name, size_t limit,
                   struct bytes *out, enum probe_answer *answer, struct error *e);
/* A whole file, which may be large: what is recorded or replayed is lent, not copied. NULL: error.
 * To be given back, before anything else is pulled. */
const struct bytes *journal_pull_file(struct journal *j, const char *path, struct error *e);
void journal_give_back(struct journal *j);
/* Opens a file for ranges. Its size is what it was when it was opened first, here and in a replay:
 * asked for again, at any time, it is the same, and the host is not asked. */
bool journal_open(struct journal *j, const char *path, uint64_t *size, struct error *e);
/* `size` bytes (1 to PULL_RANGE_MAX) of an opened file, from `offset` on, appended to `out` if the
 * answer is RANGE_GIVEN. Any answer is recorded and replayed; false only if a replay does not fit.
 */
bool journal_pull_range(struct journal *j, const char *path, uint64_t offset, size_t size,
                        struct bytes *out, enum range_answer *answer, struct error *e);
/* Why a range was not given: what the file has done since it was opened. */
const char *range_answer_text(enum range_answer answer);
/* Replay: if the input that was recorded next is this one, it is passed over: nobody asks for it.
 */
void journal_pass(struct journal *j, enum pull_kind kind, const char *key);
/* The next push for tick `now`; false when there is no more. Live asks the host once per tick. */
bool journal_push(struct journal *j, uint64_t now, struct push *p);
/* Live: nothing has happened since the host was asked, so the same tick may be asked about again.
 */
void journal_ask_again(struct journal *j);
/* Replay: the tick of the next push, or EVENT_NEVER. Live: of one that the host has already. */
uint64_t journal_next_tick(const struct journal *j);
/* Replay: was something asked for that is not what was recorded next? */
bool journal_has_strayed(const struct journal *j);
/* Replay: the tick of the last push that is still to come; without one, of the last that came; 0 if
 * there is none. */
uint64_t journal_last_tick(const struct journal *j);
/* How far the streams are used up: what a snapshot needs for its replay. */
struct journal_position {
    uint64_t pulls, pushes, last_push_tick;
};
struct journal_position journal_position(const struct journal *j);
/* Replay: goes on from there. False: there is no such place. Live: the next push counts from its
 * tick. */
bool journal_seek(struct journal *j, struct journal_position position);
void journal_visit(struct journal *j, struct state *s);
/* Replay: the next journal_seek is to the snapshot that the recording began with, whose position
 * may be one of another recording: only its tick counts, and what assembly pulled. */
void journal_begins_here(struct journal *j);
/* Record: a place in the journal; how much came since (streams and files); and to forget what came
 * before it, but for the wall clock, sizes of files, and contents that are named behind it. */
struct journal_mark {
    size_t pulls, pushes, images;
    uint64_t contents;
};
struct journal_mark journal_mark(const struct journal *j);
size_t journal_bytes_since(const struct journal *j, struct journal_mark mark);
void journal_drop(struct journal *j, struct journal_mark before);
/* Record: of ranges only the digests are kept, as the host has the file still, most likely. */
void journal_leave_ranges(struct journal *j);
/* Asks for contents of ranges that are named only, as a recording or its journal left them where
 * they were, and keeps those that are what they were. How many are not. The same contents may be in
 * several places, of which not all are as they were: a few are asked for, as a hostile recording
 * may name a million. */
size_t journal_fetch_ranges(struct journal *j, journal_read_fn *read, void *context);
/* Record: contents of ranges that came so far are kept elsewhere, by their digests: not here any
 * more. */
void journal_release_ranges(struct journal *j);
/* Replay: what is still to come, as a journal of its own, with the wall clock and sizes of files;
 * for a recording that begins here. */
void journal_rest(const struct journal *j, struct journal *rest);
/* Must the machine wait for the host (is this live)? */
bool journal_can_wait(const struct journal *j);
/* Adds contents to the list, each once. Takes nothing: copies. */
void journal_add_image(struct journal *j, struct digest digest, const void *data, size_t size);

#endif
