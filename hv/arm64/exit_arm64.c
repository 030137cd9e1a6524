/* What the syndrome of a guest exit says (ESR_EL2, Arm ARM D19.2.37). */
#include "cpu/arm64/engine_arm64.h"
#include "hv/arm64/observed_arm64.h"
#include "hv/arm64/vm_arm64.h"
#include "hv/hv_internal.h"

/* Address size faults and external aborts on a walk. */
bool arm64_table_is_damaged(const struct guest_exit *x)
{
    unsigned dfsc = x->detail[EXIT_SYNDROME] & ISS_STATUS;
    return dfsc < 4 || (dfsc >= 0x14 && dfsc <= 0x17);
}

/* The exception class; and what goes with it: of an abort the address, else the ISS. */
void arm64_trace_arguments(const struct guest_exit *x, uint32_t *reason, uint64_t *payload)
{
    uint64_t esr = x->detail[EXIT_SYNDROME];
    *reason = (uint32_t)(esr >> ESR_EC_SHIFT);
    bool is_abort = *reason == EC_DATA_ABORT_LOWER || *reason == EC_INSN_ABORT_LOWER;
    *payload = is_abort ? x->gpa.v : esr & ISS_ALL;
}

enum exit_result arm64_call(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    x->handler = "psci";
    if (x->value != 0) { /* SMCCC 2.9: other immediates are not calls */
        engine_set_x(vm->world.engine, 0, UINT64_MAX);
        return EXIT_DONE;
    }
    return psci_call(vm, v);
}

enum exit_result arm64_debug_call(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    if (!vm->semihosting) /* then the vCPU has its exception; the exit log is of another VM */
        return EXIT_UNDEFINED;
    x->handler = "semihosting";
    return semihosting_call(vm, v);
}
