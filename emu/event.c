#include "emu/event.h"

#include <stddef.h>

void event_add(struct event_queue *q, struct event *e)
{
    e->order = q->added++;
    e->when_ticks = EVENT_NEVER;
    e->next = NULL;
}

unsigned event_add_again(struct event_queue *q, unsigned added)
{
    unsigned before = q->added;
    q->added = added;
    return before;
}

static bool before(const struct event *a, const struct event *b)
{
    if (a->when_ticks != b->when_ticks)
        return a->when_ticks < b->when_ticks;
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return a->order < b->order;
}

static void take_out(struct event_queue *q, struct event *e)
{
    struct event **at = &q->first;
    while (*at && *at != e)
        at = &(*at)->next;
    if (*at)
        *at = e->next;
    e->when_ticks = EVENT_NEVER;
}

void event_at(struct event_queue *q, struct event *e, uint64_t when_ticks)
{
    if (e->when_ticks == when_ticks)
        return;
    if (e->when_ticks != EVENT_NEVER)
        take_out(q, e);
    if (when_ticks == EVENT_NEVER)
        return;
    e->when_ticks = when_ticks;
    struct event **at = &q->first;
    while (*at && before(*at, e))
        at = &(*at)->next;
    e->next = *at;
    *at = e;
}

uint64_t event_next(const struct event_queue *q)
{
    return q->first ? q->first->when_ticks : EVENT_NEVER;
}

void event_fire_due(struct event_queue *q, uint64_t now_ticks)
{
    while (q->first && q->first->when_ticks <= now_ticks) {
        struct event *e = q->first;
        uint64_t due = e->when_ticks;
        q->first = e->next;
        e->when_ticks = EVENT_NEVER;
        e->fire(e->context, due);
    }
}

void event_visit(struct event_queue *q, struct event *e, struct state *s, const char *name)
{
    event_at(q, e, state_value(s, name, e->when_ticks, 8));
}
