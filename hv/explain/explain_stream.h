/* What becomes of a device's access behind an SMMU, the VM's own or the board's: `qvm explain
 * --stream`. */
#ifndef HV_EXPLAIN_EXPLAIN_STREAM_H
#define HV_EXPLAIN_EXPLAIN_STREAM_H

#include "hv/board.h"

/* `who`: a vdev of the VM with a stream or a device of the board by its name, or SMMU:NUMBER. */
struct explain_stream {
    const char *who;
    uint32_t substream; /* DMA_NO_SUBSTREAM: none */
    iova_t at;
    enum dma_kind kind;
    bool json; /* one object, or lines */
};

/* Appends; nothing is changed. False, with the error: there is nobody of that name. */
bool explain_stream(struct vm *vm, const struct explain_stream *question, struct bytes *out,
                    struct error *e);

#endif
