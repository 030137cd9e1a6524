#include "cpu/arm64/disasm.h"

#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdio.h>

#include "emu/bytes.h"

void disasm_a64(uint64_t pc, uint32_t word, char *text, size_t size)
{
    csh handle;
    cs_insn *insn = NULL;
    uint8_t code[4];
    store_le(code, word, sizeof code);
    size_t count = 0;
    if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle) == CS_ERR_OK) {
        count = cs_disasm(handle, code, sizeof code, pc, 1, &insn);
        if (count)
            snprintf(text, size, "%s %s", insn->mnemonic, insn->op_str);
        cs_free(insn, count);
        cs_close(&handle);
    }
    if (!count)
        snprintf(text, size, ".word 0x%08" PRIx32, word);
}

const char *disasm_version(void)
{
    static char text[32];
    int major, minor;
    cs_version(&major, &minor);
    snprintf(text, sizeof text, "%d.%d", major, minor);
    return text;
}
