#include "qvm/host/host_net.h"

struct host_net *host_net_open(const struct host_net_options *options, struct error *e)
{
    (void)options;
    error_set(e, "this build of qvm has no user network (libslirp)");
    return NULL;
}

void host_net_close(struct host_net *n)
{
    (void)n;
}

void host_net_send(struct host_net *n, const void *data, size_t size)
{
    (void)n, (void)data, (void)size;
}

size_t host_net_receive(struct host_net *n, const uint8_t **data)
{
    (void)n, (void)data;
    return 0;
}

size_t host_net_sources(struct host_net *n, struct host_source *sources)
{
    (void)n, (void)sources;
    return 0;
}
