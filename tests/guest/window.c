/* Addresses whose bits 63:48 are neither all zero nor all one: each is a fault, whatever the
 * program that runs this one keeps there for itself, and whatever it did there a moment ago. */
#include "mmu.h"
#include "trap.h"

/* From the RAM's guest-physical addresses to host-physical ones, on a board that says nothing of
 * its memory; were it elsewhere, less would be tested. */
#define BOARD 0x840400000ull

static struct tables tables;

TRAP_CODE(load, "ldr x1, [x0]");
TRAP_CODE(store, "str x1, [x0]");
TRAP_CODE(jump, "br x0");

static void check_fault(const char *what, const uint32_t *code, uint64_t address)
{
    struct trap t = trap_el1(code, address, 0, 0);
    uint32_t status = t.esr & 0x3f;
    check_context(what, address);
    CHECK("a fault", t.taken);
    /* Level 0: translation, or with stage 1 off address size. */
    CHECK("of the address", status == 4 || status == 0);
    CHECK_EQ("FAR", t.far, address);
    check_context(NULL, 0);
}

/* Code that is made visible is dropped where it is translated, by its host-physical address. */
static void patterns(uint64_t place, unsigned every)
{
    for (uint64_t bits = 1; bits < 0xffff; bits += every) {
        if (bits % 16 == 1)
            code_sync(load, 8);
        check_fault("load", load, bits << 48 | place);
        if (bits % 16 == 1 && bits < 0x1000) {
            check_fault("store", store, bits << 48 | place);
            check_fault("jump", jump, bits << 48 | place);
        }
    }
}

int main(void)
{
    uint64_t place = BOARD + (uint64_t)load;
    mmu_start(&tables);
    patterns(place & ~7ull, 8);
    mmu_off();
    patterns(place & ~7ull, 16);
    finish();
}
