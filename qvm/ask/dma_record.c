#include "qvm/ask/dma_record.h"

#include <inttypes.h>
#include <string.h>

#include "emu/text.h"
#include "hv/board.h"

const struct where_name dma_columns[DMA_COLUMNS + 1] = {
    [DMA_COLUMN_NUMBER] = {"number", false, NULL},
    [DMA_COLUMN_INSN] = {"insn", false, NULL},
    [DMA_COLUMN_VM] = {"vm", true, NULL},
    [DMA_COLUMN_VCPU] = {"vcpu", false, NULL},
    [DMA_COLUMN_DEVICE] = {"device", true, NULL},
    [DMA_COLUMN_SMMU] = {"smmu", true, NULL},
    [DMA_COLUMN_STREAM] = {"stream", false, NULL},
    [DMA_COLUMN_SUBSTREAM] = {"substream", false, NULL},
    [DMA_COLUMN_IOVA] = {"iova", false, NULL},
    [DMA_COLUMN_WRITE] = {"write", false, NULL},
    [DMA_COLUMN_BY] = {"by", true, NULL},
    [DMA_COLUMN_REASON] = {"reason", true, NULL},
    [DMA_COLUMN_RECORD] = {"record", true, NULL},
    [DMA_COLUMNS] = {NULL, false, NULL},
};

static const char *or_none(const char *word)
{
    return word ? word : "none";
}

void dma_record_fill(struct dma_record *r, uint64_t number, const struct board_event *event)
{
    const struct dma_refusal *d = &event->dma;
    struct where_value *v = r->values;
    v[DMA_COLUMN_NUMBER].number = number;
    v[DMA_COLUMN_INSN].number = event->instructions;
    v[DMA_COLUMN_VM].word = event->vm->name;
    v[DMA_COLUMN_VCPU].number = event->vcpu;
    v[DMA_COLUMN_DEVICE].word = d->by.device;
    v[DMA_COLUMN_SMMU].word = or_none(d->by.smmu);
    v[DMA_COLUMN_STREAM].number = d->by.smmu ? d->by.stream : DMA_RECORD_NONE;
    v[DMA_COLUMN_SUBSTREAM].number =
        d->by.smmu && d->by.substream != DMA_NO_SUBSTREAM ? d->by.substream : DMA_RECORD_NONE;
    v[DMA_COLUMN_IOVA].number = d->iova;
    v[DMA_COLUMN_WRITE].number = d->is_write;
    v[DMA_COLUMN_BY].word = d->where;
    v[DMA_COLUMN_REASON].word = d->reason;
    v[DMA_COLUMN_RECORD].word = or_none(d->record);
}

/* Any number may be an address. */
static bool is_none(const struct dma_record *r, size_t column)
{
    return (column == DMA_COLUMN_STREAM || column == DMA_COLUMN_SUBSTREAM) &&
           r->values[column].number == DMA_RECORD_NONE;
}

void dma_record_text(const struct dma_record *r, struct bytes *out)
{
    for (size_t i = 0; i < DMA_COLUMNS; i++) {
        const char *word = dma_columns[i].is_word ? r->values[i].word : NULL;
        text_put(out, "%s%s=", i ? " " : "", dma_columns[i].name);
        if (word)
            text_put(out, strchr(word, ' ') ? "'%s'" : "%s", word);
        else if (is_none(r, i))
            text_put(out, "none");
        else
            text_put(out, i == DMA_COLUMN_IOVA ? "0x%" PRIx64 : "%" PRIu64, r->values[i].number);
    }
}

void dma_record_json(const struct dma_record *r, struct json *j)
{
    for (size_t i = 0; i < DMA_COLUMNS; i++)
        if (dma_columns[i].is_word)
            json_string(j, dma_columns[i].name, r->values[i].word);
        else if (is_none(r, i))
            json_string(j, dma_columns[i].name, NULL);
        else
            json_number(j, dma_columns[i].name, r->values[i].number);
}
