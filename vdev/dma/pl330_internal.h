/* The DMA controller PL330 (DDI 0424), shared by its files: pl330.c has its registers and its time,
 * pl330_thread.c executes instructions, pl330_data.c moves bytes. Tables and sections that comments
 * name are the manual's. */
#ifndef VDEV_DMA_PL330_INTERNAL_H
#define VDEV_DMA_PL330_INTERNAL_H

#include "vdev/vdev.h"

enum {
    PL330_CHANNELS = 8,
    PL330_MANAGER = PL330_CHANNELS, /* the thread behind those of channels */
    PL330_THREADS,
    PL330_EVENTS = 16, /* interrupts, if INTEN says so */
    PL330_PERIPHERALS = 4,
    PL330_BUS_BYTES_LOG2 = 3,
    PL330_BEATS_MAX = 16,
    PL330_FIFO_BYTES = 512, /* the MFIFO: all channels share it */
};

/* A thread's state, as DSR and CSRn show it. Those that take no time here do not occur. */
enum pl330_state {
    PL330_STOPPED = 0,
    PL330_EXECUTING = 1,
    PL330_WAITS_FOR_EVENT = 4,
    PL330_WAITS_FOR_PERIPHERAL = 7,
    PL330_FAULTING = 15,
};

/* What becomes of an instruction: nothing but what it does; bits of FTRD and FTRn, if it faults; or
 * one of the last four, which those registers do not have. */
#define PL330_UNDEF_INSTR         (UINT32_C(1) << 0)
#define PL330_OPERAND_INVALID     (UINT32_C(1) << 1)
#define PL330_DMAGO_ERR           (UINT32_C(1) << 4)
#define PL330_CH_RDWR_ERR         (UINT32_C(1) << 7)
#define PL330_MFIFO_ERR           (UINT32_C(1) << 12)
#define PL330_ST_DATA_UNAVAILABLE (UINT32_C(1) << 13)
#define PL330_INSTR_FETCH_ERR     (UINT32_C(1) << 16)
#define PL330_DATA_WRITE_ERR      (UINT32_C(1) << 17)
#define PL330_DATA_READ_ERR       (UINT32_C(1) << 18)
#define PL330_DBG_INSTR           (UINT32_C(1) << 30)
#define PL330_LOCKUP_ERR          (UINT32_C(1) << 31)
#define PL330_STALLS              (UINT32_C(1) << 8)  /* there is no room: later again */
#define PL330_WAITS               (UINT32_C(1) << 9)  /* the thread waits, and then comes again */
#define PL330_SIGNALS             (UINT32_C(1) << 10) /* others are told of it */
#define PL330_HELD                (UINT32_C(1) << 11) /* an SMMU stalls its access: later again */

/* CCRn after reset (table 3-24): non-secure on both sides, a byte at a time. */
#define PL330_CCR_RESET 0x00800200u

struct pl330 {
    struct vdev v;
    struct event work;
    uint64_t work_ticks; /* when that event is due, or EVENT_NEVER */
    /* Of threads: */
    uint32_t pc[PL330_THREADS], fault[PL330_THREADS];
    uint8_t state[PL330_THREADS], wakeup[PL330_THREADS];
    /* Of channels: */
    uint32_t sar[PL330_CHANNELS], dar[PL330_CHANNELS], ccr[PL330_CHANNELS];
    uint8_t loops[2 * PL330_CHANNELS];                          /* LC0 and LC1 of each */
    uint8_t is_single[PL330_CHANNELS], is_last[PL330_CHANNELS]; /* request_type, request_last */
    uint16_t filled[PL330_CHANNELS];                            /* bytes in the MFIFO */
    uint8_t fifo[PL330_CHANNELS * PL330_FIFO_BYTES];            /* the oldest first */
    /* Of all: */
    uint32_t inten, ris, dbginst0, dbginst1;
    /* From the configuration: the manager begins there, by itself. */
    bool boots;
    uint64_t boot_address;
};

/* Instructions, by pl330_thread.c. The thread's next one. */
enum pl330_outcome { PL330_STALLED, PL330_IS_HELD, PL330_RAN, PL330_SIGNALLED };
enum pl330_outcome pl330_thread_step(struct pl330 *p, unsigned thread);
/* Would it do something now? */
bool pl330_thread_can_run(const struct pl330 *p, unsigned thread);
/* One that comes by the debug registers, of 6 bytes (2.5.1). */
void pl330_thread_debug(struct pl330 *p, unsigned thread, const uint8_t *instruction);
/* It aborts (2.8): bits of FTRD or FTRn. */
void pl330_thread_fault(struct pl330 *p, unsigned thread, uint32_t fault);

/* Data, by pl330_data.c: what an instruction gives. `single`: one beat, whatever CCRn says. */
uint32_t pl330_data_load(struct pl330 *p, unsigned channel, bool single);
uint32_t pl330_data_store(struct pl330 *p, unsigned channel, bool single);
uint32_t pl330_data_store_zeros(struct pl330 *p, unsigned channel);
/* Of a program, at that address of 32 bits. */
uint32_t pl330_data_fetch(struct pl330 *p, uint32_t from, void *to, unsigned size);

#endif
