/* Software step by the guest (Arm ARM D2.12), at EL1 and at EL0, again and again beside a CPU that
 * wants its turns: a step that is pending then is still pending afterwards. */
#include "mmu.h"
#include "smp.h"

#define MDSCR_SS  (1u << 0)
#define MDSCR_KDE (1u << 13)
#define DEBUG_FSC 0x22
enum { ROUNDS = 40 };

static struct tables tables;
static volatile uint32_t other_runs, done;
static uint64_t el0_word[2] __attribute__((section(".el0.data"), aligned(16)));

static void mdscr(uint64_t value)
{
    WRITE(mdscr_el1, value);
    ISB();
}

static void os_lock(uint64_t value)
{
    WRITE(oslar_el1, value);
    ISB();
}

#define STEP_ISV (1u << 24)
#define STEP_EX  (1u << 6)

TRAP_CODE(steps, "mov x0, #1\nmov x0, #2\nmov x0, #3\nsvc #0x70");
EL0_CODE(steps_el0, "mov x0, #3\n1: subs x0, x0, #1\nb.ne 1b\nldxr x1, [x2]\nsvc #0");

/* One ERET to `pc` with SPSR.SS as given. */
static struct trap step(uint64_t pc, uint64_t spsr, uint64_t x0)
{
    struct trap t = {.x = {x0, 0, (uint64_t)el0_word}};
    mdscr(MDSCR_SS | MDSCR_KDE);
    trap_eret(&t, pc, spsr, 0);
    mdscr(0);
    return t;
}

static void single_steps(void)
{
    uint64_t d_clear = SPSR_EL1H & ~(1u << 9);
    struct trap t = step((uint64_t)steps, d_clear | SPSR_SS, 0);
    CHECK_TRAP("step at EL1", t, ESR(EC_STEP_EL1, STEP_ISV | DEBUG_FSC), 0x200,
               (uint64_t)(steps + 1));
    CHECK_EQ("one instruction", t.x[0], 1);
    CHECK_EQ("SPSR.SS", t.spsr & SPSR_SS, 0);
    /* SS = 0: active and pending at once, nothing executes. */
    t = step((uint64_t)(steps + 1), d_clear, 77);
    CHECK_TRAP("step, pending", t, ESR(EC_STEP_EL1, DEBUG_FSC), 0x200, (uint64_t)(steps + 1));
    CHECK_EQ("no instruction", t.x[0], 77);
    /* D = 1: no step; SVC ends it. */
    t = step((uint64_t)steps, SPSR_EL1H | SPSR_SS, 0);
    CHECK_TRAP("masked", t, ESR(EC_SVC, 0x70), 0x200, (uint64_t)(steps + 4));
    /* Stepping SVC: the exception is taken, and its SPSR has SS = 0. */
    t = step((uint64_t)(steps + 3), d_clear | SPSR_SS, 5);
    CHECK_TRAP("step of SVC", t, ESR(EC_SVC, 0x70), 0x200, (uint64_t)(steps + 4));
    CHECK_EQ("SPSR.SS after SVC", t.spsr & SPSR_SS, 0);
}

TRAP_CODE(aborts, "ldr x0, [x0]");
TRAP_CODE(waits, "wfi\nmov x0, #9");
TRAP_CODE(returns, "adr x1, 1f\nmsr elr_el1, x1\nmsr spsr_el1, x0\neret\n"
                   "1: mov x0, #1\nmov x0, #2\nsvc #0x70");

/* Exceptions of what is stepped, and returns. */
static void corners(void)
{
    uint64_t d_clear = SPSR_EL1H & ~(1u << 9);
    struct trap t = step((uint64_t)aborts, d_clear | SPSR_SS, 0x90000000);
    CHECK_TRAP("step of an abort", t, ESR(EC_DABORT_EL1, FSC_TRANSLATION + 1), 0x200,
               (uint64_t)aborts);
    CHECK_EQ("it is to be stepped again", t.spsr & SPSR_SS, SPSR_SS);
    t = step((uint64_t)waits, d_clear | SPSR_SS, 0);
    CHECK_TRAP("step of WFI", t, ESR(EC_STEP_EL1, STEP_ISV | DEBUG_FSC), 0x200,
               (uint64_t)(waits + 1));
    /* From D = 1, where no step is active, to D = 0. */
    t = step((uint64_t)returns, SPSR_EL1H, d_clear | SPSR_SS);
    CHECK_TRAP("ERET with SS = 1", t, ESR(EC_STEP_EL1, STEP_ISV | DEBUG_FSC), 0x200,
               (uint64_t)(returns + 5));
    CHECK_EQ("one instruction behind it", t.x[0], 1);
    t = step((uint64_t)returns, SPSR_EL1H, d_clear);
    CHECK_TRAP("ERET with SS = 0", t, ESR(EC_STEP_EL1, DEBUG_FSC), 0x200, (uint64_t)(returns + 4));
    CHECK_EQ("none behind it", t.x[0], d_clear);
    /* From where a step is active SS becomes 0 (DebugExceptionReturnSS). */
    uint64_t spsr = d_clear | SPSR_SS;
    t = step((uint64_t)returns, SPSR_EL1H, SPSR_EL1H | SPSR_SS);
    CHECK_TRAP("ERET to D = 1", t, ESR(EC_SVC, 0x70), 0x200, (uint64_t)(returns + 7));
    for (unsigned i = 0; i < 4; i++) {
        t = step((uint64_t)(returns + i), spsr, spsr);
        CHECK_TRAP("step up to an ERET", t, ESR(EC_STEP_EL1, STEP_ISV | DEBUG_FSC), 0x200, t.elr);
        if (i == 3)
            break;
        CHECK_EQ("in sequence", t.elr, (uint64_t)(returns + i + 1));
    }
}

/* The OS Lock disables debug exceptions (D2.4): the code runs to its SVC. */
static void no_steps(void)
{
    struct trap t = step((uint64_t)steps, (SPSR_EL1H & ~(1u << 9)) | SPSR_SS, 0);
    CHECK_TRAP("OS Lock", t, ESR(EC_SVC, 0x70), 0x200, (uint64_t)(steps + 4));
    CHECK_EQ("all instructions", t.x[0], 3);
}

static void single_steps_el0(void)
{
    uint64_t pc = (uint64_t)steps_el0, x0 = 0, count = 0;
    struct trap t;
    for (;;) {
        t = step(pc, (count ? t.spsr & 0xf0000000 : 0) | SPSR_EL0T | SPSR_SS, x0);
        if (ESR_EC(t.esr) != EC_STEP_EL0 || count == 20)
            break;
        bool exclusive = t.elr == (uint64_t)(steps_el0 + 4);
        CHECK_TRAP("step at EL0", t,
                   ESR(EC_STEP_EL0, STEP_ISV | (exclusive ? STEP_EX : 0) | DEBUG_FSC), 0x400,
                   t.elr);
        pc = t.elr;
        x0 = t.x[0];
        count++;
    }
    CHECK_EQ("steps", count, 8); /* mov, 3 times subs and b.ne, ldxr */
    CHECK_EQ("then SVC", t.esr, ESR(EC_SVC, 0));
    CHECK_EQ("result", x0, 0);
}

static void other(void *unused)
{
    (void)unused;
    signal_set(&other_runs, 1);
    while (!done)
        __asm__ volatile("yield");
}

int main(void)
{
    mmu_start(&tables);
    os_lock(1);
    no_steps();
    os_lock(0);
    CHECK_EQ("CPU_ON", cpu_start(1, other, NULL), 0);
    CHECK("it runs", signal_wait(&other_runs, 1));
    for (unsigned i = 0; i < ROUNDS; i++) {
        single_steps();
        single_steps_el0();
        corners();
    }
    done = 1;
    finish();
}
