/* Which vCPU runs next. A board has physical CPUs, and each runs the most important vCPU that may
 * use it and is not on another one: by `sched` priority, among equals by turns. The engine then
 * serves these CPUs one after the other, a quantum of instructions each, so that each gets the same
 * share of the time.
 *
 *   round-robin   behind its equals after each quantum
 *   FIFO          keeps its CPU until it halts or something more important comes
 *   sporadic      high priority for a budget of its own instructions, low priority when that is
 *                 used up, until it is given back a period after it began to use it
 *
 * Everything is a function of configuration and virtual time. Decisions are also asked for at stops
 * that differ from run to run, so none of them looks at the instruction count. */
#ifndef HV_SCHEDULE_H
#define HV_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/state.h"
#include "emu/vtime.h"
#include "hv/config/config.h"

struct vcpu;
struct vm;

#define SCHEDULE_PCPUS_MAX   64
#define SCHEDULE_NONE        UINT32_MAX
#define SPORADIC_PENDING_MAX 8 /* replenishments; a larger `sched` value means this one */

/* The budget of a sporadic vCPU, in ticks. */
struct sporadic {
    uint64_t budget;      /* left at the high priority */
    uint64_t active_from; /* when the part below began to be used; meaningful if `used` is not 0 */
    uint64_t used;        /* since then, not yet promised back */
    struct replenishment {
        uint64_t when_ticks, amount;
    } pending[SPORADIC_PENDING_MAX]; /* soonest first */
    uint32_t pending_count;
};

struct sched_entity {
    struct vcpu *vcpu;
    struct vm *vm;
    const struct cpu_config *config;
    uint64_t allowed; /* physical CPUs, a bit each */
    struct sporadic sporadic;
    /* For whoever watches (events.h); no state. */
    uint64_t executed; /* instructions since the board was made or restored */
    bool in_guest;
    uint64_t entered_at; /* guest cycles */
};

struct schedule {
    struct sched_entity *turns; /* owned; every vCPU of the board in a fixed order */
    size_t turn_count;
    unsigned pcpu_count;
    uint32_t on_pcpu[SCHEDULE_PCPUS_MAX]; /* the turn that holds the CPU, or SCHEDULE_NONE */
    uint32_t current;                     /* the turn that the engine serves */
    uint32_t current_pcpu;                /* and the CPU that it is on */
    bool current_is_over;                 /* its quantum is */
    uint64_t quantum_end;                 /* instruction count */
    const struct vtime *vtime;            /* borrowed */
    bool *placed;                         /* scratch, one a turn */
    bool has_bound;                       /* some vCPU may not use every CPU */
};

/* Room for `turns` vCPUs on so many CPUs (at most SCHEDULE_PCPUS_MAX). */
void schedule_init(struct schedule *s, size_t turns, unsigned pcpus, const struct vtime *vtime);
/* The next vCPU in the order. `allowed`: CPUs it may use; none of those that exist means all. */
void schedule_add(struct schedule *s, struct vcpu *v, struct vm *vm,
                  const struct cpu_config *config, uint64_t allowed);
void schedule_free(struct schedule *s);

struct choice {
    struct sched_entity *turn; /* NULL: nobody can run */
    bool others_wait;          /* its turn ends with its quantum */
};
struct choice schedule_choose(struct schedule *s);
/* The chosen one is about to run: a quantum begins unless it goes on with the one it has. */
void schedule_begin(struct schedule *s, const struct sched_entity *turn, uint64_t quantum);
/* The turn ends no later than at that instruction count, which is in the future. */
void schedule_shorten(struct schedule *s, uint64_t end);
/* How many instructions it may run before there must be another choice. */
uint64_t schedule_budget(const struct schedule *s, const struct sched_entity *turn);
/* It ran so many, up to now; `over`: it ended at the end of its quantum. */
void schedule_account(struct schedule *s, struct sched_entity *turn, uint64_t instructions,
                      bool over);
void schedule_visit(struct schedule *schedule, struct state *s);

#endif
