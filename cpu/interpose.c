/* Build option QVM_INTERPOSE. Unicorn emits a check for a stop request behind every load and store,
 * which also forces all guest registers to memory. We stop at block starts only, where another
 * check remains, so the one behind accesses can go: a function of the same name in the program wins
 * over the library's. It leans on an internal name, so it is an option; results are the same with
 * and without, and a test says so. */
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
