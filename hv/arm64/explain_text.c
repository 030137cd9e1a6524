/* An explained access as text. */
#include <inttypes.h>

#include "cpu/arm64/syndrome.h"
#include "emu/text.h"
#include "hv/explain/instruction.h"
#include "hv/arm64/explain_arm64.h"

const char *explanation_fault_name(enum fault_class class)
{
    static const char *const names[] = {
        [FAULT_NONE] = "none",
        [FAULT_ADDRESS_SIZE] = "address size fault",
        [FAULT_TRANSLATION] = "translation fault",
        [FAULT_ACCESS_FLAG] = "access flag fault",
        [FAULT_PERMISSION] = "permission fault",
        [FAULT_EXTERNAL_ON_WALK] = "external abort on a table walk",
        [FAULT_EXTERNAL] = "external abort",
        [FAULT_ALIGNMENT] = "alignment fault",
    };
    return names[class];
}

static unsigned field(uint64_t value, unsigned high, unsigned low)
{
    return (unsigned)(value >> low & (((uint64_t)2 << (high - low)) - 1));
}

static void put_question(const struct explanation *x, struct bytes *out)
{
    static const char *const kinds[] = {"read", "write", "fetch"};
    char next[INSTRUCTION_TEXT_SIZE];
    struct vm *vm = x->vm->board->vms[x->vm->number];
    struct vcpu_registers r;
    vcpu_read_registers(vm->vcpus[x->vcpu->index], vm->board->current, &r);
    instruction_text(vm, x->vcpu->index, vcpu_registers_pc(&r), next, sizeof next);
    text_put(out, "instruction %" PRIu64 ", vm %s, vcpu %u at EL%u, next %s\n",
             vm->board->vtime.instructions, vm->name, x->vcpu->index, x->access.privileged, next);
    text_put(out, "%s of %s 0x%" PRIx64 "\n", kinds[x->access.kind], x->is_gpa ? "gpa" : "gva",
             x->address);
}

static void put_stage1_regime(const struct explanation *x, struct bytes *out)
{
    const struct stage1 *s = &x->regime;
    bool high = x->address >> 55 & 1;
    static const char *const tg0[] = {"4K", "64K", "16K", "reserved"};
    static const char *const tg1[] = {"reserved", "16K", "4K", "64K"};
    if (!(s->sctlr & 1)) {
        text_put(out, "stage 1 is off (SCTLR_EL1.M=0): gpa = gva\n");
        return;
    }
    text_put(out, "stage 1: SCTLR_EL1.M=1 WXN=%u EE=%u; TTBR%u_EL1=0x%" PRIx64,
             field(s->sctlr, 19, 19), field(s->sctlr, 25, 25), high, high ? s->ttbr1 : s->ttbr0);
    unsigned base = high ? 16 : 0;
    text_put(out,
             "; TCR_EL1=0x%" PRIx64
             " T%uSZ=%u TG%u=%s EPD%u=%u TBI%u=%u HPD%u=%u IPS=%u HA=%u HD=%u\n",
             s->tcr, high, field(s->tcr, base + 5, base), high,
             high ? tg1[field(s->tcr, 31, 30)] : tg0[field(s->tcr, 15, 14)], high,
             field(s->tcr, base + 7, base + 7), high, field(s->tcr, 37u + high, 37u + high), high,
             field(s->tcr, 41u + high, 41u + high), field(s->tcr, 34, 32), field(s->tcr, 39, 39),
             field(s->tcr, 40, 40));
}

static void put_stage2_regime(const struct explanation *x, struct bytes *out)
{
    const struct stage2 *s = stage2_of(x->vm->tables);
    static const char *const tg0[] = {"4K", "64K", "16K", "reserved"};
    if (!s->on) {
        text_put(out, "stage 2 is off: hpa = gpa\n");
        return;
    }
    text_put(out,
             "stage 2: VTTBR_EL2=0x%" PRIx64 "; VTCR_EL2=0x%" PRIx64
             " T0SZ=%u SL0=%u TG0=%s PS=%u HA=%u HD=%u\n",
             s->vttbr, s->vtcr, field(s->vtcr, 5, 0), field(s->vtcr, 7, 6),
             tg0[field(s->vtcr, 15, 14)], field(s->vtcr, 18, 16), field(s->vtcr, 21, 21),
             field(s->vtcr, 22, 22));
}

static void put_descriptor(const struct explain_step *s, struct bytes *out)
{
    const struct descriptor *d = &s->descriptor;
    text_put(out, "0x%016" PRIx64 " %s", s->walk.descriptor, descriptor_kind_name(d->kind));
    if (d->kind != DESCRIPTOR_INVALID)
        text_put(out, " -> %s 0x%" PRIx64, s->walk.stage == 1 ? "gpa" : "hpa", d->output);
    for (size_t i = 0; i < d->field_count; i++) {
        const struct descriptor_field *f = &d->fields[i];
        text_put(out, " %s=%#x", f->name, f->value);
        if (f->meaning)
            text_put(out, "(%s)", f->meaning);
    }
    text_put(out, "\n");
}

static void put_steps(const struct explanation *x, struct bytes *out)
{
    bool final = false;
    for (size_t i = 0; i < x->step_count; i++) {
        const struct explain_step *s = &x->steps[i];
        const struct walk_step *w = &s->walk;
        if (w->stage == 2 && !s->for_table && !final) {
            text_put(out, "stage 2 of gpa 0x%" PRIx64 "\n", x->gpa.v);
            final = true;
        }
        text_put(out, "%sstage %u level %d index %u [%u:%u] at ", s->for_table ? "    " : "  ",
                 w->stage, w->level, w->index, w->index_high, w->index_low);
        if (w->stage == 1)
            text_put(out, "gpa 0x%" PRIx64 " ", w->table_gpa.v);
        text_put(out, "hpa 0x%" PRIx64 ": ", w->table_hpa.v);
        put_descriptor(s, out);
    }
}

static void put_permits(const char *el, unsigned permits, struct bytes *out)
{
    text_put(out, " %s=%c%c%c", el, permits & PERMIT_R ? 'r' : '-', permits & PERMIT_W ? 'w' : '-',
             permits & PERMIT_X ? 'x' : '-');
}

static void put_leaves(const struct explanation *x, struct bytes *out)
{
    char type[64];
    if (x->has_stage1) {
        memory_type_text(memory_type_of_mair(x->stage1.attr), type, sizeof type);
        text_put(out, "stage 1 permits");
        put_permits("EL1", x->stage1.privileged, out);
        put_permits("EL0", x->stage1.unprivileged, out);
        text_put(out, ", %s", type);
        if (x->regime.sctlr & 1)
            text_put(out, " (MAIR attribute 0x%02x), %s", x->stage1.attr,
                     x->stage1.global ? "global" : "not global");
        text_put(out, "\n");
    }
    if (x->has_stage2) {
        unsigned rw = x->stage2.permits & (PERMIT_R | PERMIT_W);
        memory_type_text(memory_type_of_memattr(x->stage2.memattr), type, sizeof type);
        text_put(out, "stage 2 permits");
        put_permits("EL1", rw | (x->stage2.x_el1 ? PERMIT_X : 0), out);
        put_permits("EL0", rw | (x->stage2.x_el0 ? PERMIT_X : 0), out);
        text_put(out, ", %s\n", type);
        memory_type_text(x->type, type, sizeof type);
        text_put(out, "together");
        put_permits("EL1", x->el1, out);
        put_permits("EL0", x->el0, out);
        text_put(out, ", %s\n", type);
    }
}

static void put_fault(const struct explanation *x, struct bytes *out)
{
    char text[400];
    const struct fault *f = &x->fault;
    syndrome_text(x->esr, text, sizeof text);
    text_put(out, "fault: stage %u %s, level %d: %s\n", f->stage, explanation_fault_name(f->class),
             f->level, x->to_hypervisor ? "guest exit" : "exception at EL1");
    if (x->to_hypervisor) {
        text_put(out, "  ESR_EL2=0x%08" PRIx32 ": %s\n", x->esr, text);
        if (!x->is_gpa)
            text_put(out, "  FAR_EL2=0x%" PRIx64 "\n", x->far_el);
        text_put(out, "  HPFAR_EL2=0x%" PRIx64 "\n", x->hpfar);
    } else {
        text_put(out, "  ESR_EL1=0x%08" PRIx32 ": %s\n  FAR_EL1=0x%" PRIx64 "\n", x->esr, text,
                 x->far_el);
    }
}

static void put_place(const struct explanation *x, struct bytes *out)
{
    text_put(out, "gpa 0x%" PRIx64, x->gpa.v);
    if (x->has_hpa)
        text_put(out, ", hpa 0x%" PRIx64, x->hpa.v);
    text_put(out, ": ");
    guest_place_text(x->vm, &x->place, out);
}

void explanation_text(const struct explanation *x, struct bytes *out)
{
    put_question(x, out);
    explanation_walk_text(x, out);
}

void explanation_walk_text(const struct explanation *x, struct bytes *out)
{
    if (!x->is_gpa)
        put_stage1_regime(x, out);
    put_stage2_regime(x, out);
    put_steps(x, out);
    put_leaves(x, out);
    if (x->fault.class != FAULT_NONE)
        put_fault(x, out);
    if (x->has_gpa)
        put_place(x, out);
}
