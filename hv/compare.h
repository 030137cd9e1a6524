/* The first difference between two boards by name: time, schedule, registers of vCPUs, fields of
 * devices, other state of VMs, memory by byte. What a digest says in one bit, for people. */
#ifndef HV_COMPARE_H
#define HV_COMPARE_H

#include "hv/board.h"

struct difference {
    char where[256]; /* "vm test, vcpu 0: X8" */
    bool has_values;
    uint64_t a, b;
};

/* False: there is none. Only between runs. */
bool board_first_difference(struct board *a, struct board *b, struct difference *d);

#endif
