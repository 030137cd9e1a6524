#include "hv/arm64/vm_arm64.h"

#include "cpu/arm64/arm64.h"
#include "cpu/arm64/syndrome.h"

extern const struct vdev_type gic_type;

static void syndrome_text_of(uint64_t syndrome, char *text, size_t size)
{
    syndrome_text((uint32_t)syndrome, text, size);
}

const struct vm_arch vm_arch_arm64 = {
    .cpu = &arch_arm64,
    .exits =
        {[EXIT_CALL] = arm64_call, [EXIT_FIRMWARE] = arm64_call, [EXIT_DEBUG] = arm64_debug_call},
    .build_tree = arm64_build_tree,
    .pass_tree = arm64_pass_seeds,
    .elf_machine = 183, /* EM_AARCH64 */
    .elf_machine_name = "AArch64",
    /* What is where is as on the machine `virt` of QEMU, for which such images are made. */
    .bare_machine = "ram 0x40000000,128M cpu set semihosting on "
                    "vdev gic gicd 0x08000000 gicr 0x080a0000 "
                    "vdev pl011 loc 0x09000000 intr gic:33 hostdev - "
                    "vdev pl031 loc 0x09010000 intr gic:34 "
                    "vdev exit loc 0x09020000 vdev pvpanic loc 0x09021000",
    .kernel = &arm64_image,
    .observed = &arm64_observed,
    .put_core_notes = arm64_put_core_notes,
    .take_core_note = arm64_take_core_note,
    .without_system_registers = "stage 1 is off; --sysreg SCTLR_EL1=0x...",
    .exit_whys =
        {
            [EXIT_MMIO] = "a load or store that stage 2 does not map",
            [EXIT_MMIO_OPAQUE] = "such a load or store without a syndrome (ESR_EL2.ISV=0)",
            [EXIT_FETCH] = "an instruction fetch that stage 2 refuses",
            [EXIT_STAGE2] = "a load or store that stage 2 maps and forbids",
            [EXIT_CALL] = "HVC",
            [EXIT_FIRMWARE] = "SMC",
            [EXIT_HALT] = "WFI: the vCPU waits for an interrupt",
            [EXIT_REGISTER] = "a system register of the interrupt controller",
            [EXIT_REGISTER_UNKNOWN] = "a system register that is in no table",
            [EXIT_DEBUG] = "a semihosting call (HLT #0xF000)",
            [EXIT_PASS] = "a device of the board",
        },
    .syndrome_text = syndrome_text_of,
    .syndrome_key = "esr",
    .address_key = "hpfar",
    .pic = &gic_type,
    .undefined_name = "Undefined Instruction exception",
    .abort_name = "synchronous external abort",
    .explain = arm64_explain,
    .table_is_damaged = arm64_table_is_damaged,
    .trace_arguments = arm64_trace_arguments,
    .preempted_reason = 0x40, /* behind all exception classes */
    .level_name = "EL",
    .level_key = "el",
    .level = arm64_level,
    .put_exception = arm64_put_exception,
    .put_exception_json = arm64_put_exception_json,
    .timer_register = arm64_timer_register,
    .can_start = arm64_can_start,
    .each_mapping = arm64_each_mapping,
    .is_mapping = arm64_is_mapping,
    .locate = arm64_locate,
};
