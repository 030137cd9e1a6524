/* AArch64 in the library: registers, system instructions, models. With unicorn_library.c the only
 * file that includes the library. */
#include <stdio.h>
#include <string.h>
#include <unicorn/unicorn.h>

#include "cpu/unicorn/arm64/interpose.h"
#include "cpu/unicorn/arm64/unicorn_arm64.h"
#include "emu/check.h"

/* Registers ------------------------------------------------------------------------------------ */

static uint64_t reg(const struct engine *e, int id)
{
    uint64_t value = 0;
    uc_reg_read(e->uc, id, &value);
    return value;
}

static void set_reg(struct engine *e, int id, uint64_t value)
{
    uc_reg_write(e->uc, id, &value);
}

/* PSTATE, FPCR and FPSR are registers of 32 bits to the library: on a big-endian host a larger
 * variable would have them in its other half. */
static uint32_t reg32(const struct engine *e, int id)
{
    uint32_t value = 0;
    uc_reg_read(e->uc, id, &value);
    return value;
}

static void set_reg32(struct engine *e, int id, uint64_t value)
{
    uint32_t low = (uint32_t)value;
    uc_reg_write(e->uc, id, &low);
}

static uint64_t get_pc(const struct engine *e)
{
    return reg(e, UC_ARM64_REG_PC);
}

static void set_pc(struct engine *e, uint64_t pc)
{
    set_reg(e, UC_ARM64_REG_PC, pc);
}

static int x_id(unsigned n)
{
    return n < 29 ? UC_ARM64_REG_X0 + (int)n : n == 29 ? UC_ARM64_REG_X29 : UC_ARM64_REG_X30;
}

/* Apart from where they are at hand, or the compiler saves registers there for what is needed here.
 */
static __attribute__((noinline)) uint64_t ask_x(const struct engine *e, unsigned n)
{
    return e->in_exit && n == e->exit_n ? e->exit_x : reg(e, x_id(n));
}

static inline uint64_t get_x(const struct engine *e, unsigned n)
{
    return e->live ? e->live[n] : ask_x(e, n);
}

static uc_arm64_cp_reg cp_reg(unsigned encoding)
{
    return (uc_arm64_cp_reg){
        .op0 = encoding >> 14 & 3,
        .op1 = encoding >> 11 & 7,
        .crn = encoding >> 7 & 15,
        .crm = encoding >> 3 & 15,
        .op2 = encoding & 7,
    };
}

static uint64_t get_system(struct engine *e, unsigned encoding)
{
    uc_arm64_cp_reg r = cp_reg(encoding);
    uc_err err = uc_reg_read(e->uc, UC_ARM64_REG_CP_REG, &r);
    CHECK(err == UC_ERR_OK);
    return r.val;
}

/* The registers of an exception entry without the cost of a lookup by encoding. */
static void set_system(struct engine *e, unsigned encoding, uint64_t value)
{
    int quick = encoding == SYS_ELR_EL1   ? UC_ARM64_REG_ELR_EL1
                : encoding == SYS_ESR_EL1 ? UC_ARM64_REG_ESR_EL1
                : encoding == SYS_FAR_EL1 ? UC_ARM64_REG_FAR_EL1
                                          : UC_ARM64_REG_INVALID;
    if (quick != UC_ARM64_REG_INVALID) {
        set_reg(e, quick, value);
        return;
    }
    uc_arm64_cp_reg r = cp_reg(encoding);
    r.val = value;
    uc_err err = uc_reg_write(e->uc, UC_ARM64_REG_CP_REG, &r);
    CHECK(err == UC_ERR_OK);
}

/* The library's name of those that are not X0 to X30 or system registers. */
static int library_id(unsigned id)
{
    switch (id) {
    case ARM64_SP:
        return UC_ARM64_REG_SP;
    case ARM64_SP_EL0:
        return UC_ARM64_REG_SP_EL0;
    case ARM64_SP_EL1:
        return UC_ARM64_REG_SP_EL1;
    case ARM64_PSTATE:
        return UC_ARM64_REG_PSTATE;
    case ARM64_FPCR:
        return UC_ARM64_REG_FPCR;
    default:
        CHECK(id == ARM64_FPSR);
        return UC_ARM64_REG_FPSR;
    }
}

static bool is_32_bits(unsigned id)
{
    return id == ARM64_PSTATE || id == ARM64_FPCR || id == ARM64_FPSR;
}

static __attribute__((noinline)) uint64_t get_other(struct engine *e, unsigned id)
{
    if (id == (ARM64_PSTATE | ENGINE_MODE))
        return e->part->live ? e->part->live->pstate : reg32(e, UC_ARM64_REG_PSTATE);
    if (id == ARM64_SP && e->part->live)
        return e->part->live->sp;
    if (id >= ARM64_SYSREG)
        return get_system(e, id - ARM64_SYSREG);
    return is_32_bits(id) ? reg32(e, library_id(id)) : reg(e, library_id(id));
}

static uint64_t get(struct engine *e, unsigned id)
{
    return id <= 30 ? get_x(e, id) : get_other(e, id);
}

static __attribute__((noinline)) void set_other(struct engine *e, unsigned id, uint64_t value)
{
    if (id <= 30)
        set_reg(e, x_id(id), value);
    else if (id >= ARM64_SYSREG)
        set_system(e, id - ARM64_SYSREG, value);
    else if (id == ARM64_MONITOR)
        arm64_clear_monitor(e);
    else if (is_32_bits(id))
        set_reg32(e, library_id(id), value);
    else
        set_reg(e, library_id(id), value);
}

static void set(struct engine *e, unsigned id, uint64_t value)
{
    if (id <= 30)
        e->exit_n = ARM64_SP; /* none of them is known any more */
    if (id <= 30 && e->live)
        e->live[id] = value;
    else
        set_other(e, id, value);
}

static void get_wide(struct engine *e, unsigned id, uint64_t *words, size_t count)
{
    CHECK(count == (id == ARM64_MONITOR ? 3 : 2));
    if (id == ARM64_MONITOR)
        arm64_get_monitor(e, words);
    else
        uc_reg_read(e->uc, UC_ARM64_REG_Q0 + (int)(id - ARM64_V0), words);
}

static void set_wide(struct engine *e, unsigned id, const uint64_t *words, size_t count)
{
    CHECK(count == (id == ARM64_MONITOR ? 3 : 2));
    if (id == ARM64_MONITOR)
        arm64_set_monitor(e, words);
    else
        uc_reg_write(e->uc, UC_ARM64_REG_Q0 + (int)(id - ARM64_V0), words);
}

/* System instructions -------------------------------------------------------------------------- */

static uint32_t on_system(struct engine *e, const struct engine_system *op)
{
    if (op->is_read && op->number == EXIT_ENCODING)
        return arm64_on_exit_word(e, op->n, op->value);
    return engine_asks(e->callbacks->asked, op->number, op->is_read) &&
           e->callbacks->system(e->callbacks->cpu, op);
}

/* In place of the library's own, which hands the instruction to on_read and on_write in parts. */
uint32_t interposed_system_instruction(void *record, uint32_t word)
{
    struct engine *e = library_running();
    if (e->aside) {
        e->part->record = record;
        e->part->stub_word = word;
        return 0;
    }
    struct engine_system op = {
        .number = sysreg_encoding(word), .is_read = word >> 21 & 1, .n = word & 31};
    op.value = op.n < 31 ? get_x(e, op.n) : 0;
    return on_system(e, &op);
}

static struct engine_system system_of(uc_arm64_reg rt, const uc_arm64_cp_reg *r, bool is_read)
{
    return (struct engine_system){
        .number = SYSREG(r->op0, r->op1, r->crn, r->crm, r->op2),
        .is_read = is_read,
        .value = r->val,
        .n = rt >= UC_ARM64_REG_X0 && rt <= UC_ARM64_REG_X28 ? (unsigned)(rt - UC_ARM64_REG_X0)
             : rt == UC_ARM64_REG_X29                        ? 29
             : rt == UC_ARM64_REG_X30                        ? 30
                                                             : 31,
    };
}

static uint32_t on_read(uc_engine *uc, uc_arm64_reg rt, const uc_arm64_cp_reg *r, void *user)
{
    (void)uc;
    struct engine_system op = system_of(rt, r, true);
    return on_system(user, &op);
}

static uint32_t on_write(uc_engine *uc, uc_arm64_reg rt, const uc_arm64_cp_reg *r, void *user)
{
    (void)uc;
    struct engine_system op = system_of(rt, r, false);
    return on_system(user, &op);
}

/* Set-up --------------------------------------------------------------------------------------- */

#define SCR_EL3 SYSREG(3, 6, 1, 1, 0)
#define HCR_EL2 SYSREG(3, 4, 1, 1, 0)

static int model_number(const char *model)
{
    static const struct {
        const char *name;
        int number;
    } models[] = {{"a53", UC_CPU_ARM64_A53},
                  {"a57", UC_CPU_ARM64_A57},
                  {"a72", UC_CPU_ARM64_A72},
                  {"max", UC_CPU_ARM64_MAX}};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(models[i].name, model) == 0)
            return models[i].number;
    return -1;
}

static bool find_model(const char *model, struct unicorn_model *m, struct error *e)
{
    int number = model_number(model);
    *m = (struct unicorn_model){.arch = UC_ARCH_ARM64, .mode = UC_MODE_ARM, .number = number};
    return number >= 0 || error_set(e, "unknown CPU model '%s': a53, a57, a72 or max", model);
}

static bool add_hooks(struct engine *g, struct error *e)
{
    return library_hook_instruction(g, (void *)on_read, UC_ARM64_INS_MRS, e) &&
           library_hook_instruction(g, (void *)on_read, UC_ARM64_INS_SYSL, e) &&
           library_hook_instruction(g, (void *)on_write, UC_ARM64_INS_MSR, e) &&
           library_hook_instruction(g, (void *)on_write, UC_ARM64_INS_SYS, e);
}

/* Non-secure, AArch64 below, HVC enabled, no traps to EL2: the guest starts at EL1. */
static bool prepare(struct engine *g, struct error *e)
{
    set_system(g, SCR_EL3, 0x531);
    set_system(g, HCR_EL2, (uint64_t)1 << 31);
    arm64_find_monitor(g);
    if (!arm64_find_registers(g, e))
        return false;
    arm64_find_checks(g);
    return true;
}

/* A TLBI of one page, as if the guest had executed it: what the library drops is that page in all
 * its tables, and the blocks it would find by their address there. */
static void drop_page(struct engine *e, uint64_t va)
{
    set_system(e, SYSREG(1, 0, 8, 7, 1), va >> PAGE_BITS); /* VAE1 */
}

static bool is_behind(unsigned exception)
{
    return exception == ENGINE_SVC || exception == ENGINE_HVC || exception == ENGINE_SMC;
}

/* An exit is a WFI inside the library, which at EL0 SCTLR_EL1.nTWI = 0 would trap. */
static bool allow_exits(struct engine *e, uint64_t *sctlr)
{
    if (!at_el0(engine_mode(e)))
        return false;
    *sctlr = get_system(e, SYS_SCTLR_EL1);
    if (*sctlr & SCTLR_NTWI)
        return false;
    set_system(e, SYS_SCTLR_EL1, *sctlr | SCTLR_NTWI);
    return true;
}

static void end_exits(struct engine *e, uint64_t sctlr)
{
    set_system(e, SYS_SCTLR_EL1, sctlr);
}

static void means_text(const struct engine *e, char *text, size_t size)
{
    snprintf(text, size, "%s%s", e->part->live ? " registers," : "",
             e->part->makes_checks ? " alignment," : "");
}

const struct unicorn_arch unicorn_arm64 = {
    .name = "arm64",
    .part_size = sizeof(struct unicorn_part),
    .find_model = find_model,
    .write_stub = arm64_write_stub,
    .add_hooks = add_hooks,
    .prepare = prepare,
    .get = get,
    .set = set,
    .get_wide = get_wide,
    .set_wide = set_wide,
    .set_checks = arm64_set_checks,
    .expect_exit = arm64_expect_exit,
    .pc = get_pc,
    .set_pc = set_pc,
    .begin_run = arm64_begin_run,
    .drop_page = drop_page,
    .is_behind = is_behind,
    .allow_exits = allow_exits,
    .end_exits = end_exits,
    .translate_expected = arm64_translate_expected,
    .translate_as_it_is = arm64_translate_as_it_is,
    .pauses_are_told = arm64_pauses_are_told,
    .on_block_behind_pause = arm64_on_block_behind_pause,
    .note_pauses = arm64_note_pauses,
    .wants_look = arm64_wants_look,
    .look_at = arm64_look_at,
    .look_for_events = arm64_look_for_events,
    .means_text = means_text,
};
