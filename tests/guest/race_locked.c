/* race.c with the lock that it lacks: right under every schedule. */
#include "mmu.h"
#include "smp.h"

enum { ROUNDS = 16 };

static volatile uint32_t count, done, lock;

static void acquire(void)
{
    uint32_t value, refused;
    __asm__ volatile("sevl\n1: wfe\n2: ldaxr %w0, [%2]\ncbnz %w0, 1b\n"
                     "stxr %w1, %w3, [%2]\ncbnz %w1, 2b"
                     : "=&r"(value), "=&r"(refused)
                     : "r"(&lock), "r"(1)
                     : "memory");
}

static void release(void)
{
    __asm__ volatile("stlr wzr, [%0]" ::"r"(&lock) : "memory");
}

static void work(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        acquire();
        count++;
        release();
    }
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    CHECK_EQ("CPU_ON", cpu_start(1, work, NULL), 0);
    work(NULL);
    CHECK("both finish", signal_wait(&done, 2));
    CHECK_EQ("count", count, 2 * ROUNDS);
    finish();
}
