/* The notes of a Linux core of AArch64: struct elf_prstatus and the FP registers of a vCPU, as gdb
 * expects them. */
#include <inttypes.h>

#include "cpu/arm64/arm64.h"
#include "hv/arm64/vm_arm64.h"
#include "hv/foreign/elf_note.h"
#include "hv/foreign/import.h"

enum { NT_PRSTATUS = 1, NT_FPREGSET = 2 };
/* Sizes and places within Linux' struct elf_prstatus, and its FP registers. */
enum { PRSTATUS_SIZE = 392, PRSTATUS_PID = 32, PRSTATUS_REG = 112 };
enum { FPREGSET_SIZE = 32 * 16 + 4 + 4 + 8, FPREGSET_READ = 32 * 16 + 4 + 4 };

void arm64_put_core_notes(struct bytes *out, unsigned pid, const struct vcpu_registers *r)
{
    struct bytes status = {0}, fp = {0};
    elf_put_zeros(&status, PRSTATUS_PID);
    bytes_put_int(&status, pid, 4);
    elf_put_zeros(&status, PRSTATUS_REG - PRSTATUS_PID - 4);
    for (unsigned i = ARM64_X0; i <= ARM64_PSTATE; i++)
        bytes_put_int(&status, r->value[i][0], 8);
    elf_put_zeros(&status, PRSTATUS_SIZE - status.size);
    elf_put_note(out, "CORE", NT_PRSTATUS, &status);
    for (unsigned i = 0; i < 32; i++) {
        bytes_put_int(&fp, r->value[ARM64_V0 + i][0], 8);
        bytes_put_int(&fp, r->value[ARM64_V0 + i][1], 8);
    }
    bytes_put_int(&fp, r->value[ARM64_FPSR][0], 4);
    bytes_put_int(&fp, r->value[ARM64_FPCR][0], 4);
    elf_put_zeros(&fp, FPREGSET_SIZE - fp.size);
    elf_put_note(out, "CORE", NT_FPREGSET, &fp);
    bytes_free(&status);
    bytes_free(&fp);
}

static void take_general(const uint8_t *status, struct vcpu_registers *r)
{
    *r = (struct vcpu_registers){.arch = &arch_arm64};
    for (unsigned i = ARM64_X0; i <= ARM64_PSTATE; i++)
        r->value[i][0] = load_le(status + PRSTATUS_REG + 8 * (size_t)i, 8);
}

static void take_vectors(const uint8_t *vectors, struct vcpu_registers *r)
{
    for (unsigned i = 0; i < 32; i++) {
        r->value[ARM64_V0 + i][0] = load_le(vectors + 16 * (size_t)i, 8);
        r->value[ARM64_V0 + i][1] = load_le(vectors + 16 * (size_t)i + 8, 8);
    }
    r->value[ARM64_FPSR][0] = load_le32(vectors + 32 * 16);
    r->value[ARM64_FPCR][0] = load_le32(vectors + 32 * 16 + 4);
}

enum core_note arm64_take_core_note(uint32_t type, const uint8_t *data, size_t size,
                                    struct vcpu_registers *r, struct error *e)
{
    if (type == NT_FPREGSET && size >= FPREGSET_READ) {
        take_vectors(data, r);
        return CORE_NOTE_MORE;
    }
    if (type != NT_PRSTATUS)
        return CORE_NOTE_OTHER;
    if (size < PRSTATUS_SIZE) {
        error_set(e, "an NT_PRSTATUS of AArch64 has %d bytes, not %zu", PRSTATUS_SIZE, size);
        return CORE_NOTE_BAD;
    }
    take_general(data, r);
    return CORE_NOTE_BEGINS;
}

bool arm64_can_start(const struct vcpu_registers *r, struct error *why)
{
    uint64_t mode = r->value[ARM64_PSTATE][0] & PSTATE_M; /* C5.2.18 */
    return mode == PSTATE_EL0 || mode == PSTATE_EL1 || mode == PSTATE_EL1H ||
           error_set(why,
                     "in mode %#" PRIx64 " (PSTATE.M): only AArch64 at EL0 and EL1 is modelled",
                     mode);
}
