/* `qvm explain TRACE --exit N`: why a guest left to the hypervisor, and what came of it. */
#include <inttypes.h>
#include <string.h>

#include "emu/text.h"
#include "emu/json.h"
#include "hv/explain/instruction.h"
#include "hv/config/config_text.h"
#include "qvm/ask/exit_record.h"
#include "qvm/ask/explain_print.h"
#include "qvm/ask/question.h"

#define CHANGES_SHOWN 32

struct search {
    struct player *p;
    struct exit_changes before;
    uint64_t wanted, number;
    bool json, found;
    struct bytes *out;
};

static void put_outcome(const struct vm_arch *arch, enum exit_result result, struct bytes *out)
{
    switch (result) {
    case EXIT_DONE:
        text_put(out, "the instruction is complete, the guest goes on behind it");
        break;
    case EXIT_UNDEFINED:
    case EXIT_ABORT:
        text_put(out, "not executed: %s into the guest",
                 result == EXIT_ABORT ? arch->abort_name : arch->undefined_name);
        break;
    case EXIT_STOPPED:
        text_put(out, "the VM has ended");
        break;
    }
}

static void put_detail(const struct arch *arch, const struct guest_exit *x, enum exit_detail i,
                       struct bytes *out)
{
    if (x->detail[i] && arch->detail_names[i])
        text_put(out, "  %-9s 0x%" PRIx64 "\n", arch->detail_names[i], x->detail[i]);
}

static void put_access(const struct vm_arch *arch, const struct guest_exit *x, struct bytes *out)
{
    if (x->size)
        text_put(out, "  access    %s of %u %s, gva 0x%" PRIx64 ", gpa 0x%" PRIx64 "\n",
                 x->is_write ? "write" : "read", x->size, text_plural(x->size, "byte", "bytes"),
                 x->gva.v, x->gpa.v);
    if (x->detail[EXIT_NUMBER]) {
        char name[32];
        arch->cpu->register_text(x->detail[EXIT_NUMBER], name, sizeof name);
        text_put(out, "  access    %s of %s\n", x->is_write ? "write" : "read", name);
    }
    if (x->detail[EXIT_SYNDROME] && arch->cpu->detail_names[EXIT_SYNDROME]) {
        char text[400];
        arch->syndrome_text(x->detail[EXIT_SYNDROME], text, sizeof text);
        text_put(out, "  %-9s 0x%08" PRIx64 ": %s\n", arch->cpu->detail_names[EXIT_SYNDROME],
                 x->detail[EXIT_SYNDROME], text);
    }
    put_detail(arch->cpu, x, EXIT_ADDRESS, out);
    put_detail(arch->cpu, x, EXIT_MORE, out);
}

static const char *policy(const struct vm_config *c, enum exit_reason reason)
{
    return config_text_action(reason == EXIT_MMIO_OPAQUE ? c->unsupported_instruction
                              : reason == EXIT_REGISTER || reason == EXIT_REGISTER_UNKNOWN
                                  ? c->unsupported_register
                                  : c->unsupported_reference);
}

/* A device at the address may have refused the register: then the policy is named, and the device.
 */
static void put_decision(struct vm *vm, const struct guest_exit *x, struct bytes *out)
{
    const struct bus_region *region =
        x->reason == EXIT_MMIO || x->reason == EXIT_PASS ? bus_find(&vm->bus, x->gpa) : NULL;
    const char *handler = x->handler ? x->handler : "nobody";
    bool is_policy = x->handler && strncmp(x->handler, "unsupported ", 12) == 0;
    text_put(out, "  decided   ");
    if (is_policy)
        text_put(out, "by policy: %s %s", handler, policy(vm->config, x->reason));
    else if (region)
        text_put(out, "by vdev %s", handler);
    else
        text_put(out, "by %s", handler);
    if (region) {
        char name[64];
        vdev_register_name(region->vdev, region->index, x->gpa.v - region->base, name, sizeof name);
        text_put(out, "%s%s, %s", is_policy ? "; not by vdev " : "",
                 is_policy ? region->vdev->name : "", name);
    }
    text_put(out, "\n");
}

static void put_change(void *context, const char *what, uint64_t from, uint64_t to)
{
    text_put(context, "  changed   %s: 0x%" PRIx64 " to 0x%" PRIx64 "\n", what, from, to);
}

static void put_changes(const struct exit_changes *before, const struct board *b, struct bytes *out)
{
    size_t count = exit_changes_end(before, b, CHANGES_SHOWN, put_change, out);
    if (!count)
        text_put(out, "  changed   nothing in devices and interrupt lines\n");
    if (count > CHANGES_SHOWN)
        text_put(out, "  changed   and %zu more\n", count - CHANGES_SHOWN);
}

static void put_change_json(void *context, const char *what, uint64_t from, uint64_t to)
{
    struct json *j = context;
    json_open(j, NULL, '{');
    json_string(j, "what", what);
    json_number(j, "from", from);
    json_number(j, "to", to);
    json_close(j, '}');
}

static void put_exit(uint64_t number, const struct board_event *event,
                     const struct exit_changes *before, struct bytes *out)
{
    const struct guest_exit *x = event->exit;
    struct vm *vm = event->vm->board->vms[event->vm->number];
    char instruction[INSTRUCTION_TEXT_SIZE];
    instruction_text(vm, event->vcpu, x->pc.v, instruction, sizeof instruction);
    text_put(out, "exit %" PRIu64 " at instruction %" PRIu64 ", vm %s, vcpu %u\n  executed  %s\n",
             number, event->instructions, vm->name, event->vcpu, instruction);
    const char *why = vm->arch->exit_whys[x->reason];
    text_put(out, "  reason    %s: %s\n", arch_exit_name(vm->arch->cpu, x->reason),
             why ? why : "there are no such exits");
    put_access(vm->arch, x, out);
    put_decision(vm, x, out);
    if (x->size || x->detail[EXIT_NUMBER] || x->reason == EXIT_CALL || x->reason == EXIT_FIRMWARE)
        text_put(out, "  value     0x%" PRIx64 "\n", x->value);
    text_put(out, "  result    %s: ", exit_result_name(event->result));
    put_outcome(vm->arch, event->result, out);
    text_put(out, "\n");
    if (before)
        put_changes(before, vm->board, out);
}

static void put_exit_json(uint64_t number, const struct board_event *event,
                          const struct exit_changes *before, struct bytes *out)
{
    struct vm *vm = event->vm->board->vms[event->vm->number];
    struct exit_record r = {.reg = ""};
    struct json j = {.out = out};
    struct bytes outcome = {0};
    char text[400];
    exit_record_fill(&r, number, event);
    json_open(&j, NULL, '{');
    exit_record_json(&r, &j);
    instruction_text(vm, event->vcpu, event->exit->pc.v, text, sizeof text);
    json_string(&j, "instruction", text);
    json_string(&j, "why", vm->arch->exit_whys[event->exit->reason]);
    vm->arch->syndrome_text(event->exit->detail[EXIT_SYNDROME], text, sizeof text);
    json_string(&j, "syndrome_text", event->exit->detail[EXIT_SYNDROME] ? text : NULL);
    json_number(&j, vm->arch->address_key, event->exit->detail[EXIT_ADDRESS]);
    put_outcome(vm->arch, event->result, &outcome);
    json_bytes(&j, "outcome", outcome.data, outcome.size);
    bytes_free(&outcome);
    if (before) {
        json_open(&j, "changes", '[');
        exit_changes_end(before, vm->board, SIZE_MAX, put_change_json, &j);
        json_close(&j, ']');
    }
    json_close(&j, '}');
    text_put(out, "\n");
}

void explain_exit_put(uint64_t number, const struct board_event *event,
                      const struct exit_changes *before, bool json, struct bytes *out)
{
    if (json)
        put_exit_json(number, event, before, out);
    else
        put_exit(number, event, before, out);
}

static void on_exit_begins(void *context)
{
    struct search *s = context;
    if (s->number == s->wanted)
        exit_changes_begin(&s->before, s->p->board);
}

static void on_event(void *context, const struct board_event *event)
{
    struct search *s = context;
    if (s->found || event->id != EVENT_GUEST_EXIT || !event->exit)
        return;
    if (s->number == s->wanted) {
        s->found = true;
        s->p->board->pause_wanted = true;
        explain_exit_put(s->number, event, &s->before, s->json, s->out);
    }
    s->number++;
}

bool explain_exit(struct player *p, uint64_t number, bool json, struct bytes *out, struct error *e)
{
    struct search s = {.p = p, .wanted = number, .json = json, .out = out};
    struct board_sinks sinks = {0};
    sinks.event = on_event;
    sinks.exit_begins = on_exit_begins;
    sinks.context = &s;
    player_without_engine(p);
    if (!player_start(p, 0, &sinks, e))
        return false;
    board_run_to(p->board, UINT64_MAX);
    exit_changes_free(&s.before);
    return s.found ||
           error_set(e, "there %s %" PRIu64 " guest %s, from 0: none has number %" PRIu64,
                     text_plural(s.number, "is", "are"), s.number,
                     text_plural(s.number, "exit", "exits"), number);
}
