/* The engine on Unicorn (cpu/engine.h): made, and put together of the parts that
 * cpu/unicorn/unicorn_engine.h lists. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/unicorn/arm64/interpose.h"
#include "cpu/unicorn/unicorn_engine.h"
#include "emu/check.h"

static _Thread_local char means[64]; /* of the last engine that was made, for people */

/* Between runs PC is kept here: each run begins by setting it anyway. So it is in `carry_out`. */
static uint64_t unicorn_pc(struct engine *e)
{
    return e->in_exit ? e->exit_pc : e->inside ? library_pc(e) : e->pc;
}

static void unicorn_set_pc(struct engine *e, uint64_t pc)
{
    if (e->in_exit)
        e->exit_pc = pc;
    else if (e->inside)
        e->arch->set_pc(e, pc);
    else
        e->pc = pc;
}

static void unicorn_use(struct engine *e, const struct engine_callbacks *callbacks)
{
    e->expected = 0;
    e->callbacks = callbacks;
}

bool engine_is_built_in(void)
{
    return true;
}

const char *engine_interposed(void)
{
    static _Thread_local char text[112];
    struct interposed works = interposed();
    int size = snprintf(
        text, sizeof text, "; interposed:%s%s%s%s", works.exit_checks ? " exit checks," : "",
        works.block_starts ? " block starts," : "", works.fills ? " fills," : "", means);
    bool is_list = text[size - 1] == ',';
    text[is_list ? size - 1 : 0] = 0;
    return text;
}

/* Contexts ------------------------------------------------------------------------------------- */

struct engine_context {
    struct uc_context *library;
    uint64_t pc;
    uint64_t prev_end;
    bool just_yielded;
};

static struct engine_context *unicorn_context_new(struct engine *e)
{
    struct engine_context *c = calloc(1, sizeof *c);
    CHECK_ROOM(c);
    c->library = library_context_new(e);
    engine_context_save(e, c);
    return c;
}

static void unicorn_context_free(struct engine *e, struct engine_context *c)
{
    (void)e;
    if (c)
        library_context_free(c->library);
    free(c);
}

static void unicorn_context_save(struct engine *e, struct engine_context *c)
{
    library_context_save(e, c->library);
    c->pc = e->pc;
    c->prev_end = e->prev_end;
    c->just_yielded = e->just_yielded;
}

static void unicorn_context_load(struct engine *e, struct engine_context *c)
{
    library_context_load(e, c->library);
    e->pc = c->pc;
    e->prev_end = c->prev_end;
    e->just_yielded = c->just_yielded;
}

/* Set-up --------------------------------------------------------------------------------------- */

static void unicorn_free(struct engine *g)
{
    if (g->scratch)
        library_context_free(g->scratch);
    library_close(g);
    memory_watch_code(g->memory, NULL, NULL);
    icache_free(g);
    free(g->sides);
    free(g->part);
    free(g->stub_allocation);
    free(g->allocation);
}

static const struct engine_ops unicorn_ops = {
    .free = unicorn_free,
    .use = unicorn_use,
    .run = unicorn_run,
    .executed = unicorn_executed,
    .stop_soon = unicorn_stop_soon,
    .watch = unicorn_watch,
    .note_code = unicorn_note_code,
    .count_attempt = unicorn_count_attempt,
    .uncount_attempt = unicorn_uncount_attempt,
    .continue_at = unicorn_continue_at,
    .sequence = unicorn_sequence,
    .set_sequence = unicorn_set_sequence,
    .set_executed = unicorn_set_executed,
    .pc = unicorn_pc,
    .set_pc = unicorn_set_pc,
    .flush_tlb = unicorn_flush_tlb,
    .change_space = unicorn_change_space,
    .drop_code = unicorn_drop_code,
    .flush_code_soon = unicorn_flush_code_soon,
    .store_begins = unicorn_store_begins,
    .store_ends = unicorn_store_ends,
    .tell_changes = unicorn_tell_changes,
    .context_new = unicorn_context_new,
    .context_free = unicorn_context_free,
    .context_save = unicorn_context_save,
    .context_load = unicorn_context_load,
};

static const struct unicorn_arch *const arches[] = {&unicorn_arm64};

static const struct unicorn_arch *find_arch(const char *name)
{
    size_t i = 0;
    while (strcmp(arches[i]->name, name) != 0)
        CHECK(++i < sizeof arches / sizeof arches[0]);
    return arches[i];
}

static struct engine_ops ops_of(const struct unicorn_arch *arch)
{
    struct engine_ops ops = unicorn_ops;
    ops.get = arch->get;
    ops.set = arch->set;
    ops.get_wide = arch->get_wide;
    ops.set_wide = arch->set_wide;
    ops.set_checks = arch->set_checks;
    ops.expect_exit = arch->expect_exit;
    return ops;
}

static bool map_board(struct engine *g, struct error *e)
{
    for (size_t i = 0; i < memory_ram_count(g->memory); i++) {
        const struct memory_bank *bank = &g->memory->banks[i];
        if (!library_map(g, bank->base.v, bank->size, bank->host, true, "mapping a memory bank", e))
            return false;
    }
    g->stub_allocation = calloc(2, PAGE_SIZE);
    CHECK_ROOM(g->stub_allocation);
    g->stub = (uint8_t *)(((uintptr_t)g->stub_allocation + PAGE_MASK) & ~(uintptr_t)PAGE_MASK);
    g->arch->write_stub(g->stub);
    return library_map(g, STUB_HPA, PAGE_SIZE, g->stub, false, "mapping the stub", e);
}

static const struct library_hooks hooks = {
    .fill = fill_tlb,
    .interrupt = blocks_on_interrupt,
    .translated = icache_translated,
};

bool engine_fill(uint64_t va, int kind, bool unprivileged, struct filled_page *filled)
{
    struct engine *e = library_running();
    struct engine_page page;
    if (!e || !fill_tlb_as(e, va, (enum access_kind)kind, unprivileged, &page))
        return false;
    *filled = (struct filled_page){.hpa = page.hpa, .permits = (int)page.permits};
    return true;
}

/* One block hook only: the library then calls it directly. */
static bool add_block_hook(struct engine *g, struct error *e)
{
    return library_add_block_hook(
        g, g->looks_for_pauses ? g->arch->on_block_behind_pause : blocks_on_block, e);
}

/* In this order: the block hook depends on what the library is found to do. */
static bool set_up(struct engine *g, const char *model, struct error *e)
{
    if (!library_open(g, model, e) || !map_board(g, e) || !library_add_hooks(g, &hooks, e) ||
        !g->arch->add_hooks(g, e))
        return false;
    g->looks_for_pauses =
        g->pause == PAUSE_YIELDS || (g->pause == PAUSE_WAITS && !g->arch->pauses_are_told(g));
    if (!add_block_hook(g, e))
        return false;
    g->scratch = library_context_new(g);
    return g->arch->prepare(g, e);
}

struct engine *engine_unicorn_new(const char *arch, const char *model, enum engine_pause pause,
                                  struct memory *memory, struct error *e)
{
    /* By hand: not every host's library has aligned_alloc. */
    const uintptr_t aligned = _Alignof(struct engine);
    void *allocation = calloc(1, sizeof(struct engine) + aligned - 1);
    CHECK_ROOM(allocation);
    struct engine *g = (struct engine *)(((uintptr_t)allocation + aligned - 1) & ~(aligned - 1));
    g->allocation = allocation;
    g->arch = find_arch(arch);
    g->part = calloc(1, g->arch->part_size);
    CHECK_ROOM(g->part);
    g->ops = ops_of(g->arch);
    g->head.ops = &g->ops;
    g->memory = memory;
    g->pause = pause;
    g->sets_at = g->sends_at = UINT64_MAX;
    sides_new(g);
    icache_new(g);
    if (!set_up(g, model, e)) {
        engine_free(g);
        return NULL;
    }
    g->arch->means_text(g, means, sizeof means);
    return g;
}
