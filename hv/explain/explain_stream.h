/* What becomes of a device's access behind an SMMU: `qvm explain --stream`. */
#ifndef HV_EXPLAIN_EXPLAIN_STREAM_H
#define HV_EXPLAIN_EXPLAIN_STREAM_H

#include "hv/board.h"

/* `who`: a vdev with a stream by its name, or SMMU:NUMBER. Appends lines; nothing is changed.
 * `substream` DMA_NO_SUBSTREAM: none. False, with the error: there is nobody of that name. */
bool explain_stream(struct vm *vm, const char *who, uint32_t substream, iova_t at,
                    enum dma_kind kind, struct bytes *out, struct error *e);

#endif
