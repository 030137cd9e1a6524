/* Strings that live as long as their list. */
#ifndef HV_CONFIG_CONFIG_STRINGS_H
#define HV_CONFIG_CONFIG_STRINGS_H

#include "hv/config/config.h"

/* A NUL-terminated copy that the list owns. */
char *strings_keep(struct config_strings *strings, const char *text, size_t size);
char *strings_format(struct config_strings *strings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void strings_free(struct config_strings *strings);

/* Makes room for one more element behind `count` elements of `size` bytes: returns the new start of
 * the array, the new element zeroed. Does not change the count. */
void *array_grow(void *items, size_t count, size_t size);

#endif
