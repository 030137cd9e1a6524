#include "hv/config/config_strings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/check.h"

static char *room_for(struct config_strings *strings, size_t size)
{
    strings->items = array_grow(strings->items, strings->count, sizeof *strings->items);
    char *copy = malloc(size + 1);
    CHECK_ROOM(copy);
    strings->items[strings->count++] = copy;
    copy[size] = '\0';
    return copy;
}

char *strings_keep(struct config_strings *strings, const char *text, size_t size)
{
    char *copy = room_for(strings, size);
    if (size)
        memcpy(copy, text, size);
    return copy;
}

char *strings_format(struct config_strings *strings, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(size >= 0);
    char *copy = room_for(strings, (size_t)size);
    vsnprintf(copy, (size_t)size + 1, format, again);
    va_end(again);
    return copy;
}

void strings_free(struct config_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct config_strings){0};
}
