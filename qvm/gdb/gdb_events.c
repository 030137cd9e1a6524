#include "qvm/gdb/gdb_events.h"

#include "qvm/live/event_text.h"

void gdb_events_note(void *events, const struct board_event *event)
{
    struct gdb_events *e = events;
    if (!e->on)
        return;
    size_t at = e->count++ % GDB_EVENTS_MAX;
    e->list[at].event = *event;
    if (event->exit)
        e->list[at].exit = *event->exit;
}

void gdb_events_clear(struct gdb_events *e)
{
    e->count = 0;
}

void gdb_events_put(const struct gdb_events *e, size_t wanted, struct bytes *out)
{
    size_t kept = e->count < GDB_EVENTS_MAX ? e->count : GDB_EVENTS_MAX;
    if (wanted > kept)
        wanted = kept;
    for (size_t i = e->count - wanted; i < e->count; i++) {
        size_t at = i % GDB_EVENTS_MAX;
        struct board_event event = e->list[at].event;
        if (event.exit)
            event.exit = &e->list[at].exit;
        events_line(&event, out);
    }
}
