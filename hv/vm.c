/* What a VM offers to everything around it: its memory, its output, its end. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "emu/journal_records.h"
#include "emu/text.h"
#include "hv/hv_internal.h"

void vm_name(const struct vm_config *config, size_t number, char *name, size_t size)
{
    if (config->system)
        snprintf(name, size, "%s", config->system);
    else
        snprintf(name, size, "vm%zu", number + 1);
}

const char *vm_on_exit_name(unsigned what)
{
    static const char *const names[] = {"all", "stop", "restart"};
    return what < sizeof names / sizeof names[0] ? names[what] : NULL;
}

void vm_end(struct vm *vm, int status, const char *format, ...)
{
    if (vm->ended)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(vm->ending, sizeof vm->ending, format, args);
    va_end(args);
    vm->ended = true;
    vm->exit_status = status;
    vm->was_stopped = false;
    vm->may_restart =
        (status >= STATUS_WATCHDOG && status <= STATUS_UNEXPECTED) || status == STATUS_STARTED;
    engine_tell_changes(vm->board->engine);
    engine_stop_soon(vm->board->engine);
}

void vm_finish(struct vm *vm)
{
    vm->finished = true;
    for (size_t i = 0; i < vm->vdev_count; i++)
        if (vm->vdevs[i]->type->terminate)
            vm->vdevs[i]->type->terminate(vm->vdevs[i]);
    smmuman_records_report(vm, LOG_SEVERITY_WARN);
    smmuman_units_release(vm);
}

struct vdev *vm_device_of(const struct vm *vm, unsigned channel, unsigned *port)
{
    *port = 0;
    if (channel < VM_VDEVS_MAX)
        return channel < vm->vdev_count ? vm->vdevs[channel] : NULL;
    for (size_t i = 0; i < vm->vdev_count; i++) {
        struct vdev *v = vm->vdevs[i];
        if (channel < v->more_channels || channel - v->more_channels >= v->port_count - 1)
            continue;
        *port = channel - v->more_channels + 1;
        return v;
    }
    return NULL;
}

void vm_channel_name(const struct vm *vm, unsigned channel, char *name, size_t size)
{
    unsigned port;
    const struct vdev *v = vm_device_of(vm, channel, &port);
    if (v)
        snprintf(name, size, "%s%s%s", v->name, port ? "." : "", vdev_port_name(v, port));
    else
        snprintf(name, size, "semihosting");
}

unsigned vm_input_channel(const struct vm *vm, const char *name)
{
    for (unsigned channel = 0; channel < vm->channel_count; channel++) {
        char its[VM_CHANNEL_NAME];
        unsigned port;
        const struct vdev *v = vm_device_of(vm, channel, &port);
        if (!v || !v->type->input)
            continue;
        vm_channel_name(vm, channel, its, sizeof its);
        if (!name || strcmp(its, name) == 0)
            return channel;
    }
    return VM_CHANNELS;
}

uint64_t vm_exits(const struct vm *vm)
{
    uint64_t exits = 0;
    for (unsigned i = 0; i < EXIT_REASONS; i++)
        exits += i == EXIT_PASS ? 0 : vm->exits[i];
    return exits;
}

void vm_log_status(const struct vm *vm)
{
    uint64_t exits = vm_exits(vm);
    log_write(&vm->log, LOG_SEVERITY_INFO, "VM %s: %" PRIu64 " ns, %" PRIu64 " guest %s, %u %s",
              vm->name, vtime_ns(&vm->board->vtime), exits, text_plural(exits, "exit", "exits"),
              vm->vcpu_count, text_plural(vm->vcpu_count, "vCPU", "vCPUs"));
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        log_write(&vm->log, LOG_SEVERITY_INFO, "  vCPU %u: %s", i, vcpu_activity(vm->vcpus[i]));
    for (size_t i = 0; i < vm->vdev_count; i++) {
        const struct vdev *v = vm->vdevs[i];
        uint64_t reads, writes;
        char text[128] = "", lost[64] = "";
        if (i < vm->config->vdev_count && vm->config->vdevs[i].not_in_status)
            continue; /* devices of the board come behind those of the configuration */
        bus_counts(&vm->bus, v, &reads, &writes);
        if (v->type->status)
            v->type->status(v, text, sizeof text);
        if (vm->pending[i].frames_lost)
            snprintf(lost, sizeof lost, ", %" PRIu64 " lost %s", vm->pending[i].frames_lost,
                     text_plural(vm->pending[i].frames_lost, "frame", "frames"));
        log_write(&vm->log, LOG_SEVERITY_INFO, "  vdev %s: %" PRIu64 " %s, %" PRIu64 " %s%s%s%s",
                  v->name, reads, text_plural(reads, "read", "reads"), writes,
                  text_plural(writes, "write", "writes"), lost, text[0] ? ", " : "", text);
    }
    smmuman_records_status(vm);
}

void vm_dump(struct vm *vm, const char *why)
{
    if (!vm->config->dump)
        log_write(&vm->log, LOG_SEVERITY_WARN,
                  "no dump of the guest: 'dump' is not configured (%s)", why);
    else
        snprintf(vm->dump_why, sizeof vm->dump_why, "%s", why);
    engine_stop_soon(vm->board->engine);
}

void vm_safe_state(struct vm *vm, const char *format, ...)
{
    char why[200];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    if (vm->ended)
        return;
    if (vm->config->dump)
        vm_dump(vm, why);
    vm_end(vm, STATUS_STARTED, "design safe state: %s", why);
}

/* Into the digest, behind what it is. */
static void add_output(struct vm *vm, uint32_t what, const void *data, size_t size)
{
    uint8_t header[4];
    store_le(header, what, sizeof header);
    sha256_add(&vm->output, header, sizeof header);
    sha256_add(&vm->output, data, size);
}

void vm_output(void *context, unsigned channel, const void *data, size_t size)
{
    struct vm *vm = context;
    add_output(vm, (uint32_t)channel << 24 | (uint32_t)size, data, size);
    const struct board_sinks *sinks = &vm->board->sinks;
    if (sinks->output)
        sinks->output(sinks->context, vm->number, channel, data, size);
}

void vm_output_frame(struct vm *vm, unsigned channel, const struct vdev_frame *frame)
{
    uint32_t what = (uint32_t)channel << 24 | (uint32_t)1 << 23 | (uint32_t)frame->size;
    add_output(vm, what, frame->data, frame->size);
}

static bool copy(struct vm *vm, gpa_t at, uint8_t *bytes, uint64_t size, bool write)
{
    struct memory *m = &vm->board->memory;
    while (size) {
        struct guest_page leaf;
        uint64_t in_page = at.v & PAGE_MASK;
        uint64_t part = PAGE_SIZE - in_page < size ? PAGE_SIZE - in_page : size;
        if (!guest_tables_find(vm->tables, m, at, &leaf))
            return false;
        uint8_t *host =
            memory_at(m, hpa(leaf.page.v + in_page), part, write ? MEMORY_WRITE : MEMORY_READ);
        if (!host)
            return false;
        memcpy(write ? host : bytes, write ? bytes : host, part);
        at.v += part;
        bytes += part;
        size -= part;
    }
    return true;
}

bool vm_read(struct vm *vm, gpa_t from, void *to, uint64_t size)
{
    return copy(vm, from, to, size, false);
}

bool vm_write(struct vm *vm, gpa_t to, const void *from, uint64_t size)
{
    return copy(vm, to, (uint8_t *)(uintptr_t)from, size, true);
}
