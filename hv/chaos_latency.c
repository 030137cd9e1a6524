/* Interrupts on their way, under chaos. */
#include "hv/chaos.h"
#include "hv/hv_internal.h"

static void deliver(void *context, uint64_t due_ticks)
{
    struct chaos_delay *d = context;
    (void)due_ticks;
    deliver_interrupts(d->vm, d->vcpu, d->irq, d->fiq);
}

void chaos_signal(struct vm *vm, unsigned vcpu, bool irq, bool fiq)
{
    struct board *b = vm->board;
    struct chaos_delay *d = &vm->delays[vcpu];
    const struct vcpu *v = vm->vcpus[vcpu];
    d->irq = irq;
    d->fiq = fiq;
    deliver_interrupts(vm, vcpu, v->irq && irq, v->fiq && fiq);
    bool more = (irq && !v->irq) || (fiq && !v->fiq);
    if (!more || d->event.when_ticks != EVENT_NEVER)
        return;
    uint64_t now = engine_executed(b->engine) + b->vtime.idle_ticks; /* not at the last stop */
    event_at(&b->events, &d->event, now + chaos_latency(&b->options.chaos, vm->number, vcpu, now));
    engine_stop_soon(b->engine);
}

void chaos_start(struct board *b, uint64_t seed)
{
    bool was_on = b->vms[0]->delays[0].vm != NULL;
    b->options.chaos = (struct chaos){.on = true, .seed = seed};
    /* A quantum that ended while nobody waited: under chaos it ends in any case. */
    if (b->schedule.quantum_end <= b->vtime.instructions)
        b->schedule.current_is_over = true;
    for (size_t i = 0; i < b->vm_count && !was_on; i++)
        for (unsigned k = 0; k < b->vms[i]->vcpu_count; k++) {
            struct chaos_delay *d = &b->vms[i]->delays[k];
            const struct vcpu *v = b->vms[i]->vcpus[k];
            *d = (struct chaos_delay){.vm = b->vms[i], .vcpu = k, .irq = v->irq, .fiq = v->fiq};
            d->event = (struct event){.name = "late interrupt", .fire = deliver, .context = d};
            event_add(&b->events, &d->event);
        }
}

void chaos_forget(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count && vm->board->options.chaos.on; i++) {
        vm->delays[i].irq = vm->delays[i].fiq = false;
        event_at(&vm->board->events, &vm->delays[i].event, EVENT_NEVER);
    }
}

/* State -------------------------------------------------------------------------------------------
 */

void chaos_save(const struct board *b, struct bytes *out)
{
    for (size_t i = 0; i < b->vm_count && b->options.chaos.on; i++)
        for (unsigned k = 0; k < b->vms[i]->vcpu_count; k++) {
            const struct chaos_delay *d = &b->vms[i]->delays[k];
            bytes_put_int(out, d->irq, 1);
            bytes_put_int(out, d->fiq, 1);
            bytes_put_int(out, b->vms[i]->vcpus[k]->irq, 1);
            bytes_put_int(out, b->vms[i]->vcpus[k]->fiq, 1);
            bytes_put_int(out, d->event.when_ticks, 8);
        }
}

bool chaos_restore(struct board *b, struct reader *in)
{
    for (size_t i = 0; i < b->vm_count && b->options.chaos.on; i++)
        for (unsigned k = 0; k < b->vms[i]->vcpu_count; k++) {
            struct chaos_delay *d = &b->vms[i]->delays[k];
            d->irq = reader_bool(in, "a delayed interrupt");
            d->fiq = reader_bool(in, "a delayed interrupt");
            bool irq = reader_bool(in, "an interrupt line"),
                 fiq = reader_bool(in, "an interrupt line");
            vcpu_set_interrupts(b->vms[i]->vcpus[k], irq, fiq);
            event_at(&b->events, &d->event, reader_int(in, 8));
        }
    return !in->failed;
}
