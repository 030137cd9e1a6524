/* Guest exits as Linux' tracepoints of KVM print them: what `qvm import` reads, and what tools for
 * such texts do. */
#ifndef HV_FOREIGN_EXPORT_FTRACE_H
#define HV_FOREIGN_EXPORT_FTRACE_H

#include "hv/events.h"
#include "emu/bytes.h"

/* The event's lines, or none. `argument` is what the first register of a call
 * held when the guest left. */
void export_ftrace(const struct board_event *event, uint64_t argument, struct bytes *out);

/* For architectures: "CPU 0/KVM-1000 [000] .....  0.000000978: kvm_exit: ", and a line of kvm_mmio
 * for the access of the event's exit. */
void export_ftrace_begin(const struct board_event *e, const char *name, struct bytes *out);
void export_ftrace_access(const struct board_event *e, struct bytes *out);

#endif
