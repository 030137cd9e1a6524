/* `qvm explain TRACE --at N --next`: the instruction that is next there is executed, and what comes
 * of it is told. So the model itself says which fault it is, whatever the reason: also one that no
 * address decides, such as its alignment. */
#include <inttypes.h>

#include "emu/json.h"
#include "emu/text.h"
#include "hv/explain/instruction.h"
#include "qvm/ask/explain_print.h"
#include "qvm/ask/question.h"

struct step {
    struct bytes exit; /* the guest exit it was; empty: none */
    bool watching, json;
};

/* As `qvm exits` counts them, this one included. */
static uint64_t number_of(const struct board *b)
{
    uint64_t exits = 0;
    for (size_t i = 0; i < b->vm_count; i++)
        exits += vm_exits(b->vms[i]);
    return exits - 1;
}

static void on_event(void *context, const struct board_event *event)
{
    struct step *s = context;
    if (s->watching && event->id == EVENT_GUEST_EXIT && event->exit && !s->exit.size)
        explain_exit_put(number_of(event->vm->board), event, NULL, s->json, &s->exit);
}

struct checkpoint {
    struct vm *vm;
    struct vcpu *v;
    struct vcpu_registers r;
};

/* Of the vCPU that is in the engine; before anything ran, of the first. */
static void look(struct board *b, const struct checkpoint *before, struct checkpoint *now)
{
    struct sched_entity *turn = &b->schedule.turns[b->current ? b->schedule.current : 0];
    now->vm = before ? before->vm : turn->vm;
    now->v = before ? before->v : turn->vcpu;
    vcpu_read_registers(now->v, b->current, &now->r);
}

static void put_text(const struct checkpoint *before, const struct checkpoint *after,
                     const char *code, uint64_t at, const struct step *s, struct bytes *out)
{
    const struct vm_arch *arch = before->vm->arch;
    text_put(out, "instruction %" PRIu64 ", vm %s, vcpu %u at %s%u\n  executed  %s\n", at + 1,
             before->vm->name, before->v->index, arch->level_name, arch->level(&before->r), code);
    if (s->exit.size)
        text_put(out, "%.*s", (int)s->exit.size, (const char *)s->exit.data);
    if (!arch->put_exception(&before->r, &after->r, out) && !s->exit.size)
        text_put(out, "  next PC   0x%" PRIx64 "\n", vcpu_registers_pc(&after->r));
}

static void put_json(const struct checkpoint *before, const struct checkpoint *after,
                     const char *code, uint64_t at, struct bytes *out)
{
    const struct vm_arch *arch = before->vm->arch;
    struct json j = {.out = out};
    json_open(&j, NULL, '{');
    json_number(&j, "insn", at + 1);
    json_string(&j, "vm", before->vm->name);
    json_number(&j, "vcpu", before->v->index);
    json_number(&j, arch->level_key, arch->level(&before->r));
    json_number(&j, "pc", vcpu_registers_pc(&before->r));
    json_string(&j, "instruction", code);
    arch->put_exception_json(&before->r, &after->r, &j);
    json_number(&j, "next_pc", vcpu_registers_pc(&after->r));
    json_close(&j, '}');
    text_put(out, "\n");
}

bool explain_next(struct player *p, uint64_t at, bool json, struct bytes *out, struct error *e)
{
    struct step s = {.json = json};
    struct board_sinks sinks = {0};
    char code[128];
    sinks.event = on_event;
    sinks.context = &s;
    if (!question_play_to(p, at, &sinks, e))
        return false;
    struct checkpoint before, after;
    look(p->board, NULL, &before);
    instruction_text(before.vm, before.v->index, vcpu_registers_pc(&before.r), code, sizeof code);
    s.watching = true;
    board_run_to(p->board, at + 1);
    look(p->board, &before, &after);
    if (p->board->vtime.instructions == at && p->trace.has_end && p->trace.end.instructions == at)
        text_put(out, "instruction %" PRIu64 ": the recording ends here: %s\n", at,
                 p->trace.end.sentence);
    else if (p->board->vtime.instructions == at)
        text_put(out, "instruction %" PRIu64 ": no vCPU runs any more\n", at);
    else if (json && s.exit.size)
        bytes_put(out, s.exit.data, s.exit.size);
    else if (json)
        put_json(&before, &after, code, at, out);
    else
        put_text(&before, &after, code, at, &s, out);
    bytes_free(&s.exit);
    return true;
}
