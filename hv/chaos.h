/* Chaos: the same machine under another schedule. A seed perturbs how long turns last and how late
 * interrupts arrive, so that orders which are rare otherwise come up, and come up again with the
 * same seed. Every number is a function of the seed, of whom it is for and of the virtual time at
 * which it is drawn: nothing is left over between draws, and nothing is random.
 *
 *   turns        end after exactly so many instructions, also where no branch is; 2^k to 2^(k+1) -
 * 1 while others wait, k anything from 0 to a bound that holds for a spell of time interrupts reach
 * the vCPU 1 to 8191 ticks after the interrupt controller signals them; what it withdraws is
 * withdrawn at once
 *
 * Without chaos no function here does anything. */
#ifndef HV_CHAOS_H
#define HV_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/event.h"
#include "emu/state.h"

struct board;
struct vm;

struct chaos {
    bool on;
    uint64_t seed;
};

#define CHAOS_SPELL_TICKS        65536u     /* so long turns have the same bound */
#define CHAOS_ALONE_INSTRUCTIONS (1u << 20) /* of a turn that nobody waits for the end of */

/* The length of the turn that begins at `ticks`, in instructions; at least 1. */
uint64_t chaos_quantum(const struct chaos *c, uint32_t turn, bool others_wait, uint64_t ticks);
/* How many ticks later the vCPU sees what is signalled at `ticks`; at least 1. */
uint64_t chaos_latency(const struct chaos *c, uint32_t vm, uint32_t vcpu, uint64_t ticks);

/* Between the interrupt controller and one vCPU. */
struct chaos_delay {
    struct vm *vm;
    unsigned vcpu;
    unsigned signals;   /* of the interrupt controller */
    struct event event; /* when the vCPU gets it; armed whenever it signals more than that has */
};

/* The machine as it is goes on under chaos. Once all its VMs are assembled: the events come last.
 */
void chaos_start(struct board *b, uint64_t seed);
/* The interrupt controller's outputs changed, maybe inside a run of the engine. */
void chaos_signal(struct vm *vm, unsigned vcpu, unsigned signals);
/* Another vCPU became runnable: the turn that nobody waited for ends soon. */
void chaos_woken(struct board *b);
/* A VM is assembled anew: nothing is signalled. */
void chaos_forget(struct vm *vm);

/* What is on its way, and what has arrived. Restored last: what devices signal while they are
 * restored is on no way. */
void chaos_visit(struct board *b, struct state *s);

#endif
