#include "hv/events.h"

#include "hv/hv_internal.h"

static struct board_event begin(const struct board *b, enum event_id id, const struct vm *vm,
                                unsigned vcpu)
{
    return (struct board_event){
        .id = id,
        .instructions = b->vtime.instructions,
        .ticks = vtime_ticks(&b->vtime),
        .ns = vtime_ns(&b->vtime),
        .vm = vm,
        .vcpu = vcpu,
    };
}

static void emit(const struct board *b, const struct board_event *event)
{
    b->sinks.event(b->sinks.context, event);
}

static uint64_t guest_cycles(const struct board *b, const struct vm *vm)
{
    return vtime_ticks(&b->vtime) - vm->world.counter_offset;
}

void event_vcpu_created(const struct board *b, const struct vm *vm, unsigned vcpu)
{
    if (!b->sinks.event)
        return;
    struct board_event event = begin(b, EVENT_VCPU_CREATED, vm, vcpu);
    emit(b, &event);
}

void event_interrupt(const struct board *b, const struct vm *vm, unsigned vcpu, unsigned signals)
{
    if (!b->sinks.event)
        return;
    struct board_event event = begin(b, EVENT_INTERRUPT, vm, vcpu);
    event.signals = signals;
    emit(b, &event);
}

void event_entry(struct board *b, struct sched_entity *t, uint64_t pc)
{
    if (!b->sinks.event || t->in_guest)
        return;
    struct board_event event = begin(b, EVENT_GUEST_ENTRY, t->vm, t->vcpu->index);
    t->in_guest = true;
    t->entered_at = guest_cycles(b, t->vm);
    event.guest_ip = pc;
    emit(b, &event);
}

/* The guest's time is told before the exit it ended with. */
static void leave(struct board *b, struct sched_entity *t)
{
    struct board_event event = begin(b, EVENT_GUEST_CYCLES, t->vm, t->vcpu->index);
    event.at_entry = t->entered_at;
    event.at_exit = guest_cycles(b, t->vm);
    t->in_guest = false;
    emit(b, &event);
}

void event_exit(struct board *b, struct sched_entity *t, const struct guest_exit *x,
                enum exit_result result)
{
    if (!b->sinks.event || !t->in_guest)
        return;
    struct board_event event = begin(b, EVENT_GUEST_EXIT, t->vm, t->vcpu->index);
    leave(b, t);
    event.guest_ip = x->pc.v;
    t->vm->arch->trace_arguments(x, &event.reason, &event.hw_payload);
    event.exit = x;
    event.result = result;
    emit(b, &event);
}

void event_preempted(struct board *b, struct sched_entity *t)
{
    if (!b->sinks.event || !t->in_guest)
        return;
    struct board_event event = begin(b, EVENT_GUEST_EXIT, t->vm, t->vcpu->index);
    leave(b, t);
    event.guest_ip = engine_pc(b->engine);
    event.reason = t->vm->arch->preempted_reason;
    emit(b, &event);
}
