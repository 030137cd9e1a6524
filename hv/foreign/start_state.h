/* A guest's core becomes a machine: its memory and its vCPUs' registers are put into a board that
 * is assembled and has not run. What a core does not hold is as after reset: the devices, and, of
 * cores that are not our own, the system registers. */
#ifndef HV_FOREIGN_START_STATE_H
#define HV_FOREIGN_START_STATE_H

#include "hv/board.h"
#include "hv/foreign/import.h"

/* A system register by its name, for every vCPU: cores of others have none. */
struct start_register {
    char name[40]; /* as the manual has it */
    uint64_t value;
};

struct start_state {
    uint64_t bytes_outside; /* of the core's memory, where the VM has none: left out */
    uint64_t first_outside; /* their guest-physical address */
    unsigned unknown;       /* registers of the core that this version does not know */
    bool no_sysregs;        /* the core has none: stage 1 is off unless they were given */
};

/* `b` has one VM and was made for a snapshot. False, with the error: it is of no use then. */
bool start_state_apply(struct board *b, const struct import_core *core,
                       const struct start_register *registers, size_t register_count,
                       struct start_state *s, struct error *e);

#endif
