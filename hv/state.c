/* The digest of the whole machine: everything that decides what happens next, in a fixed order. */
#include <string.h>

#include "hv/hv_internal.h"

/* vCPU registers are in the engine while loaded and in a context otherwise; looking at the others
 * loads them in passing, which changes nothing as no instruction runs. */
static void save_vcpus(struct board *b, struct bytes *out)
{
    for (size_t i = 0; i < b->schedule.turn_count; i++)
        vcpu_save(b->schedule.turns[i].vcpu, b->current, out);
}

static void save_devices(const struct vm *vm, struct bytes *out)
{
    for (size_t i = 0; i < vm->vdev_count; i++) {
        fields_save(vm->vdevs[i]->type->fields, vm->vdevs[i], out);
        bytes_put_int(out, vm->pending[i].size, 8);
        bytes_put(out, vm->pending[i].data, vm->pending[i].size);
    }
    bytes_put_int(out, vm->input_retry.when_ticks, 8);
    semihosting_save(vm->semihosting, out);
    bytes_put_int(out, vm->ended, 1);
    bytes_put_int(out, vm->button_pressed, 1);
    bytes_put_int(out, vm->restarts, 4);
    bytes_put_int(out, (uint64_t)vm->exit_status, 4);
    struct sha256 output = vm->output;
    struct digest printed = sha256_end(&output);
    bytes_put(out, printed.b, sizeof printed.b);
}

struct digest board_digest(struct board *b)
{
    struct bytes state = {0};
    bytes_put_int(&state, b->vtime.instructions, 8);
    bytes_put_int(&state, b->vtime.idle_ticks, 8);
    schedule_save(&b->schedule, &state);
    save_vcpus(b, &state);
    for (size_t i = 0; i < b->vm_count; i++)
        save_devices(b->vms[i], &state);
    if (b->shmem)
        shmem_regions_save(b->shmem, &state);
    struct sha256 s;
    sha256_init(&s);
    sha256_add(&s, state.data, state.size);
    bytes_free(&state);
    memory_digest(&b->memory, &s);
    engine_flush_tlb(b->engine); /* pages are clean again: their next write must be seen */
    return sha256_end(&s);
}
