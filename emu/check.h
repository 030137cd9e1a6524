/* CHECK(x): we are wrong (the fourth kind of wrong). On in every build. Prints the expression, the
 * instruction count, the guest's PC and the command that replays to this point, then stops. */
#ifndef EMU_CHECK_H
#define EMU_CHECK_H

#include <stdint.h>

/* Where the machine is, for the message; the run loop keeps it up to date. */
struct check_context {
    uint64_t instructions;
    uint64_t pc;
    const char *trace_path; /* NULL when nothing is being recorded */
    /* The design safe state of the whole program, before it stops: inputs so far go into the trace,
     * the terminal gets its mode back. Then it ends with this status; without it, by abort(). */
    void (*last_words)(void *context);
    void *context;
    int exit_status;
};
/* Of this thread. */
void check_set_context(const struct check_context *context);

/* Of this thread: whoever uses a part of the program as a library and lives on when it is wrong. It
 * is told instead of standard error, with the status that the program would have ended with, and
 * does not return: what is on the stack below it is lost. NULL: nobody. */
struct check_caller {
    void (*stopped)(void *context, int exit_status, const char *sentence);
    void *context;
};
/* Returns the one before. */
const struct check_caller *check_set_caller(const struct check_caller *caller);

_Noreturn void check_failed(const char *expression, const char *file, int line);

/* The same for what no expression says, such as a signal. */
_Noreturn void check_stop(const char *what);

/* The host has no more memory: said, and the end of the program. Before a machine runs that is a
 * shortage, status 64; behind its start the design safe state, as above. */
#define CHECK_SHORTAGE_STATUS 64
#define CHECK_FAILED_STATUS   96 /* what a caller that lives on is told of everything else */
_Noreturn void check_shortage(void);

/* For what an allocation gave. Where its size comes from a file or a guest the caller refuses it
 * instead. */
#define CHECK_ROOM(x) ((x) ? (void)0 : check_shortage())

#define CHECK(x) ((x) ? (void)0 : check_failed(#x, __FILE__, __LINE__))

#endif
