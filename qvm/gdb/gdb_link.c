#include "qvm/gdb/gdb_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"

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

struct peer {
    struct host_link *host; /* owned */
    bool signalled;         /* a signal ended the link */
};

static size_t link_read(void *context, void *to, size_t size, bool wait, bool *ended)
{
    struct peer *p = context;
    struct host_source source = host_link_source(p->host);
    size_t got = host_link_read(p->host, to, size, ended);
    while (wait && got == 0 && !*ended) {
        host_wait(&source, 1, LOOK_NS);
        got = host_link_read(p->host, to, size, ended);
        p->signalled = got == 0 && is_ended_by_signal();
        *ended |= p->signalled;
    }
    return got;
}

static void link_write(void *context, const void *data, size_t size)
{
    host_link_write(((struct peer *)context)->host, data, size);
}

static void link_met(void *context)
{
    host_link_keep(((struct peer *)context)->host);
}

static uint64_t link_now_ns(void *context)
{
    (void)context;
    return host_monotonic_ns();
}

static void open_link(struct gdb_link *link, struct host_link *host)
{
    struct peer *p = malloc(sizeof *p);
    CHECK_ROOM(p);
    *p = (struct peer){.host = host};
    *link = (struct gdb_link){.read = link_read,
                              .write = link_write,
                              .met = link_met,
                              .now_ns = link_now_ns,
                              .context = p};
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

static bool await(struct peer *p, struct error *e)
{
    struct host_source source = host_link_source(p->host);
    while (!p->signalled && !host_link_accept(p->host)) {
        host_wait(&source, 1, LOOK_NS);
        p->signalled = is_ended_by_signal();
    }
    return !p->signalled || error_set(e, "no debugger came before a signal did");
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
    open_link(link, l);
    if (await(link->context, e))
        return true;
    gdb_link_close(link);
    return false;
}

bool gdb_link_await_another(struct gdb_link *link, struct error *e)
{
    struct peer *p = link->context;
    host_link_hang_up(p->host);
    return await(p, e);
}

bool gdb_link_standard(struct gdb_link *link, struct error *e)
{
    struct host_link *l = host_link_standard(e);
    if (l)
        open_link(link, l);
    return l != NULL;
}

const struct host_link *gdb_link_host(const struct gdb_link *link)
{
    return ((const struct peer *)link->context)->host;
}

void gdb_link_close(struct gdb_link *link)
{
    struct peer *p = link->context;
    host_link_close(p->host);
    free(p);
}
