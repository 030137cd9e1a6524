/* Bytes from memory into the MFIFO, and from there to memory. All of it is done when the
 * instruction is, so that there is nothing that a barrier waits for. */
#include <string.h>

#include "vdev/dma/pl330_internal.h"

enum { BURST_MAX = PL330_BEATS_MAX << PL330_BUS_BYTES_LOG2 };

/* One side of CCRn (table 3-24), from its lowest bit on. */
enum {
    SIDE_INCREMENTS = 1 << 0,
    SIDE_SIZE_SHIFT = 1,
    SIDE_BEATS_SHIFT = 4,
    SIDE_PRIVILEGED = 1 << 8, /* AxPROT[0] */
    SIDE_INSTRUCTION = 1 << 10,
};
enum { SOURCE_SHIFT = 0, DESTINATION_SHIFT = 14, ENDIAN_SHIFT = 28 };

struct burst {
    uint32_t at, next; /* where it begins; and where the one behind it will */
    unsigned pieces;   /* accesses */
    unsigned piece;    /* bytes of each */
    unsigned bytes;
};

/* Up to a multiple of the beat's size, whatever the address is (2.9.1 and appendix B): an unaligned
 * burst is shorter by what lies below it. */
static struct burst burst_of(uint32_t side, uint32_t at, bool single)
{
    unsigned log2 = side >> SIDE_SIZE_SHIFT & 7;
    unsigned size = 1u << (log2 < PL330_BUS_BYTES_LOG2 ? log2 : PL330_BUS_BYTES_LOG2);
    unsigned beats = single ? 1 : (side >> SIDE_BEATS_SHIFT & 0xf) + 1;
    unsigned below = at & (size - 1);
    struct burst b = {.at = at, .next = at, .pieces = beats, .piece = size - below};
    if (side & SIDE_INCREMENTS) {
        b.pieces = 1;
        b.piece = beats * size - below;
        b.next = at + b.piece;
    }
    b.bytes = b.pieces * b.piece;
    return b;
}

/* The bus has 32 bits of address, and a burst does not go round them. `side` is how it is
 * protected. */
static uint32_t move(struct pl330 *p, const struct burst *b, uint8_t *bytes, enum dma_kind kind,
                     uint32_t side, uint32_t error)
{
    struct dma_port port = p->v.dma;
    port.is_privileged = side & SIDE_PRIVILEGED;
    port.is_fetch = side & SIDE_INSTRUCTION;
    struct dma_fault fault = {.kind = DMA_FAULT_RANGE, .at = {b->at}, .where = "its bus"};
    bool ok = b->piece - 1 <= UINT32_MAX - b->at;
    for (unsigned i = 0; ok && i < b->pieces; i++, bytes += b->piece)
        ok = kind == DMA_READ ? dma_read(&port, (iova_t){b->at}, bytes, b->piece, &fault)
                              : dma_write(&port, (iova_t){b->at}, bytes, b->piece, &fault);
    if (ok)
        return 0;
    if (fault.kind == DMA_FAULT_STALLED)
        return PL330_HELD;
    char text[120];
    dma_fault_text(&fault, text, sizeof text);
    log_guest(p->v.env->log, "%s: %s", p->v.name, text);
    return error;
}

/* Instructions are always fetched with privilege, whoever made them: there is no CCR for that. */
uint32_t pl330_data_fetch(struct pl330 *p, uint32_t from, void *to, unsigned size)
{
    const struct burst b = {.at = from, .pieces = 1, .piece = size, .bytes = size};
    return move(p, &b, to, DMA_READ, SIDE_PRIVILEGED, PL330_INSTR_FETCH_ERR);
}

/* endian_swap_size: the bytes of each group go the other way round. */
static void swap(uint8_t *bytes, unsigned size, unsigned log2)
{
    unsigned group = 1u << (log2 <= 4 ? log2 : 0);
    for (unsigned at = 0; at + group <= size; at += group)
        for (unsigned i = 0; i < group / 2; i++) {
            uint8_t byte = bytes[at + i];
            bytes[at + i] = bytes[at + group - 1 - i];
            bytes[at + group - 1 - i] = byte;
        }
}

/* A channel that wants more than there is at all never gets it; what others hold, it waits for. */
uint32_t pl330_data_load(struct pl330 *p, unsigned channel, bool single)
{
    uint32_t ccr = p->ccr[channel];
    struct burst b = burst_of(ccr >> SOURCE_SHIFT, p->sar[channel], single);
    uint8_t bytes[BURST_MAX], *fifo = p->fifo + channel * PL330_FIFO_BYTES;
    unsigned filled = 0;
    for (unsigned i = 0; i < PL330_CHANNELS; i++)
        filled += p->filled[i];
    if (p->filled[channel] + b.bytes > PL330_FIFO_BYTES)
        return PL330_MFIFO_ERR;
    if (filled + b.bytes > PL330_FIFO_BYTES)
        return PL330_STALLS;
    uint32_t outcome = move(p, &b, bytes, DMA_READ, ccr >> SOURCE_SHIFT, PL330_DATA_READ_ERR);
    if (outcome)
        return outcome;
    swap(bytes, b.bytes, ccr >> ENDIAN_SHIFT & 7);
    memcpy(fifo + p->filled[channel], bytes, b.bytes);
    p->filled[channel] = (uint16_t)(p->filled[channel] + b.bytes);
    p->sar[channel] = b.next;
    return 0;
}

uint32_t pl330_data_store(struct pl330 *p, unsigned channel, bool single)
{
    uint32_t side = p->ccr[channel] >> DESTINATION_SHIFT;
    struct burst b = burst_of(side, p->dar[channel], single);
    uint8_t *fifo = p->fifo + channel * PL330_FIFO_BYTES;
    if (b.bytes > p->filled[channel])
        return PL330_ST_DATA_UNAVAILABLE;
    uint32_t outcome = move(p, &b, fifo, DMA_WRITE, side, PL330_DATA_WRITE_ERR);
    if (outcome)
        return outcome;
    p->filled[channel] = (uint16_t)(p->filled[channel] - b.bytes);
    memmove(fifo, fifo + b.bytes, p->filled[channel]);
    p->dar[channel] = b.next;
    return 0;
}

uint32_t pl330_data_store_zeros(struct pl330 *p, unsigned channel)
{
    uint8_t zeros[BURST_MAX] = {0};
    uint32_t side = p->ccr[channel] >> DESTINATION_SHIFT;
    struct burst b = burst_of(side, p->dar[channel], false);
    uint32_t outcome = move(p, &b, zeros, DMA_WRITE, side, PL330_DATA_WRITE_ERR);
    if (!outcome)
        p->dar[channel] = b.next;
    return outcome;
}
