#include "hv/foreign/observed_exit.h"

#include <stdlib.h>

#include "emu/array.h"
#include "hv/foreign/observed_arch.h"

void observed_stream_free(struct observed_stream *s)
{
    free(s->exits);
    *s = (struct observed_stream){0};
}

struct observed_exit *observed_stream_add(struct observed_stream *s)
{
    if (s->count == OBSERVED_EXITS_MAX)
        return NULL;
    s->exits = array_grow(s->exits, s->count, sizeof *s->exits);
    return &s->exits[s->count++];
}

/* Syndromes --------------------------------------------------------------------------------------
 */

const struct vm_arch *observed_vm_arch(const struct observed_exit *x)
{
    return x->arch && x->arch->observed && x->arch->observed->kind == x->kind ? x->arch : NULL;
}

static uint32_t class_mask(const struct observed_arch *arch)
{
    return OBSERVED_SYNDROME_ALL << arch->class_shift;
}

void observed_set_class(struct observed_exit *x, unsigned class)
{
    x->syndrome = class << x->arch->observed->class_shift;
    x->syndrome_known = class_mask(x->arch->observed);
}

void observed_set_syndrome(struct observed_exit *x, uint32_t syndrome)
{
    x->syndrome = syndrome;
    x->syndrome_known = OBSERVED_SYNDROME_ALL;
}

unsigned observed_class(const struct observed_exit *x)
{
    const struct vm_arch *arch = observed_vm_arch(x);
    bool known =
        arch && (x->syndrome_known & class_mask(arch->observed)) == class_mask(arch->observed);
    return known ? x->syndrome >> arch->observed->class_shift : OBSERVED_NO_CLASS;
}

bool observed_is_abort(const struct observed_exit *x)
{
    const struct vm_arch *arch = observed_vm_arch(x);
    return arch && arch->observed->is_abort(observed_class(x));
}
