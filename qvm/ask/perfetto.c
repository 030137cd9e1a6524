#include "qvm/ask/perfetto.h"

#include <stdio.h>
#include <string.h>

/* Encoding ----------------------------------------------------------------------------------------
 * Protocol Buffers: a field is a varint (number << 3 | wire type) and its value: wire type 0 a
 * varint, 2 a length and so many bytes (strings and messages). */

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* Field numbers of Perfetto's messages (protos/perfetto/trace/ in its sources). */
enum { TRACE_PACKET = 1 };
enum {
    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE_ID = 10,
    PACKET_TRACK_EVENT = 11,
    PACKET_SEQUENCE_FLAGS = 13,
    PACKET_TRACK_DESCRIPTOR = 60,
};
enum { TRACK_UUID = 1, TRACK_NAME = 2, TRACK_PROCESS = 3, TRACK_THREAD = 4, TRACK_PARENT = 5 };
enum { PROCESS_PID = 1, PROCESS_NAME = 6 };
enum { THREAD_PID = 1, THREAD_TID = 2, THREAD_NAME = 5 };
enum {
    EVENT_ANNOTATION = 4,
    EVENT_TYPE = 9,
    EVENT_TRACK = 11,
    EVENT_CATEGORY = 22,
    EVENT_NAME = 23
};
enum { TYPE_BEGIN = 1, TYPE_END = 2, TYPE_INSTANT = 3 };
enum { ANNOTATION_NUMBER = 3, ANNOTATION_WORD = 6, ANNOTATION_POINTER = 7, ANNOTATION_NAME = 10 };

#define SEQUENCE               1 /* all packets are one sequence, which begins with nothing known */
#define SEQUENCE_STATE_CLEARED 1

static void put_number(struct bytes *out, unsigned field, uint64_t value)
{
    bytes_put_varint(out, (uint64_t)field << 3 | WIRE_VARINT);
    bytes_put_varint(out, value);
}

static void put_bytes(struct bytes *out, unsigned field, const void *data, size_t size)
{
    bytes_put_varint(out, (uint64_t)field << 3 | WIRE_BYTES);
    bytes_put_varint(out, size);
    bytes_put(out, data, size);
}

static void put_text(struct bytes *out, unsigned field, const char *text)
{
    put_bytes(out, field, text, strlen(text));
}

/* Also frees the message. */
static void put_message(struct bytes *out, unsigned field, struct bytes *message)
{
    put_bytes(out, field, message->data, message->size);
    bytes_free(message);
}

static void put_packet(struct perfetto *p, struct bytes *out, unsigned field, struct bytes *message,
                       uint64_t ns)
{
    struct bytes packet = {0};
    put_number(&packet, PACKET_TIMESTAMP, ns);
    put_number(&packet, PACKET_SEQUENCE_ID, SEQUENCE);
    if (!p->begun)
        put_number(&packet, PACKET_SEQUENCE_FLAGS, SEQUENCE_STATE_CLEARED);
    p->begun = true;
    put_message(&packet, field, message);
    put_message(out, TRACE_PACKET, &packet);
}

/* Tracks ------------------------------------------------------------------------------------------
 */

static uint64_t vm_track(const struct vm *vm)
{
    return (uint64_t)(vm->number + 1) << 16;
}

static uint64_t vcpu_track(const struct vm *vm, unsigned vcpu)
{
    return vm_track(vm) + 1 + vcpu;
}

static uint64_t vdev_track(const struct vm *vm, unsigned channel)
{
    return vm_track(vm) + 0x1000 + channel;
}

static void describe_vm(struct perfetto *p, const struct vm *vm, struct bytes *out)
{
    struct bytes track = {0}, process = {0};
    put_number(&process, PROCESS_PID, vm->number + 1);
    put_text(&process, PROCESS_NAME, vm->name);
    put_number(&track, TRACK_UUID, vm_track(vm));
    put_message(&track, TRACK_PROCESS, &process);
    put_packet(p, out, PACKET_TRACK_DESCRIPTOR, &track, 0);
}

static void describe_vcpu(struct perfetto *p, const struct vm *vm, unsigned vcpu, struct bytes *out)
{
    struct bytes track = {0}, thread = {0};
    char name[32];
    snprintf(name, sizeof name, "vCPU %u", vcpu);
    put_number(&thread, THREAD_PID, vm->number + 1);
    put_number(&thread, THREAD_TID, vcpu_track(vm, vcpu)); /* any number that is no other's */
    put_text(&thread, THREAD_NAME, name);
    put_number(&track, TRACK_UUID, vcpu_track(vm, vcpu));
    put_number(&track, TRACK_PARENT, vm_track(vm));
    put_message(&track, TRACK_THREAD, &thread);
    put_packet(p, out, PACKET_TRACK_DESCRIPTOR, &track, 0);
}

static void describe_vdev(struct perfetto *p, const struct vm *vm, unsigned channel,
                          struct bytes *out)
{
    struct bytes track = {0};
    put_number(&track, TRACK_UUID, vdev_track(vm, channel));
    put_number(&track, TRACK_PARENT, vm_track(vm));
    put_text(&track, TRACK_NAME, vm->vdevs[channel]->name);
    put_packet(p, out, PACKET_TRACK_DESCRIPTOR, &track, 0);
}

/* Once the VM is assembled: with the first event behind the creation of its vCPUs. */
static void describe(struct perfetto *p, const struct vm *vm, struct bytes *out)
{
    if (p->described[vm->number])
        return;
    p->described[vm->number] = true;
    describe_vm(p, vm, out);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        describe_vcpu(p, vm, i, out);
    for (unsigned i = 0; i < vm->vdev_count; i++)
        describe_vdev(p, vm, i, out);
}

/* Events ------------------------------------------------------------------------------------------
 */

static void annotate_number(struct bytes *event, const char *name, unsigned kind, uint64_t value)
{
    struct bytes annotation = {0};
    put_text(&annotation, ANNOTATION_NAME, name);
    put_number(&annotation, kind, value);
    put_message(event, EVENT_ANNOTATION, &annotation);
}

static void annotate_word(struct bytes *event, const char *name, const char *value)
{
    struct bytes annotation = {0};
    put_text(&annotation, ANNOTATION_NAME, name);
    put_text(&annotation, ANNOTATION_WORD, value);
    put_message(event, EVENT_ANNOTATION, &annotation);
}

static struct bytes begin_event(unsigned type, uint64_t track)
{
    struct bytes event = {0};
    put_number(&event, EVENT_TYPE, type);
    put_number(&event, EVENT_TRACK, track);
    return event;
}

static struct bytes begin_named(unsigned type, uint64_t track, const char *category,
                                const char *name)
{
    struct bytes event = begin_event(type, track);
    put_text(&event, EVENT_CATEGORY, category);
    put_text(&event, EVENT_NAME, name);
    return event;
}

static void annotate_exit(struct bytes *event, const struct guest_exit *x)
{
    annotate_number(event, "pc", ANNOTATION_POINTER, x->pc.v);
    annotate_word(event, "handler", x->handler ? x->handler : "nobody");
    if (x->detail[EXIT_SYNDROME])
        annotate_number(event, "syndrome", ANNOTATION_POINTER, x->detail[EXIT_SYNDROME]);
    if (x->size) {
        annotate_number(event, "gpa", ANNOTATION_POINTER, x->gpa.v);
        annotate_number(event, "size", ANNOTATION_NUMBER, x->size);
        annotate_number(event, x->is_write ? "write" : "read", ANNOTATION_POINTER, x->value);
    }
}

/* Ends what the vCPU did until now. */
static void close_slice(struct perfetto *p, const struct board_event *e, struct bytes *out)
{
    bool *open = &p->is_open[e->vm->number][e->vcpu];
    if (*open) {
        struct bytes event = begin_event(TYPE_END, vcpu_track(e->vm, e->vcpu));
        put_packet(p, out, PACKET_TRACK_EVENT, &event, e->ns);
    }
    *open = false;
}

static void open_slice(struct perfetto *p, const struct board_event *e, struct bytes *event,
                       struct bytes *out)
{
    annotate_number(event, "insn", ANNOTATION_NUMBER, e->instructions);
    put_packet(p, out, PACKET_TRACK_EVENT, event, e->ns);
    p->is_open[e->vm->number][e->vcpu] = true;
}

static void put_entry(struct perfetto *p, const struct board_event *e, struct bytes *out)
{
    struct bytes event = begin_named(TYPE_BEGIN, vcpu_track(e->vm, e->vcpu), "guest", "guest");
    annotate_number(&event, "pc", ANNOTATION_POINTER, e->guest_ip);
    close_slice(p, e, out);
    open_slice(p, e, &event, out);
}

/* The access as its device sees it. */
static void put_device_access(struct perfetto *p, const struct board_event *e, struct bytes *out)
{
    const struct guest_exit *x = e->exit;
    for (unsigned i = 0; x->handler && i < e->vm->vdev_count; i++) {
        if (strcmp(e->vm->vdevs[i]->name, x->handler) != 0)
            continue;
        struct bytes event =
            begin_named(TYPE_INSTANT, vdev_track(e->vm, i), "vdev", x->is_write ? "write" : "read");
        annotate_number(&event, "vcpu", ANNOTATION_NUMBER, e->vcpu);
        annotate_exit(&event, x);
        put_packet(p, out, PACKET_TRACK_EVENT, &event, e->ns);
        return;
    }
}

/* The slice lasts until the vCPU enters the guest again: no time for most, long for waits. */
static void put_exit(struct perfetto *p, const struct board_event *e, struct bytes *out)
{
    const char *name = e->exit ? arch_exit_name(e->vm->arch->cpu, e->exit->reason) : "preempted";
    struct bytes event = begin_named(TYPE_BEGIN, vcpu_track(e->vm, e->vcpu), "exit", name);
    if (e->exit)
        annotate_exit(&event, e->exit);
    close_slice(p, e, out);
    open_slice(p, e, &event, out);
    if (e->exit)
        put_device_access(p, e, out);
}

static void put_interrupt(struct perfetto *p, const struct board_event *e, struct bytes *out)
{
    char signals[64];
    vcpu_signals_text(e->vm->arch->cpu, e->signals, signals, sizeof signals);
    struct bytes event =
        begin_named(TYPE_INSTANT, vcpu_track(e->vm, e->vcpu), "interrupt", signals);
    put_packet(p, out, PACKET_TRACK_EVENT, &event, e->ns);
}

/* On the track of the device that is refused something. */
static void put_refusal(struct perfetto *p, const struct board_event *e, struct bytes *out)
{
    const struct dma_refusal *d = &e->dma;
    unsigned channel = 0;
    while (channel < e->vm->vdev_count && e->vm->vdevs[channel]->name != d->by.device)
        channel++;
    struct bytes event = begin_named(TYPE_INSTANT, vdev_track(e->vm, channel), "dma",
                                     d->is_write ? "refused write" : "refused read");
    annotate_number(&event, "insn", ANNOTATION_NUMBER, e->instructions);
    annotate_word(&event, "device", d->by.device);
    if (d->by.smmu) {
        annotate_word(&event, "smmu", d->by.smmu);
        annotate_number(&event, "stream", ANNOTATION_NUMBER, d->by.stream);
        if (d->by.substream != DMA_NO_SUBSTREAM)
            annotate_number(&event, "substream", ANNOTATION_NUMBER, d->by.substream);
    }
    annotate_number(&event, "iova", ANNOTATION_POINTER, d->iova);
    annotate_word(&event, "by", d->where);
    annotate_word(&event, "reason", d->reason);
    if (d->record)
        annotate_word(&event, "record", d->record);
    put_packet(p, out, PACKET_TRACK_EVENT, &event, e->ns);
}

void perfetto_event(struct perfetto *p, const struct board_event *event, struct bytes *out)
{
    p->last_ns = event->ns;
    if (event->id == EVENT_VCPU_CREATED || event->id == EVENT_GUEST_CYCLES)
        return;
    describe(p, event->vm, out);
    if (event->id == EVENT_GUEST_ENTRY)
        put_entry(p, event, out);
    else if (event->id == EVENT_GUEST_EXIT)
        put_exit(p, event, out);
    else if (event->id == EVENT_INTERRUPT)
        put_interrupt(p, event, out);
    else if (event->id == EVENT_DMA_REFUSED)
        put_refusal(p, event, out);
}

void perfetto_end(struct perfetto *p, struct bytes *out)
{
    for (unsigned vm = 0; vm < BOARD_VMS_MAX; vm++)
        for (unsigned vcpu = 0; vcpu < CONFIG_VCPUS_MAX; vcpu++) {
            const struct vm named = {.number = vm};
            const struct board_event e = {.vm = &named, .vcpu = vcpu, .ns = p->last_ns};
            close_slice(p, &e, out);
        }
}
