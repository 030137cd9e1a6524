/* `qvm explain TRACE --at N --next`: the instruction that is next there is executed, and what comes
 * of it is told. So the model itself says which fault it is, whatever the reason: also one that no
 * address decides, such as its alignment. */
#include <inttypes.h>
#include <string.h>

#include "cpu/arm64/arm64.h"
#include "cpu/arm64/syndrome.h"
#include "hv/config/config_json.h"
#include "hv/config/config_text.h"
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
    uint64_t pc, pstate, esr, far_el, elr, vbar;
};

static uint64_t sysreg(struct board *b, struct vcpu *v, const char *name)
{
    for (unsigned i = 0; vcpu_sysreg_name(i); i++)
        if (strcmp(vcpu_sysreg_name(i), name) == 0)
            return vcpu_read_sysreg(v, b->current, i);
    return 0;
}

/* Of the vCPU that is in the engine; before anything ran, of the first. */
static struct checkpoint look(struct board *b, struct checkpoint *before)
{
    struct sched_entity *turn = &b->schedule.turns[b->current ? b->schedule.current : 0];
    struct checkpoint m = {.vm = before ? before->vm : turn->vm,
                           .v = before ? before->v : turn->vcpu};
    struct vcpu_registers r;
    vcpu_read_registers(m.v, b->current, &r);
    m.pc = r.pc;
    m.pstate = r.pstate;
    m.esr = sysreg(b, m.v, "ESR_EL1");
    m.far_el = sysreg(b, m.v, "FAR_EL1");
    m.elr = sysreg(b, m.v, "ELR_EL1");
    m.vbar = sysreg(b, m.v, "VBAR_EL1");
    return m;
}

/* What comes behind a branch may be fetched with it, and that may be refused. */
static bool is_of_fetch(const struct checkpoint *after)
{
    unsigned ec = after->esr >> ESR_EC_SHIFT & 0x3f;
    return (ec == EC_INSN_ABORT || ec == EC_INSN_ABORT_LOWER || ec == EC_PC_ALIGNMENT) &&
           after->far_el == after->elr;
}

/* Offset of the vector it is at; false: no exception was taken. Arm ARM D1.3.1.5. */
static bool is_at_vector(const struct checkpoint *before, const struct checkpoint *after,
                         uint64_t *offset)
{
    *offset = after->pc - (after->vbar & ~(uint64_t)0x7ff);
    bool is_return = after->elr == before->pc || after->elr == before->pc + 4 ||
                     (is_of_fetch(after) && after->elr != before->elr);
    return *offset < 0x800 && (*offset & 0x7f) == 0 && is_return &&
           (after->pstate & PSTATE_EL) == PSTATE_EL1;
}

static void put_exception(const struct checkpoint *after, uint64_t offset, struct bytes *out)
{
    char text[400];
    bool is_sync = (offset & 0x180) == VECTOR_SYNC;
    text_put(out, "  exception at EL1, vector VBAR_EL1 + 0x%" PRIx64 "%s\n", offset,
             is_sync ? "" : ": an interrupt");
    if (is_sync) {
        syndrome_text((uint32_t)after->esr, text, sizeof text);
        text_put(out, "  ESR_EL1   0x%08" PRIx64 ": %s\n  FAR_EL1   0x%" PRIx64 "\n", after->esr,
                 text, after->far_el);
    }
    text_put(out, "  ELR_EL1   0x%" PRIx64 "\n", after->elr);
}

static void put_text(const struct checkpoint *before, const struct checkpoint *after,
                     const char *code, uint64_t at, const struct step *s, struct bytes *out)
{
    uint64_t offset;
    text_put(out, "instruction %" PRIu64 ", vm %s, vcpu %u at EL%u\n  executed  %s\n", at + 1,
             before->vm->name, before->v->index, (unsigned)(before->pstate >> 2 & 3), code);
    if (s->exit.size)
        text_put(out, "%.*s", (int)s->exit.size, (const char *)s->exit.data);
    else if (is_at_vector(before, after, &offset))
        put_exception(after, offset, out);
    else
        text_put(out, "  next PC   0x%" PRIx64 "\n", after->pc);
}

static void put_json(const struct checkpoint *before, const struct checkpoint *after,
                     const char *code, uint64_t at, struct bytes *out)
{
    struct json j = {.out = out};
    uint64_t offset;
    json_open(&j, NULL, '{');
    json_number(&j, "insn", at + 1);
    json_string(&j, "vm", before->vm->name);
    json_number(&j, "vcpu", before->v->index);
    json_number(&j, "el", before->pstate >> 2 & 3);
    json_number(&j, "pc", before->pc);
    json_string(&j, "instruction", code);
    if (is_at_vector(before, after, &offset)) {
        json_number(&j, "vector", offset);
        json_number(&j, "esr", after->esr);
        json_number(&j, "far", after->far_el);
        json_number(&j, "elr", after->elr);
    }
    json_number(&j, "next_pc", after->pc);
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
    struct checkpoint before = look(p->board, NULL);
    question_disassemble(before.vm, before.v->index, before.pc, code, sizeof code);
    s.watching = true;
    board_run_to(p->board, at + 1);
    struct checkpoint after = look(p->board, &before);
    if (p->board->vtime.instructions == at)
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
