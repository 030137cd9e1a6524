#include "vdev/pic.h"

#include "emu/check.h"

static const struct pic_type *type_of(const struct pic *pic)
{
    return pic->v.type->pic;
}

struct pic *pic_of(struct vdev *v)
{
    CHECK(v->type->pic);
    return (struct pic *)(void *)v;
}

void pic_connect(struct pic *pic, struct pic_outputs outputs)
{
    pic->outputs = outputs;
}

void pic_signal(const struct pic *pic, unsigned vcpu, unsigned signals)
{
    if (pic->outputs.set)
        pic->outputs.set(pic->outputs.context, vcpu, signals);
}

struct wire pic_wire(struct pic *pic, unsigned line)
{
    return (struct wire){.set = type_of(pic)->set_line, .context = pic, .line = line};
}

void pic_set_local(struct pic *pic, unsigned vcpu, enum cpu_line line, bool level)
{
    type_of(pic)->set_local(pic, vcpu, line, level);
}

bool pic_has_cpu_registers(const struct pic *pic)
{
    return type_of(pic)->has_cpu_registers && type_of(pic)->has_cpu_registers(pic);
}

bool pic_cpu_register(struct pic *pic, unsigned vcpu, unsigned id, bool is_write, uint64_t *value)
{
    return type_of(pic)->cpu_register && type_of(pic)->cpu_register(pic, vcpu, id, is_write, value);
}

void pic_vcpu_started(struct pic *pic, unsigned vcpu)
{
    if (type_of(pic)->vcpu_started)
        type_of(pic)->vcpu_started(pic, vcpu);
}

void pic_explain(const struct pic *pic, unsigned vcpu, char *text, size_t size)
{
    type_of(pic)->explain(pic, vcpu, text, size);
}

size_t pic_local_cells(const struct pic *pic, enum cpu_line line, uint32_t cells[PIC_CELLS_MAX])
{
    return type_of(pic)->cells(pic, type_of(pic)->local_number(line), false, cells);
}

static void describe(const struct describer *d, unsigned line, bool is_edge)
{
    uint32_t cells[PIC_CELLS_MAX], parent = PHANDLE_PIC;
    size_t count = type_of(d->pic)->cells(d->pic, line, is_edge, cells);
    d->cells(d->context, "interrupt-parent", &parent, 1);
    d->cells(d->context, "interrupts", cells, count);
}

void pic_describe_interrupt(const struct describer *d, unsigned line)
{
    describe(d, line, false);
}

void pic_describe_edge(const struct describer *d, unsigned line)
{
    describe(d, line, true);
}

bool pic_is_message_frame(const struct pic *pic, unsigned region)
{
    const struct pic_type *type = pic->v.type->pic;
    return type->is_message_frame && type->is_message_frame(pic, region);
}

bool pic_has_message_frame(const struct pic *pic)
{
    for (unsigned i = 0; i < VDEV_REGIONS_MAX; i++)
        if (pic_is_message_frame(pic, i))
            return true;
    return false;
}
