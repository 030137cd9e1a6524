#include "cpu/engine_script.h"

#include <stdlib.h>

#include "emu/check.h"

#define SYSREGS_MAX 64 /* more than vcpu.c writes */

struct engine_context {
    uint64_t x[31], sp, banked_sp[2], pc, pstate;
    uint64_t v[32][2];
    uint32_t fpcr, fpsr;
    struct {
        unsigned encoding;
        uint64_t value;
    } sysregs[SYSREGS_MAX];
    size_t sysreg_count;
    struct engine_monitor monitor;
    unsigned sequence;
};

struct engine {
    struct engine_head head;
    struct engine_script script;
    uint64_t executed;
    struct engine_context now;
};

/* Running -----------------------------------------------------------------------------------------
 */

static enum engine_stop script_run(struct engine *e, struct engine_budget budget)
{
    uint64_t left = UINT64_MAX - e->executed;
    uint64_t end = e->executed + (budget.exact < left ? budget.exact : left);
    uint64_t next = e->script.next(e->script.context);
    if (next > end) {
        e->executed = end;
        return ENGINE_BUDGET;
    }
    if (next > e->executed)
        e->executed = next;
    return e->script.act(e->script.context);
}

static uint64_t script_executed(const struct engine *e)
{
    return e->executed;
}

/* It stops at every act. */
static void script_stop_soon(struct engine *e)
{
    (void)e;
}

static bool script_set_checks(struct engine *e, unsigned checks)
{
    (void)e, (void)checks;
    return true;
}

static void script_use(struct engine *e, const struct engine_callbacks *callbacks)
{
    (void)e, (void)callbacks;
}

static void script_watch(struct engine *e, bool all, const uint64_t *places, size_t count)
{
    (void)e, (void)all, (void)places, (void)count;
}

static void script_note_code(struct engine *e, struct code_set *to)
{
    (void)e, (void)to;
}

static void script_count_attempt(struct engine *e)
{
    e->executed++;
}

static void script_uncount_attempt(struct engine *e)
{
    e->executed--;
}

static void script_continue_at(struct engine *e, uint64_t pc)
{
    (void)e, (void)pc;
}

static void script_expect_exit(struct engine *e, uint64_t pc, unsigned n)
{
    (void)e, (void)pc, (void)n;
}

static unsigned script_sequence(struct engine *e)
{
    return e->now.sequence;
}

static void script_set_sequence(struct engine *e, unsigned sequence)
{
    e->now.sequence = sequence;
}

static void script_set_executed(struct engine *e, uint64_t instructions)
{
    e->executed = instructions;
}

/* Registers ---------------------------------------------------------------------------------------
 */

static struct engine_monitor script_monitor(struct engine *e)
{
    return e->now.monitor;
}

static void script_set_monitor(struct engine *e, struct engine_monitor m)
{
    e->now.monitor = m;
}

static void script_clear_monitor(struct engine *e)
{
    e->now.monitor = (struct engine_monitor){.address = UINT64_MAX};
}

static uint64_t script_pc(struct engine *e)
{
    return e->now.pc;
}

static void script_set_pc(struct engine *e, uint64_t pc)
{
    e->now.pc = pc;
}

static uint64_t script_x(struct engine *e, unsigned n)
{
    return n < 31 ? e->now.x[n] : 0;
}

static void script_set_x(struct engine *e, unsigned n, uint64_t value)
{
    if (n < 31)
        e->now.x[n] = value;
}

static uint64_t script_sp(struct engine *e)
{
    return e->now.sp;
}

static void script_set_sp(struct engine *e, uint64_t value)
{
    e->now.sp = value;
}

static uint64_t script_banked_sp(struct engine *e, unsigned el)
{
    return e->now.banked_sp[el];
}

static void script_set_banked_sp(struct engine *e, unsigned el, uint64_t value)
{
    e->now.banked_sp[el] = value;
}

static uint64_t script_pstate(struct engine *e)
{
    return e->now.pstate;
}

static uint64_t script_mode(struct engine *e)
{
    return e->now.pstate & ENGINE_MODE;
}

static void script_set_pstate(struct engine *e, uint64_t value)
{
    e->now.pstate = value;
}

/* Those that nobody wrote read as zero. */
static uint64_t script_sysreg(struct engine *e, unsigned encoding)
{
    for (size_t i = 0; i < e->now.sysreg_count; i++)
        if (e->now.sysregs[i].encoding == encoding)
            return e->now.sysregs[i].value;
    return 0;
}

static void script_set_sysreg(struct engine *e, unsigned encoding, uint64_t value)
{
    size_t i = 0;
    while (i < e->now.sysreg_count && e->now.sysregs[i].encoding != encoding)
        i++;
    CHECK(i < SYSREGS_MAX);
    e->now.sysregs[i].encoding = encoding;
    e->now.sysregs[i].value = value;
    if (i == e->now.sysreg_count)
        e->now.sysreg_count++;
}

/* What an exception would have written: the guest's own code is not here to read it. */
static void script_forget(struct engine *e, uint64_t value)
{
    (void)e, (void)value;
}

static void script_vector(struct engine *e, unsigned n, uint64_t value[2])
{
    value[0] = e->now.v[n][0];
    value[1] = e->now.v[n][1];
}

static void script_set_vector(struct engine *e, unsigned n, const uint64_t value[2])
{
    e->now.v[n][0] = value[0];
    e->now.v[n][1] = value[1];
}

static uint32_t script_fpcr(struct engine *e)
{
    return e->now.fpcr;
}

static void script_set_fpcr(struct engine *e, uint32_t value)
{
    e->now.fpcr = value;
}

static uint32_t script_fpsr(struct engine *e)
{
    return e->now.fpsr;
}

static void script_set_fpsr(struct engine *e, uint32_t value)
{
    e->now.fpsr = value;
}

/* Caches: there are none --------------------------------------------------------------------------
 */

static void script_flush(struct engine *e)
{
    (void)e;
}

static void script_drop_code(struct engine *e, hpa_t a, uint64_t size)
{
    (void)e, (void)a, (void)size;
}

/* Contexts ----------------------------------------------------------------------------------------
 */

static struct engine_context *script_context_new(struct engine *e)
{
    struct engine_context *c = malloc(sizeof *c);
    CHECK_ROOM(c);
    *c = e->now;
    return c;
}

static void script_context_free(struct engine *e, struct engine_context *c)
{
    (void)e;
    free(c);
}

static void script_context_save(struct engine *e, struct engine_context *c)
{
    *c = e->now;
}

static void script_context_load(struct engine *e, struct engine_context *c)
{
    e->now = *c;
}

static void script_store_begins(struct engine *e, hpa_t a, uint64_t size, bool alone)
{
    (void)e, (void)a, (void)size, (void)alone;
}

static void script_free(struct engine *e)
{
    free(e);
}

static const struct engine_ops script_ops = {
    .free = script_free,
    .use = script_use,
    .run = script_run,
    .executed = script_executed,
    .stop_soon = script_stop_soon,
    .watch = script_watch,
    .note_code = script_note_code,
    .count_attempt = script_count_attempt,
    .uncount_attempt = script_uncount_attempt,
    .continue_at = script_continue_at,
    .expect_exit = script_expect_exit,
    .sequence = script_sequence,
    .monitor = script_monitor,
    .set_monitor = script_set_monitor,
    .set_sequence = script_set_sequence,
    .set_executed = script_set_executed,
    .pc = script_pc,
    .set_pc = script_set_pc,
    .x = script_x,
    .set_x = script_set_x,
    .sp = script_sp,
    .set_sp = script_set_sp,
    .banked_sp = script_banked_sp,
    .set_banked_sp = script_set_banked_sp,
    .pstate = script_pstate,
    .mode = script_mode,
    .set_pstate = script_set_pstate,
    .set_elr = script_forget,
    .set_esr = script_forget,
    .set_far = script_forget,
    .sysreg = script_sysreg,
    .set_sysreg = script_set_sysreg,
    .vector = script_vector,
    .set_vector = script_set_vector,
    .fpcr = script_fpcr,
    .set_fpcr = script_set_fpcr,
    .fpsr = script_fpsr,
    .set_fpsr = script_set_fpsr,
    .set_checks = script_set_checks,
    .flush_tlb = script_flush,
    .change_space = script_flush,
    .drop_code = script_drop_code,
    .flush_code_soon = script_flush,
    .store_begins = script_store_begins,
    .store_ends = script_flush,
    .tell_changes = script_flush,
    .clear_monitor = script_clear_monitor,
    .context_new = script_context_new,
    .context_free = script_context_free,
    .context_save = script_context_save,
    .context_load = script_context_load,
};

struct engine *engine_script_new(const struct engine_script *script)
{
    struct engine *e = calloc(1, sizeof *e);
    CHECK_ROOM(e);
    e->head.ops = &script_ops;
    e->script = *script;
    script_clear_monitor(e);
    return e;
}
