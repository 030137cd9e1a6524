/* The host's end of a switch: a router with DHCP and DNS, and ports of this machine that lead to a
 * guest (libslirp, which needs no rights). Nothing of it leads out, and nothing to this machine,
 * unless that was asked for. What it sends is input, through the journal.
 *
 * host_net_slirp.c; in builds without that library host_net_none.c, which has none to offer. */
#ifndef QVM_HOST_HOST_NET_H
#define QVM_HOST_HOST_NET_H

#include "qvm/host/host.h"

/* Connections to `from` at 127.0.0.1 go to `to` at the first guest that DHCP gave an address. */
struct host_net_forward {
    uint16_t from, to;
    bool is_udp;
};
#define HOST_NET_FORWARDS_MAX 16
struct host_net_options {
    bool is_open; /* guests may reach whatever this machine can, and this machine itself */
    struct host_net_forward forwards[HOST_NET_FORWARDS_MAX];
    size_t forward_count;
};

struct host_net;
struct host_net *host_net_open(const struct host_net_options *options, struct error *e);
void host_net_close(struct host_net *n);
/* A guest's frame. */
void host_net_send(struct host_net *n, const void *data, size_t size);
/* A frame for the guests, if there is one now: its size, or 0. It is borrowed until the next call.
 */
size_t host_net_receive(struct host_net *n, const uint8_t **data);
/* What a wait for one is for: how many sources there are. */
#define HOST_NET_SOURCES_MAX 256
size_t host_net_sources(struct host_net *n, struct host_source *sources);

#endif
