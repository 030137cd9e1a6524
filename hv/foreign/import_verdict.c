#include "hv/foreign/import_verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "emu/text.h"
#include "hv/config/config_text.h"
#include "hv/hv_internal.h"

void import_verdict_say(struct import_verdict *j, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(j->model, sizeof j->model, format, args);
    va_end(args);
}

void import_verdict_differ(struct import_verdict *j, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(j->why, sizeof j->why, format, args);
    va_end(args);
    j->agrees = false;
}

void import_verdict_none(struct import_verdict *j, const char *why)
{
    j->is_judged = false;
    import_verdict_say(j, "nothing: %s", why);
}

static const char *memory_name(enum guest_place_kind place)
{
    return place == PLACE_ROM      ? "ROM"
           : place == PLACE_DEVICE ? "a device of the board"
           : place == PLACE_SHARED ? "shared memory"
                                   : "RAM";
}

void import_verdict_on_mapped(struct import_verdict *j, const struct guest_place *place,
                              bool is_late)
{
    const char *what = memory_name(place->kind);
    if (is_late) {
        import_verdict_say(j, "%s is mapped there; Linux maps memory when it is first used", what);
        return;
    }
    import_verdict_say(j, "no fault: %s is mapped there (offset 0x%" PRIx64 ")", what,
                       place->offset);
    import_verdict_differ(j, "the board faulted, the model does not");
}

/* What a load or store of one register moves; 0: not known. */
static bool is_register_size(unsigned size)
{
    return size <= 8 && (size & (size - 1)) == 0;
}

static void verdict_on_device(struct vm *vm, const struct observed_exit *x, gpa_t at,
                              const struct guest_place *place, const char *fault,
                              struct import_verdict *j)
{
    struct observed_access a = observed_access(x);
    struct bus_access access = {.value = x->known & OBSERVED_VALUE ? x->value : 0,
                                .size = (uint8_t)a.size,
                                .is_write = a.kind == ACCESS_WRITE};
    enum bus_answer answer = BUS_HANDLED;
    if (!is_register_size(a.size)) {
        import_verdict_say(j, "%s: vdev %s is there, and no register of %u %s is", fault,
                           place->device, a.size, text_plural(a.size, "byte", "bytes"));
        return;
    }
    if (a.size)
        answer = bus_access(&vm->bus, at, &access);
    if (answer == BUS_NOBODY)
        import_verdict_say(
            j, "%s: vdev %s has no such register at offset 0x%" PRIx64 ": unsupported reference %s",
            fault, place->device, place->offset,
            config_text_action(vm->config->unsupported_reference));
    else if (answer == BUS_REFUSED)
        import_verdict_say(
            j, "%s: vdev %s refuses it at register offset 0x%" PRIx64 ": external abort", fault,
            place->device, place->offset);
    else
        import_verdict_say(j, "%s: vdev %s answers, register offset 0x%" PRIx64, fault,
                           place->device, place->offset);
}

void import_verdict_on_refused(struct vm *vm, const struct observed_exit *x, gpa_t at,
                               const struct guest_place *place, const char *fault,
                               struct import_verdict *j)
{
    const char *policy = config_text_action(vm->config->unsupported_reference);
    if (place->kind == PLACE_VDEV && observed_access(x).kind != ACCESS_FETCH)
        verdict_on_device(vm, x, at, place, fault, j);
    else if (place->kind == PLACE_NOTHING)
        import_verdict_say(j, "%s: nothing is there: unsupported reference %s", fault, policy);
    else
        import_verdict_say(j, "%s: %s is there: unsupported reference %s", fault,
                           place->kind == PLACE_VDEV ? place->device : memory_name(place->kind),
                           policy);
}

void import_verdict(struct vm *vm, const struct observed_exit *x, bool lazy,
                    struct import_verdict *j)
{
    const struct observed_arch *arch = vm->arch->observed;
    *j = (struct import_verdict){.is_judged = true, .agrees = true};
    if (arch && x->kind == arch->kind)
        arch->verdict(vm, vm->vcpus[x->vcpu < vm->vcpu_count ? x->vcpu : 0], x, lazy, j);
    else
        import_verdict_none(j, x->kind == OBSERVED_INTERRUPT ? "it is not the guest's doing"
                               : x->kind == OBSERVED_X86     ? "x86 guests are not modelled yet"
                                                             : "the VM's CPUs have no such exits");
}

void import_verdict_free(struct import_verdict *j)
{
    bytes_free(&j->walk);
}
