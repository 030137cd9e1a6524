/* Where no engine is built in (QVM_ENGINE=none): guests whose exits were recorded are played
 * (cpu/exitlog/engine_exit_log.c), no others run. */
#include "cpu/disasm.h"
#include "cpu/engine.h"
#include "emu/bytes.h"

#include <inttypes.h>
#include <stdio.h>

bool engine_is_built_in(void)
{
    return false;
}

struct engine *engine_unicorn_new(const char *arch, const char *model, enum engine_pause pause,
                                  struct memory *memory, struct error *e)
{
    (void)arch, (void)model, (void)pause, (void)memory;
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
size_t disasm_text(const char *arch, uint64_t pc, const uint8_t *bytes, size_t size, char *text,
                   size_t room)
{
    size_t length = size < 4 ? size : 4;
    (void)arch, (void)pc;
    snprintf(text, room, ".word 0x%0*" PRIx64, (int)(2 * length), load_le(bytes, length));
    return length;
}

const char *disasm_version(void)
{
    return "none";
}
