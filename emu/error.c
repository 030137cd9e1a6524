#include "emu/error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(struct error *e, const char *format, ...)
{
    if (e->text[0])
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    return false;
}

bool error_at(struct error *e, const char *file, unsigned line, const char *format, ...)
{
    if (e->text[0])
        return false;
    int used = snprintf(e->text, sizeof e->text, "[%.256s:%u] ", file, line);
    va_list args;
    va_start(args, format);
    vsnprintf(e->text + used, sizeof e->text - (size_t)used, format, args);
    va_end(args);
    return false;
}

bool error_exit_status(struct error *e, int exit_status)
{
    if (e->exit_status == 0)
        e->exit_status = exit_status;
    return false;
}
