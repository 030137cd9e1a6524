#include "qvm/ask/observed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/text.h"
#include "emu/json.h"
#include "hv/foreign/import_verdict.h"
#include "hv/exitlog/exit_log.h"
#include "qvm/ask/explain_print.h"
#include "qvm/host/host.h"
#include "qvm/ask/question.h"
#include "qvm/report.h"
#include "qvm/session.h"

#define AGREEING_SHOWN  10
#define DIFFERING_SHOWN 20

bool observed_is_in(const struct trace *t)
{
    return observed_stream_is(t->exits.data, t->exits.size);
}

static bool get_stream(const struct trace *t, struct observed_stream *s, struct error *e)
{
    return observed_stream_get(s, t->exits.data, t->exits.size) ||
           error_set(e, "the trace's imported exits are damaged");
}

/* Linux maps a guest's memory when it is first used: a fault there is none of the configuration. */
static bool maps_late(const struct trace *t)
{
    for (size_t i = 0; i < t->machine_count; i++)
        if (strcmp(t->machine[i].name, "imported-from") == 0)
            return strncmp(t->machine[i].text, "ftrace", 6) == 0;
    return false;
}

/* The model, without a guest: on the engine that executes nothing. */
struct model {
    struct exit_log exit_log;
    struct vm *vm;
    bool maps_late;
};

static bool model_open(struct model *m, struct player *p, struct error *e)
{
    static const uint8_t empty[] = {EXIT_LOG_VERSION};
    const struct board_sinks sinks = {0};
    *m = (struct model){.maps_late = maps_late(&p->trace)};
    exit_log_expect(&m->exit_log, EXIT_LOG_PLAYS, empty, sizeof empty, NULL, NULL);
    p->options.exit_log = &m->exit_log;
    if (!player_assemble(p, &sinks, e))
        return false;
    m->vm = p->board->vms[0];
    return true;
}

static void model_close(struct model *m)
{
    exit_log_free(&m->exit_log);
}

/* One exit ----------------------------------------------------------------------------------------
 */

static void put_time(const struct observed_exit *x, struct bytes *out)
{
    if (x->known & OBSERVED_TIME)
        text_put(out, " at %" PRIu64 ".%09" PRIu64 " s", x->ns / 1000000000, x->ns % 1000000000);
}

static void put_sentence(size_t number, const struct observed_exit *x,
                         const struct import_verdict *j, struct bytes *out)
{
    text_put(out, "exit %zu", number);
    put_time(x, out);
    text_put(out, ", vcpu %u: your board: ", x->vcpu);
    observed_text(x, out);
    text_put(out, "; the model: %s", j->model);
}

static void json_known(struct json *j, const struct observed_exit *x, enum observed_known bit,
                       const char *key, uint64_t value)
{
    if (x->known & (unsigned)bit)
        json_number(j, key, value);
}

static void put_observed_json(struct json *j, size_t number, const struct observed_exit *x)
{
    static const char *const kinds[] = {"", "trap", "interrupt", "x86"};
    json_number(j, "number", number);
    json_number(j, "line", x->line);
    json_string(j, "kind", kinds[x->kind]);
    json_string(j, "reason", *x->reason ? x->reason : NULL);
    json_number(j, "vcpu", x->vcpu);
    json_known(j, x, OBSERVED_TIME, "ns", x->ns);
    json_known(j, x, OBSERVED_PC, "pc", x->pc);
    const struct vm_arch *arch = observed_vm_arch(x);
    if (arch) {
        json_number(j, "class", observed_class(x));
        json_string(j, "class_name", arch->observed->class_text(observed_class(x)));
        json_number(j, "syndrome", x->syndrome);
        json_number(j, "syndrome_known", x->syndrome_known);
    }
    json_known(j, x, OBSERVED_GVA, "gva", x->gva);
    json_known(j, x, OBSERVED_IPA, "gpa", x->ipa);
    json_known(j, x, OBSERVED_ACCESS, "size", x->size);
    json_known(j, x, OBSERVED_ACCESS, "write", x->is_write);
    json_known(j, x, OBSERVED_VALUE, "value", x->value);
    json_known(j, x, OBSERVED_QUALIFICATION, "info1", x->info1);
    json_known(j, x, OBSERVED_QUALIFICATION, "info2", x->info2);
}

static void put_json(size_t number, const struct observed_exit *x,
                     const struct import_verdict *judged, struct bytes *out)
{
    struct json j = {.out = out};
    json_open(&j, NULL, '{');
    put_observed_json(&j, number, x);
    json_string(&j, "model", judged->model);
    if (judged->has_fault)
        json_number(&j, "model_syndrome", judged->model_syndrome);
    json_bool(&j, "judged", judged->is_judged);
    json_bool(&j, "agrees", judged->agrees);
    json_string(&j, "differs", judged->agrees ? NULL : judged->why);
    json_close(&j, '}');
    text_put(out, "\n");
}

/* Replaying ---------------------------------------------------------------------------------------
 */

struct counts {
    uint64_t agreeing, differing, not_judged;
    struct bytes first; /* the first difference; empty: there is none */
};

static void tell(struct counts *c, size_t number, const struct observed_exit *x,
                 const struct import_verdict *j, bool json)
{
    struct bytes out = {0};
    bool shown =
        json || (j->agrees ? c->agreeing < AGREEING_SHOWN : c->differing < DIFFERING_SHOWN);
    if (shown && json)
        put_json(number, x, j, &out);
    else if (shown && j->is_judged) {
        put_sentence(number, x, j, &out);
        text_put(&out, "%s%s\n", j->agrees ? "" : "; DIFFERENT: ", j->why);
    }
    host_print(out.data, out.size);
    bytes_free(&out);
    if (!j->agrees && !c->first.size) {
        put_sentence(number, x, j, &c->first);
        text_put(&c->first, ": %s", j->why);
    }
    c->agreeing += j->agrees && j->is_judged;
    c->differing += !j->agrees;
    c->not_judged += !j->is_judged;
}

static void tell_end(const struct counts *c)
{
    uint64_t all = c->agreeing + c->differing + c->not_judged;
    host_flush();
    fprintf(stderr,
            "qvm: %" PRIu64 " %s of your board: under this configuration the model gives the "
            "same for %" PRIu64 ", something else for %" PRIu64 "; %" PRIu64 " not judged\n",
            all, text_plural(all, "exit", "exits"), c->agreeing, c->differing, c->not_judged);
    if (c->first.size)
        fprintf(stderr, "qvm: first difference: %.*s\n", (int)c->first.size,
                (const char *)c->first.data);
}

int observed_replay(struct player *p, bool json)
{
    struct observed_stream s = {0};
    struct model m = {.vm = NULL};
    struct counts c = {.agreeing = 0};
    struct error e = {0};
    int status = STATUS_OK;
    if (!get_stream(&p->trace, &s, &e) || !model_open(&m, p, &e)) {
        status = report_error(&e, STATUS_USAGE);
    } else {
        for (size_t i = 0; i < s.count; i++) {
            struct import_verdict j;
            import_verdict(m.vm, &s.exits[i], m.maps_late, &j);
            tell(&c, i, &s.exits[i], &j, json);
            import_verdict_free(&j);
        }
        tell_end(&c);
        status = c.differing ? STATUS_DIVERGED : STATUS_OK;
    }
    model_close(&m);
    bytes_free(&c.first);
    observed_stream_free(&s);
    return status;
}

/* Explaining --------------------------------------------------------------------------------------
 */

static void put_syndrome(const struct observed_exit *x, struct bytes *out)
{
    const struct vm_arch *arch = observed_vm_arch(x);
    char text[400];
    if (!arch)
        return;
    text_put(out, "\n  %-10s 0x%08" PRIx32, arch->cpu->detail_names[EXIT_SYNDROME], x->syndrome);
    if (x->syndrome_known == OBSERVED_SYNDROME_ALL) {
        arch->syndrome_text(x->syndrome, text, sizeof text);
        text_put(out, ": %s", text);
    } else {
        text_put(out, ", of which only 0x%08" PRIx32 " are known", x->syndrome_known);
    }
}

static void explain(size_t number, const struct observed_exit *x, const struct import_verdict *j,
                    struct bytes *out)
{
    text_put(out, "exit %zu", number);
    put_time(x, out);
    text_put(out, ", vcpu %u, line %u of what was imported\n  your board ", x->vcpu, x->line);
    observed_text(x, out);
    put_syndrome(x, out);
    if (x->known & OBSERVED_VALUE)
        text_put(out, "\n  value      0x%" PRIx64, x->value);
    text_put(out, "\n  the model  %s\n  verdict    %s\n", j->model,
             !j->is_judged ? "not judged"
             : j->agrees   ? "the same"
                           : j->why);
    bytes_put(out, j->walk.data, j->walk.size);
}

bool observed_explain(struct player *p, uint64_t number, bool json, struct bytes *out,
                      struct error *e)
{
    struct observed_stream s = {0};
    struct model m = {.vm = NULL};
    bool ok = get_stream(&p->trace, &s, e) && model_open(&m, p, e);
    if (ok && number >= s.count)
        ok = error_set(e, "there %s %zu %s, from 0: none has number %" PRIu64,
                       text_plural(s.count, "is", "are"), s.count,
                       text_plural(s.count, "exit", "exits"), number);
    for (size_t i = 0; ok && i <= number; i++) {
        struct import_verdict j;
        import_verdict(m.vm, &s.exits[i], m.maps_late, &j);
        if (i == number && json)
            put_json(i, &s.exits[i], &j, out);
        else if (i == number)
            explain(i, &s.exits[i], &j, out);
        import_verdict_free(&j);
    }
    model_close(&m);
    observed_stream_free(&s);
    return ok;
}

/* Comparing ---------------------------------------------------------------------------------------
 */

static void on_event(void *context, const struct board_event *event)
{
    struct observed_stream *s = context;
    struct observed_exit x, *to;
    if (observed_of_event(event, &x) && event->vm->number == 0 && (to = observed_stream_add(s)))
        *to = x;
}

/* The exits of a trace, imported or played. */
static bool stream_of(struct player *p, struct observed_stream *s, struct error *e)
{
    struct board_sinks sinks = {0};
    if (observed_is_in(&p->trace))
        return get_stream(&p->trace, s, e);
    sinks.event = on_event;
    sinks.context = s;
    player_without_engine(p);
    if (!player_start(p, 0, &sinks, e))
        return false;
    board_run(p->board);
    return true;
}

/* The next exit of that vCPU that its guest caused; NULL: there is none. */
static const struct observed_exit *next_of(const struct observed_stream *s, unsigned vcpu,
                                           size_t *at)
{
    while (*at < s->count) {
        const struct observed_exit *x = &s->exits[(*at)++];
        if (x->vcpu == vcpu && x->kind != OBSERVED_INTERRUPT)
            return x;
    }
    return NULL;
}

struct first_difference {
    size_t number; /* of the exit in A, or of all there are */
    unsigned vcpu;
    const struct observed_exit *a, *b; /* one may be NULL: no more */
    const char *what;                  /* NULL: only one goes on */
    char values[80];
};

/* Each vCPU by itself: in which order they run is up to their host. */
static void compare_vcpu(const struct observed_stream s[2], unsigned vcpu,
                         struct first_difference *d)
{
    size_t at[2] = {0, 0};
    for (;;) {
        struct first_difference now = {.vcpu = vcpu};
        now.a = next_of(&s[0], vcpu, &at[0]);
        now.b = next_of(&s[1], vcpu, &at[1]);
        if (!now.a && !now.b)
            return;
        now.number = now.a ? at[0] - 1 : s[0].count;
        if (now.a && now.b)
            now.what = observed_differs(now.a, now.b, now.values, sizeof now.values);
        if (now.a && now.b && !now.what)
            continue;
        if ((!d->a && !d->b) || now.number < d->number)
            *d = now;
        return;
    }
}

static void put_side(const char *side, const struct observed_exit *x, struct bytes *out)
{
    text_put(out, "  %s: ", side);
    if (x)
        observed_text(x, out);
    else
        text_put(out, "no more exits");
    text_put(out, "\n");
}

static void put_first(const struct first_difference *d, struct bytes *out)
{
    text_put(out, "first difference: exit %zu of A, vcpu %u", d->number, d->vcpu);
    if (d->what)
        text_put(out, ": %s: %s", d->what, d->values);
    text_put(out, "\n");
    put_side("A", d->a, out);
    put_side("B", d->b, out);
}

bool observed_diff(struct player players[2], bool *differs, struct bytes *out, struct error *e)
{
    struct observed_stream s[2] = {{0}, {0}};
    struct first_difference d = {.a = NULL};
    bool ok = stream_of(&players[0], &s[0], e) && stream_of(&players[1], &s[1], e);
    if (ok) {
        for (unsigned vcpu = 0; vcpu < OBSERVED_VCPUS_MAX; vcpu++)
            compare_vcpu(s, vcpu, &d);
        *differs = d.a || d.b;
        if (*differs)
            put_first(&d, out);
        else
            text_put(out, "no difference: %zu %s in A, %zu in B, equal in what both know\n",
                     s[0].count, text_plural(s[0].count, "exit", "exits"), s[1].count);
    }
    observed_stream_free(&s[0]);
    observed_stream_free(&s[1]);
    return ok;
}
