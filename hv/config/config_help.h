/* What `?` in place of an argument answers, made from the tables that the parser itself uses. */
#ifndef HV_CONFIG_CONFIG_HELP_H
#define HV_CONFIG_CONFIG_HELP_H

#include "emu/bytes.h"
#include "emu/error.h"

/* Explains the words before the `?`: nothing (all options), OPTION, `set` [VARIABLE], `vdev`
 * [TYPE], `board` (the board language). Appends to `out`. False: there is no such thing. */
bool config_help(const char *const *words, size_t count, struct bytes *out, struct error *e);
/* Does the word, or the first of several in it, name an option of the language that may come first?
 * Such a word of a command line is configuration text and not a file. */
bool config_is_option(const char *word);
/* docs/vdevs.md. Appends. */
void config_help_markdown(struct bytes *out);

#endif
