#include "emu/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void log_write(const struct log *log, enum log_severity severity, const char *format, ...)
{
    if (!log || !log->sink || !(log->severities & severity))
        return;
    char line[1024];
    int used = 0;
    if (log->vtime)
        used = snprintf(line, sizeof line, "%" PRIu64 " ", log->vtime->instructions);
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, sizeof line - (size_t)used, format, args);
    va_end(args);
    log->sink(log->context, severity, line);
}

const char *log_severity_name(enum log_severity severity)
{
    switch (severity) {
    case LOG_SEVERITY_FATAL:
        return "fatal";
    case LOG_SEVERITY_INTERNAL:
        return "internal";
    case LOG_SEVERITY_ERROR:
        return "error";
    case LOG_SEVERITY_WARN:
        return "warn";
    case LOG_SEVERITY_INFO:
        return "info";
    case LOG_SEVERITY_DEBUG:
        return "debug";
    case LOG_SEVERITY_VERBOSE:
        return "verbose";
    }
    return "?";
}
