#include "cpu/disasm.h"

#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#include "emu/bytes.h"

static const struct {
    const char *name;
    cs_arch arch;
    cs_mode mode;
    size_t word; /* bytes of what is no instruction */
} languages[] = {{"arm64", CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, 4}};

static size_t put_word(const uint8_t *bytes, size_t size, size_t word, char *text, size_t room)
{
    size_t length = word < size ? word : size;
    snprintf(text, room, ".word 0x%0*llx", (int)(2 * length),
             (unsigned long long)load_le(bytes, length));
    return length;
}

size_t disasm_text(const char *arch, uint64_t pc, const uint8_t *bytes, size_t size, char *text,
                   size_t room)
{
    csh handle;
    cs_insn *insn = NULL;
    size_t i = 0, length = 0;
    while (i + 1 < sizeof languages / sizeof languages[0] && strcmp(languages[i].name, arch) != 0)
        i++;
    if (cs_open(languages[i].arch, languages[i].mode, &handle) == CS_ERR_OK) {
        size_t count = cs_disasm(handle, bytes, size, pc, 1, &insn);
        if (count) {
            snprintf(text, room, "%s %s", insn->mnemonic, insn->op_str);
            length = insn->size;
        }
        cs_free(insn, count);
        cs_close(&handle);
    }
    return length ? length : put_word(bytes, size, languages[i].word, text, room);
}

const char *disasm_version(void)
{
    static char text[32];
    int major, minor;
    cs_version(&major, &minor);
    snprintf(text, sizeof text, "%d.%d", major, minor);
    return text;
}
