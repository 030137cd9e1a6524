/* The C half of exception handling, and the CPUs' areas. */
#include "trap.h"

#include "mmu.h"
#include "smp.h"

extern uint8_t cpu_areas[];
extern const uint32_t trap_return[], start_secondary[];
void exception_taken(struct frame *f);
void cpu_first(void);
void cpu_secondary(struct cpu *c);

uint64_t el0_stack[512] __attribute__((section(".el0.data"), aligned(4096))) = {0};
__asm__(".globl el0_stack_top\n.set el0_stack_top, el0_stack + 4096");

struct cpu *cpu_of(unsigned number)
{
    return (struct cpu *)(cpu_areas + CPU_AREA * (uint64_t)number + EXCEPTION_STACK);
}

static void fill_trap(struct trap *t, const struct frame *f)
{
    for (unsigned i = 0; i < 31; i++)
        t->x[i] = f->x[i];
    t->vector = f->vector;
    t->esr = f->esr;
    t->far = f->far;
    t->elr = f->elr;
    t->spsr = f->spsr;
    t->sp = f->sp;
    t->sp_el0 = f->sp_el0;
    t->taken = !(f->vector == 0x400 && f->esr == ESR(EC_SVC, 0));
}

static _Noreturn void unexpected(const struct frame *f)
{
    print("FAILED: unexpected exception at vector %x on CPU %u\n", f->vector, this_cpu()->number);
    print("ESR %x ELR %x FAR %x SPSR %x", f->esr, f->elr, f->far, f->spsr);
    print(" LR %x SP %x\n", f->x[30], f->sp);
    quit(1);
}

/* From the vectors; may change the frame. */
void exception_taken(struct frame *f)
{
    struct cpu *c = this_cpu();
    unsigned kind = f->vector >> 7 & 3;
    if (kind == 1 && c->irq) {
        c->irq(f);
        return;
    }
    if (kind == 0 && c->sync && c->sync(f))
        return;
    if (!c->trap)
        unexpected(f);
    fill_trap(c->trap, f);
    c->trap = NULL;
    f->elr = (uint64_t)trap_return;
    f->spsr = 5 | c->recover_daif; /* EL1h */
    f->sp = c->recover_sp;
}

struct trap trap_el1(const void *code, uint64_t x0, uint64_t x1, uint64_t x2)
{
    struct trap t = {.x = {x0, x1, x2}};
    trap_call(&t, code);
    return t;
}

struct trap trap_el0(const void *code, uint64_t x0, uint64_t x1, uint64_t x2)
{
    struct trap t = {.x = {x0, x1, x2}};
    trap_eret(&t, (uint64_t)code, SPSR_EL0T, (uint64_t)el0_stack_top);
    return t;
}

/* The CPUs ------------------------------------------------------------------------------------- */

static void cpu_prepare(unsigned number)
{
    memset(cpu_of(number), 0, sizeof(struct cpu));
    cpu_of(number)->number = number;
}

void cpu_first(void)
{
    for (unsigned i = 0; i < CPUS_MAX; i++)
        cpu_prepare(i);
}

/* Stage 1 of the CPU that starts others; they get the same. */
static struct {
    uint64_t sctlr, tcr, mair, ttbr0, ttbr1;
} stage1;

void cpu_secondary(struct cpu *c)
{
    WRITE(mair_el1, stage1.mair);
    WRITE(tcr_el1, stage1.tcr);
    WRITE(ttbr0_el1, stage1.ttbr0);
    WRITE(ttbr1_el1, stage1.ttbr1);
    ISB();
    __asm__ volatile("tlbi vmalle1\ndsb nsh\nisb" ::: "memory");
    WRITE(sctlr_el1, stage1.sctlr);
    ISB();
    c->run(c->argument);
    hvc(PSCI_CPU_OFF, 0, 0, 0);
    unexpected(&(struct frame){.vector = 0, .elr = (uint64_t)cpu_secondary});
}

int64_t cpu_start(unsigned number, void (*run)(void *argument), void *argument)
{
    struct cpu *c = cpu_of(number);
    c->run = run;
    c->argument = argument;
    c->irq = NULL;
    c->sync = NULL;
    c->trap = NULL;
    stage1.sctlr = READ(sctlr_el1);
    stage1.tcr = READ(tcr_el1);
    stage1.mair = READ(mair_el1);
    stage1.ttbr0 = READ(ttbr0_el1);
    stage1.ttbr1 = READ(ttbr1_el1);
    /* The other CPU reads these with its MMU and caches off. */
    __asm__ volatile("dsb sy\ndc civac, %0\ndc civac, %1\ndsb sy" ::"r"(c), "r"(&stage1)
                     : "memory");
    return hvc(PSCI_CPU_ON, number, (uint64_t)start_secondary, (uint64_t)c);
}

bool cpu_wait_off(unsigned number)
{
    for (unsigned i = 0; i < 100000000; i++)
        if (hvc(PSCI_AFFINITY_INFO, number, 0, 0) == 1)
            return true;
    return false;
}
