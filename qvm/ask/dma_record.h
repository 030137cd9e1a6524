/* One access of a device that was refused, as a row of named values: for lists, conditions, JSON.
 */
#ifndef QVM_ASK_DMA_RECORD_H
#define QVM_ASK_DMA_RECORD_H

#include "emu/json.h"
#include "emu/where.h"
#include "hv/events.h"

/* In this order. */
enum dma_column {
    DMA_COLUMN_NUMBER,
    DMA_COLUMN_INSN,
    DMA_COLUMN_VM,
    DMA_COLUMN_VCPU,
    DMA_COLUMN_DEVICE,
    DMA_COLUMN_SMMU,      /* "none" */
    DMA_COLUMN_STREAM,    /* DMA_RECORD_NONE */
    DMA_COLUMN_SUBSTREAM, /* the same */
    DMA_COLUMN_IOVA,
    DMA_COLUMN_WRITE,
    DMA_COLUMN_BY,
    DMA_COLUMN_REASON,
    DMA_COLUMN_RECORD, /* "none" */
    DMA_COLUMNS
};
#define DMA_RECORD_NONE UINT64_MAX
extern const struct where_name dma_columns[DMA_COLUMNS + 1];

struct dma_record {
    struct where_value values[DMA_COLUMNS];
};

/* `event` is EVENT_DMA_REFUSED; `number` counts them from 0. Words are borrowed from it. */
void dma_record_fill(struct dma_record *r, uint64_t number, const struct board_event *event);
/* "number=0 insn=48795 vm=test ...", without a newline. */
void dma_record_text(const struct dma_record *r, struct bytes *out);
/* Members of the JSON object that is open. */
void dma_record_json(const struct dma_record *r, struct json *j);

#endif
