/* Instructions that exit again and again.
 *
 * An access that `fill` refuses costs an abort, a stop and a restart, a hypercall an exception.
 * Where that happens often, EXIT_WORD lies in the instruction's place while its block is
 * translated, and the instruction itself right after: what is translated asks `carry_out`
 * (arm64_on_exit_word), what is in memory never changed. EXIT_END behind it ends the block, so that
 * what the exit caused is due before the next instruction; it is not counted. When the block is
 * dropped, for whatever reason, the instruction is tried again. */
#include "cpu/unicorn/arm64/unicorn_arm64.h"

#include <string.h>

#include "emu/bytes.h"

#define EXIT_END   0x14000000u /* B . */
#define EXIT_OFTEN 64          /* exits before it is */

static struct exiting *exiting_at(struct engine *e, uint64_t pc)
{
    return &e->exiting[(pc >> 2) % EXIT_SLOTS];
}

/* The run ends before the next block, and goes on at exit_pc. */
static void leave(struct engine *e, uint64_t count)
{
    e->leaving = true;
    e->fast.address = e->exit_end;
    e->fast.size = 0;
    blocks_grant(e, count);
}

/* Instead of an instruction that exits, if this is the block that was translated so.
 * Guests may have such words of their own, and change them without telling anybody: then it is the
 * engine's, or at worst what is in memory by now is carried out, which the manual allows. */
uint32_t arm64_on_exit_word(struct engine *e, unsigned n, uint64_t value)
{
    uint64_t pc = library_pc(e);
    struct exiting *x = exiting_at(e, pc);
    if (x->pc != pc || !x->is_translated || x->from != e->fast.address ||
        e->fast.address + e->fast.size != pc + 8)
        return 0;
    uint64_t count = blocks_counted_to_pc(e, pc + 4);
    e->exit_pc = e->exit_end = pc;
    e->exit_count = count;
    e->exit_n = n;
    e->exit_x = value;
    e->in_exit = true;
    enum engine_outcome outcome = e->callbacks->carry_out(e->callbacks->cpu, pc);
    e->in_exit = false;
    e->fast.left += 4; /* EXIT_END */
    e->fast.size -= 4;
    if (outcome == ENGINE_DONE) {
        e->exit_pc = e->exit_end = pc + 4;
        if (e->watching || e->stop_wanted || e->flush_code_wanted)
            leave(e, count);
    } else if (outcome == ENGINE_REFUSED) {
        e->refused = x;
        leave(e, count - 1);
    } else {
        leave(e, count);
    }
    return 1;
}

void arm64_translate_as_it_is(struct engine *e, struct exiting *x)
{
    if (!x->is_translated)
        return;
    x->is_translated = false;
    pages_drop_translated(e, hpa(x->hpa), 4);
}

/* A block may have become shorter meanwhile, or end before EXIT_END for its length. */
void arm64_translate_expected(struct engine *e)
{
    hpa_t at;
    uint64_t pc = e->expected, before = pc - e->expected_from;
    struct exiting *x = exiting_at(e, pc);
    e->expected = 0;
    if (x->pc != pc || !pages_find_code(e, pc, &at))
        return;
    uint8_t kept[8], *words = memory_at(e->memory, at, sizeof kept, MEMORY_READ);
    if (!words)
        return;
    arm64_translate_as_it_is(e, x);
    memcpy(kept, words, sizeof kept);
    store_le(words, EXIT_WORD | x->n, 4);
    store_le(words + 4, EXIT_END, 4);
    pages_drop_translated(e, hpa(at.v - before), before + 4);
    run_aside(e, e->expected_from, UINT64_MAX);
    memcpy(words, kept, sizeof kept);
    x->from = e->expected_from;
    x->hpa = at.v;
    x->is_translated = true;
    if (x->from + e->aside_size != pc + 8)
        arm64_translate_as_it_is(e, x);
}

/* Not the last instruction of a page: EXIT_END has no place there. */
void arm64_expect_exit(struct engine *e, uint64_t pc, unsigned n)
{
    uint64_t from = e->inside ? e->block_address : e->fast.address;
    struct exiting *x = exiting_at(e, pc);
    if (x->pc != pc) {
        arm64_translate_as_it_is(e, x);
        *x = (struct exiting){.pc = pc};
    }
    if (++x->times < EXIT_OFTEN || pc < from || ((pc + 4) ^ from) & ~PAGE_MASK)
        return;
    x->times = 0;
    x->n = n;
    e->expected = pc;
    e->expected_from = from;
    e->stop_wanted = true;
    blocks_look_at_next(e);
}
