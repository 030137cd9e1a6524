/* What a sender may leave undone in a frame for a receiver that is able to do it, or needs none of
 * it: the checksum of TCP or UDP, and cutting one long TCP segment into such as the network carries
 * (virtio 1.2, 5.1.6.2). All zero: the frame is as it goes over a wire. */
#ifndef VDEV_FRAME_H
#define VDEV_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_segments { FRAME_WHOLE = 0, FRAME_TCPV4 = 1, FRAME_TCPV6 = 4 };

struct frame_work {
    bool needs_checksum; /* over all from checksum_start on, into the 2 bytes at checksum_offset
                            behind there, which hold the sum of the pseudo header */
    bool has_ecn;        /* segments: TCP's CWR is for the first only */
    uint8_t segments;    /* enum frame_segments */
    uint16_t checksum_start, checksum_offset;
    uint16_t header_size;  /* a hint: of all headers */
    uint16_t segment_size; /* bytes of TCP's data that a segment carries */
};

#endif
