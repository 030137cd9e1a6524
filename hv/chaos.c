#include "hv/chaos.h"

#include "hv/hv_internal.h"

/* Drawing -----------------------------------------------------------------------------------------
 */

enum purpose { PURPOSE_SPELL = 1, PURPOSE_QUANTUM, PURPOSE_LATENCY };

/* Turns of a spell are shorter than 2^11 to 2^18 instructions. Were they shorter, an operating
 * system would take minutes to boot; longer ones are the schedule without chaos. */
#define SPELL_BOUND_MIN   10
#define SPELL_BOUND_COUNT 8
#define LATENCY_BOUND     12

/* A bijection whose every output bit depends on every input bit: the finaliser of MurmurHash3. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

static uint64_t draw(const struct chaos *c, enum purpose purpose, uint64_t whom, uint64_t when)
{
    uint64_t x = mix(c->seed + UINT64_C(0x9e3779b97f4a7c15));
    x = mix(x ^ ((uint64_t)purpose << 32 | whom));
    return mix(x + when);
}

/* Every order of magnitude up to the bound is as likely as any other: 2^k + anything below 2^k. */
static uint64_t length_of(uint64_t random, unsigned bound)
{
    unsigned k = (unsigned)(random >> 32) % (bound + 1);
    return ((uint64_t)1 << k) + (random & (((uint64_t)1 << k) - 1));
}

uint64_t chaos_quantum(const struct chaos *c, uint32_t turn, bool others_wait, uint64_t ticks)
{
    if (!others_wait)
        return CHAOS_ALONE_INSTRUCTIONS;
    uint64_t spell = draw(c, PURPOSE_SPELL, 0, ticks / CHAOS_SPELL_TICKS);
    unsigned bound = SPELL_BOUND_MIN + (unsigned)(spell % SPELL_BOUND_COUNT);
    return length_of(draw(c, PURPOSE_QUANTUM, turn, ticks), bound);
}

uint64_t chaos_latency(const struct chaos *c, uint32_t vm, uint32_t vcpu, uint64_t ticks)
{
    return length_of(draw(c, PURPOSE_LATENCY, vm << 8 | vcpu, ticks), LATENCY_BOUND);
}

/* The schedule ------------------------------------------------------------------------------------
 */

/* Of this very instruction: the board's own count is that of the last stop. */
static uint64_t instructions_now(const struct board *b)
{
    return engine_executed(b->engine);
}

static uint64_t ticks_now(const struct board *b)
{
    return instructions_now(b) + b->vtime.idle_ticks;
}

void chaos_woken(struct board *b)
{
    if (!b->options.chaos.on)
        return;
    uint64_t quantum = chaos_quantum(&b->options.chaos, b->schedule.current, true, ticks_now(b));
    schedule_shorten(&b->schedule, instructions_now(b) + quantum);
}
