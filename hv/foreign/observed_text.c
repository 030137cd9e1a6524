/* An exit that was seen elsewhere, in words. */
#include <inttypes.h>

#include "emu/text.h"
#include "hv/foreign/import_verdict.h"
#include "hv/foreign/observed_arch.h"

/* Who has seen the access knows more than the syndrome. */
struct observed_access observed_access(const struct observed_exit *x)
{
    struct observed_access a = {.kind = ACCESS_READ};
    if (observed_is_abort(x))
        a = observed_vm_arch(x)->observed->access(x);
    if (!(x->known & OBSERVED_ACCESS))
        return a;
    a.size = x->size;
    if (a.kind != ACCESS_FETCH)
        a.kind = x->is_write ? ACCESS_WRITE : ACCESS_READ;
    a.has_direction = true;
    return a;
}

static void put_trap(const struct observed_exit *x, struct bytes *out)
{
    static const char *const kinds[] = {"read", "write", "fetch"};
    const struct observed_arch *arch = observed_vm_arch(x)->observed;
    struct observed_access a = observed_access(x);
    arch->trap_text(x, out);
    if (!observed_is_abort(x))
        return;
    if (a.has_direction)
        text_put(out, ", %s", kinds[a.kind]);
    if (a.size)
        text_put(out, " of %u %s", a.size, text_plural(a.size, "byte", "bytes"));
}

void observed_text(const struct observed_exit *x, struct bytes *out)
{
    if (observed_vm_arch(x))
        put_trap(x, out);
    else if (x->kind == OBSERVED_X86)
        text_put(out, "x86 %s", x->reason);
    else if (x->kind == OBSERVED_INTERRUPT)
        text_put(out, "interrupted%s%s", *x->reason ? " by " : "", x->reason);
    else
        text_put(out, "a trap of another architecture%s%s", *x->reason ? ", " : "", x->reason);
    if (x->known & OBSERVED_QUALIFICATION)
        text_put(out, ", qualification 0x%" PRIx64 " 0x%" PRIx64, x->info1, x->info2);
    if (x->known & OBSERVED_IPA)
        text_put(out, ", ipa 0x%" PRIx64, x->ipa);
    if (x->known & OBSERVED_GVA)
        text_put(out, ", gva 0x%" PRIx64, x->gva);
    if (x->known & OBSERVED_PC)
        text_put(out, ", %s 0x%" PRIx64, x->kind == OBSERVED_X86 ? "RIP" : "PC", x->pc);
}
