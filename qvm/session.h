/* A session: configurations become a board, the board runs, its inputs come from the host or from a
 * trace, its outputs go where the configuration says, and a verdict comes out at the end. */
#ifndef QVM_SESSION_H
#define QVM_SESSION_H

#include "emu/trace.h"
#include "hv/board.h"
#include "qvm/host/host_net.h"

/* Where the guest's wall clock starts unless told otherwise: 2024-01-01 00:00:00 UTC. The same
 * configuration then gives the same run. */
#define DEFAULT_WALL_CLOCK_S 1704067200u

/* Who looks at such a run while it goes on, and says what becomes of it. */
struct trial_watch {
    /* The machine stands, and is about to run. False, with the error: it shall not. */
    bool (*started)(void *context, struct board *b, struct error *e);
    void (*output)(void *context, unsigned vm, const void *data, size_t size);
    /* The tick of the next input, or EVENT_NEVER; and that input, if it is due. */
    uint64_t (*next_input)(void *context);
    bool (*input)(void *context, struct push *p);
    /* Did it fail? The board is as it ended. */
    bool (*failed)(void *context, const struct trace_end *end);
    void *context;
};

/* A run that is looked at only if it fails (chaos_search.h, test/). */
struct trial {
    const struct trial_watch *watch; /* NULL: nobody looks; it fails if it ends badly */
    const char *trace_path; /* where its trace goes if it fails; NULL: as of any run that does */
    /* What became of it: */
    bool failed;
    bool interrupted;     /* by whoever waits for it */
    struct bytes printed; /* what its consoles would have shown; the caller frees it */
    char ending[1024];
    char kept[1024];    /* its trace; empty: there is none */
    struct error error; /* why it did not start; text empty: it did */
};

struct session_options {
    struct board_options board;
    bool stats;
    bool exits; /* record: the trace gets the exit log of the run (hv/exitlog/exit_log.h) */
    bool realtime;
    bool no_images;
    bool clock_of_host; /* the guest's wall clock starts now; else at `wall_clock_s` */
    uint64_t wall_clock_s;
    const char *board_file;  /* "@FILE"; NULL: the default board */
    const char *events_path; /* NULL: nothing is written */
    const char *pcap_path;   /* the same */
    bool has_net;            /* run, record: the host is at switch `net_switch` */
    unsigned net_switch;
    struct host_net_options net;
    const char *save_path;   /* where a snapshot goes when it is due; NULL: nowhere */
    const char *save_text;   /* it is due when a console has printed this; NULL: otherwise */
    const char *gdb;         /* run: waits for gdb at [HOST:]PORT before it starts; NULL: no */
    bool verify;             /* replay: ends at the first difference, and looks closer */
    uint64_t replay_from;    /* replay: from the last snapshot at or before this instruction */
    const char *record_path; /* NULL: no trace is wanted */
    bool trust;              /* run --from: the file may run commands and write files */
    bool no_record;          /* not even of a run that ends badly */
    struct trial *trial;     /* run: one of many, in silence; NULL: it is not */
    const struct config_reader *reader; /* of configurations; NULL: they are files */
    const char *beside;   /* files are looked for beside this one, too; NULL: they are not */
    bool entropy_of_host; /* else random numbers come from `entropy_seed`: equal runs are equal */
    uint64_t entropy_seed;
};

/* The words of one VM: configuration text and @files. */
struct vm_words {
    const char *const *words;
    size_t count;
};

/* `qvm run`, `qvm record`: VMs on one board. Returns the exit status. */
int session_run(const struct vm_words *vms, size_t count, const struct session_options *options);
/* `qvm run --from`: goes on from the snapshot in that file, with inputs of its own. */
int session_run_from(const char *path, const struct session_options *options);
/* `qvm replay`: runs what the trace holds and compares. */
int session_replay(const char *path, const struct session_options *options);

#endif
