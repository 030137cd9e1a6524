/* Shared by the parts of the board language. */
#ifndef HV_CONFIG_BOARD_CONFIG_INTERNAL_H
#define HV_CONFIG_BOARD_CONFIG_INTERNAL_H

#include "hv/config/config_internal.h"

/* An SMMU whose `loc` was not written, as opposed to ADDRESS_BAD. */
#define ADDRESS_MISSING (UINT64_MAX - 1)

extern const struct config_option board_options[];

/* board_config_check.c: what only the whole board can tell. */
void board_check(struct parser *p);

#endif
