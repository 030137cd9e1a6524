/* `qvm when TRACE --write ADDR[,LEN] | --exec ADDR | --exit REASON`: at which instructions of a
 * recording something happens. The counts are those of `qvm exits`: of the instruction itself, so
 * one less is where it is next. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu/points.h"
#include "hv/config_text.h"
#include "qvm/exit_record.h"
#include "qvm/host.h"
#include "qvm/question.h"
#include "qvm/questions.h"

static const char usage[] = "qvm when TRACE --write ADDR[,LEN] | --exec ADDR | --exit REASON "
                            "[--vm NAME] [--gpa] [--last]";

#define STATUS_NEVER 1 /* like grep's */

struct search {
    struct player *p;
    const char *write, *exec, *exit, *vm;
    bool gpa, last;
    struct point point;
    struct points points;
    uint64_t exits, found;
    struct bytes line; /* of the last that was found */
};

/* A line is complete: with --last the next one replaces it. */
static void finish_line(struct search *s)
{
    text_put(&s->line, "\n");
    s->found++;
    if (s->last)
        return;
    host_print(s->line.data, s->line.size);
    bytes_clear(&s->line);
}

static void put_place(struct search *s, uint64_t instruction, struct vm *vm, unsigned vcpu,
                      uint64_t pc)
{
    char text[QUESTION_INSTRUCTION];
    question_disassemble(vm, vcpu, pc, text, sizeof text);
    bytes_clear(&s->line);
    text_put(&s->line, "insn=%" PRIu64 " vm=%s vcpu=%u %s", instruction, vm->name, vcpu, text);
}

/* Guest exits -------------------------------------------------------------------------------------
 */

/* Writes to devices are exits, whatever the kind of address that was asked for. */
static bool is_wanted(const struct search *s, const struct guest_exit *x)
{
    if (s->exit)
        return strcmp(exit_reason_name(x->reason), s->exit) == 0;
    uint64_t at = s->gpa ? x->gpa.v : x->gva.v;
    bool touches = s->point.address - at < x->size || at - s->point.address < s->point.size;
    return s->write && x->is_write && x->size && touches;
}

static void on_event(void *context, const struct board_event *event)
{
    struct search *s = context;
    const struct guest_exit *x = event->exit;
    if (event->id != EVENT_GUEST_EXIT || !x)
        return;
    s->exits++;
    if (!is_wanted(s, x) || (s->vm && strcmp(s->vm, event->vm->name) != 0))
        return;
    put_place(s, event->instructions, event->vm->board->vms[event->vm->number], event->vcpu,
              x->pc.v);
    text_put(&s->line, " (exit %" PRIu64 ": %s", s->exits - 1, exit_reason_name(x->reason));
    if (x->size)
        text_put(&s->line, " %s gpa 0x%" PRIx64 " value 0x%" PRIx64, x->is_write ? "write" : "read",
                 x->gpa.v, x->value);
    text_put(&s->line, " by %s)", x->handler ? x->handler : "nobody");
    finish_line(s);
}

/* Executions and writes ---------------------------------------------------------------------------
 */

/* The line for a point that was met; false: none. */
static bool describe_hit(struct search *s)
{
    const struct vcpu *v = s->points.vcpu;
    struct board *b = s->p->board;
    struct vm *vm = NULL;
    struct vcpu_registers r;
    for (size_t i = 0; i < b->vm_count; i++)
        if (v->index < b->vms[i]->vcpu_count && b->vms[i]->vcpus[v->index] == v)
            vm = b->vms[i];
    if (!vm)
        return false;
    vcpu_read_registers(vm->vcpus[v->index], b->current, &r);
    put_place(s, b->vtime.instructions + 1, vm, v->index, r.pc);
    if (s->write)
        text_put(&s->line, " (gva 0x%" PRIx64 ")", s->points.address);
    return true;
}

/* Of the VM that is asked about, or of all. */
static void use_points(struct search *s, const struct vm *only, bool on)
{
    struct board *b = s->p->board;
    for (size_t i = 0; i < b->vm_count; i++) {
        struct vm *vm = b->vms[i];
        vm->world.points = on && (!only || vm == only) ? &s->points : NULL;
        for (unsigned k = 0; k < vm->vcpu_count; k++)
            vcpu_points_changed(vm->vcpus[k]);
    }
    engine_flush_tlb(b->engine);
}

/* A point stops the board before its instruction, which is then made without points; if it turns
 * out to be a guest exit, that has its own line, which says more. */
static void search_from_start(struct search *s, const struct vm *only)
{
    struct board *b = s->p->board;
    points_add(&s->points, s->point);
    s->points.resume_at = UINT64_MAX;
    for (bool ended = false; !ended;) {
        points_clear_hit(&s->points);
        use_points(s, only, true);
        ended = board_run_to(b, UINT64_MAX) || !s->points.is_hit;
        uint64_t found = s->found;
        bool hit = s->points.is_hit && describe_hit(s);
        use_points(s, only, false);
        ended = ended || board_run_to(b, b->vtime.instructions + 1);
        if (hit && s->found == found)
            finish_line(s);
    }
}

static bool search_recording(struct search *s, struct error *e)
{
    struct board_sinks sinks = {0};
    sinks.event = s->exec ? NULL : on_event;
    sinks.context = s;
    if (!player_start(s->p, 0, &sinks, e))
        return false;
    struct vm *only = s->vm ? question_vm(s->p->board, s->vm, e) : NULL;
    if (s->vm && !only)
        return false;
    if (s->exit || s->gpa)
        board_run(s->p->board);
    else
        search_from_start(s, only);
    return true;
}

/* The question ------------------------------------------------------------------------------------
 */

static bool parse_exit(const char *reason, struct error *e)
{
    char names[256] = "";
    for (unsigned i = 0; i < EXIT_REASONS; i++) {
        const char *name = exit_reason_name(i);
        size_t used = strlen(names);
        if (i == EXIT_PASS) /* no guest exit */
            continue;
        if (strcmp(name, reason) == 0)
            return true;
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", name);
    }
    return error_set(e, "--exit '%s' is none of %s", reason, names);
}

static bool parse_range(struct search *s, const char *text, struct error *e)
{
    char address[32];
    const char *comma = strchr(text, ',');
    size_t length = comma ? (size_t)(comma - text) : strlen(text);
    s->point.kind = s->write ? POINT_WRITE : POINT_EXECUTE;
    s->point.size = s->write ? 1 : 4;
    if (length >= sizeof address || (comma && !s->write))
        return error_set(e, "%s wants an address, not '%s'", s->write ? "--write" : "--exec", text);
    memcpy(address, text, length);
    address[length] = 0;
    if (!question_number(address, &s->point.address, s->write ? "--write" : "--exec", e) ||
        (comma && !question_number(comma + 1, &s->point.size, "--write ADDR,", e)))
        return false;
    if (!s->point.size || s->point.size - 1 > UINT64_MAX - s->point.address)
        return error_set(e, "--write '%s' is no range of addresses", text);
    return true;
}

static bool parse(struct search *s, struct error *e)
{
    if ((s->write != NULL) + (s->exec != NULL) + (s->exit != NULL) != 1)
        return error_set(e, "when wants one of --write, --exec and --exit: %s", usage);
    if (s->gpa && !s->write)
        return error_set(e, "--gpa is for --write");
    if (s->exit)
        return parse_exit(s->exit, e);
    return parse_range(s, s->write ? s->write : s->exec, e);
}

static bool in_ram(const struct player *p, const struct point *point)
{
    for (size_t i = 0; i < p->vm_count; i++)
        for (size_t k = 0; k < p->configs[i].ram_count; k++) {
            const struct ram_config *ram = &p->configs[i].rams[k];
            if (point->address - ram->start < ram->length)
                return true;
        }
    return false;
}

static bool answer(struct search *s, struct error *e)
{
    if (s->gpa && in_ram(s->p, &s->point))
        return error_set(e,
                         "gpa 0x%" PRIx64 " is memory, to which no write exits: --write without "
                         "--gpa finds those to a virtual address",
                         s->point.address);
    if (!search_recording(s, e))
        return false;
    if (s->last)
        host_print(s->line.data, s->line.size);
    host_flush();
    if (s->found)
        return true;
    error_set(e, "never");
    return error_exit_status(e, STATUS_NEVER);
}

bool question_when(char *const *words, int count, struct error *e)
{
    struct player p;
    struct search s = {.p = &p};
    const char *path;
    const struct question_option options[] = {
        {.name = "--write", .text = &s.write},
        {.name = "--exec", .text = &s.exec},
        {.name = "--exit", .text = &s.exit},
        {.name = "--vm", .text = &s.vm},
        {.name = "--gpa", .flag = &s.gpa},
        {.name = "--last", .flag = &s.last},
        {0},
    };
    if (!question_words(words, count, options, &path, 1, usage, e) || !parse(&s, e) ||
        !question_open(&p, path, e))
        return false;
    bool ok = answer(&s, e);
    bytes_free(&s.line);
    player_close(&p);
    return ok;
}
