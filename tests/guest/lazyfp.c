/* CPACR_EL1.FPEN: the first floating-point or SIMD instruction traps (EC 0x07), the handler enables
 * the unit and the instruction is repeated; and two tasks at EL0 that share the registers lazily.
 * Arm ARM D17.2.37 (ISS for a trapped SIMD or floating-point access). */
#include "mmu.h"
#include "trap.h"

#define FP_ON ".arch_extension fp\n.arch_extension simd\n"
/* CV, COND = 0b1110 */
#define FP_ESR ESR(EC_FP, 1u << 24 | 0xeu << 20)
enum { TRAP_BOTH = 0, TRAP_EL0 = 1, TRAP_BOTH_TOO = 2, TRAP_NONE = 3 };

static struct tables tables;

static void set_fpen(unsigned fpen)
{
    WRITE(cpacr_el1, (uint64_t)fpen << 20);
    ISB();
}

/* Every kind of instruction that must trap. x0 points to memory. */
#define KINDS(X)                                                                                   \
    X(fmov_in, FP_ON "fmov d0, x1")                                                                \
    X(fmov_out, FP_ON "fmov x1, d0")                                                               \
    X(fadd, FP_ON "fadd d0, d1, d2")                                                               \
    X(fcmp, FP_ON "fcmp s0, s1")                                                                   \
    X(fcvt, FP_ON "fcvtzs x1, d0")                                                                 \
    X(ldr_q, FP_ON "ldr q0, [x0]")                                                                 \
    X(str_q, FP_ON "str q0, [x0]")                                                                 \
    X(ldr_b, FP_ON "ldr b0, [x0]")                                                                 \
    X(ldp_d, FP_ON "ldp d0, d1, [x0]")                                                             \
    X(stp_q, FP_ON "stp q0, q1, [x0]")                                                             \
    X(ldr_literal, FP_ON "ldr d0, .+0")                                                            \
    X(ld1, FP_ON "ld1 {v0.16b}, [x0]")                                                             \
    X(st4, FP_ON "st4 {v0.4s, v1.4s, v2.4s, v3.4s}, [x0]")                                         \
    X(ld1_lane, FP_ON "ld1 {v0.b}[3], [x0]")                                                       \
    X(add_v, FP_ON "add v0.4s, v1.4s, v2.4s")                                                      \
    X(movi, FP_ON "movi v0.2d, #0")                                                                \
    X(dup, FP_ON "dup v0.4s, w1")                                                                  \
    X(tbl, FP_ON "tbl v0.16b, {v1.16b}, v2.16b")                                                   \
    X(mrs_fpcr, "mrs x1, fpcr")                                                                    \
    X(msr_fpsr, "msr fpsr, xzr")
#define DEFINE(name, text)                                                                         \
    TRAP_CODE(name, text);                                                                         \
    EL0_CODE(name##_el0, text);
KINDS(DEFINE)
#define ENTRY(name, text) {#name, name, name##_el0},
static const struct {
    const char *name;
    const uint32_t *el1, *el0;
} kinds[] = {KINDS(ENTRY)};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

static uint8_t el0_memory[128] __attribute__((section(".el0.data"), aligned(64)));

static void check_traps(const uint32_t *code, bool el0, bool traps)
{
    struct trap t = (el0 ? trap_el0 : trap_el1)(code, (uint64_t)el0_memory, 0, 0);
    if (!traps)
        CHECK_NO_TRAP("enabled", t);
    else
        CHECK_TRAP("trapped", t, FP_ESR, el0 ? 0x400 : 0x200, (uint64_t)code);
}

/* More than once, so that code which ran enabled is met disabled and the other way round. */
static void matrix(void)
{
    for (unsigned n = 0; n < 12; n++) {
        unsigned fpen = n * 7 % 4;
        set_fpen(fpen);
        for (unsigned i = 0; i < KIND_COUNT; i++) {
            check_context(kinds[i].name, fpen);
            check_traps(kinds[i].el1, false, fpen == TRAP_BOTH || fpen == TRAP_BOTH_TOO);
            check_traps(kinds[i].el0, true, fpen != TRAP_NONE);
        }
    }
    check_context(NULL, 0);
}

TRAP_CODE(crc, ".arch_extension crc\ncrc32w w0, w1, w2");
TRAP_CODE(prefetch, "prfm pldl1keep, [x0]\nnop\nldr x1, [x0]");

static void others(void)
{
    set_fpen(TRAP_BOTH);
    struct trap t = trap_el1(prefetch, (uint64_t)el0_memory, 0, 0);
    CHECK_NO_TRAP("general instructions", t);
    if (field(READ(id_aa64isar0_el1), 16, 4)) {
        t = trap_el1(crc, 0, 0, 0);
        CHECK_NO_TRAP("CRC32", t);
    }
    /* The trap comes before the access. */
    t = trap_el1(ldr_q, 0x80000000, 0, 0);
    CHECK_TRAP("LDR of nothing", t, FP_ESR, 0x200, (uint64_t)ldr_q);
    set_fpen(TRAP_NONE);
    t = trap_el1(ldr_q, 0x80000000, 0, 0);
    CHECK_EQ("LDR of nothing, enabled", t.esr, ESR(EC_DABORT_EL1, FSC_TRANSLATION + 1));
}

/* ZEN is RES0 where there is no SVE, whatever FPEN says. */
TRAP_CODE(rdvl, ".inst 0x04bf5020");

static void scalable(void)
{
    for (unsigned fpen = 0; fpen < 4; fpen++) {
        check_context("ZEN beside FPEN", fpen);
        WRITE(cpacr_el1, (uint64_t)fpen << 20 | 3u << 16);
        ISB();
        CHECK_EQ("CPACR_EL1", READ(cpacr_el1), (uint64_t)fpen << 20);
        check_traps(ldr_q, false, fpen == TRAP_BOTH || fpen == TRAP_BOTH_TOO);
        check_traps(ldr_q_el0, true, fpen != TRAP_NONE);
    }
    struct trap t = trap_el1(rdvl, 0, 0, 0);
    CHECK_TRAP("RDVL", t, ESR(EC_UNKNOWN, 0), 0x200, (uint64_t)rdvl);
    check_context(NULL, 0);
}

/* Lazy switching --------------------------------------------------------------------------------*/

struct fp_state {
    _Alignas(16) uint64_t v[64];
    uint64_t fpcr, fpsr;
};

#define EACH_PAIR(X)                                                                               \
    X(0, 1)                                                                                        \
    X(2, 3)                                                                                        \
    X(4, 5)                                                                                        \
    X(6, 7)                                                                                        \
    X(8, 9)                                                                                        \
    X(10, 11)                                                                                      \
    X(12, 13)                                                                                      \
    X(14, 15) X(16, 17) X(18, 19) X(20, 21) X(22, 23) X(24, 25) X(26, 27) X(28, 29) X(30, 31)
#define SAVE(a, b) "stp q" #a ", q" #b ", [%0, #" #a " * 16]\n"
#define LOAD(a, b) "ldp q" #a ", q" #b ", [%0, #" #a " * 16]\n"

static void fp_save(struct fp_state *s)
{
    __asm__ volatile(FP_ON EACH_PAIR(SAVE)::"r"(s->v) : "memory");
    s->fpcr = READ(fpcr);
    s->fpsr = READ(fpsr);
}

static void fp_load(const struct fp_state *s)
{
    __asm__ volatile(FP_ON EACH_PAIR(LOAD)::"r"(s->v) : "memory");
    WRITE(fpcr, s->fpcr);
    WRITE(fpsr, s->fpsr);
}

static struct fp_state states[2];
static unsigned owner, current, switches;

static bool on_fp_trap(struct frame *f)
{
    if (f->esr != FP_ESR)
        return false;
    set_fpen(TRAP_NONE);
    if (owner != current) {
        fp_save(&states[owner]);
        fp_load(&states[current]);
        owner = current;
        switches++;
    }
    return true;
}

/* A step of a task: every third step needs no floating point. d8 += d9, v31 += v30, x0 += 1. */
EL0_CODE(fp_step, FP_ON "fadd d8, d8, d9\nadd v31.2d, v31.2d, v30.2d\nadd x0, x0, #1");
EL0_CODE(integer_step, "add x0, x0, #1");

/* Doubles by their bits: nothing here may use floating point itself. */
static uint64_t double_of(unsigned value)
{
    if (value == 0)
        return 0;
    unsigned top = 31 - (unsigned)__builtin_clz(value);
    return (uint64_t)(1023 + top) << 52 | ((uint64_t)value << (52 - top) & 0xfffffffffffff);
}

static void lazy_switching(void)
{
    enum { STEPS = 600 };
    unsigned fp_steps[2] = {0, 0};
    for (unsigned task = 0; task < 2; task++) {
        for (unsigned i = 0; i < 64; i++)
            states[task].v[i] = task * 0x1000 + i;
        states[task].v[16] = 0;                       /* d8 */
        states[task].v[18] = double_of(task ? 3 : 1); /* d9 */
        states[task].fpcr = task ? 1u << 22 : 0;      /* rounding mode */
        states[task].fpsr = task ? 1u << 27 : 0;      /* QC */
    }
    set_fpen(TRAP_NONE);
    owner = 0;
    fp_load(&states[0]);
    this_cpu()->sync = on_fp_trap;
    for (unsigned i = 0; i < STEPS; i++) {
        current = i / 2 & 1;
        set_fpen(owner == current ? TRAP_NONE : TRAP_EL0);
        bool integer = i % 3 == 0;
        struct trap t = trap_el0(integer ? integer_step : fp_step, i, 0, 0);
        CHECK_NO_TRAP("step", t);
        CHECK_EQ("step's result", t.x[0], i + 1);
        fp_steps[current] += !integer;
    }
    this_cpu()->sync = NULL;
    set_fpen(TRAP_NONE);
    fp_save(&states[owner]);
    CHECK("lazy switches", switches > 100 && switches <= STEPS / 2);
    for (unsigned task = 0; task < 2; task++) {
        uint64_t *v = states[task].v, wrong = 0, n = fp_steps[task];
        check_context("task", task);
        CHECK_EQ("d8", v[16], double_of((task ? 3 : 1) * (unsigned)n));
        CHECK_EQ("v31, low", v[62], task * 0x1000 + 62 + n * (task * 0x1000 + 60));
        CHECK_EQ("v31, high", v[63], task * 0x1000 + 63 + n * (task * 0x1000 + 61));
        for (unsigned i = 0; i < 62; i++)
            wrong += i != 16 && i != 17 && i != 18 && v[i] != task * 0x1000 + i;
        CHECK_EQ("other registers", wrong, 0);
        CHECK_EQ("FPCR", states[task].fpcr, task ? 1u << 22 : 0);
        CHECK_EQ("FPSR.QC", states[task].fpsr & 1u << 27, task ? 1u << 27 : 0);
    }
    check_context(NULL, 0);
}

int main(void)
{
    mmu_start(&tables);
    matrix();
    others();
    scalable();
    lazy_switching();
    finish();
}
