/* What a guest has at one of its physical addresses. */
#ifndef HV_EXPLAIN_GUEST_PLACE_H
#define HV_EXPLAIN_GUEST_PLACE_H

#include "hv/board.h"

enum guest_place_kind {
    PLACE_NOTHING, /* `unsupported reference` decides */
    PLACE_RAM,
    PLACE_ROM,
    PLACE_VDEV,   /* a virtual device answers: a guest exit */
    PLACE_DEVICE, /* of the board, passed to the VM */
    PLACE_SHARED, /* mapped, but no RAM or ROM of the configuration: shared memory */
};

struct guest_place {
    enum guest_place_kind kind;
    const char *device; /* its name; borrowed */
    uint64_t offset;    /* within the device's region, or within the RAM */
};

/* `is_mapped`: the hypervisor's tables map the address. */
void guest_place_find(struct vm *vm, gpa_t at, bool is_mapped, struct guest_place *p);
/* "RAM, offset 0x1000", with a newline. */
void guest_place_text(const struct vm *vm, const struct guest_place *p, struct bytes *out);
/* As members of the object that is open. */
void guest_place_json(const struct guest_place *p, struct json *j);

#endif
