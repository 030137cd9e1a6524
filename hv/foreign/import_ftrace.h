/* What an architecture's own tracepoints of KVM are read with. */
#ifndef HV_FOREIGN_IMPORT_FTRACE_H
#define HV_FOREIGN_IMPORT_FTRACE_H

#include "emu/error.h"
#include "hv/foreign/import_scan.h"
#include "hv/foreign/observed_exit.h"

struct ftrace_reading;
struct ftrace_thread;

/* One line: what stands before the tracepoint's name, and behind. */
struct ftrace_line {
    struct scan arguments;
    uint64_t ns;
    bool has_time;
    struct ftrace_thread *thread;
    unsigned number;
};

/* What a line's tracepoint does; false, with the error: it is not as it should be. */
typedef bool (*ftrace_take)(struct ftrace_reading *r, struct ftrace_line *line, struct error *e);
struct ftrace_event {
    const char *name; /* with the colon that ends it */
    ftrace_take take;
};

/* One more exit, of the line's thread; NULL, with the error: there are too many. */
struct observed_exit *import_ftrace_begin(struct ftrace_reading *r, struct ftrace_line *line,
                                          enum observed_kind kind, struct error *e);
/* What belongs to the exit that is open, if that is of the class and nothing has said more about it
 * so far; or is alone in the file: then it is an exit, too. NULL, with the error. */
struct observed_exit *import_ftrace_trap(struct ftrace_reading *r, struct ftrace_line *line,
                                         unsigned class, struct error *e);
void import_ftrace_set_pc(struct observed_exit *x, uint64_t pc);
/* The error "`form`", and false. */
bool import_ftrace_refuse(const struct ftrace_reading *r, const struct ftrace_line *line,
                          const char *form, struct error *e);

#endif
