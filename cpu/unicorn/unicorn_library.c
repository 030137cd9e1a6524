/* The library's functions, each as one of ours: with the architectures' own files (arm64/) the only
 * file that includes it, and the one that knows nothing of the others. */
#include <stdio.h>
#include <unicorn/unicorn.h>

#include "cpu/unicorn/code_buffer.h"
#include "cpu/unicorn/unicorn_engine.h"
#include "emu/check.h"

const char *engine_version(void)
{
    static _Thread_local char text[32];
    unsigned v = uc_version(NULL, NULL);
    snprintf(text, sizeof text, "%u.%u.%u", v >> 24, v >> 16 & 0xff, v >> 8 & 0xff);
    return text;
}

/* Running -------------------------------------------------------------------------------------- */

static _Thread_local struct engine *running;
/* The same for all engines, and known from the first one that is made on. */
static void (*leave_block)(void *library, uint32_t in_delay_slot);

bool library_run(struct engine *e, uint64_t pc)
{
    struct engine *before = running;
    running = e;
    e->arch->begin_run(e);
    uc_err err = uc_emu_start(e->uc, pc, 0, 0, 0);
    running = before;
    e->arch->begin_run(before);
    return err == UC_ERR_OK;
}

struct engine *library_running(void)
{
    return running;
}

void library_stop(struct engine *e)
{
    uc_emu_stop(e->uc);
}

void library_stop_before_block(struct engine *e)
{
    uc_emu_stop(e->uc);
    if (leave_block)
        leave_block(e->uc, 0);
}

void library_leaves_blocks_by(void (*leave)(void *library, uint32_t in_delay_slot))
{
    if (leave_block != leave)
        leave_block = leave;
}

void library_end_code(struct engine *e, const uint64_t *address)
{
    uint64_t none = 0;
    uc_ctl_set_exits(e->uc, address ? address : &none, address ? 1 : 0);
}

void library_drop_code(struct engine *e, uint64_t from, uint64_t to)
{
    e->drops++;
    uc_ctl_remove_cache(e->uc, from, to);
}

void library_drop_all_code(struct engine *e)
{
    e->drops++;
    uc_ctl_flush_tb(e->uc);
}

void library_flush_tlb(struct engine *e)
{
    uc_ctl_flush_tlb(e->uc);
}

/* Contexts ------------------------------------------------------------------------------------- */

struct uc_context *library_context_new(struct engine *e)
{
    uc_context *c;
    CHECK_ROOM(uc_context_alloc(e->uc, &c) == UC_ERR_OK);
    return c;
}

void library_context_free(struct uc_context *c)
{
    uc_context_free(c);
}

size_t library_context_size(const struct engine *e)
{
    return uc_context_size(e->uc);
}

void library_context_save(struct engine *e, struct uc_context *c)
{
    uc_context_save(e->uc, c);
}

void library_context_load(struct engine *e, struct uc_context *c)
{
    uc_context_restore(e->uc, c);
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
 * for code, and tables of its own. */
static bool has_room(struct error *e)
{
    const size_t wanted = CODE_BUFFER_BYTES + LIBRARY_TABLES_BYTES;
    if (memory_host_has(wanted))
        return true;
    error_set(e, "the host has no room for the engine: %zu MiB", wanted >> 20);
    return error_exit_status(e, CHECK_SHORTAGE_STATUS);
}

static bool is_new_enough(struct error *e)
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
bool library_open(struct engine *g, const char *model, struct error *e)
{
    struct unicorn_model m;
    return is_new_enough(e) && has_room(e) && g->arch->find_model(model, &m, e) &&
           check_uc(uc_open((uc_arch)m.arch, (uc_mode)m.mode, &g->uc), "open", e) &&
           check_uc(uc_ctl_set_page_size(g->uc, 4096), "page size", e) &&
           check_uc(uc_ctl_set_cpu_model(g->uc, m.number), "CPU model", e) &&
           check_uc(uc_ctl_set_tcg_buffer_size(g->uc, CODE_BUFFER_BYTES), "code buffer", e) &&
           check_uc(uc_ctl_tlb_mode(g->uc, UC_TLB_VIRTUAL), "TLB mode", e) &&
           check_uc(uc_ctl_exits_enable(g->uc), "exits", e);
}

void library_close(struct engine *g)
{
    if (g->uc)
        uc_close(g->uc);
}

/* The first mapping makes the buffer. */
bool library_map(struct engine *g, uint64_t at, uint64_t size, void *host, bool writable,
                 const char *what, struct error *e)
{
    uint32_t permits = UC_PROT_READ | UC_PROT_EXEC | (writable ? UC_PROT_WRITE : 0u);
    uc_err err = uc_mem_map_ptr(g->uc, at, size, permits, host);
    if (err == UC_ERR_OK && !code_buffer_commit(CODE_BUFFER_BYTES))
        err = UC_ERR_NOMEM;
    return check_uc(err, what, e);
}

/* Hooks ---------------------------------------------------------------------------------------- */

static bool on_fill(uc_engine *uc, uint64_t va, uc_mem_type type, uc_tlb_entry *result, void *user)
{
    (void)uc;
    struct engine *e = user;
    struct engine_page page;
    enum access_kind kind = type == UC_MEM_FETCH   ? ACCESS_FETCH
                            : type == UC_MEM_WRITE ? ACCESS_WRITE
                                                   : ACCESS_READ;
    if (!e->hooks->fill(e, va, kind, &page))
        return false;
    result->paddr = page.hpa;
    result->perms = (page.permits & PERMIT_R ? UC_PROT_READ : 0) |
                    (page.permits & PERMIT_W ? UC_PROT_WRITE : 0) |
                    (page.permits & PERMIT_X ? UC_PROT_EXEC : 0);
    return true;
}

static void on_translated(uc_engine *uc, uc_tb *block, uc_tb *before, void *user)
{
    (void)uc, (void)before;
    struct engine *e = user;
    e->hooks->translated(e, block->pc, block->size);
}

static bool add_hook(struct engine *g, int type, void *function, uint64_t from, uint64_t to,
                     struct error *e)
{
    uc_hook hook;
    return check_uc(uc_hook_add(g->uc, &hook, type, function, g, from, to), "hook", e);
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
    const struct memory_bank *last = &g->memory->banks[memory_ram_count(g->memory) - 1];
    return add_hook(g, UC_HOOK_MEM_FETCH_UNMAPPED, (void *)on_fetch_unmapped,
                    last->base.v + last->size, UINT64_MAX, e) &&
           (first->base.v == 0 || add_hook(g, UC_HOOK_MEM_FETCH_UNMAPPED, (void *)on_fetch_unmapped,
                                           0, first->base.v - 1, e));
}

bool library_add_hooks(struct engine *g, const struct library_hooks *hooks, struct error *e)
{
    g->hooks = hooks;
    return add_hook(g, UC_HOOK_TLB_FILL, (void *)on_fill, 1, 0, e) &&
           add_hook(g, UC_HOOK_INTR, (void *)hooks->interrupt, 1, 0, e) &&
           add_hook(g, UC_HOOK_EDGE_GENERATED, (void *)on_translated, 1, 0, e) &&
           add_fetch_hooks(g, e);
}

bool library_add_block_hook(struct engine *g, library_block_hook *hook, struct error *e)
{
    return add_hook(g, UC_HOOK_BLOCK, (void *)hook, 1, 0, e);
}

bool library_hook_instruction(struct engine *g, void *function, int instruction, struct error *e)
{
    uc_hook hook;
    return check_uc(uc_hook_add(g->uc, &hook, UC_HOOK_INSN, function, g, 1, 0, instruction), "hook",
                    e);
}
