/* Why a vCPU that does not get on waits, in words. */
#include <inttypes.h>

#include "cpu/arm64/cpu_internal.h"
#include "emu/text.h"

static void add_timer(const struct vtime *t, const struct vcpu_timer *timer, const char *name,
                      char *text, size_t size)
{
    if (!(timer->ctl & TIMER_CTL_ENABLE))
        return;
    if (timer->ctl & TIMER_CTL_IMASK) {
        text_add(text, size, ", its %s timer is masked (IMASK)", name);
    } else if (timer->event.when_ticks != EVENT_NEVER) {
        uint64_t ns = vtime_scale(timer->event.when_ticks, 1000000000, t->rate_hz);
        text_add(text, size, ", its %s timer is due at %" PRIu64 ".%09" PRIu64 " s", name,
                 ns / 1000000000, ns % 1000000000);
    }
}

void arm64_timers_text(const struct vcpu *cpu, char *text, size_t size)
{
    const struct arm64_vcpu *v = arm64_of_const(cpu);
    add_timer(cpu->world->vtime, &v->timer_virtual, "virtual", text, size);
    add_timer(cpu->world->vtime, &v->timer_physical, "physical", text, size);
    if (!((v->timer_virtual.ctl | v->timer_physical.ctl) & TIMER_CTL_ENABLE))
        text_add(text, size, ", its timers are off");
}

/* WFI would have gone on with the interrupt (D1.7.2), WFE does not. */
bool arm64_waiting_text(const struct vcpu *v, const struct vcpu_registers *r, char *text,
                        size_t size)
{
    text_add(text, size, "waits%s at PC %#" PRIx64 ": ",
             !v->wait.is_on                       ? ""
             : v->wait.until_ticks == EVENT_NEVER ? " for an event (WFE, no event stream)"
                                                  : " for an event (WFE)",
             r->value[ARM64_PC][0] - 4);
    if (v->signals)
        text_add(text, size, "an interrupt is signalled, but PSTATE.%s masks it and WFE waits",
                 v->signals & CPU_SIGNAL_IRQ ? "I" : "F");
    return v->signals;
}

void waiting_end(struct arm64_vcpu *v)
{
    if (!v->cpu.wait.is_on)
        return;
    v->cpu.wait = (struct vcpu_wait){.is_on = false};
    engine_clear_event(&v->cpu.event, engine_executed(v->cpu.world->engine));
    v->cpu.event.is_quiet = true;
}

#define INSN_B_ITSELF 0x14000000u

bool arm64_is_parked(struct vcpu *v, const struct vcpu_registers *r)
{
    uint32_t word = 0;
    uint64_t masks = PSTATE_I | PSTATE_F;
    return (r->value[ARM64_PSTATE][0] & masks) == masks &&
           arm64_read_memory(v, gva(r->value[ARM64_PC][0]), &word, sizeof word) &&
           word == INSN_B_ITSELF;
}
