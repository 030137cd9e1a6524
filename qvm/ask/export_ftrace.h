/* Guest exits as Linux' tracepoints of KVM print them: what `qvm import` reads, and what tools for
 * such texts do. */
#ifndef QVM_ASK_EXPORT_FTRACE_H
#define QVM_ASK_EXPORT_FTRACE_H

#include "hv/events.h"
#include "emu/bytes.h"

/* The event's lines, or none. `x0` is what it held when the guest left. */
void export_ftrace(const struct board_event *event, uint64_t x0, struct bytes *out);

#endif
