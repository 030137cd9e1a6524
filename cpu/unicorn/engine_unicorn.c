/* The engine on Unicorn: with the architectures' own files (arm64/) the only one that includes the
 * library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#include "cpu/unicorn/arm64/interpose.h"
#include "cpu/unicorn/unicorn_engine.h"
#include "emu/check.h"

/* Running -------------------------------------------------------------------------------------- */

static struct engine *running;
static char means[64]; /* of the last engine, for people */

bool unicorn_run_library(struct engine *e, uint64_t pc)
{
    struct engine *before = running;
    running = e;
    e->arch->begin_run(e);
    uc_err err = uc_emu_start(e->uc, pc, 0, 0, 0);
    running = before;
    e->arch->begin_run(before);
    return err == UC_ERR_OK;
}

struct engine *engine_running(void)
{
    return running;
}

void unicorn_stop_library(struct engine *e)
{
    uc_emu_stop(e->uc);
}

void unicorn_stop_before_block(struct engine *e)
{
    uc_emu_stop(e->uc);
    interposed_leave_before_block(e->uc);
}

void unicorn_end_code(struct engine *e, const uint64_t *address)
{
    uint64_t none = 0;
    uc_ctl_set_exits(e->uc, address ? address : &none, address ? 1 : 0);
}

void unicorn_drop_code_at(struct engine *e, uint64_t from, uint64_t to)
{
    e->drops++;
    e->window_is_open = true;
    uc_ctl_remove_cache(e->uc, WINDOW | from, WINDOW | to);
    pages_close_window(e, from);
}

void unicorn_drop_all_code(struct engine *e)
{
    e->drops++;
    uc_ctl_flush_tb(e->uc);
}

void unicorn_flush_library_tlb(struct engine *e)
{
    uc_ctl_flush_tlb(e->uc);
}

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

/* Hooks ---------------------------------------------------------------------------------------- */

static bool on_fill(uc_engine *uc, uint64_t va, uc_mem_type type, uc_tlb_entry *result, void *user)
{
    (void)uc;
    struct engine_page page;
    enum access_kind kind = type == UC_MEM_FETCH   ? ACCESS_FETCH
                            : type == UC_MEM_WRITE ? ACCESS_WRITE
                                                   : ACCESS_READ;
    if (!pages_fill_tlb(user, va, kind, &page))
        return false;
    result->paddr = page.hpa;
    result->perms = (page.permits & PERMIT_R ? UC_PROT_READ : 0) |
                    (page.permits & PERMIT_W ? UC_PROT_WRITE : 0) |
                    (page.permits & PERMIT_X ? UC_PROT_EXEC : 0);
    return true;
}

bool engine_fill(uint64_t va, int kind, bool unprivileged, struct filled_page *filled)
{
    struct engine_page page;
    if (!running || !pages_fill_tlb_as(running, va, (enum access_kind)kind, unprivileged, &page))
        return false;
    *filled = (struct filled_page){.hpa = page.hpa, .permits = (int)page.permits};
    return true;
}

static void on_translated(uc_engine *uc, uc_tb *block, uc_tb *before, void *user)
{
    (void)uc, (void)before;
    icache_translated(user, block->pc, block->size);
}

/* Set-up --------------------------------------------------------------------------------------- */

#define CODE_BUFFER_BYTES    ((size_t)64 << 20)
#define LIBRARY_TABLES_BYTES ((size_t)32 << 20)

static bool check_uc(uc_err err, const char *what, struct error *e)
{
    if (err == UC_ERR_OK)
        return true;
    error_set(e, "Unicorn: %s: %s", what, uc_strerror(err));
    return err != UC_ERR_NOMEM ? false : error_exit_status(e, CHECK_SHORTAGE_STATUS);
}

/* The library ends the process, without a word, when it cannot have what it starts with: its buffer
 * for code, and tables of its own. The pointer is volatile, or a compiler would leave it all out.
 */
static bool library_has_room(struct error *e)
{
    const size_t wanted = CODE_BUFFER_BYTES + LIBRARY_TABLES_BYTES;
    void *volatile room = malloc(wanted);
    free(room);
    if (room)
        return true;
    error_set(e, "the host has no room for the engine: %zu MiB", wanted >> 20);
    return error_exit_status(e, CHECK_SHORTAGE_STATUS);
}

static bool library_is_new_enough(struct error *e)
{
    unsigned version = uc_version(NULL, NULL);
    unsigned patch = version >> 8 & 0xff;
    unsigned number = (version >> 24) << 16 | (version >> 16 & 0xff) << 8 | patch;
    return number >= 0x020103 ||
           error_set(e, "Unicorn %u.%u.%u is too old: 2.1.3 or newer is needed", version >> 24,
                     version >> 16 & 0xff, patch);
}

/* The order matters: the page size first (the default of 1 KiB makes an invalidation drop a quarter
 * of a page), everything else before the first mapping. */
static bool open_library(struct engine *g, const char *model, struct error *e)
{
    struct unicorn_model m;
    return library_is_new_enough(e) && library_has_room(e) && g->arch->find_model(model, &m, e) &&
           check_uc(uc_open((uc_arch)m.arch, (uc_mode)m.mode, &g->uc), "open", e) &&
           check_uc(uc_ctl_set_page_size(g->uc, 4096), "page size", e) &&
           check_uc(uc_ctl_set_cpu_model(g->uc, m.number), "CPU model", e) &&
           check_uc(uc_ctl_set_tcg_buffer_size(g->uc, CODE_BUFFER_BYTES), "code buffer", e) &&
           check_uc(uc_ctl_tlb_mode(g->uc, UC_TLB_VIRTUAL), "TLB mode", e) &&
           check_uc(uc_ctl_exits_enable(g->uc), "exits", e);
}

static bool map_board(struct engine *g, struct error *e)
{
    for (size_t i = 0; i < g->memory->bank_count; i++) {
        const struct memory_bank *bank = &g->memory->banks[i];
        if (!check_uc(uc_mem_map_ptr(g->uc, bank->base.v, bank->size, UC_PROT_ALL, bank->host),
                      "mapping a memory bank", e))
            return false;
    }
    g->stub_allocation = calloc(2, PAGE_SIZE);
    CHECK_ROOM(g->stub_allocation);
    g->stub = (uint8_t *)(((uintptr_t)g->stub_allocation + PAGE_MASK) & ~(uintptr_t)PAGE_MASK);
    g->arch->write_stub(g->stub);
    return check_uc(
        uc_mem_map_ptr(g->uc, STUB_HPA, PAGE_SIZE, UC_PROT_READ | UC_PROT_EXEC, g->stub),
        "mapping the stub", e);
}

static bool add_hook(struct engine *g, int type, void *function, uint64_t from, uint64_t to,
                     struct error *e)
{
    uc_hook hook;
    return check_uc(uc_hook_add(g->uc, &hook, type, function, g, from, to), "hook", e);
}

bool unicorn_hook_instruction(struct engine *e, void *function, int instruction,
                              struct error *error)
{
    uc_hook hook;
    return check_uc(uc_hook_add(e->uc, &hook, UC_HOOK_INSN, function, e, 1, 0, instruction), "hook",
                    error);
}

/* Never called, as everything outside of the board's memory is refused by on_fill. That it exists
 * for an address keeps the library from taking write permission from a page whenever code is
 * translated there (a search through the whole TLB). Sound because a page that has
 * code is not writable (unicorn_sides.c), or its code becomes new by IC instructions only;
 * host-physical addresses must be left out. */
static bool on_fetch_unmapped(uc_engine *uc, uc_mem_type type, uint64_t address, int size,
                              int64_t value, void *user)
{
    (void)uc, (void)type, (void)address, (void)size, (void)value, (void)user;
    return false;
}

static bool add_fetch_hooks(struct engine *g, struct error *e)
{
    const struct memory_bank *first = &g->memory->banks[0];
    const struct memory_bank *last = &g->memory->banks[g->memory->bank_count - 1];
    return add_hook(g, UC_HOOK_MEM_FETCH_UNMAPPED, (void *)on_fetch_unmapped,
                    last->base.v + last->size, UINT64_MAX, e) &&
           (first->base.v == 0 || add_hook(g, UC_HOOK_MEM_FETCH_UNMAPPED, (void *)on_fetch_unmapped,
                                           0, first->base.v - 1, e));
}

/* One block hook only: the library then calls it directly. */
static bool add_block_hook(struct engine *g, struct error *e)
{
    void *hook =
        g->looks_for_pauses ? (void *)g->arch->on_block_behind_pause : (void *)blocks_on_block;
    return add_hook(g, UC_HOOK_BLOCK, hook, 1, 0, e);
}

static bool add_hooks(struct engine *g, struct error *e)
{
    return add_hook(g, UC_HOOK_TLB_FILL, (void *)on_fill, 1, 0, e) &&
           add_hook(g, UC_HOOK_INTR, (void *)blocks_on_interrupt, 1, 0, e) &&
           add_hook(g, UC_HOOK_EDGE_GENERATED, (void *)on_translated, 1, 0, e) &&
           g->arch->add_hooks(g, e) && add_fetch_hooks(g, e);
}

static void unicorn_free(struct engine *g)
{
    if (g->scratch)
        uc_context_free(g->scratch);
    if (g->uc)
        uc_close(g->uc);
    memory_watch_code(g->memory, NULL, NULL);
    icache_free(g);
    free(g->sides);
    free(g->part);
    free(g->stub_allocation);
    free(g->allocation);
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

const char *engine_version(void)
{
    static char text[32];
    unsigned v = uc_version(NULL, NULL);
    snprintf(text, sizeof text, "%u.%u.%u", v >> 24, v >> 16 & 0xff, v >> 8 & 0xff);
    return text;
}

const char *engine_interposed(void)
{
    static char text[112];
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
    uc_context *uc;
    uint64_t pc;
    uint64_t prev_end;
    bool just_yielded;
};

uint8_t *unicorn_save_scratch(struct engine *e, size_t *size)
{
    uc_context_save(e->uc, e->scratch);
    *size = uc_context_size(e->uc);
    return (uint8_t *)e->scratch;
}

void unicorn_restore_scratch(struct engine *e)
{
    uc_context_restore(e->uc, e->scratch);
}

static struct engine_context *unicorn_context_new(struct engine *e)
{
    struct engine_context *c = calloc(1, sizeof *c);
    CHECK_ROOM(c && uc_context_alloc(e->uc, &c->uc) == UC_ERR_OK);
    engine_context_save(e, c);
    return c;
}

static void unicorn_context_free(struct engine *e, struct engine_context *c)
{
    (void)e;
    if (c)
        uc_context_free(c->uc);
    free(c);
}

static void unicorn_context_save(struct engine *e, struct engine_context *c)
{
    uc_context_save(e->uc, c->uc);
    c->pc = e->pc;
    c->prev_end = e->prev_end;
    c->just_yielded = e->just_yielded;
}

static void unicorn_context_load(struct engine *e, struct engine_context *c)
{
    uc_context_restore(e->uc, c->uc);
    e->pc = c->pc;
    e->prev_end = c->prev_end;
    e->just_yielded = c->just_yielded;
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

/* In this order: the block hook depends on what the library is found to do. */
static bool set_up(struct engine *g, const char *model, struct error *e)
{
    if (!open_library(g, model, e) || !map_board(g, e) || !add_hooks(g, e))
        return false;
    g->looks_for_pauses =
        g->pause == PAUSE_YIELDS || (g->pause == PAUSE_WAITS && !g->arch->pauses_are_told(g));
    if (!add_block_hook(g, e))
        return false;
    CHECK_ROOM(uc_context_alloc(g->uc, &g->scratch) == UC_ERR_OK);
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
