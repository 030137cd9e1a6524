/* The first difference between two boards by name: time, schedule, registers of vCPUs, fields of
 * devices, other state of VMs, memory by byte. What a digest says in one bit, for people. */
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
/* What is at this byte of a device's saved state: its name; where that begins, and its size. */
size_t vdev_state_item(const struct vdev *v, size_t at, char *name, size_t name_size,
                       size_t *item_size);

#endif
