/* What ESR_EL2 of an exit says that was seen elsewhere, and how kernel trace class 10 tells it. */
#include "hv/arm64/observed_arm64.h"

#include <inttypes.h>

#include "cpu/arm64/arm64.h"
#include "cpu/arm64/syndrome.h"
#include "emu/text.h"
#include "hv/arm64/vm_arm64.h"

static bool is_abort(unsigned class)
{
    return class == EC_DATA_ABORT_LOWER || class == EC_INSN_ABORT_LOWER;
}

/* SAS says something where ISV is set. */
static struct observed_access access_of(const struct observed_exit *x)
{
    struct observed_access a = {.kind = ACCESS_FETCH, .has_direction = true};
    if (observed_class(x) == EC_INSN_ABORT_LOWER)
        return a;
    a.kind = x->syndrome_known & x->syndrome & ISS_WNR ? ACCESS_WRITE : ACCESS_READ;
    a.has_direction = x->syndrome_known & ISS_WNR;
    if (arm64_knows(x, ISS_ISV | ISS_SAS) && x->syndrome & ISS_ISV)
        a.size = 1u << (x->syndrome >> 22 & 3);
    return a;
}

static void trap_text(const struct observed_exit *x, struct bytes *out)
{
    unsigned class = observed_class(x);
    char text[64];
    text_put(out, "%s", syndrome_class_name(class));
    if (is_abort(class) && arm64_knows(x, ISS_STATUS)) {
        syndrome_status_text(x->syndrome & ISS_STATUS, text, sizeof text);
        text_put(out, ", %s", text);
    }
    if (class == EC_SYSREG && arm64_knows(x, ISS_REGISTER)) {
        arch_arm64.register_text(syndrome_register(x->syndrome), text, sizeof text);
        text_put(out, ", %s of %s", x->syndrome & ISS_READ ? "read" : "write", text);
    }
    if ((class == EC_HVC || class == EC_SMC) && arm64_knows(x, ISS_IMMEDIATE))
        text_put(out, " #%u", x->syndrome & ISS_IMMEDIATE);
    if (class == EC_HVC && x->known & OBSERVED_VALUE)
        text_put(out, ", X0 0x%" PRIx64, x->value);
}

/* `hw_reason` is the whole syndrome. Without a class it is none, as EC 0 has IL = 1: the host's
 * doing. */
static bool take_hw_reason(struct observed_exit *x, uint64_t hw_reason)
{
    if (hw_reason > UINT32_MAX)
        return false;
    x->kind = hw_reason >= ESR_IL ? OBSERVED_TRAP : OBSERVED_INTERRUPT;
    if (x->kind == OBSERVED_TRAP)
        observed_set_syndrome(x, (uint32_t)hw_reason);
    return true;
}

/* `reason` is the exception class. */
static bool take_reason(struct observed_exit *x, uint64_t reason)
{
    if (reason > CLASS_MAX)
        return false;
    x->kind = OBSERVED_TRAP;
    observed_set_class(x, (unsigned)reason);
    return true;
}

/* The guest-physical address of an abort, and else the ISS (docs/exits.md). */
static void take_payload(struct observed_exit *x, uint64_t payload)
{
    if (observed_is_abort(x)) {
        x->ipa = payload;
        x->known |= OBSERVED_IPA;
    } else if (payload <= ISS_ALL) {
        x->syndrome |= (uint32_t)payload;
        x->syndrome_known |= ISS_ALL;
    }
}

const struct observed_arch arm64_observed = {
    .kind = OBSERVED_TRAP,
    .class_shift = ESR_EC_SHIFT,
    .class_name = "the exception class (ESR_EL2.EC, bits 31 to 26)",
    .part_name = "ESR_EL2, of the bits that both know",
    .class_text = syndrome_class_name,
    .is_abort = is_abort,
    .access_class = EC_DATA_ABORT_LOWER,
    .access = access_of,
    .trap_text = trap_text,
    .take_hw_reason = take_hw_reason,
    .take_reason = take_reason,
    .take_payload = take_payload,
    .hw_reason_name = "syndrome of Arm (32 bits)",
    .reason_name = "exception class of Arm (0 to 0x3f)",
    .tracepoints = arm64_tracepoints,
    .take_kvm_exit = arm64_take_kvm_exit,
    .put_entry = arm64_put_ftrace_entry,
    .put_exit = arm64_put_ftrace_exit,
    .verdict = arm64_verdict,
};
