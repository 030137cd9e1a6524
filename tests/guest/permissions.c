/* Every combination of AP, UXN, PXN, WXN, APTable, UXNTable and PXNTable, against a table of what
 * each exception level may do, for loads, stores, fetches and the unprivileged LDTR and STTR.
 * Arm ARM D8.4 (memory access control), stage 1 of the EL1&0 regime. */
#include "mmu.h"
#include "trap.h"

/* A 2 MiB region with a table of its own, so that its table descriptor can be changed. */
#define PAGE 0x80000000ull
enum { LEVEL = 3 };

static struct tables tables;
static uint64_t *leaf, *table;

TRAP_CODE(load, "ldr x1, [x0, #8]");
TRAP_CODE(store, "str x1, [x0, #16]");
TRAP_CODE(load_unprivileged, "ldtr x1, [x0, #8]");
TRAP_CODE(store_unprivileged, "sttr x1, [x0, #16]");
TRAP_CODE(fetch, "br x0");
EL0_CODE(load_el0, "ldr x1, [x0, #8]");
EL0_CODE(store_el0, "str x1, [x0, #16]");
EL0_CODE(fetch_el0, "br x0");

/* What is on the page: at EL1 RET comes back; at EL0 SVC does. */
enum { RET = 0xd65f03c0u, SVC_0 = 0xd4000001u };

/* The data permissions that AP[2:1] gives: Table D8-37 of DDI 0487J.a. */
static const struct {
    bool el1_write, el0_read, el0_write;
} data_rights[4] = {
    [0] = {true, false, false},
    [1] = {true, true, true},
    [2] = {false, false, false},
    [3] = {false, true, false},
};

struct setting {
    unsigned ap;        /* of the leaf */
    bool uxn, pxn, wxn; /* leaf and SCTLR.WXN */
    unsigned aptable;   /* [0] no EL0 access, [1] no writes */
    bool uxntable, pxntable;
};

struct rights {
    bool el1_write, el1_run, el0_read, el0_write, el0_run; /* EL1 reads always */
};

static struct rights expected_rights(const struct setting *s)
{
    struct rights r;
    r.el1_write = data_rights[s->ap].el1_write && !(s->aptable & 2);
    r.el0_read = data_rights[s->ap].el0_read && !(s->aptable & 1);
    r.el0_write = data_rights[s->ap].el0_write && s->aptable == 0;
    r.el0_run = !s->uxn && !s->uxntable;
    r.el1_run = !s->pxn && !s->pxntable;
    /* What EL0 may write, EL1 never runs. */
    if (r.el0_write)
        r.el1_run = false;
    if (s->wxn) {
        r.el1_run = r.el1_run && !r.el1_write;
        r.el0_run = r.el0_run && !r.el0_write;
    }
    return r;
}

static void apply(const struct setting *s)
{
    uint64_t attributes = PTE_MEMORY | (uint64_t)s->ap << 6;
    attributes |= s->uxn ? PTE_UXN : 0;
    attributes |= s->pxn ? PTE_PXN : 0;
    uint64_t above = *table & (PTE_ADDRESS_MASK | PTE_TABLE);
    above |= (uint64_t)s->aptable << 61;
    above |= s->uxntable ? PTE_UXNTABLE : 0;
    above |= s->pxntable ? PTE_PXNTABLE : 0;
    *leaf = SCRATCH | attributes | PTE_TABLE;
    *table = above;
    tlb_flush();
    sctlr_change(SCTLR_WXN, s->wxn ? SCTLR_WXN : 0);
    tlb_flush();
}

static void attempt(const char *what, const uint32_t *code, bool el0, bool allowed, unsigned ec,
                    unsigned iss)
{
    struct trap t = (el0 ? trap_el0 : trap_el1)(code, PAGE, 0x55aa, 0);
    if (!check_eq(what, __LINE__, !t.taken, allowed))
        print("  ESR %x\n", t.esr);
    if (allowed || !t.taken)
        return;
    bool is_fetch = code == fetch || code == fetch_el0;
    uint64_t offset = is_fetch ? 0 : code == store || code == store_el0 || iss & ESR_WNR ? 16 : 8;
    check_eq(what, __LINE__, t.esr, ESR(ec, iss));
    check_eq(what, __LINE__, t.far, PAGE + offset);
    check_eq(what, __LINE__, t.elr, is_fetch ? PAGE : (uint64_t)code);
}

static void put_instruction(uint32_t word)
{
    write32(SCRATCH, word);
    code_sync((const void *)SCRATCH, 4);
    __asm__ volatile("ic ialluis\ndsb ish\nisb" ::: "memory");
}

static void check_setting(const struct setting *s)
{
    unsigned fault = FSC_PERMISSION + LEVEL;
    struct rights r = expected_rights(s);
    apply(s);
    attempt("EL1 read", load, false, true, EC_DABORT_EL1, fault);
    attempt("EL1 write", store, false, r.el1_write, EC_DABORT_EL1, ESR_WNR | fault);
    attempt("EL0 read", load_el0, true, r.el0_read, EC_DABORT_EL0, fault);
    attempt("EL0 write", store_el0, true, r.el0_write, EC_DABORT_EL0, ESR_WNR | fault);
    /* LDTR and STTR have EL0's rights but fault like EL1's own accesses. */
    attempt("LDTR", load_unprivileged, false, r.el0_read, EC_DABORT_EL1, fault);
    attempt("STTR", store_unprivileged, false, r.el0_write, EC_DABORT_EL1, ESR_WNR | fault);
    put_instruction(RET);
    attempt("EL1 fetch", fetch, false, r.el1_run, EC_IABORT_EL1, fault);
    put_instruction(SVC_0);
    attempt("EL0 fetch", fetch_el0, true, r.el0_run, EC_IABORT_EL0, fault);
}

/* WXN applies to the program itself, so its text must not be writable; its data may. */
static void protect_text(void)
{
    extern uint8_t el0_text_start[];
    for (uint64_t a = 0x40080000; a < (uint64_t)el0_text_start; a += 0x1000)
        *tables_entry(&tables, a, 3) |= PTE_READONLY;
    tlb_flush();
}

int main(void)
{
    mmu_start(&tables);
    protect_text();
    leaf = tables_entry(&tables, PAGE, 3);
    table = tables_entry(&tables, PAGE, 2);
    for (unsigned n = 0; n < 4 * 8 * 16; n++) {
        struct setting s = {
            .ap = n & 3,
            .uxn = n >> 2 & 1,
            .pxn = n >> 3 & 1,
            .wxn = n >> 4 & 1,
            .aptable = n >> 5 & 3,
            .uxntable = n >> 7 & 1,
            .pxntable = n >> 8 & 1,
        };
        check_context("AP[1:0] UXN PXN WXN APTable[1:0] UXNTable PXNTable from bit 0 of", n);
        check_setting(&s);
    }
    check_context(NULL, 0);
    sctlr_change(SCTLR_WXN, 0);
    finish();
}
