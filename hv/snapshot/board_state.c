/* The state of the whole machine: everything that decides what happens next, in a fixed order;
 * saved for digests and snapshots, and restored. What is derived from it (wires, events, the
 * engine's translations) is recomputed. */
#include <string.h>

#include "hv/config/config_strings.h"
#include "hv/hv_internal.h"
#include "hv/snapshot/state_parts.h"

/* Parts -------------------------------------------------------------------------------------------
 */

/* What was appended since the part before is one. */
static void part(struct state_parts *parts, enum state_part_kind kind, struct vm *vm,
                 unsigned index, const struct bytes *out)
{
    if (!parts)
        return;
    size_t begin = parts->count ? parts->list[parts->count - 1].end : 0;
    parts->list = array_grow(parts->list, parts->count, sizeof *parts->list);
    parts->list[parts->count++] = (struct state_part){kind, vm, index, begin, out->size};
}

/* VMs ---------------------------------------------------------------------------------------------
 */

static void save_output(const struct vm *vm, struct bytes *out)
{
    size_t waiting = vm->output.length_bytes % sizeof vm->output.block;
    for (unsigned i = 0; i < 8; i++)
        bytes_put_int(out, vm->output.h[i], 4);
    bytes_put_int(out, vm->output.length_bytes, 8);
    bytes_put(out, vm->output.block, waiting);
}

static void restore_output(struct vm *vm, struct reader *in)
{
    for (unsigned i = 0; i < 8; i++)
        vm->output.h[i] = (uint32_t)reader_int(in, 4);
    vm->output.length_bytes = reader_int(in, 8);
    size_t waiting = vm->output.length_bytes % sizeof vm->output.block;
    const uint8_t *block = reader_bytes(in, waiting);
    if (block)
        memcpy(vm->output.block, block, waiting);
}

static void save_vm(struct vm *vm, struct bytes *out, struct state_parts *parts)
{
    for (unsigned i = 0; i < vm->vdev_count; i++) {
        fields_save(vm->vdevs[i]->type->fields, vm->vdevs[i], out);
        bytes_put_int(out, vm->pending[i].size, 8);
        bytes_put(out, vm->pending[i].data, vm->pending[i].size);
        part(parts, STATE_PART_VDEV, vm, i, out);
    }
    bytes_put_int(out, vm->input_retry.when_ticks, 8);
    semihosting_save(vm->semihosting, out);
    bytes_put_int(out, vm->ended, 1);
    bytes_put_int(out, vm->finished, 1);
    bytes_put_int(out, vm->may_restart, 1);
    bytes_put_int(out, vm->button_pressed, 1);
    bytes_put_int(out, vm->restarts, 4);
    bytes_put_int(out, (uint64_t)vm->exit_status, 4);
    bytes_put_int(out, vm->entropy_pulls, 8);
    part(parts, STATE_PART_VM, vm, 0, out);
    save_output(vm, out);
    part(parts, STATE_PART_OUTPUT, vm, 0, out);
}

static bool restore_device(struct vm *vm, size_t i, struct reader *in)
{
    struct pending_input *p = &vm->pending[i];
    if (!fields_restore(vm->vdevs[i]->type->fields, vm->vdevs[i], in))
        return false;
    const struct vdev_type *type = vm->vdevs[i]->type;
    uint64_t size = reader_int(in, 8);
    uint64_t most = type->frame ? PENDING_FRAMES_MAX : type->input ? PENDING_INPUT_MAX : 0;
    const uint8_t *data = size <= most ? reader_bytes(in, (size_t)size) : NULL;
    if (size > most || (type->frame && data && !inputs_are_frames(data, (size_t)size)))
        return reader_refuse(in, "pending input");
    p->size = data ? (size_t)size : 0;
    if (p->size)
        memcpy(p->data, data, p->size);
    return data != NULL;
}

static bool restore_vm(struct vm *vm, struct reader *in)
{
    for (size_t i = 0; i < vm->vdev_count; i++)
        if (!restore_device(vm, i, in))
            return false;
    event_at(&vm->board->events, &vm->input_retry, reader_int(in, 8));
    if (!semihosting_restore(vm->semihosting, in))
        return false;
    vm->ended = reader_bool(in, "whether the VM has ended");
    vm->finished = reader_bool(in, "whether the VM is finished");
    vm->may_restart = reader_bool(in, "whether the VM may restart");
    vm->button_pressed = reader_bool(in, "whether the power button was pressed");
    vm->restarts = (unsigned)reader_int(in, 4);
    vm->exit_status = (int)(reader_int(in, 4) & 0xff);
    vm->entropy_pulls = reader_int(in, 8);
    restore_output(vm, in);
    return !in->failed;
}

/* The board ---------------------------------------------------------------------------------------
 */

/* vCPU registers are in the engine while loaded and in a context otherwise; looking at the others
 * loads them in passing, which changes nothing as no instruction runs. */
void board_save_parts(struct board *b, struct bytes *out, struct state_parts *parts)
{
    bytes_put_int(out, b->vtime.instructions, 8);
    bytes_put_int(out, b->vtime.idle_ticks, 8);
    part(parts, STATE_PART_TIME, NULL, 0, out);
    schedule_save(&b->schedule, out);
    part(parts, STATE_PART_SCHEDULE, NULL, 0, out);
    for (size_t i = 0; i < b->schedule.turn_count; i++) {
        const struct sched_entity *t = &b->schedule.turns[i];
        vcpu_save(t->vcpu, b->current, out);
        part(parts, STATE_PART_VCPU, t->vm, t->vcpu->index, out);
    }
    for (size_t i = 0; i < b->vm_count; i++)
        save_vm(b->vms[i], out, parts);
    if (b->shmem)
        shmem_regions_save(b->shmem, out);
    part(parts, STATE_PART_SHARED, NULL, 0, out);
    chaos_save(b, out);
    part(parts, STATE_PART_CHAOS, NULL, 0, out);
}

void board_save_state(struct board *b, struct bytes *out)
{
    board_save_parts(b, out, NULL);
}

/* No run comes there, and sums do not overflow. */
#define TICKS_MAX (UINT64_MAX >> 2)

static bool restore_parts(struct board *b, struct reader *in)
{
    b->vtime.instructions = reader_int(in, 8);
    b->vtime.idle_ticks = reader_int(in, 8);
    if (b->vtime.instructions > TICKS_MAX || b->vtime.idle_ticks > TICKS_MAX)
        return reader_refuse(in, "the virtual time");
    engine_set_executed(b->engine, b->vtime.instructions);
    if (!schedule_restore(&b->schedule, in))
        return false;
    for (size_t i = 0; i < b->schedule.turn_count; i++)
        if (!vcpu_restore(b->schedule.turns[i].vcpu, in))
            return false;
    for (size_t i = 0; i < b->vm_count; i++)
        if (!restore_vm(b->vms[i], in))
            return false;
    return !b->shmem || shmem_regions_restore(b->shmem, in);
}

/* Wires and events follow from what was restored. Interrupt controllers first: wires end there. */
static void resume(struct board *b)
{
    for (size_t i = 0; i < b->vm_count; i++) {
        struct vm *vm = b->vms[i];
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

bool board_restore_state(struct board *b, struct reader *in)
{
    if (!restore_parts(b, in))
        return false;
    resume(b);
    if (!chaos_restore(b, in))
        return false;
    b->last_tick = b->turns_at_tick = b->next_poll = 0;
    if (b->options.digest_every)
        b->next_digest =
            (b->vtime.instructions / b->options.digest_every + 1) * b->options.digest_every;
    return true;
}

struct digest board_digest(struct board *b)
{
    struct bytes state = {0};
    board_save_state(b, &state);
    struct sha256 s;
    sha256_init(&s);
    sha256_add(&s, state.data, state.size);
    bytes_free(&state);
    memory_digest(&b->memory, &s);
    engine_flush_tlb(b->engine); /* pages are clean again: their next write must be seen */
    return sha256_end(&s);
}
