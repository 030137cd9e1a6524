/* Shared by the parts of the board language. */
#ifndef HV_CONFIG_BOARD_CONFIG_INTERNAL_H
#define HV_CONFIG_BOARD_CONFIG_INTERNAL_H

#include "hv/config/config_internal.h"

/* An SMMU whose `loc` was not written, as opposed to ADDRESS_BAD. */
#define ADDRESS_MISSING (UINT64_MAX - 1)

extern const struct config_option board_options[];

/* board_config_check.c: what only the whole board can tell. */
void board_check(struct parser *p);

/* config_smmuman.c: `smmuman WORDS` */
HANDLER(config_word_smmuman);
void config_smmuman_free(struct smmuman_config *c);
/* config_smmuman_print.c: lines of the board's */
void config_smmuman_print(const struct smmuman_config *c, struct bytes *out);

#endif
