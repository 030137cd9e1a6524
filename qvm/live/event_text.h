/* `--events FILE`: what the hypervisor did, one trace event a line, in the manner of a kernel trace
 * printed as text. docs/exits.md has the lines. */
#ifndef QVM_LIVE_EVENT_TEXT_H
#define QVM_LIVE_EVENT_TEXT_H

#include "emu/bytes.h"
#include "hv/events.h"

struct host_file;

struct events {
    struct host_file *file;
};

/* Appends the line of one event. */
void events_line(const struct board_event *event, struct bytes *out);
void events_write(struct events *e, const struct board_event *event);

#endif
