/* What vCPUs of all architectures have in common: whether they run, wait or are off, and whose
 * registers are in the engine. The rest is the architecture's (cpu/arch.h). */
#include "cpu/vcpu.h"

#include <string.h>

#include "cpu/arch.h"
#include "emu/state.h"
#include "emu/text.h"

const char *exit_result_name(enum exit_result result)
{
    switch (result) {
    case EXIT_DONE:
        return "done";
    case EXIT_UNDEFINED:
        return "undefined";
    case EXIT_ABORT:
        return "abort";
    case EXIT_STOPPED:
        return "stopped";
    }
    return "?";
}

/* Running and waiting -----------------------------------------------------------------------------
 */

void vcpu_set_signals(struct vcpu *v, unsigned signals)
{
    v->signals = signals;
    v->world->arch->update_watch(v);
}

bool vcpu_is_runnable(const struct vcpu *v)
{
    const struct vcpu_wait *w = &v->wait;
    bool may_go_on = !w->is_on || !v->event.known_until || v->signals & ~w->masked;
    return v->on && (!v->halted || v->signals) && may_go_on;
}

void vcpu_signals_text(const struct arch *arch, unsigned signals, char *text, size_t size)
{
    *text = '\0';
    for (unsigned i = 0; i < CPU_SIGNALS; i++)
        if (signals >> i & 1)
            text_add(text, size, "%s%s", *text ? ", " : "", arch->signals[i].name);
    if (!*text)
        text_add(text, size, "none");
}

const char *vcpu_activity(const struct vcpu *v)
{
    return !v->on ? "off" : v->halted || v->wait.is_on ? "waits" : "runs";
}

void vcpu_send_event(struct vcpu *v)
{
    v->event.known_until = 0;
}

void vcpu_wait(struct vcpu *v, const struct vcpu_wait *wait)
{
    v->wait = *wait;
    v->event.known_until = UINT64_MAX;
}

/* Life --------------------------------------------------------------------------------------------
 */

struct vcpu *vcpu_new(const struct vcpu_world *world, unsigned index, struct error *e)
{
    return world->arch->new_vcpu(world, index, e);
}

void vcpu_free(struct vcpu *v)
{
    if (v)
        v->world->arch->free(v);
}

void vcpu_power_on(struct vcpu *v, uint64_t entry, uint64_t argument)
{
    v->on = true;
    v->halted = false;
    v->repeats = false;
    v->wait = (struct vcpu_wait){.is_on = false};
    vcpu_send_event(v);
    v->reset_pending = true;
    v->reset_entry = entry;
    v->reset_argument = argument;
}

void vcpu_power_off(struct vcpu *v)
{
    v->on = false;
    engine_stop_soon(v->world->engine);
}

void vcpu_stop_timers(struct vcpu *v)
{
    v->world->arch->stop_timers(v);
}

static void reset_if_pending(struct vcpu *v)
{
    if (!v->reset_pending)
        return;
    v->reset_pending = false;
    v->world->arch->reset(v);
}

void vcpu_load(struct vcpu *v, struct vcpu *before)
{
    struct engine *e = v->world->engine;
    if (before && before->loaded && before != v) {
        before->world->arch->unload(before);
        engine_context_save(e, before->context);
        before->loaded = false;
        if (!before->wait.is_on)
            vcpu_send_event(before); /* others may send it one from here on */
    }
    if (!v->loaded) {
        engine_context_load(e, v->context);
        engine_use(e, &v->callbacks);
        v->world->arch->load(v, false);
        v->loaded = true;
        if (before && before != v && before->world == v->world && !v->reset_pending)
            engine_change_space(e);
        else
            engine_flush_tlb(e);
    }
    reset_if_pending(v);
}

bool vcpu_run(struct vcpu *v, struct engine_budget budget, enum engine_stop *why)
{
    return v->world->arch->run(v, budget, why);
}

void vcpu_loop_text(const struct vcpu *v, char *text, size_t size)
{
    v->world->arch->loop_text(v, text, size);
}

bool vcpu_loop_from(const struct vcpu *v, uint64_t *pc)
{
    return v->world->arch->loop_from(v, pc);
}

bool vcpu_waiting_text(const struct vcpu *v, const struct vcpu_registers *r, char *text,
                       size_t size)
{
    return v->world->arch->waiting_text(v, r, text, size);
}

void vcpu_timers_text(const struct vcpu *v, char *text, size_t size)
{
    v->world->arch->timers_text(v, text, size);
}

bool vcpu_is_parked(struct vcpu *v, const struct vcpu_registers *r)
{
    return v->world->arch->is_parked(v, r);
}

void vcpu_write_timer(struct vcpu *v, unsigned timer, unsigned reg, uint64_t value)
{
    v->world->arch->write_timer(v, timer, reg, value);
}

void vcpu_counters_due(struct vcpu *v, uint64_t tick)
{
    v->world->arch->counters_due(v, tick);
}

void vcpu_points_changed(struct vcpu *v)
{
    v->world->arch->translations_changed(v);
    v->world->arch->update_watch(v);
}

void vcpu_tables_changed(struct vcpu *v)
{
    v->world->arch->translations_changed(v);
}

/* Registers and state: of a vCPU that may not be in the engine ------------------------------------
 */

/* No instruction runs between the two loads, so nothing of the loaded vCPU changes. */
static bool borrow(struct vcpu *v, struct vcpu *loaded)
{
    struct engine *e = v->world->engine;
    if (v == loaded)
        return false;
    if (loaded)
        engine_context_save(e, loaded->context);
    engine_context_load(e, v->context);
    return true;
}

static void give_back(struct vcpu *loaded, bool borrowed)
{
    if (borrowed && loaded)
        engine_context_load(loaded->world->engine, loaded->context);
}

static const struct field common_fields[] = {
    FIELD(struct vcpu, on),
    FIELD(struct vcpu, halted),
    FIELD(struct vcpu, reset_pending),
    FIELD(struct vcpu, reset_entry),
    FIELD_AS(struct vcpu, reset_argument, "reset_x0"),
    FIELD_END,
};
static const struct field event_fields[] = {
    FIELD(struct vcpu, event.known_until), FIELD(struct vcpu, event.cleared_at),
    FIELD(struct vcpu, event.is_set),      FIELD(struct vcpu, event.is_quiet),
    FIELD(struct vcpu, wait.is_on),        FIELD_END,
};
static const struct field wait_fields[] = {
    FIELD(struct vcpu, wait.is_quiet),
    FIELD(struct vcpu, wait.until_ticks),
    FIELD_END,
};

unsigned vcpu_visit_signals(const struct arch *arch, struct state *s, unsigned signals)
{
    unsigned now = 0;
    for (unsigned i = 0; i < CPU_SIGNALS; i++)
        if (arch->signals[i].name)
            now |= (unsigned)state_bool(s, arch->signals[i].name, signals >> i & 1) << i;
    return now;
}

/* The same of what masks them. */
static unsigned visit_masked(const struct arch *arch, struct state *s, unsigned masked)
{
    unsigned now = 0;
    for (unsigned i = 0; i < CPU_SIGNALS; i++)
        if (arch->signals[i].mask)
            now |= (unsigned)state_bool(s, arch->signals[i].mask, masked >> i & 1) << i;
    return now;
}

void vcpu_visit_common(struct vcpu *v, struct state *s)
{
    state_fields(s, common_fields, v);
    v->signals = vcpu_visit_signals(v->world->arch, s, v->signals);
}

void vcpu_visit_event(struct vcpu *v, struct state *s)
{
    state_fields(s, event_fields, v);
    v->wait.masked = visit_masked(v->world->arch, s, v->wait.masked);
    state_fields(s, wait_fields, v);
}

void vcpu_visit(struct vcpu *v, struct vcpu *loaded, struct state *s)
{
    struct engine *e = v->world->engine;
    if (state_restores(s)) {
        v->loaded = false;
        engine_context_load(e, v->context);
        v->world->arch->visit(v, s);
        engine_context_save(e, v->context);
        return;
    }
    bool borrowed = borrow(v, loaded);
    v->world->arch->visit(v, s);
    give_back(loaded, borrowed);
}

void vcpu_resume(struct vcpu *v, bool in_engine)
{
    struct engine *e = v->world->engine;
    v->world->arch->resume(v);
    if (!in_engine)
        return;
    engine_context_load(e, v->context);
    engine_use(e, &v->callbacks);
    v->world->arch->load(v, true);
    v->loaded = true;
    engine_flush_tlb(e);
    v->world->arch->update_watch(v);
}

void vcpu_read_registers(struct vcpu *v, struct vcpu *loaded, struct vcpu_registers *r)
{
    *r = (struct vcpu_registers){.arch = v->world->arch};
    bool borrowed = borrow(v, loaded);
    v->world->arch->read_registers(v, r);
    give_back(loaded, borrowed);
}

bool vcpu_registers_are_possible(struct vcpu *v, struct vcpu *loaded,
                                 const struct vcpu_registers *r)
{
    struct vcpu_registers now;
    vcpu_read_registers(v, loaded, &now);
    return v->world->arch->registers_are_possible(v, &now, r);
}

void vcpu_write_registers(struct vcpu *v, struct vcpu *loaded, const struct vcpu_registers *r)
{
    struct engine *e = v->world->engine;
    struct vcpu_registers before;
    vcpu_read_registers(v, loaded, &before);
    bool borrowed = borrow(v, loaded);
    reset_if_pending(v);
    v->repeats = false;
    vcpu_send_event(v); /* what it waits for is another matter now */
    v->world->arch->write_registers(v, &before, r);
    if (borrowed)
        engine_context_save(e, v->context);
    give_back(loaded, borrowed);
    v->world->arch->translations_changed(v);
}

static bool is_called(const char *name, const char *wanted)
{
    return name && text_equals_in_any_case(name, wanted, strlen(wanted));
}

unsigned vcpu_register_find(const struct arch *arch, const char *name)
{
    unsigned i = 0;
    while (i < arch->register_count && !is_called(arch->registers[i].name, name) &&
           !is_called(arch->registers[i].alias, name))
        i++;
    return i;
}

bool vcpu_read_memory(struct vcpu *v, gva_t from, void *to, uint64_t size)
{
    return v->world->arch->read_memory(v, from, to, size);
}

bool vcpu_write_memory(struct vcpu *v, gva_t to, const void *from, uint64_t size)
{
    return v->world->arch->write_memory(v, to, from, size);
}
