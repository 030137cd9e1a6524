/* More pages than a TLB has entries (mmu/tlb.h), two by each block: at EL1, or with the word `el0`
 * at EL0; with the word `odd` shifted by one, so that another of the two is the last that fits.
 * tests/snapshots.sh compares what is left. */
#include "mmu.h"
#include "trap.h"
#include "words.h"

#define MANY  0x4000000000ull
#define PAGES 16500u

static struct tables tables;

/* x0 page, x1 how many pairs */
#define TOUCH                                                                                      \
    "mov x2, #4096\n1: ldr x3, [x0]\nldr x3, [x0, x2]\nadd x0, x0, x2, lsl #1\n"                   \
    "subs x1, x1, #1\nb.ne 1b"
TRAP_CODE(touch, TOUCH);
EL0_CODE(touch_el0, TOUCH);

/* All of them are one page, by one table. */
static void map_many(void)
{
    uint64_t block = (uint64_t)1 << tables_shift(&tables, 2);
    for (unsigned i = 0; i < 512; i++)
        *tables_entry(&tables, MANY + 4096ull * i, 3) =
            SCRATCH | PTE_MEMORY | PTE_EL0 | PTE_PXN | PTE_UXN | PTE_TABLE;
    for (unsigned i = 1; i < PAGES / 512 + 1; i++)
        *tables_entry(&tables, MANY + block * i, 2) = *tables_entry(&tables, MANY, 2);
    tlb_flush();
}

int main(void)
{
    bool el0 = false;
    mmu_start(&tables);
    map_many();
    words_start();
    for (const char *w = word(); *w; w = word()) {
        el0 |= is(w, "el0");
        if (is(w, "odd"))
            read64(MANY + 4096ull * (PAGES - 1));
    }
    struct trap t =
        el0 ? trap_el0(touch_el0, MANY, PAGES / 2 - 1, 0) : trap_el1(touch, MANY, PAGES / 2 - 1, 0);
    CHECK_NO_TRAP("touches", t);
    finish();
}
