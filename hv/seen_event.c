/* A guest exit of the model itself as one that was seen elsewhere would be told. */
#include "cpu/arm64.h"
#include "hv/events.h"
#include "hv/judge.h"

static void take_access(const struct guest_exit *x, struct seen_exit *s)
{
    s->gva = x->gva.v;
    s->ipa = x->gpa.v;
    s->known |= SEEN_GVA | SEEN_IPA;
    if (!x->size)
        return;
    s->size = x->size;
    s->is_write = x->is_write;
    s->value = x->value;
    s->known |= SEEN_ACCESS | SEEN_VALUE;
}

bool seen_of_event(const struct board_event *event, struct seen_exit *s)
{
    const struct guest_exit *x = event->exit;
    if (event->id != EVENT_GUEST_EXIT || event->vcpu >= SEEN_VCPUS_MAX)
        return false;
    *s = (struct seen_exit){
        .kind = x ? SEEN_TRAP : SEEN_INTERRUPT,
        .vcpu = (uint8_t)event->vcpu,
        .known = SEEN_TIME | SEEN_PC,
        .ns = event->ns,
        .pc = event->guest_ip,
    };
    if (!x)
        return true;
    s->esr = x->esr;
    s->esr_known = SEEN_ESR_ALL;
    if (seen_is_abort(s))
        take_access(x, s);
    return true;
}
