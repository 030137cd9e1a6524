/* Questions about traces of exits that were seen elsewhere (`qvm import`): what the model gives for
 * them, and where two streams differ first. */
#ifndef QVM_ASK_OBSERVED_H
#define QVM_ASK_OBSERVED_H

#include "hv/foreign/observed_exit.h"
#include "qvm/player.h"

/* Does the trace hold such exits? */
bool observed_is_in(const struct trace *t);

/* `qvm replay --exits`: a sentence for each exit that differs, and for the first ones (all with
 * `json`, one object a line). Returns the exit status: 66 if any differs. */
int observed_replay(struct player *p, bool json);

/* `qvm explain --exit N`. */
bool observed_explain(struct player *p, uint64_t number, bool json, struct bytes *out,
                      struct error *e);

/* `qvm diff`, where at least one of the two holds such exits; the other one may be a recording,
 * which is played. */
bool observed_diff(struct player players[2], bool *differs, struct bytes *out, struct error *e);

#endif
