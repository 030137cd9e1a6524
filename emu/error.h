/* Errors of the third kind: the user or the host failed us. An error is set where it is found, as
 * one sentence "[file:line] text" or plain text, passed up unchanged and printed once. */
#ifndef EMU_ERROR_H
#define EMU_ERROR_H

#include <stdbool.h>

#include "emu/text.h"

struct error {
    int exit_status; /* what the program should end with; 0 = not decided yet */
    char text[1024];
};

/* Sets the error's text; returns false, so that `return error_set(e, ...)` reads well.
 * An error that is already set is kept: the first one is the cause. */
bool error_set(struct error *e, const char *format, ...) TEXT_PRINTF(2, 3);

/* The same with the place in a user's file: "[file:line] text". */
bool error_at(struct error *e, const char *file, unsigned line, const char *format, ...)
    TEXT_PRINTF(4, 5);

/* Prefixes nothing, changes nothing but the exit status. Returns false. */
bool error_exit_status(struct error *e, int exit_status);

#endif
