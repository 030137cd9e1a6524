/* The port to the board's own space: behind it is whatever a bank has at that address. It is for an
 * SMMU of the board, which translates into it, and for masters that nothing contains. */
#include <string.h>

#include "hv/exitlog/exit_log.h"
#include "hv/hv_internal.h"

static bool refuse(struct dma_fault *fault, iova_t at)
{
    fault->kind = DMA_FAULT_BUS;
    fault->at = at;
    fault->where = "the board";
    return false;
}

/* What guests put into memory is not there when exits are played: the log has it. */
static bool board_read(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                       struct dma_fault *fault)
{
    return exit_log_read_hpa(p->context, hpa(from.v), to, size) || refuse(fault, from);
}

static bool board_write(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
                        struct dma_fault *fault)
{
    struct board *b = p->context;
    uint8_t *host = memory_at(&b->memory, hpa(to.v), size, MEMORY_WRITE);
    if (!host)
        return refuse(fault, to);
    memcpy(host, from, (size_t)size);
    return true;
}

static size_t board_map(const struct dma_port *p, iova_t at, uint64_t size, enum dma_kind kind,
                        struct dma_span *spans, size_t room, struct dma_fault *fault)
{
    struct board *b = p->context;
    uint8_t *host = memory_at(&b->memory, hpa(at.v), size, MEMORY_READ);
    if ((kind == DMA_READ && b->options.exit_log) || !room)
        return 0;
    if (!host)
        return refuse(fault, at), 0;
    spans[0] = (struct dma_span){.host = host, .size = size, .place = at.v};
    return 1;
}

static void board_before_write(const struct dma_port *p, uint64_t place, uint64_t size)
{
    struct board *b = p->context;
    CHECK(memory_at(&b->memory, hpa(place), size, MEMORY_WRITE));
}

static void board_changed(const struct dma_port *p)
{
    struct board *b = p->context;
    b->dma_generation++;
}

struct dma_port board_dma_port(struct board *b)
{
    return (struct dma_port){
        .read = board_read,
        .write = board_write,
        .map = board_map,
        .before_write = board_before_write,
        .changed = board_changed,
        .generation = &b->dma_generation,
        .substream = DMA_NO_SUBSTREAM,
        .context = b,
    };
}
