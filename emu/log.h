/* The log: lines stamped with the instruction count, filtered by a set of severities. Where lines
 * go is the program's business (struct log). Logging never changes what the guest sees. */
#ifndef EMU_LOG_H
#define EMU_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/text.h"
#include "emu/vtime.h"

/* The severities of the configuration language's `logger`: a set, not a level. */
enum log_severity {
    LOG_SEVERITY_FATAL = 1 << 0,
    LOG_SEVERITY_INTERNAL = 1 << 1,
    LOG_SEVERITY_ERROR = 1 << 2,
    LOG_SEVERITY_WARN = 1 << 3,
    LOG_SEVERITY_INFO = 1 << 4,
    LOG_SEVERITY_DEBUG = 1 << 5,
    LOG_SEVERITY_VERBOSE = 1 << 6,
};
#define LOG_SEVERITY_DEFAULT                                                                       \
    (LOG_SEVERITY_FATAL | LOG_SEVERITY_INTERNAL | LOG_SEVERITY_ERROR | LOG_SEVERITY_WARN |         \
     LOG_SEVERITY_INFO)

struct log {
    unsigned severities;       /* the set that is written */
    const struct vtime *vtime; /* borrowed; NULL = no stamp */
    void (*sink)(void *context, enum log_severity severity, const char *line);
    void *context;
};

void log_write(const struct log *log, enum log_severity severity, const char *format, ...)
    TEXT_PRINTF(3, 4);

/* The guest did something odd (kind two): `debug` severity, so it costs nothing by default. */
#define log_guest(log, ...) log_write((log), LOG_SEVERITY_DEBUG, __VA_ARGS__)

/* The name the configuration language uses for the severity. */
const char *log_severity_name(enum log_severity severity);

#endif
