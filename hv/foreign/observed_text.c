/* An exit that was seen elsewhere, in words. */
#include <inttypes.h>

#include "cpu/arm64/arm64.h"
#include "cpu/arm64/syndrome.h"
#include "emu/text.h"
#include "hv/foreign/import_verdict.h"

enum access_kind observed_access_kind(const struct observed_exit *x)
{
    if (observed_class(x) == EC_INSN_ABORT_LOWER)
        return ACCESS_FETCH;
    bool write = x->known & OBSERVED_ACCESS ? x->is_write : x->esr_known & x->esr & 1u << 6;
    return write ? ACCESS_WRITE : ACCESS_READ;
}

bool observed_has_direction(const struct observed_exit *x)
{
    return observed_class(x) == EC_INSN_ABORT_LOWER || x->known & OBSERVED_ACCESS ||
           x->esr_known & 1u << 6;
}

unsigned observed_access_size(const struct observed_exit *x)
{
    if (x->known & OBSERVED_ACCESS)
        return x->size;
    /* ISS of a data abort: ISV, SAS (D19.2.37). */
    bool has_syndrome = observed_class(x) == EC_DATA_ABORT_LOWER &&
                        x->esr_known & x->esr & 1u << 24 && (x->esr_known >> 22 & 3) == 3;
    return has_syndrome ? 1u << (x->esr >> 22 & 3) : 0;
}

static void put_abort(const struct observed_exit *x, struct bytes *out)
{
    static const char *const kinds[] = {"read", "write", "fetch"};
    enum access_kind kind = observed_access_kind(x);
    char status[64];
    if ((x->esr_known & 0x3f) == 0x3f) {
        syndrome_status_text(x->esr & 0x3f, status, sizeof status);
        text_put(out, ", %s", status);
    }
    if (observed_has_direction(x))
        text_put(out, ", %s", kinds[kind]);
    if (observed_access_size(x))
        text_put(out, " of %u %s", observed_access_size(x),
                 text_plural(observed_access_size(x), "byte", "bytes"));
}

static void put_trap(const struct observed_exit *x, struct bytes *out)
{
    unsigned class = observed_class(x);
    text_put(out, "%s", syndrome_class_name(class));
    if (observed_is_abort(x))
        put_abort(x, out);
    if (class == EC_SYSREG && (x->esr_known & 0x3ffc1f) == 0x3ffc1f)
        text_put(out, ", %s of S%u_%u_C%u_C%u_%u", x->esr & 1 ? "read" : "write", x->esr >> 20 & 3,
                 x->esr >> 14 & 7, x->esr >> 10 & 15, x->esr >> 1 & 15, x->esr >> 17 & 7);
    if ((class == EC_HVC || class == EC_SMC) && (x->esr_known & 0xffff) == 0xffff)
        text_put(out, " #%u", x->esr & 0xffff);
    if (class == EC_HVC && x->known & OBSERVED_VALUE)
        text_put(out, ", X0 0x%" PRIx64, x->value);
}

void observed_text(const struct observed_exit *x, struct bytes *out)
{
    if (x->kind == OBSERVED_TRAP)
        put_trap(x, out);
    else if (x->kind == OBSERVED_X86)
        text_put(out, "x86 %s", x->reason);
    else
        text_put(out, "interrupted%s%s", *x->reason ? " by " : "", x->reason);
    if (x->known & OBSERVED_QUALIFICATION)
        text_put(out, ", qualification 0x%" PRIx64 " 0x%" PRIx64, x->info1, x->info2);
    if (x->known & OBSERVED_IPA)
        text_put(out, ", ipa 0x%" PRIx64, x->ipa);
    if (x->known & OBSERVED_GVA)
        text_put(out, ", gva 0x%" PRIx64, x->gva);
    if (x->known & OBSERVED_PC)
        text_put(out, ", %s 0x%" PRIx64, x->kind == OBSERVED_X86 ? "RIP" : "PC", x->pc);
}
