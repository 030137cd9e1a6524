/* WFE as the end of a turn, where several vCPUs take turns. The library does not say that one was
 * executed; the block that follows it is known by a table of hints. */
#include "cpu/unicorn_engine.h"

#include "emu/bytes.h"

#define WFE_WORD 0xd503205fu

static bool instruction_is_wfe(struct engine *e, uint64_t va)
{
    hpa_t at;
    if (!find_code(e, va, &at))
        return false;
    const uint8_t *word = memory_at(e->memory, at, 4, MEMORY_READ);
    return word && load_le(word, 4) == WFE_WORD;
}

/* A block that follows a WFE sequentially gives the others their chance. After that it runs on, or
 * all vCPUs would yield for ever; a stop before the block has run does not change that. */
void on_block_yielding(struct uc_struct *uc, uint64_t address, uint32_t size, void *user)
{
    struct engine *e = user;
    bool may_yield = e->yield_after[(address >> 2) % YIELD_SLOTS] &&
                     address == e->fast.address + e->fast.size && !e->just_yielded && !e->aside;
    if (may_yield && instruction_is_wfe(e, address - 4)) {
        block_slow(e, address, size, true);
        return;
    }
    on_block(uc, address, size, user);
    if (!e->aside && !e->stopped)
        e->just_yielded = false;
}

void note_wfe_words(struct engine *e, hpa_t a, uint64_t size)
{
    const uint8_t *code = memory_at(e->memory, a, size, MEMORY_READ);
    for (uint64_t at = 0; code && at + 4 <= size; at += 4)
        for (uint64_t page = 0; page < YIELD_SLOTS && load_le32(code + at) == WFE_WORD;
             page += PAGE_SIZE / 4)
            e->yield_after[(page + (((a.v & PAGE_MASK) + at + 4) >> 2)) % YIELD_SLOTS] = 1;
}

void note_wfe_words_once(struct engine *e, uint64_t page_hpa)
{
    uint64_t *looked = &e->looked_through[page_hpa / PAGE_SIZE % LOOKED_SLOTS];
    if (*looked == (page_hpa | 1))
        return;
    *looked = page_hpa | 1;
    note_wfe_words(e, hpa(page_hpa), PAGE_SIZE);
}
