/* Each encoding of MRS, MSR, SYS and SYSL is one instruction: it is carried out or taken to a
 * vector with ELR at it, and nothing before it in its block runs again. Encodings that would take
 * away what the program stands on are left out. */
#include "mmu.h"
#include "trap.h"

#define READS (1u << 21)
#define FAR   (1ull << 55) /* beyond every physical address */

extern uint32_t tried[];
/* A second time through the load has an address of nothing. */
TRAP_CODE(code, ".global tried\nldr x3, [x0]\nadd x0, x0, x1\ntried: nop\nmov x4, #1");

/* op0:op1:CRn:CRm:op2 as in bits 20 to 5, whose op0 is 1 to 3. */
static bool may_try(unsigned encoding, bool is_read)
{
    unsigned op0 = encoding >> 14, op1 = encoding >> 11 & 7, crn = encoding >> 7 & 15;
    if (op0 == 2) /* MDSCR_EL1 and the OS locks: debugging */
        return is_read;
    if (is_read || op0 == 1)
        return true;
    /* Control, translation, PSTATE, vectors and who we are; counters. */
    return op0 == 3 && !(op1 == 0 && (crn <= 4 || crn == 12 || crn == 13)) &&
           !(op1 == 3 && crn == 4);
}

static void try_all(bool is_read)
{
    uint64_t wrong = 0;
    for (unsigned encoding = 1u << 14; encoding < 4u << 14; encoding++) {
        if (!may_try(encoding, is_read))
            continue;
        /* SYS gets an address, registers zero. */
        unsigned rt = is_read ? 5 : encoding >> 14 == 1 ? 2 : 6;
        *tried = 0xd5000000u | (is_read ? READS : 0) | encoding << 5 | rt;
        code_sync(tried, 4);
        struct trap t = {.x = {SCRATCH, FAR, SCRATCH}};
        trap_call(&t, code);
        bool well = t.taken ? t.elr == (uintptr_t)tried && t.x[4] == 0
                            : t.x[4] == 1 && t.x[0] == SCRATCH + FAR;
        if (!well && wrong++ < 10)
            CHECK_EQ("this encoding is no single instruction", encoding, 0);
    }
    CHECK_EQ("encodings that are no single instruction", wrong, 0);
}

/* Event counters 4 and 5 are an exception of the engine's, 0 to 3 are not: they count alike, at
 * EL0, too. */
#define READ_IN_TURN                                                                               \
    "mrs x1, pmevcntr3_el0\nmrs x2, pmevcntr4_el0\nmrs x3, pmevcntr3_el0\nmrs x4, pmevcntr5_el0"
TRAP_CODE(start, "msr pmevcntr5_el0, x0\nmsr pmevcntr4_el0, x0\nmsr pmevcntr3_el0, x0");
TRAP_CODE(read_el1, READ_IN_TURN);
EL0_CODE(read_el0, READ_IN_TURN "\nmsr pmevcntr5_el0, xzr\nmrs x5, pmevcntr5_el0");

static void counters_alike(void)
{
    enum { CPU_CYCLES = 0x11 };
    WRITE(pmcr_el0, 7);
    WRITE(pmevtyper3_el0, CPU_CYCLES);
    WRITE(pmevtyper4_el0, CPU_CYCLES);
    WRITE(pmevtyper5_el0, CPU_CYCLES);
    CHECK_EQ("PMEVTYPER4_EL0", READ(pmevtyper4_el0), CPU_CYCLES);
    WRITE(pmcntenset_el0, 7u << 3);
    struct trap t = {.x = {1000}};
    trap_call(&t, start);
    trap_call(&t, read_el1);
    CHECK_EQ("counter 4 behind a write of 3", t.x[2] - t.x[1], 2);
    CHECK_EQ("counter 3 behind one of 4", t.x[3] - t.x[1], 2);
    CHECK_EQ("counter 5", t.x[4] - t.x[2], 3);
    t = trap_el0(read_el0, 0, 0, 0);
    CHECK_TRAP("at EL0", t, t.esr, 0x400, (uintptr_t)read_el0);
    CHECK_EQ("its class", ESR_EC(t.esr), EC_SYSREG);
    WRITE(pmuserenr_el0, 8); /* ER */
    t = trap_el0(read_el0, 0, 0, 0);
    CHECK_TRAP("a write at EL0", t, t.esr, 0x400, (uintptr_t)(read_el0 + 4));
    CHECK_EQ("counter 4 at EL0", t.x[2] - t.x[1], 2);
    CHECK_EQ("counter 3 at EL0", t.x[3] - t.x[1], 2);
    WRITE(pmuserenr_el0, 1); /* EN */
    t = trap_el0(read_el0, 0, 0, 0);
    CHECK_NO_TRAP("with EN", t);
    CHECK_EQ("PMEVCNTR5_EL0 written at EL0", t.x[5], 1);
    WRITE(pmcr_el0, 0);
}

int main(void)
{
    struct tables tables;
    mmu_start(&tables);
    counters_alike();
    mmu_off();
    try_all(true);
    try_all(false);
    finish();
}
