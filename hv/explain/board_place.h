/* What is at an address of the board. */
#ifndef HV_EXPLAIN_BOARD_PLACE_H
#define HV_EXPLAIN_BOARD_PLACE_H

#include "hv/board.h"

struct board_place {
    const char *what;    /* "RAM", "ROM", "memory of the board", "device", "SMMU", "nothing" */
    const struct vm *vm; /* whose RAM or ROM it is; NULL: nobody's */
    gpa_t gpa;           /* where the VM has it */
    const char *device;  /* of the board, by its name; borrowed; NULL: none */
    uint64_t offset;     /* within the VM's RAM, or the device's registers */
};

/* Looks through the tables of every VM. */
void board_place_find(const struct board *b, hpa_t at, struct board_place *p);
/* "RAM of vm test, gpa 0x40001000, offset 0x1000", with a newline. */
void board_place_text(const struct board_place *p, struct bytes *out);
/* As members of the object that is open. */
void board_place_json(const struct board_place *p, struct json *j);

#endif
