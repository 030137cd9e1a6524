#include "emu/text.h"
#include "qvm/live/event_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "hv/board.h"
#include "qvm/host/host.h"

struct line {
    char text[640];
    size_t size;
};

static void put(struct line *l, const char *format, ...) TEXT_PRINTF(2, 3);
static void put(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof l->text - l->size;
    int size = vsnprintf(l->text + l->size, room, format, args);
    va_end(args);
    if (size > 0)
        l->size += (size_t)size < room ? (size_t)size : room - 1;
}

static const char *event_name(enum event_id id)
{
    switch (id) {
    case EVENT_GUEST_ENTRY:
        return "GUEST_ENTRY";
    case EVENT_GUEST_EXIT:
        return "GUEST_EXIT";
    case EVENT_VCPU_CREATED:
        return "VCPU_CREATED";
    case EVENT_INTERRUPT:
        return "INTERRUPT";
    case EVENT_GUEST_CYCLES:
        return "GUEST_CYCLES";
    case EVENT_DMA_REFUSED:
        return "DMA_REFUSED";
    }
    return "?";
}

/* Names come from configurations: blanks would end them. */
static void put_name(struct line *l, const char *key, const char *name)
{
    put(l, " %s:", key);
    for (; *name; name++)
        put(l, "%c", *name > ' ' && *name < 0x7f ? *name : '_');
}

static void put_record(struct line *l, const struct board_event *e)
{
    const struct arch *arch = e->vm->arch->cpu;
    const struct guest_exit *x = e->exit;
    uint64_t number = x->detail[EXIT_NUMBER];
    put_name(l, "exit", arch_exit_name(arch, x->reason));
    put_name(l, "handler", x->handler ? x->handler : "nobody");
    put(l, " %s:0x%08" PRIx64, e->vm->arch->syndrome_key, x->detail[EXIT_SYNDROME]);
    if (x->size || x->detail[EXIT_ADDRESS])
        put(l, " gva:0x%" PRIx64 " gpa:0x%" PRIx64, x->gva.v, x->gpa.v);
    if (x->size)
        put(l, " size:%u", x->size);
    if (number) {
        char name[32];
        arch->register_text(number, name, sizeof name);
        put(l, " register:%s", name);
    }
    if (x->size || number)
        put(l, " %s:0x%" PRIx64, x->is_write ? "write" : "read", x->value);
    put(l, " result:%s", exit_result_name(e->result));
}

static void put_refusal(struct line *l, const struct dma_refusal *d)
{
    put_name(l, "device", d->by.device);
    if (d->by.smmu) {
        put_name(l, "smmu", d->by.smmu);
        put(l, " stream:%" PRIu32, d->by.stream);
        if (d->by.substream != DMA_NO_SUBSTREAM)
            put(l, " substream:%" PRIu32, d->by.substream);
    }
    put(l, " iova:0x%" PRIx64 " access:%s", d->iova, d->is_write ? "write" : "read");
    put_name(l, "by", d->where);
    put_name(l, "reason", d->record ? d->record : d->reason);
}

static void put_arguments(struct line *l, const struct board_event *e)
{
    const struct arch_signal *signals = e->vm->arch->cpu->signals;
    switch (e->id) {
    case EVENT_GUEST_ENTRY:
        put(l, " guest_ip:0x%016" PRIx64, e->guest_ip);
        break;
    case EVENT_GUEST_EXIT:
        put(l,
            " status:0x0 reason:0x%02" PRIx32 " clockcycles_offset:0x%" PRIx64
            " guest_ip:0x%016" PRIx64 " hw_payload:0x%016" PRIx64,
            e->reason, -e->vm->world.counter_offset, e->guest_ip, e->hw_payload);
        break;
    case EVENT_VCPU_CREATED:
        put(l, " vcpu_id:%u", e->vcpu);
        break;
    case EVENT_INTERRUPT:
        for (unsigned i = 0; i < CPU_SIGNALS; i++)
            if (signals[i].key)
                put(l, " %s:%u", signals[i].key, e->signals >> i & 1);
        break;
    case EVENT_GUEST_CYCLES:
        put(l, " at_entry:0x%016" PRIx64 " at_exit:0x%016" PRIx64, e->at_entry, e->at_exit);
        break;
    case EVENT_DMA_REFUSED:
        put_refusal(l, &e->dma);
        break;
    }
}

void events_line(const struct board_event *event, struct bytes *out)
{
    struct line l = {.size = 0};
    put(&l, "t:0x%016" PRIx64 " CPU:00 QVM:%s", event->ns, event_name(event->id));
    put_arguments(&l, event);
    put_name(&l, "vm", event->vm->name);
    put(&l, " vcpu:%u insn:%" PRIu64, event->vcpu, event->instructions);
    if (event->exit)
        put_record(&l, event);
    put(&l, "\n");
    bytes_put(out, l.text, l.size);
}

void events_write(struct events *e, const struct board_event *event)
{
    struct bytes line = {0};
    events_line(event, &line);
    host_append(e->file, line.data,
                line.size); /* what it does not take is said when it is closed */
    bytes_free(&line);
}
