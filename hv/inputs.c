/* What an input does to the board. Bytes that a device has no room for wait here, in order and
 * bounded, and are offered again; what does not fit is lost. Frames: hv/frames.c. */
#include <string.h>

#include "emu/text.h"
#include "hv/hv_internal.h"

/* True if the port has taken some of it. */
static bool offer_bytes(struct vm *vm, struct vdev *v, unsigned port)
{
    struct pending_input *p = &vm->pending[vdev_channel(v, port)];
    size_t taken = p->size ? v->type->input(v, port, p->data, p->size) : 0;
    p->size -= taken;
    memmove(p->data, p->data + taken, p->size);
    return taken != 0;
}

static bool offer_to_ports(struct vm *vm, struct vdev *v, bool *more)
{
    bool any = false;
    for (unsigned port = 0; port < v->port_count; port++) {
        any |= offer_bytes(vm, v, port);
        *more |= vm->pending[vdev_channel(v, port)].size != 0;
    }
    return any;
}

/* True if a device has taken some of it. */
static bool offer_pending(struct vm *vm)
{
    bool any = false, more = false;
    for (size_t i = 0; i < vm->vdev_count; i++) {
        if (!vm->vdevs[i]->type->frame) {
            any |= offer_to_ports(vm, vm->vdevs[i], &more);
            continue;
        }
        any |= frames_offer_again(vm, (unsigned)i);
        more |= vm->pending[i].size != 0;
    }
    if (more)
        event_at(&vm->board->events, &vm->input_retry,
                 vtime_ticks(&vm->board->vtime) + INPUT_RETRY_TICKS);
    return any;
}

void input_retry(void *context, uint64_t due_ticks)
{
    (void)due_ticks;
    offer_pending(context);
}

bool input_offer_again(struct board *b)
{
    bool any = false;
    for (size_t i = 0; i < b->vm_count; i++)
        any |= offer_pending(b->vms[i]);
    return any;
}

bool input_is_all_that_waits(const struct board *b)
{
    for (const struct event *e = b->events.first; e; e = e->next)
        if (e->fire != input_retry)
            return false;
    return b->events.first != NULL;
}

static void append(struct pending_input *to, const void *data, size_t size)
{
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

static void console_input(struct vm *vm, unsigned channel, const struct push *p)
{
    unsigned port;
    const struct vdev *v = vm_device_of(vm, channel, &port);
    char name[VM_CHANNEL_NAME];
    if (!v || !v->type->input)
        return;
    struct pending_input *pending = &vm->pending[channel];
    size_t room = PENDING_INPUT_MAX - pending->size;
    size_t size = p->size < room ? p->size : room;
    vm_channel_name(vm, channel, name, sizeof name);
    if (size < p->size)
        log_write(&vm->log, LOG_SEVERITY_WARN, "%s: %zu %s of input lost: the guest does not read",
                  name, p->size - size, text_plural(p->size - size, "byte", "bytes"));
    append(pending, p->data, size);
    offer_pending(vm);
}

static void frame_of_push(struct vm *vm, unsigned channel, const struct push *p)
{
    struct vdev_frame frame = {.data = p->data, .size = p->size};
    if (channel < vm->vdev_count && vm->vdevs[channel]->type->frame)
        frames_deliver(vm, channel, &frame);
}

/* It does not wait behind bytes that the device has no room for: who sends it wants to reach a
 * guest that does not read them. */
static void line_break(struct vm *vm, unsigned channel)
{
    if (channel < vm->vdev_count && vm->vdevs[channel]->type->line_break)
        vm->vdevs[channel]->type->line_break(vm->vdevs[channel]);
}

static void resize(struct vm *vm, unsigned channel, const struct push *p)
{
    if (channel < vm->vdev_count && vm->vdevs[channel]->type->resize)
        vm->vdevs[channel]->type->resize(vm->vdevs[channel], (uint16_t)load_le(p->data, 2),
                                         (uint16_t)load_le(p->data + 2, 2));
}

static void press_button(struct vm *vm)
{
    bool told = false;
    for (size_t i = 0; i < vm->vdev_count; i++)
        if (vm->vdevs[i]->type->button)
            told |= vm->vdevs[i]->type->button(vm->vdevs[i]);
    /* ARM has no standard button: immediate termination unless a device handles it. A second press
     * is not for the guest. */
    if (!told || vm->button_pressed)
        hang_end_by_button(vm, told);
    vm->button_pressed = true;
}

static void deliver_to(struct vm *vm, const struct push *p)
{
    switch (p->kind) {
    case PUSH_POWER_BUTTON:
        press_button(vm);
        break;
    case PUSH_POWER_CUT:
        hang_end_by_power_cut(vm);
        break;
    case PUSH_STATUS:
        vm_log_status(vm);
        break;
    case PUSH_DUMP:
        vm_dump(vm, "the user asked for it");
        break;
    default:
        break;
    }
}

static void deliver_to_device(struct vm *vm, unsigned channel, const struct push *p)
{
    switch (p->kind) {
    case PUSH_CONSOLE:
        console_input(vm, channel, p);
        break;
    case PUSH_FRAME:
        frame_of_push(vm, channel, p);
        break;
    case PUSH_RESIZE:
        resize(vm, channel, p);
        break;
    default:
        line_break(vm, channel);
        break;
    }
}

static bool is_for_a_device(unsigned kind)
{
    return kind == PUSH_CONSOLE || kind == PUSH_BREAK || kind == PUSH_FRAME || kind == PUSH_RESIZE;
}

/* Signals are for every VM. */
void input_deliver(struct board *b, const struct push *p)
{
    unsigned number = p->target >> 8, channel = p->target & 0xff;
    if (p->kind == PUSH_FRAME && number == NETWORK_HOST) {
        struct vdev_frame frame = {.data = p->data, .size = p->size};
        network_from_host(b, channel, &frame);
        return;
    }
    if (is_for_a_device(p->kind)) {
        if (number < b->vm_count && !b->vms[number]->ended)
            deliver_to_device(b->vms[number], channel, p);
        return;
    }
    for (size_t i = 0; i < b->vm_count; i++)
        if (!b->vms[i]->ended)
            deliver_to(b->vms[i], p);
}
