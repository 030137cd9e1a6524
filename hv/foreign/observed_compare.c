/* Two exits of the same place in two streams. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hv/foreign/import_verdict.h"
#include "hv/foreign/observed_arch.h"

static bool numbers_differ(uint64_t a, uint64_t b, char *values, size_t size)
{
    if (a == b)
        return false;
    snprintf(values, size, "A 0x%" PRIx64 ", B 0x%" PRIx64, a, b);
    return true;
}

static const char *kind_name(const struct observed_exit *x)
{
    return x->kind == OBSERVED_TRAP  ? "a trap"
           : x->kind == OBSERVED_X86 ? "of x86"
                                     : "an interrupt";
}

/* What a device answered depends on more than the exits before it. */
static bool value_is_guests(const struct observed_exit *x)
{
    return !(x->known & OBSERVED_ACCESS) || x->is_write;
}

const char *observed_differs(const struct observed_exit *a, const struct observed_exit *b,
                             char *values, size_t size)
{
    unsigned known = a->known & b->known;
    const struct vm_arch *arch = observed_vm_arch(a);
    uint32_t bits = arch ? a->syndrome_known & b->syndrome_known : 0;
    uint32_t class = arch ? OBSERVED_SYNDROME_ALL << arch->observed->class_shift : 0;
    if (a->kind != b->kind) {
        snprintf(values, size, "A %s, B %s", kind_name(a), kind_name(b));
        return "what it is";
    }
    if (a->kind == OBSERVED_X86 && strcmp(a->reason, b->reason) != 0) {
        snprintf(values, size, "A %s, B %s", a->reason, b->reason);
        return "the reason";
    }
    if (known & OBSERVED_PC && numbers_differ(a->pc, b->pc, values, size))
        return "PC";
    if (numbers_differ(a->syndrome & bits & class, b->syndrome & bits & class, values, size))
        return arch->observed->class_name;
    if (known & OBSERVED_IPA && numbers_differ(a->ipa, b->ipa, values, size))
        return "the guest-physical address";
    if (known & OBSERVED_GVA && numbers_differ(a->gva, b->gva, values, size))
        return "the virtual address";
    if (numbers_differ(a->syndrome & bits, b->syndrome & bits, values, size))
        return bits == OBSERVED_SYNDROME_ALL ? arch->cpu->detail_names[EXIT_SYNDROME]
                                             : arch->observed->part_name;
    if (known & OBSERVED_ACCESS && numbers_differ(a->size, b->size, values, size))
        return "the size of the access";
    if (known & OBSERVED_ACCESS && numbers_differ(a->is_write, b->is_write, values, size))
        return "the direction (1: write)";
    if (known & OBSERVED_VALUE && value_is_guests(a) && value_is_guests(b) &&
        numbers_differ(a->value, b->value, values, size))
        return "the value";
    if (known & OBSERVED_QUALIFICATION && numbers_differ(a->info1, b->info1, values, size))
        return "the qualification";
    return NULL;
}
