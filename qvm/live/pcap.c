#include "qvm/live/pcap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "hv/network.h"
#include "qvm/host/host.h"

/* Blocks, in this machine's order of bytes whatever the host's: type, length, contents, length. */
enum { SECTION_HEADER = 0x0a0d0d0a, INTERFACE = 1, ENHANCED_PACKET = 6 };
enum { BYTE_ORDER_MAGIC = 0x1a2b3c4d, LINKTYPE_ETHERNET = 1 };
enum { OPTION_END = 0, OPTION_NAME = 2, OPTION_TIME_RESOLUTION = 9, NANOSECONDS = 9 };

static void begin(struct pcap *p, uint32_t type)
{
    bytes_clear(&p->block);
    bytes_put_int(&p->block, type, 4);
    bytes_put_int(&p->block, 0, 4); /* the length, which `end` knows */
}

static void pad(struct pcap *p)
{
    bytes_put_int(&p->block, 0, 4);
    p->block.size &= ~(size_t)3;
}

static void put_padded(struct pcap *p, const void *data, size_t size)
{
    bytes_put(&p->block, data, size);
    if (size % 4)
        pad(p);
}

static void end(struct pcap *p)
{
    size_t length = p->block.size + 4;
    bytes_put_int(&p->block, length, 4);
    store_le(p->block.data + 4, length, 4);
    host_append(p->file, p->block.data, p->block.size);
}

static void put_option(struct pcap *p, unsigned code, const void *data, size_t size)
{
    bytes_put_int(&p->block, code, 2);
    bytes_put_int(&p->block, size, 2);
    put_padded(p, data, size);
}

bool pcap_open(struct pcap *p, const char *path, struct error *e)
{
    p->file = host_create(path, e);
    if (!p->file)
        return false;
    begin(p, SECTION_HEADER);
    bytes_put_int(&p->block, BYTE_ORDER_MAGIC, 4);
    bytes_put_int(&p->block, 1, 2); /* version 1.0 */
    bytes_put_int(&p->block, 0, 2);
    bytes_put_int(&p->block, UINT64_MAX, 8); /* the section's length: not said */
    end(p);
    return true;
}

static void name_of(const struct board *b, unsigned vm, unsigned channel, char *name, size_t size)
{
    if (vm == NETWORK_HOST)
        snprintf(name, size, "host/vp%u", channel);
    else
        snprintf(name, size, "%s/%s", b->vms[vm]->name, b->vms[vm]->vdevs[channel]->name);
}

/* The number of its interface, which comes before its first frame. */
static size_t interface_of(struct pcap *p, const struct board *b, unsigned vm, unsigned channel)
{
    uint16_t sender = (uint16_t)(vm << 8 | channel);
    uint8_t resolution = NANOSECONDS;
    char name[160];
    for (size_t i = 0; i < p->count; i++)
        if (p->senders[i] == sender)
            return i;
    name_of(b, vm, channel, name, sizeof name);
    begin(p, INTERFACE);
    bytes_put_int(&p->block, LINKTYPE_ETHERNET, 4);
    bytes_put_int(&p->block, 0, 4); /* frames of any size are kept whole */
    put_option(p, OPTION_NAME, name, strlen(name));
    put_option(p, OPTION_TIME_RESOLUTION, &resolution, 1);
    put_option(p, OPTION_END, NULL, 0);
    end(p);
    p->senders = array_grow(p->senders, p->count, sizeof *p->senders);
    p->senders[p->count] = sender;
    return p->count++;
}

void pcap_frame(struct pcap *p, const struct board *b, unsigned vm, unsigned channel,
                const void *data, size_t size)
{
    uint64_t ns = vtime_ns(&b->vtime);
    size_t interface = interface_of(p, b, vm, channel);
    begin(p, ENHANCED_PACKET);
    bytes_put_int(&p->block, interface, 4);
    bytes_put_int(&p->block, ns >> 32, 4);
    bytes_put_int(&p->block, ns & UINT32_MAX, 4);
    bytes_put_int(&p->block, size, 4);
    bytes_put_int(&p->block, size, 4);
    put_padded(p, data, size);
    end(p);
}

bool pcap_close(struct pcap *p)
{
    bool ok = !p->file || host_close(p->file);
    bytes_free(&p->block);
    free(p->senders);
    *p = (struct pcap){0};
    return ok;
}
