/* `qvm explain TRACE --at N ADDR`: how an access at instruction N is translated; `qvm explain TRACE
 * --exit N`: why a guest exit happened (explain_exit.c). */
#include <inttypes.h>
#include <string.h>

#include "emu/text.h"
#include "hv/explain/explain_stream.h"
#include "qvm/ask/explain_print.h"
#include "qvm/ask/question.h"
#include "qvm/ask/questions.h"
#include "qvm/ask/observed.h"

static const char usage[] =
    "qvm explain TRACE --at N ADDR [--vm NAME] [--vcpu I] [--gpa] [--read|--write|--fetch] "
    "[--json], or qvm explain TRACE --at N IOVA --stream DEVICE|SMMU:NUMBER [--substream N] [--vm "
    "NAME] [--read|--write] [--json], or qvm explain TRACE --at N --next [--json], or qvm explain "
    "TRACE --exit N [--json]";

struct request {
    uint64_t at, exit, vcpu; /* UINT64_MAX: not given */
    const char *vm, *stream;
    uint64_t substream; /* UINT64_MAX: none */
    bool gpa, read, write, fetch, next, json;
};

/* `alone`: in a snapshot without a recording there is one moment only. */
static bool check(const struct request *r, bool alone, struct error *e)
{
    if (r->at != UINT64_MAX && r->exit != UINT64_MAX)
        return error_set(e, "--at and --exit exclude each other");
    if (r->read + r->write + r->fetch > 1)
        return error_set(e, "--read, --write and --fetch exclude each other");
    if (r->stream && (r->gpa || r->fetch || r->next || r->vcpu != UINT64_MAX))
        return error_set(e, "--stream excludes --gpa, --fetch, --vcpu and --next");
    if (r->substream != UINT64_MAX && (!r->stream || r->substream >= DMA_NO_SUBSTREAM))
        return error_set(e, "--substream wants --stream, and 32 bits");
    if (r->next && r->exit != UINT64_MAX)
        return error_set(e, "--next and --exit exclude each other");
    if (r->exit != UINT64_MAX || alone)
        return true;
    if (r->at == UINT64_MAX)
        return error_set(e, "explain wants --at N ADDR or --exit N: %s", usage);
    return true;
}

static bool choose_vcpu(const struct request *r, struct board *b, struct vm **vm, struct vcpu **v,
                        struct error *e)
{
    *vm = question_vm(b, r->vm, e);
    if (!*vm)
        return false;
    uint64_t index = r->vcpu;
    if (index == UINT64_MAX) /* the one that runs, or else the first */
        index = b->current && (*vm)->vcpus[b->current->index] == b->current ? b->current->index : 0;
    if (index >= (*vm)->vcpu_count)
        return error_set(e, "VM '%s' has %u %s: there is no number %" PRIu64, (*vm)->name,
                         (*vm)->vcpu_count, text_plural((*vm)->vcpu_count, "vCPU", "vCPUs"),
                         r->vcpu);
    *v = (*vm)->vcpus[index];
    return true;
}

static bool explain_address(struct player *p, const struct request *r, const char *address,
                            struct bytes *out, struct error *e)
{
    struct board_sinks sinks = {0};
    struct vm *vm = NULL;
    struct vcpu *v = NULL;
    const struct question_names names = {&p->journal, p->configs, p->vm_count};
    uint64_t a, size;
    if (!question_address(&names, address, &a, &size, "ADDR", e) ||
        !question_play_to(p, r->at, &sinks, e) || !choose_vcpu(r, p->board, &vm, &v, e))
        return false;
    const struct explain_stream of_device = {.who = r->stream,
                                             .substream = (uint32_t)r->substream,
                                             .at = {a},
                                             .kind = r->write ? DMA_WRITE : DMA_READ,
                                             .json = r->json};
    if (r->stream)
        return explain_stream(vm, &of_device, out, e);
    const struct explain_question q = {
        .address = a,
        .is_gpa = r->gpa,
        .kind = r->fetch   ? ACCESS_FETCH
                : r->write ? ACCESS_WRITE
                           : ACCESS_READ,
    };
    vm->arch->explain(vm, v, &q, r->json, out);
    return true;
}

static bool answer(struct player *p, const struct request *r, const char *address,
                   struct bytes *out, struct error *e)
{
    if (r->next)
        return explain_next(p, r->at, r->json, out, e);
    if (r->exit == UINT64_MAX)
        return explain_address(p, r, address, out, e);
    return observed_is_in(&p->trace) ? observed_explain(p, r->exit, r->json, out, e)
                                     : explain_exit(p, r->exit, r->json, out, e);
}

bool question_explain(char *const *words, int count, struct error *e)
{
    struct request r = {
        .at = UINT64_MAX, .exit = UINT64_MAX, .vcpu = UINT64_MAX, .substream = UINT64_MAX};
    const struct question_option options[] = {
        {.name = "--at", .number = &r.at},
        {.name = "--exit", .number = &r.exit},
        {.name = "--vcpu", .number = &r.vcpu},
        {.name = "--vm", .text = &r.vm},
        {.name = "--stream", .text = &r.stream},
        {.name = "--substream", .number = &r.substream},
        {.name = "--gpa", .flag = &r.gpa},
        {.name = "--read", .flag = &r.read},
        {.name = "--write", .flag = &r.write},
        {.name = "--fetch", .flag = &r.fetch},
        {.name = "--json", .flag = &r.json},
        {.name = "--next", .flag = &r.next},
        {0},
    };
    const char *others[2];
    bool of_exit = false;
    for (int i = 0; i < count; i++)
        of_exit |= strcmp(words[i], "--exit") == 0 || strcmp(words[i], "--next") == 0;
    struct player p;
    struct bytes out = {0};
    if (!question_words(words, count, options, others, of_exit ? 1 : 2, usage, e) ||
        !question_open(&p, others[0], e))
        return false;
    p.alone_too = r.exit == UINT64_MAX; /* it holds no exits, and what comes may never end */
    if (player_is_alone(&p) && r.at == UINT64_MAX && r.exit == UINT64_MAX)
        r.at = player_snapshot(&p, UINT64_MAX)->instructions;
    bool ok = check(&r, player_is_alone(&p), e) && answer(&p, &r, others[1], &out, e) &&
              question_answer(&out, NULL, e);
    bytes_free(&out);
    player_close(&p);
    return ok;
}
