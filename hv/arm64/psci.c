/* Firmware calls: the SMC Calling Convention (Arm DEN 0028) and PSCI 1.1 (Arm DEN 0022), by HVC and
 * by SMC. */
#include "cpu/arm64/engine_arm64.h"
#include "hv/hv_internal.h"

enum {
    SMCCC_VERSION = 0x80000000,
    SMCCC_ARCH_FEATURES = 0x80000001,
    PSCI_VERSION = 0x84000000,
    PSCI_CPU_SUSPEND = 0x84000001,
    PSCI_CPU_OFF = 0x84000002,
    PSCI_CPU_ON = 0x84000003,
    PSCI_AFFINITY_INFO = 0x84000004,
    PSCI_MIGRATE_INFO_TYPE = 0x84000006,
    PSCI_SYSTEM_OFF = 0x84000008,
    PSCI_SYSTEM_RESET = 0x84000009,
    PSCI_FEATURES = 0x8400000a,
    /* Of the range of vendor specific hypervisor services (SMCCC 6.1), ours: */
    QVM_SNAPSHOT = 0x86000000, /* a snapshot now, if the user wants any; X0 = 0 */
};
#define SMC64 0x40000000u

/* PSCI return codes, section 5.2.2. */
#define SUCCESS            0
#define NOT_SUPPORTED      (-1)
#define INVALID_PARAMETERS (-2)
#define ALREADY_ON         (-4)
#define INVALID_ADDRESS    (-9)

/* Which of them have a form with 64-bit arguments: PSCI section 5.1. */
static const struct {
    uint32_t function;
    const char *name;
    bool has_64;
} functions[] = {
    {SMCCC_VERSION, "SMCCC_VERSION", false},
    {SMCCC_ARCH_FEATURES, "SMCCC_ARCH_FEATURES", false},
    {PSCI_VERSION, "PSCI_VERSION", false},
    {PSCI_CPU_SUSPEND, "CPU_SUSPEND", true},
    {PSCI_CPU_OFF, "CPU_OFF", false},
    {PSCI_CPU_ON, "CPU_ON", true},
    {PSCI_AFFINITY_INFO, "AFFINITY_INFO", true},
    {PSCI_MIGRATE_INFO_TYPE, "MIGRATE_INFO_TYPE", false},
    {PSCI_SYSTEM_OFF, "SYSTEM_OFF", false},
    {PSCI_SYSTEM_RESET, "SYSTEM_RESET", false},
    {PSCI_FEATURES, "PSCI_FEATURES", false},
    {QVM_SNAPSHOT, "a snapshot", false},
};

const char *psci_call_name(uint32_t function)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (functions[i].function == (function & ~SMC64) &&
            (functions[i].has_64 || !(function & SMC64)))
            return functions[i].name;
    return NULL;
}

static struct vcpu *vcpu_by_affinity(struct vm *vm, uint64_t affinity)
{
    return affinity < vm->vcpu_count ? vm->vcpus[affinity] : NULL;
}

static int64_t cpu_on(struct vm *vm, uint64_t target, uint64_t entry, uint64_t context_id)
{
    struct vcpu *v = vcpu_by_affinity(vm, target);
    uint8_t byte;
    if (!v)
        return INVALID_PARAMETERS;
    if (v->on)
        return ALREADY_ON;
    if ((entry & 3) || !vm_read(vm, gpa(entry), &byte, 1))
        return INVALID_ADDRESS;
    pic_vcpu_started(vm->pic, v->index);
    vcpu_power_on(v, entry, context_id);
    interrupts_vcpu_has_woken(vm->board);
    return SUCCESS;
}

static int64_t affinity_info(struct vm *vm, uint64_t target, uint64_t lowest_level)
{
    struct vcpu *v = vcpu_by_affinity(vm, target);
    if (!v || lowest_level > 0)
        return INVALID_PARAMETERS;
    return v->on ? 0 : 1;
}

/* A standby state: back when an interrupt is pending. A power-down request is done as standby,
 * which section 5.4.1 allows. */
static int64_t cpu_suspend(struct vm *vm, struct vcpu *v)
{
    v->halted = true;
    engine_stop_soon(vm->world.engine);
    return SUCCESS;
}

static int64_t features(uint32_t function)
{
    switch (function & ~SMC64) {
    case PSCI_CPU_SUSPEND:
    case PSCI_CPU_ON:
    case PSCI_AFFINITY_INFO:
        return SUCCESS;
    case PSCI_VERSION:
    case PSCI_CPU_OFF:
    case PSCI_MIGRATE_INFO_TYPE:
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case PSCI_FEATURES:
    case SMCCC_VERSION:
        return function & SMC64 ? NOT_SUPPORTED : SUCCESS;
    default:
        return NOT_SUPPORTED;
    }
}

/* Of the 32-bit convention only Wn counts: SMCCC 2.6. */
static uint64_t argument(const struct vm *vm, bool is_64, unsigned n)
{
    uint64_t value = engine_x(vm->world.engine, n);
    return is_64 ? value : (uint32_t)value;
}

enum exit_result psci_call(struct vm *vm, struct vcpu *v)
{
    struct engine *e = vm->world.engine;
    uint32_t function = (uint32_t)engine_x(e, 0);
    bool is_64 = function & SMC64;
    int64_t result = NOT_SUPPORTED;
    bool has_64 = false;
    switch (function & ~SMC64) {
    case PSCI_CPU_ON:
    case PSCI_CPU_SUSPEND:
    case PSCI_AFFINITY_INFO:
        has_64 = true;
        break;
    default:
        break;
    }
    switch (is_64 && !has_64 ? 0 : function & ~SMC64) {
    case SMCCC_VERSION:
    case PSCI_VERSION:
        result = 0x10001;
        break;
    case SMCCC_ARCH_FEATURES: {
        uint32_t asked = (uint32_t)engine_x(e, 1);
        result = asked == SMCCC_VERSION || asked == SMCCC_ARCH_FEATURES ? SUCCESS : NOT_SUPPORTED;
        break;
    }
    case PSCI_CPU_SUSPEND:
        result = cpu_suspend(vm, v);
        break;
    case PSCI_CPU_OFF:
        vcpu_power_off(v);
        return EXIT_DONE;
    case PSCI_CPU_ON:
        result = cpu_on(vm, argument(vm, is_64, 1), argument(vm, is_64, 2), argument(vm, is_64, 3));
        break;
    case PSCI_AFFINITY_INFO:
        result = affinity_info(vm, argument(vm, is_64, 1), argument(vm, is_64, 2));
        break;
    case PSCI_MIGRATE_INFO_TYPE:
        result = 2; /* no trusted OS */
        break;
    case PSCI_SYSTEM_OFF:
        vm_end(vm, STATUS_OK, "the guest powered off");
        return EXIT_STOPPED;
    case PSCI_SYSTEM_RESET:
        vm_end(vm, STATUS_OK, "the guest asked for a reset");
        vm->may_restart = true;
        return EXIT_STOPPED;
    case PSCI_FEATURES:
        result = features((uint32_t)engine_x(e, 1));
        break;
    case QVM_SNAPSHOT:
        result = SUCCESS; /* in any case: what the user wants must not be seen */
        if (vm->board->options.snapshot_on_call)
            vm->board->snapshot_wanted = vm->board->save_wanted = true;
        engine_stop_soon(e);
        break;
    default:
        break;
    }
    engine_set_x(e, 0, is_64 ? (uint64_t)result : (uint32_t)result);
    return EXIT_DONE;
}
