#include "hv/explain/instruction.h"

#include <inttypes.h>
#include <stdio.h>

#include "cpu/disasm.h"
#include "hv/explain/inspect.h"
#include "hv/images/symbols.h"

/* As much of it as is there: it may end before its page does, and the next is not mapped. */
static size_t translate_read_instruction(struct vm *vm, struct vcpu *v, uint64_t pc, uint8_t *bytes)
{
    size_t size = vm->arch->cpu->instruction_most;
    while (size && !inspect_memory(vm, v, gva(pc), bytes, size))
        size--;
    return size;
}

void instruction_text(struct vm *vm, unsigned vcpu, uint64_t pc, char *text, size_t size)
{
    char instruction[96] = "not readable";
    uint8_t bytes[ARCH_INSTRUCTION_MAX];
    size_t length = 0;
    if (vm->world.plays_exit_log) /* no code was loaded */
        snprintf(instruction, sizeof instruction, "an instruction that was not recorded");
    else if (vcpu < vm->vcpu_count)
        length = translate_read_instruction(vm, vm->vcpus[vcpu], pc, bytes);
    if (length)
        disasm_text(vm->arch->cpu->name, pc, bytes, length, instruction, sizeof instruction);
    struct symbol s;
    if (symbol_find(vm, pc, &s))
        snprintf(text, size, "%#" PRIx64 " <%s+%#" PRIx64 ">: %s", pc, s.name, s.offset,
                 instruction);
    else
        snprintf(text, size, "%#" PRIx64 ": %s", pc, instruction);
}
