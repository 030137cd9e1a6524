/* The performance monitors' cycle counter (Arm ARM D13): counting, enabling, reset, overflow,
 * access from EL0. What a cycle is, the machine says: here about an instruction. */
#include "mmu.h"
#include "trap.h"

#define PMCR_E  (1u << 0)
#define PMCR_P  (1u << 1)
#define PMCR_C  (1u << 2)
#define PMCR_LC (1u << 6)
#define CYCLES  (1u << 31) /* in PMCNTENSET, PMOVSSET */
#define USER_EN (1u << 0)
#define USER_CR (1u << 2)

EL0_CODE(read_cycles, "mrs x0, pmccntr_el0\nmrs x1, pmccntr_el0");
EL0_CODE(read_control, "mrs x0, pmcr_el0");
EL0_CODE(read_user, "mrs x0, pmuserenr_el0");
/* 1000 instructions and a few. */
TRAP_CODE(thousand, "mrs x0, pmccntr_el0\n.rept 1000\nnop\n.endr\nmrs x1, pmccntr_el0");

static uint64_t cycles(void)
{
    ISB();
    return READ(pmccntr_el0);
}

static void burn(void)
{
    for (unsigned i = 0; i < 2000; i++)
        ASM("nop");
}

static void control(void)
{
    WRITE(pmcr_el0, PMCR_LC | PMCR_P | PMCR_C);
    ISB();
    uint64_t first = cycles();
    burn();
    CHECK_EQ("PMCR.E = 0: stands still", cycles(), first);
    WRITE(pmcntenset_el0, CYCLES);
    WRITE(pmccfiltr_el0, 0);
    ISB();
    CHECK_EQ("PMCNTENSET", READ(pmcntenset_el0) & CYCLES, CYCLES);
    first = cycles();
    burn();
    CHECK_EQ("still PMCR.E = 0", cycles(), first);
    WRITE(pmcr_el0, PMCR_LC | PMCR_E);
    ISB();
    CHECK_EQ("PMCR.E", READ(pmcr_el0) & (PMCR_E | PMCR_LC), PMCR_E | PMCR_LC);
    uint64_t last = cycles(), went_back = 0;
    first = last;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = cycles();
        went_back += now < last;
        last = now;
    }
    CHECK_EQ("monotonic", went_back, 0);
    CHECK("counts", last > first);
    WRITE(pmcntenclr_el0, CYCLES);
    ISB();
    first = cycles();
    burn();
    CHECK_EQ("PMCNTENCLR: stands still", cycles(), first);
    WRITE(pmcntenset_el0, CYCLES);
    ISB();
    burn();
    CHECK("goes on from there", cycles() > first);
    WRITE(pmccntr_el0, 0x123456789000);
    ISB();
    first = cycles();
    CHECK("is written", first >= 0x123456789000 && first < 0x123456789000 + 10000000);
    WRITE(pmcr_el0, PMCR_LC | PMCR_E | PMCR_C);
    ISB();
    CHECK("PMCR.C resets", cycles() < 10000000);
    CHECK_EQ("PMCR.C reads as 0", READ(pmcr_el0) & (PMCR_C | PMCR_P), 0);
}

static void overflow(void)
{
    WRITE(pmovsclr_el0, ~0u);
    ISB();
    CHECK_EQ("no overflow", READ(pmovsclr_el0) & CYCLES, 0);
    WRITE(pmccntr_el0, ~0ull - 500);
    ISB();
    burn();
    burn();
    CHECK("wraps", cycles() < 1ull << 40);
    CHECK_EQ("PMOVSCLR", READ(pmovsclr_el0) & CYCLES, CYCLES);
    WRITE(pmovsclr_el0, CYCLES);
    ISB();
    CHECK_EQ("cleared", READ(pmovsclr_el0) & CYCLES, 0);
}

static void rate(void)
{
    struct trap t = trap_el1(thousand, 0, 0, 0);
    uint64_t n = t.x[1] - t.x[0];
    print("1000 instructions took %u cycles\n", n);
    known_begin("its cycles are the host's time");
    CHECK("about one cycle an instruction", n >= 1000 && n <= 1100);
    known_end();
}

static void from_el0(void)
{
    WRITE(pmuserenr_el0, 0);
    ISB();
    struct trap t = trap_el0(read_cycles, 0, 0, 0);
    CHECK_TRAP("PMCCNTR", t, ESR(EC_SYSREG, SYSREG_ISS(3, 3, 9, 13, 0, 0, 1)), 0x400,
               (uint64_t)read_cycles);
    t = trap_el0(read_control, 0, 0, 0);
    CHECK_TRAP("PMCR", t, ESR(EC_SYSREG, SYSREG_ISS(3, 3, 9, 12, 0, 0, 1)), 0x400,
               (uint64_t)read_control);
    WRITE(pmuserenr_el0, USER_CR);
    ISB();
    t = trap_el0(read_cycles, 0, 0, 0);
    CHECK_NO_TRAP("PMCCNTR, CR", t);
    CHECK("counts at EL0", t.x[1] >= t.x[0]);
    t = trap_el0(read_control, 0, 0, 0);
    CHECK_TRAP("PMCR, CR", t, ESR(EC_SYSREG, SYSREG_ISS(3, 3, 9, 12, 0, 0, 1)), 0x400,
               (uint64_t)read_control);
    WRITE(pmuserenr_el0, USER_EN);
    ISB();
    t = trap_el0(read_control, 0, 0, 0);
    CHECK_NO_TRAP("PMCR, EN", t);
    t = trap_el0(read_user, 0, 0, 0);
    CHECK_NO_TRAP("PMUSERENR is always readable", t);
    CHECK_EQ("PMUSERENR", t.x[0], USER_EN);
    WRITE(pmuserenr_el0, 0);
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    unsigned version = field(READ(id_aa64dfr0_el1), 8, 4);
    if (version == 0 || version == 15) {
        print("skipped: no PMU\n");
        finish();
    }
    control();
    overflow();
    rate();
    from_el0();
    finish();
}
