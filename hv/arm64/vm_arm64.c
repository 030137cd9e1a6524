#include "hv/arm64/vm_arm64.h"

#include "cpu/arm64/arm64.h"

const struct vm_arch vm_arch_arm64 = {
    .cpu = &arch_arm64,
    .elf_machine = 183, /* EM_AARCH64 */
    .elf_machine_name = "AArch64",
    .put_core_notes = arm64_put_core_notes,
    .take_core_note = arm64_take_core_note,
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
