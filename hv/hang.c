/* VMs that do not get on: which they are, and why, in words.
 *
 * A vCPU waits for an interrupt or an event, or it takes the same exception for ever. Of the latter
 * nothing but other vCPUs, devices that write memory, or a watchdog can make anything else; so what
 * is done about it is a function of the machine's state, as everything else is. */
#include <inttypes.h>
#include <string.h>

#include "emu/text.h"
#include "hv/hv_internal.h"
#include "hv/images/symbols.h"

static bool can_run(const struct sched_entity *t)
{
    return !t->vm->ended && vcpu_is_runnable(t->vcpu);
}

bool hang_nobody_gets_on(const struct board *b)
{
    for (size_t i = 0; i < b->schedule.turn_count; i++)
        if (can_run(&b->schedule.turns[i]) && !b->schedule.turns[i].vcpu->repeats)
            return false;
    return true;
}

void hang_try_again(struct board *b)
{
    for (size_t i = 0; i < b->schedule.turn_count; i++)
        b->schedule.turns[i].vcpu->repeats = false;
}

/* Words -------------------------------------------------------------------------------------------
 */

static void add_waiting(struct vm *vm, struct vcpu *v, char *text, size_t size)
{
    struct vcpu_registers r;
    char why[160];
    vcpu_read_registers(v, vm->board->current, &r);
    if (!vcpu_waiting_text(v, &r, text, size)) {
        pic_explain(vm->pic, v->index, why, sizeof why);
        text_add(text, size, "%s", why);
    }
    vcpu_timers_text(v, text, size);
}

/* How many programs end that have no other way. */
static bool is_parked(struct vm *vm, struct vcpu *v, uint64_t *pc)
{
    struct vcpu_registers r;
    if (v != vm->board->current || v->reset_pending)
        return false;
    vcpu_read_registers(v, v, &r);
    *pc = vcpu_registers_pc(&r);
    return vcpu_is_parked(v, &r);
}

/* False: it runs. */
static bool add_vcpu(struct vm *vm, struct vcpu *v, char *text, size_t size)
{
    uint64_t pc;
    bool runs = vcpu_is_runnable(v) && !v->repeats, parked = runs && is_parked(vm, v, &pc);
    if (!v->on || (runs && !parked))
        return !runs;
    text_add(text, size, "%svCPU %u ", *text ? "; " : "", v->index);
    if (parked)
        text_add(text, size, "branches to itself at PC %#" PRIx64 " with interrupts masked", pc);
    else if (v->repeats)
        vcpu_loop_text(v, text + strlen(text), size - strlen(text));
    else
        add_waiting(vm, v, text, size);
    return true;
}

/* Of each vCPU that does not get on why; false: some do. */
static bool explain(struct vm *vm, char *text, size_t size)
{
    bool all = true;
    *text = 0;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        all &= add_vcpu(vm, vm->vcpus[i], text, size);
    return all;
}

/* Ends --------------------------------------------------------------------------------------------
 */

static bool any_repeats(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (vm->vcpus[i]->on && vm->vcpus[i]->repeats)
            return true;
    return false;
}

static bool all_repeat(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (vm->vcpus[i]->on && !vm->vcpus[i]->repeats)
            return false;
    return true;
}

/* A watchdog is there for just this; and memory that others share may be changed by them. */
static bool may_be_helped(const struct vm *vm)
{
    for (size_t i = 0; i < vm->vdev_count; i++)
        if (vm->vdevs[i]->type->watches && vm->vdevs[i]->type->watches(vm->vdevs[i]))
            return true;
    return vm->board->shmem && vm->board->vm_count > 1;
}

void hang_note_repetition(struct vm *vm, struct vcpu *v)
{
    char text[sizeof vm->ending];
    if (vm->ended)
        return;
    if (all_repeat(vm) && !may_be_helped(vm)) {
        explain(vm, text, sizeof text);
        vm_end(vm, STATUS_UNEXPECTED, "%s", text);
        vm->was_stopped = true;
    } else if (!v->repetition_is_said) {
        v->repetition_is_said = true;
        vcpu_loop_text(v, text, sizeof text);
        log_write(&vm->log, LOG_SEVERITY_WARN, "vCPU %u %s", v->index, text);
    }
}

void hang_end_waiting(struct board *b)
{
    for (size_t i = 0; i < b->vm_count; i++) {
        struct vm *vm = b->vms[i];
        char text[sizeof vm->ending];
        if (vm->ended)
            continue;
        explain(vm, text, sizeof text);
        vm_end(vm, STATUS_UNEXPECTED, "%s: %s",
               any_repeats(vm) ? "no vCPU gets on" : "every vCPU waits and nothing will wake it",
               text);
        vm->was_stopped = true;
        vm->may_restart = false;
    }
}

static void add_whereabouts(struct vm *vm, struct vcpu *v, char *text, size_t size)
{
    struct vcpu_registers r;
    if (!v->on)
        return;
    vcpu_read_registers(v, vm->board->current, &r);
    text_add(text, size, ", vCPU %u %s PC %#" PRIx64, v->index,
             v->halted || v->wait.is_on ? "waiting before" : "at", vcpu_registers_pc(&r));
}

/* Of every vCPU that is on; an exit log does not know. */
static void say_where(struct vm *vm, char *text, size_t size)
{
    *text = 0;
    for (unsigned i = 0; i < vm->vcpu_count && !vm->world.plays_exit_log; i++)
        add_whereabouts(vm, vm->vcpus[i], text, size);
}

void hang_end_by_button(struct vm *vm, bool told)
{
    char text[sizeof vm->ending];
    say_where(vm, text, sizeof text);
    vm_end(vm, STATUS_OK, "terminated by the power button (SIGTERM, SIGINT): %s%s",
           told ? "the guest was told, and did not power off until it was pressed again"
                : "nothing here tells the guest of it",
           text);
    vm->was_stopped = true;
}

void hang_end_by_power_cut(struct vm *vm)
{
    char text[sizeof vm->ending];
    say_where(vm, text, sizeof text);
    vm_end(vm, STATUS_POWER_CUT, "power was cut%s", text);
    vm->was_stopped = true;
}

void hang_end_by_limit(struct board *b, const char *which)
{
    for (size_t i = 0; i < b->vm_count; i++) {
        struct vm *vm = b->vms[i];
        char text[sizeof vm->ending];
        if (vm->ended)
            continue;
        bool all = explain(vm, text, sizeof text);
        if (!all)
            say_where(vm, text, sizeof text);
        vm_end(vm, STATUS_LIMIT, "%s%s%s", which,
               !*text || !all           ? ""
               : any_repeats(vm)        ? ": "
               : hang_nobody_gets_on(b) ? " while every vCPU waits: "
                                        : ": ",
               text);
        vm->was_stopped = true;
        vm->may_restart = false;
    }
}

/* For people ------------------------------------------------------------------------------------
 */

#define ASKED_MANY   50      /* reads of one register: then they are what it does, */
#define ASKED_LATELY 1000000 /* if the last was so many instructions ago at most */

static void add_place(struct vm *vm, struct vcpu *v, char *text, size_t size)
{
    struct symbol s;
    struct vcpu_registers r;
    const struct asked_register *a = &vm->asked[v->index];
    const struct bus_region *asked = bus_find(&vm->bus, a->at);
    vcpu_read_registers(v, vm->board->current, &r);
    uint64_t pc = vcpu_registers_pc(&r);
    bool loops = vcpu_loop_from(v, &pc), is_named = symbol_find(vm, pc, &s);
    bool lately = vm->board->vtime.instructions - a->last <= ASKED_LATELY;
    bool asks = asked && a->times >= ASKED_MANY && lately && vcpu_is_runnable(v);
    if (!v->on || (!is_named && !asks))
        return;
    text_add(text, size, "%svCPU %u", *text ? "; " : "", v->index);
    if (is_named)
        text_add(text, size, " %s %s+%#" PRIx64, loops ? "came from" : "in", s.name, s.offset);
    if (asks)
        text_add(text, size, " reads %s at offset %#" PRIx64 " again and again", asked->vdev->name,
                 a->at.v - asked->base);
}

void vm_places_text(struct vm *vm, char *text, size_t size)
{
    *text = 0;
    for (unsigned i = 0; i < vm->vcpu_count && !vm->world.plays_exit_log; i++)
        add_place(vm, vm->vcpus[i], text, size);
}
