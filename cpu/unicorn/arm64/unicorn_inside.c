/* What the library has and does not show: the exclusive monitor, and where the registers are. Both
 * are found by what a small piece of code, the stub, does to them. */
#include "cpu/unicorn/arm64/unicorn_arm64.h"

#include <string.h>

#include "emu/bytes.h"

/* What the stub has of data. */
#define STUB_DATA 0x800

#define MONITOR_MARK  0x6d6f6e69746f7221u
#define REGISTER_MARK 0x7265676973746500u

void arm64_write_stub(uint8_t *page)
{
    static const uint32_t code[] = {0xd5033f5f, 0x14000001, 0x14000000,  /* CLREX */
                                    0xc85f7c20, 0x14000001, 0x14000000,  /* LDXR X0, [X1] */
                                    EXIT_WORD,  0x14000001, 0x14000000,  /* MRS */
                                    WFE_WORD,   0x14000001, 0x14000000,  /* WFE */
                                    0xf9400020, 0x14000001, 0x14000000,  /* LDR X0, [X1] */
                                    0xf94007e0, 0x14000001, 0x14000000,  /* LDR X0, [SP, #8] */
                                    0xc8007c20, 0x14000001, 0x14000000}; /* STXR W0, X0, [X1] */
    for (size_t i = 0; i < sizeof code / sizeof code[0]; i++)
        store_le(page + 4 * i, code[i], 4);
    store_le(page + STUB_DATA, MONITOR_MARK, 8);
}

static void run_stub(struct engine *e, uint64_t offset)
{
    uint64_t start = WINDOW | (STUB_HPA + offset);
    e->window_is_open = true;
    run_aside(e, start, start);
    pages_close_window(e, STUB_HPA);
}

/* The exclusive monitor -------------------------------------------------------------------------*/

void arm64_clear_monitor(struct engine *e)
{
    run_stub(e, STUB_CLREX);
}

static struct arm64_monitor monitor_at(const uint8_t *context, size_t offset)
{
    struct arm64_monitor m;
    memcpy(&m, context + offset, sizeof m);
    return m;
}

/* A context of what is loaded: its bytes. */
static uint8_t *save_scratch(struct engine *e, size_t *size)
{
    library_context_save(e, e->scratch);
    *size = library_context_size(e);
    return (uint8_t *)e->scratch;
}

/* It is in no register, but in every context: mark a place, and look where the place and what it
 * holds come one behind the other. What the library keeps there is three host integers: address,
 * value, high half of a pair. */
void arm64_find_monitor(struct engine *e)
{
    struct engine_context *before = engine_context_new(e);
    uint64_t place = WINDOW | (STUB_HPA + STUB_DATA);
    size_t size, found = 0;
    engine_set_x(e, 1, place);
    run_stub(e, STUB_LDXR);
    engine_set_x(e, 0, 0);
    engine_set_x(e, 1, 0);
    const uint8_t *context = save_scratch(e, &size);
    for (size_t at = 8; at + sizeof(struct arm64_monitor) <= size; at += 8) {
        struct arm64_monitor m = monitor_at(context, at);
        if (m.address == place && m.value == MONITOR_MARK)
            found = found ? SIZE_MAX : at;
    }
    e->part->monitor_offset = found == SIZE_MAX ? 0 : found;
    engine_clear_monitor(e);
    engine_context_load(e, before);
    engine_context_free(e, before);
}

void arm64_get_monitor(struct engine *e, uint64_t words[3])
{
    struct arm64_monitor m = {.address = UINT64_MAX};
    size_t size;
    if (e->part->monitor_offset)
        m = monitor_at(save_scratch(e, &size), e->part->monitor_offset);
    if (m.address == UINT64_MAX)
        m.value = 0; /* not the high half: the next LDXR leaves it as it is */
    memcpy(words, &m, sizeof m);
}

void arm64_set_monitor(struct engine *e, const uint64_t words[3])
{
    size_t size;
    if (!e->part->monitor_offset)
        return;
    memcpy(save_scratch(e, &size) + e->part->monitor_offset, words, sizeof(struct arm64_monitor));
    library_context_load(e, e->scratch);
}

/* The registers in use --------------------------------------------------------------------------*/

static bool holds_modes(struct engine *e, const struct live_registers *live)
{
    static const uint32_t modes[] = {PSTATE_EL0, PSTATE_EL1, PSTATE_EL1H, PSTATE_EL1 | PSTATE_PAN,
                                     PSTATE_EL1H | PSTATE_PAN};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        engine_set_pstate(e, modes[i]);
        if ((live->pstate & PSTATE_MODE) != modes[i])
            return false;
    }
    return true;
}

/* Marks are written to them, and looked for behind that pointer. NULL: they are not there. */
static struct live_registers *marked_registers(struct engine *e, uint8_t *at)
{
    uint64_t marks[33];
    for (unsigned n = 0; n < 33; n++)
        marks[n] = REGISTER_MARK + n;
    for (unsigned n = 0; n < 31; n++)
        engine_set_x(e, n, marks[n]);
    engine_set_sp(e, marks[31]);
    e->arch->set_pc(e, marks[32]);
    for (const uint8_t *end = at + PAGE_SIZE; at < end; at += 8) {
        struct live_registers *live = (struct live_registers *)(void *)at;
        if (memcmp(at, marks, sizeof marks) == 0)
            return holds_modes(e, live) ? live : NULL;
    }
    return NULL;
}

static void note_registers(struct engine *e, struct live_registers *live)
{
    e->part->live = live;
    e->live = live ? live->x : NULL;
    e->live_pc = live ? &live->pc : NULL;
}

/* Where the library has them, if an instruction of the stub comes to us with a pointer. */
bool arm64_find_registers(struct engine *e, struct error *error)
{
    struct engine_context *before = engine_context_new(e);
    run_stub(e, STUB_MRS);
    bool is_ours = e->part->record, is_understood = !is_ours || e->part->stub_word == EXIT_WORD;
    if (is_ours && is_understood)
        note_registers(e, marked_registers(e, e->part->record));
    engine_context_load(e, before);
    engine_context_free(e, before);
    return is_understood || error_set(error,
                                      "Unicorn %s does not have the inner function that "
                                      "cpu/unicorn/arm64/interpose.c replaces: configure with "
                                      "-DQVM_INTERPOSE=OFF",
                                      engine_version());
}

/* Checks of alignment ---------------------------------------------------------------------------
 */

/* The exception that the access at `offset` of the stub raises. */
static unsigned access_raises(struct engine *e, uint64_t offset, uint64_t x1, uint64_t sp)
{
    engine_set_x(e, 1, WINDOW | (STUB_HPA + x1));
    engine_set_sp(e, WINDOW | (STUB_HPA + sp));
    run_stub(e, STUB_LOADS + offset);
    return e->aside_exception;
}

/* The accesses must do what they are asked to, and no more when they are asked no longer. With SP
 * misaligned, or an exclusive store that is, it is a page that nobody has, so that no block
 * follows.
 */
void arm64_find_checks(struct engine *e)
{
    struct engine_context *before = engine_context_new(e);
    e->part->makes_checks = e->part->live != NULL;
    arm64_set_checks(e, CHECK_ALL | CHECK_SP_EL1 | CHECK_STXR);
    bool works = access_raises(e, 0, STUB_DATA, STUB_DATA) == 0 && e->stopped &&
                 access_raises(e, 0, STUB_DATA + 4, STUB_DATA) == ENGINE_DATA_ABORT &&
                 access_raises(e, 12, STUB_DATA, STUB_DATA) == 0 && e->stopped &&
                 access_raises(e, 12, STUB_DATA, STUB_DATA + 8) == 0 && !e->stopped &&
                 access_raises(e, 24, STUB_DATA, STUB_DATA) == 0 && e->stopped &&
                 access_raises(e, 24, STUB_DATA + 4, STUB_DATA) == 0 && !e->stopped;
    arm64_set_checks(e, 0);
    works = works && access_raises(e, 0, STUB_DATA + 4, STUB_DATA) == 0 && e->stopped &&
            access_raises(e, 12, STUB_DATA, STUB_DATA + 8) == 0 && e->stopped &&
            access_raises(e, 24, STUB_DATA + 4, STUB_DATA) == 0 && e->stopped;
    e->part->makes_checks = works;
    engine_context_load(e, before);
    engine_context_free(e, before);
}
