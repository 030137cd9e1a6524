/* The language of configurations, explained and made canonical by the program. */
#ifndef QVM_HELP_H
#define QVM_HELP_H

#include <stdbool.h>

/* `qvm ?`, `qvm OPTION ?`, `qvm vdev TYPE ?`, `qvm vdev ? --markdown`: are these such words? */
bool help_is_asked(char *const *words, int count);
/* Prints the answer; returns the exit status. */
int help_answer(char *const *words, int count);
/* `qvm fmt [--board FILE] CONF [WORD...]`, `qvm fmt FILE.board`: prints the canonical form. */
int help_format(char *const *words, int count);

#endif
