/* What a board shows to whoever wants to watch it: the trace events of kernel trace class 10, whose
 * numbers are the documented ones, and with each guest exit its whole record. Watching changes
 * nothing. docs/exits.md has the meaning of every argument. */
#ifndef HV_EVENTS_H
#define HV_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/vcpu.h"
#include "vdev/dma.h"

struct vm;

enum event_id {
    EVENT_GUEST_ENTRY = 0,
    EVENT_GUEST_EXIT = 1,
    EVENT_VCPU_CREATED = 2,
    EVENT_INTERRUPT = 3, /* asserted to a guest CPU */
    EVENT_GUEST_CYCLES = 7,
    EVENT_DMA_REFUSED = 64, /* none of the documented ones: an access of a device */
};

/* Who makes an access. Names are borrowed, and live as long as the board. */
struct dma_master {
    const char *device;
    const char *smmu; /* that it is behind; NULL: none, and it has no stream */
    uint32_t stream, substream;
};
/* An access of a device that comes to nothing. */
struct dma_refusal {
    struct dma_master by;
    uint64_t iova;
    bool is_write;
    const char *where, *reason; /* "stage 2", "does not map it" */
    const char *record;         /* the SMMU's event: "F_TRANSLATION"; NULL: there is none */
};

struct board_event {
    enum event_id id;
    uint64_t instructions, ticks, ns; /* virtual time of the board */
    const struct vm *vm;
    unsigned vcpu;
    uint64_t guest_ip;             /* entry, exit */
    uint32_t reason;               /* exit: the architecture's */
    uint64_t hw_payload;           /* exit: what goes with the reason */
    uint64_t at_entry, at_exit;    /* cycles: the guest's counter */
    unsigned signals;              /* interrupt: CPU_SIGNAL_*, those that are asserted */
    const struct guest_exit *exit; /* exit of an instruction: all about it, and what became of it */
    enum exit_result result;
    struct dma_refusal dma; /* refused DMA; `vcpu` is the one that runs, or 0 */
};

/* Of a port of one of the VM's devices. */
struct dma_master event_dma_master(const struct vm *vm, const struct dma_port *p);

#endif
