/* Ethernet frames on their way between devices, and what a sender may leave undone in one for a
 * receiver that can do it, or need not: the checksum of TCP or UDP, and cutting one long TCP
 * segment into such as a network carries (virtio 1.2, 5.1.6.2). Whoever takes frames as they go
 * over a wire gets them from frame_complete and frame_cut.
 *
 * All of it comes from guests: whatever a frame says of itself is checked. */
#ifndef VDEV_FRAME_H
#define VDEV_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VDEV_FRAME_MAX 65536

enum frame_segments { FRAME_WHOLE = 0, FRAME_TCPV4 = 1, FRAME_TCPV6 = 4 };

/* All zero: none. */
struct frame_work {
    bool needs_checksum; /* over all from checksum_start on, into the 2 bytes at checksum_offset
                            behind there, which hold the sum of the pseudo header */
    bool has_ecn;        /* segments: TCP's CWR is for the first of them only */
    uint8_t segments;    /* enum frame_segments */
    uint16_t checksum_start, checksum_offset;
    uint16_t header_size;  /* a hint: of all headers */
    uint16_t segment_size; /* bytes of TCP's data that a segment carries */
};

struct vdev_frame {
    const uint8_t *data; /* borrowed; without the check sequence */
    size_t size;         /* 1 to VDEV_FRAME_MAX */
    struct frame_work work;
};

/* Does what is left to do make sense? */
bool frame_is_sound(const struct vdev_frame *f);
/* The frame with its checksum, in `buffer` if there was one to do; segments stay in one. */
struct vdev_frame frame_complete(const struct vdev_frame *f, uint8_t buffer[VDEV_FRAME_MAX]);

/* The segments of a frame that has some, one after the other. */
#define FRAME_SEGMENTS_MAX 128
struct frame_cutter {
    const struct vdev_frame *frame;     /* borrowed */
    size_t network, transport, headers; /* where IP and TCP begin, and TCP's data */
    size_t done;                        /* bytes of data */
    unsigned count;                     /* of segments so far */
};
/* False: its headers are not those of TCP as it says, or it has more than FRAME_SEGMENTS_MAX. */
bool frame_cut(struct frame_cutter *c, const struct vdev_frame *f);
/* The next one, complete, in `buffer`. False: that was all. */
bool frame_next(struct frame_cutter *c, uint8_t buffer[VDEV_FRAME_MAX], struct vdev_frame *segment);

#endif
