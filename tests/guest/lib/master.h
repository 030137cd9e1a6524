/* A DMA master that makes any access (docs/dma-master.md), at its place in the tests' VMs. */
#ifndef GUEST_MASTER_H
#define GUEST_MASTER_H

#include "guest.h"

#define MASTER 0x0a100000u
enum {
    MASTER_COMMAND = 0x008,
    MASTER_STATUS = 0x010,
    MASTER_FAULT = 0x014,
    MASTER_IOVA = 0x020,
    MASTER_SIZE = 0x030,
    MASTER_PATTERN = 0x038,
    MASTER_UNIT = 0x048,
    MASTER_BUDGET = 0x04c,
    MASTER_PAUSE = 0x050,
    MASTER_LIST_COUNT = 0x054,
    MASTER_LIST = 0x058,
    MASTER_LIST_INDEX = 0x060,
    MASTER_FAULTS = 0x088,
};
enum { MASTER_FILL = 3, MASTER_HASH = 7, MASTER_RUN_LIST = 8 };
enum { MASTER_GOES_ON = 0x40, MASTER_TELLS_RESULT = 0x80 };
enum { MASTER_BUSY = 1, MASTER_DONE = 2, MASTER_FAULTED = 4 };

/* Of a list. */
struct master_entry {
    uint32_t command, unit;
    uint64_t iova, second, size, pattern;
    uint32_t stream, substream;
    uint32_t status, fault;
    uint64_t detail;
};

static inline void master_put64(unsigned offset, uint64_t value)
{
    write32(MASTER + offset, (uint32_t)value);
    write32(MASTER + offset + 4, (uint32_t)(value >> 32));
}

static inline uint64_t master_get64(unsigned offset)
{
    return read32(MASTER + offset) | (uint64_t)read32(MASTER + offset + 4) << 32;
}

/* A command of one range, or, with `size` entries at `at`, a list; STATUS when it is over. */
static inline unsigned master_run(unsigned command, uint64_t at, uint64_t size)
{
    bool is_list = (command & 15) == MASTER_RUN_LIST;
    master_put64(is_list ? MASTER_LIST : MASTER_IOVA, at);
    if (is_list)
        write32(MASTER + MASTER_LIST_COUNT, (uint32_t)size);
    else
        master_put64(MASTER_SIZE, size);
    DSB();
    write32(MASTER + MASTER_STATUS, ~0u);
    write32(MASTER + MASTER_COMMAND, command);
    while (read32(MASTER + MASTER_STATUS) & MASTER_BUSY)
        ASM("yield");
    DSB();
    return read32(MASTER + MASTER_STATUS);
}

#endif
