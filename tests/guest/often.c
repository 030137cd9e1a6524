/* Instructions that exit, again and again at the same place: after some time an engine may leave
 * them to a way of its own, and nothing of that may be seen. Interrupts come exactly behind the
 * instruction that raised them, every instruction runs once and counts once, code that changes is
 * the new code, a place that meets devices and memory in turn meets both. */
#include "cycles.h"
#include "gic.h"
#include "mmu.h"
#include "trap.h"

enum { ROUNDS = 300, UARTIBRD = 0x24, UARTFBRD = 0x28, SGI = 5 };
#define ISPENDR0 (GICR + 0x10000 + 0x200)
#define CODE     (SCRATCH + 0x10000) /* for programs that are written here */

/* Interrupts ------------------------------------------------------------------------------------*/

static volatile uint64_t taken, elr;

static void on_irq(struct frame *frame)
{
    uint64_t intid = GIC_READ(ICC_IAR1);
    elr = frame->elr;
    taken++;
    GIC_WRITE(ICC_EOIR1, intid);
}

/* x0 = address, x1 = value; x5 and x6 count. */
TRAP_CODE(pend, "add x5, x5, #1\nstr w1, [x0]\nadd x6, x6, #1\nadd x6, x6, #1");
TRAP_CODE(send, "add x5, x5, #1\nmsr S3_0_C12_C11_5, x1\nadd x6, x6, #1\nadd x6, x6, #1");

static void check_interrupts(const char *what, const uint32_t *code, uint64_t value)
{
    uint64_t wrong = 0;
    taken = 0;
    check_context(what, ROUNDS);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct trap t = {.x = {ISPENDR0, value}};
        elr = 0;
        ASM("msr daifclr, #2");
        trap_call(&t, code);
        ASM("msr daifset, #2");
        wrong += elr != (uint64_t)(code + 2) || t.x[5] != 1 || t.x[6] != 2;
    }
    CHECK_EQ("interrupts", taken, ROUNDS);
    CHECK_EQ("not right behind the instruction", wrong, 0);
    check_context(NULL, 0);
}

/* The same with the access as the last instruction of a page. */
static void at_the_end_of_a_page(void)
{
    uint32_t *code = (uint32_t *)(CODE + 0x1000 - 8);
    memcpy(code, pend, 5 * 4);
    code_sync(code, 5 * 4);
    check_interrupts("pend, at the end of a page", code, 1u << SGI);
}

static void interrupts(void)
{
    gic_start_distributor();
    gic_start_cpu();
    gic_enable(SGI, 0x80);
    this_cpu()->irq = on_irq;
    check_interrupts("pend", pend, 1u << SGI);
    check_interrupts("send", send, (uint64_t)SGI << 24 | 1);
    at_the_end_of_a_page();
}

/* Devices and memory in turn --------------------------------------------------------------------*/

/* x0 = first, x1 = second address, x2 = rounds. The loads are in the middle of a block and at the
 * start of one; each round counts once in x3, x4, x5, and x6 sums up what was read. */
TRAP_CODE(in_turn, "mov x3, #0\nmov x4, #0\nmov x5, #0\nmov x6, #0\n"
                   "1: add x3, x3, #1\nldr w7, [x0]\nadd x6, x6, x7\nadd x4, x4, #1\n"
                   "mov x7, x0\nmov x0, x1\nmov x1, x7\ncbz x2, 2f\n"
                   "ldr w7, [x0]\nadd x6, x6, x7\nadd x5, x5, #1\n"
                   "subs x2, x2, #1\nb.ne 1b\n2:");

static void check_in_turn(const char *what, uint64_t first, uint64_t second)
{
    for (unsigned i = 0; i < 3; i++) {
        struct trap t = {.x = {first, second, ROUNDS}};
        write32(first, 3);
        write32(second, 5);
        check_context(what, i);
        trap_call(&t, in_turn);
        CHECK_EQ("before the first", t.x[3], ROUNDS);
        CHECK_EQ("behind the first", t.x[4], ROUNDS);
        CHECK_EQ("behind the second", t.x[5], ROUNDS);
        CHECK_EQ("sum", t.x[6], 8 * ROUNDS);
    }
    check_context(NULL, 0);
}

static void devices_and_memory(void)
{
    uint64_t device = PL011 + UARTIBRD, memory = SCRATCH;
    check_in_turn("device, device", device, PL011 + UARTFBRD);
    check_in_turn("memory, device", memory, device);
    check_in_turn("device, memory", device, memory);
    check_in_turn("memory, memory", memory, memory + 4);
}

/* Forms of loads and stores ---------------------------------------------------------------------*/

/* x0 = address, x1 = what is stored; x1 and x2 are looked at. */
TRAP_CODE(signed_byte, "ldrsb x1, [x0]\nmov x2, x0");
TRAP_CODE(signed_half, "ldrsh w1, [x0]\nmov x2, x0");
TRAP_CODE(post_index, "mov x2, x0\nldr w1, [x2], #4");
TRAP_CODE(pre_index, "sub x2, x0, #4\nldr w1, [x2, #4]!");
TRAP_CODE(by_register, "mov x2, #4\nsub x3, x0, #16\nldr w1, [x3, w2, uxtw #2]\nmov x2, x0");
TRAP_CODE(by_stack, "mov x3, sp\nmov sp, x0\nldr w1, [sp]\nmov sp, x3\nmov x2, x0");
TRAP_CODE(same_register, "mov x2, x0\nldr w0, [x0]\nmov x1, x0");
TRAP_CODE(ordered, "ldar w1, [x0]\nmov x2, x0");
TRAP_CODE(to_zero, "ldr wzr, [x0]\nmov x2, x0");
TRAP_CODE(pair, "ldp w1, w2, [x0]");
TRAP_CODE(stored, "str w1, [x0]\nmov w1, #0\nldr w1, [x0]\nmov x2, x0");
TRAP_CODE(stored_itself, "mov x2, x0\nstrh w0, [x0]\nldrh w1, [x0]");
TRAP_CODE(stored_zero, "str wzr, [x0]\nldr w1, [x0]\nmov x2, x0");

static void check_form(const char *what, const uint32_t *code, uint64_t x1, uint64_t x2)
{
    uint64_t wrong = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        write32(PL011 + UARTIBRD, 0x9a81);
        write32(PL011 + UARTFBRD, 0x15);
        struct trap t = trap_el1(code, PL011 + UARTIBRD, 0x4321, 0);
        wrong += t.taken || t.x[1] != x1 || t.x[2] != x2;
    }
    CHECK_EQ(what, wrong, 0);
}

static void forms(void)
{
    uint64_t at = PL011 + UARTIBRD;
    check_form("LDRSB", signed_byte, ~0x7eull, at);
    check_form("LDRSH", signed_half, 0xffff9a81, at);
    check_form("post-index", post_index, 0x9a81, at + 4);
    check_form("pre-index", pre_index, 0x9a81, at);
    check_form("register offset", by_register, 0x9a81, at);
    check_form("base SP", by_stack, 0x9a81, at);
    check_form("base is destination", same_register, 0x9a81, at);
    check_form("LDAR", ordered, 0x9a81, at);
    check_form("to WZR", to_zero, 0x4321, at);
    check_form("pair", pair, 0x9a81, 0x15);
    check_form("store", stored, 0x4321, at);
    check_form("store of the base", stored_itself, at & 0xffff, at);
    check_form("store of WZR", stored_zero, 0, at);
}

/* Code that changes -----------------------------------------------------------------------------*/

enum {
    LDR_W1_X0 = 0xb9400001,
    MOV_W1_7 = 0x528000e1,
    HVC_0 = 0xd4000002,
    MRS_X1_TPIDRRO = 0xd53bd061,
    MRS_XZR_TPIDRRO = 0xd53bd07f,
    NOP = 0xd503201f,
    RET = 0xd65f03c0,
};

static void check_changed(uint32_t word, uint64_t x0, uint64_t expected)
{
    uint32_t *code = (uint32_t *)CODE;
    uint64_t wrong = 0;
    code[0] = NOP;
    code[1] = word;
    code[2] = RET;
    code_sync(code, 3 * 4);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct trap t = {.x = {x0, 0x55}};
        trap_call(&t, code);
        wrong += t.x[1] != expected;
    }
    check_context("instruction", word);
    CHECK_EQ("wrong results", wrong, 0);
    check_context(NULL, 0);
}

static void changes(void)
{
    write32(PL011 + UARTIBRD, 0x1234);
    WRITE(tpidrro_el0, 0x5678);
    for (unsigned i = 0; i < 3; i++) {
        check_changed(LDR_W1_X0, PL011 + UARTIBRD, 0x1234);
        check_changed(MOV_W1_7, PL011 + UARTIBRD, 7);
        check_changed(MRS_X1_TPIDRRO, 0, 0x5678);
        check_changed(HVC_0, PSCI_VERSION, 0x55);
        check_changed(MRS_XZR_TPIDRRO, 0, 0x55);
    }
}

/* Calls -----------------------------------------------------------------------------------------*/

TRAP_CODE(call, "hvc #0");
TRAP_CODE(call_other, "hvc #1");

static void calls(void)
{
    uint64_t wrong = 0, version = (uint64_t)hvc(PSCI_VERSION, 0, 0, 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct trap t = trap_el1(call, PSCI_VERSION, i, 2);
        wrong += t.taken || t.x[0] != version || t.x[1] != i;
        t = trap_el1(call, 0x84000077, 0, 0); /* no such function */
        wrong += t.taken || (uint32_t)t.x[0] != UINT32_MAX;
    }
    CHECK_EQ("wrong answers", wrong, 0);
    for (unsigned i = 0; i < ROUNDS && !on_qemu(); i++) {
        struct trap t = trap_el1(call_other, PSCI_VERSION, 0, 0);
        wrong += t.taken || t.x[0] != ~0ull;
    }
    CHECK_EQ("wrong answers to HVC #1", wrong, 0);
}

/* Counting --------------------------------------------------------------------------------------*/

/* x0 = address: the same number of instructions each time. */
TRAP_CODE(counted, "mov x1, #10\n"
                   "1: ldr w4, [x0]\nstr w4, [x0]\nmov x5, #0\nsubs x1, x1, #1\nb.ne 1b");

static void counting(void)
{
    CHECK_EQ("rounds of another length",
             calls_of_another_length(counted, PL011 + UARTIBRD, 0, ROUNDS), 0);
}

int main(void)
{
    for (unsigned i = 0; i < 2; i++) {
        /* CPACR_EL1.FPEN: floating point traps, and does not, as a kernel has it. */
        WRITE(cpacr_el1, i ? 3u << 20 : 0);
        ISB();
        interrupts();
        devices_and_memory();
        forms();
        changes();
        calls();
        counting();
    }
    finish();
}
