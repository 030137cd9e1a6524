#include "hv/foreign/import_verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "cpu/arm64/arm64_vcpu.h"
#include "cpu/arm64/syndrome.h"
#include "emu/text.h"
#include "hv/config/config_text.h"
#include "hv/hv_internal.h"

static void say(struct import_verdict *j, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct import_verdict *j, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(j->model, sizeof j->model, format, args);
    va_end(args);
}

static void differ(struct import_verdict *j, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void differ(struct import_verdict *j, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(j->why, sizeof j->why, format, args);
    va_end(args);
    j->agrees = false;
}

/* Aborts ------------------------------------------------------------------------------------------
 */

static bool is_mapped_late(const struct observed_exit *x, bool lazy)
{
    bool is_translation = (x->esr_known & 0x3f) == 0x3f && (x->esr >> 2 & 15) == 1;
    return lazy && is_translation && !(x->known & OBSERVED_ACCESS);
}

static const char *memory_name(enum guest_place_kind place)
{
    return place == PLACE_ROM      ? "ROM"
           : place == PLACE_DEVICE ? "a device of the board"
           : place == PLACE_SHARED ? "shared memory"
                                   : "RAM";
}

static void verdict_on_mapped(struct import_verdict *j, const struct observed_exit *x, bool lazy)
{
    const char *what = memory_name(j->access.place.kind);
    if (is_mapped_late(x, lazy)) {
        say(j, "%s is mapped there; Linux maps memory when it is first used", what);
        return;
    }
    say(j, "no fault: %s is mapped there (offset 0x%" PRIx64 ")", what, j->access.place.offset);
    differ(j, "the board faulted, the model does not");
}

/* What a load or store of one register moves; 0: not known. */
static bool is_register_size(unsigned size)
{
    return size <= 8 && (size & (size - 1)) == 0;
}

/* The device at the address, asked as the guest did. */
static void verdict_on_device(struct vm *vm, const struct observed_exit *x,
                              struct import_verdict *j, const char *fault)
{
    const struct explanation *a = &j->access;
    const char *policy = config_text_action(vm->config->unsupported_reference);
    struct bus_access access = {.value = x->known & OBSERVED_VALUE ? x->value : 0,
                                .size = (uint8_t)observed_access_size(x),
                                .is_write = observed_access_kind(x) == ACCESS_WRITE};
    /* Whoever knows the access has carried it out: the syndrome was not needed, or the instruction
     * was looked at. */
    bool has_syndrome =
        !(x->esr_known & 1u << 24) || x->esr >> 24 & 1 || x->known & OBSERVED_ACCESS;
    enum bus_answer answer = BUS_HANDLED;
    if (!is_register_size(access.size)) {
        say(j, "%s: vdev %s is there, and no register of %u %s is", fault, a->place.device,
            access.size, text_plural(access.size, "byte", "bytes"));
        return;
    }
    if (access.size && has_syndrome)
        answer = bus_access(&vm->bus, a->gpa, &access);
    if (!has_syndrome)
        say(j,
            "%s: vdev %s is there (register offset 0x%" PRIx64
            "), and without a syndrome (ISV=0) the instruction decides: it answers loads and "
            "stores of general-purpose registers; any other: unsupported instruction %s",
            fault, a->place.device, a->place.offset,
            config_text_action(vm->config->unsupported_instruction));
    else if (answer == BUS_NOBODY)
        say(j, "%s: vdev %s has no such register at offset 0x%" PRIx64 ": unsupported reference %s",
            fault, a->place.device, a->place.offset, policy);
    else if (answer == BUS_REFUSED)
        say(j, "%s: vdev %s refuses it at register offset 0x%" PRIx64 ": external abort", fault,
            a->place.device, a->place.offset);
    else
        say(j, "%s: vdev %s answers, register offset 0x%" PRIx64, fault, a->place.device,
            a->place.offset);
}

/* The level belongs to how a hypervisor builds its tables: it is told and not compared. */
static void compare_status(const struct observed_exit *x, struct import_verdict *j)
{
    unsigned ours = j->access.esr & 0x3f, theirs = x->esr & 0x3f;
    char a[64], b[64];
    if ((x->esr_known & 0x3f) != 0x3f)
        return;
    bool both_by_level = ours < 0x10 && theirs < 0x10;
    if (both_by_level ? ours >> 2 == theirs >> 2 : ours == theirs)
        return;
    syndrome_status_text(theirs, a, sizeof a);
    syndrome_status_text(ours, b, sizeof b);
    differ(j, "the class of the fault: the board's is %s, the model's %s", a, b);
}

static void verdict_on_abort(struct vm *vm, struct vcpu *v, const struct observed_exit *x,
                             bool lazy, struct import_verdict *j)
{
    struct explanation *a = &j->access;
    char fault[64];
    if (!(x->known & OBSERVED_IPA)) {
        j->is_judged = false;
        say(j, "nothing: the address is not known");
        return;
    }
    j->has_access = true;
    explain_access(vm, v, x->ipa, true, observed_access_kind(x), a);
    if (a->fault.class == FAULT_NONE && !observed_has_direction(x))
        explain_access(vm, v, x->ipa, true, ACCESS_WRITE, a); /* then it was one */
    if (a->fault.class == FAULT_NONE) {
        verdict_on_mapped(j, x, lazy);
        return;
    }
    syndrome_status_text(a->esr & 0x3f, fault, sizeof fault);
    if (a->place.kind == PLACE_VDEV && a->access.kind != ACCESS_FETCH)
        verdict_on_device(vm, x, j, fault);
    else if (a->place.kind == PLACE_NOTHING)
        say(j, "%s: nothing is there: unsupported reference %s", fault,
            config_text_action(vm->config->unsupported_reference));
    else
        say(j, "%s: %s is there: unsupported reference %s", fault,
            a->place.kind == PLACE_VDEV ? a->place.device : memory_name(a->place.kind),
            config_text_action(vm->config->unsupported_reference));
    compare_status(x, j);
}

/* Calls, registers, waiting -----------------------------------------------------------------------
 */

static void verdict_on_call(const struct observed_exit *x, struct import_verdict *j)
{
    bool has_immediate = (x->esr_known & 0xffff) == 0xffff;
    if (has_immediate && (x->esr & 0xffff) != 0) {
        say(j, "no call of the SMC calling convention: X0 = -1");
        return;
    }
    if (!(x->known & OBSERVED_VALUE) || x->kind != OBSERVED_TRAP) {
        say(j, "psci answers; the function (X0) is not known");
        return;
    }
    const char *name = secure_call_name((uint32_t)x->value);
    if (name)
        say(j, "psci answers: %s", name);
    else
        say(j, "psci answers NOT_SUPPORTED: function 0x%" PRIx32, (uint32_t)x->value);
}

static void verdict_on_wait(const struct observed_exit *x, struct import_verdict *j)
{
    bool is_wfe = x->esr & 1;
    if (!(x->esr_known & 1)) { /* ISS.TI */
        j->is_judged = false;
        say(j, "nothing: whether it was WFI or WFE is not known");
        return;
    }
    say(j, is_wfe ? "no exit: WFE is not trapped" : "WFI: the vCPU waits for an interrupt");
    if (is_wfe)
        differ(j, "the board trapped WFE, the model does not");
}

/* ISS for a trapped MSR or MRS: D19.2.37, EC 0x18. */
static unsigned encoding_of(uint32_t esr)
{
    return SYSREG(esr >> 20 & 3, esr >> 14 & 7, esr >> 10 & 15, esr >> 1 & 15, esr >> 17 & 7);
}

#define REGISTER_BITS 0x3ffc1fu /* all of it but Rt: Op0, Op2, Op1, CRn, CRm and the direction */

static void verdict_on_register(struct vm *vm, struct vcpu *v, const struct observed_exit *x,
                                struct import_verdict *j)
{
    unsigned encoding = encoding_of(x->esr);
    uint64_t value = x->known & OBSERVED_VALUE ? x->value : 0;
    if ((x->esr_known & REGISTER_BITS) != REGISTER_BITS) {
        j->is_judged = false;
        say(j, "nothing: which register it was is not known");
        return;
    }
    const char *own = arm64_own_sysreg(arm64_of(v), encoding);
    bool is_read = x->esr & 1;
    char name[32];
    snprintf(name, sizeof name, "S%u_%u_C%u_C%u_%u", encoding >> 14 & 3, encoding >> 11 & 7,
             encoding >> 7 & 15, encoding >> 3 & 15, encoding & 7);
    if (own) {
        say(j, "no exit: the vCPU has %s itself", own);
        differ(j, "the board trapped %s, the model does not", own);
    } else if (pic_cpu_register(vm->pic, v->index, encoding, !is_read, &value)) {
        say(j, "%s answers: %s", vm->pic->v.name, name);
    } else {
        say(j, "%s is in no table: unsupported register %s", name,
            config_text_action(vm->config->unsupported_register));
    }
}

static void verdict_on_trap(struct vm *vm, struct vcpu *v, const struct observed_exit *x, bool lazy,
                            struct import_verdict *j)
{
    switch (observed_class(x)) {
    case EC_DATA_ABORT_LOWER:
    case EC_INSN_ABORT_LOWER:
        verdict_on_abort(vm, v, x, lazy, j);
        return;
    case EC_HVC:
    case EC_SMC:
        verdict_on_call(x, j);
        return;
    case EC_WFX:
        verdict_on_wait(x, j);
        return;
    case EC_SYSREG:
        verdict_on_register(vm, v, x, j);
        return;
    case EC_UNKNOWN:
        if (vm->semihosting) {
            say(j, "a semihosting call");
            return;
        }
        break;
    default:
        break;
    }
    say(j, "no exit: the model never gives one of this class");
    differ(j, "the model has no exits of this class");
}

void import_verdict(struct vm *vm, const struct observed_exit *x, bool lazy,
                    struct import_verdict *j)
{
    struct vcpu *v = vm->vcpus[x->vcpu < vm->vcpu_count ? x->vcpu : 0];
    j->is_judged = j->agrees = true;
    j->has_access = false;
    j->model[0] = j->why[0] = 0;
    if (x->kind == OBSERVED_TRAP) {
        verdict_on_trap(vm, v, x, lazy, j);
        return;
    }
    j->is_judged = false;
    say(j, x->kind == OBSERVED_X86 ? "nothing: x86 guests are not modelled yet"
                                   : "nothing: it is not the guest's doing");
}
