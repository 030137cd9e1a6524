#include "qvm/ask/patience.h"

#include <inttypes.h>
#include <stdio.h>

#include "qvm/host/host.h"

#define FIRST_PAUSE_NS UINT64_C(1000000000) /* then twice as long each time */

void patience_begin(struct patience *p, const char *question)
{
    host_catch_signals();
    *p = (struct patience){
        .question = question, .told_ns = host_monotonic_ns(), .pause_ns = FIRST_PAUSE_NS};
}

bool patience_is_over(void *patience, uint64_t instructions)
{
    struct patience *p = patience;
    enum host_signal signal;
    while ((signal = host_take_signal()) != HOST_SIGNAL_NONE)
        p->is_over |= signal == HOST_SIGNAL_BUTTON || signal == HOST_SIGNAL_CUT;
    uint64_t now = host_monotonic_ns();
    if (now - p->told_ns >= p->pause_ns) {
        p->told_ns = now;
        p->pause_ns *= 2;
        fprintf(stderr, "qvm: %s: at instruction %" PRIu64 "\n", p->question, instructions);
    }
    return p->is_over;
}
