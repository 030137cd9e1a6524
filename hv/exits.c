/* Guest exits: one table from reason to handler. The four access classes of the model: a guest's
 * own memory and pass-through never come here; a virtual device is asked; anything else is a fault,
 * for which `unsupported` says what happens. */
#include <inttypes.h>

#include "emu/text.h"
#include "hv/hv_internal.h"
#include "hv/exitlog/exit_log.h"

static const char *policy_subject(enum exit_reason reason)
{
    return reason == EXIT_MMIO_OPAQUE                                   ? "unsupported instruction"
           : reason == EXIT_REGISTER || reason == EXIT_REGISTER_UNKNOWN ? "unsupported register"
                                                                        : "unsupported reference";
}

/* Accesses that come to nothing -------------------------------------------------------------------
 */

/* Is it the first of its page? With a full table nobody knows, and that is said once. */
static bool is_first(struct vm *vm, gpa_t page)
{
    struct lost_accesses *l = &vm->lost;
    for (unsigned i = 0; i < l->page_count; i++)
        if (l->pages[i].v == page.v)
            return false;
    if (l->page_count < LOST_PAGES_MAX) {
        l->pages[l->page_count++] = page;
        return true;
    }
    if (!l->full)
        log_write(&vm->log, LOG_SEVERITY_WARN,
                  "no more pages are named where accesses come to nothing: those are only counted");
    l->full = true;
    return false;
}

static const char *consequence(const struct guest_exit *x, enum unsupported_action action)
{
    return action == UNSUPPORTED_ABORT  ? "the VM ends"
           : action == UNSUPPORTED_FAIL ? "the guest gets an abort"
           : x->is_write ? "it is ignored (unsupported reference fail makes it an abort)"
                         : "it reads as all ones (unsupported reference fail makes it an abort)";
}

static void note_lost(struct vm *vm, const struct vcpu *v, const struct guest_exit *x,
                      uint64_t *count, const char *what)
{
    ++*count;
    if (is_first(vm, gpa(x->gpa.v & ~PAGE_MASK)))
        log_write(&vm->log, LOG_SEVERITY_WARN,
                  "vCPU %u, PC %#" PRIx64 ": %s %s of %u %s at guest-physical %#" PRIx64
                  ": %s; further ones of this page are only counted",
                  v->index, x->pc.v, what, x->is_write ? "a write" : "a read", x->size,
                  text_plural(x->size, "byte", "bytes"), x->gpa.v,
                  consequence(x, vm->config->unsupported_reference));
}

/* `unsupported TYPE ACTION` for something nobody handles. */
static enum exit_result apply_policy(struct vm *vm, enum unsupported_action action,
                                     enum exit_result failure, struct guest_exit *x)
{
    x->handler = policy_subject(x->reason);
    switch (action) {
    case UNSUPPORTED_ABORT:
        vm_end(vm, STATUS_UNSUPPORTED,
               "%s: %s at PC %#" PRIx64 ", guest-physical %#" PRIx64 ", %s of %u %s", x->handler,
               arch_exit_name(vm->arch->cpu, x->reason), x->pc.v, x->gpa.v,
               x->is_write ? "write" : "read", x->size, text_plural(x->size, "byte", "bytes"));
        return EXIT_STOPPED;
    case UNSUPPORTED_FAIL:
        return failure;
    default:
        x->value = UINT64_MAX; /* reads of memory return all ones */
        return EXIT_DONE;
    }
}

static void note_asked(struct vm *vm, const struct vcpu *v, const struct guest_exit *x)
{
    struct asked_register *a = &vm->asked[v->index];
    if (x->is_write || a->at.v != x->gpa.v)
        *a = (struct asked_register){.at = x->gpa};
    a->last = engine_executed(vm->board->engine);
    a->times += !x->is_write;
}

/* The device at the address is asked, if there is one; a read's value is in x. */
static enum bus_answer ask_device(struct vm *vm, const struct vcpu *v, struct guest_exit *x)
{
    struct bus_access access = {
        .value = x->value,
        .size = x->size,
        .is_write = x->is_write,
        .vcpu = (uint8_t)v->index,
    };
    struct bus_region *region = bus_find(&vm->bus, x->gpa);
    note_asked(vm, v, x);
    x->handler = region ? region->vdev->name : NULL;
    if (vm->refuses && region && inject_refuses(vm, region->vdev))
        return BUS_REFUSED;
    enum bus_answer answer = bus_access_region(region, x->gpa, &access);
    if (answer == BUS_HANDLED)
        x->value = access.value;
    return answer;
}

static enum exit_result on_mmio(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    switch (ask_device(vm, v, x)) {
    case BUS_HANDLED:
        return vm->ended ? EXIT_STOPPED : EXIT_DONE;
    case BUS_REFUSED:
        return EXIT_ABORT;
    default:
        note_lost(vm, v, x, &vm->lost.unanswered,
                  x->handler ? "a device is there, and has no register for"
                             : "nothing is there for");
        return apply_policy(vm, vm->config->unsupported_reference, EXIT_ABORT, x);
    }
}

/* Registers of a device of the board that the VM has: no exit, as nobody decides anything. */
static enum exit_result on_pass(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    if (ask_device(vm, v, x) != BUS_HANDLED)
        return EXIT_ABORT;
    return vm->ended ? EXIT_STOPPED : EXIT_DONE;
}

/* A write to ROM, or whatever else the guest's tables forbid on mapped memory. */
static enum exit_result on_stage2(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    if (vm->arch->table_is_damaged(x)) { /* the hypervisor's own */
        vm_safe_state(vm,
                      "the %s table of guest-physical %#" PRIx64 " is damaged (%s %#" PRIx64 ")",
                      vm->tables->type->name, x->gpa.v, vm->arch->cpu->detail_names[EXIT_SYNDROME],
                      x->detail[EXIT_SYNDROME]);
        return EXIT_STOPPED;
    }
    note_lost(vm, v, x, &vm->lost.refused, "the guest's memory there does not permit");
    return apply_policy(vm, vm->config->unsupported_reference, EXIT_ABORT, x);
}

static enum exit_result on_opaque(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    (void)v;
    return apply_policy(vm, vm->config->unsupported_instruction, EXIT_UNDEFINED, x);
}

/* Instructions cannot be read as all ones: without `abort` the guest gets its exception. */
static enum exit_result on_fetch(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    if (vm->arch->table_is_damaged(x))
        return on_stage2(vm, v, x);
    if (vm->config->unsupported_reference == UNSUPPORTED_ABORT)
        return apply_policy(vm, UNSUPPORTED_ABORT, EXIT_ABORT, x);
    return EXIT_ABORT;
}

static enum exit_result on_unknown_sysreg(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    (void)v;
    char name[32];
    vm->arch->cpu->register_text(x->detail[EXIT_NUMBER], name, sizeof name);
    log_guest(&vm->log, "unknown system register %s at PC %#" PRIx64, name, x->pc.v);
    return apply_policy(vm, vm->config->unsupported_register, EXIT_UNDEFINED, x);
}

static enum exit_result on_sysreg(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    x->handler = vm->pic->v.name;
    bool handled = pic_cpu_register(vm->pic, v->index, (unsigned)x->detail[EXIT_NUMBER],
                                    x->is_write, &x->value);
    return handled ? EXIT_DONE : on_unknown_sysreg(vm, v, x);
}

static enum exit_result on_wfi(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    (void)vm;
    (void)v;
    x->handler = "schedule";
    return EXIT_DONE;
}

static enum exit_result (*const handlers[EXIT_REASONS])(struct vm *, struct vcpu *,
                                                        struct guest_exit *) = {
    [EXIT_MMIO] = on_mmio,
    [EXIT_MMIO_OPAQUE] = on_opaque,
    [EXIT_FETCH] = on_fetch,
    [EXIT_STAGE2] = on_stage2,
    [EXIT_HALT] = on_wfi,
    [EXIT_REGISTER] = on_sysreg,
    [EXIT_REGISTER_UNKNOWN] = on_unknown_sysreg,
    [EXIT_PASS] = on_pass,
};

static enum exit_result handle(struct vm *vm, struct vcpu *v, struct guest_exit *x)
{
    if (!vm->arch->cpu->exit_names[x->reason]) /* only a log of exits can say so */
        return EXIT_UNDEFINED;
    if (handlers[x->reason])
        return handlers[x->reason](vm, v, x);
    return vm->arch->exits[x->reason] ? vm->arch->exits[x->reason](vm, v, x) : EXIT_UNDEFINED;
}

enum exit_result exit_dispatch(void *context, struct vcpu *v, struct guest_exit *x)
{
    struct vm *vm = context;
    struct board *b = vm->board;
    struct sched_entity *turn = &b->schedule.turns[b->schedule.current];
    vm->exits[x->reason]++;
    vcpu_send_event(v); /* a device may write where its monitor is */
    /* Devices read the time: it must be that of this instruction, not of the run's start. */
    b->vtime.instructions = engine_executed(vm->world.engine);
    if (b->sinks.exit_begins)
        b->sinks.exit_begins(b->sinks.context);
    exit_log_exit(vm, v, x);
    enum exit_result result = handle(vm, v, x);
    if (run_next_due(b) < b->run_until || b->pause_wanted || b->snapshot_wanted)
        engine_stop_soon(vm->world.engine);
    exit_log_result(vm, v, x, result);
    if (b->sinks.exit_ends)
        b->sinks.exit_ends(b->sinks.context, vm, x);
    if (x->reason != EXIT_PASS && b->sinks.event) {
        event_exit(b, turn, x, result);
        if (x->reason != EXIT_HALT && result != EXIT_STOPPED)
            event_entry(b, turn, result == EXIT_DONE ? x->next_pc.v : engine_pc(vm->world.engine));
    }
    return result;
}
