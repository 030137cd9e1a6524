/* Where no engine is built in (QVM_ENGINE=none): guests whose exits were recorded are played
 * (cpu/exitlog/engine_exit_log.c), no others run. */
#include "cpu/arm64/disasm.h"
#include "cpu/engine.h"

#include <inttypes.h>
#include <stdio.h>

bool engine_is_built_in(void)
{
    return false;
}

struct engine *engine_unicorn_new(const char *model, enum engine_wfe wfe, struct memory *memory,
                                  struct error *e)
{
    (void)model, (void)wfe, (void)memory;
    error_set(e,
              "this program was built without Unicorn and runs no guest code: it plays the exits "
              "that record --exits keeps, and imported ones");
    return NULL;
}

const char *engine_version(void)
{
    return "none";
}

const char *engine_interposed(void)
{
    return "";
}

/* Nor is there a library that knows instructions. */
void disasm_a64(uint64_t pc, uint32_t word, char *text, size_t size)
{
    (void)pc;
    snprintf(text, size, ".word 0x%08" PRIx32, word);
}

const char *disasm_version(void)
{
    return "none";
}
