/* Strings that live as long as their list. */
#ifndef HV_CONFIG_CONFIG_STRINGS_H
#define HV_CONFIG_CONFIG_STRINGS_H

#include "emu/text.h"
#include "hv/config/config.h"

/* A NUL-terminated copy that the list owns. */
char *strings_keep(struct config_strings *strings, const char *text, size_t size);
char *strings_format(struct config_strings *strings, const char *format, ...) TEXT_PRINTF(2, 3);
void strings_free(struct config_strings *strings);

#endif
