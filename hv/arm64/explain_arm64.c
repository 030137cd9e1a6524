#include "hv/arm64/explain_arm64.h"

#include <string.h>

#include "cpu/arm64/arm64.h"
#include "cpu/arm64/syndrome.h"
#include "hv/arm64/vm_arm64.h"

#define DESCRIPTOR_AF ((uint64_t)1 << 10)
#define TCR_HA        ((uint64_t)1 << 39)
#define VTCR_HA       ((uint64_t)1 << 21)

static void add_step(struct explanation *x, size_t at, const struct walk_step *walk, bool for_table)
{
    if (x->step_count == EXPLAIN_STEPS_MAX)
        return;
    memmove(&x->steps[at + 1], &x->steps[at], (x->step_count - at) * sizeof x->steps[0]);
    x->step_count++;
    x->steps[at] = (struct explain_step){.walk = *walk, .for_table = for_table};
    descriptor_decode(walk, &x->steps[at].descriptor);
}

/* A stage 1 step comes behind the stage 2 steps that found its table: they are told below it. */
static void on_stage1(void *context, const struct walk_step *walk)
{
    struct explanation *x = context;
    size_t at = x->step_count;
    if (walk->stage == 1)
        while (at && x->steps[at - 1].walk.stage == 2 &&
               x->steps[at - 1].walk.input == walk->table_gpa.v)
            at--;
    add_step(x, at, walk, walk->stage == 2);
}

static void on_stage2(void *context, const struct walk_step *walk)
{
    struct explanation *x = context;
    add_step(x, x->step_count, walk, false);
}

/* A look takes a clear access flag for no fault; an access would, unless hardware sets the flag. */
static bool access_flag_is_clear(struct explanation *x, unsigned stage, bool by_hardware)
{
    for (size_t i = x->step_count; i-- > 0 && !by_hardware;) {
        const struct explain_step *s = &x->steps[i];
        if (s->walk.stage != stage || s->for_table)
            continue;
        if (s->walk.descriptor & DESCRIPTOR_AF)
            return false;
        x->fault = (struct fault){
            .class = FAULT_ACCESS_FLAG, .stage = (uint8_t)stage, .level = s->walk.level};
        return true;
    }
    return false;
}

static bool walk_stage1(struct explanation *x, struct vm *vm)
{
    const struct walk_observer observer = {.step = on_stage1, .context = x};
    const struct stage1 *s1 = &x->regime;
    gva_t a = gva(x->address);
    x->has_stage1 = stage1_walk(s1, stage2_of(vm->tables), &vm->board->memory, a, &x->access,
                                &observer, &x->stage1, &x->fault);
    if (!x->has_stage1)
        return false;
    x->has_gpa = true;
    x->gpa = gpa(x->stage1.page.v | (x->address & PAGE_MASK));
    bool by_hardware = s1->has_ha && s1->tcr & TCR_HA;
    return !access_flag_is_clear(x, 1, by_hardware) &&
           stage1_permits(&x->stage1, a, &x->access, &x->fault);
}

static bool walk_stage2(struct explanation *x, struct vm *vm)
{
    const struct walk_observer observer = {.step = on_stage2, .context = x};
    x->has_stage2 = stage2_inspect(stage2_of(vm->tables), &vm->board->memory, x->gpa, &observer,
                                   &x->stage2, &x->fault);
    if (!x->has_stage2)
        return false;
    x->has_hpa = true;
    x->hpa = hpa(x->stage2.page.v | (x->gpa.v & PAGE_MASK));
    return !access_flag_is_clear(x, 2, stage2_of(vm->tables)->vtcr & VTCR_HA) &&
           stage2_permits(&x->stage2, x->gpa, &x->access, &x->fault);
}

static void combine(struct explanation *x)
{
    unsigned below = x->stage2.permits & (PERMIT_R | PERMIT_W);
    x->el1 = below | (x->stage2.x_el1 ? PERMIT_X : 0);
    x->el0 = below | (x->stage2.x_el0 ? PERMIT_X : 0);
    x->type = memory_type_of_memattr(x->stage2.memattr);
    if (!x->has_stage1)
        return;
    x->el1 &= x->stage1.privileged;
    x->el0 &= x->stage1.unprivileged;
    if (x->access.privileged && x->access.pan && x->stage1.unprivileged_any)
        x->el1 &= ~(unsigned)(PERMIT_R | PERMIT_W);
    x->type = memory_type_combine(memory_type_of_mair(x->stage1.attr), x->type);
}

/* A stage 1 table that stage 2 does not let be read is the guest's own affair here: an external
 * abort on the walk (docs/exits.md). */
static void report_fault(struct explanation *x)
{
    struct fault *f = &x->fault;
    if (f->s1ptw) {
        f->class = FAULT_EXTERNAL_ON_WALK;
        f->stage = 1;
    }
    f->gva = gva(x->is_gpa ? 0 : x->address);
    x->to_hypervisor = f->stage == 2;
    bool lower = x->to_hypervisor || !x->access.privileged;
    x->esr = syndrome_of_fault(f, x->access.kind, lower);
    x->far_el = x->address;
    x->hpfar = x->to_hypervisor ? x->gpa.v >> 12 << 4 : 0;
}

static struct access current_access(struct vm *vm, struct vcpu *v, enum access_kind kind)
{
    struct vcpu_registers r;
    vcpu_read_registers(v, vm->board->current, &r);
    return (struct access){.kind = kind,
                           .privileged = (r.value[ARM64_PSTATE][0] & PSTATE_EL) != PSTATE_EL0,
                           .pan = r.value[ARM64_PSTATE][0] & PSTATE_PAN,
                           .inspect = true};
}

void explain_access(struct vm *vm, struct vcpu *v, uint64_t address, bool is_gpa,
                    enum access_kind kind, struct explanation *x)
{
    *x = (struct explanation){.vm = vm, .vcpu = v, .address = address, .is_gpa = is_gpa};
    x->access = current_access(vm, v, kind);
    x->regime = arm64_regime(v);
    x->has_gpa = is_gpa;
    x->gpa = gpa(is_gpa ? address : 0);
    bool permitted = (is_gpa || walk_stage1(x, vm)) && walk_stage2(x, vm);
    /* Refused by stage 1's permissions: what would have come behind is worth knowing all the same.
     */
    if (!permitted && x->has_stage1 && x->fault.stage == 1) {
        struct fault first = x->fault;
        walk_stage2(x, vm);
        x->fault = first;
    }
    if (x->has_stage2)
        combine(x);
    if (!permitted)
        report_fault(x);
    if (x->has_gpa)
        guest_place_find(vm, x->gpa, x->has_stage2, &x->place);
}

void arm64_explain(struct vm *vm, struct vcpu *v, const struct explain_question *q, bool json,
                   struct bytes *out)
{
    struct explanation x;
    explain_access(vm, v, q->address, q->is_gpa, q->kind, &x);
    if (json)
        explanation_json(&x, out);
    else
        explanation_text(&x, out);
}
