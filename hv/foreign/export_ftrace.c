#include "hv/foreign/export_ftrace.h"

#include <inttypes.h>

#include "emu/text.h"
#include "hv/board.h"
#include "hv/foreign/observed_arch.h"

void export_ftrace_begin(const struct board_event *e, const char *name, struct bytes *out)
{
    text_put(out, "       CPU %u/KVM-%u    [000] .....  %" PRIu64 ".%09" PRIu64 ": %s: ", e->vcpu,
             1000 + 100 * e->vm->number + e->vcpu, e->ns / 1000000000, e->ns % 1000000000, name);
}

void export_ftrace_access(const struct board_event *e, struct bytes *out)
{
    const struct guest_exit *x = e->exit;
    export_ftrace_begin(e, "kvm_mmio", out);
    text_put(out, "mmio %s len %u gpa 0x%" PRIx64 " val 0x%" PRIx64 "\n",
             x->is_write ? "write" : "read", x->size, x->gpa.v, x->value);
}

void export_ftrace(const struct board_event *e, uint64_t argument, struct bytes *out)
{
    const struct observed_arch *arch = e->vm->arch->observed;
    if (e->id == EVENT_GUEST_ENTRY)
        arch->put_entry(e, out);
    if (e->id == EVENT_GUEST_EXIT)
        arch->put_exit(e, argument, out);
}
