/* Faults on purpose between devices and whom they serve: interrupts that are lost, late or come
 * twice, accesses that a device refuses. Which of them it is, is counted: that is state. */
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/config/config_text.h"
#include "hv/hv_internal.h"

#define AGAIN_TICKS 10000 /* how long the second interrupt of a pair is signalled */

/* What stands between devices and a line of the interrupt controller. */
struct injected_line {
    struct vm *vm;
    unsigned line;
    bool level;         /* the devices', */
    bool shown;         /* and what the controller gets */
    bool again;         /* shown once more, though the device has ended it */
    uint64_t raised;    /* so many times */
    struct event event; /* a late one comes, or a second one ends */
};

static bool is_of_line(const struct inject_config *inject)
{
    return inject->kind == INJECT_LOSE || inject->kind == INJECT_DELAY ||
           inject->kind == INJECT_DOUBLE;
}

static void show(struct injected_line *l, bool level)
{
    struct wire to = pic_wire(l->vm->pic, l->line);
    if (level == l->shown)
        return;
    l->shown = level;
    wire_set(&to, level);
}

static void tell(struct vm *vm, const struct inject_config *inject)
{
    struct bytes what = {0};
    config_text_inject(inject, &what);
    bytes_put_int(&what, 0, 1);
    log_write(&vm->log, LOG_SEVERITY_WARN, "fault on purpose: %s", (const char *)what.data);
    bytes_free(&what);
}

/* The fault of the interrupt that is signalled now, or was last. */
static const struct inject_config *fault_of(const struct injected_line *l)
{
    const struct vm_config *c = l->vm->config;
    for (size_t i = 0; i < c->inject_count; i++)
        if (is_of_line(&c->injects[i]) && c->injects[i].line == l->line &&
            c->injects[i].count == l->raised)
            return &c->injects[i];
    return NULL;
}

static void arm(struct injected_line *l, uint64_t ticks)
{
    struct board *b = l->vm->board;
    event_at(&b->events, &l->event, ticks == EVENT_NEVER ? ticks : vtime_ticks(&b->vtime) + ticks);
}

static void on_event(void *context, uint64_t due_ticks)
{
    struct injected_line *l = context;
    (void)due_ticks;
    l->again = false;
    show(l, l->level);
}

static void raise_line(struct injected_line *l)
{
    l->raised++;
    const struct inject_config *fault = fault_of(l);
    l->again = false;
    arm(l, EVENT_NEVER);
    if (fault)
        tell(l->vm, fault);
    if (fault && fault->kind == INJECT_DELAY)
        arm(l, vtime_scale(fault->length, l->vm->board->vtime.rate_hz, 1000000000) + 1);
    else if (!fault || fault->kind != INJECT_LOSE)
        show(l, true);
}

static void lower_line(struct injected_line *l)
{
    const struct inject_config *fault = fault_of(l);
    arm(l, EVENT_NEVER);
    show(l, false);
    if (!fault || fault->kind != INJECT_DOUBLE)
        return;
    l->again = true;
    show(l, true);
    arm(l, AGAIN_TICKS);
}

static void set_line(void *context, unsigned line, bool level)
{
    struct injected_line *l = context;
    (void)line;
    if (l->vm->injecting_is_muted || level == l->level)
        return;
    l->level = level;
    if (level)
        raise_line(l);
    else
        lower_line(l);
}

static struct injected_line *find_line(const struct vm *vm, unsigned line)
{
    for (size_t i = 0; i < vm->injected_line_count; i++)
        if (vm->injected_lines[i].line == line)
            return &vm->injected_lines[i];
    return NULL;
}

struct wire inject_wire(struct vm *vm, unsigned line)
{
    struct injected_line *l = find_line(vm, line);
    return l ? (struct wire){.set = set_line, .context = l, .line = line} : pic_wire(vm->pic, line);
}

bool inject_refuses(struct vm *vm, const struct vdev *v)
{
    const struct vm_config *c = vm->config;
    bool refuses = false;
    for (size_t i = 0; i < c->inject_count; i++) {
        const struct inject_config *inject = &c->injects[i];
        if (inject->kind != INJECT_REFUSE || strcmp(inject->name, v->name) != 0 ||
            ++vm->injected_counts[i] != inject->count)
            continue;
        tell(vm, inject);
        refuses = true;
    }
    return refuses;
}

void inject_make(struct vm *vm)
{
    const struct vm_config *c = vm->config;
    vm->injected_lines = calloc(c->inject_count + 1, sizeof *vm->injected_lines);
    vm->injected_counts = calloc(c->inject_count + 1, sizeof *vm->injected_counts);
    CHECK_ROOM(vm->injected_lines && vm->injected_counts);
    for (size_t i = 0; i < c->inject_count; i++) {
        vm->refuses |= c->injects[i].kind == INJECT_REFUSE;
        if (!is_of_line(&c->injects[i]) || find_line(vm, c->injects[i].line))
            continue;
        struct injected_line *l = &vm->injected_lines[vm->injected_line_count++];
        *l = (struct injected_line){.vm = vm, .line = c->injects[i].line};
        l->event = (struct event){.name = "interrupt on purpose", .fire = on_event, .context = l};
        event_add(&vm->board->events, &l->event);
    }
}

void inject_free(struct vm *vm)
{
    free(vm->injected_lines);
    free(vm->injected_counts);
}

/* The devices that drove them are gone. */
void inject_forget(struct vm *vm)
{
    for (size_t i = 0; i < vm->injected_line_count; i++) {
        struct injected_line *l = &vm->injected_lines[i];
        l->level = l->shown = l->again = false;
        arm(l, EVENT_NEVER);
    }
}

void inject_visit(struct vm *vm, struct state *s)
{
    const struct vm_config *c = vm->config;
    vm->injecting_is_muted = false;
    if (vm->injected_line_count || vm->refuses)
        state_part(s, "vm %s, faults on purpose", vm->name);
    for (size_t i = 0; i < vm->injected_line_count; i++) {
        struct injected_line *l = &vm->injected_lines[i];
        l->level = state_bool(s, "what devices signal", l->level);
        l->shown = state_bool(s, "what is signalled for them", l->shown);
        l->again = state_bool(s, "whether it is once more", l->again);
        l->raised = state_value(s, "interrupts so far", l->raised, 8);
        event_visit(&vm->board->events, &l->event, s, "when a late interrupt comes");
    }
    for (size_t i = 0; i < c->inject_count; i++)
        if (c->injects[i].kind == INJECT_REFUSE)
            vm->injected_counts[i] = state_value(s, "accesses so far", vm->injected_counts[i], 8);
}
