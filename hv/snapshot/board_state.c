/* The state of the whole machine: everything that decides what happens next, in a fixed order;
 * saved for digests and snapshots, and restored. What is derived from it (wires, events, the
 * engine's translations) is recomputed. */
#include "hv/hv_internal.h"

/* VMs ---------------------------------------------------------------------------------------------
 */

static void visit_pending(struct state *s, const struct vdev_type *type, struct pending_input *p)
{
    size_t most = type->frame ? PENDING_FRAMES_MAX : type->input ? PENDING_INPUT_MAX : 0;
    p->size = state_count(s, "bytes of input that wait", p->size, 8, most);
    state_bytes(s, "input that waits", p->data, p->size);
    if (state_restores(s) && type->frame && p->size && !frames_are_good(p->data, p->size))
        state_refuse(s, "input that waits");
}

static void visit_device(struct vm *vm, size_t i, struct state *s)
{
    struct vdev *v = vm->vdevs[i];
    state_part(s, "vm %s, vdev %s", vm->name, v->name);
    vdev_visit(v, s);
    visit_pending(s, v->type, &vm->pending[i]);
    for (unsigned port = 1; port < v->port_count; port++) {
        state_part(s, "vm %s, vdev %s, port %s", vm->name, v->name, vdev_port_name(v, port));
        visit_pending(s, v->type, &vm->pending[vdev_channel(v, port)]);
    }
}

/* The digest of all output so far, before its end. */
static void visit_output(struct sha256 *output, struct state *s)
{
    state_row(s, "SHA-256 so far", output->h, sizeof output->h[0], 8);
    output->length_bytes = state_value(s, "bytes", output->length_bytes, 8);
    state_bytes(s, "last bytes", output->block, output->length_bytes % sizeof output->block);
}

static void visit_vm(struct vm *vm, struct state *s)
{
    for (size_t i = 0; i < vm->vdev_count && state_is_good(s); i++)
        visit_device(vm, i, s);
    state_part(s, "vm %s, its power state and counts", vm->name);
    event_visit(&vm->board->events, &vm->input_retry, s, "when input is offered again");
    if (vm->semihosting)
        semihosting_visit(vm->semihosting, s);
    vm->ended = state_bool(s, "whether the VM has ended", vm->ended);
    vm->finished = state_bool(s, "whether the VM is finished", vm->finished);
    vm->may_restart = state_bool(s, "whether the VM may restart", vm->may_restart);
    vm->button_pressed = state_bool(s, "whether the power button was pressed", vm->button_pressed);
    vm->restarts = (unsigned)state_value(s, "restarts", vm->restarts, 4);
    vm->exit_status = (int)state_up_to(s, "exit status", (uint64_t)vm->exit_status, 4, UINT8_MAX);
    vm->entropy_pulls = state_value(s, "pulls of entropy", vm->entropy_pulls, 8);
    state_part(s, "vm %s, what it printed", vm->name);
    visit_output(&vm->output, s);
}

/* The board ---------------------------------------------------------------------------------------
 */

/* No run comes there, and sums do not overflow. */
#define TICKS_MAX (UINT64_MAX >> 2)

static void visit_time(struct board *b, struct state *s)
{
    state_part(s, "time");
    b->vtime.instructions = state_up_to(s, "instructions", b->vtime.instructions, 8, TICKS_MAX);
    b->vtime.idle_ticks = state_up_to(s, "idle ticks", b->vtime.idle_ticks, 8, TICKS_MAX);
    if (state_restores(s))
        engine_set_executed(b->engine, b->vtime.instructions);
}

/* Registers are in the engine while their vCPU is loaded and in a context otherwise; looking at the
 * others loads them in passing, which changes nothing as no instruction runs. */
static void visit_vcpus(struct board *b, struct state *s)
{
    for (size_t i = 0; i < b->schedule.turn_count && state_is_good(s); i++) {
        const struct sched_entity *t = &b->schedule.turns[i];
        state_part(s, "vm %s, vcpu %u", t->vm->name, t->vcpu->index);
        vcpu_visit(t->vcpu, b->current, s);
    }
}

/* Wires and events follow from what was restored. Interrupt controllers first: wires end there. */
static void resume(struct board *b)
{
    smmuman_restored(b);
    for (size_t i = 0; i < b->vm_count; i++) {
        struct vm *vm = b->vms[i];
        vm->injecting_is_muted = true;
        bus_close_opened(&vm->bus);
        guest_dma_changed(vm);
        for (size_t k = 0; k < vm->vdev_count; k++)
            if (vm->vdevs[k]->type->restored)
                vm->vdevs[k]->type->restored(vm->vdevs[k]);
    }
    b->current = NULL;
    for (uint32_t i = 0; i < b->schedule.turn_count; i++) {
        struct vcpu *v = b->schedule.turns[i].vcpu;
        bool in_engine = i == b->schedule.current;
        vcpu_resume(v, in_engine);
        if (in_engine)
            b->current = v;
    }
}

static void plan_digest(struct board *b)
{
    uint64_t every = b->options.digest_every;
    if (every)
        b->next_digest = (b->vtime.instructions / every + 1) * every;
}

void board_visit(struct board *b, struct state *s)
{
    visit_time(b, s);
    state_part(s, "schedule");
    schedule_visit(&b->schedule, s);
    visit_vcpus(b, s);
    for (size_t i = 0; i < b->vm_count; i++)
        visit_vm(b->vms[i], s);
    state_part(s, "regions of shared memory");
    if (b->shmem)
        shmem_regions_visit(b->shmem, s);
    smmuman_visit(b, s);
    network_visit(b->network, s);
    if (!state_is_good(s))
        return;
    if (state_restores(s))
        resume(b);
    for (size_t i = 0; i < b->vm_count; i++)
        inject_visit(b->vms[i], s);
    state_part(s, "chaos");
    chaos_visit(b, s);
    if (!state_restores(s))
        return;
    b->last_tick = b->turns_at_tick = b->next_poll = 0;
    plan_digest(b);
    inject_plan(b);
}

void board_search(struct board *b, struct state_search *search)
{
    const struct state_listener listener = state_searching(search);
    struct bytes bytes = {0};
    struct state s = state_telling(&bytes, &listener);
    board_visit(b, &s);
    bytes_free(&bytes);
}

struct digest board_digest(struct board *b)
{
    struct bytes bytes = {0};
    struct state state = state_saving(&bytes);
    board_visit(b, &state);
    struct sha256 s;
    sha256_init(&s);
    sha256_add(&s, bytes.data, bytes.size);
    bytes_free(&bytes);
    memory_digest(&b->memory, &s);
    engine_flush_tlb(b->engine); /* pages are clean again: their next write must be seen */
    return sha256_end(&s);
}
