/* Exclusives between four CPUs: counters and spin locks with LDXR/STXR and LDXP/STXP, the same with
 * LSE instructions where the CPU has them, and what clears the exclusive monitor (Arm ARM B2.9). */
#include "mmu.h"
#include "smp.h"

enum { CPUS = 4, ROUNDS = 10000 };

/* Words on lines of their own. */
static struct {
    _Alignas(64) volatile uint64_t single;
    _Alignas(64) volatile uint64_t pair[2];
    _Alignas(64) volatile uint32_t byte_word;
    _Alignas(64) volatile uint32_t lock;
    _Alignas(64) volatile uint64_t guarded; /* by lock, plain accesses */
    _Alignas(64) volatile uint64_t lse_add, lse_cas, lse_swap_lock, lse_guarded, lse_set;
    _Alignas(64) volatile uint32_t arrived, go, done;
} shared;

static void add_exclusive(volatile uint64_t *at)
{
    uint64_t value;
    uint32_t refused;
    __asm__ volatile("1: ldxr %0, [%2]\nadd %0, %0, #1\nstxr %w1, %0, [%2]\ncbnz %w1, 1b"
                     : "=&r"(value), "=&r"(refused)
                     : "r"(at)
                     : "memory");
}

/* The second word counts up, the first one down. */
static void add_pair(volatile uint64_t *at)
{
    uint64_t low, high;
    uint32_t refused;
    __asm__ volatile("1: ldaxp %0, %1, [%3]\nsub %0, %0, #1\nadd %1, %1, #1\n"
                     "stlxp %w2, %0, %1, [%3]\ncbnz %w2, 1b"
                     : "=&r"(low), "=&r"(high), "=&r"(refused)
                     : "r"(at)
                     : "memory");
}

/* Byte 1 of a word, next to other bytes that must stay. */
static void add_byte(volatile uint32_t *at)
{
    uint32_t value, refused;
    __asm__ volatile("1: ldxrb %w0, [%2]\nadd %w0, %w0, #1\nstxrb %w1, %w0, [%2]\ncbnz %w1, 1b"
                     : "=&r"(value), "=&r"(refused)
                     : "r"((volatile uint8_t *)at + 1)
                     : "memory");
}

static void lock(volatile uint32_t *at)
{
    uint32_t value, refused;
    __asm__ volatile("sevl\n1: wfe\n2: ldaxr %w0, [%2]\ncbnz %w0, 1b\n"
                     "stxr %w1, %w3, [%2]\ncbnz %w1, 2b"
                     : "=&r"(value), "=&r"(refused)
                     : "r"(at), "r"(1)
                     : "memory");
}

static void unlock(volatile uint32_t *at)
{
    __asm__ volatile("stlr wzr, [%0]" ::"r"(at) : "memory");
}

static void lse_round(void)
{
    uint64_t old, expected;
    __asm__ volatile(".arch_extension lse\nldadd %1, %0, [%2]"
                     : "=r"(old)
                     : "r"(1ull), "r"(&shared.lse_add)
                     : "memory");
    do {
        expected = shared.lse_cas;
        old = expected;
        __asm__ volatile(".arch_extension lse\ncasal %0, %1, [%2]"
                         : "+r"(old)
                         : "r"(expected + 1), "r"(&shared.lse_cas)
                         : "memory");
    } while (old != expected);
    do {
        __asm__ volatile(".arch_extension lse\nswpa %1, %0, [%2]"
                         : "=r"(old)
                         : "r"(1ull), "r"(&shared.lse_swap_lock)
                         : "memory");
    } while (old);
    shared.lse_guarded++;
    __asm__ volatile("stlr xzr, [%0]" ::"r"(&shared.lse_swap_lock) : "memory");
    __asm__ volatile(".arch_extension lse\nstset %0, [%1]" ::"r"(1ull << this_cpu()->number),
                     "r"(&shared.lse_set)
                     : "memory");
}

static bool has_lse(void)
{
    return field(READ(id_aa64isar0_el1), 20, 4) >= 2;
}

static void work(void *unused)
{
    (void)unused;
    __atomic_fetch_add(&shared.arrived, 1, __ATOMIC_SEQ_CST);
    signal_wait(&shared.go, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        add_exclusive(&shared.single);
        add_pair(shared.pair);
        add_byte(&shared.byte_word);
        lock(&shared.lock);
        shared.guarded++;
        unlock(&shared.lock);
        if (has_lse())
            lse_round();
    }
    __atomic_fetch_add(&shared.done, 1, __ATOMIC_SEQ_CST);
    DSB();
}

static void together(void)
{
    shared.byte_word = 0xaabb00cc;
    for (unsigned i = 1; i < CPUS; i++)
        CHECK_EQ("CPU_ON", cpu_start(i, work, NULL), 0);
    CHECK("CPUs arrive", signal_wait(&shared.arrived, CPUS - 1));
    signal_set(&shared.go, 1);
    work(NULL);
    CHECK("CPUs finish", signal_wait(&shared.done, CPUS));
    uint64_t sum = CPUS * ROUNDS;
    CHECK_EQ("LDXR/STXR", shared.single, sum);
    CHECK_EQ("LDAXP/STLXP, first", shared.pair[0], -sum);
    CHECK_EQ("LDAXP/STLXP, second", shared.pair[1], sum);
    CHECK_EQ("LDXRB/STXRB", shared.byte_word, 0xaabb00cc | (sum & 0xff) << 8);
    CHECK_EQ("spin lock", shared.guarded, sum);
    if (has_lse()) {
        CHECK_EQ("LDADD", shared.lse_add, sum);
        CHECK_EQ("CASAL", shared.lse_cas, sum);
        CHECK_EQ("SWPA lock", shared.lse_guarded, sum);
        CHECK_EQ("STSET", shared.lse_set, (1u << CPUS) - 1);
    } else {
        print("skipped: no LSE\n");
    }
    for (unsigned i = 1; i < CPUS; i++)
        CHECK("CPU goes off", cpu_wait_off(i));
}

/* The monitor -----------------------------------------------------------------------------------*/

/* x0 = address; all give STXR's result in x0 (1 = refused). */
TRAP_CODE(undisturbed, "mov x2, #5\nldxr x1, [x0]\nstxr w3, x2, [x0]\nmov x0, x3");
TRAP_CODE(after_clrex, "mov x2, #6\nldxr x1, [x0]\nclrex\nstxr w3, x2, [x0]\nmov x0, x3");
TRAP_CODE(without_load, "clrex\nmov x2, #7\nstxr w3, x2, [x0]\nmov x0, x3");
TRAP_CODE(twice, "ldxr x1, [x0]\nmov x2, #8\nstxr w3, x2, [x0]\nmov x2, #9\nstxr w3, x2, [x0]\n"
                 "mov x0, x3");
TRAP_CODE(after_exception, "mov x2, #10\nldxr x1, [x0]\nsvc #7\nstxr w3, x2, [x0]\nmov x0, x3");
TRAP_CODE(other_store, "mov x2, #11\nldxr x4, [x0]\nstr w2, [x1]\nsev\n"
                       "1: ldr w3, [x1, #64]\ncbz w3, 1b\n"
                       "mov x2, #12\nstxr w3, x2, [x0]\nmov x0, x3");

static bool skip_svc(struct frame *f)
{
    return ESR_EC(f->esr) == EC_SVC;
}

static struct {
    _Alignas(64) volatile uint64_t word;
    _Alignas(64) volatile uint32_t loaded, stored;
} monitor;

static void store_same_value(void *unused)
{
    (void)unused;
    signal_wait(&monitor.loaded, 11);
    monitor.word = monitor.word; /* the value does not matter: it is a store */
    signal_set(&monitor.stored, 1);
}

static void check_monitor(const char *what, const uint32_t *code, uint64_t refused, uint64_t word)
{
    struct trap t = trap_el1(code, (uint64_t)&monitor.word, (uint64_t)&monitor.loaded, 0);
    check_context(what, 0);
    CHECK_NO_TRAP("runs", t);
    CHECK_EQ("STXR", t.x[0], refused);
    CHECK_EQ("memory", monitor.word, word);
    check_context(NULL, 0);
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    check_monitor("LDXR, STXR", undisturbed, 0, 5);
    check_monitor("CLREX", after_clrex, 1, 5);
    check_monitor("no LDXR", without_load, 1, 5);
    check_monitor("second STXR", twice, 1, 8);
    /* Exception return clears it (ERET, ClearExclusiveLocal). */
    this_cpu()->sync = skip_svc;
    check_monitor("exception return", after_exception, 1, 8);
    this_cpu()->sync = NULL;

    CHECK_EQ("CPU_ON", cpu_start(1, store_same_value, NULL), 0);
    known_begin("its STXR compares values");
    check_monitor("another CPU's store of the same value", other_store, 1, 8);
    known_end();
    CHECK("CPU goes off", cpu_wait_off(1));
    together();
    finish();
}
