#include "qvm/difference.h"

#include <inttypes.h>

#include "hv/config_text.h"
#include "qvm/question.h"

/* The exit that the entry belongs to, or NULL: interrupts and turns belong to none. */
static const struct guest_exit *exit_of(const struct script_difference *d,
                                        const struct script_entry *entry)
{
    if (entry->kind == SCRIPT_EXIT)
        return &entry->exit.x;
    const struct script_entry *exit = &d->board->options.script->exit;
    bool inside =
        entry->kind == SCRIPT_RESULT || entry->kind == SCRIPT_READ || entry->kind == SCRIPT_WRITE;
    return inside && exit->kind == SCRIPT_EXIT ? &exit->exit.x : NULL;
}

static void put_place(const struct script_difference *d, const struct script_entry *entry,
                      struct bytes *out)
{
    struct vm *vm = d->board->vm_count > entry->vm ? d->board->vms[entry->vm] : d->board->vms[0];
    const struct guest_exit *x = exit_of(d, entry);
    text_put(out, "instruction %" PRIu64 ", %s vCPU %u", d->instructions, vm->name, entry->vcpu);
    if (!x)
        return;
    if (vm->world.scripted) {
        text_put(out, ", PC 0x%" PRIx64, x->pc.v);
    } else {
        char instruction[128];
        question_disassemble(vm, entry->vcpu, x->pc.v, instruction, sizeof instruction);
        text_put(out, ", %s", instruction);
    }
}

/* What was asked, for results and for what is asked otherwise than before. */
static void put_access(const struct guest_exit *x, struct bytes *out)
{
    text_put(out, ", %s", exit_reason_name(x->reason));
    if (x->size)
        text_put(out, " %s of %u bytes at gpa 0x%" PRIx64, x->is_write ? "write" : "read", x->size,
                 x->gpa.v);
    if (x->encoding)
        text_put(out, " %s of S%u_%u_C%u_C%u_%u", x->is_write ? "write" : "read",
                 x->encoding >> 14 & 3, x->encoding >> 11 & 7, x->encoding >> 7 & 15,
                 x->encoding >> 3 & 15, x->encoding & 7);
}

static void put_entry(const struct script_entry *entry, struct bytes *out)
{
    text_put(out, "%s", script_kind_name(entry->kind));
    if (entry->kind == SCRIPT_LINES)
        text_put(out, " (IRQ %u, FIQ %u)", entry->lines.irq, entry->lines.fiq);
    if (entry->kind == SCRIPT_READ || entry->kind == SCRIPT_WRITE)
        text_put(out, " (%" PRIu64 " bytes at 0x%" PRIx64 ")", entry->memory.size,
                 entry->memory.address);
    if (entry->kind == SCRIPT_RESULT)
        text_put(out, " (%s by %s)", exit_result_name(entry->result.result), entry->result.handler);
}

static void put_values(const struct script_values *v, struct bytes *out)
{
    if (v->word_a)
        text_put(out, ": recorded %s, now %s", v->word_a, v->word_b);
    else
        text_put(out, ": recorded 0x%" PRIx64 ", now 0x%" PRIx64, v->a, v->b);
}

void difference_text(const struct script_difference *d, struct bytes *out)
{
    const struct script_entry *entry = d->now ? d->now : d->recorded;
    const struct guest_exit *x = exit_of(d, entry);
    put_place(d, entry, out);
    if (x)
        put_access(x, out);
    text_put(out, ": ");
    if (d->what) {
        text_put(out, "%s", d->what);
        if (entry->kind == SCRIPT_RESULT)
            text_put(out, " from %s", d->now->result.handler);
        put_values(&d->values, out);
    } else if (d->now && d->recorded) {
        put_entry(d->now, out);
        text_put(out, "; the recording has ");
        put_entry(d->recorded, out);
        text_put(out, " at instruction %" PRIu64, d->recorded->instructions);
    } else if (d->now) {
        put_entry(d->now, out);
        text_put(out, " that is not in the recording");
    } else {
        put_entry(d->recorded, out);
        text_put(out, " of the recording does not happen");
    }
}
