#include "qvm/gdb_events.h"

#include "qvm/events.h"

void gdb_events_note(void *events, const struct board_event *event)
{
    struct gdb_events *e = events;
    if (!e->on)
        return;
    struct bytes *line = &e->lines[e->count++ % GDB_EVENTS_MAX];
    bytes_clear(line);
    events_line(event, line);
}

void gdb_events_clear(struct gdb_events *e)
{
    e->count = 0;
}

void gdb_events_free(struct gdb_events *e)
{
    for (size_t i = 0; i < GDB_EVENTS_MAX; i++)
        bytes_free(&e->lines[i]);
    *e = (struct gdb_events){0};
}

void gdb_events_put(const struct gdb_events *e, size_t wanted, struct bytes *out)
{
    size_t kept = e->count < GDB_EVENTS_MAX ? e->count : GDB_EVENTS_MAX;
    if (wanted > kept)
        wanted = kept;
    for (size_t i = e->count - wanted; i < e->count; i++) {
        const struct bytes *line = &e->lines[i % GDB_EVENTS_MAX];
        bytes_put(out, line->data, line->size);
    }
}
