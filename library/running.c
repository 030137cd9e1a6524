/* Machines run: what comes out of them goes to callbacks, what comes in is what the caller gave. */
#include <string.h>

#include "library/library_internal.h"
#include "qvm/host/host.h"
#include "qvm/pull.h"

static void stop_at(struct qvm_machine *m, enum qvm_stop why)
{
    m->stop = why;
    m->board->pause_wanted = true;
    engine_stop_soon(m->board->engine);
}

/* Outputs -----------------------------------------------------------------------------------------
 */

static void on_output(void *context, unsigned vm, unsigned channel, const void *data, size_t size)
{
    struct qvm_machine *m = context;
    size_t number = vm * VM_CHANNELS + channel;
    char name[VM_CHANNEL_NAME];
    vm_channel_name(m->board->vms[vm], channel, name, sizeof name);
    if (m->callbacks.output)
        m->callbacks.output(m->callbacks.context, vm, name, data, size);
    if (m->text.text && text_watch_saw(&m->text, number, data, size))
        stop_at(m, QVM_STOP_TEXT);
}

static struct qvm_exit exit_of(const struct board_event *event)
{
    const struct guest_exit *x = event->exit;
    return (struct qvm_exit){
        .vm = event->vm->number,
        .vcpu = event->vcpu,
        .reason = arch_exit_name(event->vm->arch->cpu, x->reason),
        .handler = x->handler ? x->handler : "",
        .instructions = event->instructions,
        .pc = x->pc.v,
        .virtual_address = x->gva.v,
        .guest_physical = x->gpa.v,
        .value = x->value,
        .size = x->size,
        .is_write = x->is_write,
    };
}

static void on_event(void *context, const struct board_event *event)
{
    struct qvm_machine *m = context;
    if (event->id != EVENT_GUEST_EXIT || !event->exit)
        return;
    const struct qvm_exit x = exit_of(event);
    if (m->callbacks.guest_exit)
        m->callbacks.guest_exit(m->callbacks.context, &x);
    if (m->stops_at_exit)
        stop_at(m, QVM_STOP_EXIT);
}

static void on_log(void *context, unsigned vm, enum log_severity severity, unsigned outlets,
                   const char *line)
{
    struct qvm_machine *m = context;
    if (m->callbacks.log && outlets)
        m->callbacks.log(m->callbacks.context, vm, log_severity_name(severity), line);
}

static bool on_file(void *context, const char *folder, const char *name, const void *data,
                    size_t size, struct error *e)
{
    struct qvm_machine *m = context;
    return (m->callbacks.file &&
            m->callbacks.file(m->callbacks.context, folder, name, data, size)) ||
           error_set(e, "whoever runs the machine does not take the file '%s'", name);
}

/* Time goes on at once. */
static bool on_idle(void *context, uint64_t ns, uint64_t *passed_ns)
{
    struct qvm_machine *m = context;
    *passed_ns = ns == UINT64_MAX ? 0 : ns;
    if (ns != UINT64_MAX)
        return true;
    m->stop = QVM_STOP_WAITS;
    m->board->pause_wanted = true;
    return !m->input_ended;
}

struct board_sinks library_sinks(struct qvm_machine *m)
{
    return (struct board_sinks){
        .output = on_output, .file = on_file, .idle = on_idle, .log = on_log, .context = m};
}

/* Inputs ------------------------------------------------------------------------------------------
 */

static bool pull(void *context, enum pull_kind kind, const char *key, size_t size,
                 struct bytes *out, struct error *e)
{
    struct qvm_machine *m = context;
    return pull_from_host(&m->settings, &m->files, kind, key, size, out, e);
}

static enum range_answer read_range(void *context, const char *path, uint64_t offset, size_t size,
                                    struct bytes *out)
{
    return files_read(&((struct qvm_machine *)context)->files, path, offset, size, out);
}

static enum probe_answer probe(void *context, const char *folder, const char *name, size_t limit,
                               struct bytes *out)
{
    (void)context;
    return host_read_below(folder, name, limit, out);
}

static uint64_t next_input(void *context)
{
    const struct qvm_machine *m = context;
    return m->input_used < m->input.size ? m->input_tick : EVENT_NEVER;
}

static bool poll_input(void *context, struct push *p)
{
    struct qvm_machine *m = context;
    if (vtime_ticks(&m->board->vtime) < next_input(m))
        return false;
    const struct input_chunk *chunk = (const void *)(m->input.data + m->input_used);
    *p = (struct push){
        .kind = PUSH_CONSOLE, .target = chunk->target, .size = chunk->size, .data = chunk->data};
    m->input_used += sizeof *chunk;
    return true;
}

struct journal_host library_host(struct qvm_machine *m)
{
    return (struct journal_host){.pull = pull,
                                 .probe = probe,
                                 .read = read_range,
                                 .next = next_input,
                                 .poll = poll_input,
                                 .context = m};
}

void library_forget_input(struct qvm_machine *m)
{
    bytes_clear(&m->input);
    m->input_used = 0;
}

static bool is_connected(const struct vdev *v)
{
    bool is = false;
    size_t count;
    const struct vdev_option *o = vdev_port_options(v, 0, &count);
    for (size_t i = 0; i < count; i++)
        is |= strcmp(o[i].name, "hostdev") == 0 && strcmp(o[i].value, "-") == 0;
    return is;
}

/* Its channel, or VM_CHANNELS. */
static unsigned find_console(const struct vm *vm, const char *device)
{
    if (device)
        return vm_input_channel(vm, device);
    for (unsigned i = 0; i < vm->vdev_count; i++)
        if (vm->vdevs[i]->type->input && is_connected(vm->vdevs[i]))
            return i;
    return vm_input_channel(vm, NULL);
}

static void add_input(struct qvm_machine *m, uint16_t target, const uint8_t *data, size_t size)
{
    if (m->input_used == m->input.size)
        library_forget_input(m);
    for (size_t part; size; data += part, size -= part) {
        struct input_chunk chunk = {.target = target};
        part = size < sizeof chunk.data ? size : sizeof chunk.data;
        chunk.size = (uint16_t)part;
        memcpy(chunk.data, data, part);
        bytes_put(&m->input, &chunk, sizeof chunk);
    }
    m->input_tick = vtime_ticks(&m->board->vtime) + 1;
}

bool qvm_input(struct qvm_machine *m, unsigned vm, const char *device, const void *data,
               size_t size, struct qvm_error *e)
{
    struct guard g;
    if (!guard_enter(&g, m, e) || setjmp(g.back))
        return guard_failed(&g);
    struct vm *to = library_vm(m, vm, e);
    unsigned number = to ? find_console(to, device) : 0;
    bool ok = to && (number < VM_CHANNELS ||
                     failure_set(e, QVM_USAGE, "VM '%s' has no console%s%s%s", to->name,
                                 device ? " '" : "", device ? device : "", device ? "'" : ""));
    if (ok)
        add_input(m, (uint16_t)(vm << 8 | number), data, size);
    guard_leave(&g);
    return ok;
}

void qvm_end_input(struct qvm_machine *m)
{
    m->input_ended = true;
}

/* Running -----------------------------------------------------------------------------------------
 */

/* In the guard of whoever calls. */
static enum qvm_stop run_to(struct qvm_machine *m, uint64_t instructions)
{
    struct board *b = m->board;
    m->stop = QVM_STOP_INSTRUCTION;
    b->sinks.event = m->callbacks.guest_exit || m->stops_at_exit ? on_event : NULL;
    m->running = true;
    bool ended = board_run_to(b, instructions);
    m->running = false;
    return ended ? QVM_STOP_END : m->stop;
}

enum qvm_stop qvm_run(struct qvm_machine *m, uint64_t instructions, struct qvm_error *e)
{
    struct guard g;
    if (!guard_enter(&g, m, e) || setjmp(g.back))
        return guard_failed(&g), QVM_STOP_ERROR;
    enum qvm_stop stop = run_to(m, instructions);
    guard_leave(&g);
    return stop;
}

enum qvm_stop qvm_run_to_exit(struct qvm_machine *m, uint64_t instructions, struct qvm_error *e)
{
    if (m->running)
        return qvm_run(m, instructions, e);
    m->stops_at_exit = true;
    enum qvm_stop stop = qvm_run(m, instructions, e);
    m->stops_at_exit = false;
    return stop;
}

enum qvm_stop qvm_run_to_text(struct qvm_machine *m, const char *text, uint64_t instructions,
                              struct qvm_error *e)
{
    struct guard g;
    if (!text || !*text)
        return failure_set(e, QVM_USAGE, "there is no text to wait for"), QVM_STOP_ERROR;
    if (!guard_enter(&g, m, e) || setjmp(g.back))
        return guard_failed(&g), QVM_STOP_ERROR;
    text_watch_init(&m->text, text, m->vm_count * VM_CHANNELS);
    enum qvm_stop stop = run_to(m, instructions);
    text_watch_free(&m->text);
    guard_leave(&g);
    return stop;
}

void qvm_stop(struct qvm_machine *m)
{
    if (m->running)
        stop_at(m, QVM_STOP_ASKED);
}
