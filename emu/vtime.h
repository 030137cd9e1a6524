/* Virtual time. One retired instruction is one tick; a halted board moves ticks forward without
 * instructions. Ticks become nanoseconds by the board's clock rate (default 1e9: 1 tick = 1 ns).
 * Counters, timers and clocks of every kind read this and nothing else. */
#ifndef EMU_VTIME_H
#define EMU_VTIME_H

#include <stdint.h>

struct vtime {
    uint64_t instructions; /* retired, by all vCPUs of the board */
    uint64_t idle_ticks;   /* time that passed with every vCPU halted */
    uint64_t rate_hz;      /* ticks a second */
};

static inline uint64_t vtime_ticks(const struct vtime *t)
{
    return t->instructions + t->idle_ticks;
}

/* a * b / c without losing high bits; the result must fit in 64 bits. */
static inline uint64_t vtime_scale(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t product;
    if (!__builtin_mul_overflow(a, b, &product))
        return product / c; /* much faster */
    return (uint64_t)((unsigned __int128)a * b / c);
}

static inline uint64_t vtime_ns(const struct vtime *t)
{
    return t->rate_hz == 1000000000 ? vtime_ticks(t)
                                    : vtime_scale(vtime_ticks(t), 1000000000, t->rate_hz);
}

/* Time ends after 2^63 ns, 292 years, or as many ticks: until then both, and counters of at most
 * 1 GHz, fit in 64 bits, with what is added to wait for. */
static inline uint64_t vtime_end_ticks(uint64_t rate_hz)
{
    unsigned __int128 ticks = ((unsigned __int128)1 << 63) * rate_hz / 1000000000;
    return ticks > INT64_MAX ? INT64_MAX : (uint64_t)ticks;
}

/* The value of a counter of `hz` that was 0 at tick 0. */
static inline uint64_t vtime_count(const struct vtime *t, uint64_t hz)
{
    return vtime_scale(vtime_ticks(t), hz, t->rate_hz);
}

/* The first tick at which a counter of `hz` has reached `count` (rounded up); all ones = never. */
static inline uint64_t vtime_ticks_at_count(const struct vtime *t, uint64_t count, uint64_t hz)
{
    unsigned __int128 ticks = ((unsigned __int128)count * t->rate_hz + hz - 1) / hz;
    return ticks > UINT64_MAX ? UINT64_MAX : (uint64_t)ticks;
}

#endif
