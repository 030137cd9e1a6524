#include "cpu/interpose.h"

#ifdef QVM_INTERPOSE
static bool called;

/* Unicorn emits a check for a stop request behind every load and store: a call, for which all guest
 * registers are forced to memory. We stop at block starts only, where another check remains, so the
 * one behind accesses can go. */
void check_exit_request_aarch64(void *translation_context);
void check_exit_request_aarch64(void *translation_context)
{
    (void)translation_context;
    called = true;
}

/* Called for each system instruction that has a hook. The library's own takes the word apart and
 * keeps to itself where the registers are. */
uint32_t helper_uc_hooksys64_aarch64(void *record, uint32_t word, void *hook);
uint32_t helper_uc_hooksys64_aarch64(void *record, uint32_t word, void *hook)
{
    (void)hook;
    return engine_system_instruction(record, word);
}

/* What WFE is translated to: back to the library's loop, which YIELD is, too. */
void helper_yield_aarch64(void *record);
void helper_wfe_aarch64(void *record);
void helper_wfe_aarch64(void *record)
{
    engine_wfe();
    helper_yield_aarch64(record);
}

bool exit_check_is_ours(void)
{
    return called;
}
#else
bool exit_check_is_ours(void)
{
    return false;
}
#endif
