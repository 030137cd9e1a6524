/* A recording for ui.perfetto.dev: TrackEvents in Perfetto's protobuf encoding. A VM is a process,
 * a vCPU a thread with slices of guest time and of exits, a device a track with its accesses. Times
 * are the board's virtual ns. */
#ifndef QVM_ASK_PERFETTO_H
#define QVM_ASK_PERFETTO_H

#include "hv/board.h"

struct perfetto {
    bool begun;
    bool described[BOARD_VMS_MAX];
    bool is_open[BOARD_VMS_MAX][CONFIG_VCPUS_MAX]; /* a slice is, on the vCPU's track */
    uint64_t last_ns;
};

/* Appends the packets of one event. */
void perfetto_event(struct perfetto *p, const struct board_event *event, struct bytes *out);
/* Closes what is open. */
void perfetto_end(struct perfetto *p, struct bytes *out);

#endif
