/* Blocks behind a WFE. Unless the library is made to say that one was executed
 * (cpu/unicorn/arm64/interpose.h) the block that follows it is known by a table of hints. */
#include "cpu/unicorn/arm64/interpose.h"
#include "cpu/unicorn/arm64/unicorn_arm64.h"

#include "emu/bytes.h"

bool arm64_pauses_are_told(struct engine *e)
{
    uint64_t start = WINDOW | (STUB_HPA + STUB_WFE), end = start + 8;
    library_end_code(e, &end);
    e->aside = e->window_is_open = true;
    library_run(e, start);
    e->aside = false;
    pages_close_window(e, STUB_HPA);
    library_end_code(e, NULL);
    bool told = e->behind_pause;
    e->behind_pause = false;
    return told;
}

static bool instruction_is_wfe(struct engine *e, uint64_t va)
{
    hpa_t at;
    if (!pages_find_code(e, va, &at))
        return false;
    const uint8_t *word = memory_at(e->memory, at, 4, MEMORY_READ);
    return word && load_le(word, 4) == WFE_WORD;
}

/* What a WFE does is done in the same run, before anything that is due behind it: the first block
 * of a run is not behind one. Not so where it yields. There a block that follows it sequentially
 * gives the others their chance; after that it runs on, or all vCPUs would yield for ever, and a
 * stop before the block has run does not change that. */
static bool may_be_behind_wfe(const struct engine *e, uint64_t address)
{
    return address == e->fast.address + e->fast.size && !e->aside &&
           (e->pause == PAUSE_WAITS ? e->fast.size != 0 : !e->just_yielded);
}

void arm64_on_block_behind_pause(struct uc_struct *uc, uint64_t address, uint32_t size, void *user)
{
    struct engine *e = user;
    bool hinted = e->yield_after[(address >> 2) % YIELD_SLOTS];
    if (hinted && may_be_behind_wfe(e, address) && instruction_is_wfe(e, address - 4)) {
        block_begin_slowly(e, address, size, true);
        return;
    }
    blocks_on_block(uc, address, size, user);
    if (!e->aside && !e->stopped)
        e->just_yielded = false;
}

void arm64_note_pauses(struct engine *e, hpa_t a, uint64_t size)
{
    const uint8_t *code = memory_at(e->memory, a, size, MEMORY_READ);
    for (uint64_t at = 0; code && at + 4 <= size; at += 4)
        for (uint64_t page = 0; page < YIELD_SLOTS && load_le32(code + at) == WFE_WORD;
             page += PAGE_SIZE / 4)
            e->yield_after[(page + (((a.v & PAGE_MASK) + at + 4) >> 2)) % YIELD_SLOTS] = 1;
}

void interposed_wfe(void)
{
    struct engine *e = library_running();
    if (e->pause == PAUSE_WAITS)
        e->behind_pause = true;
    if (!e->aside)
        blocks_look_at_next(e);
}
