/* Frames for a device: it takes them when they come, or they wait here, in order and bounded, until
 * it has room; what does not fit is lost, as on any network. */
#include <string.h>

#include "emu/journal_records.h"
#include "hv/hv_internal.h"

/* How frames wait: each behind its size, and the work that is left to do. */
enum {
    HEAD_SIZE = 0,
    HEAD_FLAGS = 4, /* bit 0: a checksum is needed; bit 1: ECN */
    HEAD_SEGMENTS = 5,
    HEAD_CHECKSUM_START = 6,
    HEAD_CHECKSUM_OFFSET = 8,
    HEAD_HEADER_SIZE = 10,
    HEAD_SEGMENT_SIZE = 12,
    FRAME_HEAD = 14,
};

static void put_head(uint8_t head[FRAME_HEAD], const struct vdev_frame *f)
{
    store_le(head + HEAD_SIZE, f->size, 4);
    head[HEAD_FLAGS] = (uint8_t)(f->work.needs_checksum | f->work.has_ecn << 1);
    head[HEAD_SEGMENTS] = f->work.segments;
    store_le(head + HEAD_CHECKSUM_START, f->work.checksum_start, 2);
    store_le(head + HEAD_CHECKSUM_OFFSET, f->work.checksum_offset, 2);
    store_le(head + HEAD_HEADER_SIZE, f->work.header_size, 2);
    store_le(head + HEAD_SEGMENT_SIZE, f->work.segment_size, 2);
}

static struct vdev_frame frame_at(const uint8_t *head)
{
    return (struct vdev_frame){
        .data = head + FRAME_HEAD,
        .size = load_le32(head + HEAD_SIZE),
        .work = {.needs_checksum = head[HEAD_FLAGS] & 1,
                 .has_ecn = head[HEAD_FLAGS] >> 1 & 1,
                 .segments = head[HEAD_SEGMENTS],
                 .checksum_start = (uint16_t)load_le(head + HEAD_CHECKSUM_START, 2),
                 .checksum_offset = (uint16_t)load_le(head + HEAD_CHECKSUM_OFFSET, 2),
                 .header_size = (uint16_t)load_le(head + HEAD_HEADER_SIZE, 2),
                 .segment_size = (uint16_t)load_le(head + HEAD_SEGMENT_SIZE, 2)},
    };
}

bool frames_are_good(const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (size - at > FRAME_HEAD) {
        const struct vdev_frame f = frame_at(data + at);
        if (!journal_push_is_good(PUSH_FRAME, f.size) || f.size > size - at - FRAME_HEAD ||
            !frame_is_sound(&f))
            return false;
        at += FRAME_HEAD + f.size;
    }
    return at == size;
}

/* A network may bring more than a guest takes for as long as it likes: that is told once. */
static void lose(struct vm *vm, unsigned channel, size_t size)
{
    if (!vm->pending[channel].frames_lost++)
        log_write(&vm->log, LOG_SEVERITY_WARN,
                  "%s: a frame of %zu bytes is lost: the guest does not take them; "
                  "others that are lost are counted for the status report",
                  vm->vdevs[channel]->name, size);
}

struct frame_finisher frames_finish(struct board *b, const struct vdev_frame *frame)
{
    struct frame_finisher f = {.frame = frame, .buffer = b->frame_buffer};
    f.is_over = frame->work.segments && !frame_cut(&f.cutter, frame);
    return f;
}

bool frames_next(struct frame_finisher *f, struct vdev_frame *next)
{
    if (f->is_over)
        return false;
    if (f->frame->work.segments)
        return frame_next(&f->cutter, f->buffer, next);
    f->is_over = true;
    *next = frame_complete(f->frame, f->buffer);
    return true;
}

static bool can_do(const struct vdev *v, const struct vdev_frame *f)
{
    bool is_done = !f->work.needs_checksum && !f->work.segments;
    return is_done || (v->type->does_work && v->type->does_work(v, &f->work));
}

/* How many of the bytes that wait it took. A driver that was started again may do less than was
 * asked of the one before. */
static size_t take(struct vm *vm, unsigned channel)
{
    const struct pending_input *p = &vm->pending[channel];
    struct vdev *v = vm->vdevs[channel];
    size_t at = 0;
    while (at < p->size) {
        struct vdev_frame f = frame_at(p->data + at);
        if (!can_do(v, &f))
            lose(vm, channel, f.size);
        else if (!v->type->frame(v, &f))
            break;
        at += FRAME_HEAD + f.size;
    }
    return at;
}

bool frames_offer_again(struct vm *vm, unsigned channel)
{
    struct pending_input *p = &vm->pending[channel];
    size_t taken = take(vm, channel);
    p->size -= taken;
    memmove(p->data, p->data + taken, p->size);
    return taken != 0;
}

static void append(struct pending_input *to, const void *data, size_t size)
{
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

/* Behind those that wait: frames do not overtake each other. */
static void offer(struct vm *vm, unsigned channel, const struct vdev_frame *frame)
{
    struct vdev *v = vm->vdevs[channel];
    struct pending_input *pending = &vm->pending[channel];
    uint8_t head[FRAME_HEAD];
    if (!pending->size && v->type->frame(v, frame))
        return;
    if (frame->size + sizeof head > PENDING_FRAMES_MAX - pending->size) {
        lose(vm, channel, frame->size);
        return;
    }
    put_head(head, frame);
    append(pending, head, sizeof head);
    append(pending, frame->data, frame->size);
    if (vm->input_retry.when_ticks == EVENT_NEVER) /* however many more come */
        event_at(&vm->board->events, &vm->input_retry,
                 vtime_ticks(&vm->board->vtime) + INPUT_RETRY_TICKS);
}

void frames_deliver(struct vm *vm, unsigned channel, const struct vdev_frame *frame)
{
    struct frame_finisher f;
    struct vdev_frame next;
    if (can_do(vm->vdevs[channel], frame)) {
        offer(vm, channel, frame);
        return;
    }
    f = frames_finish(vm->board, frame);
    while (frames_next(&f, &next))
        offer(vm, channel, &next);
}
