/* What the model gives for a trap of AArch64. */
#include <inttypes.h>

#include "cpu/arm64/arm64_vcpu.h"
#include "cpu/arm64/syndrome.h"
#include "hv/arm64/explain_arm64.h"
#include "hv/arm64/observed_arm64.h"
#include "hv/config/config_text.h"
#include "hv/hv_internal.h"

/* Aborts ------------------------------------------------------------------------------------------
 */

static bool is_mapped_late(const struct observed_exit *x, bool lazy)
{
    bool is_translation = arm64_knows(x, ISS_STATUS) && (x->syndrome >> 2 & 15) == 1;
    return lazy && is_translation && !(x->known & OBSERVED_ACCESS);
}

/* Whoever knows the access has carried it out: the syndrome was not needed, or the instruction was
 * looked at. */
static bool is_opaque(const struct observed_exit *x)
{
    return arm64_knows(x, ISS_ISV) && !(x->syndrome & ISS_ISV) && !(x->known & OBSERVED_ACCESS);
}

/* The level belongs to how a hypervisor builds its tables: it is told and not compared. */
static void compare_status(const struct observed_exit *x, struct import_verdict *j)
{
    unsigned ours = j->model_syndrome & ISS_STATUS, theirs = x->syndrome & ISS_STATUS;
    char a[64], b[64];
    if (!arm64_knows(x, ISS_STATUS))
        return;
    bool both_by_level = ours < 0x10 && theirs < 0x10;
    if (both_by_level ? ours >> 2 == theirs >> 2 : ours == theirs)
        return;
    syndrome_status_text(theirs, a, sizeof a);
    syndrome_status_text(ours, b, sizeof b);
    import_verdict_differ(j, "the class of the fault: the board's is %s, the model's %s", a, b);
}

static void verdict_on_fault(struct vm *vm, const struct observed_exit *x,
                             const struct explanation *a, struct import_verdict *j)
{
    char fault[64];
    syndrome_status_text(a->esr & ISS_STATUS, fault, sizeof fault);
    if (a->place.kind == PLACE_VDEV && a->access.kind != ACCESS_FETCH && is_opaque(x))
        import_verdict_say(
            j,
            "%s: vdev %s is there (register offset 0x%" PRIx64
            "), and without a syndrome (ISV=0) the instruction decides: it answers loads and "
            "stores of general-purpose registers; any other: unsupported instruction %s",
            fault, a->place.device, a->place.offset,
            config_text_action(vm->config->unsupported_instruction));
    else
        import_verdict_on_refused(vm, x, a->gpa, &a->place, fault, j);
    j->has_fault = true;
    j->model_syndrome = a->esr;
    compare_status(x, j);
}

static void verdict_on_abort(struct vm *vm, struct vcpu *v, const struct observed_exit *x,
                             bool lazy, struct import_verdict *j)
{
    struct observed_access access = observed_access(x);
    struct explanation a;
    if (!(x->known & OBSERVED_IPA)) {
        import_verdict_none(j, "the address is not known");
        return;
    }
    explain_access(vm, v, x->ipa, true, access.kind, &a);
    if (a.fault.class == FAULT_NONE && !access.has_direction)
        explain_access(vm, v, x->ipa, true, ACCESS_WRITE, &a); /* then it was one */
    explanation_walk_text(&a, &j->walk);
    if (a.fault.class == FAULT_NONE)
        import_verdict_on_mapped(j, &a.place, is_mapped_late(x, lazy));
    else
        verdict_on_fault(vm, x, &a, j);
}

/* Calls, registers, waiting -----------------------------------------------------------------------
 */

static void verdict_on_call(const struct observed_exit *x, struct import_verdict *j)
{
    bool has_immediate = arm64_knows(x, ISS_IMMEDIATE);
    if (has_immediate && (x->syndrome & ISS_IMMEDIATE) != 0) {
        import_verdict_say(j, "no call of the SMC calling convention: X0 = -1");
        return;
    }
    if (!(x->known & OBSERVED_VALUE)) {
        import_verdict_say(j, "psci answers; the function (X0) is not known");
        return;
    }
    const char *name = psci_call_name((uint32_t)x->value);
    if (name)
        import_verdict_say(j, "psci answers: %s", name);
    else
        import_verdict_say(j, "psci answers NOT_SUPPORTED: function 0x%" PRIx32,
                           (uint32_t)x->value);
}

static void verdict_on_wait(const struct observed_exit *x, struct import_verdict *j)
{
    bool is_wfe = x->syndrome & ISS_WFE;
    if (!arm64_knows(x, ISS_WFE)) {
        import_verdict_none(j, "whether it was WFI or WFE is not known");
        return;
    }
    import_verdict_say(j, is_wfe ? "no exit: WFE is not trapped"
                                 : "WFI: the vCPU waits for an interrupt");
    if (is_wfe)
        import_verdict_differ(j, "the board trapped WFE, the model does not");
}

static void verdict_on_register(struct vm *vm, struct vcpu *v, const struct observed_exit *x,
                                struct import_verdict *j)
{
    unsigned encoding = syndrome_register(x->syndrome);
    uint64_t value = x->known & OBSERVED_VALUE ? x->value : 0;
    if (!arm64_knows(x, ISS_REGISTER)) {
        import_verdict_none(j, "which register it was is not known");
        return;
    }
    const char *own = arm64_own_sysreg(arm64_of(v), encoding);
    bool is_read = x->syndrome & ISS_READ;
    char name[32];
    arch_arm64.register_text(encoding, name, sizeof name);
    if (own) {
        import_verdict_say(j, "no exit: the vCPU has %s itself", own);
        import_verdict_differ(j, "the board trapped %s, the model does not", own);
    } else if (pic_cpu_register(vm->pic, v->index, encoding, !is_read, &value)) {
        import_verdict_say(j, "%s answers: %s", vm->pic->v.name, name);
    } else {
        import_verdict_say(j, "%s is in no table: unsupported register %s", name,
                           config_text_action(vm->config->unsupported_register));
    }
}

void arm64_verdict(struct vm *vm, struct vcpu *v, const struct observed_exit *x, bool lazy,
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
            import_verdict_say(j, "a semihosting call");
            return;
        }
        break;
    default:
        break;
    }
    import_verdict_say(j, "no exit: the model never gives one of this class");
    import_verdict_differ(j, "the model has no exits of this class");
}
