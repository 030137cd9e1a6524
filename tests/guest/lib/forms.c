#include "forms.h"

void check_forms(const struct form *forms, size_t count, uint64_t place)
{
    for (const struct form *f = forms; f < forms + count; f++)
        for (unsigned offset = 0; offset <= 16; offset++) {
            check_context(f->name, offset);
            struct trap t = trap_el1(f->code, place + offset, 0, 0);
            if (offset % f->alignment == 0) {
                CHECK_NO_TRAP("aligned", t);
                continue;
            }
            unsigned iss = (f->is_store ? ESR_WNR : 0) | FSC_ALIGNMENT;
            CHECK_TRAP("unaligned", t, ESR(EC_DABORT_EL1, iss), 0x200, (uint64_t)f->code);
            CHECK_EQ("FAR", t.far, place + offset);
        }
    check_context(NULL, 0);
}
