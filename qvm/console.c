#include "qvm/console.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "qvm/host/host.h"

#define RETRY_NS       100000000 /* how often a device that was not there is looked for */
#define LINE_MAX_BYTES 4096      /* of one of several VMs: a longer line is broken */
#define ESCAPE_KEY     1         /* Ctrl-A: see take_escaped */

/* `-` standard input and output, `>-` and `<-` one of them; `>FILE`, `<FILE`; `>|COMMAND` the input
 * of a command; FILE is a device, for both. */
static void connect(struct console *c, size_t vm, size_t channel, const struct vdev_option *o)
{
    struct console_channel *to = &c->vms[vm].channels[channel];
    const char *name = o->value;
    bool out = *name != '<', in = *name != '>';
    name += *name == '<' || *name == '>';
    to->option = o;
    if (strcmp(name, "-") != 0) {
        to->is_device |= in && out;
        to->out_path = out ? name : to->out_path;
        to->in_path = in ? name : to->in_path;
        return;
    }
    to->to_stdout |= out;
    c->keyboards += in;
    if (in && c->input_target < 0)
        c->input_target = (int)(vm << 8 | channel);
}

/* `delayed SEC`, `delayed forever`. */
static void read_delay(struct console_channel *to, const struct vdev_option *o)
{
    uint64_t seconds;
    to->delayed = true;
    to->give_up_ns = UINT64_MAX;
    if (vdev_number(o->value, strlen(o->value), 10, &seconds) && seconds < 1000000000)
        to->give_up_ns = host_monotonic_ns() + seconds * 1000000000;
}

static void connect_port(struct console *c, const struct vm *vm, const struct vdev *v,
                         unsigned port)
{
    size_t count, channel = vdev_channel(v, port);
    const struct vdev_option *options = vdev_port_options(v, port, &count);
    for (size_t o = 0; o < count; o++) {
        if (strcmp(options[o].name, "hostdev") == 0)
            connect(c, vm->number, channel, &options[o]);
        if (strcmp(options[o].name, "delayed") == 0)
            read_delay(&c->vms[vm->number].channels[channel], &options[o]);
    }
}

static void connect_device(struct console *c, const struct vm *vm, const struct vdev *v)
{
    for (unsigned port = 0; port < v->port_count; port++)
        connect_port(c, vm, v, port);
}

/* What a disk's `hostdev` names is its contents, and no console's. */
static void connect_devices(struct console *c, const struct vm *vm)
{
    for (size_t i = 0; i < vm->vdev_count; i++)
        if (!vm->vdevs[i]->type->store)
            connect_device(c, vm, vm->vdevs[i]);
}

/* Without `size` its guest has no way to learn one. */
static bool wants_window(const struct board *b, int target)
{
    unsigned port;
    const struct vdev *v = vm_device_of(b->vms[target >> 8], target & 0xff, &port);
    return v->type->resize && port == 0 && vdev_option_find(v, "size");
}

void console_init(struct console *c, const struct board *b, bool realtime)
{
    *c = (struct console){.input_target = -1, .realtime = realtime, .vm_count = b->vm_count};
    c->vms = calloc(c->vm_count, sizeof *c->vms);
    /* Standard input, a debugger, a network, and one for each channel. */
    c->sources = calloc(2 + HOST_NET_SOURCES_MAX + c->vm_count * VM_CHANNELS, sizeof *c->sources);
    CHECK_ROOM(c->vms && c->sources);
    for (size_t i = 0; i < c->vm_count; i++) {
        c->vms[i].name = b->vms[i]->name;
        c->vms[i].channels[VM_CHANNEL_OF_CALLS].to_stdout = true;
        connect_devices(c, b->vms[i]);
    }
    c->has_window = c->input_target >= 0 && wants_window(b, c->input_target);
}

void console_free(struct console *c)
{
    console_close(c);
    for (size_t i = 0; i < c->vm_count; i++)
        for (size_t k = 0; k < VM_CHANNELS; k++)
            bytes_free(&c->vms[i].channels[k].line);
    free(c->vms);
    free(c->sources);
    *c = (struct console){0};
}

void console_detach(struct console *c, struct bytes *printed)
{
    c->printed = printed;
    c->input_target = -1;
}

/* Standard output, or what stands for it. */
static void print(struct console *c, const void *data, size_t size)
{
    if (!c->printed)
        host_print(data, size);
    else if (c->printed->size + size <= CONSOLE_PRINTED_MAX)
        bytes_put(c->printed, data, size);
}

/* A console that goes nowhere looks like a guest that is dead. */
static void warn_of_port(const struct vm *vm, const struct vdev *v, unsigned port)
{
    size_t count;
    const struct vdev_option *options = vdev_port_options(v, port, &count);
    for (size_t o = 0; o < count; o++)
        if (strcmp(options[o].name, "hostdev") == 0)
            return;
    log_write(&vm->log, LOG_SEVERITY_INFO,
              "%s%s%s at %#" PRIx64 " has no hostdev: its output is dropped", v->type->name,
              port ? " port " : "", vdev_port_name(v, port), v->loc);
}

static void warn_of(const struct vm *vm)
{
    for (size_t i = 0; i < vm->vdev_count; i++)
        for (unsigned port = 0; vm->vdevs[i]->type->input && port < vm->vdevs[i]->port_count;
             port++)
            warn_of_port(vm, vm->vdevs[i], port);
}

/* `yes` is the name of a folder. */
static void warn_of_folder(const struct vm *vm)
{
    const char *folder = vm->config->semihosting_dir;
    if (folder && *folder && !host_exists(folder))
        log_write(&vm->log, LOG_SEVERITY_WARN,
                  "set semihosting: there is no folder '%s', so no file in it can be opened "
                  "(`on` is semihosting without files)",
                  folder);
}

void console_warn(const struct console *c, const struct board *b)
{
    for (size_t i = 0; i < b->vm_count; i++) {
        warn_of(b->vms[i]);
        warn_of_folder(b->vms[i]);
    }
    if (c->keyboards < 2 || c->input_target < 0)
        return;
    const struct vm *vm = b->vms[c->input_target >> 8];
    unsigned port;
    const struct vdev *v = vm_device_of(vm, c->input_target & 0xff, &port);
    log_write(&vm->log, LOG_SEVERITY_INFO,
              "%s%s%s at %#" PRIx64 " gets what is typed: the first of %u with hostdev -",
              v->type->name, port ? " port " : "", vdev_port_name(v, port), v->loc, c->keyboards);
}

static bool open_channel(struct console_channel *to, struct error *e)
{
    const char *out = to->out_path;
    if (out && !to->out)
        to->out = out[0] == '|'   ? host_pipe(out + 1, e)
                  : to->is_device ? host_open(out, e)
                                  : host_create(out, e);
    if (to->in_path && !to->in)
        to->in = host_input_open(to->in_path, e);
    return (to->out || !to->out_path) && (to->in || !to->in_path);
}

bool console_connect(struct console *c, struct error *e)
{
    for (size_t i = 0; i < c->vm_count; i++)
        for (size_t k = 0; k < VM_CHANNELS; k++) {
            struct console_channel *to = &c->vms[i].channels[k];
            struct error cause = {0};
            c->files_open += to->in_path != NULL;
            if (!open_channel(to, &cause) && !to->delayed)
                return error_at(e, to->option->file, to->option->line, "%s", cause.text) ||
                       error_exit_status(e, STATUS_CONFIGURATION);
        }
    return true;
}

void console_open(struct console *c, bool live)
{
    c->live = live;
    c->input_ended = c->input_target < 0;
    if (!live)
        return;
    host_catch_signals();
    c->interactive = c->input_target >= 0 && host_console_open();
    if (c->interactive)
        fprintf(stderr, "qvm: Ctrl-A x ends the run, Ctrl-A b sends a BREAK\r\n");
}

static void end_input(struct console *c, struct console_channel *to)
{
    if (to->in)
        host_input_close(to->in);
    to->in = NULL;
    to->in_path = NULL;
    c->files_open--;
}

static void print_line(struct console *c, const struct console_vm *vm,
                       struct console_channel *channel)
{
    print(c, "[", 1);
    print(c, vm->name, strlen(vm->name));
    print(c, "] ", 2);
    print(c, channel->line.data, channel->line.size);
    bytes_clear(&channel->line);
}

static void close_output(struct console *c, struct console_channel *channel)
{
    bool complete = host_close(channel->out);
    channel->out = NULL;
    if (complete)
        return;
    c->output_lost = true;
    fprintf(stderr, "qvm: '%s' is not complete\n", channel->out_path);
}

void console_close(struct console *c)
{
    for (size_t i = 0; i < c->vm_count; i++)
        for (size_t k = 0; k < VM_CHANNELS; k++) {
            struct console_channel *channel = &c->vms[i].channels[k];
            if (channel->line.size) {
                bytes_put(&channel->line, "\n", 1);
                print_line(c, &c->vms[i], channel);
            }
            if (channel->out)
                close_output(c, channel);
            if (channel->in)
                end_input(c, channel);
        }
    host_flush();
    host_console_close();
}

static void print_lines(struct console *c, const struct console_vm *vm,
                        struct console_channel *channel, const char *data, size_t size)
{
    for (; size; data++, size--) {
        bytes_put(&channel->line, data, 1);
        if (*data != '\n' && channel->line.size < LINE_MAX_BYTES)
            continue;
        if (*data != '\n')
            bytes_put(&channel->line, "\n", 1);
        print_line(c, vm, channel);
    }
}

void console_output(struct console *c, unsigned vm, unsigned channel, const void *data, size_t size)
{
    struct console_channel *to = &c->vms[vm].channels[channel];
    if (to->to_stdout && c->vm_count > 1)
        print_lines(c, &c->vms[vm], to, data, size);
    else if (to->to_stdout)
        print(c, data, size);
    else if (to->out)
        host_append(to->out, data, size); /* what it does not take is said when it is closed */
}

static bool signal_push(struct push *p)
{
    switch (host_take_signal()) {
    case HOST_SIGNAL_BUTTON:
        p->kind = PUSH_POWER_BUTTON;
        return true;
    case HOST_SIGNAL_CUT:
        p->kind = PUSH_POWER_CUT;
        return true;
    case HOST_SIGNAL_STATUS:
        p->kind = PUSH_STATUS;
        return true;
    case HOST_SIGNAL_DUMP:
        p->kind = PUSH_DUMP;
        return true;
    default:
        return false;
    }
}

/* Ctrl-A and a key: x ends the run, b is a BREAK, any other is sent. */
static bool take_escaped(struct console *c, uint8_t key, struct push *p)
{
    c->escape = false;
    if (key == 'x')
        p->kind = PUSH_POWER_CUT;
    else if (key == 'b')
        c->break_due = true;
    else
        c->offered[p->size++] = key;
    return key == 'x' || key == 'b';
}

/* What was typed, up to something that is no key for the guest. */
static bool take_input(struct console *c, struct push *p)
{
    size_t used = 0;
    bool stops = false;
    p->kind = PUSH_CONSOLE;
    p->target = (uint16_t)c->input_target;
    while (used < c->input_size && !c->break_due && !stops) {
        uint8_t key = c->input[used++];
        if (c->escape)
            stops = take_escaped(c, key, p);
        else if (c->interactive && key == ESCAPE_KEY)
            c->escape = true;
        else
            c->offered[p->size++] = key;
    }
    c->input_size -= used;
    memmove(c->input, c->input + used, c->input_size);
    if (p->kind == PUSH_POWER_CUT) {
        c->input_size = p->size = p->target = 0;
        return true;
    }
    if (!p->size && c->break_due) {
        c->break_due = false;
        p->kind = PUSH_BREAK;
        return true;
    }
    return p->size != 0;
}

/* The terminal's size, first of all and whenever it has changed. */
static bool take_window(struct console *c, struct push *p)
{
    uint16_t columns, rows;
    if (!c->interactive || !c->has_window || !host_console_resized(&columns, &rows))
        return false;
    store_le(c->offered, columns, 2);
    store_le(c->offered + 2, rows, 2);
    p->kind = PUSH_RESIZE;
    p->target = (uint16_t)c->input_target;
    p->size = PUSH_RESIZE_SIZE;
    return true;
}

static void read_input(struct console *c)
{
    if (!c->input_ended && !c->input_size)
        c->input_size = host_console_read(c->input, sizeof c->input, &c->input_ended);
}

static void retry_delayed(struct console *c)
{
    uint64_t now = host_monotonic_ns();
    if (now < c->retry_ns)
        return;
    c->retry_ns = now + RETRY_NS;
    for (size_t i = 0; i < c->vm_count; i++)
        for (size_t k = 0; k < VM_CHANNELS; k++) {
            struct console_channel *to = &c->vms[i].channels[k];
            struct error e = {0};
            if (!to->delayed || open_channel(to, &e) || now < to->give_up_ns)
                continue;
            fprintf(stderr, "qvm: %s\n", e.text);
            to->delayed = false;
            if (to->in_path && !to->in)
                end_input(c, to);
        }
}

/* The first channel whose own input has something. */
static bool poll_files(struct console *c, struct push *p)
{
    if (!c->files_open)
        return false;
    for (size_t i = 0; i < c->vm_count; i++)
        for (size_t k = 0; k < VM_CHANNELS; k++) {
            struct console_channel *to = &c->vms[i].channels[k];
            bool ended = false;
            if (!to->in)
                continue;
            p->size = (uint32_t)host_input_read(to->in, c->offered, sizeof c->offered, &ended);
            if (ended)
                end_input(c, to);
            p->kind = PUSH_CONSOLE;
            p->target = (uint16_t)(i << 8 | k);
            if (p->size)
                return true;
        }
    return false;
}

bool console_poll(struct console *c, struct push *p)
{
    host_flush();
    retry_delayed(c);
    p->data = c->offered;
    if (signal_push(p) || take_window(c, p))
        return true;
    read_input(c);
    return take_input(c, p) || poll_files(c, p);
}

/* All that an end of a wait may come from. `*retry`: and something that is not there yet. */
static size_t collect_sources(struct console *c, bool *retry)
{
    size_t count = 0;
    *retry = c->net != NULL; /* it may have something to do by itself */
    if (!c->input_ended)
        c->sources[count++] = host_console_source();
    if (c->debugger)
        c->sources[count++] = host_link_source(c->debugger);
    if (c->net)
        count += host_net_sources(c->net, c->sources + count);
    for (size_t i = 0; c->files_open && i < c->vm_count; i++)
        for (size_t k = 0; k < VM_CHANNELS; k++) {
            const struct console_channel *from = &c->vms[i].channels[k];
            if (from->in)
                c->sources[count++] = host_input_source(from->in);
            *retry |= from->in_path && !from->in;
        }
    return count;
}

/* True: something came. A wait for ever ends at times if there is something to look for again. */
static bool wait_for_input(struct console *c, uint64_t ns)
{
    bool retry;
    if (c->input_size)
        return true;
    size_t count = collect_sources(c, &retry);
    return host_wait(c->sources, count, retry && ns == UINT64_MAX ? RETRY_NS : ns);
}

/* A terminal is in step with the host's clock, or an idle guest would race through its time; so are
 * a network of the host's and --realtime. Otherwise time moves at once, unless nothing but input
 * can end the wait. */
bool console_idle(struct console *c, uint64_t ns, uint64_t *passed_ns)
{
    host_flush();
    bool for_ever = ns == UINT64_MAX;
    bool paced = c->interactive || c->realtime || c->net;
    if (for_ever && c->input_ended && !c->files_open && !c->net)
        return false;
    if (!paced && !for_ever) {
        *passed_ns = ns;
        return true;
    }
    uint64_t from = host_monotonic_ns();
    bool woken = wait_for_input(c, ns);
    uint64_t passed = host_monotonic_ns() - from;
    *passed_ns = for_ever ? (paced ? passed : 0) : woken && passed < ns ? passed : ns;
    return true;
}
