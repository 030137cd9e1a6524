#include "qvm/gdb_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qvm/host.h"

#define LOOK_NS UINT64_C(500000000) /* signals are seen that often at least */

/* Did the user, or who ends programs, want this one to end? Signals that ask it for something else
 * have no meaning here. */
static bool is_ended_by_signal(void)
{
    enum host_signal signal;
    while ((signal = host_take_signal()) != HOST_SIGNAL_NONE)
        if (signal == HOST_SIGNAL_BUTTON || signal == HOST_SIGNAL_CUT)
            return true;
    return false;
}

static size_t link_read(void *context, void *to, size_t size, bool wait, bool *ended)
{
    size_t got = host_link_read(context, to, size, 0, ended);
    while (wait && got == 0 && !*ended) {
        got = host_link_read(context, to, size, LOOK_NS, ended);
        *ended |= got == 0 && is_ended_by_signal();
    }
    return got;
}

static void link_write(void *context, const void *data, size_t size)
{
    host_link_write(context, data, size);
}

static void open_link(struct gdb_link *link, struct host_link *host)
{
    *link = (struct gdb_link){.read = link_read, .write = link_write, .context = host};
}

/* "PORT", ":PORT", "HOST:PORT" or "[HOST]:PORT"; `host` gets at most `size`. False: it is none. */
static bool split(const char *where, char *host, size_t size, const char **port)
{
    const char *colon = strrchr(where, ':');
    size_t length = colon ? (size_t)(colon - where) : 0;
    *port = colon ? colon + 1 : where;
    if (length >= 2 && where[0] == '[' && where[length - 1] == ']') {
        where++;
        length -= 2;
    }
    size_t digits = strspn(*port, "0123456789");
    if (length >= size || digits == 0 || digits > 5 || (*port)[digits] || atoi(*port) > UINT16_MAX)
        return false;
    memcpy(host, where, length);
    host[length] = 0;
    if (length == 0)
        strcpy(host, "127.0.0.1");
    return true;
}

bool gdb_link_listen(struct gdb_link *link, const char *where, struct error *e)
{
    char host[256];
    const char *port;
    if (!split(where, host, sizeof host, &port))
        return error_set(e, "a debugger is waited for at PORT or HOST:PORT, not '%s'", where);
    struct host_link *l = host_link_listen(host, port, e);
    if (!l)
        return false;
    fprintf(stderr, "qvm: waiting for gdb: target remote %s%s%s:%u\n", strchr(host, ':') ? "[" : "",
            host, strchr(host, ':') ? "]" : "", host_link_port(l));
    while (!host_link_accept(l, LOOK_NS))
        if (is_ended_by_signal()) {
            host_link_close(l);
            return error_set(e, "no debugger came before a signal did");
        }
    open_link(link, l);
    return true;
}

bool gdb_link_standard(struct gdb_link *link, struct error *e)
{
    struct host_link *l = host_link_standard(e);
    if (l)
        open_link(link, l);
    return l != NULL;
}

void gdb_link_close(struct gdb_link *link)
{
    host_link_close(link->context);
}
