/* How instructions are counted, and where a run stops: at the start of a block. docs/engine.md. */
#include "cpu/unicorn/unicorn_engine.h"

#include <string.h>

#include "emu/check.h"

uint64_t blocks_counted_to_end(const struct engine *e)
{
    return e->counted + (uint64_t)((e->granted - e->fast.left) / 4);
}

uint64_t blocks_counted_to_pc(const struct engine *e, uint64_t pc)
{
    return blocks_counted_to_end(e) - (e->fast.address + e->fast.size - pc) / 4;
}

uint64_t unicorn_executed(const struct engine *e)
{
    if (e->in_exit)
        return e->exit_count;
    bool in_block = e->inside && !e->settled;
    return in_block ? blocks_counted_to_pc(e, library_pc(e)) : blocks_counted_to_end(e);
}

void blocks_note_events(struct engine *e, uint64_t end)
{
    struct engine_event *event = e->callbacks->event;
    if (e->sets_at < end)
        event->is_set = true;
    if (e->sends_at < end)
        event->is_quiet = false;
    e->sets_at = e->sends_at = UINT64_MAX;
}

/* A pause was executed. True: it waits. */
static bool pause_waits(struct engine *e, uint64_t now)
{
    struct engine_event *event = e->callbacks->event;
    if (!event_is_known(e, now)) {
        event->is_set = true;
        event->is_quiet = false;
    }
    if (!event->is_set)
        return true;
    engine_clear_event(event, now);
    return false;
}

/* As `room`, where each block is looked at without anything being due. */
void blocks_grant(struct engine *e, uint64_t now)
{
    e->counted = now;
    uint64_t until = e->exact_at < e->soft_at ? e->exact_at : e->soft_at;
    if (e->turn_at < until)
        until = e->turn_at;
    uint64_t left = until > now ? until - now : 0;
    if (e->watching || e->stop_wanted || e->flush_code_wanted || e->leaving || e->behind_pause ||
        event_is_known(e, now))
        left = 0;
    e->room = 0;
    e->granted = left > INT64_MAX / 8 ? INT64_MAX / 2 : (int64_t)left * 4;
    if (e->place_count || e->code_seen || e->looks) {
        e->room = e->granted;
        e->granted = 0;
    }
    e->fast.left = e->granted;
}

void blocks_look_at_next(struct engine *e)
{
    if (e->inside)
        blocks_grant(e, blocks_counted_to_end(e));
}

static void stop(struct engine *e, enum engine_stop reason)
{
    e->reason = reason;
    e->stopped = true;
}

static bool is_turn(const struct engine *e, uint64_t address, bool yielded)
{
    bool branched = address != e->fast.address + e->fast.size;
    return yielded || (branched && e->counted >= e->turn_at);
}

static bool has_place(const struct engine *e, uint64_t address, uint64_t size)
{
    size_t low = 0, high = e->place_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (e->places[middle] < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < e->place_count && e->places[low] - address < size;
}

void blocks_note_code(struct engine *e, uint64_t address, uint64_t size)
{
    uint64_t block = address ^ size << 48, *noted = &e->noted[(address >> 2) % NOTED_SLOTS];
    if (!e->code_seen || *noted == block)
        return;
    *noted = block;
    code_set_add(e->code_seen, address, size ? size : 4);
}

static void begin_block(struct engine *e, uint64_t address, uint32_t size)
{
    e->fast.left -= size;
    e->fast.address = address;
    e->fast.size = size;
}

/* Before a block, when something may be due. Nothing of the block has run, PC is its start: the
 * only place from where library_stop_before_block is exact. */
void block_begin_slowly(struct engine *e, uint64_t address, uint32_t size, bool pause)
{
    uint64_t now = blocks_counted_to_end(e);
    if (e->leaving) {
        stop(e, ENGINE_SOFT);
        library_stop_before_block(e);
        return;
    }
    blocks_note_events(e, e->fast.address + e->fast.size);
    bool waits = pause && e->pause == PAUSE_WAITS && pause_waits(e, now);
    bool yielded = pause && e->pause == PAUSE_YIELDS;
    blocks_grant(e, now);
    blocks_note_code(e, address, size);
    /* The end of a turn first: whether a stop at the same count was exact or soft differs between a
     * recording and its replay, and an interrupt that is taken there must find the same turn. */
    if (waits)
        stop(e, ENGINE_WAIT);
    else if (is_turn(e, address, yielded)) {
        e->just_yielded = yielded;
        stop(e, ENGINE_TURN);
    } else if (e->exact_at <= now)
        stop(e, ENGINE_BUDGET);
    else if (address & 3)
        stop(e, ENGINE_UNALIGNED);
    else if (e->stop_wanted || e->flush_code_wanted || e->soft_at <= now)
        stop(e, ENGINE_SOFT);
    else {
        uint64_t may_run = e->exact_at - now;
        if (e->watching || has_place(e, address, size)) {
            e->settled = true; /* PC is not where the last block ended if it was a branch */
            uint64_t watched = e->callbacks->watch(e->callbacks->cpu, address, size);
            e->settled = false;
            may_run = watched < may_run ? watched : may_run;
        }
        if (e->looks && e->arch->wants_look(e, address, size)) {
            e->settled = true;
            uint64_t looked = e->arch->look_at(e, address, size);
            e->settled = false;
            may_run = looked < may_run ? looked : may_run;
        }
        if (may_run < size / 4) {
            e->truncate = may_run;
            stop(e, ENGINE_SOFT);
        }
    }
    if (e->stopped) {
        library_stop_before_block(e);
        return;
    }
    if (event_is_known(e, now))
        e->arch->look_for_events(e, address, size, now);
    /* fast.left may go below zero: the block crosses a soft or turn limit, looked at next time. */
    begin_block(e, address, size);
}

/* As block_begin_slowly, but for the ends of turns and waits: there the attempt has always been
 * first. */
void blocks_stop_before_fetch(struct engine *e)
{
    enum engine_before_fetch before = ENGINE_BEFORE_NOTHING;
    uint64_t pc = library_pc(e);
    bool is_due = e->exact_at <= blocks_counted_to_end(e);
    if (e->watching || has_place(e, pc, 4)) {
        e->settled = true; /* as in block_begin_slowly */
        before = e->callbacks->before_fetch(e->callbacks->cpu, pc);
        e->settled = false;
    }
    if (e->fetch != ENGINE_FETCH_LAST &&
        (before == ENGINE_BEFORE_MACHINE || (is_due && e->fetch == ENGINE_FETCH_FIRST)))
        return;
    if (is_due)
        stop(e, ENGINE_BUDGET);
    else if (before != ENGINE_BEFORE_NOTHING)
        stop(e, ENGINE_SOFT);
}

/* Before a block that blocks_on_block does not simply let run. Apart from it, or the compiler saves
 * registers there for what is needed here. */
static __attribute__((noinline)) void look_at_block(struct engine *e, uint64_t address,
                                                    uint32_t size)
{
    if (e->aside) {
        /* Also when the engine is made: an interposed function must not be what stops here. */
        CHECK(address == e->aside_start || !e->stopped);
        e->stopped = address != e->aside_start;
        e->aside_size = size;
        if (e->stopped)
            library_stop_before_block(e);
        return;
    }
    bool pause = e->behind_pause;
    e->behind_pause = false;
    if (!pause && e->fast.left + e->room >= size && !(address & 3) &&
        !has_place(e, address, size) && !(e->looks && e->arch->wants_look(e, address, size))) {
        blocks_note_code(e, address, size);
        begin_block(e, address, size);
        return;
    }
    block_begin_slowly(e, address, size, pause);
}

void blocks_on_block(struct uc_struct *uc, uint64_t address, uint32_t size, void *user)
{
    struct engine *e = user;
    (void)uc;
    if (e->fast.left >= size && !(address & 3))
        begin_block(e, address, size);
    else
        look_at_block(e, address, size);
}

void blocks_on_interrupt(struct uc_struct *uc, uint32_t number, void *user)
{
    struct engine *e = user;
    (void)uc;
    if (e->aside) {
        e->aside_exception = number;
        e->stopped = true;
        library_stop(e);
        return;
    }
    e->behind_pause = false;
    if (e->leaving) { /* behind an exit nothing runs */
        stop(e, ENGINE_SOFT);
        library_stop(e);
        return;
    }
    bool behind = e->arch->is_behind(number);
    uint64_t pc = library_pc(e);
    uint64_t done = blocks_counted_to_pc(e, pc);
    blocks_note_events(e, pc);
    e->block_address = e->fast.address;
    /* From here on nothing of the last block is left. */
    e->fast.address = pc;
    e->fast.size = behind ? 0 : 4;
    blocks_grant(e, done + (behind ? 0 : 1));
    e->settled = true;
    bool taken = e->callbacks->exception(e->callbacks->cpu, number);
    e->settled = false;
    if (taken)
        return;
    stop(e, ENGINE_EXCEPTION);
    library_stop(e);
}

void unicorn_stop_soon(struct engine *e)
{
    e->stop_wanted = true;
    blocks_look_at_next(e);
}

void unicorn_watch(struct engine *e, bool all, const uint64_t *places, size_t count)
{
    if (e->watching == all && e->places == places && e->place_count == count)
        return;
    e->watching = all;
    e->places = places;
    e->place_count = count;
    blocks_look_at_next(e);
}

void unicorn_note_code(struct engine *e, struct code_set *to)
{
    e->code_seen = to;
    memset(e->noted, 0, sizeof e->noted);
    blocks_look_at_next(e);
}

void unicorn_count_attempt(struct engine *e)
{
    e->counted++;
}

void unicorn_uncount_attempt(struct engine *e)
{
    e->counted--;
}

void unicorn_continue_at(struct engine *e, uint64_t pc)
{
    if (e->in_exit)
        e->exit_end = pc;
    else
        e->prev_end = pc;
}

unsigned unicorn_sequence(struct engine *e)
{
    return (e->prev_end != e->pc) | (unsigned)e->just_yielded << 1;
}

void unicorn_set_sequence(struct engine *e, unsigned sequence)
{
    e->prev_end = sequence & 1 ? ~e->pc : e->pc;
    e->just_yielded = sequence >> 1 & 1;
}

void unicorn_set_executed(struct engine *e, uint64_t instructions)
{
    e->counted = instructions;
    e->granted = e->fast.left = 0;
}
