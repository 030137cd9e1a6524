/* PSTATE.PAN (FEAT_PAN, FEAT_PAN2): EL1's data accesses to what EL0 may access fault; LDTR, STTR
 * and instruction fetches do not care; exceptions set it when SCTLR_EL1.SPAN is 0. Arm ARM D8.4.3.
 */
#include "mmu.h"
#include "trap.h"

#define USER    0x80000000ull
#define USER_RO 0x80001000ull
#define KERNEL  0x80002000ull

#define PAN_ON  ".inst 0xd500419f\n" /* msr pan, #1 */
#define PAN_OFF ".inst 0xd500409f\n"

static struct tables tables;

TRAP_CODE(load, PAN_ON "ldr x1, [x0]\n" PAN_OFF);
TRAP_CODE(store, PAN_ON "str x1, [x0]\n" PAN_OFF);
TRAP_CODE(load_pan_off, PAN_OFF "ldr x1, [x0]\n");
TRAP_CODE(load_unprivileged, PAN_ON "ldtr x1, [x0]\n" PAN_OFF);
TRAP_CODE(store_unprivileged, PAN_ON "sttr x1, [x0]\n" PAN_OFF);
TRAP_CODE(call, "mov x9, x30\n" PAN_ON "blr x0\n" PAN_OFF "mov x30, x9");
TRAP_CODE(alternating, "ldr x1, [x0]\n" PAN_ON "ldr x2, [x2]\n" PAN_OFF "ldr x1, [x0]\n" PAN_ON
                       "ldr x1, [x0]\n" PAN_OFF);
TRAP_CODE(at_read, PAN_ON "at s1e1r, x0\nisb\nmrs x0, par_el1\n" PAN_OFF);
TRAP_CODE(at_read_pan, PAN_ON ".inst 0xd5087900\nisb\nmrs x0, par_el1\n" PAN_OFF);
TRAP_CODE(svc_pan_on, PAN_ON "svc #9\nmrs x0, s3_0_c4_c2_3\n" PAN_OFF);
TRAP_CODE(svc_pan_off, PAN_OFF "svc #9\nmrs x0, s3_0_c4_c2_3\n");
EL0_CODE(el0_function, "ret");

static uint64_t pan_in_handler, spsr_in_handler;

static bool on_svc(struct frame *f)
{
    if (f->esr != ESR(EC_SVC, 9))
        return false;
    pan_in_handler = READ(s3_0_c4_c2_3) >> 22 & 1;
    spsr_in_handler = f->spsr >> 22 & 1;
    return true;
}

static void check_entry(const char *what, const uint32_t *code, uint64_t before, uint64_t inside)
{
    this_cpu()->sync = on_svc;
    struct trap t = trap_el1(code, 0, 0, 0);
    this_cpu()->sync = NULL;
    check_context(what, 0);
    CHECK_NO_TRAP("handled", t);
    CHECK_EQ("PAN in the handler", pan_in_handler, inside);
    CHECK_EQ("PAN in SPSR", spsr_in_handler, before);
    CHECK_EQ("PAN after ERET", t.x[0] >> 22 & 1, before);
    check_context(NULL, 0);
}

static void check_faults(const char *what, const uint32_t *code, unsigned index, uint64_t address,
                         unsigned write)
{
    struct trap t = trap_el1(code, address, 0, KERNEL);
    check_context(what, address);
    CHECK_TRAP("fault", t, ESR(EC_DABORT_EL1, write | (FSC_PERMISSION + 3)), 0x200,
               (uint64_t)(code + index));
    CHECK_EQ("FAR", t.far, address);
    CHECK_EQ("PAN in SPSR", t.spsr >> 22 & 1, 1);
    check_context(NULL, 0);
}

static void check_passes(const char *what, const uint32_t *code, uint64_t address)
{
    struct trap t = trap_el1(code, address, 0, 0);
    check_context(what, address);
    CHECK_NO_TRAP("allowed", t);
    check_context(NULL, 0);
}

int main(void)
{
    unsigned pan = field(READ(id_aa64mmfr1_el1), 20, 4);
    if (pan == 0) {
        print("skipped: no PAN\n");
        finish();
    }
    mmu_start(&tables);
    uint64_t attributes = PTE_MEMORY | PTE_PXN | PTE_UXN;
    tables_map(&tables, USER, SCRATCH, 0x1000, attributes | PTE_EL0, 3);
    tables_map(&tables, USER_RO, SCRATCH, 0x1000, attributes | PTE_EL0 | PTE_READONLY, 3);
    tables_map(&tables, KERNEL, SCRATCH, 0x1000, attributes, 3);
    tlb_flush();

    check_faults("load", load, 1, USER, 0);
    check_faults("store", store, 1, USER, ESR_WNR);
    check_faults("load, read-only", load, 1, USER_RO, 0);
    check_faults("store, read-only", store, 1, USER_RO, ESR_WNR);
    check_passes("load of EL1's page", load, KERNEL);
    check_passes("store to EL1's page", store, KERNEL);
    check_passes("PAN = 0", load_pan_off, USER);
    check_passes("LDTR", load_unprivileged, USER);
    check_passes("LDTR, read-only", load_unprivileged, USER_RO);
    check_passes("STTR", store_unprivileged, USER);
    /* The page is in the TLB with PAN = 0 when PAN becomes 1. */
    check_faults("PAN on, off, on", alternating, 6, USER, 0);
    check_passes("fetch", call, (uint64_t)el0_function);

    struct trap t = trap_el1(at_read, USER, 0, 0);
    CHECK_EQ("AT S1E1R ignores PAN", t.x[0] & 1, 0);
    if (pan >= 2) {
        t = trap_el1(at_read_pan, USER, 0, 0);
        CHECK_NO_TRAP("AT S1E1RP", t);
        CHECK_EQ("AT S1E1RP minds PAN", t.x[0] & 0x7f, 1 | (FSC_PERMISSION + 3) << 1);
        t = trap_el1(at_read_pan, KERNEL, 0, 0);
        CHECK_EQ("AT S1E1RP of EL1's page", t.x[0] & 1, 0);
    }

    sctlr_change(0, SCTLR_SPAN);
    check_entry("SPAN = 1, PAN = 0", svc_pan_off, 0, 0);
    check_entry("SPAN = 1, PAN = 1", svc_pan_on, 1, 1);
    sctlr_change(SCTLR_SPAN, 0);
    check_entry("SPAN = 0, PAN = 0", svc_pan_off, 0, 1);
    check_entry("SPAN = 0, PAN = 1", svc_pan_on, 1, 1);
    sctlr_change(0, SCTLR_SPAN);
    finish();
}
