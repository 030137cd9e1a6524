/* The interrupt controller's outputs on their way into a vCPU, and what else lets one run that
 * could not before. */
#include "hv/exitlog/exit_log.h"
#include "hv/hv_internal.h"

void interrupts_vcpu_has_woken(struct board *b)
{
    engine_stop_soon(b->engine);
    chaos_woken(b);
}

void interrupts_deliver(struct vm *vm, unsigned vcpu, unsigned signals)
{
    struct vcpu *v = vm->vcpus[vcpu];
    bool was_runnable = vcpu_is_runnable(v);
    if (signals & ~v->signals)
        event_interrupt(vm->board, vm, vcpu, signals);
    if (signals != v->signals)
        exit_log_signals(vm, vcpu, signals);
    vcpu_set_signals(v, signals);
    if (!was_runnable && vcpu_is_runnable(v) && !v->loaded)
        interrupts_vcpu_has_woken(vm->board);
    else if (was_runnable && !vcpu_is_runnable(v) && !v->loaded)
        engine_stop_soon(vm->board->engine); /* whether others wait decides where a turn ends */
}
