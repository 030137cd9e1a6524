/* What a VM of the toy has, and the list of architectures, in place of the program's own. */
#include <inttypes.h>
#include <stdio.h>

#include "emu/text.h"
#include "hv/explain/guest_place.h"
#include "hv/vm_arch.h"
#include "tests/toy/toy.h"

extern const struct vdev_type gic_type;

static void put_core_notes(struct bytes *out, unsigned pid, const struct vcpu_registers *r)
{
    (void)out, (void)pid, (void)r;
}

static enum core_note take_core_note(uint32_t type, const uint8_t *data, size_t size,
                                     struct vcpu_registers *r, struct error *e)
{
    (void)type, (void)data, (void)size, (void)r, (void)e;
    return CORE_NOTE_OTHER;
}

static void syndrome_text(uint64_t syndrome, char *text, size_t size)
{
    static const char *const kinds[] = {"load", "store", "fetch", "?"};
    snprintf(text, size, "a %s", kinds[syndrome & 3]);
}

static bool locate(struct vm *vm, const struct vcpu *v, gva_t at, gpa_t *place)
{
    (void)vm, (void)v;
    *place = gpa(at.v);
    return true;
}

static void explain(struct vm *vm, struct vcpu *v, const struct explain_question *q, bool json,
                    struct bytes *out)
{
    struct guest_page page;
    struct guest_place place;
    struct json j = {.out = out};
    (void)v;
    bool is_mapped =
        guest_tables_find(vm->tables, &vm->board->memory, gpa(q->address & ~PAGE_MASK), &page);
    guest_place_find(vm, gpa(q->address), is_mapped, &place);
    if (json) {
        json_open(&j, NULL, '{');
        guest_place_json(&place, &j);
        json_close(&j, '}');
        text_put(out, "\n");
        return;
    }
    text_put(out, "address 0x%" PRIx64 ": ", q->address);
    guest_place_text(vm, &place, out);
}

static bool table_is_damaged(const struct guest_exit *x)
{
    (void)x;
    return false;
}

static void trace_arguments(const struct guest_exit *x, uint32_t *reason, uint64_t *payload)
{
    *reason = (uint32_t)x->detail[EXIT_SYNDROME];
    *payload = x->gpa.v;
}

static unsigned level(const struct vcpu_registers *r)
{
    (void)r;
    return 0;
}

static bool put_exception(const struct vcpu_registers *before, const struct vcpu_registers *after,
                          struct bytes *out)
{
    (void)before, (void)after, (void)out;
    return false;
}

static void put_exception_json(const struct vcpu_registers *before,
                               const struct vcpu_registers *after, struct json *j)
{
    (void)before, (void)after, (void)j;
}

static const char *timer_register(unsigned timer, unsigned reg)
{
    (void)timer, (void)reg;
    return "?";
}

static bool can_start(const struct vcpu_registers *r, struct error *why)
{
    (void)r, (void)why;
    return true;
}

static void each_mapping(struct vm *vm, const struct vcpu *v,
                         bool (*mapping)(void *context, const struct guest_mapping *m),
                         void *context)
{
    (void)vm, (void)v, (void)mapping, (void)context;
}

static bool is_mapping(const struct vcpu *v)
{
    (void)v;
    return false;
}

static const struct vm_arch vm_arch_toy = {
    .cpu = &arch_toy,
    .elf_machine = 0xfe70,
    .elf_machine_name = "the toy",
    .put_core_notes = put_core_notes,
    .take_core_note = take_core_note,
    .without_system_registers = "",
    .exit_whys = {[EXIT_MMIO] = "a load or store where there is no memory",
                  [EXIT_FETCH] = "a fetch where there is none",
                  [EXIT_STAGE2] = "a store to memory that is read only",
                  [EXIT_HALT] = "it waits for an interrupt"},
    .syndrome_text = syndrome_text,
    .syndrome_key = "syndrome",
    .address_key = "address",
    .pic = &gic_type,
    .bare_machine = "ram 0,64K cpu",
    .undefined_name = "nothing",
    .abort_name = "nothing",
    .explain = explain,
    .table_is_damaged = table_is_damaged,
    .trace_arguments = trace_arguments,
    .preempted_reason = 0xff,
    .level_name = "level ",
    .level_key = "level",
    .level = level,
    .put_exception = put_exception,
    .put_exception_json = put_exception_json,
    .timer_register = timer_register,
    .can_start = can_start,
    .each_mapping = each_mapping,
    .is_mapping = is_mapping,
    .locate = locate,
};

const struct vm_arch *const vm_arches[] = {&vm_arch_toy, NULL};
