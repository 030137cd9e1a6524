#include "hv/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/number.h"
#include "hv/hv_internal.h"

#define PEER_FOLDER   "/dev/qvm/"
#define SWITCH_FOLDER "/dev/vdevpeers/vp"

enum link { LINK_NONE, LINK_DOWN, LINK_PEER, LINK_SWITCH };
struct port {
    enum link link;
    uint8_t vm, channel; /* whose it is */
    uint8_t to_vm, to_channel, to_switch;
    const struct vdev_option *peer; /* borrowed; NULL: none */
};

/* A device that a switch has heard. */
enum { ADDRESS_SIZE = 6, LEARNED_MAX = 256, HEADER_SIZE = 14 };
struct learned {
    uint64_t address;
    uint16_t port;  /* VM << 8 | channel, as a push's target; NETWORK_HOST << 8: the host */
    uint8_t number; /* of the switch */
};

struct network {
    struct port *ports; /* owned; in the order of VMs and devices */
    size_t count;
    bool has_switch;
    uint32_t learned_count, learned_next; /* the one that is forgotten next when there is no room */
    struct learned learned[LEARNED_MAX];
};

/* Who is connected to whom ------------------------------------------------------------------------
 */

static const struct vdev_option *peer_of(const struct vdev_config *v)
{
    for (size_t i = v->option_count; v->type->frame && i-- > 0;)
        if (strcmp(v->options[i].name, "peer") == 0)
            return &v->options[i];
    return NULL;
}

static bool wrong(const struct vdev_option *peer, struct error *e, const char *why)
{
    return error_at(e, peer->file, peer->line, "peer %s %s", peer->value, why);
}

/* "/dev/vdevpeers/vp3" */
static bool is_switch(const char *path, uint8_t *number)
{
    size_t prefix = strlen(SWITCH_FOLDER);
    size_t digits = strncmp(path, SWITCH_FOLDER, prefix) ? 0 : strspn(path + prefix, "0123456789");
    uint64_t value;
    if (!digits || path[prefix + digits] ||
        number_parse(path + prefix, digits, NUMBER_PLAIN, &value) != NUMBER_OK ||
        value >= NETWORK_SWITCHES)
        return false;
    *number = (uint8_t)value;
    return true;
}

/* The path of a device, as others' `peer` names it. */
static void path_of(const struct vm_config *configs, const struct port *p, char *path, size_t size)
{
    char name[VM_NAME_SIZE];
    vm_name(&configs[p->vm], p->vm, name, sizeof name);
    snprintf(path, size, PEER_FOLDER "%s/%s", name,
             config_vdev_name(&configs[p->vm].vdevs[p->channel]));
}

enum { PATH_SIZE = sizeof PEER_FOLDER + VM_NAME_SIZE + 64 };

static struct port *find(struct network *n, const struct vm_config *configs, const char *path,
                         const struct port *after)
{
    char its[PATH_SIZE];
    for (size_t i = after ? (size_t)(after - n->ports) + 1 : 0; i < n->count; i++) {
        path_of(configs, &n->ports[i], its, sizeof its);
        if (strcmp(its, path) == 0)
            return &n->ports[i];
    }
    return NULL;
}

/* Both ends must agree; one whose other end is not there is down. */
static bool connect_to_peer(struct network *n, const struct vm_config *configs, struct port *p,
                            struct error *e)
{
    char own[PATH_SIZE];
    struct port *other = find(n, configs, p->peer->value, NULL);
    path_of(configs, p, own, sizeof own);
    p->link = LINK_DOWN;
    if (!other)
        return true;
    if (other == p)
        return wrong(p->peer, e, "is the device itself");
    if (find(n, configs, p->peer->value, other))
        return wrong(p->peer, e, "is the name of more than one device: `name` tells them apart");
    if (!other->peer || strcmp(other->peer->value, own) != 0)
        return wrong(p->peer, e, "is a device whose own peer is another one");
    p->link = LINK_PEER;
    p->to_vm = other->vm;
    p->to_channel = other->channel;
    return true;
}

/* Whether it could be somebody's: neither name is empty. */
static bool is_path(const char *peer)
{
    size_t folder = strlen(PEER_FOLDER);
    const char *name = strncmp(peer, PEER_FOLDER, folder) == 0 ? strchr(peer + folder, '/') : NULL;
    return name && name > peer + folder && name[1];
}

static bool connect_port(struct network *n, const struct vm_config *configs, struct port *p,
                         struct error *e)
{
    if (!p->peer)
        return true;
    if (is_switch(p->peer->value, &p->to_switch)) {
        p->link = LINK_SWITCH;
        n->has_switch = true;
        return true;
    }
    if (!is_path(p->peer->value))
        return wrong(p->peer, e, "is neither " PEER_FOLDER "VM/NAME nor " SWITCH_FOLDER "N");
    return connect_to_peer(n, configs, p, e);
}

static void add_ports(struct network *n, const struct vm_config *config, size_t vm)
{
    for (size_t i = 0; i < config->vdev_count && i < VM_VDEVS_MAX; i++)
        if (config->vdevs[i].type->frame)
            n->ports[n->count++] = (struct port){
                .vm = (uint8_t)vm, .channel = (uint8_t)i, .peer = peer_of(&config->vdevs[i])};
}

bool network_make(const struct vm_config *configs, size_t count, struct network **network,
                  struct error *e)
{
    struct network *n = calloc(1, sizeof *n);
    CHECK_ROOM(n);
    *network = n;
    n->ports = calloc(count * VM_VDEVS_MAX, sizeof *n->ports);
    CHECK_ROOM(n->ports);
    for (size_t i = 0; i < count; i++)
        add_ports(n, &configs[i], i);
    for (size_t i = 0; i < n->count; i++)
        if (!connect_port(n, configs, &n->ports[i], e))
            return false;
    return true;
}

void network_free(struct network *n)
{
    if (n)
        free(n->ports);
    free(n);
}

static const struct port *port_of(const struct network *n, unsigned vm, unsigned channel)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->ports[i].vm == vm && n->ports[i].channel == channel)
            return &n->ports[i];
    return NULL;
}

bool network_link_is_up(const struct network *n, const struct vm *vm, unsigned channel)
{
    const struct port *p = port_of(n, vm->number, channel);
    return p && p->link >= LINK_PEER;
}

/* Frames ------------------------------------------------------------------------------------------
 */

static void deliver(struct board *b, unsigned vm, unsigned channel, const struct vdev_frame *frame)
{
    if (!b->vms[vm]->ended)
        frames_deliver(b->vms[vm], channel, frame);
}

/* 6 bytes as they are in a frame. */
static uint64_t address_at(const uint8_t *data)
{
    return load_le(data, ADDRESS_SIZE);
}

static bool is_for_many(const uint8_t *address)
{
    return address[0] & 1;
}

static struct learned *find_learned(struct network *n, uint8_t number, uint64_t address)
{
    for (uint32_t i = 0; i < n->learned_count; i++)
        if (n->learned[i].address == address && n->learned[i].number == number)
            return &n->learned[i];
    return NULL;
}

/* A guest may make up as many addresses as it likes: the oldest makes room. */
static void learn(struct network *n, uint8_t number, uint16_t from, const uint8_t *address)
{
    struct learned *l = find_learned(n, number, address_at(address));
    if (is_for_many(address))
        return;
    if (!l && n->learned_count < LEARNED_MAX) {
        l = &n->learned[n->learned_count++];
    } else if (!l) {
        l = &n->learned[n->learned_next];
        n->learned_next = (n->learned_next + 1) % LEARNED_MAX;
    }
    *l = (struct learned){address_at(address), from, number};
}

static uint16_t target(unsigned vm, unsigned channel)
{
    return (uint16_t)(vm << 8 | channel);
}

/* To the one that has the address, or to everybody, but not back. True: to the host, too. */
static bool forward(struct board *b, uint8_t number, uint16_t from, const struct vdev_frame *frame)
{
    struct network *n = b->network;
    if (frame->size < HEADER_SIZE)
        return false;
    learn(n, number, from, frame->data + ADDRESS_SIZE);
    const struct learned *to =
        is_for_many(frame->data) ? NULL : find_learned(n, number, address_at(frame->data));
    for (size_t i = 0; i < n->count; i++) {
        const struct port *p = &n->ports[i];
        uint16_t its = target(p->vm, p->channel);
        if (p->link == LINK_SWITCH && p->to_switch == number && its != from &&
            (!to || to->port == its))
            deliver(b, p->vm, p->channel, frame);
    }
    return !to || to->port == target(NETWORK_HOST, number);
}

/* With its checksum; segments stay in one, as on a card that puts them together. */
static void tell(const struct board *b, unsigned vm, unsigned channel,
                 const struct vdev_frame *frame)
{
    if (!b->sinks.frame)
        return;
    struct vdev_frame whole = frame_complete(frame, b->frame_buffer);
    b->sinks.frame(b->sinks.context, vm, channel, whole.data, whole.size);
}

/* What does not stay on the board is an output. */
static void leave(struct vm *vm, unsigned channel, const struct port *p,
                  const struct vdev_frame *frame)
{
    const struct board_sinks *sinks = &vm->board->sinks;
    struct frame_finisher f = frames_finish(vm->board, frame);
    struct vdev_frame next;
    while (frames_next(&f, &next)) {
        vm_output_frame(vm, channel, &next);
        if (p && p->link == LINK_SWITCH && sinks->host_frame)
            sinks->host_frame(sinks->context, p->to_switch, next.data, next.size);
    }
}

void network_send(struct vm *vm, unsigned channel, const struct vdev_frame *frame)
{
    struct board *b = vm->board;
    const struct port *p = port_of(b->network, vm->number, channel);
    enum link link = p ? p->link : LINK_NONE;
    tell(b, vm->number, channel, frame);
    if (link == LINK_PEER)
        deliver(b, p->to_vm, p->to_channel, frame);
    else if (link != LINK_SWITCH || forward(b, p->to_switch, target(vm->number, channel), frame))
        leave(vm, channel, p, frame);
}

void network_from_host(struct board *b, unsigned number, const struct vdev_frame *frame)
{
    const struct network *n = b->network;
    size_t i = 0;
    while (i < n->count && (n->ports[i].link != LINK_SWITCH || n->ports[i].to_switch != number))
        i++;
    if (i == n->count) /* nobody is there */
        return;
    tell(b, NETWORK_HOST, number, frame);
    forward(b, (uint8_t)number, target(NETWORK_HOST, number), frame);
}

/* State -------------------------------------------------------------------------------------------
 */

void network_visit(struct network *n, struct state *s)
{
    if (!n->has_switch)
        return;
    state_part(s, "networks");
    n->learned_count =
        (uint32_t)state_count(s, "addresses that are known", n->learned_count, 4, LEARNED_MAX);
    n->learned_next = (uint32_t)state_up_to(s, "the one that is forgotten next", n->learned_next, 4,
                                            LEARNED_MAX - 1);
    for (uint32_t i = 0; i < n->learned_count; i++) {
        struct learned *l = &n->learned[i];
        l->address = state_numbered(s, "address %u", i, l->address, 8);
        l->port = (uint16_t)state_numbered(s, "where %u is", i, l->port, 2);
        l->number = (uint8_t)state_numbered(s, "switch of %u", i, l->number, 1);
    }
}
