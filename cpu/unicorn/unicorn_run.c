/* A run of the engine, and stops inside a block. */
#include "cpu/unicorn/unicorn_engine.h"

#include <string.h>

static void start(struct engine *e)
{
    e->fill_refused = false;
    e->tail_counted = false;
    e->stopped = false;
    e->inside = true;
    bool ended_well = library_run(e, e->pc);
    e->inside = e->behind_pause = false;
    e->pc = library_pc(e);
    if (e->leaving) {
        e->leaving = false;
        e->pc = e->exit_pc;
        e->reason = ENGINE_SOFT;
    } else if (e->fill_refused && !e->stopped) {
        if (e->tail_counted)
            blocks_note_code(e, e->pc, 4);
        e->reason = ENGINE_FILL;
    } else if (!e->stopped) {
        e->reason = ended_well ? ENGINE_HALT : ENGINE_FAILED;
    }
    bool in_block = e->reason == ENGINE_HALT || (e->fill_refused && !e->tail_counted);
    e->counted = in_block ? blocks_counted_to_pc(e, e->pc) : blocks_counted_to_end(e);
    e->prev_end = in_block ? e->pc : e->fast.address + e->fast.size;
    blocks_note_events(e, e->prev_end);
    e->granted = e->fast.left = 0;
}

/* Runs the first `count` instructions of the block at PC: an exit address inside it, the block
 * translated anew with it and without it afterwards. */
static void run_truncated(struct engine *e, uint64_t count)
{
    hpa_t at;
    if (!pages_find_code(e, e->pc, &at))
        return; /* the page went since the stop: its fetch will say so */
    uint64_t exit_address = e->pc + 4 * count;
    uint64_t kept;
    bool is_changed = e->arch->allow_exits(e, &kept);
    bool watching = e->watching;
    size_t place_count = e->place_count;
    e->watching = false;
    e->place_count = 0;
    blocks_grant(e, e->counted);
    pages_drop_translated(e, at, 4 * count);
    library_end_code(e, &exit_address);
    start(e);
    e->watching = watching;
    e->place_count = place_count;
    library_end_code(e, NULL);
    /* By its place: by address it could call `fill`, and spoil what a refusal left. */
    pages_drop_translated(e, at, 4 * count);
    if (is_changed)
        e->arch->end_exits(e, kept);
    if (e->reason == ENGINE_HALT && e->prev_end == exit_address)
        e->reason = ENGINE_SOFT;
}

void run_aside(struct engine *e, uint64_t from, uint64_t start)
{
    e->aside = true;
    e->aside_start = start;
    e->aside_size = 0;
    e->aside_exception = 0;
    e->stopped = false;
    e->fast.left = 0;
    library_run(e, from);
    e->aside = false;
}

/* What the first block is sequential to, or not. */
static void go_on(struct engine *e)
{
    e->fast.address = e->prev_end;
    e->fast.size = 0;
}

enum engine_stop unicorn_run(struct engine *e, struct engine_budget budget)
{
    if (e->expected)
        e->arch->translate_expected(e);
    uint64_t from = e->counted;
    icache_tell_in_time(e, from);
    e->exact_at = budget.exact > UINT64_MAX - from ? UINT64_MAX : from + budget.exact;
    e->soft_at = budget.soft > UINT64_MAX - from ? UINT64_MAX : from + budget.soft;
    e->turn_at = budget.turn > UINT64_MAX - from ? UINT64_MAX : from + budget.turn;
    e->fetch = budget.fetch;
    e->truncate = 0;
    e->stop_wanted = false;
    go_on(e);
    blocks_note_code(e, e->pc, 4);
    blocks_grant(e, from);
    start(e);
    while (e->refused) {
        e->arch->translate_as_it_is(e, e->refused);
        e->refused = NULL;
        go_on(e);
        blocks_grant(e, e->counted);
        start(e);
    }
    if (e->truncate) {
        uint64_t count = e->truncate;
        e->truncate = 0;
        go_on(e);
        e->exact_at = e->counted + count;
        run_truncated(e, count);
    }
    if (e->flush_code_wanted) {
        e->flush_code_wanted = false;
        library_drop_all_code(e);
        if (e->looks_for_pauses) { /* fetches are filled again, and pauses looked for */
            memset(e->looked_through, 0, sizeof e->looked_through);
            engine_flush_tlb(e);
        }
    }
    return e->reason;
}
