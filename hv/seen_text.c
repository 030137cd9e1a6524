/* An exit that was seen elsewhere, in words. */
#include <inttypes.h>

#include "cpu/arm64.h"
#include "cpu/syndrome.h"
#include "emu/text.h"
#include "hv/config_text.h"
#include "hv/judge.h"

enum access_kind seen_access_kind(const struct seen_exit *x)
{
    if (seen_class(x) == EC_INSN_ABORT_LOWER)
        return ACCESS_FETCH;
    bool write = x->known & SEEN_ACCESS ? x->is_write : x->esr_known & x->esr & 1u << 6;
    return write ? ACCESS_WRITE : ACCESS_READ;
}

bool seen_has_direction(const struct seen_exit *x)
{
    return seen_class(x) == EC_INSN_ABORT_LOWER || x->known & SEEN_ACCESS || x->esr_known & 1u << 6;
}

unsigned seen_access_size(const struct seen_exit *x)
{
    if (x->known & SEEN_ACCESS)
        return x->size;
    /* ISS of a data abort: ISV, SAS (D19.2.37). */
    bool has_syndrome = seen_class(x) == EC_DATA_ABORT_LOWER && x->esr_known & x->esr & 1u << 24 &&
                        (x->esr_known >> 22 & 3) == 3;
    return has_syndrome ? 1u << (x->esr >> 22 & 3) : 0;
}

static void put_abort(const struct seen_exit *x, struct bytes *out)
{
    static const char *const kinds[] = {"read", "write", "fetch"};
    enum access_kind kind = seen_access_kind(x);
    char status[64];
    if ((x->esr_known & 0x3f) == 0x3f) {
        syndrome_status_text(x->esr & 0x3f, status, sizeof status);
        text_put(out, ", %s", status);
    }
    if (seen_has_direction(x))
        text_put(out, ", %s", kinds[kind]);
    if (seen_access_size(x))
        text_put(out, " of %u %s", seen_access_size(x),
                 text_plural(seen_access_size(x), "byte", "bytes"));
}

static void put_trap(const struct seen_exit *x, struct bytes *out)
{
    unsigned class = seen_class(x);
    text_put(out, "%s", syndrome_class_name(class));
    if (seen_is_abort(x))
        put_abort(x, out);
    if (class == EC_SYSREG && (x->esr_known & 0x3ffc1f) == 0x3ffc1f)
        text_put(out, ", %s of S%u_%u_C%u_C%u_%u", x->esr & 1 ? "read" : "write", x->esr >> 20 & 3,
                 x->esr >> 14 & 7, x->esr >> 10 & 15, x->esr >> 1 & 15, x->esr >> 17 & 7);
    if ((class == EC_HVC || class == EC_SMC) && (x->esr_known & 0xffff) == 0xffff)
        text_put(out, " #%u", x->esr & 0xffff);
    if (class == EC_HVC && x->known & SEEN_VALUE)
        text_put(out, ", X0 0x%" PRIx64, x->value);
}

void seen_text(const struct seen_exit *x, struct bytes *out)
{
    if (x->kind == SEEN_TRAP)
        put_trap(x, out);
    else if (x->kind == SEEN_X86)
        text_put(out, "x86 %s", x->reason);
    else
        text_put(out, "interrupted%s%s", *x->reason ? " by " : "", x->reason);
    if (x->known & SEEN_QUALIFICATION)
        text_put(out, ", qualification 0x%" PRIx64 " 0x%" PRIx64, x->info1, x->info2);
    if (x->known & SEEN_IPA)
        text_put(out, ", ipa 0x%" PRIx64, x->ipa);
    if (x->known & SEEN_GVA)
        text_put(out, ", gva 0x%" PRIx64, x->gva);
    if (x->known & SEEN_PC)
        text_put(out, ", %s 0x%" PRIx64, x->kind == SEEN_X86 ? "RIP" : "PC", x->pc);
}
