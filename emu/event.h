/* The event queue: what is due at which tick. Equal times are ordered by priority, then by the
 * order in which the events were added to the queue when the machine was assembled, so the order
 * never depends on the host or on when an event was armed. */
#ifndef EMU_EVENT_H
#define EMU_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/state.h"

#define EVENT_NEVER UINT64_MAX

struct event {
    const char *name;
    unsigned priority; /* smaller fires first among equal times */
    void (*fire)(void *context, uint64_t due_ticks);
    void *context;
    /* The queue's own: */
    unsigned order;
    uint64_t when_ticks; /* EVENT_NEVER while not armed */
    struct event *next;
};

struct event_queue {
    struct event *first; /* armed events, soonest first */
    unsigned added;      /* the next one's order; see event_add_again */
};

/* Makes the event known to the queue, unarmed. Once per event, while the machine is assembled. The
 * queue borrows the event, which must outlive it. */
void event_add(struct event_queue *q, struct event *e);
/* From here on events replace those that were added when `added` was this, and are gone: they get
 * their orders. Returns `added`, to go back to. */
unsigned event_add_again(struct event_queue *q, unsigned added);
/* Arms (or moves) the event. EVENT_NEVER disarms it. */
void event_at(struct event_queue *q, struct event *e, uint64_t when_ticks);
/* The tick of the soonest event, or EVENT_NEVER. */
uint64_t event_next(const struct event_queue *q);
/* Fires everything due at or before `now_ticks`, in order; an event is disarmed before it fires and
 * may arm itself again. */
void event_fire_due(struct event_queue *q, uint64_t now_ticks);
/* Its place in time, as state. */
void event_visit(struct event_queue *q, struct event *e, struct state *s, const char *name);

#endif
