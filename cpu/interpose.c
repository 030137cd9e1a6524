/* Unicorn emits a check for a stop request behind every load and store: a call, for which all guest
 * registers are forced to memory. We stop at block starts only, where another check remains, so the
 * one behind accesses can go: our function of the same name wins over the library's. It leans on an
 * internal name, so it is an option (QVM_INTERPOSE); results are the same with and without, and a
 * test says so. */
#include "cpu/engine.h"

#ifdef QVM_INTERPOSE
static bool called;

void check_exit_request_aarch64(void *translation_context);
void check_exit_request_aarch64(void *translation_context)
{
    (void)translation_context;
    called = true;
}

bool engine_is_interposed(void)
{
    return called;
}
#else
bool engine_is_interposed(void)
{
    return false;
}
#endif
