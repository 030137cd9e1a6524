#include "qvm/console.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "qvm/host.h"

#define ESCAPE_KEY 1 /* Ctrl-A: then x ends the run, Ctrl-A sends one */

/* hostdev spellings: `-` stdin and stdout, `>-` stdout, `<-` stdin, `>FILE` output file. */
static void connect(struct console *c, size_t channel, const char *hostdev)
{
    if (strcmp(hostdev, "-") == 0 || strcmp(hostdev, ">-") == 0)
        c->to_stdout[channel] = true;
    else if (hostdev[0] == '>')
        c->path[channel] = hostdev + 1;
    if (strcmp(hostdev, "-") == 0 || strcmp(hostdev, "<-") == 0)
        c->input_channel = (int)channel;
}

void console_init(struct console *c, const struct vm_config *config, bool realtime)
{
    *c = (struct console){.input_channel = -1, .realtime = realtime};
    for (size_t i = 0; i < config->vdev_count && i < VM_VDEVS_MAX; i++)
        for (size_t o = 0; o < config->vdevs[i].option_count; o++)
            if (strcmp(config->vdevs[i].options[o].name, "hostdev") == 0)
                connect(c, i, config->vdevs[i].options[o].value);
}

/* A console that goes nowhere looks like a guest that is dead. */
void console_warn(const struct vm_config *config, const struct log *log)
{
    for (size_t i = 0; i < config->vdev_count; i++) {
        const struct vdev_config *v = &config->vdevs[i];
        bool connected = !v->type->input;
        for (size_t o = 0; o < v->option_count; o++)
            connected |= strcmp(v->options[o].name, "hostdev") == 0;
        if (!connected)
            log_write(log, LOG_INFO, "%s at %#" PRIx64 " has no hostdev: its output is dropped",
                      v->type->name, v->loc);
    }
}

void console_open(struct console *c, bool live)
{
    c->live = live;
    c->input_ended = c->input_channel < 0;
    if (!live)
        return;
    host_catch_signals();
    c->interactive = c->input_channel >= 0 && host_console_open();
    if (c->interactive)
        fprintf(stderr, "qvm: Ctrl-A x ends the run\r\n");
    for (size_t i = 0; i < VM_VDEVS_MAX; i++) {
        struct error e = {0};
        if (c->path[i] && !(c->file[i] = host_create(c->path[i], &e)))
            fprintf(stderr, "qvm: %s\n", e.text);
    }
}

void console_close(struct console *c)
{
    host_flush();
    host_console_close();
    for (size_t i = 0; i < VM_VDEVS_MAX; i++)
        if (c->file[i] && !host_close(c->file[i]))
            fprintf(stderr, "qvm: '%s' is not complete\n", c->path[i]);
}

void console_output(struct console *c, unsigned channel, const void *data, size_t size)
{
    if (channel >= VM_VDEVS_MAX || c->to_stdout[channel]) /* semihosting has no device */
        host_print(data, size);
    else if (c->file[channel])
        host_append(c->file[channel], data, size);
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
    p->target = (uint16_t)c->input_channel;
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
