#include "cpu/unicorn/arm64/interpose.h"
#include "cpu/unicorn/unicorn_engine.h"

/* The same for all engines: what the first one finds while it is made is only read later, by
 * whatever threads there are. */
static struct interposed works;

static void note(bool *fact)
{
    if (!*fact)
        *fact = true;
}

#ifdef QVM_INTERPOSE
/* Unicorn emits a check for a stop request behind every load and store: a call, for which all guest
 * registers are forced to memory. We stop at block starts only, where another check is made (or the
 * block hook makes it: wrapped.c), so the one behind accesses can go. */
void check_exit_request_aarch64(void *translation_context);
void check_exit_request_aarch64(void *translation_context)
{
    (void)translation_context;
    note(&works.exit_checks);
}

/* Called for each system instruction that has a hook. The library's own takes the word apart and
 * keeps to itself where the registers are. */
uint32_t helper_uc_hooksys64_aarch64(void *record, uint32_t word, void *hook);
uint32_t helper_uc_hooksys64_aarch64(void *record, uint32_t word, void *hook)
{
    (void)hook;
    return interposed_system_instruction(record, word);
}

/* What WFE is translated to: back to the library's loop, which YIELD is, too. */
void helper_yield_aarch64(void *record);
void helper_wfe_aarch64(void *record);
void helper_wfe_aarch64(void *record)
{
    interposed_wfe();
    helper_yield_aarch64(record);
}
#endif

void interposed_block_starts(void (*leave)(void *library, uint32_t in_delay_slot))
{
    note(&works.block_starts);
    library_leaves_blocks_by(leave);
}

void interposed_fills(void)
{
    note(&works.fills);
}

struct interposed interposed(void)
{
    return works;
}
