/* A session: configurations become a board, the board runs, its inputs come from the host or from a
 * trace, its outputs go where the configuration says, and a verdict comes out at the end. */
#ifndef QVM_SESSION_H
#define QVM_SESSION_H

#include "hv/board.h"

struct session_options {
    struct board_options board;
    bool stats;
    bool realtime;
    bool no_images;
    unsigned log_severities;  /* 0: as the configuration says */
    const char *record_path;  /* NULL: nothing is recorded */
};

/* `qvm run`, `qvm record`: words are configuration text and @files. Returns the exit status. */
int session_run(const char *const *words, size_t count, const struct session_options *options);
/* `qvm replay`: runs what the trace holds and compares. */
int session_replay(const char *path, const struct session_options *options);

/* Files and environment for config_parse. */
struct config_reader session_config_reader(void);
/* Prints "qvm: text" or "[file:line] text" lines on stderr; returns the error's exit status, or
 * `otherwise` if it has none. */
int session_report_error(const struct error *e, int otherwise);

#endif
