/* Writes to a ROM, which the hypervisor maps without write permission: by every kind of store, with
 * the MMU off and on. What a write does there is the machine's choice (nothing, or a synchronous
 * external abort), but it is the same each time and the memory never changes. Skipped where
 * 0x60000000 is not a ROM. */
#include "mmu.h"
#include "trap.h"

#define ROM  0x60000000ull
#define SIZE 0x10000ull

static struct tables tables;

TRAP_CODE(load, "ldr x1, [x0]");
#define STORES(X)                                                                                  \
    X(strb, true, "strb w1, [x0]")                                                                 \
    X(strh, true, "strh w1, [x0]")                                                                 \
    X(str_w, true, "str w1, [x0]")                                                                 \
    X(str_x, true, "str x1, [x0]")                                                                 \
    X(str_zero, true, "str xzr, [x0]")                                                             \
    X(stp, false, "stp x1, x2, [x0]")                                                              \
    X(str_post, false, "str x1, [x0], #8")                                                         \
    X(stp_pre, false, "stp x1, x2, [x0, #16]!")                                                    \
    X(stlr, true, "stlr x1, [x0]")                                                                 \
    X(stxr, false, "ldxr x3, [x0]\nstxr w3, x1, [x0]")                                             \
    X(str_q, false, ".arch_extension fp\nstr q0, [x0]")                                            \
    X(dc_zva, false, "dc zva, x0")
#define DEFINE(name, has_syndrome, text) TRAP_CODE(name, text);
STORES(DEFINE)
#define ENTRY(name, has_syndrome, text) {#name, name, has_syndrome},
static const struct {
    const char *name;
    const uint32_t *code;
    bool has_syndrome;
} stores[] = {STORES(ENTRY)};
enum { STORE_COUNT = sizeof stores / sizeof *stores };

/* False: not a ROM. */
static bool find_rom(bool *aborts)
{
    struct trap t = trap_el1(load, ROM, 0, 0);
    if (t.taken)
        return false;
    uint64_t before = t.x[1];
    t = trap_el1(str_x, ROM, ~before, 0);
    *aborts = t.taken;
    t = trap_el1(load, ROM, 0, 0);
    if (t.x[1] == before && before != ~0ull)
        return true;
    write64(ROM, before);
    return false;
}

static uint64_t sum(void)
{
    uint64_t sum = 0;
    for (uint64_t a = ROM; a < ROM + SIZE; a += 8)
        sum = sum * 31 + read64(a);
    return sum;
}

static void write_everywhere(bool aborts)
{
    uint64_t before = sum();
    for (unsigned i = 0; i < STORE_COUNT; i++) {
        check_context(stores[i].name, 0);
        /* With stage 1 off, DC ZVA and exclusives meet Device memory: their own rules. */
        bool off = !(READ(sctlr_el1) & SCTLR_M);
        if (off && (stores[i].code == dc_zva || stores[i].code == stxr))
            continue;
        for (uint64_t at = ROM; at < ROM + SIZE; at += SIZE / 4 - 0x40) {
            struct trap t = trap_el1(stores[i].code, at, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa);
            /* A store that reports no syndrome may be refused as one that cannot be emulated. */
            if (!stores[i].has_syndrome && t.esr == ESR(EC_UNKNOWN, 0))
                continue;
            CHECK_EQ("aborts", t.taken, aborts);
            if (!t.taken)
                continue;
            CHECK_EQ("ESR", t.esr & ~(1ull << 9 | ESR_CM),
                     ESR(EC_DABORT_EL1, ESR_WNR | FSC_EXTERNAL));
            CHECK_EQ("base register", t.x[0], at);
        }
        CHECK_EQ("memory", sum(), before);
    }
    check_context(NULL, 0);
}

/* The ROM is empty: its first word is UDF #0. */
TRAP_CODE(branch, "br x0");

int main(void)
{
    bool aborts;
    if (!find_rom(&aborts)) {
        print("skipped: no ROM\n");
        finish();
    }
    print("a write to ROM %s\n", aborts ? "aborts" : "is ignored");
    WRITE(cpacr_el1, 3u << 20);
    ISB();
    write_everywhere(aborts);
    tables_new(&tables, 12, 39);
    tables_identity(&tables);
    tables_map(&tables, ROM, ROM, SIZE, PTE_MEMORY, 3);
    mmu_on(&tables);
    write_everywhere(aborts);
    if (read32(ROM) == 0) {
        struct trap t = trap_el1(branch, ROM, 0, 0);
        CHECK_TRAP("code in ROM", t, ESR(EC_UNKNOWN, 0), 0x200, ROM);
        write_everywhere(aborts);
    }
    finish();
}
