#include "hv/exitlog/exit_log.h"

#include <stdio.h>
#include <string.h>

/* The exit log -------------------------------------------------------------------------------- */

struct vcpu *exit_log_vcpu(const struct exit_log *s)
{
    const struct board *b = s->board;
    const struct vm *vm = s->head.vm < b->vm_count ? b->vms[s->head.vm] : NULL;
    return vm && s->head.vcpu < vm->vcpu_count ? vm->vcpus[s->head.vcpu] : NULL;
}

void exit_log_arm(struct exit_log *s)
{
    if (!s->board || s->mode != EXIT_LOG_PLAYS || !s->has_head || s->head.kind != EXIT_LOG_PMU_DUE)
        return;
    struct vcpu *v = exit_log_vcpu(s);
    if (v)
        vcpu_counters_due(v, s->head.pmu_due.tick);
}

static void advance(struct exit_log *s)
{
    s->has_head = exit_log_entry_get(&s->in, s->version, s->in_last, &s->head);
    if (s->has_head)
        s->in_last = s->head.instructions;
    exit_log_arm(s);
}

void exit_log_write(struct exit_log *s)
{
    *s = (struct exit_log){.mode = EXIT_LOG_WRITES};
    bytes_put_int(&s->out, EXIT_LOG_VERSION, 1);
}

void exit_log_expect(struct exit_log *s, enum exit_log_mode mode, const void *data, size_t size,
                     void (*differs)(void *context, const struct exit_log_difference *d),
                     void *context)
{
    *s = (struct exit_log){
        .mode = mode, .in = reader_of(data, size), .differs = differs, .context = context};
    s->unsure_at = UINT64_MAX;
    s->version = (uint8_t)reader_int(&s->in, 1);
    s->in.failed = s->version != EXIT_LOG_VERSION && s->version != EXIT_LOG_WITHOUT_SHARED &&
                   s->version != EXIT_LOG_WITHOUT_NEXT && s->version != EXIT_LOG_WITHOUT_DUE;
    advance(s);
}

void exit_log_free(struct exit_log *s)
{
    bytes_free(&s->out);
    digest_index_free(&s->contents);
}

void exit_log_taken(struct exit_log *s)
{
    s->out_begin += s->out.size;
    bytes_clear(&s->out);
}

void exit_log_skip(struct exit_log *s, uint64_t instructions)
{
    while (s->has_head && s->head.instructions < instructions)
        advance(s);
    s->unsure_at = instructions;
}

uint64_t exit_log_last(const void *data, size_t size)
{
    struct exit_log s;
    exit_log_expect(&s, EXIT_LOG_PLAYS, data, size, NULL, NULL);
    while (s.has_head)
        advance(&s);
    return s.in_last;
}

bool exit_log_is_over(const struct exit_log *s)
{
    return !s->has_head;
}

bool exit_log_is_broken(const struct exit_log *s)
{
    return s->in.failed;
}

/* Comparing ---------------------------------------------------------------------------------------
 */

static const struct arch *arch_of(const struct board *b, const struct exit_log_entry *entry)
{
    return b->vms[entry->vm < b->vm_count ? entry->vm : 0]->arch->cpu;
}

/* What happened before the run began, up to the entry that happens now; NULL: up to the end. */
static void skip_unsure(struct exit_log *s, const struct arch *arch,
                        const struct exit_log_entry *now)
{
    struct exit_log_values values;
    while (s->has_head && s->head.instructions == s->unsure_at &&
           (!now || exit_log_entry_differs(arch, &s->head, now, &values)))
        advance(s);
}

static void report(struct board *b, const struct exit_log_entry *recorded,
                   const struct exit_log_entry *now, const char *what,
                   const struct exit_log_values *values)
{
    struct exit_log *s = b->options.exit_log;
    struct exit_log_difference d = {
        .board = b,
        .instructions = now ? now->instructions : recorded->instructions,
        .recorded = recorded,
        .now = now,
        .what = what,
        .values = values ? *values : (struct exit_log_values){0},
    };
    s->differences++;
    s->differs(s->context, &d);
}

/* The exit is over: what should have happened in it did not. */
static void skip_rest_of_exit(struct board *b)
{
    struct exit_log *s = b->options.exit_log;
    while (s->has_head && s->head.kind != EXIT_LOG_RESULT && s->head.kind != EXIT_LOG_EXIT) {
        report(b, &s->head, NULL, NULL, NULL);
        advance(s);
    }
}

void exit_log_end(struct exit_log *s, struct board *b)
{
    skip_unsure(s, NULL, NULL);
    if (s->mode == EXIT_LOG_EXPECTS && s->has_head && s->is_whole && !s->differences)
        report(b, &s->head, NULL, NULL, NULL);
}

void exit_log_missed(struct exit_log *s)
{
    report(s->board, &s->head, NULL, NULL, NULL);
    advance(s);
}

void exit_log_lose(struct exit_log *s)
{
    report(s->board, &s->head, NULL, NULL, NULL);
    s->is_lost = true;
    s->board->pause_wanted = true;
}

static void compare(struct board *b, const struct exit_log_entry *entry)
{
    struct exit_log *s = b->options.exit_log;
    struct exit_log_values values;
    skip_unsure(s, arch_of(b, entry), entry);
    if (s->mode == EXIT_LOG_EXPECTS && (s->differences || (!s->has_head && !s->is_whole)))
        return;
    if (s->mode == EXIT_LOG_PLAYS && entry->kind == EXIT_LOG_RESULT)
        skip_rest_of_exit(b);
    if (!s->has_head || s->head.kind != entry->kind) {
        report(b, s->has_head && s->mode == EXIT_LOG_EXPECTS ? &s->head : NULL, entry, NULL, NULL);
        return;
    }
    const char *what = exit_log_entry_differs(arch_of(b, entry), &s->head, entry, &values);
    if (what)
        report(b, &s->head, entry, what, &values);
    advance(s);
}

/* What a device does may hang on any byte that it reads, and what a guest put there is nowhere else
 * when exits are played: the log has the bytes. What is long, such as a frame or a disk's block, is
 * often the same again; then it has the place of the first. */
#define SHARED_FROM 256

static void write_entry(struct exit_log *s, struct exit_log_entry entry)
{
    bool is_long =
        entry.kind == EXIT_LOG_READ && entry.memory.ok && entry.memory.size > SHARED_FROM;
    if (!is_long) {
        exit_log_entry_put(&s->out, s->out_last, &entry);
        return;
    }
    struct digest digest = sha256_of(entry.memory.data, (size_t)entry.memory.size);
    size_t place = digest_index_find(&s->contents, digest);
    if (place != DIGEST_NOWHERE)
        entry.memory.distance = s->out_begin + s->out.size - place;
    exit_log_entry_put(&s->out, s->out_last, &entry);
    if (place == DIGEST_NOWHERE)
        digest_index_add(&s->contents, digest,
                         (size_t)(s->out_begin + s->out.size - entry.memory.size));
}

static void put(struct board *b, const struct exit_log_entry *entry)
{
    struct exit_log *s = b->options.exit_log;
    s->entries++;
    s->exits += entry->kind == EXIT_LOG_EXIT && entry->exit.x.reason != EXIT_PASS;
    if (s->mode == EXIT_LOG_WRITES) {
        write_entry(s, *entry);
        s->out_last = entry->instructions;
    } else {
        compare(b, entry);
    }
}

static struct exit_log_entry entry_of(const struct vm *vm, unsigned vcpu, enum exit_log_kind kind)
{
    return (struct exit_log_entry){
        .kind = kind,
        .vm = (uint8_t)vm->number,
        .vcpu = (uint8_t)vcpu,
        .instructions = engine_executed(vm->board->engine),
    };
}

static bool plays(const struct vm *vm)
{
    const struct exit_log *s = vm->board->options.exit_log;
    return s && s->mode == EXIT_LOG_PLAYS;
}

/* What the board tells ----------------------------------------------------------------------------
 */

void exit_log_exit(struct vm *vm, const struct vcpu *v, const struct guest_exit *x)
{
    struct exit_log *s = vm->board->options.exit_log;
    if (!s)
        return;
    struct exit_log_entry entry = entry_of(vm, v->index, EXIT_LOG_EXIT);
    entry.exit.x = *x;
    entry.exit.x.handler = NULL;
    for (unsigned i = 0; exit_log_is_call(x->reason) && i < vm->arch->cpu->argument_count; i++)
        entry.exit.call[i] = engine_get(vm->board->engine, vm->arch->cpu->argument_ids[i]);
    s->exit = entry;
    s->in_exit = true;
    put(vm->board, &entry);
}

void exit_log_result(struct vm *vm, const struct vcpu *v, const struct guest_exit *x,
                     enum exit_result result)
{
    if (!vm->board->options.exit_log)
        return;
    struct exit_log_entry entry = entry_of(vm, v->index, EXIT_LOG_RESULT);
    entry.result.result = result;
    if (result == EXIT_DONE && exit_log_is_call(x->reason))
        entry.result.value = engine_get(vm->board->engine, vm->arch->cpu->argument_ids[0]);
    else if (result == EXIT_DONE && !x->is_write)
        entry.result.value = x->value;
    snprintf(entry.result.handler, sizeof entry.result.handler, "%s",
             x->handler ? x->handler : "nobody");
    put(vm->board, &entry);
    vm->board->options.exit_log->in_exit = false;
}

void exit_log_signals(struct vm *vm, unsigned vcpu, unsigned signals)
{
    if (!vm->board->options.exit_log)
        return;
    struct exit_log_entry entry = entry_of(vm, vcpu, EXIT_LOG_SIGNALS);
    entry.signals = signals;
    put(vm->board, &entry);
}

void exit_log_pmu(struct vm *vm, unsigned vcpu, bool level)
{
    if (!vm->board->options.exit_log)
        return;
    struct exit_log_entry entry = entry_of(vm, vcpu, EXIT_LOG_PMU);
    entry.pmu = level;
    put(vm->board, &entry);
}

/* The counters of a board that plays count nothing: the exit log says whether the interrupt
 * changed, and its change is handled here, as it was, and not when somebody runs. */
static void play_pmu_due(struct vm *vm, struct exit_log_entry *entry)
{
    struct exit_log *s = vm->board->options.exit_log;
    bool is_next = s->has_head && s->head.kind == EXIT_LOG_PMU_DUE;
    entry->pmu_due.changes = is_next && s->head.pmu_due.changes;
    put(vm->board, entry);
    if (entry->pmu_due.changes && s->has_head && s->head.kind == EXIT_LOG_PMU &&
        exit_log_vcpu(s) == vm->vcpus[entry->vcpu])
        vm->world.set_line(vm, entry->vcpu, CPU_LINE_PMU, s->head.pmu);
}

void exit_log_pmu_due(struct vm *vm, unsigned vcpu, uint64_t due_ticks, bool changes)
{
    const struct exit_log *s = vm->board->options.exit_log;
    if (!s || (s->mode != EXIT_LOG_WRITES && s->version == EXIT_LOG_WITHOUT_DUE))
        return;
    struct exit_log_entry entry = entry_of(vm, vcpu, EXIT_LOG_PMU_DUE);
    entry.pmu_due.tick = due_ticks;
    entry.pmu_due.changes = changes;
    if (plays(vm))
        play_pmu_due(vm, &entry);
    else
        put(vm->board, &entry);
}

void exit_log_timer(struct vm *vm, unsigned vcpu, unsigned timer, unsigned reg, uint64_t value)
{
    if (!vm->board->options.exit_log)
        return;
    struct exit_log_entry entry = entry_of(vm, vcpu, EXIT_LOG_TIMER);
    entry.timer.number = (uint8_t)timer;
    entry.timer.reg = (uint8_t)reg;
    entry.timer.value = value;
    put(vm->board, &entry);
}

static void put_turn(struct board *b, const struct sched_entity *t, enum exit_log_kind kind)
{
    if (!b->options.exit_log)
        return;
    struct exit_log_entry entry = entry_of(t->vm, t->vcpu->index, kind);
    put(b, &entry);
}

void exit_log_turn(struct board *b, const struct sched_entity *t)
{
    put_turn(b, t, EXIT_LOG_TURN);
}

void exit_log_loop(struct board *b, const struct sched_entity *t)
{
    put_turn(b, t, EXIT_LOG_LOOP);
}

void exit_log_wait(struct board *b, const struct sched_entity *t)
{
    if (!b->options.exit_log)
        return;
    struct exit_log_entry entry = entry_of(t->vm, t->vcpu->index, EXIT_LOG_WAIT);
    entry.wait = t->vcpu->wait;
    put(b, &entry);
}

/* Guest memory ------------------------------------------------------------------------------------
 */

/* By gva as the vCPU sees it; `v` NULL: by gpa. */
static struct exit_log_entry access_of(struct vm *vm, const struct vcpu *v, enum exit_log_kind kind,
                                       uint64_t address, uint64_t size)
{
    struct exit_log_entry entry = entry_of(vm, v ? v->index : 0, kind);
    entry.memory.physical = v == NULL;
    entry.memory.address = address;
    entry.memory.size = size;
    return entry;
}

/* Nothing ran that could have put it there: memory is as the exit log says, where it says so. */
static bool read_from_log(struct vm *vm, struct exit_log_entry *entry, void *to)
{
    struct exit_log *s = vm->board->options.exit_log;
    const struct exit_log_entry *head = &s->head;
    bool known = s->has_head && head->kind == EXIT_LOG_READ &&
                 head->memory.address == entry->memory.address &&
                 head->memory.size == entry->memory.size;
    memset(to, 0, (size_t)entry->memory.size);
    if (known && head->memory.ok)
        memcpy(to, head->memory.data, (size_t)head->memory.size);
    entry->memory.ok = known && head->memory.ok;
    entry->memory.data = entry->memory.ok ? to : NULL;
    put(vm->board, entry);
    return entry->memory.ok;
}

static bool read_guest(struct vm *vm, struct vcpu *v, uint64_t from, void *to, uint64_t size)
{
    return v ? vcpu_read_memory(v, gva(from), to, size) : vm_read(vm, gpa(from), to, size);
}

static bool read_memory(struct vm *vm, struct vcpu *v, uint64_t from, void *to, uint64_t size)
{
    if (!vm->board->options.exit_log)
        return read_guest(vm, v, from, to, size);
    struct exit_log_entry entry = access_of(vm, v, EXIT_LOG_READ, from, size);
    if (plays(vm))
        return read_from_log(vm, &entry, to);
    entry.memory.ok = read_guest(vm, v, from, to, size);
    entry.memory.data = to;
    put(vm->board, &entry);
    return entry.memory.ok;
}

bool exit_log_read_gpa(struct vm *vm, gpa_t from, void *to, uint64_t size)
{
    return read_memory(vm, NULL, from.v, to, size);
}

static bool read_board(struct board *b, hpa_t from, void *to, uint64_t size)
{
    const void *host = memory_at(&b->memory, from, size, MEMORY_READ);
    if (host)
        memcpy(to, host, (size_t)size);
    return host != NULL;
}

bool exit_log_read_hpa(struct board *b, hpa_t from, void *to, uint64_t size)
{
    if (!b->options.exit_log || !b->vm_count)
        return read_board(b, from, to, size);
    struct exit_log_entry entry = access_of(b->vms[0], NULL, EXIT_LOG_READ, from.v, size);
    if (plays(b->vms[0]))
        return read_from_log(b->vms[0], &entry, to);
    entry.memory.ok = read_board(b, from, to, size);
    entry.memory.data = to;
    put(b, &entry);
    return entry.memory.ok;
}

bool exit_log_read_gva(struct vm *vm, struct vcpu *v, gva_t from, void *to, uint64_t size)
{
    return read_memory(vm, v, from.v, to, size);
}

bool exit_log_write_gva(struct vm *vm, struct vcpu *v, gva_t to, const void *from, uint64_t size)
{
    struct exit_log *s = vm->board->options.exit_log;
    if (!s)
        return vcpu_write_memory(v, to, from, size);
    struct exit_log_entry entry = access_of(vm, v, EXIT_LOG_WRITE, to.v, size);
    /* Whether it was allowed is up to the guest's tables, which are not here. */
    if (plays(vm))
        entry.memory.ok = s->has_head && s->head.kind == EXIT_LOG_WRITE && s->head.memory.ok;
    else
        entry.memory.ok = vcpu_write_memory(v, to, from, size);
    put(vm->board, &entry);
    return entry.memory.ok;
}
