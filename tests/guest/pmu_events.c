/* The event counters of PMUv3 (Arm ARM D13): exact counts of instructions, by Exception level,
 * beside another CPU; SW_INCR, CHAIN, overflow and its interrupt. Exact is this machine's word. */
#include "gic.h"
#include "mmu.h"
#include "smp.h"

#define PMCR_E       (1u << 0)
#define PMCR_P       (1u << 1)
#define PMCR_C       (1u << 2)
#define PMCR_LC      (1u << 6)
#define NOT_EL1      (1u << 31)
#define NOT_EL0      (1u << 30)
#define SW_INCR      0x00
#define INST_RETIRED 0x08
#define CPU_CYCLES   0x11
#define CHAIN        0x1e
#define PMU_PPI      23

static struct tables tables;
static volatile uint32_t other_runs, done;
static volatile uint64_t interrupts, elr_of_interrupt, status;

/* Between its MSR and its MRS are 100 NOPs and the MRS's own predecessors. */
TRAP_CODE(hundred, "isb\nmrs x1, pmevcntr0_el0\n.rept 100\nnop\n.endr\nmrs x2, pmevcntr0_el0");
TRAP_CODE(faults, "mrs x1, pmevcntr0_el0\nldr x3, [x0]\nnop\nmrs x2, pmevcntr0_el0");
EL0_CODE(user_code, ".rept 50\nnop\n.endr\nmov x3, #20\n1: subs x3, x3, #1\nb.ne 1b");

static void events(uint64_t type0, uint64_t type1)
{
    WRITE(pmcr_el0, PMCR_LC | PMCR_P | PMCR_C);
    WRITE(pmcntenclr_el0, ~0u);
    WRITE(pmintenclr_el1, ~0u);
    WRITE(pmovsclr_el0, ~0u);
    WRITE(pmevtyper0_el0, type0);
    WRITE(pmevtyper1_el0, type1);
    WRITE(pmcntenset_el0, 3);
    WRITE(pmcr_el0, PMCR_LC | PMCR_E);
    ISB();
}

static void stop(void)
{
    WRITE(pmcr_el0, PMCR_LC);
    ISB();
}

static void identification(void)
{
    CHECK_EQ("PMCR.N", field(READ(pmcr_el0), 11, 5), 6);
    uint64_t has = 1ull << SW_INCR | 1ull << INST_RETIRED | 1ull << CPU_CYCLES | 1ull << CHAIN;
    CHECK_EQ("PMCEID0", READ(pmceid0_el0) & has, has);
    WRITE(pmselr_el0, 31);
    ISB();
    WRITE(pmxevtyper_el0, NOT_EL0);
    ISB();
    CHECK_EQ("PMXEVTYPER of 31 is PMCCFILTR", READ(pmccfiltr_el0), NOT_EL0);
    WRITE(pmccfiltr_el0, 0);
    WRITE(pmselr_el0, 2);
    ISB();
    WRITE(pmxevtyper_el0, INST_RETIRED | NOT_EL1);
    WRITE(pmxevcntr_el0, 0x123456789);
    ISB();
    CHECK_EQ("PMEVTYPER2", READ(pmevtyper2_el0), INST_RETIRED | NOT_EL1);
    CHECK_EQ("PMEVCNTR2 has 32 bits", READ(pmevcntr2_el0), 0x23456789);
}

/* What is retired: whatever completes, also SVC, and nothing that faults. */
static void retired(void)
{
    events(INST_RETIRED, 0);
    struct trap t = trap_el1(hundred, 0, 0, 0);
    CHECK_EQ("100 NOPs and an MRS", t.x[2] - t.x[1], 101);
    stop();
    CHECK_EQ("PMCR.E = 0", READ(pmevcntr0_el0), READ(pmevcntr0_el0));
}

/* The loads that fault are not counted; the counter at the fault says so. */
static uint64_t at_fault, at_end;
static bool skip(struct frame *f)
{
    if (ESR_EC(f->esr) != EC_DABORT_EL1)
        return false;
    at_fault = READ(pmevcntr0_el0);
    f->elr += 4;
    at_end = READ(pmevcntr0_el0);
    return true;
}

static void abandoned(void)
{
    events(INST_RETIRED | NOT_EL0, CPU_CYCLES | NOT_EL0);
    this_cpu()->sync = skip;
    uint64_t before_retired = READ(pmevcntr0_el0), before_cycles = READ(pmevcntr1_el0);
    struct trap t = trap_el1(faults, 0x90000000, 0, 0);
    uint64_t retired = READ(pmevcntr0_el0), cycles = READ(pmevcntr1_el0);
    this_cpu()->sync = NULL;
    CHECK_NO_TRAP("handled", t);
    CHECK("the handler ran", at_fault && at_end > at_fault);
    CHECK_EQ("one attempt was not retired", (cycles - before_cycles) - (retired - before_retired),
             1);
    stop();
}

/* 50 NOPs, mov, 20 times subs and b.ne, svc. */
static void by_level(void)
{
    events(INST_RETIRED | NOT_EL1, INST_RETIRED);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t user = READ(pmevcntr0_el0), all = READ(pmevcntr1_el0);
        trap_el0(user_code, 0, 0, 0);
        CHECK_EQ("instructions of EL0", READ(pmevcntr0_el0) - user, 92);
        CHECK("and of both", READ(pmevcntr1_el0) - all > 92);
    }
    uint64_t user = READ(pmevcntr0_el0);
    trap_el1(hundred, 0, 0, 0);
    CHECK_EQ("none of EL1", READ(pmevcntr0_el0), user);
    events(INST_RETIRED | NOT_EL0, INST_RETIRED | NOT_EL1);
    WRITE(pmevtyper2_el0, INST_RETIRED);
    WRITE(pmevcntr2_el0, 0);
    WRITE(pmcntenset_el0, 7);
    ISB();
    uint64_t kernel = READ(pmevcntr0_el0), all = READ(pmevcntr2_el0);
    user = READ(pmevcntr1_el0);
    trap_el0(user_code, 0, 0, 0);
    uint64_t kernel_after = READ(pmevcntr0_el0), all_after = READ(pmevcntr2_el0);
    CHECK_EQ("EL0 again", READ(pmevcntr1_el0) - user, 92);
    CHECK_EQ("the sum of both levels", all_after - all, kernel_after - kernel + 92);
    stop();
}

static void software(void)
{
    events(SW_INCR, CHAIN);
    WRITE(pmevcntr0_el0, 0xfffffffe);
    for (unsigned i = 0; i < 3; i++)
        WRITE(pmswinc_el0, 1);
    ISB();
    CHECK_EQ("SW_INCR", READ(pmevcntr0_el0), 1);
    CHECK_EQ("CHAIN", READ(pmevcntr1_el0), 1);
    CHECK_EQ("PMOVSSET", READ(pmovsset_el0), 1);
    WRITE(pmswinc_el0, 2);
    ISB();
    CHECK_EQ("of another event: nothing", READ(pmevcntr1_el0), 1);
    events(INST_RETIRED, CHAIN);
    WRITE(pmevcntr0_el0, 0xffffff00);
    trap_el1(hundred, 0, 0, 0);
    trap_el1(hundred, 0, 0, 0);
    trap_el1(hundred, 0, 0, 0);
    CHECK_EQ("a pair is 64 bits", READ(pmevcntr1_el0), 1);
    CHECK("its low half", READ(pmevcntr0_el0) < 0x10000);
    stop();
}

/* The interrupt --------------------------------------------------------------------------------*/

TRAP_CODE(run_out, "msr pmevcntr0_el0, x0\nisb\n.rept 40\nnop\n.endr");

static void irq(struct frame *f)
{
    uint64_t id = GIC_READ(ICC_IAR1);
    if (id == PMU_PPI) {
        interrupts++;
        elr_of_interrupt = f->elr;
        status = READ(pmovsset_el0);
        WRITE(pmovsclr_el0, ~0u);
        ISB();
    }
    GIC_WRITE(ICC_EOIR1, id);
}

static void overflow(void)
{
    gic_start_distributor();
    gic_start_cpu();
    gic_enable(PMU_PPI, 0xa0);
    this_cpu()->irq = irq;
    for (unsigned left = 2; left < 40; left++) {
        events(INST_RETIRED, 0);
        WRITE(pmintenset_el1, 1);
        ISB();
        interrupts = 0;
        ASM("msr daifclr, #2");
        trap_el1(run_out, (1ull << 32) - left, 0, 0);
        ASM("msr daifset, #2");
        stop();
        CHECK_EQ("interrupts", interrupts, 1);
        CHECK_EQ("PMOVSSET", status, 1);
        /* MSR itself is retired with the old value's successor: it counts from the ISB on. */
        CHECK_EQ("before which instruction", (elr_of_interrupt - (uint64_t)run_out) / 4, left);
    }
    events(INST_RETIRED, 0);
    WRITE(pmevcntr0_el0, 0xfffffff0);
    ISB();
    trap_el1(hundred, 0, 0, 0);
    CHECK("pending without an enabled interrupt: none", !gic_pending(PMU_PPI));
    WRITE(pmintenset_el1, 1);
    ISB();
    CHECK("its line follows PMINTENSET", gic_pending(PMU_PPI));
    WRITE(pmovsclr_el0, 1);
    ISB();
    CHECK("and PMOVSCLR", !gic_pending(PMU_PPI));
    stop();
}

static void other(void *unused)
{
    (void)unused;
    signal_set(&other_runs, 1);
    while (!done)
        ASM("yield");
}

int main(void)
{
    mmu_start(&tables);
    identification();
    retired();
    abandoned();
    by_level();
    software();
    overflow();
    CHECK_EQ("CPU_ON", cpu_start(1, other, NULL), 0);
    CHECK("it runs", signal_wait(&other_runs, 1));
    for (unsigned i = 0; i < 300; i++) {
        retired();
        by_level();
    }
    overflow();
    done = 1;
    finish();
}
