/* Packets of gdb's remote protocol on a link ("Overview" in the protocol's description):
 * $payload#checksum, acknowledged by + or - until both sides agree to leave that out. A payload is
 * given and taken without the escapes it has on the link. */
#ifndef QVM_GDB_GDB_PACKETS_H
#define QVM_GDB_GDB_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/bytes.h"

/* Bytes to and from a debugger. */
struct gdb_link {
    /* How many bytes there were; with `wait` at least one, unless *ended is set: nothing will ever
     * come again. */
    size_t (*read)(void *context, void *to, size_t size, bool wait, bool *ended);
    void (*write)(void *context, const void *data, size_t size);
    void (*met)(void *context); /* a packet came whole: the peer is a debugger */
    /* The host's clock: how long the peer has waited, and nothing else. */
    uint64_t (*now_ns)(void *context);
    void *context;
};

#define GDB_PACKET_MAX 0x4000 /* characters of a payload */

enum gdb_packet_part {
    GDB_BETWEEN,
    GDB_PAYLOAD,
    GDB_ESCAPED,
    GDB_SUM_HIGH,
    GDB_SUM_LOW,
    GDB_WHOLE
};

struct gdb_packets {
    const struct gdb_link *link;
    bool no_acks;
    bool begun;         /* a packet began: the peer may be a debugger */
    bool met;           /* one came whole: it is */
    bool interrupt;     /* Ctrl-C came behind the packet in work */
    bool ended;         /* nothing will ever come again */
    uint64_t looked_ns; /* when packets_interrupted looked last */
    uint8_t input[1024];
    size_t input_size, input_at;
    enum gdb_packet_part part;
    uint8_t payload[GDB_PACKET_MAX];
    size_t size; /* as sent: more than that for a payload that is too long */
    uint8_t sum, sum_wanted;
    struct bytes received; /* the payload of the packet in work */
    struct bytes sent;     /* the last packet, if it must be sent again: */
    bool unacknowledged;   /* no + came for it yet */
    bool acknowledges;     /* the peer has sent a + at all */
};

void packets_free(struct gdb_packets *p);
/* Waits for a packet; false: there will be none. The payload holds until the next call. A packet
 * that the peer repeats because nothing was heard of us comes once. */
bool packets_receive(struct gdb_packets *p, struct reader *payload);
void packets_send(struct gdb_packets *p, const void *payload, size_t size);
/* While the target works: the peer sent Ctrl-C or something that it wants an answer to, or is gone.
 * May be asked often: it looks at the link now and then. */
bool packets_interrupted(struct gdb_packets *p);
/* The next packet is here already. */
bool packets_pending(const struct gdb_packets *p);

#endif
