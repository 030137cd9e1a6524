/* All mistakes of a configuration, collected in the order in which they were found, and the nearest
 * valid word to suggest. */
#ifndef HV_CONFIG_CONFIG_ERRORS_H
#define HV_CONFIG_CONFIG_ERRORS_H

#include "emu/text.h"
#include "hv/config/config.h"

#define EXIT_CONFIGURATION 65 /* fatal configuration error */

struct config_errors {
    struct config_strings lines; /* "[file:line] text" */
};

/* Adds one mistake; control characters in it become '?'. Returns false. */
bool errors_add(struct config_errors *errors, struct place place, const char *format, ...)
    TEXT_PRINTF(3, 4);
/* Adds one that has its place already. */
void errors_keep(struct config_errors *errors, const struct error *e);
/* Joins the lines into one error with exit status 65; what does not fit is counted in a last line
 * "... and N more". */
void errors_report(const struct config_errors *errors, struct error *e);

/* Keeps the candidate that is nearest to a mistyped word, the first one among equals. */
struct nearest {
    const char *word;
    const char *best; /* NULL while nothing is near enough */
    size_t distance;
};
struct nearest nearest_to(const char *word);
void nearest_try(struct nearest *nearest, const char *candidate);
/* " (did you mean 'load'?)" or "". */
#define NEAREST_TEXT 96
const char *nearest_text(const struct nearest *nearest, char text[NEAREST_TEXT]);

#endif
