/* A guest exit of the model itself as one that was seen elsewhere would be told. */
#include "hv/board.h"
#include "hv/foreign/import_verdict.h"
#include "hv/foreign/observed_arch.h"

static void take_access(const struct guest_exit *x, struct observed_exit *s)
{
    s->gva = x->gva.v;
    s->ipa = x->gpa.v;
    s->known |= OBSERVED_GVA | OBSERVED_IPA;
    if (!x->size)
        return;
    s->size = x->size;
    s->is_write = x->is_write;
    s->value = x->value;
    s->known |= OBSERVED_ACCESS | OBSERVED_VALUE;
}

bool observed_of_event(const struct board_event *event, struct observed_exit *s)
{
    const struct guest_exit *x = event->exit;
    if (event->id != EVENT_GUEST_EXIT || event->vcpu >= OBSERVED_VCPUS_MAX ||
        !event->vm->arch->observed)
        return false;
    *s = (struct observed_exit){
        .arch = event->vm->arch,
        .kind = x ? event->vm->arch->observed->kind : OBSERVED_INTERRUPT,
        .vcpu = (uint8_t)event->vcpu,
        .known = OBSERVED_TIME | OBSERVED_PC,
        .ns = event->ns,
        .pc = event->guest_ip,
    };
    if (!x)
        return true;
    observed_set_syndrome(s, (uint32_t)x->detail[EXIT_SYNDROME]);
    if (observed_is_abort(s))
        take_access(x, s);
    return true;
}
