/* RAM that stage 1 maps as Device memory: every access must be aligned (Arm ARM B2.9.2), and DC ZVA
 * faults; what is aligned works, often as well as once. */
#include "forms.h"
#include "mmu.h"

#define DEVICE 0x80000000ull
#define MEMORY 0x80010000ull /* the same, as Normal memory */
#define CODE   0x80020000ull /* the same, as Device memory that may be executed */

static struct tables tables;

#define FP_ON ".arch_extension fp\n.arch_extension simd\n"
/* name, instruction, what the address must be a multiple of, store */
#define FORMS(X)                                                                                   \
    X(ldrb, "ldrb w1, [x0]", 1, 0)                                                                 \
    X(ldrsh, "ldrsh x1, [x0]", 2, 0)                                                               \
    X(ldr_w, "ldr w1, [x0]", 4, 0)                                                                 \
    X(ldrsw, "ldrsw x1, [x0]", 4, 0)                                                               \
    X(ldr_x, "ldr x1, [x0]", 8, 0)                                                                 \
    X(ldar, "ldar x1, [x0]", 8, 0)                                                                 \
    X(ldp_w, "ldp w1, w2, [x0]", 4, 0)                                                             \
    X(ldp_x, "ldp x1, x2, [x0]", 8, 0)                                                             \
    X(ldr_q, FP_ON "ldr q0, [x0]", 16, 0)                                                          \
    X(strb, "strb w1, [x0]", 1, 1)                                                                 \
    X(strh, "strh w1, [x0]", 2, 1)                                                                 \
    X(str_w, "str w1, [x0]", 4, 1)                                                                 \
    X(str_x, "str x1, [x0]", 8, 1)                                                                 \
    X(stlr, "stlr w1, [x0]", 4, 1)                                                                 \
    X(stp_x, "stp x1, x2, [x0]", 8, 1)                                                             \
    X(str_d, FP_ON "str d0, [x0]", 8, 1)                                                           \
    X(str_q, FP_ON "str q0, [x0]", 16, 1)

FORMS(FORM_CODE)
static const struct form forms[] = {FORMS(FORM_ENTRY)};

TRAP_CODE(over_the_end, "ldr x1, [x0]");
TRAP_CODE(zero, "dc zva, x0");
TRAP_CODE(exclusive, "ldxr w1, [x0]\nadd w1, w1, #1\nstxr w2, w1, [x0]");

static void others(void)
{
    struct trap t = trap_el1(over_the_end, DEVICE + 0xffc, 0, 0);
    CHECK_TRAP("over two pages", t, ESR(EC_DABORT_EL1, FSC_ALIGNMENT), 0x200,
               (uint64_t)over_the_end);
    CHECK_EQ("FAR over two pages", t.far, DEVICE + 0xffc);
    known_begin("QEMU zeroes Device memory");
    t = trap_el1(zero, DEVICE + 0x48, 0, 0);
    CHECK_TRAP("DC ZVA", t, ESR(EC_DABORT_EL1, ESR_WNR | FSC_ALIGNMENT), 0x200, (uint64_t)zero);
    CHECK_EQ("FAR of DC ZVA", t.far, DEVICE + 0x48);
    known_end();
    write32(MEMORY + 0x200, 6);
    t = trap_el1(exclusive, DEVICE + 0x200, 0, 0);
    CHECK_EQ("exclusive pair", t.esr, 0);
    CHECK_EQ("exclusive store", read32(MEMORY + 0x200), 7);
}

/* In the page that is fetched from. Whether Device memory may be executed is the processor's
 * choice; here it may (Arm ARM B2.9.2). */
static void own_page(void)
{
    static const uint32_t unaligned[] = {0xf9400001, 0xd65f03c0}; /* ldr x1, [x0]; ret */
    write32(MEMORY + 0x1000, unaligned[0]);
    write32(MEMORY + 0x1004, unaligned[1]);
    const uint32_t *code = (const uint32_t *)(CODE + 0x1000);
    struct trap t = trap_el1(code, CODE + 0x1008, 0, 0);
    CHECK_NO_TRAP("aligned, the page that runs", t);
    t = trap_el1(code, CODE + 0x1004, 0, 0);
    CHECK_TRAP("the page that runs", t, ESR(EC_DABORT_EL1, FSC_ALIGNMENT), 0x200, (uint64_t)code);
}

/* x0 = where, x1 = how often: counts there by all simple forms. */
TRAP_CODE(count, "1: ldr x2, [x0]\nadd x2, x2, #1\nstr x2, [x0]\nldp w2, w3, [x0, #8]\n"
                 "add w2, w2, #1\nadd w3, w3, #2\nstp w2, w3, [x0, #8]\nldrsb x2, [x0, #16]\n"
                 "add x2, x2, #1\nstrb w2, [x0, #16]\nldr w2, [x0, #20]!\nadd w2, w2, #3\n"
                 "str w2, [x0], #-20\nsubs x1, x1, #1\nb.ne 1b");

static void often(void)
{
    for (unsigned i = 0; i < 8; i++)
        write64(MEMORY + 0x300 + 8 * i, 0);
    struct trap t = trap_el1(count, DEVICE + 0x300, 1000, 0);
    CHECK_EQ("exception", t.esr, 0);
    CHECK_EQ("X register", read64(MEMORY + 0x300), 1000);
    CHECK_EQ("pair, first", read32(MEMORY + 0x308), 1000);
    CHECK_EQ("pair, second", read32(MEMORY + 0x30c), 2000);
    CHECK_EQ("byte", read32(MEMORY + 0x310), 1000 & 0xff);
    CHECK_EQ("base changes", read32(MEMORY + 0x314), 3000);
    CHECK_EQ("base", t.x[0], DEVICE + 0x300);
}

int main(void)
{
    mmu_start(&tables);
    WRITE(cpacr_el1, 3u << 20);
    ISB();
    tables_map(&tables, DEVICE, SCRATCH, 0x2000, PTE_DEVICE, 3);
    tables_map(&tables, MEMORY, SCRATCH, 0x2000, PTE_MEMORY | PTE_PXN | PTE_UXN, 3);
    tables_map(&tables, CODE, SCRATCH, 0x2000, PTE_DEVICE & ~PTE_PXN, 3);
    tlb_flush();
    check_forms(forms, sizeof forms / sizeof *forms, DEVICE + 0x100);
    others();
    own_page();
    often();
    finish();
}
