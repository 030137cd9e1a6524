/* `--pcap FILE`: all frames of the board's networks, for programs that show such files (pcapng,
 * draft-ietf-opsawg-pcapng). Each device that sends is an interface of its own, called VM/NAME, and
 * so is the host at a switch; the time is virtual, so a replay writes the same bytes. */
#ifndef QVM_LIVE_PCAP_H
#define QVM_LIVE_PCAP_H

#include "hv/board.h"

struct host_file;

struct pcap {
    struct host_file *file; /* NULL: nothing is written */
    struct bytes block;     /* owned: the one that is made now */
    uint16_t *senders;      /* owned: of each interface, VM << 8 | channel */
    size_t count;
};

/* False: the file cannot be made. */
bool pcap_open(struct pcap *p, const char *path, struct error *e);
/* As the board's sink: the frame is sent now. */
void pcap_frame(struct pcap *p, const struct board *b, unsigned vm, unsigned channel,
                const void *data, size_t size);
/* False: the file is not complete. */
bool pcap_close(struct pcap *p);

#endif
