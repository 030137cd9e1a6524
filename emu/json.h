/* Writes one JSON value (RFC 8259) piece by piece; commas and escapes are taken care of. */
#ifndef EMU_JSON_H
#define EMU_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/bytes.h"

struct json {
    struct bytes *out; /* borrowed; appended to */
    bool needs_comma;
};

/* Within an object `key` names the member; in an array, and for the outermost value, it is NULL. */
void json_open(struct json *j, const char *key, char bracket);        /* '{' or '[' */
void json_close(struct json *j, char bracket);                        /* '}' or ']' */
void json_string(struct json *j, const char *key, const char *value); /* NULL: null */
void json_bytes(struct json *j, const char *key, const void *value, size_t size);
void json_number(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);

#endif
