/* Functions of Unicorn that ours stand around: what blocks begin with, how pages are found,
 * and how memory accesses are translated, which unicorn_checks.c decides. The names,
 * types and numbers are those inside the library; a self-test says whether all of it works, and
 * where it does not, or where this is not linked, cpu/arm64/alignment.c checks alignment. */
#ifndef QVM_WRAP
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#endif

#include "cpu/unicorn/arm64/interpose.h"

#include <string.h>

#include "emu/addr.h"
#include "emu/check.h"

/* Inside the library a variable of the translated code is the distance of its record from the
 * translation's context. */
typedef uintptr_t variable;

#define TYPE_I64     1
#define CONDITION_EQ 8
#define OP_SET_LABEL 1
#define MO_SIZE      3u
#define MO_BSWAP     8u
#define MO_ASHIFT    4
#define MO_AMASK     (7u << MO_ASHIFT)

void *tcg_temp_new_internal_aarch64(void *context, int type, bool local);
void tcg_temp_free_internal_aarch64(void *context, void *record);
variable tcg_const_i64_aarch64(void *context, int64_t value);
void tcg_gen_andi_i64_aarch64(void *context, variable to, variable a, int64_t b);
void tcg_gen_movcond_i64_aarch64(void *context, int condition, variable to, variable a, variable b,
                                 variable if_true, variable if_false);

void *gen_new_label_aarch64(void *context);
void tcg_gen_op1_aarch64(void *context, int operation, uintptr_t argument);
void tcg_gen_brcondi_i64_aarch64(void *context, int condition, variable a, int64_t b, void *label);

static variable sp_variable; /* the same in every context */

/* The program has the library in it, and the linker redirects calls (--wrap). Elsewhere the library
 * is shared, and calls what has the name of its own function in whoever uses it. */
#ifdef QVM_WRAP
#define WRAP(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)
#define REAL(name) __real_##name
#else
#define WRAP(type, name, ...)                                                                      \
    static type (*real_##name)(__VA_ARGS__);                                                       \
    type name(__VA_ARGS__);                                                                        \
    type name(__VA_ARGS__)
#define REAL(name) (real_##name ? (void)0 : find((void **)&real_##name, #name), real_##name)

static void find(void **function, const char *name)
{
    *function = dlsym(RTLD_NEXT, name);
    CHECK(*function);
}
#endif

/* A block begins with a call that looks for a stop request. Only a block hook can have made one
 * there: it makes the call itself when it did, and blocks begin without. Releases before 2.1.4 have
 * another way. */
void helper_check_exit_request_aarch64(void *library, uint32_t in_delay_slot) __attribute__((weak));

WRAP(void, tcg_gen_callN_aarch64, void *context, void *function, void *result, int count,
     void **arguments)
{
    if (function && function == (void *)helper_check_exit_request_aarch64)
        interposed_block_starts(helper_check_exit_request_aarch64);
    else
        REAL(tcg_gen_callN_aarch64)(context, function, result, count, arguments);
}

/* The library finds PC before it shows a hook that a page is needed: a search for the block, and
 * its translation once more. Most pages are there, and PC is not asked for. */
#define MMU_IDX_E10_0 0 /* EL0's accesses, LDTR and STTR */

void tlb_set_page_aarch64(void *cpu, uint64_t va, uint64_t hpa, int permits, int mmu_idx,
                          uint64_t size);

WRAP(bool, unicorn_fill_tlb_aarch64, void *cpu, uint64_t va, int size, int kind, int mmu_idx,
     bool is_probe, uintptr_t from)
{
    struct filled_page page;
    interposed_fills();
    if (!engine_fill(va, kind, mmu_idx == MMU_IDX_E10_0, &page))
        return REAL(unicorn_fill_tlb_aarch64)(cpu, va, size, kind, mmu_idx, is_probe, from);
    tlb_set_page_aarch64(cpu, va & ~PAGE_MASK, page.hpa, page.permits, mmu_idx, PAGE_SIZE);
    return true;
}

/* What accesses are translated to --------------------------------------------------------------*/

WRAP(void *, tcg_global_mem_new_internal_aarch64, void *context, int type, variable base,
     intptr_t offset, const char *name)
{
    void *record = REAL(tcg_global_mem_new_internal_aarch64)(context, type, base, offset, name);
    uintptr_t place = (uintptr_t)record - (uintptr_t)context;
    if (strcmp(name, "sp") == 0 && sp_variable != place)
        sp_variable = place;
    return record;
}

/* What is translated differs where other checks are made: blocks are found by it. An A64 block has
 * nothing else there. */
WRAP(void, cpu_get_tb_cpu_state_aarch64, void *record, uint64_t *pc, uint64_t *cs_base,
     uint32_t *flags)
{
    REAL(cpu_get_tb_cpu_state_aarch64)(record, pc, cs_base, flags);
    *cs_base |= engine_checks_now;
}

WRAP(void, gen_intermediate_code_aarch64, void *cpu, void *block, int instructions)
{
    interposed_translates_block();
    REAL(gen_intermediate_code_aarch64)(cpu, block, instructions);
}

WRAP(uint32_t, cpu_ldl_code_aarch64, void *record, uint64_t address)
{
    return interposed_translates(REAL(cpu_ldl_code_aarch64)(record, address));
}

static variable new_variable(void *context)
{
    return (uintptr_t)tcg_temp_new_internal_aarch64(context, TYPE_I64, false) - (uintptr_t)context;
}

static void free_variable(void *context, variable v)
{
    tcg_temp_free_internal_aarch64(context, (void *)((uintptr_t)context + v));
}

/* The address, or one that is nobody's if `tested` is no multiple of mask + 1. */
static variable address_if_aligned(void *context, variable address, variable tested, int64_t mask)
{
    variable low = new_variable(context), to = new_variable(context);
    variable zero = tcg_const_i64_aarch64(context, 0);
    variable nowhere = tcg_const_i64_aarch64(context, NOWHERE);
    tcg_gen_andi_i64_aarch64(context, low, tested, mask);
    tcg_gen_movcond_i64_aarch64(context, CONDITION_EQ, to, low, zero, address, nowhere);
    free_variable(context, low);
    free_variable(context, zero);
    free_variable(context, nowhere);
    return to;
}

typedef void access_function(void *context, variable value, variable address, uintptr_t index,
                             unsigned how);

/* A store that crosses pages, or is the first to a page, the library makes byte by byte, and asks
 * for its alignment of each byte. Where that is less than the size (ST1 of small elements, of which
 * 8 bytes are stored at once) the address is looked at before instead. */
static void translate_access(void *context, variable value, variable address, uintptr_t index,
                             unsigned how, bool is_store, access_function *real)
{
    struct access_checks checks = interposed_translates_access(how & MO_BSWAP);
    bool is_looked_at = is_store && checks.log2_alignment < (how & MO_SIZE);
    variable to = address;
    if (checks.log2_alignment && is_looked_at)
        to = address_if_aligned(context, address, address, (1 << checks.log2_alignment) - 1);
    else if (checks.log2_alignment)
        how = (how & ~MO_AMASK) | checks.log2_alignment << MO_ASHIFT;
    if (checks.sp && sp_variable) {
        variable before = to;
        to = address_if_aligned(context, before, sp_variable, 15);
        if (before != address)
            free_variable(context, before);
    }
    real(context, value, to, index, how);
    if (to != address)
        free_variable(context, to);
}

WRAP(void, tcg_gen_qemu_ld_i64_aarch64, void *context, variable value, variable address,
     uintptr_t index, unsigned how)
{
    translate_access(context, value, address, index, how, false, REAL(tcg_gen_qemu_ld_i64_aarch64));
}

WRAP(void, tcg_gen_qemu_st_i64_aarch64, void *context, variable value, variable address,
     uintptr_t index, unsigned how)
{
    translate_access(context, value, address, index, how, true, REAL(tcg_gen_qemu_st_i64_aarch64));
}

/* An exclusive store begins by a comparison of its address with the monitor's. Temporary variables
 * do not live beyond a branch, but for local ones. */

static variable new_local_variable(void *context)
{
    return (uintptr_t)tcg_temp_new_internal_aarch64(context, TYPE_I64, true) - (uintptr_t)context;
}

/* A load from an address that nobody has if something is misaligned, else nothing. */
static void check_store_exclusive(void *context, variable address, struct access_checks checks,
                                  access_function *load)
{
    variable zero = tcg_const_i64_aarch64(context, 0), unused = new_variable(context);
    variable place = new_local_variable(context);
    void *aligned = gen_new_label_aarch64(context);
    variable by_address =
        address_if_aligned(context, zero, address, (1 << checks.log2_alignment) - 1);
    variable by_sp =
        checks.sp ? address_if_aligned(context, by_address, sp_variable, 15) : by_address;
    tcg_gen_andi_i64_aarch64(context, place, by_sp, -1);
    tcg_gen_brcondi_i64_aarch64(context, CONDITION_EQ, place, 0, aligned);
    load(context, unused, place, MMU_IDX_E10_0, 0);
    tcg_gen_op1_aarch64(context, OP_SET_LABEL, (uintptr_t)aligned);
    if (checks.sp)
        free_variable(context, by_sp);
    free_variable(context, by_address);
    free_variable(context, place);
    free_variable(context, unused);
    free_variable(context, zero);
}

WRAP(void, tcg_gen_brcond_i64_aarch64, void *context, int condition, variable a, variable b,
     void *label)
{
    struct access_checks checks = interposed_translates_branch();
    variable kept = a;
    if (checks.log2_alignment || checks.sp) {
        kept = new_local_variable(context);
        tcg_gen_andi_i64_aarch64(context, kept, a, -1);
        check_store_exclusive(context, kept, checks, REAL(tcg_gen_qemu_ld_i64_aarch64));
    }
    REAL(tcg_gen_brcond_i64_aarch64)(context, condition, kept, b, label);
    if (kept != a)
        free_variable(context, kept);
}

/* Atomics: their addresses have an alignment. */

static variable atomic_address(void *context, variable address)
{
    bool sp = interposed_translates_access(true).sp; /* not by an alignment */
    return sp && sp_variable ? address_if_aligned(context, address, sp_variable, 15) : address;
}

#define WRAP_ATOMIC(name)                                                                          \
    WRAP(void, tcg_gen_atomic_##name##_i64_aarch64, void *context, variable to, variable address,  \
         variable value, uintptr_t index, unsigned how)                                            \
    {                                                                                              \
        variable at = atomic_address(context, address);                                            \
        REAL(tcg_gen_atomic_##name##_i64_aarch64)(context, to, at, value, index, how);             \
        if (at != address)                                                                         \
            free_variable(context, at);                                                            \
    }

WRAP_ATOMIC(xchg)
WRAP_ATOMIC(fetch_add)
WRAP_ATOMIC(fetch_and)
WRAP_ATOMIC(fetch_or)
WRAP_ATOMIC(fetch_xor)
WRAP_ATOMIC(fetch_smax)
WRAP_ATOMIC(fetch_smin)
WRAP_ATOMIC(fetch_umax)
WRAP_ATOMIC(fetch_umin)

WRAP(void, tcg_gen_atomic_cmpxchg_i64_aarch64, void *context, variable to, variable address,
     variable compared, variable value, uintptr_t index, unsigned how)
{
    variable at = atomic_address(context, address);
    REAL(tcg_gen_atomic_cmpxchg_i64_aarch64)(context, to, at, compared, value, index, how);
    if (at != address)
        free_variable(context, at);
}
