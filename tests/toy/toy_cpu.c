#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "emu/check.h"
#include "emu/text.h"
#include "mmu/arm64/stage2.h"
#include "tests/toy/toy.h"

struct toy_vcpu {
    struct vcpu cpu; /* first */
    /* What `fill` refused. */
    enum fault_class fault;
    enum access_kind kind;
};

static struct toy_vcpu *toy_of(struct vcpu *v)
{
    return (struct toy_vcpu *)v;
}

/* Memory ------------------------------------------------------------------------------------------
 */

static bool translate(const struct vcpu *v, uint64_t page_va, enum access_kind kind,
                      struct guest_page *page, enum fault_class *fault)
{
    static const unsigned needed[] = {
        [ACCESS_READ] = PERMIT_R, [ACCESS_WRITE] = PERMIT_W, [ACCESS_FETCH] = PERMIT_X};
    bool found = guest_tables_find(v->world->tables, v->world->memory, gpa(page_va), page);
    *fault = !found                            ? FAULT_TRANSLATION
             : !(page->permits & needed[kind]) ? FAULT_PERMISSION
                                               : FAULT_NONE;
    return *fault == FAULT_NONE;
}

static bool fill(void *cpu, uint64_t page_va, enum access_kind kind, struct engine_page *page)
{
    struct toy_vcpu *v = cpu;
    struct guest_page found;
    v->kind = kind;
    if (!translate(&v->cpu, page_va, kind, &found, &v->fault))
        return false;
    *page = (struct engine_page){.hpa = found.page.v, .permits = found.permits};
    return true;
}

static bool copy(struct vcpu *v, uint64_t from, uint8_t *bytes, uint64_t size, bool writes)
{
    for (; size; from++, bytes++, size--) {
        struct guest_page page;
        enum fault_class fault;
        if (!translate(v, from & ~PAGE_MASK, writes ? ACCESS_WRITE : ACCESS_READ, &page, &fault))
            return false;
        uint8_t *host = memory_at(v->world->memory, hpa(page.page.v | (from & PAGE_MASK)), 1,
                                  writes ? MEMORY_WRITE : MEMORY_READ);
        if (!host)
            return false;
        *(writes ? host : bytes) = *(writes ? bytes : host);
    }
    return true;
}

static bool read_memory(struct vcpu *v, gva_t from, void *to, uint64_t size)
{
    return copy(v, from.v, to, size, false);
}

static bool write_memory(struct vcpu *v, gva_t to, const void *from, uint64_t size)
{
    return copy(v, to.v, (uint8_t *)(uintptr_t)from, size, true);
}

/* Running -----------------------------------------------------------------------------------------
 */

static uint64_t watch(void *cpu, uint64_t pc, unsigned size_bytes)
{
    const struct vcpu *v = cpu;
    return v->world->points ? points_may_run(v->world->points, pc, size_bytes, size_bytes,
                                             engine_executed(v->world->engine))
                            : UINT64_MAX;
}

static void update_watch(struct vcpu *v)
{
    const struct points *points = v->world->points;
    if (v->loaded)
        engine_watch(v->world->engine, false, points ? points->code : NULL,
                     points ? points->code_count : 0);
}

/* What the vCPU has to see to: a device, or nothing, where memory should be. */
static void exit_for_access(struct toy_vcpu *v)
{
    struct engine *e = v->cpu.world->engine;
    uint64_t pc = engine_pc(e);
    uint8_t bytes[3] = {0};
    bool is_fetch = v->kind == ACCESS_FETCH;
    if (!is_fetch)
        copy(&v->cpu, pc, bytes, sizeof bytes, false);
    struct toy_instruction i = toy_decode(bytes, sizeof bytes);
    uint64_t address = is_fetch ? pc : i.argument & TOY_ADDRESS;
    struct guest_exit x = {
        .reason = is_fetch                        ? EXIT_FETCH
                  : v->fault == FAULT_TRANSLATION ? EXIT_MMIO
                                                  : EXIT_STAGE2,
        .pc = gva(pc),
        .next_pc = gva(pc + i.size),
        .gva = gva(address),
        .gpa = gpa(address),
        .size = is_fetch ? 1 : 4,
        .is_write = v->kind == ACCESS_WRITE,
        .value = v->kind == ACCESS_WRITE ? (uint32_t)engine_get(e, TOY_A) : 0,
        .detail = {[EXIT_SYNDROME] = 0x100u + v->kind, [EXIT_MORE] = address},
    };
    if (v->cpu.world->exit(v->cpu.world->context, &v->cpu, &x) == EXIT_STOPPED)
        return;
    if (!is_fetch && !x.is_write)
        engine_set(e, TOY_A, (uint32_t)x.value);
    engine_set_pc(e, x.next_pc.v);
}

static bool run(struct vcpu *v, struct engine_budget budget, enum engine_stop *why)
{
    struct engine *e = v->world->engine;
    if (!vcpu_is_runnable(v))
        return false;
    v->halted = false;
    *why = ENGINE_SOFT;
    if (v->world->points && points_before(v->world->points, v, engine_pc(e), engine_executed(e)))
        return true;
    update_watch(v);
    *why = engine_run(e, budget);
    if (*why == ENGINE_FILL) {
        exit_for_access(toy_of(v));
    } else if (*why == ENGINE_HALT) {
        struct guest_exit x = {
            .reason = EXIT_HALT, .pc = gva(engine_pc(e) - 1), .next_pc = gva(engine_pc(e))};
        v->world->exit(v->world->context, v, &x);
        v->halted = true;
    }
    return true;
}

/* Life --------------------------------------------------------------------------------------------
 */

static void free_vcpu(struct vcpu *v)
{
    engine_context_free(v->world->engine, v->context);
    tlb_free(v->tlb);
    free(v);
}

static struct vcpu *new_vcpu(const struct vcpu_world *world, unsigned index, struct error *e)
{
    struct toy_vcpu *v = calloc(1, sizeof *v);
    (void)e;
    CHECK_ROOM(v);
    v->cpu.world = world;
    v->cpu.index = index;
    v->cpu.callbacks =
        (struct engine_callbacks){.fill = fill, .watch = watch, .event = &v->cpu.event, .cpu = v};
    v->cpu.tlb = tlb_new();
    CHECK_ROOM(v->cpu.tlb);
    v->cpu.context = engine_context_new(world->engine);
    return &v->cpu;
}

static void nothing(struct vcpu *v)
{
    (void)v;
}

static void load(struct vcpu *v, bool restored)
{
    (void)v, (void)restored;
}

static void reset(struct vcpu *v)
{
    engine_set(v->world->engine, TOY_A, v->reset_argument);
    engine_set_pc(v->world->engine, v->reset_entry);
}

static void visit(struct vcpu *v, struct state *s)
{
    struct engine *e = v->world->engine;
    vcpu_visit_common(v, s);
    uint64_t a = state_value(s, "A", engine_get(e, TOY_A), 8);
    uint64_t pc = state_up_to(s, "PC", engine_pc(e), 2, TOY_ADDRESS);
    uint64_t sequence = state_up_to(s, "how PC was reached", engine_sequence(e), 1, 3);
    if (!state_restores(s) || !state_is_good(s))
        return;
    engine_set(e, TOY_A, a);
    engine_set_pc(e, pc);
    engine_set_sequence(e, (unsigned)sequence);
}

/* For people --------------------------------------------------------------------------------------
 */

static void loop_text(const struct vcpu *v, char *text, size_t size)
{
    (void)v;
    text_add(text, size, "takes no exceptions");
}

static bool loop_from(const struct vcpu *v, uint64_t *pc)
{
    (void)v, (void)pc;
    return false;
}

static bool waiting_text(const struct vcpu *v, const struct vcpu_registers *r, char *text,
                         size_t size)
{
    (void)v;
    text_add(text, size, "waits at PC %#" PRIx64 ": ", r->value[TOY_PC][0] - 1);
    return false;
}

static void timers_text(const struct vcpu *v, char *text, size_t size)
{
    (void)v;
    text_add(text, size, ", it has no timers");
}

static bool is_parked(struct vcpu *v, const struct vcpu_registers *r)
{
    (void)v, (void)r;
    return false;
}

static void register_text(uint64_t number, char *text, size_t size)
{
    snprintf(text, size, "register %" PRIu64, number);
}

static void describe_registers(struct bytes *out)
{
    text_put(out, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                  "<target version=\"1.0\">\n<feature name=\"org.qvm.toy\">\n"
                  "<reg name=\"a\" bitsize=\"64\" type=\"uint64\"/>\n"
                  "<reg name=\"pc\" bitsize=\"64\" type=\"code_ptr\"/>\n"
                  "</feature>\n</target>\n");
}

static void read_registers(struct vcpu *v, struct vcpu_registers *r)
{
    bool is_new = v->reset_pending;
    r->value[TOY_A][0] = is_new ? v->reset_argument : engine_get(v->world->engine, TOY_A);
    r->value[TOY_PC][0] = is_new ? v->reset_entry : engine_pc(v->world->engine);
}

static void write_registers(struct vcpu *v, const struct vcpu_registers *before,
                            const struct vcpu_registers *r)
{
    (void)before;
    engine_set(v->world->engine, TOY_A, r->value[TOY_A][0]);
    engine_set_pc(v->world->engine, r->value[TOY_PC][0]);
}

static bool registers_are_possible(const struct vcpu *v, const struct vcpu_registers *before,
                                   const struct vcpu_registers *r)
{
    (void)v, (void)before;
    return r->value[TOY_PC][0] <= TOY_ADDRESS;
}

static void write_timer(struct vcpu *v, unsigned timer, unsigned reg, uint64_t value)
{
    (void)v, (void)timer, (void)reg, (void)value;
}

static void counters_due(struct vcpu *v, uint64_t tick)
{
    (void)v, (void)tick;
}

static const struct arch_register registers[TOY_REGISTERS] = {
    [TOY_A] = {"a", 64, REGISTER_GENERAL, NULL}, [TOY_PC] = {"pc", 64, REGISTER_GENERAL, NULL}};
static const struct arch_model models[] = {{"toy", 32}, {NULL, 0}};

const struct arch arch_toy = {
    .name = "toy",
    .registers = registers,
    .register_count = TOY_REGISTERS,
    .pc = TOY_PC,
    .sp = TOY_A,
    .exception_registers = {NULL},
    .instruction_most = 3,
    .exit_names = {[EXIT_MMIO] = "io",
                   [EXIT_FETCH] = "fetch",
                   [EXIT_STAGE2] = "forbidden",
                   [EXIT_HALT] = "wait"},
    .detail_names = {[EXIT_SYNDROME] = "WHY", [EXIT_MORE] = "WHERE"},
    .register_text = register_text,
    .describe_registers = describe_registers,
    .tables = &stage2_tables, /* their format is nobody's business but their own */
    .models = models,
    .new_engine = toy_engine_new,
    .new_vcpu = new_vcpu,
    .free = free_vcpu,
    .stop_timers = nothing,
    .reset = reset,
    .load = load,
    .unload = nothing,
    .run = run,
    .loop_text = loop_text,
    .loop_from = loop_from,
    .waiting_text = waiting_text,
    .timers_text = timers_text,
    .is_parked = is_parked,
    .update_watch = update_watch,
    .translations_changed = nothing,
    .visit = visit,
    .resume = nothing,
    .read_registers = read_registers,
    .write_registers = write_registers,
    .registers_are_possible = registers_are_possible,
    .write_timer = write_timer,
    .counters_due = counters_due,
    .read_memory = read_memory,
    .write_memory = write_memory,
};
