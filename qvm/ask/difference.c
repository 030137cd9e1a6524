#include "qvm/ask/difference.h"

#include <inttypes.h>

#include "emu/text.h"
#include "hv/explain/instruction.h"
#include "qvm/ask/question.h"

/* The exit that the entry belongs to, or NULL: interrupts and turns belong to none. */
static const struct guest_exit *exit_of(const struct exit_log_difference *d,
                                        const struct exit_log_entry *entry)
{
    if (entry->kind == EXIT_LOG_EXIT)
        return &entry->exit.x;
    const struct exit_log_entry *exit = &d->board->options.exit_log->exit;
    bool inside = entry->kind == EXIT_LOG_RESULT || entry->kind == EXIT_LOG_READ ||
                  entry->kind == EXIT_LOG_WRITE;
    return inside && exit->kind == EXIT_LOG_EXIT ? &exit->exit.x : NULL;
}

/* The place ---------------------------------------------------------------------------------------
 */

static struct vm *vm_of(const struct exit_log_difference *d, const struct exit_log_entry *entry)
{
    return d->board->vms[d->board->vm_count > entry->vm ? entry->vm : 0];
}

/* Where the vCPU is. What is not in the engine may be looked at between runs only, and inside an
 * exit the engine's PC is not it. */
static bool find_pc(const struct exit_log_difference *d, const struct exit_log_entry *entry,
                    uint64_t *pc)
{
    const struct guest_exit *x = exit_of(d, entry);
    const struct exit_log *s = d->board->options.exit_log;
    const struct vcpu *current = d->board->current;
    struct vm *vm = vm_of(d, entry);
    bool is_current = current && entry->vcpu < vm->vcpu_count && vm->vcpus[entry->vcpu] == current;
    if (!x && s->in_exit && is_current && s->exit.vm == entry->vm && s->exit.vcpu == entry->vcpu)
        x = &s->exit.exit.x;
    if (x)
        *pc = x->pc.v;
    else if (is_current && !vm->world.plays_exit_log)
        *pc = engine_pc(d->board->engine);
    else
        return false;
    return true;
}

static void put_place(const struct exit_log_difference *d, const struct exit_log_entry *entry,
                      struct bytes *out)
{
    struct vm *vm = vm_of(d, entry);
    uint64_t pc;
    text_put(out, "instruction %" PRIu64 ", vm %s, vcpu %u", entry->instructions, vm->name,
             entry->vcpu);
    if (!find_pc(d, entry, &pc))
        return;
    if (vm->world.plays_exit_log) {
        text_put(out, ", PC 0x%" PRIx64, pc);
    } else {
        char instruction[INSTRUCTION_TEXT_SIZE];
        instruction_text(vm, entry->vcpu, pc, instruction, sizeof instruction);
        text_put(out, ", %s", instruction);
    }
}

/* What happened -----------------------------------------------------------------------------------
 */

/* "mmio read of 4 bytes at gpa 0x9000018 (pl011 UARTFR)" */
static void put_access(const struct exit_log_difference *d, const struct exit_log_entry *entry,
                       const struct guest_exit *x, struct bytes *out)
{
    struct vm *vm = vm_of(d, entry);
    bool is_mmio = x->reason == EXIT_MMIO || x->reason == EXIT_PASS;
    const struct bus_region *region = is_mmio ? bus_find(&vm->bus, x->gpa) : NULL;
    text_put(out, "%s", arch_exit_name(vm->arch->cpu, x->reason));
    if (x->size)
        text_put(out, " %s of %u %s at gpa 0x%" PRIx64, x->is_write ? "write" : "read", x->size,
                 text_plural(x->size, "byte", "bytes"), x->gpa.v);
    if (x->size && x->gva.v != x->gpa.v)
        text_put(out, ", gva 0x%" PRIx64, x->gva.v);
    if (region) {
        char name[64];
        vdev_register_name(region->vdev, region->index, x->gpa.v - region->base, name, sizeof name);
        text_put(out, " (vdev %s, %s)", region->vdev->name, name);
    }
    if (x->detail[EXIT_NUMBER]) {
        char name[32];
        vm->arch->cpu->register_text(x->detail[EXIT_NUMBER], name, sizeof name);
        text_put(out, " %s of %s", x->is_write ? "write" : "read", name);
    }
}

/* ", by pl330, stream 6 of smmu0", if it is a device's. */
static void put_master(const struct board *b, struct bytes *out)
{
    for (size_t i = 0; i < b->vm_count; i++) {
        if (!b->vms[i]->dma_watch.now)
            continue;
        struct dma_master m = event_dma_master(b->vms[i], b->vms[i]->dma_watch.now);
        text_put(out, ", by %s", m.device);
        if (m.smmu)
            text_put(out, ", stream %" PRIu32 " of %s", m.stream, m.smmu);
        return;
    }
}

static void put_entry(const struct exit_log_difference *d, const struct exit_log_entry *entry,
                      struct bytes *out)
{
    const struct vm_arch *arch = vm_of(d, entry)->arch;
    char signals[64];
    switch (entry->kind) {
    case EXIT_LOG_EXIT:
        text_put(out, "the guest exit ");
        put_access(d, entry, &entry->exit.x, out);
        break;
    case EXIT_LOG_RESULT:
        text_put(out, "the end of an exit (%s by %s)", exit_result_name(entry->result.result),
                 entry->result.handler);
        break;
    case EXIT_LOG_READ:
    case EXIT_LOG_WRITE:
        text_put(out, "a %s of %" PRIu64 " %s of guest memory at %s 0x%" PRIx64,
                 entry->kind == EXIT_LOG_READ ? "read" : "write", entry->memory.size,
                 text_plural(entry->memory.size, "byte", "bytes"),
                 entry->memory.physical ? "gpa" : "gva", entry->memory.address);
        if (entry == d->now)
            put_master(d->board, out);
        break;
    case EXIT_LOG_SIGNALS:
        vcpu_signals_text(arch->cpu, entry->signals, signals, sizeof signals);
        text_put(out, "interrupts signalled to vcpu %u: %s", entry->vcpu, signals);
        break;
    case EXIT_LOG_TIMER:
        text_put(out, "a write of 0x%" PRIx64 " to %s", entry->timer.value,
                 arch->timer_register(entry->timer.number, entry->timer.reg));
        break;
    default:
        text_put(out, "%s of vcpu %u", exit_log_kind_name(entry->kind), entry->vcpu);
        break;
    }
}

/* The difference ----------------------------------------------------------------------------------
 */

static void put_values(const struct exit_log_values *v, struct bytes *out)
{
    if (v->word_a)
        text_put(out, ": recorded %s, now %s", v->word_a, v->word_b);
    else
        text_put(out, ": recorded 0x%" PRIx64 ", now 0x%" PRIx64, v->a, v->b);
}

/* The same kind of thing at the same time, and something about it differs. */
static void put_changed(const struct exit_log_difference *d, struct bytes *out)
{
    const struct guest_exit *x = exit_of(d, d->now);
    if (x)
        put_access(d, d->now, x, out);
    else
        put_entry(d, d->now, out);
    if (d->what == EXIT_LOG_MEMORY_BYTE)
        text_put(out, ": memory byte at %s 0x%" PRIx64, d->now->memory.physical ? "gpa" : "gva",
                 d->values.address);
    else if (d->what == EXIT_LOG_VALUE_READ)
        text_put(out, ": the value from %s", d->now->result.handler);
    else
        text_put(out, ": %s", d->what);
    if (x && (d->now->kind == EXIT_LOG_READ || d->now->kind == EXIT_LOG_WRITE))
        put_master(d->board, out);
    put_values(&d->values, out);
}

/* Whatever comes first was to come later, or not at all. */
static void put_moved(const struct exit_log_difference *d, struct bytes *out)
{
    struct exit_log_entry recorded = *d->recorded;
    struct exit_log_values ignored;
    recorded.instructions = d->now->instructions;
    if (!exit_log_entry_differs(vm_of(d, d->now)->arch->cpu, &recorded, d->now, &ignored)) {
        put_entry(d, d->now, out);
        text_put(out, ": recorded at instruction %" PRIu64 ", now at %" PRIu64,
                 d->recorded->instructions, d->now->instructions);
        return;
    }
    put_entry(d, d->recorded, out);
    text_put(out, " was recorded");
    if (d->recorded->instructions != d->now->instructions)
        text_put(out, " at instruction %" PRIu64, d->recorded->instructions);
    text_put(out, ", now there is ");
    put_entry(d, d->now, out);
    if (d->recorded->instructions != d->now->instructions)
        text_put(out, " at %" PRIu64, d->now->instructions);
}

void difference_text(const struct exit_log_difference *d, struct bytes *out)
{
    const struct exit_log_entry *first = d->now ? d->now : d->recorded;
    if (d->recorded && d->recorded->instructions < first->instructions)
        first = d->recorded;
    put_place(d, first, out);
    text_put(out, ": ");
    if (d->now && d->recorded && (!d->what || d->what == EXIT_LOG_COUNT)) {
        put_moved(d, out);
    } else if (d->now && d->recorded) {
        put_changed(d, out);
    } else if (d->now) {
        put_entry(d, d->now, out);
        text_put(out, " is not in the recording");
    } else {
        put_entry(d, d->recorded, out);
        text_put(out, " was recorded and does not happen");
    }
}

void difference_next(struct board *b, struct bytes *out)
{
    char instruction[INSTRUCTION_TEXT_SIZE];
    if (!b->current)
        return;
    const struct sched_entity *t = &b->schedule.turns[b->schedule.current];
    instruction_text(t->vm, t->vcpu->index, engine_pc(b->engine), instruction, sizeof instruction);
    text_put(out, "vm %s, vcpu %u, next %s", t->vm->name, t->vcpu->index, instruction);
}
