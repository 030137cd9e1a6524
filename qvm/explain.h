/* What `qvm explain` prints. */
#ifndef QVM_EXPLAIN_H
#define QVM_EXPLAIN_H

#include "hv/explain.h"
#include "qvm/player.h"

/* explain_text.c, explain_json.c: an access. */
void explanation_text(const struct explanation *x, struct bytes *out);
void explanation_json(const struct explanation *x, struct bytes *out);
const char *fault_class_name(enum fault_class class);
const char *explain_place_name(enum explain_place place);

/* explain_exit.c: plays to the guest exit of that number and tells why it happened. */
bool explain_exit(struct player *p, uint64_t number, bool json, struct bytes *out, struct error *e);

#endif
