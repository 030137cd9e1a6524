#include "qvm/console.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "qvm/host.h"

#define ESCAPE_KEY 1 /* Ctrl-A: then x ends the run, Ctrl-A sends one */

/* hostdev spellings: `-` stdin and stdout, `>-` stdout, `<-` stdin, `>FILE` output file,
 * `>|COMMAND` its input. */
static void connect(struct console *c, size_t vm, size_t channel, const char *hostdev)
{
    struct console_channel *to = &c->vms[vm].channels[channel];
    if (strcmp(hostdev, "-") == 0 || strcmp(hostdev, ">-") == 0)
        to->to_stdout = true;
    else if (hostdev[0] == '>')
        to->path = hostdev + 1;
    if ((strcmp(hostdev, "-") == 0 || strcmp(hostdev, "<-") == 0) && c->input_target < 0)
        c->input_target = (int)(vm << 8 | channel);
}

static void connect_devices(struct console *c, const struct vm *vm)
{
    for (size_t i = 0; i < vm->vdev_count; i++)
        for (size_t o = 0; o < vm->vdevs[i]->option_count; o++)
            if (strcmp(vm->vdevs[i]->options[o].name, "hostdev") == 0)
                connect(c, vm->number, i, vm->vdevs[i]->options[o].value);
}

void console_init(struct console *c, const struct board *b, bool realtime)
{
    *c = (struct console){.input_target = -1, .realtime = realtime, .vm_count = b->vm_count};
    c->vms = calloc(c->vm_count, sizeof *c->vms);
    CHECK(c->vms);
    for (size_t i = 0; i < c->vm_count; i++) {
        c->vms[i].name = b->vms[i]->name;
        c->vms[i].channels[VM_VDEVS_MAX].to_stdout = true;
        connect_devices(c, b->vms[i]);
    }
}

void console_free(struct console *c)
{
    for (size_t i = 0; i < c->vm_count; i++)
        for (size_t k = 0; k <= VM_VDEVS_MAX; k++)
            bytes_free(&c->vms[i].channels[k].line);
    free(c->vms);
    *c = (struct console){0};
}

/* A console that goes nowhere looks like a guest that is dead. */
static void warn_of(const struct vm *vm)
{
    for (size_t i = 0; i < vm->vdev_count; i++) {
        const struct vdev *v = vm->vdevs[i];
        bool connected = !v->type->input;
        for (size_t o = 0; o < v->option_count; o++)
            connected |= strcmp(v->options[o].name, "hostdev") == 0;
        if (!connected)
            log_write(&vm->log, LOG_INFO,
                      "%s at %#" PRIx64 " has no hostdev: its output is dropped", v->type->name,
                      v->loc);
    }
}

void console_warn(const struct board *b)
{
    for (size_t i = 0; i < b->vm_count; i++)
        warn_of(b->vms[i]);
}

static void open_files(struct console_vm *vm)
{
    for (size_t i = 0; i < VM_VDEVS_MAX; i++) {
        struct error e = {0};
        struct console_channel *channel = &vm->channels[i];
        if (!channel->path)
            continue;
        bool is_command = channel->path[0] == '|';
        channel->file =
            is_command ? host_pipe(channel->path + 1, &e) : host_create(channel->path, &e);
        if (!channel->file)
            fprintf(stderr, "qvm: %s\n", e.text);
    }
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
        fprintf(stderr, "qvm: Ctrl-A x ends the run\r\n");
    for (size_t i = 0; i < c->vm_count; i++)
        open_files(&c->vms[i]);
}

static void print_line(const struct console_vm *vm, struct console_channel *channel)
{
    host_print("[", 1);
    host_print(vm->name, strlen(vm->name));
    host_print("] ", 2);
    host_print(channel->line.data, channel->line.size);
    bytes_clear(&channel->line);
}

void console_close(struct console *c)
{
    for (size_t i = 0; i < c->vm_count; i++)
        for (size_t k = 0; k <= VM_VDEVS_MAX; k++) {
            struct console_channel *channel = &c->vms[i].channels[k];
            if (channel->line.size) {
                bytes_put(&channel->line, "\n", 1);
                print_line(&c->vms[i], channel);
            }
            if (channel->file && !host_close(channel->file))
                fprintf(stderr, "qvm: '%s' is not complete\n", channel->path);
        }
    host_flush();
    host_console_close();
}

static void print_lines(const struct console_vm *vm, struct console_channel *channel,
                        const char *data, size_t size)
{
    for (; size; data++, size--) {
        bytes_put(&channel->line, data, 1);
        if (*data == '\n')
            print_line(vm, channel);
    }
}

void console_output(struct console *c, unsigned vm, unsigned channel, const void *data, size_t size)
{
    struct console_channel *to =
        &c->vms[vm].channels[channel < VM_VDEVS_MAX ? channel : VM_VDEVS_MAX];
    if (to->to_stdout && c->vm_count > 1)
        print_lines(&c->vms[vm], to, data, size);
    else if (to->to_stdout)
        host_print(data, size);
    else if (to->file)
        host_append(to->file, data, size);
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

/* Takes the escape key and what follows it out of the input; true: the run is to end. */
static bool filter_escapes(struct console *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->input_size; i++) {
        uint8_t key = c->input[i];
        if (c->interactive && !c->escape && key == ESCAPE_KEY) {
            c->escape = true;
            continue;
        }
        if (c->escape && key == 'x')
            return true;
        c->escape = false;
        c->input[kept++] = key;
    }
    c->input_size = kept;
    return false;
}

static void read_input(struct console *c, uint64_t timeout_ns)
{
    if (!c->input_ended && !c->input_size)
        c->input_size = host_console_read(c->input, sizeof c->input, timeout_ns, &c->input_ended);
}

bool console_poll(struct console *c, struct push *p)
{
    host_flush();
    if (signal_push(p))
        return true;
    read_input(c, 0);
    if (filter_escapes(c)) {
        p->kind = PUSH_POWER_CUT;
        c->input_size = 0;
        return true;
    }
    if (!c->input_size)
        return false;
    p->kind = PUSH_CONSOLE;
    p->target = (uint16_t)c->input_target;
    p->size = (uint16_t)c->input_size;
    memcpy(p->data, c->input, c->input_size);
    c->input_size = 0;
    return true;
}

/* A terminal is in step with the host's clock, or an idle guest would race through its time; so is
 * --realtime. Otherwise time moves at once, unless nothing but input can end the wait. */
bool console_idle(struct console *c, uint64_t ns, uint64_t *passed_ns)
{
    host_flush();
    bool for_ever = ns == UINT64_MAX;
    bool paced = c->interactive || c->realtime;
    if (for_ever && c->input_ended)
        return false;
    if (!paced && !for_ever) {
        *passed_ns = ns;
        return true;
    }
    uint64_t from = host_monotonic_ns();
    if (c->input_ended)
        host_sleep(ns);
    else
        read_input(c, ns);
    uint64_t passed = host_monotonic_ns() - from;
    bool woken = c->input_size != 0 || c->input_ended;
    *passed_ns = for_ever ? (paced ? passed : 0) : woken && passed < ns ? passed : ns;
    return true;
}
