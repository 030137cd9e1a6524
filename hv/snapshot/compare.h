/* The first difference between two boards by name: of the values that board_visit goes through, or
 * of memory by byte. What a digest says in one bit, for people. */
#ifndef HV_SNAPSHOT_COMPARE_H
#define HV_SNAPSHOT_COMPARE_H

#include "hv/board.h"

struct difference {
    char where[256]; /* "vm test, vcpu 0: X8" */
    bool has_values;
    uint64_t a, b;
};

/* False: there is none. Only between runs. */
bool compare_boards(struct board *a, struct board *b, struct difference *d);
/* ", vm NAME, gpa 0x..." of the VM that has this page; "" if none has. */
void compare_name_owner(struct board *b, hpa_t at, char *text, size_t size);

#endif
