/* Interrupts on their way, under chaos. */
#include "hv/chaos.h"
#include "hv/hv_internal.h"

static void deliver(void *context, uint64_t due_ticks)
{
    struct chaos_delay *d = context;
    (void)due_ticks;
    interrupts_deliver(d->vm, d->vcpu, d->signals);
}

void chaos_signal(struct vm *vm, unsigned vcpu, unsigned signals)
{
    struct board *b = vm->board;
    struct chaos_delay *d = &vm->delays[vcpu];
    const struct vcpu *v = vm->vcpus[vcpu];
    d->signals = signals;
    interrupts_deliver(vm, vcpu, v->signals & signals);
    if (!(signals & ~v->signals) || d->event.when_ticks != EVENT_NEVER)
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
            *d = (struct chaos_delay){.vm = b->vms[i], .vcpu = k, .signals = v->signals};
            d->event = (struct event){.name = "late interrupt", .fire = deliver, .context = d};
            event_add(&b->events, &d->event);
        }
}

void chaos_forget(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count && vm->board->options.chaos.on; i++) {
        vm->delays[i].signals = 0;
        event_at(&vm->board->events, &vm->delays[i].event, EVENT_NEVER);
    }
}

/* State -------------------------------------------------------------------------------------------
 */

static void visit_delay(struct chaos_delay *d, unsigned turn, struct state *s)
{
    struct vcpu *v = d->vm->vcpus[d->vcpu];
    state_within(s, "turn %u, on its way: ", turn);
    d->signals = vcpu_visit_signals(v->world->arch, s, d->signals);
    state_within(s, "turn %u: ", turn);
    unsigned signals = vcpu_visit_signals(v->world->arch, s, v->signals);
    if (state_restores(s))
        vcpu_set_signals(v, signals);
    event_visit(&d->vm->board->events, &d->event, s, "when an interrupt arrives");
}

void chaos_visit(struct board *b, struct state *s)
{
    for (unsigned i = 0; i < b->schedule.turn_count && b->options.chaos.on; i++) {
        const struct sched_entity *t = &b->schedule.turns[i];
        visit_delay(&t->vm->delays[t->vcpu->index], i, s);
    }
    state_within(s, NULL, 0);
}
