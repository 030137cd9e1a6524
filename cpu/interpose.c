#include "cpu/interpose.h"

#include "emu/addr.h"

#ifdef QVM_INTERPOSE
static struct interposed works;

/* Unicorn emits a check for a stop request behind every load and store: a call, for which all guest
 * registers are forced to memory. We stop at block starts only, where another check remains, so the
 * one behind accesses can go. */
void check_exit_request_aarch64(void *translation_context);
void check_exit_request_aarch64(void *translation_context)
{
    (void)translation_context;
    works.exit_checks = true;
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

/* A block begins with another call, which looks for a stop request as well. Only a block hook can
 * have made one there: it makes the call itself when it did, and blocks begin without. This needs
 * the library's function under its own name, which a linker gives where it wraps (CMakeLists.txt).
 */
void helper_check_exit_request_aarch64(void *library, uint32_t in_delay_slot)
    __attribute__((weak)); /* from 2.1.4 on */
void __real_tcg_gen_callN_aarch64(void *context, void *function, void *result, int count,
                                  void **arguments) __attribute__((weak));
void __wrap_tcg_gen_callN_aarch64(void *context, void *function, void *result, int count,
                                  void **arguments);
void __wrap_tcg_gen_callN_aarch64(void *context, void *function, void *result, int count,
                                  void **arguments)
{
    if (function == (void *)helper_check_exit_request_aarch64)
        works.block_starts = true;
    else
        __real_tcg_gen_callN_aarch64(context, function, result, count, arguments);
}

/* The library finds PC before it shows a hook that a page is needed: a search for the block, and
 * its translation once more. Most pages are there, and PC is not asked for. */
#define MMU_IDX_E10_0 0 /* EL0's accesses, LDTR and STTR */
void tlb_set_page_aarch64(void *cpu, uint64_t va, uint64_t hpa, int permits, int mmu_idx,
                          uint64_t size);
bool __real_unicorn_fill_tlb_aarch64(void *cpu, uint64_t va, int size, int kind, int mmu_idx,
                                     bool is_probe, uintptr_t from) __attribute__((weak));
bool __wrap_unicorn_fill_tlb_aarch64(void *cpu, uint64_t va, int size, int kind, int mmu_idx,
                                     bool is_probe, uintptr_t from);
bool __wrap_unicorn_fill_tlb_aarch64(void *cpu, uint64_t va, int size, int kind, int mmu_idx,
                                     bool is_probe, uintptr_t from)
{
    struct filled_page page;
    works.fills = true;
    if (!engine_fill(va, kind, mmu_idx == MMU_IDX_E10_0, &page))
        return __real_unicorn_fill_tlb_aarch64(cpu, va, size, kind, mmu_idx, is_probe, from);
    tlb_set_page_aarch64(cpu, va & ~PAGE_MASK, page.hpa, page.permits, mmu_idx, PAGE_SIZE);
    return true;
}

void leave_before_block(void *library)
{
    if (works.block_starts)
        helper_check_exit_request_aarch64(library, 0);
}

struct interposed interposed(void)
{
    return works;
}
#else
void leave_before_block(void *library)
{
    (void)library;
}

struct interposed interposed(void)
{
    return (struct interposed){.exit_checks = false};
}
#endif
