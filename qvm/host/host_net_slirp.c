#include <poll.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>

#include "emu/bytes.h"
#include "emu/check.h"
#include "qvm/host/host_net.h"

/* What waits to be given to the machine; libslirp is told to wait beyond that by a loss, as by any
 * network. */
#define WAITING_MAX ((size_t)1 << 20)

struct host_net {
    Slirp *slirp;
    struct bytes waiting; /* frames, each behind its size in 4 bytes */
    size_t given;         /* bytes of it */
    struct pollfd polls[HOST_NET_SOURCES_MAX];
    size_t poll_count;
};

/* What libslirp asks for ------------------------------------------------------------------------
 */

static ssize_t on_frame(const void *data, size_t size, void *context)
{
    struct host_net *n = context;
    if (size == 0 || size > PUSH_FRAME_MAX || n->waiting.size - n->given + size > WAITING_MAX)
        return (ssize_t)size;
    bytes_put_int(&n->waiting, size, 4);
    bytes_put(&n->waiting, data, size);
    return (ssize_t)size;
}

static void on_guest_error(const char *message, void *context)
{
    (void)message, (void)context;
}

/* The host's: what libslirp does is input, whatever it does it by. */
static int64_t on_clock(void *context)
{
    (void)context;
    return (int64_t)host_monotonic_ns();
}

/* There is one kind of timers, of IPv6, which is off. */
static void *on_timer_new(SlirpTimerCb fire, void *fire_context, void *context)
{
    (void)fire, (void)fire_context, (void)context;
    return NULL;
}

static void on_timer_free(void *timer, void *context)
{
    (void)timer, (void)context;
}

static void on_timer_mod(void *timer, int64_t expires_ms, void *context)
{
    (void)timer, (void)expires_ms, (void)context;
}

/* Descriptors are asked for before each poll. */
static void on_fd(int fd, void *context)
{
    (void)fd, (void)context;
}

static void on_notify(void *context)
{
    (void)context;
}

static const SlirpCb callbacks = {
    .send_packet = on_frame,
    .guest_error = on_guest_error,
    .clock_get_ns = on_clock,
    .timer_new = on_timer_new,
    .timer_free = on_timer_free,
    .timer_mod = on_timer_mod,
    .register_poll_fd = on_fd,
    .unregister_poll_fd = on_fd,
    .notify = on_notify,
};

/* Polling ----------------------------------------------------------------------------------------
 */

static const struct {
    int slirp;
    short poll;
} event_names[] = {{SLIRP_POLL_IN, POLLIN},
                   {SLIRP_POLL_OUT, POLLOUT},
                   {SLIRP_POLL_PRI, POLLPRI},
                   {SLIRP_POLL_ERR, POLLERR},
                   {SLIRP_POLL_HUP, POLLHUP}};
enum { EVENT_NAMES = sizeof event_names / sizeof event_names[0] };

/* One too many is not looked at in this round. */
static int add_poll(int fd, int events, void *context)
{
    struct host_net *n = context;
    if (n->poll_count == HOST_NET_SOURCES_MAX)
        return -1;
    struct pollfd *p = &n->polls[n->poll_count];
    *p = (struct pollfd){.fd = fd};
    for (size_t i = 0; i < EVENT_NAMES; i++)
        if (events & event_names[i].slirp)
            p->events |= event_names[i].poll;
    return (int)n->poll_count++;
}

static int events_of(int number, void *context)
{
    const struct host_net *n = context;
    int events = 0;
    for (size_t i = 0; number >= 0 && i < EVENT_NAMES; i++)
        if (n->polls[number].revents & event_names[i].poll)
            events |= event_names[i].slirp;
    return events;
}

static void collect(struct host_net *n)
{
    uint32_t timeout_ms = UINT32_MAX;
    n->poll_count = 0;
    slirp_pollfds_fill(n->slirp, &timeout_ms, add_poll, n);
}

static void poll_now(struct host_net *n)
{
    collect(n);
    int answer = poll(n->polls, (nfds_t)n->poll_count, 0);
    slirp_pollfds_poll(n->slirp, answer < 0, events_of, n);
}

size_t host_net_sources(struct host_net *n, struct host_source *sources)
{
    size_t count = 0;
    collect(n);
    for (size_t i = 0; i < n->poll_count; i++)
        if (n->polls[i].events & POLLIN)
            sources[count++] = (struct host_source){n->polls[i].fd};
    return count;
}

/* Life -------------------------------------------------------------------------------------------
 */

static struct in_addr address(uint32_t value)
{
    return (struct in_addr){.s_addr = htonl(value)};
}

/* 10.0.2.0/24: the router is 2, the name server 3, and guests are 15 and up. */
static SlirpConfig config_of(const struct host_net_options *options)
{
    return (SlirpConfig){
        .version = 3,
        .restricted = !options->is_open,
        .in_enabled = true,
        .vnetwork = address(0x0a000200),
        .vnetmask = address(0xffffff00),
        .vhost = address(0x0a000202),
        .vnameserver = address(0x0a000203),
        .vdhcp_start = address(0x0a00020f),
        .disable_host_loopback = !options->is_open,
        .disable_dns = !options->is_open,
    };
}

static bool add_forwards(struct host_net *n, const struct host_net_options *options,
                         struct error *e)
{
    for (size_t i = 0; i < options->forward_count; i++) {
        const struct host_net_forward *f = &options->forwards[i];
        if (slirp_add_hostfwd(n->slirp, f->is_udp, address(INADDR_LOOPBACK), f->from, address(0),
                              f->to) < 0)
            return error_set(e, "port %u of 127.0.0.1 cannot be had", (unsigned)f->from);
    }
    return true;
}

struct host_net *host_net_open(const struct host_net_options *options, struct error *e)
{
    struct host_net *n = calloc(1, sizeof *n);
    SlirpConfig config = config_of(options);
    CHECK_ROOM(n);
    n->slirp = slirp_new(&config, &callbacks, n);
    if (n->slirp && add_forwards(n, options, e))
        return n;
    if (!n->slirp)
        error_set(e, "the user network cannot be made");
    host_net_close(n);
    return NULL;
}

void host_net_close(struct host_net *n)
{
    if (!n)
        return;
    if (n->slirp)
        slirp_cleanup(n->slirp);
    bytes_free(&n->waiting);
    free(n);
}

void host_net_send(struct host_net *n, const void *data, size_t size)
{
    slirp_input(n->slirp, data, (int)size);
}

size_t host_net_receive(struct host_net *n, const uint8_t **data)
{
    if (n->given == n->waiting.size) {
        bytes_clear(&n->waiting);
        n->given = 0;
        poll_now(n);
    }
    if (n->given == n->waiting.size)
        return 0;
    size_t size = load_le32(n->waiting.data + n->given);
    *data = n->waiting.data + n->given + 4;
    n->given += 4 + size;
    return size;
}
