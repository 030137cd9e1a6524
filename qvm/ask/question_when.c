/* `qvm when TRACE --write ADDR[,LEN] | --exec ADDR | --exit REASON`: at which instructions of a
 * recording something happens. The counts are those of `qvm exits`: of the instruction itself, so
 * one less is where it is next. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu/points.h"
#include "emu/text.h"
#include "hv/explain/instruction.h"
#include "hv/explain/inspect.h"
#include "qvm/ask/exit_record.h"
#include "qvm/host/host.h"
#include "qvm/ask/patience.h"
#include "qvm/ask/question.h"
#include "qvm/ask/questions.h"

static const char usage[] = "qvm when TRACE --write ADDR[,LEN] [--at N] | --exec ADDR | "
                            "--exit REASON [--vm NAME] [--gpa] [--last]";

#define STATUS_NEVER 1 /* like grep's */
#define NOT_AT       UINT64_MAX

struct search {
    struct player *p;
    const char *write, *exec, *exit, *vm;
    uint64_t at; /* instruction: --write means the memory that is at the address then */
    bool gpa, last;
    struct point point; /* what was asked about */
    struct points points;
    struct patience patience;
    uint64_t exits, found;
    struct bytes line; /* of the last that was found */
    bool is_begun;     /* it may be replaced by one that says more of the same access: */
    bool is_met;
    uint64_t begun_at; /* instruction */
};

/* The line that was begun is complete: with --last the next one replaces it. */
static void finish_line(struct search *s)
{
    if (!s->is_begun)
        return;
    s->is_begun = false;
    text_put(&s->line, "\n");
    s->found++;
    if (s->last)
        return;
    host_print(s->line.data, s->line.size);
    bytes_clear(&s->line);
}

static void begin_line(struct search *s, uint64_t instruction, bool is_met)
{
    s->is_begun = true;
    s->is_met = is_met;
    s->begun_at = instruction;
}

static void put_place(struct search *s, uint64_t instruction, struct vm *vm, unsigned vcpu,
                      uint64_t pc)
{
    char text[INSTRUCTION_TEXT_SIZE];
    instruction_text(vm, vcpu, pc, text, sizeof text);
    bytes_clear(&s->line);
    text_put(&s->line, "insn=%" PRIu64 " vm=%s vcpu=%u %s", instruction, vm->name, vcpu, text);
}

/* Guest exits -------------------------------------------------------------------------------------
 */

/* Writes to devices are exits, whatever the kind of address that was asked for. */
static bool is_wanted(const struct search *s, const struct guest_exit *x, const char *name)
{
    if (s->exit)
        return strcmp(name, s->exit) == 0;
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
    const char *name = arch_exit_name(event->vm->arch->cpu, x->reason);
    if (!is_wanted(s, x, name) || (s->vm && strcmp(s->vm, event->vm->name) != 0))
        return;
    if (!s->is_met || s->begun_at != event->instructions)
        finish_line(s);
    put_place(s, event->instructions, event->vm->board->vms[event->vm->number], event->vcpu,
              x->pc.v);
    text_put(&s->line, " (exit %" PRIu64 ": %s", s->exits - 1, name);
    if (x->size)
        text_put(&s->line, " %s gpa 0x%" PRIx64 " value 0x%" PRIx64, x->is_write ? "write" : "read",
                 x->gpa.v, x->value);
    text_put(&s->line, " by %s)", x->handler ? x->handler : "nobody");
    begin_line(s, event->instructions, false);
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

/* Executions and writes ---------------------------------------------------------------------------
 */

static struct vm *vm_of(const struct board *b, const struct vcpu *v)
{
    size_t i = 0;
    while (b->vms[i]->vcpus[0]->world != v->world)
        i++;
    return b->vms[i];
}

/* If it turns out to be a guest exit, that has a line of its own, which says more. */
static void on_met(void *context, const struct points *points, uint64_t instructions)
{
    struct search *s = context;
    const struct vcpu *v = points->vcpu;
    if (s->is_begun && s->is_met && s->begun_at == instructions + 1) /* its other page */
        return;
    finish_line(s);
    put_place(s, instructions + 1, vm_of(s->p->board, v), v->index, engine_pc(v->world->engine));
    if (s->write)
        text_put(&s->line, " (gva 0x%" PRIx64 ")", points->address);
    begin_line(s, instructions + 1, true);
}

/* Of the VM that is asked about, or of all. */
static void use_points(struct search *s, const struct vm *only)
{
    struct board *b = s->p->board;
    s->points.resume_at = UINT64_MAX;
    s->points.met = on_met;
    s->points.context = s;
    for (size_t i = 0; i < b->vm_count; i++) {
        struct vm *vm = b->vms[i];
        vm->world.points = !only || vm == only ? &s->points : NULL;
        for (unsigned k = 0; k < vm->vcpu_count; k++)
            vcpu_points_changed(vm->vcpus[k]);
    }
    engine_flush_tlb(b->engine);
}

/* The places on the board of a range of guest addresses, as they are now, become the points. */
static bool find_places(struct search *s, struct vm *vm, struct error *e)
{
    struct board *b = s->p->board;
    const struct vcpu *v =
        b->current && b->current->world == &vm->world ? b->current : vm->vcpus[0];
    for (uint64_t done = 0, part; done < s->point.size; done += part) {
        uint64_t at = s->point.address + done, rest = PAGE_SIZE - (at & PAGE_MASK);
        hpa_t place;
        part = s->point.size - done < rest ? s->point.size - done : rest;
        bool found =
            s->gpa ? inspect_gpa(vm, gpa(at), &place) : inspect_place(vm, v, gva(at), &place);
        if (!found || !memory_at(&b->memory, place, part, MEMORY_READ))
            return error_set(e, "%s 0x%" PRIx64 " is no memory", s->gpa ? "gpa" : "gva", at);
        struct point point = {
            .kind = POINT_WRITE, .physical = true, .address = place.v, .size = part};
        if (!points_add(&s->points, point))
            return error_set(e, "--write wants at most %u pages", POINTS_MAX);
    }
    return true;
}

/* Of type board.wants_pause. */
static bool wants_pause(void *context)
{
    struct search *s = context;
    return patience_is_over(&s->patience, s->p->board->vtime.instructions);
}

static bool start(struct search *s, const struct board_sinks *sinks, struct error *e)
{
    if (!player_start(s->p, 0, sinks, e))
        return false;
    s->p->board->wants_pause = wants_pause;
    s->p->board->wants_pause_context = s;
    return true;
}

/* Where the address leads is asked of the machine at that instruction, or at the start. */
static bool locate(struct search *s, struct error *e)
{
    struct board_sinks none = {0};
    if (!(s->at == NOT_AT ? player_start(s->p, 0, &none, e)
                          : question_play_to(s->p, s->at, &none, e)))
        return false;
    struct vm *vm = question_vm(s->p->board, s->vm, e);
    return vm && find_places(s, vm, e);
}

static bool search_recording(struct search *s, struct error *e)
{
    bool physical = s->write && (s->at != NOT_AT || (s->gpa && in_ram(s->p, &s->point)));
    struct board_sinks sinks = {0};
    sinks.event = s->exec || physical ? NULL : on_event;
    sinks.context = s;
    patience_begin(&s->patience, "when");
    if ((physical && !locate(s, e)) || !start(s, &sinks, e))
        return false;
    struct vm *only = s->vm && !physical ? question_vm(s->p->board, s->vm, e) : NULL;
    if (s->vm && !physical && !only)
        return false;
    if (!physical && !s->exit && !s->gpa)
        points_add(&s->points, s->point);
    if (s->points.count)
        use_points(s, only);
    board_run_to(s->p->board, UINT64_MAX);
    finish_line(s);
    return true;
}

/* The question ------------------------------------------------------------------------------------
 */

static bool parse_exit(const char *reason, struct error *e)
{
    char names[256] = "";
    const char *name;
    for (unsigned i = 0; (name = vm_arches_exit_name(i)) != NULL; i++) {
        size_t used = strlen(names);
        if (strcmp(name, arch_exit_name(vm_arches[0]->cpu, EXIT_PASS)) == 0) /* no guest exit */
            continue;
        if (strcmp(name, reason) == 0)
            return true;
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", name);
    }
    return error_set(e, "--exit '%s' is none of %s", reason, names);
}

static bool parse_range(struct search *s, const char *text, struct error *e)
{
    const struct question_names names = {&s->p->journal, s->p->configs, s->p->vm_count};
    uint64_t size;
    char address[128];
    const char *comma = strchr(text, ',');
    size_t length = comma ? (size_t)(comma - text) : strlen(text);
    s->point.kind = s->write ? POINT_WRITE : POINT_EXECUTE;
    s->point.size = s->write ? 1 : 4;
    if (length >= sizeof address || (comma && !s->write))
        return error_set(e, "%s wants an address, not '%s'", s->write ? "--write" : "--exec", text);
    memcpy(address, text, length);
    address[length] = 0;
    if (!question_address(&names, address, &s->point.address, s->write ? &s->point.size : &size,
                          s->write ? "--write" : "--exec", e) ||
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
    if ((s->gpa || s->at != NOT_AT) && !s->write)
        return error_set(e, "%s is for --write", s->gpa ? "--gpa" : "--at");
    return !s->exit || parse_exit(s->exit, e);
}

static bool answer(struct search *s, struct error *e)
{
    if ((!s->exit && !parse_range(s, s->write ? s->write : s->exec, e)) || !search_recording(s, e))
        return false;
    if (s->last)
        host_print(s->line.data, s->line.size);
    host_flush();
    if (s->patience.is_over)
        error_set(e, "interrupted at instruction %" PRIu64, s->p->board->vtime.instructions);
    else if (s->found)
        return true;
    else
        error_set(e, "never");
    return error_exit_status(e, STATUS_NEVER);
}

bool question_when(char *const *words, int count, struct error *e)
{
    struct player p;
    struct search s = {.p = &p, .at = NOT_AT};
    const char *path;
    const struct question_option options[] = {
        {.name = "--write", .text = &s.write}, {.name = "--exec", .text = &s.exec},
        {.name = "--exit", .text = &s.exit},   {.name = "--at", .number = &s.at},
        {.name = "--vm", .text = &s.vm},       {.name = "--gpa", .flag = &s.gpa},
        {.name = "--last", .flag = &s.last},   {0},
    };
    if (!question_words(words, count, options, &path, 1, usage, e) || !parse(&s, e) ||
        !question_open(&p, path, e))
        return false;
    bool ok = answer(&s, e);
    bytes_free(&s.line);
    player_close(&p);
    return ok;
}
