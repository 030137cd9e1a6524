/* The networks of a board: which devices' links go where, and frames on their way between guests.
 * A link (the option `peer`) goes to one other device, /dev/qvm/VM/NAME, whose own must come back;
 * or to a switch, /dev/vdevpeers/vpN, which learns who is where, and to which the host may be
 * connected, too (reference 7.3).
 *
 * A frame between guests is computed by the machine: it is no input, and no journal has it. It
 * arrives at the instruction that sends it. One that the receiver has no room for waits with its
 * other input (hv/inputs.c), which is state; beyond that it is lost, as on any network. */
#ifndef HV_NETWORK_H
#define HV_NETWORK_H

#include "hv/config/config.h"
#include "emu/state.h"
#include "vdev/vdev.h"

struct board;
struct vm;
struct network;

/* From the configurations alone; NULL where no device has a link. Errors are of the configuration.
 */
bool network_make(const struct vm_config *configs, size_t count, struct network **network,
                  struct error *e);
void network_free(struct network *n);
/* What switches have learned. */
void network_visit(struct network *n, struct state *s);

/* Is there somebody at the other end? */
bool network_link_is_up(const struct network *n, const struct vm *vm, unsigned channel);
/* A device sends: to whoever its link leads to. */
void network_send(struct vm *vm, unsigned channel, const struct vdev_frame *frame);

/* The host's end of a switch: frames from and to it carry this in place of a VM's number, and the
 * switch's in place of a device's. */
enum { NETWORK_HOST = 0xff, NETWORK_SWITCHES = 0x100 };
void network_from_host(struct board *b, unsigned number, const struct vdev_frame *frame);

#endif
