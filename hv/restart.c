/* The same VM anew. */
#include <inttypes.h>
#include <string.h>

#include "emu/machine.h"
#include "hv/hv_internal.h"

/* Memory as it was at the start. What no one wrote is zero. */
static bool zero_memory(struct vm *vm, struct error *e)
{
    static const uint8_t zeros[PAGE_SIZE];
    struct memory *m = &vm->board->memory;
    for (size_t i = 0; i < vm->config->ram_count; i++) {
        const struct ram_config *ram = &vm->config->rams[i];
        for (uint64_t done = 0; done < ram->length; done += PAGE_SIZE) {
            struct guest_page leaf;
            bool mapped = guest_tables_find(vm->tables, m, gpa(ram->start + done), &leaf);
            if (mapped && !memory_is_touched(m, leaf.page))
                continue;
            if (!mapped || !vm_write(vm, gpa(ram->start + done), zeros, sizeof zeros))
                return error_set(e, "stage 2 has none of its memory at %#" PRIx64,
                                 ram->start + done);
        }
    }
    return true;
}

/* Their events come where those of the first ones did, as they will in a board that is made from a
 * snapshot. */
static bool make_devices_again(struct vm *vm, struct error *e)
{
    struct event_queue *q = &vm->board->events;
    if (vm->board->options.quirks & QUIRK_RESTARTED_LAST)
        return devices_make(vm, e);
    unsigned added = event_add_again(q, vm->devices_added);
    bool ok = devices_make(vm, e);
    event_add_again(q, added);
    return ok;
}

/* Device memory, stage 2 tables and vCPUs stay what and where they are; their contents begin
 * anew. */
void restart_vm(struct vm *vm)
{
    struct error e = {0};
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        vcpu_stop_timers(vm->vcpus[i]);
    devices_free(vm);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        vcpu_power_off(vm->vcpus[i]);
        vcpu_set_signals(vm->vcpus[i], 0);
    }
    chaos_forget(vm);
    inject_forget(vm);
    memset(vm->asked, 0, sizeof vm->asked);
    for (size_t i = 0; i < VM_CHANNELS; i++)
        vm->pending[i].size = vm->pending[i].frames_lost = 0;
    if (vm->semihosting) {
        semihosting_free(vm->semihosting);
        vm->semihosting = semihosting_new(vm->config->semihosting_dir, vm->board->options.quirks);
    }
    log_write(&vm->log, LOG_SEVERITY_INFO, "VM %s starts again: %s", vm->name, vm->ending);
    vm->ended = vm->finished = vm->may_restart = vm->button_pressed = false;
    vm->exit_status = STATUS_OK;
    vm->restarts++;
    /* Its devices first: whatever else fails, they are there, as a state has something of each. */
    if (!make_devices_again(vm, &e) || !zero_memory(vm, &e) || !blobs_load(vm, &e)) {
        vm_end(vm, STATUS_UNEXPECTED, "it could not be started again: %s", e.text);
        vm_finish(vm);
    }
    engine_flush_code_soon(vm->board->engine);
}
