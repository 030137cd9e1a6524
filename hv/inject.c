/* Faults on purpose: `inject` in a configuration (docs/faults.md). Each happens right behind an
 * instruction of the board, before anything else does at that moment, so that what is done follows
 * from the instruction count alone: a snapshot has no more to say of them. */
#include <inttypes.h>
#include <string.h>

#include "hv/config/config_text.h"
#include "hv/hv_internal.h"

void inject_plan(struct board *b)
{
    b->next_injection = UINT64_MAX;
    for (size_t i = 0; i < b->vm_count; i++) {
        const struct vm_config *c = b->vms[i]->config;
        for (size_t k = 0; k < c->inject_count; k++)
            if (c->injects[k].instruction > b->vtime.instructions &&
                c->injects[k].instruction < b->next_injection)
                b->next_injection = c->injects[k].instruction;
    }
}

static const char *flip_memory(struct vm *vm, const struct inject_config *inject)
{
    struct memory *m = &vm->board->memory;
    struct guest_page leaf;
    if (!guest_tables_find(vm->tables, m, gpa(inject->start), &leaf))
        return "no memory is mapped there";
    uint8_t *byte = memory_at(m, hpa(leaf.page.v + (inject->start & PAGE_MASK)), 1, MEMORY_WRITE);
    if (!byte)
        return "no memory is there";
    *byte ^= (uint8_t)(1u << inject->bit);
    return NULL;
}

/* What software could never make, the engine could not run. */
static const char *flip_register(struct vm *vm, const struct inject_config *inject)
{
    struct vcpu *v = vm->vcpus[inject->vcpu], *loaded = vm->board->current;
    unsigned id = vcpu_register_find(vm->arch->cpu, inject->name);
    struct vcpu_registers r, now;
    if (!v->on)
        return "the vCPU is off";
    vcpu_read_registers(v, loaded, &r);
    r.value[id][inject->bit / 64] ^= (uint64_t)1 << (inject->bit % 64);
    if (!vcpu_registers_are_possible(v, loaded, &r))
        return "the architecture has no such state";
    vcpu_write_registers(v, loaded, &r);
    vcpu_read_registers(v, loaded, &now);
    return memcmp(now.value[id], r.value[id], sizeof now.value[id]) == 0
               ? NULL
               : "the register has no such bit";
}

static const char *unmap(struct vm *vm, const struct inject_config *inject)
{
    return vdev_env_unmap(vm, gpa(inject->start), inject->length)
               ? NULL
               : "the tables have no room for it";
}

static void inject(struct vm *vm, const struct inject_config *inject)
{
    struct bytes what = {0};
    const char *why_not = NULL;
    if (vm->ended)
        return;
    switch (inject->kind) {
    case INJECT_FLIP_MEMORY:
        why_not = flip_memory(vm, inject);
        break;
    case INJECT_FLIP_REGISTER:
        why_not = flip_register(vm, inject);
        break;
    case INJECT_UNMAP:
        why_not = unmap(vm, inject);
        break;
    default: /* inject_lines.c */
        break;
    }
    config_text_inject(inject, &what);
    bytes_put_int(&what, 0, 1);
    log_write(&vm->log, LOG_SEVERITY_WARN, "fault on purpose: %s%s%s", (const char *)what.data,
              why_not ? ", not done: " : "", why_not ? why_not : "");
    bytes_free(&what);
}

void inject_due(struct board *b)
{
    if (b->vtime.instructions < b->next_injection)
        return;
    for (size_t i = 0; i < b->vm_count; i++) {
        const struct vm_config *c = b->vms[i]->config;
        for (size_t k = 0; k < c->inject_count; k++)
            if (c->injects[k].instruction == b->next_injection)
                inject(b->vms[i], &c->injects[k]);
    }
    inject_plan(b);
}
