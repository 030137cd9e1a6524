#include "cpu/exitlog/engine_exit_log.h"

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
    struct engine_exit_log exit_log;
    uint64_t executed;
    struct engine_context now;
};

/* Running -----------------------------------------------------------------------------------------
 */

static enum engine_stop exit_log_run(struct engine *e, struct engine_budget budget)
{
    uint64_t left = UINT64_MAX - e->executed;
    uint64_t end = e->executed + (budget.exact < left ? budget.exact : left);
    uint64_t next = e->exit_log.next(e->exit_log.context);
    if (next > end) {
        e->executed = end;
        return ENGINE_BUDGET;
    }
    if (next > e->executed)
        e->executed = next;
    return e->exit_log.act(e->exit_log.context);
}

static uint64_t exit_log_executed(const struct engine *e)
{
    return e->executed;
}

/* It stops at every act. */
static void exit_log_stop_soon(struct engine *e)
{
    (void)e;
}

static bool exit_log_set_checks(struct engine *e, unsigned checks)
{
    (void)e, (void)checks;
    return true;
}

static void exit_log_use(struct engine *e, const struct engine_callbacks *callbacks)
{
    (void)e, (void)callbacks;
}

static void exit_log_watch(struct engine *e, bool all, const uint64_t *places, size_t count)
{
    (void)e, (void)all, (void)places, (void)count;
}

static void exit_log_note_code(struct engine *e, struct code_set *to)
{
    (void)e, (void)to;
}

static void exit_log_count_attempt(struct engine *e)
{
    e->executed++;
}

static void exit_log_uncount_attempt(struct engine *e)
{
    e->executed--;
}

static void exit_log_continue_at(struct engine *e, uint64_t pc)
{
    (void)e, (void)pc;
}

static void exit_log_expect_exit(struct engine *e, uint64_t pc, unsigned n)
{
    (void)e, (void)pc, (void)n;
}

static unsigned exit_log_sequence(struct engine *e)
{
    return e->now.sequence;
}

static void exit_log_set_sequence(struct engine *e, unsigned sequence)
{
    e->now.sequence = sequence;
}

static void exit_log_set_executed(struct engine *e, uint64_t instructions)
{
    e->executed = instructions;
}

/* Registers ---------------------------------------------------------------------------------------
 */

static struct engine_monitor exit_log_monitor(struct engine *e)
{
    return e->now.monitor;
}

static void exit_log_set_monitor(struct engine *e, struct engine_monitor m)
{
    e->now.monitor = m;
}

static void exit_log_clear_monitor(struct engine *e)
{
    e->now.monitor = (struct engine_monitor){.address = UINT64_MAX};
}

static uint64_t exit_log_pc(struct engine *e)
{
    return e->now.pc;
}

static void exit_log_set_pc(struct engine *e, uint64_t pc)
{
    e->now.pc = pc;
}

static uint64_t exit_log_x(struct engine *e, unsigned n)
{
    return n < 31 ? e->now.x[n] : 0;
}

static void exit_log_set_x(struct engine *e, unsigned n, uint64_t value)
{
    if (n < 31)
        e->now.x[n] = value;
}

static uint64_t exit_log_sp(struct engine *e)
{
    return e->now.sp;
}

static void exit_log_set_sp(struct engine *e, uint64_t value)
{
    e->now.sp = value;
}

static uint64_t exit_log_banked_sp(struct engine *e, unsigned el)
{
    return e->now.banked_sp[el];
}

static void exit_log_set_banked_sp(struct engine *e, unsigned el, uint64_t value)
{
    e->now.banked_sp[el] = value;
}

static uint64_t exit_log_pstate(struct engine *e)
{
    return e->now.pstate;
}

static uint64_t exit_log_mode(struct engine *e)
{
    return e->now.pstate & ENGINE_MODE;
}

static void exit_log_set_pstate(struct engine *e, uint64_t value)
{
    e->now.pstate = value;
}

/* Those that nobody wrote read as zero. */
static uint64_t exit_log_sysreg(struct engine *e, unsigned encoding)
{
    for (size_t i = 0; i < e->now.sysreg_count; i++)
        if (e->now.sysregs[i].encoding == encoding)
            return e->now.sysregs[i].value;
    return 0;
}

static void exit_log_set_sysreg(struct engine *e, unsigned encoding, uint64_t value)
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
static void exit_log_forget(struct engine *e, uint64_t value)
{
    (void)e, (void)value;
}

static void exit_log_vector(struct engine *e, unsigned n, uint64_t value[2])
{
    value[0] = e->now.v[n][0];
    value[1] = e->now.v[n][1];
}

static void exit_log_set_vector(struct engine *e, unsigned n, const uint64_t value[2])
{
    e->now.v[n][0] = value[0];
    e->now.v[n][1] = value[1];
}

static uint32_t exit_log_fpcr(struct engine *e)
{
    return e->now.fpcr;
}

static void exit_log_set_fpcr(struct engine *e, uint32_t value)
{
    e->now.fpcr = value;
}

static uint32_t exit_log_fpsr(struct engine *e)
{
    return e->now.fpsr;
}

static void exit_log_set_fpsr(struct engine *e, uint32_t value)
{
    e->now.fpsr = value;
}

/* Caches: there are none --------------------------------------------------------------------------
 */

static void exit_log_flush(struct engine *e)
{
    (void)e;
}

static void exit_log_drop_code(struct engine *e, hpa_t a, uint64_t size)
{
    (void)e, (void)a, (void)size;
}

/* Contexts ----------------------------------------------------------------------------------------
 */

static struct engine_context *exit_log_context_new(struct engine *e)
{
    struct engine_context *c = malloc(sizeof *c);
    CHECK_ROOM(c);
    *c = e->now;
    return c;
}

static void exit_log_context_free(struct engine *e, struct engine_context *c)
{
    (void)e;
    free(c);
}

static void exit_log_context_save(struct engine *e, struct engine_context *c)
{
    *c = e->now;
}

static void exit_log_context_load(struct engine *e, struct engine_context *c)
{
    e->now = *c;
}

static void exit_log_store_begins(struct engine *e, hpa_t a, uint64_t size, bool alone)
{
    (void)e, (void)a, (void)size, (void)alone;
}

static void exit_log_free(struct engine *e)
{
    free(e);
}

static const struct engine_ops exit_log_ops = {
    .free = exit_log_free,
    .use = exit_log_use,
    .run = exit_log_run,
    .executed = exit_log_executed,
    .stop_soon = exit_log_stop_soon,
    .watch = exit_log_watch,
    .note_code = exit_log_note_code,
    .count_attempt = exit_log_count_attempt,
    .uncount_attempt = exit_log_uncount_attempt,
    .continue_at = exit_log_continue_at,
    .expect_exit = exit_log_expect_exit,
    .sequence = exit_log_sequence,
    .monitor = exit_log_monitor,
    .set_monitor = exit_log_set_monitor,
    .set_sequence = exit_log_set_sequence,
    .set_executed = exit_log_set_executed,
    .pc = exit_log_pc,
    .set_pc = exit_log_set_pc,
    .x = exit_log_x,
    .set_x = exit_log_set_x,
    .sp = exit_log_sp,
    .set_sp = exit_log_set_sp,
    .banked_sp = exit_log_banked_sp,
    .set_banked_sp = exit_log_set_banked_sp,
    .pstate = exit_log_pstate,
    .mode = exit_log_mode,
    .set_pstate = exit_log_set_pstate,
    .set_elr = exit_log_forget,
    .set_esr = exit_log_forget,
    .set_far = exit_log_forget,
    .sysreg = exit_log_sysreg,
    .set_sysreg = exit_log_set_sysreg,
    .vector = exit_log_vector,
    .set_vector = exit_log_set_vector,
    .fpcr = exit_log_fpcr,
    .set_fpcr = exit_log_set_fpcr,
    .fpsr = exit_log_fpsr,
    .set_fpsr = exit_log_set_fpsr,
    .set_checks = exit_log_set_checks,
    .flush_tlb = exit_log_flush,
    .change_space = exit_log_flush,
    .drop_code = exit_log_drop_code,
    .flush_code_soon = exit_log_flush,
    .store_begins = exit_log_store_begins,
    .store_ends = exit_log_flush,
    .tell_changes = exit_log_flush,
    .clear_monitor = exit_log_clear_monitor,
    .context_new = exit_log_context_new,
    .context_free = exit_log_context_free,
    .context_save = exit_log_context_save,
    .context_load = exit_log_context_load,
};

struct engine *engine_exit_log_new(const struct engine_exit_log *exit_log)
{
    struct engine *e = calloc(1, sizeof *e);
    CHECK_ROOM(e);
    e->head.ops = &exit_log_ops;
    e->exit_log = *exit_log;
    exit_log_clear_monitor(e);
    return e;
}
