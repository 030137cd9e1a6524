/* What guest exits cost the host, for `--stats`: a histogram by reason and by who answered. These
 * are the host's nanoseconds: they differ from run to run and decide nothing. */
#ifndef QVM_LIVE_EXIT_COSTS_H
#define QVM_LIVE_EXIT_COSTS_H

#include <stddef.h>
#include <stdint.h>

#include "hv/board.h"

#define COST_BUCKETS 24 /* powers of two nanoseconds */

struct cost_row {
    const struct vm *vm;
    enum exit_reason reason;
    const char *handler; /* compared by contents */
    uint64_t count, total_ns, buckets[COST_BUCKETS];
};

struct exit_costs {
    struct cost_row *rows; /* owned */
    size_t count;
    uint64_t began_ns;
    size_t last; /* row that was used last */
};

void exit_costs_begin(struct exit_costs *c);
void exit_costs_end(struct exit_costs *c, const struct vm *vm, const struct guest_exit *x);
void exit_costs_print(const struct exit_costs *c);
void exit_costs_free(struct exit_costs *c);

#endif
