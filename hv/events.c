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

/* What the stream goes through; NULL: there is nothing. */
static const char *smmu_of(const struct vm *vm, const struct dma_port *p)
{
    const struct board_config *board = vm->board->config;
    if (!vm->vdevs[p->master]->is_translated)
        return NULL;
    if (p->master < vm->config->vdev_count && vm->config->vdevs[p->master].has_stream)
        return vm->vdevs[vm->config->vdevs[p->master].smmu_index]->name;
    size_t i = board_smmu_of(board, p->stream);
    return i < board->smmu_count ? board->smmus[i].name : NULL;
}

struct dma_master event_dma_master(const struct vm *vm, const struct dma_port *p)
{
    return (struct dma_master){.device = vm->vdevs[p->master]->name,
                               .smmu = smmu_of(vm, p),
                               .stream = p->stream,
                               .substream = p->substream};
}

/* Of type dma_watch.refused. */
void event_dma_refused(void *context, const struct dma_port *p, const struct dma_fault *fault)
{
    const struct vm *vm = context;
    const struct board *b = vm->board;
    const struct vcpu *current = b->current;
    if (!b->sinks.event)
        return;
    bool is_its =
        current && current->index < vm->vcpu_count && vm->vcpus[current->index] == current;
    struct board_event event = begin(b, EVENT_DMA_REFUSED, vm, is_its ? current->index : 0);
    event.dma = (struct dma_refusal){.by = event_dma_master(vm, p),
                                     .iova = fault->at.v,
                                     .is_write = fault->is_write,
                                     .where = fault->where ? fault->where : "the port",
                                     .reason = dma_fault_reason(fault->kind),
                                     .record = fault->event};
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
