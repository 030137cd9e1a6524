#include <stdlib.h>

#include "cpu/footprint.h"
#include "emu/check.h"
#include "tests/toy/toy.h"

struct engine_context {
    uint64_t a, pc;
    unsigned sequence;
};

struct engine {
    struct engine_head head;
    struct memory *memory;
    const struct engine_callbacks *callbacks;
    uint64_t executed;
    bool stop_wanted, watches_all;
    const uint64_t *places;
    size_t place_count;
    struct code_set *code;
    struct engine_context now;
};

struct toy_instruction toy_decode(const uint8_t *bytes, size_t size)
{
    if (size >= 2 && bytes[0] == TOY_ADD)
        return (struct toy_instruction){TOY_ADD, 2, bytes[1]};
    if (size >= 3 && bytes[0] == TOY_IO)
        return (struct toy_instruction){TOY_IO, 3, bytes[1] | (unsigned)bytes[2] << 8};
    return (struct toy_instruction){TOY_WAIT, 1, 0};
}

/* Memory that the vCPU may use so; NULL: it has to see to it. */
static uint8_t *at(struct engine *e, uint64_t address, uint64_t size, enum access_kind kind)
{
    struct engine_page page;
    if ((address & PAGE_MASK) + size > PAGE_SIZE ||
        !e->callbacks->fill(e->callbacks->cpu, address & ~PAGE_MASK, kind, &page))
        return NULL;
    return memory_at(e->memory, hpa(page.hpa + (address & PAGE_MASK)), size,
                     kind == ACCESS_WRITE ? MEMORY_WRITE : MEMORY_READ);
}

static bool fetch(struct engine *e, struct toy_instruction *i)
{
    uint8_t bytes[3];
    size_t size = 0;
    while (size < sizeof bytes) {
        const uint8_t *byte = at(e, (e->now.pc + size) & TOY_ADDRESS, 1, ACCESS_FETCH);
        if (!byte)
            break;
        bytes[size++] = *byte;
    }
    *i = toy_decode(bytes, size);
    return size != 0;
}

static bool is_watched(const struct engine *e, const struct toy_instruction *i)
{
    bool has_place = false;
    for (size_t k = 0; k < e->place_count; k++)
        has_place |= e->places[k] == e->now.pc;
    return (e->watches_all || has_place) &&
           e->callbacks->watch(e->callbacks->cpu, e->now.pc, i->size) == 0;
}

/* False: the access is the vCPU's. */
static bool carry_out(struct engine *e, const struct toy_instruction *i)
{
    if (i->kind == TOY_ADD)
        e->now.a += i->argument;
    if (i->kind != TOY_IO)
        return true;
    bool loads = i->argument & TOY_LOADS;
    uint8_t *memory = at(e, i->argument & TOY_ADDRESS, 4, loads ? ACCESS_READ : ACCESS_WRITE);
    if (memory && loads)
        e->now.a = load_le(memory, 4);
    else if (memory)
        store_le(memory, e->now.a, 4);
    return memory != NULL;
}

/* Every instruction may be the last of a turn: there are no branches. */
static enum engine_stop run(struct engine *e, struct engine_budget budget)
{
    uint64_t from = e->executed;
    e->stop_wanted = false;
    for (;;) {
        uint64_t done = e->executed - from;
        struct toy_instruction i;
        if (done >= budget.turn)
            return ENGINE_TURN;
        if (done >= budget.exact)
            return ENGINE_BUDGET;
        if (done >= budget.soft || e->stop_wanted)
            return ENGINE_SOFT;
        if (e->code)
            code_set_add(e->code, e->now.pc, 3);
        bool is_there = fetch(e, &i);
        if (is_there && is_watched(e, &i))
            return ENGINE_SOFT;
        e->executed++;
        if (!is_there || !carry_out(e, &i))
            return ENGINE_FILL;
        e->now.pc = (e->now.pc + i.size) & TOY_ADDRESS;
        if (i.kind == TOY_WAIT)
            return ENGINE_HALT;
    }
}

static void use(struct engine *e, const struct engine_callbacks *callbacks)
{
    e->callbacks = callbacks;
}

static uint64_t executed(const struct engine *e)
{
    return e->executed;
}

static void stop_soon(struct engine *e)
{
    e->stop_wanted = true;
}

static void watch(struct engine *e, bool all, const uint64_t *places, size_t count)
{
    e->watches_all = all;
    e->places = places;
    e->place_count = count;
}

static void note_code(struct engine *e, struct code_set *to)
{
    e->code = to;
}

static void count_attempt(struct engine *e)
{
    e->executed++;
}

static void uncount_attempt(struct engine *e)
{
    e->executed--;
}

static void continue_at(struct engine *e, uint64_t pc)
{
    (void)e, (void)pc;
}

static void expect_exit(struct engine *e, uint64_t pc, unsigned n)
{
    (void)e, (void)pc, (void)n;
}

static unsigned sequence(struct engine *e)
{
    return e->now.sequence;
}

static void set_sequence(struct engine *e, unsigned value)
{
    e->now.sequence = value;
}

static void set_executed(struct engine *e, uint64_t instructions)
{
    e->executed = instructions;
}

static uint64_t pc(struct engine *e)
{
    return e->now.pc;
}

static void set_pc(struct engine *e, uint64_t value)
{
    e->now.pc = value & TOY_ADDRESS;
}

static uint64_t get(struct engine *e, unsigned id)
{
    CHECK(id < TOY_REGISTERS);
    return id == TOY_A ? e->now.a : e->now.pc;
}

static void set(struct engine *e, unsigned id, uint64_t value)
{
    CHECK(id < TOY_REGISTERS);
    if (id == TOY_A)
        e->now.a = value;
    else
        set_pc(e, value);
}

static bool set_checks(struct engine *e, unsigned checks)
{
    (void)e, (void)checks;
    return false;
}

/* It caches nothing. */
static void nothing(struct engine *e)
{
    (void)e;
}

static void drop_code(struct engine *e, hpa_t a, uint64_t size)
{
    (void)e, (void)a, (void)size;
}

static void store_begins(struct engine *e, hpa_t a, uint64_t size, bool alone)
{
    (void)e, (void)a, (void)size, (void)alone;
}

static struct engine_context *context_new(struct engine *e)
{
    struct engine_context *c = malloc(sizeof *c);
    CHECK_ROOM(c);
    *c = e->now;
    return c;
}

static void context_free(struct engine *e, struct engine_context *c)
{
    (void)e;
    free(c);
}

static void context_save(struct engine *e, struct engine_context *c)
{
    *c = e->now;
}

static void context_load(struct engine *e, struct engine_context *c)
{
    e->now = *c;
}

static void toy_free(struct engine *e)
{
    free(e);
}

static const struct engine_ops ops = {
    .free = toy_free,
    .use = use,
    .run = run,
    .executed = executed,
    .stop_soon = stop_soon,
    .watch = watch,
    .note_code = note_code,
    .count_attempt = count_attempt,
    .uncount_attempt = uncount_attempt,
    .continue_at = continue_at,
    .expect_exit = expect_exit,
    .sequence = sequence,
    .set_sequence = set_sequence,
    .set_executed = set_executed,
    .pc = pc,
    .set_pc = set_pc,
    .get = get,
    .set = set,
    .set_checks = set_checks,
    .flush_tlb = nothing,
    .change_space = nothing,
    .drop_code = drop_code,
    .flush_code_soon = nothing,
    .store_begins = store_begins,
    .store_ends = nothing,
    .tell_changes = nothing,
    .context_new = context_new,
    .context_free = context_free,
    .context_save = context_save,
    .context_load = context_load,
};

struct engine *toy_engine_new(const char *model, enum engine_pause pause, struct memory *memory,
                              struct error *e)
{
    struct engine *g = calloc(1, sizeof *g);
    (void)model, (void)pause, (void)e;
    CHECK_ROOM(g);
    g->head.ops = &ops;
    g->memory = memory;
    return g;
}
