#include "qvm/ask/patience.h"

#include <inttypes.h>
#include <stdio.h>

#include "qvm/host/host.h"

#define FIRST_PAUSE_NS UINT64_C(1000000000)

void telling_begin(struct telling *t)
{
    *t = (struct telling){.told_ns = host_monotonic_ns(), .pause_ns = FIRST_PAUSE_NS};
}

bool telling_is_due(struct telling *t)
{
    uint64_t now = host_monotonic_ns();
    if (now - t->told_ns < t->pause_ns)
        return false;
    t->told_ns = now;
    t->pause_ns *= 2;
    return true;
}

void patience_begin(struct patience *p, const char *question)
{
    host_catch_signals();
    *p = (struct patience){.question = question};
    telling_begin(&p->telling);
}

bool patience_is_over(void *patience, uint64_t instructions)
{
    struct patience *p = patience;
    enum host_signal signal;
    while ((signal = host_take_signal()) != HOST_SIGNAL_NONE)
        p->is_over |= signal == HOST_SIGNAL_BUTTON || signal == HOST_SIGNAL_CUT;
    if (telling_is_due(&p->telling))
        fprintf(stderr, "qvm: %s: at instruction %" PRIu64 "\n", p->question, instructions);
    return p->is_over;
}
