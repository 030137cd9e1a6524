/* Writes by instructions are found as a watchpoint finds them, moment by moment into the past: of
 * memory at its place on the board, so that other address spaces that have other memory at the same
 * virtual address cost nothing, and other addresses of the same memory are seen. Everything else, a
 * register or memory that a device writes, is found by its value: samples tell between which two it
 * changed last, steps between these tell which instruction it was. Whoever writes the value that is
 * there already is not seen by the second way. */
#include "qvm/gdb/gdb_why.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "emu/text.h"
#include "hv/explain/instruction.h"
#include "qvm/gdb/gdb_locate.h"
#include "hv/explain/inspect.h"
#include "qvm/gdb/gdb_registers.h"
#include "qvm/gdb/gdb_travel.h"
#include "qvm/ask/question.h"

#define VALUE_MAX    16
#define STEPPED      50000 /* instructions that are looked at one by one, the youngest ones */
#define SAMPLE_EVERY 1000  /* older ones, at least */

struct value {
    uint8_t bytes[VALUE_MAX];
};

struct search {
    struct gdb_board *g;
    struct timeline *timeline;
    uint64_t asked_at;    /* instruction */
    uint64_t searched_to; /* back to there */
    unsigned thread;
    const char *name; /* of the register */
    size_t size;      /* bytes of the value */
    /* A register of the thread's vCPU, by its id: */
    bool is_register;
    unsigned number;
    /* Else memory: */
    bool has_gva, has_place; /* `place` is memory */
    uint64_t gva;
    hpa_t place;
    /* Found: the next instruction after so many changes it. */
    bool found;
    bool by_cpu; /* it writes there, at the virtual address */
    uint64_t by_gva;
    bool by_entry; /* no instruction: an exception was taken at `at`, before the next one */
    uint64_t at;
    struct value before, after;
};

static struct sched_entity *turn_of(const struct search *s)
{
    return &s->g->board->schedule.turns[s->thread - 1];
}

static uint64_t now(const struct search *s)
{
    return s->g->board->vtime.instructions;
}

static struct value read_register(const struct search *s)
{
    struct vcpu *v = turn_of(s)->vcpu, *loaded = s->g->board->current;
    struct vcpu_registers r;
    struct value value = {0};
    vcpu_read_registers(v, loaded, &r);
    register_get(&r, s->number, value.bytes);
    return value;
}

static struct value read_value(const struct search *s)
{
    struct value value = {0};
    if (s->is_register)
        return read_register(s);
    const void *from =
        s->has_place ? memory_at(&s->g->board->memory, s->place, s->size, MEMORY_READ) : NULL;
    if (from)
        memcpy(value.bytes, from, s->size);
    return value;
}

static bool equal(const struct value *a, const struct value *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* By value ----------------------------------------------------------------------------------------
 */

/* The last change between two instructions, as far as looks every so many instructions see it. */
static bool last_change(struct search *s, uint64_t from, uint64_t until, uint64_t every)
{
    bool found = false;
    gdb_travel_use(s->g, NULL);
    timeline_seek(s->timeline, from);
    struct value before = read_value(s);
    for (uint64_t at = now(s); at < until; at = now(s)) {
        bool reached = timeline_run_to(s->timeline, until - at < every ? until : at + every);
        struct value after = read_value(s);
        if (!equal(&before, &after)) {
            found = true;
            s->at = at;
            s->before = before;
            s->after = after;
            before = after;
        }
        if (!reached)
            break;
    }
    return found;
}

/* How far apart the looks are: the older, the farther, and a thousand instructions at least. */
static uint64_t sample_distance(const struct search *s, uint64_t until)
{
    uint64_t distance = (s->asked_at - until) / 1000;
    return distance > SAMPLE_EVERY ? distance : SAMPLE_EVERY;
}

static bool last_change_exactly(struct search *s, uint64_t from, uint64_t until, uint64_t every)
{
    if (until - from <= STEPPED)
        return last_change(s, from, until, 1);
    if (!last_change(s, from, until, every))
        return false;
    uint64_t end = s->at + every < until ? s->at + every : until;
    return last_change_exactly(s, s->at, end, SAMPLE_EVERY);
}

/* Memory ------------------------------------------------------------------------------------------
 */

/* What is no memory is watched at its virtual address, which is this VM's. */
static void note_write(void *context, const struct points *points, uint64_t instructions)
{
    struct search *s = context;
    if (!s->has_place && turn_of(s)->vm->world.vcpus != points->vcpu->world->vcpus)
        return;
    s->by_cpu = true;
    s->by_gva = points->address;
    s->at = instructions;
}

/* The last write by an instruction, of whatever VM and by whatever virtual address. */
static bool last_write(struct search *s, uint64_t from, uint64_t until)
{
    struct points points = {.count = 1, .resume_at = UINT64_MAX, .met = note_write, .context = s};
    points.list[0] = (struct point){.kind = POINT_WRITE,
                                    .physical = s->has_place,
                                    .address = s->has_place ? s->place.v : s->gva,
                                    .size = s->size};
    s->by_cpu = false;
    if (!points_may_meet(&points, timeline_footprint(s->timeline, from)))
        return false;
    gdb_travel_use(s->g, NULL);
    timeline_seek(s->timeline, from);
    gdb_travel_use(s->g, &points);
    timeline_run_to(s->timeline, until);
    gdb_travel_use(s->g, NULL);
    return s->by_cpu;
}

/* Before and after the instruction that was found. */
static void read_both(struct search *s)
{
    timeline_seek(s->timeline, s->at);
    s->before = read_value(s);
    timeline_run_to(s->timeline, s->at + 1);
    s->after = read_value(s);
}

static bool search_memory(struct search *s, uint64_t from, uint64_t until,
                          const struct value *at_end)
{
    bool written = last_write(s, from, until);
    if (written) {
        read_both(s);
        if (!s->has_place || equal(&s->after, at_end))
            return true;
        from = s->at + 1; /* a device came later */
    } else if (s->has_place) {
        timeline_seek(s->timeline, from);
        struct value at_start = read_value(s);
        if (equal(&at_start, at_end))
            return false;
    }
    struct search other = *s;
    if (!s->has_place || !last_change_exactly(&other, from, until, sample_distance(s, until)))
        return written;
    *s = other;
    s->by_cpu = false;
    return true;
}

/* The search --------------------------------------------------------------------------------------
 */

static bool search_window(struct search *s, uint64_t from, uint64_t until, struct value *at_end)
{
    if (s->is_register)
        return last_change_exactly(s, from, until, sample_distance(s, until));
    if (search_memory(s, from, until, at_end))
        return true;
    timeline_seek(s->timeline, from);
    *at_end = read_value(s);
    return false;
}

/* Did the present value come behind the last instruction, when time passed or an exception was
 * taken? A count stands for what was before that. */
static bool is_by_entry(struct search *s, const struct value *at_end)
{
    gdb_travel_use(s->g, NULL);
    s->at = now(s);
    if (s->at == timeline_start(s->timeline))
        return false;
    timeline_seek(s->timeline, s->at - 1);
    timeline_seek(s->timeline, s->at);
    s->before = read_value(s);
    s->after = *at_end;
    return !equal(&s->before, at_end);
}

/* Registers change often: the first window is a short one. */
static void search_past(struct search *s)
{
    uint64_t start = timeline_start(s->timeline), until = now(s);
    struct value at_end = read_value(s);
    s->found = s->by_entry = is_by_entry(s, &at_end);
    while (!s->found && until > start && !s->g->is_interrupted) {
        uint64_t from = timeline_checkpoint_before(s->timeline, until);
        if (s->is_register && until == s->asked_at && until - from > STEPPED)
            from = until - STEPPED;
        s->found = search_window(s, from, until, &at_end);
        if (!s->g->is_interrupted)
            until = from;
    }
    s->searched_to = until;
}

/* The answer --------------------------------------------------------------------------------------
 */

static void put_name(const struct search *s, struct bytes *out)
{
    if (s->is_register)
        text_put(out, "%s", s->name);
    else
        text_put(out, "0x%" PRIx64 " (%zu %s)", s->gva, s->size,
                 text_plural(s->size, "byte", "bytes"));
}

static void put_value(const struct search *s, const struct value *value, struct bytes *out)
{
    text_put(out, "0x");
    for (size_t i = s->size; i-- > 0;)
        text_put(out, "%02x", value->bytes[i]);
}

static void put_both(const struct search *s, struct bytes *out)
{
    text_put(out, "  before ");
    put_value(s, &s->before, out);
    text_put(out, ", after ");
    put_value(s, &s->after, out);
    text_put(out, "\n");
}

struct last_exit {
    const char *handler; /* NULL: nobody, or there was none */
    uint64_t value;
};

static void note_exit(void *context, const struct board_event *event)
{
    struct last_exit *last = context;
    if (event->id == EVENT_GUEST_EXIT && event->exit)
        *last = (struct last_exit){event->exit->handler, event->exit->value};
}

/* The last guest exit of the instruction that was found. */
static struct last_exit find_exit(struct search *s)
{
    struct board *b = s->g->board;
    struct board_sinks sinks = b->sinks;
    struct last_exit last = {0};
    timeline_seek(s->timeline, s->at);
    b->sinks.event = note_exit;
    b->sinks.context = &last;
    timeline_run_to(s->timeline, s->at + 1);
    b->sinks = sinks;
    return last;
}

/* Memory, not at the virtual address that was asked about; or a register of a device. */
static void put_way(struct search *s, struct bytes *out)
{
    if (s->has_place && s->by_cpu) {
        text_put(out, "  by its virtual address 0x%" PRIx64 "\n", s->by_gva);
        return;
    }
    struct last_exit last = find_exit(s);
    if (!s->has_place)
        text_put(out, "  value 0x%" PRIx64 ", to %s\n", last.value,
                 last.handler ? last.handler : "nobody");
    else
        text_put(out, "  not by this instruction itself: by %s\n",
                 last.handler ? last.handler : "a device or the hypervisor, meanwhile");
}

static void put_found(struct search *s, struct bytes *out)
{
    struct board *b = s->g->board;
    struct vcpu_registers r;
    char text[INSTRUCTION_TEXT_SIZE];
    gdb_travel_use(s->g, NULL);
    /* Whose instruction it is, the count behind it tells; what it is, the one before it. */
    timeline_seek(s->timeline, s->at);
    timeline_run_to(s->timeline, s->at + 1);
    unsigned thread = s->is_register ? s->thread : gdb_travel_current_thread(s->g);
    const struct sched_entity *t = &b->schedule.turns[thread - 1];
    timeline_seek(s->timeline, s->at);
    vcpu_read_registers(t->vcpu, b->current, &r);
    instruction_text(t->vm, t->vcpu->index, vcpu_registers_pc(&r), text, sizeof text);
    put_name(s, out);
    if (s->by_entry) {
        text_put(out, " was last written behind instruction %" PRIu64 ", %s before %s\n", s->at,
                 s->is_register ? "when an exception was taken" : "by a device or the hypervisor",
                 text);
        put_both(s, out);
        return;
    }
    text_put(out, " was last written by instruction %" PRIu64 ": VM %s, vCPU %u, %s\n", s->at + 1,
             t->vm->name, t->vcpu->index, text);
    bool as_asked = s->by_cpu && s->has_gva && s->by_gva - s->gva < s->size;
    if (!s->is_register && (!as_asked || !s->has_place))
        put_way(s, out);
    if (timeline_next_fork(s->timeline, s->at + 1) == s->at + 1)
        text_put(out, "  or by the debugger, who wrote right behind this instruction\n");
    if (s->is_register || s->has_place)
        put_both(s, out);
    text_put(out, "  monitor seek %" PRIu64 " goes to it\n", s->at);
}

static void put_not_found(const struct search *s, const struct value *value, struct bytes *out)
{
    put_name(s, out);
    text_put(out, " was not written since instruction %" PRIu64, s->searched_to);
    if (s->g->is_interrupted) {
        text_put(out, ", which is how far the search came before it was interrupted\n");
        return;
    }
    if (s->is_register || s->has_place) {
        text_put(out, ": it holds ");
        put_value(s, value, out);
        text_put(out, ", as at the start");
    }
    text_put(out, "\n");
}

/* The question ------------------------------------------------------------------------------------
 */

static bool find_register(struct search *s)
{
    const struct arch *arch = s->g->board->vms[0]->arch->cpu;
    s->number = vcpu_register_find(arch, s->name + (*s->name == '$'));
    if (s->number == arch->register_count)
        return false;
    s->size = register_size(arch, s->number);
    return true;
}

/* ADDR[,LEN] */
static bool find_memory(struct search *s, enum gdb_space space, struct error *e)
{
    const struct board *b = s->g->board;
    const struct question_names names = {b->journal, turn_of(s)->vm->config, 1};
    char address[128];
    uint64_t size = 1;
    size_t length = strcspn(s->name, ",");
    if (length >= sizeof address)
        return error_set(e, "why wants ADDR[,LEN] or a register");
    memcpy(address, s->name, length);
    address[length] = 0;
    struct error none = {0};
    if (!question_address(&names, address, &s->gva, &size, "why", &none))
        return error_set(e,
                         "why wants ADDR[,LEN], a symbol of a loaded ELF file, or a register of "
                         "gdb's target description, not '%.64s'",
                         s->name);
    if (s->name[length] && !question_number(s->name + length + 1, &size, "why ADDR,", e))
        return false;
    if (size == 0 || size > VALUE_MAX || (s->gva & PAGE_MASK) + size > PAGE_SIZE)
        return error_set(e, "why wants 1 to %u bytes within one page", VALUE_MAX);
    s->size = (size_t)size;
    s->has_gva = space == GDB_VIRTUAL;
    s->has_place = gdb_locate(s->g, s->thread, space, s->gva, &s->place) &&
                   memory_at(&s->g->board->memory, s->place, s->size, MEMORY_READ);
    return s->has_gva || s->has_place || error_set(e, "there is no memory");
}

bool gdb_why(struct gdb_board *g, unsigned thread, enum gdb_space space, const char *what,
             struct bytes *out, struct error *e)
{
    struct search s = {.g = g,
                       .timeline = g->timeline,
                       .asked_at = g->board->vtime.instructions,
                       .thread = thread,
                       .name = what};
    if (!g->timeline)
        return error_set(e, "a run has no past to look at: record it, and qvm gdb TRACE");
    s.is_register = find_register(&s);
    if (!s.is_register && !find_memory(&s, space, e))
        return false;
    struct gdb_place place = gdb_travel_place(g);
    struct value value = read_value(&s);
    g->may_pause = true;
    search_past(&s);
    g->may_pause = false;
    if (s.found && !g->is_interrupted)
        put_found(&s, out);
    else
        put_not_found(&s, &value, out);
    gdb_travel_return(g, &place);
    return true;
}
