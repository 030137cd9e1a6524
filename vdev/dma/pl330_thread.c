/* Threads: the manager and one for each channel. Each fetches its instructions from memory by DMA
 * (chapter 4), one at a time. Nothing is cached, so there is nothing to invalidate, and everything
 * is non-secure: what asks for the secure world aborts. */
#include <string.h>

#include "emu/bytes.h"
#include "vdev/dma/pl330_internal.h"

/* CCRn: the second bit of each side's protection says non-secure. */
#define CCR_SRC_NS (UINT32_C(1) << 9)
#define CCR_DST_NS (UINT32_C(1) << 23)

enum { ON_MANAGER = 1 << 0, ON_CHANNEL = 1 << 1, BY_DEBUG = 1 << 2, INSTRUCTION_MAX = 6 };

static bool is_pending(const struct pl330 *p, unsigned event)
{
    return event < PL330_EVENTS && (p->ris & ~p->inten) >> event & 1;
}

/* No device drives a peripheral request interface here. They are tied: the first always asks for a
 * burst, the second always for a single transfer, its last; the others never ask. */
enum { ASKS_FOR_BURST, ASKS_FOR_SINGLE, ASKS };

static void stop(struct pl330 *p, unsigned thread)
{
    p->state[thread] = PL330_STOPPED;
    p->fault[thread] = 0;
    if (thread < PL330_CHANNELS)
        p->filled[thread] = 0;
}

void pl330_thread_fault(struct pl330 *p, unsigned thread, uint32_t fault)
{
    log_guest(p->v.env->log, "%s: thread %u faults at 0x%08x: %#x", p->v.name, thread,
              (unsigned)p->pc[thread], (unsigned)fault);
    stop(p, thread);
    p->state[thread] = PL330_FAULTING;
    p->fault[thread] = fault;
}

/* Instructions ------------------------------------------------------------------------------------
 * Each gets its bytes, and the thread's PC is behind it already.
 */

static uint32_t end(struct pl330 *p, unsigned thread, const uint8_t *i)
{
    (void)i;
    stop(p, thread);
    return 0;
}

/* DMARMB, DMAWMB: what is before it is complete already. DMANOP. */
static uint32_t nop(struct pl330 *p, unsigned thread, const uint8_t *i)
{
    (void)p;
    (void)thread;
    (void)i;
    return 0;
}

/* The suffixes: those with an S are for a request of a single transfer, those with a B for one of a
 * burst. */
static bool is_for_other_request(const struct pl330 *p, unsigned channel, uint8_t opcode)
{
    bool wants_single = !(opcode & 2);
    return opcode & 1 && wants_single != p->is_single[channel];
}

static bool is_single(uint8_t opcode)
{
    return (opcode & 3) == 1;
}

static uint32_t load(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    return is_for_other_request(p, channel, i[0]) ? 0
                                                  : pl330_data_load(p, channel, is_single(i[0]));
}

static uint32_t store(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    return is_for_other_request(p, channel, i[0]) ? 0
                                                  : pl330_data_store(p, channel, is_single(i[0]));
}

static uint32_t store_zeros(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    (void)i;
    return pl330_data_store_zeros(p, channel);
}

static bool has_peripheral(const uint8_t *i)
{
    return i[1] >> 3 < PL330_PERIPHERALS;
}

/* DMALDP, DMASTP: the peripheral is told, too. DMAFLUSHP: it asks anew. */
static uint32_t load_from_peripheral(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    return has_peripheral(i) ? load(p, channel, i) : PL330_OPERAND_INVALID;
}

static uint32_t store_to_peripheral(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    return has_peripheral(i) ? store(p, channel, i) : PL330_OPERAND_INVALID;
}

static uint32_t flush_peripheral(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    (void)p;
    (void)channel;
    return has_peripheral(i) ? 0 : PL330_OPERAND_INVALID;
}

static uint32_t wait_for_peripheral(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    unsigned peripheral = i[1] >> 3;
    bool asks_peripheral = i[0] & 1; /* what kind of request it is */
    if (!has_peripheral(i))
        return PL330_OPERAND_INVALID;
    if (peripheral >= ASKS) {
        p->state[channel] = PL330_WAITS_FOR_PERIPHERAL;
        p->wakeup[channel] = (uint8_t)peripheral;
        return PL330_WAITS;
    }
    p->is_single[channel] = asks_peripheral ? peripheral == ASKS_FOR_SINGLE : !(i[0] & 2);
    p->is_last[channel] = asks_peripheral && peripheral == ASKS_FOR_SINGLE;
    return 0;
}

static uint32_t wait_for_event(struct pl330 *p, unsigned thread, const uint8_t *i)
{
    unsigned event = i[1] >> 3;
    if (event >= PL330_EVENTS)
        return PL330_OPERAND_INVALID;
    if (!is_pending(p, event)) {
        p->state[thread] = PL330_WAITS_FOR_EVENT;
        p->wakeup[thread] = (uint8_t)event;
        return PL330_WAITS;
    }
    p->ris &= ~(UINT32_C(1) << event);
    p->state[thread] = PL330_EXECUTING;
    return 0;
}

/* An interrupt, or an event, as INTEN says. */
static uint32_t send_event(struct pl330 *p, unsigned thread, const uint8_t *i)
{
    unsigned event = i[1] >> 3;
    (void)thread;
    if (event >= PL330_EVENTS)
        return PL330_OPERAND_INVALID;
    p->ris |= UINT32_C(1) << event;
    return PL330_SIGNALS;
}

static uint8_t *loop_counter(struct pl330 *p, unsigned channel, bool second)
{
    return &p->loops[2 * channel + second];
}

static uint32_t begin_loop(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    *loop_counter(p, channel, i[0] & 2) = i[1];
    return 0;
}

/* DMALPEND, or behind DMALPFE, which has no counter, and ends with the peripheral's last request.
 * PC is 2 behind the instruction that the jump counts from. */
static uint32_t end_loop(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    bool has_counter = i[0] & 0x10;
    uint8_t *counter = loop_counter(p, channel, i[0] & 4);
    if (has_counter && is_for_other_request(p, channel, i[0]))
        return 0;
    if (has_counter ? *counter == 0 : p->is_last[channel])
        return 0;
    if (has_counter)
        --*counter;
    p->pc[channel] -= 2 + (uint32_t)i[1];
    return 0;
}

/* DMAADDH and DMAADNH: 16 bits, with zeros or ones above. */
static uint32_t add(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    uint32_t *address = i[0] & 2 ? &p->dar[channel] : &p->sar[channel];
    *address += (uint32_t)load_le(i + 1, 2) | (i[0] & 8 ? 0xffff0000u : 0);
    return 0;
}

/* What the bus is too narrow for, and what is secure, CCRn does not take. */
static uint32_t set_control(struct pl330 *p, unsigned channel, uint32_t value)
{
    enum {
        SRC_SIZE_SHIFT = 1,
        DST_SIZE_SHIFT = 15,
        SIZE_MASK = 7,
        ENDIAN_SHIFT = 28,
        ENDIAN_MAX = 4
    };
    if ((value >> SRC_SIZE_SHIFT & SIZE_MASK) > PL330_BUS_BYTES_LOG2 ||
        (value >> DST_SIZE_SHIFT & SIZE_MASK) > PL330_BUS_BYTES_LOG2 ||
        (value >> ENDIAN_SHIFT & SIZE_MASK) > ENDIAN_MAX)
        return PL330_OPERAND_INVALID;
    if (!(value & CCR_SRC_NS) || !(value & CCR_DST_NS))
        return PL330_CH_RDWR_ERR;
    p->ccr[channel] = value;
    return 0;
}

static uint32_t move(struct pl330 *p, unsigned channel, const uint8_t *i)
{
    enum { SAR, CCR, DAR };
    uint32_t value = load_le32(i + 2);
    switch (i[1]) {
    case SAR:
        p->sar[channel] = value;
        return 0;
    case CCR:
        return set_control(p, channel, value);
    case DAR:
        p->dar[channel] = value;
        return 0;
    default:
        return PL330_OPERAND_INVALID;
    }
}

/* A channel that runs goes on as it was. */
static uint32_t go(struct pl330 *p, unsigned thread, const uint8_t *i)
{
    unsigned channel = i[1];
    (void)thread;
    if (channel >= PL330_CHANNELS)
        return PL330_OPERAND_INVALID;
    if (!(i[0] & 2)) /* ns */
        return PL330_DMAGO_ERR;
    if (p->state[channel] != PL330_STOPPED)
        return 0;
    p->pc[channel] = load_le32(i + 2);
    p->is_single[channel] = p->is_last[channel] = 0;
    p->state[channel] = PL330_EXECUTING;
    return 0;
}

/* Table 4-1: the first that fits. */
static const struct instruction {
    uint8_t mask, opcode, length, where;
    uint32_t (*run)(struct pl330 *p, unsigned thread, const uint8_t *i);
} instructions[] = {
    {0xff, 0x00, 1, ON_MANAGER | ON_CHANNEL, end},
    {0xff, 0x01, 1, ON_MANAGER | ON_CHANNEL | BY_DEBUG, end}, /* DMAKILL */
    {0xff, 0x06, 1, 0, NULL},
    {0xfc, 0x04, 1, ON_CHANNEL, load},
    {0xff, 0x0a, 1, 0, NULL},
    {0xfc, 0x08, 1, ON_CHANNEL, store},
    {0xff, 0x0c, 1, ON_CHANNEL, store_zeros},
    {0xfe, 0x12, 1, ON_CHANNEL, nop}, /* DMARMB, DMAWMB */
    {0xff, 0x18, 1, ON_MANAGER | ON_CHANNEL, nop},
    {0xfd, 0x20, 2, ON_CHANNEL, begin_loop},
    {0xfd, 0x25, 2, ON_CHANNEL, load_from_peripheral},
    {0xfd, 0x29, 2, ON_CHANNEL, store_to_peripheral},
    {0xfb, 0x28, 2, ON_CHANNEL, end_loop}, /* of DMALPFE */
    {0xfb, 0x3a, 2, 0, NULL},
    {0xf8, 0x38, 2, ON_CHANNEL, end_loop},
    {0xff, 0x33, 2, 0, NULL},
    {0xfc, 0x30, 2, ON_CHANNEL, wait_for_peripheral},
    {0xff, 0x34, 2, ON_MANAGER | ON_CHANNEL | BY_DEBUG, send_event},
    {0xff, 0x35, 2, ON_CHANNEL, flush_peripheral},
    {0xff, 0x36, 2, ON_MANAGER | ON_CHANNEL, wait_for_event},
    {0xfd, 0x54, 3, ON_CHANNEL, add},
    {0xfd, 0x5c, 3, ON_CHANNEL, add},
    {0xfd, 0xa0, 6, ON_MANAGER | BY_DEBUG, go},
    {0xff, 0xbc, 6, ON_CHANNEL, move},
};

/* NULL: it has none of that opcode. */
static const struct instruction *find(unsigned thread, uint8_t opcode, bool by_debug)
{
    unsigned wanted =
        (thread == PL330_MANAGER ? ON_MANAGER : ON_CHANNEL) | (by_debug ? BY_DEBUG : 0);
    for (size_t n = 0; n < sizeof instructions / sizeof instructions[0]; n++)
        if ((opcode & instructions[n].mask) == instructions[n].opcode)
            return (instructions[n].where & wanted) == wanted ? &instructions[n] : NULL;
    return NULL;
}

/* Steps -------------------------------------------------------------------------------------------
 */

bool pl330_thread_can_run(const struct pl330 *p, unsigned thread)
{
    switch (p->state[thread]) {
    case PL330_EXECUTING:
        return true;
    case PL330_WAITS_FOR_EVENT:
        return is_pending(p, p->wakeup[thread]);
    case PL330_WAITS_FOR_PERIPHERAL:
        return p->wakeup[thread] < ASKS;
    default:
        return false;
    }
}

static uint32_t fetch_and_run(struct pl330 *p, unsigned thread)
{
    uint8_t bytes[INSTRUCTION_MAX];
    uint32_t at = p->pc[thread], outcome = pl330_data_fetch(p, at, bytes, 1);
    if (outcome)
        return outcome;
    const struct instruction *i = find(thread, bytes[0], false);
    if (!i)
        return PL330_UNDEF_INSTR;
    if (i->length > 1)
        outcome = pl330_data_fetch(p, at + 1, bytes + 1, i->length - 1u);
    if (outcome)
        return outcome;
    p->pc[thread] += i->length;
    return i->run(p, thread, bytes);
}

enum pl330_outcome pl330_thread_step(struct pl330 *p, unsigned thread)
{
    uint32_t at = p->pc[thread], outcome = fetch_and_run(p, thread);
    if (outcome && outcome != PL330_SIGNALS)
        p->pc[thread] = at;
    switch (outcome) {
    case PL330_STALLS:
        return PL330_STALLED;
    case PL330_HELD:
        return PL330_IS_HELD;
    case PL330_SIGNALS:
        return PL330_SIGNALLED;
    case 0:
    case PL330_WAITS:
        return PL330_RAN;
    default:
        pl330_thread_fault(p, thread, outcome);
        return PL330_RAN;
    }
}

/* A manager that has faulted hears DMAKILL only. */
void pl330_thread_debug(struct pl330 *p, unsigned thread, const uint8_t *instruction)
{
    const struct instruction *i = find(thread, instruction[0], true);
    if (p->state[thread] == PL330_FAULTING && (!i || i->run != end))
        return;
    uint32_t outcome = i ? i->run(p, thread, instruction) : PL330_UNDEF_INSTR;
    if (outcome && outcome != PL330_SIGNALS)
        pl330_thread_fault(p, thread, outcome | PL330_DBG_INSTR);
}
