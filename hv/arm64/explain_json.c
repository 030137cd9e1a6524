/* An explained access as one JSON object. */
#include <stdio.h>

#include "emu/json.h"
#include "emu/text.h"
#include "hv/arm64/explain_arm64.h"

static void put_regime(struct json *j, const struct explanation *x)
{
    const struct stage1 *s = &x->regime;
    json_open(j, "registers", '{');
    json_number(j, "SCTLR_EL1", s->sctlr);
    json_number(j, "TCR_EL1", s->tcr);
    json_number(j, "TTBR0_EL1", s->ttbr0);
    json_number(j, "TTBR1_EL1", s->ttbr1);
    json_number(j, "MAIR_EL1", s->mair);
    json_number(j, "VTTBR_EL2", stage2_of(x->vm->tables)->vttbr);
    json_number(j, "VTCR_EL2", stage2_of(x->vm->tables)->vtcr);
    json_close(j, '}');
}

static void put_step(struct json *j, const struct explain_step *s)
{
    json_open(j, NULL, '{');
    json_number(j, "stage", s->walk.stage);
    json_number(j, "level", (uint64_t)s->walk.level);
    json_bool(j, "of_table", s->for_table);
    json_number(j, "input", s->walk.input);
    json_number(j, "index", s->walk.index);
    json_number(j, "index_high", s->walk.index_high);
    json_number(j, "index_low", s->walk.index_low);
    if (s->walk.stage == 1)
        json_number(j, "gpa", s->walk.table_gpa.v);
    json_number(j, "hpa", s->walk.table_hpa.v);
    json_number(j, "descriptor", s->walk.descriptor);
    json_string(j, "type", descriptor_kind_name(s->descriptor.kind));
    json_number(j, "output", s->descriptor.output);
    json_open(j, "fields", '{');
    for (size_t i = 0; i < s->descriptor.field_count; i++)
        json_number(j, s->descriptor.fields[i].name, s->descriptor.fields[i].value);
    json_close(j, '}');
    json_close(j, '}');
}

static void put_permits(struct json *j, const char *key, unsigned permits)
{
    char text[4];
    snprintf(text, sizeof text, "%c%c%c", permits & PERMIT_R ? 'r' : '-',
             permits & PERMIT_W ? 'w' : '-', permits & PERMIT_X ? 'x' : '-');
    json_string(j, key, text);
}

static void put_fault(struct json *j, const struct explanation *x)
{
    if (x->fault.class == FAULT_NONE) {
        json_string(j, "fault", NULL);
        return;
    }
    json_open(j, "fault", '{');
    json_string(j, "class", explanation_fault_name(x->fault.class));
    json_number(j, "stage", x->fault.stage);
    json_number(j, "level", (uint64_t)x->fault.level);
    json_string(j, "taken_by", x->to_hypervisor ? "hypervisor" : "guest");
    json_number(j, "esr", x->esr);
    json_number(j, "far", x->far_el);
    if (x->to_hypervisor)
        json_number(j, "hpfar", x->hpfar);
    json_close(j, '}');
}

static void put_result(struct json *j, const struct explanation *x)
{
    char type[64];
    if (x->has_stage2) {
        memory_type_text(x->type, type, sizeof type);
        put_permits(j, "el1", x->el1);
        put_permits(j, "el0", x->el0);
        json_string(j, "memory_type", type);
    }
    put_fault(j, x);
    if (!x->has_gpa)
        return;
    json_number(j, "gpa", x->gpa.v);
    if (x->has_hpa)
        json_number(j, "hpa", x->hpa.v);
    guest_place_json(&x->place, j);
}

void explanation_json(const struct explanation *x, struct bytes *out)
{
    static const char *const kinds[] = {"read", "write", "fetch"};
    struct json j = {.out = out};
    json_open(&j, NULL, '{');
    json_number(&j, "instruction", x->vm->board->vtime.instructions);
    json_string(&j, "vm", x->vm->name);
    json_number(&j, "vcpu", x->vcpu->index);
    json_number(&j, "el", x->access.privileged);
    json_string(&j, "access", kinds[x->access.kind]);
    json_number(&j, x->is_gpa ? "asked_gpa" : "asked_gva", x->address);
    put_regime(&j, x);
    json_open(&j, "steps", '[');
    for (size_t i = 0; i < x->step_count; i++)
        put_step(&j, &x->steps[i]);
    json_close(&j, ']');
    put_result(&j, x);
    json_close(&j, '}');
    text_put(out, "\n");
}
