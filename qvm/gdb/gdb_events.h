/* The last trace events, for `monitor events`: a ring. */
#ifndef QVM_GDB_GDB_EVENTS_H
#define QVM_GDB_GDB_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "emu/bytes.h"
#include "hv/events.h"

#define GDB_EVENTS_MAX 1000

struct gdb_events {
    bool on; /* else they pass unseen */
    struct {
        struct board_event event;
        struct guest_exit exit; /* event.exit is meant to point here, if to anything */
    } list[GDB_EVENTS_MAX];
    size_t count; /* noted since gdb_events_clear */
};

/* Of type board_sinks.event; the context is a struct gdb_events. */
void gdb_events_note(void *events, const struct board_event *event);
void gdb_events_clear(struct gdb_events *e);
/* Appends the last `wanted`, or as many as there are. */
void gdb_events_put(const struct gdb_events *e, size_t wanted, struct bytes *out);

#endif
