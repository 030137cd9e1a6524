/* Errors for whoever called the program. */
#ifndef QVM_REPORT_H
#define QVM_REPORT_H

#include "emu/error.h"

/* Prints "qvm: text" or "[file:line] text" lines on stderr; returns the error's exit status, or
 * `otherwise` if it has none. */
int report_error(const struct error *e, int otherwise);

#endif
