/* The table of variables that `set` knows. */
#ifndef HV_CONFIG_CONFIG_SET_H
#define HV_CONFIG_CONFIG_SET_H

#include "hv/config/config_internal.h"

enum variable_type {
    VARIABLE_BOOLEAN,
    VARIABLE_TRISTATE,
    VARIABLE_NUMBER,
    VARIABLE_ADDRESS, /* notation of addresses and sizes */
    VARIABLE_STRING,
};

struct variable {
    const char *name;
    enum variable_type type;
    bool is_per_vdev;
    bool has_effect; /* else it is checked and listed as accepted */
    void (*apply)(struct parser *p, const struct word *word, uint64_t value); /* may be NULL */
    const char *summary;                                                      /* one line */
};

extern const struct variable config_variables[]; /* ends with a NULL name */
/* What the CPU model can address: bigger addresses fault in the guest. */
unsigned config_address_bits(const struct vm_config *c);
const char *variable_type_name(enum variable_type type);

#endif
