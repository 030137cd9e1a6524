#include "cpu/exitlog/engine_exit_log.h"

#include <stdlib.h>
#include <string.h>

#include "emu/check.h"

#define NUMBERED_MAX 128 /* registers that an architecture numbers from 0, */
#define OTHERS_MAX   64  /* and others: more than their own code writes */

struct engine_context {
    uint64_t pc;
    uint64_t numbered[NUMBERED_MAX][ENGINE_WORDS_MAX];
    struct {
        unsigned id;
        uint64_t value;
    } others[OTHERS_MAX];
    size_t other_count;
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

static uint64_t exit_log_pc(struct engine *e)
{
    return e->now.pc;
}

static void exit_log_set_pc(struct engine *e, uint64_t pc)
{
    e->now.pc = pc;
}

static size_t find_other(const struct engine *e, unsigned id)
{
    size_t i = 0;
    while (i < e->now.other_count && e->now.others[i].id != id)
        i++;
    return i;
}

/* Those that nobody wrote read as zero. */
static uint64_t exit_log_get(struct engine *e, unsigned id)
{
    id &= ~ENGINE_MODE;
    if (id < NUMBERED_MAX)
        return e->now.numbered[id][0];
    size_t i = find_other(e, id);
    return i < e->now.other_count ? e->now.others[i].value : 0;
}

static void exit_log_set(struct engine *e, unsigned id, uint64_t value)
{
    if (id < NUMBERED_MAX) {
        e->now.numbered[id][0] = value;
        return;
    }
    size_t i = find_other(e, id);
    CHECK(i < OTHERS_MAX);
    e->now.others[i].id = id;
    e->now.others[i].value = value;
    if (i == e->now.other_count)
        e->now.other_count++;
}

static void exit_log_get_wide(struct engine *e, unsigned id, uint64_t *words, size_t count)
{
    CHECK(id < NUMBERED_MAX && count <= ENGINE_WORDS_MAX);
    memcpy(words, e->now.numbered[id], count * sizeof *words);
}

static void exit_log_set_wide(struct engine *e, unsigned id, const uint64_t *words, size_t count)
{
    CHECK(id < NUMBERED_MAX && count <= ENGINE_WORDS_MAX);
    memcpy(e->now.numbered[id], words, count * sizeof *words);
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
    .set_sequence = exit_log_set_sequence,
    .set_executed = exit_log_set_executed,
    .pc = exit_log_pc,
    .set_pc = exit_log_set_pc,
    .get = exit_log_get,
    .set = exit_log_set,
    .get_wide = exit_log_get_wide,
    .set_wide = exit_log_set_wide,
    .set_checks = exit_log_set_checks,
    .flush_tlb = exit_log_flush,
    .change_space = exit_log_flush,
    .drop_code = exit_log_drop_code,
    .flush_code_soon = exit_log_flush,
    .store_begins = exit_log_store_begins,
    .store_ends = exit_log_flush,
    .tell_changes = exit_log_flush,
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
    return e;
}
