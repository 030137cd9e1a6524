/* A race, for chaos (docs/chaos.md): two CPUs count without a lock. One that loses its turn between
 * load and store writes back what it loaded, and what the other one counted meanwhile is lost.
 * Every turn of the ordinary schedule is longer than the whole count, so there it never shows.
 * race_locked.c is the same with a lock. */
#include "smp.h"

enum { ROUNDS = 16 };

static volatile uint32_t count, done;

static void work(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++)
        count++; /* LDR, ADD, STR */
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

int main(void)
{
    CHECK_EQ("CPU_ON", cpu_start(1, work, NULL), 0);
    work(NULL);
    CHECK("both finish", signal_wait(&done, 2));
    CHECK_EQ("count", count, 2 * ROUNDS);
    finish();
}
