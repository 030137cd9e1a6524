/* Timer interrupts at odd intervals over a computation whose result must not change: one that keeps
 * values in all registers and the flags, one over memory, one with exclusives, at EL1 and at EL0.
 * The last line has the result, the number of interrupts and a hash of where they hit: it is the
 * same in each run of a deterministic machine, and on no other machine. */
#include "gic.h"
#include "mmu.h"
#include "trap.h"

static const uint16_t intervals[] = {37, 101, 997, 53, 211, 1999, 71, 307, 4001, 149, 9973};
enum { INTERVALS = sizeof intervals / sizeof *intervals, ROUNDS = 60, HANDLER = 160 };

static uint64_t interrupts, where_hash, frequency;

/* About that many instructions from now, if one takes a nanosecond. */
static void arm(void)
{
    uint64_t instructions = intervals[interrupts % INTERVALS] + HANDLER;
    ISB();
    WRITE(cntv_cval_el0, READ(cntvct_el0) + instructions * frequency / 1000000000 + 1);
    ISB();
}

static void on_irq(struct frame *f)
{
    uint64_t intid = GIC_READ(ICC_IAR1);
    interrupts++;
    where_hash = (where_hash ^ f->elr) * 0x100000001b3;
    arm();
    GIC_WRITE(ICC_EOIR1, intid);
}

/* 18 registers and the carry in a ring of additions; x0 = rounds, result in x0. */
#define RING                                                                                       \
    "mov x1, #1\nmov x2, #2\nmov x3, #3\nmov x4, #5\nmov x5, #8\nmov x6, #13\nmov x7, #21\n"       \
    "mov x8, #34\nmov x9, #55\nmov x10, #89\nmov x11, #144\nmov x12, #233\nmov x13, #377\n"        \
    "mov x14, #610\nmov x15, #987\nmov x16, #1597\nmov x17, #2584\nmov x18, #4181\n"               \
    "cmp xzr, xzr\n"                                                                               \
    "1: adcs x1, x1, x18\nadcs x2, x2, x1\nadcs x3, x3, x2\neor x4, x4, x3, ror #7\n"              \
    "adcs x5, x5, x4\nsbcs x6, x6, x5\nadcs x7, x7, x6\nror x8, x7, #11\nadcs x9, x9, x8\n"        \
    "csel x10, x9, x10, mi\nadcs x11, x11, x10\nsbcs x12, x12, x11\neor x13, x13, x12, lsr #3\n"   \
    "adcs x14, x14, x13\nmadd x15, x14, x13, x15\nadcs x16, x16, x15\ncinc x17, x16, cs\n"         \
    "adcs x18, x18, x17\nsub x0, x0, #1\ncbnz x0, 1b\n"                                            \
    "eor x0, x1, x18\neor x0, x0, x9, ror #1\neor x0, x0, x15, ror #2\n"

TRAP_CODE(ring, RING);
EL0_CODE(ring_el0, RING);

static uint64_t memory[512];

static uint64_t over_memory(uint64_t seed)
{
    for (unsigned i = 0; i < 512; i++)
        memory[i] = seed * (i + 1);
    for (unsigned i = 0; i < 8 * 512; i++) {
        uint64_t *a = &memory[i * 37 % 512], *b = &memory[(*a >> 32) % 512];
        *a = (*a << 13 | *a >> 51) + *b;
        *b ^= *a * 0x9e3779b97f4a7c15;
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < 512; i++)
        sum = sum * 31 + memory[i];
    return sum;
}

/* An interrupt between the two clears the monitor, and the pair is repeated. */
static uint64_t with_exclusives(void)
{
    static uint64_t word;
    word = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t value;
        uint32_t refused;
        __asm__ volatile("1: ldxr %0, [%2]\nadd %0, %0, %3\nstxr %w1, %0, [%2]\ncbnz %w1, 1b"
                         : "=&r"(value), "=&r"(refused)
                         : "r"(&word), "r"((uint64_t)i)
                         : "memory");
    }
    return word;
}

static uint64_t compute(bool interruptible)
{
    uint64_t checksum = 0, spsr = interruptible ? 0 : SPSR_EL0T;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct trap t = trap_el1(ring, 500, 0, 0);
        checksum = checksum * 31 + t.x[0];
        t = (struct trap){.x = {500}};
        trap_eret(&t, (uint64_t)ring_el0, spsr, (uint64_t)el0_stack_top);
        CHECK_NO_TRAP("EL0", t);
        checksum = checksum * 31 + t.x[0];
        checksum = checksum * 31 + over_memory(round + 1);
        checksum = checksum * 31 + with_exclusives();
    }
    return checksum;
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    frequency = READ(cntfrq_el0);
    uint64_t quiet = compute(false);
    gic_start_distributor();
    gic_start_cpu();
    gic_enable(27, 0x80);
    this_cpu()->irq = on_irq;
    arm();
    WRITE(cntv_ctl_el0, 1);
    ASM("msr daifclr, #2\nisb");
    uint64_t stressed = compute(true);
    ASM("msr daifset, #2");
    WRITE(cntv_ctl_el0, 0);
    CHECK_EQ("result with interrupts", stressed, quiet);
    known_begin("its host is seldom asked for timers that short");
    CHECK("interrupts came", interrupts > 1000);
    known_end();
    print("checksum %x, %u interrupts, hash of places %x\n", stressed, interrupts, where_hash);
    finish();
}
